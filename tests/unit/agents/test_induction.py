"""Conditions under which an action reached the goal, drawn from many episodes."""

from hypothesis import given
from hypothesis import strategies as st

from agentcl.agents import OutcomeTeacher, Transcript
from agentcl.agents.induction import Tried, conditions, count, parts, with_clauses

LATE, NEW, MEMBER = (
    "an order is late",
    "its customer is a new customer",
    "its customer is a club member",
)


def tried(*known: str, reached: bool, action: str = "refund it") -> Tried:
    return Tried(action, known, reached)


def test_what_was_seen_in_the_good_attempts_alone_is_the_condition() -> None:
    trials = [
        tried(LATE, MEMBER, reached=True), tried(LATE, NEW, reached=False),
        tried(LATE, MEMBER, reached=True), tried(LATE, NEW, reached=False),
    ]  # fmt: skip
    assert next(conditions(trials, trials[0])) == (MEMBER,)


def test_two_clauses_where_no_single_one_is_enough() -> None:
    trials = [
        *[tried(LATE, MEMBER, reached=True)] * 3,
        *[tried(LATE, NEW, reached=False)] * 2,
        *[tried("an order is early", MEMBER, reached=False)] * 2,
    ]
    assert set(next(conditions(trials, trials[0]))) == {LATE, MEMBER}


def test_nothing_is_drawn_of_one_success_or_of_no_failure() -> None:
    once = [tried(LATE, MEMBER, reached=True), tried(LATE, NEW, reached=False)]
    always = [tried(LATE, MEMBER, reached=True)] * 5
    for trials in (once, always):
        assert not [*conditions(trials, trials[0])]


def test_one_mishap_of_many_does_not_hide_a_condition() -> None:
    trials = [
        *[tried(LATE, MEMBER, reached=True)] * 8,
        tried(LATE, MEMBER, reached=False),
        *[tried(LATE, NEW, reached=False)] * 8,
    ]
    assert next(conditions(trials, trials[0])) == (MEMBER,)


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abcd"), min_size=1), st.booleans()), max_size=30)
)
def test_a_condition_is_surer_than_the_action_without_one(
    drawn: list[tuple[set[str], bool]],
) -> None:
    trials = [tried(*(f"sign {one}" for one in sorted(said)), reached=good) for said, good in drawn]
    for trial in trials:
        if trial.is_reached:
            for clauses in conditions(trials, trial):
                held = count(trials, trial.action, clauses)
                every = count(trials, trial.action, ())
                assert held.reached >= 2
                assert held.reached * (every.reached + every.failed) >= every.reached * (
                    held.reached + held.failed
                )


def test_a_sentence_is_told_part_by_part_with_its_subject() -> None:
    assert parts("its customer is a member and pays by card") == [
        "its customer is a member", "its customer pays by card",
    ]  # fmt: skip
    assert parts("a dish lacks salt and pepper") == ["a dish lacks salt and pepper"]


def test_an_action_with_what_is_said_of_its_thing() -> None:
    assert with_clauses("refund an order", ["an order is late"]) == "refund an order that is late"
    assert (
        with_clauses("move an order", [MEMBER]) == "move an order whose customer is a club member"
    )


def ticket(code: str, kind: str, *steps: tuple[str, str]) -> Transcript:
    return Transcript(
        f"close the ticket on {code}.",
        f"The order {code} is late. Its customer is {kind} and pays by card.",
        steps,
        is_success=steps[-1][1] == "Booked.",
    )


def refunded(code: str, kind: str, *, good: bool) -> Transcript:
    return ticket(code, kind, (f"refund {code}", "Booked." if good else "Nothing changed."))


def test_the_teacher_learns_an_exception_from_several_tickets() -> None:
    earlier = [
        refunded("A11", "a new customer", good=False),
        refunded("B12", "a club member", good=True),
        refunded("C13", "a business customer", good=False),
    ]
    taught = OutcomeTeacher().distil_among(refunded("D14", "a club member", good=True), earlier)
    assert taught.lessons[0].sentence() == "When its customer is a club member, refund it."


def test_what_failed_more_often_than_not_is_not_recommended_for_one_success() -> None:
    earlier = [refunded(f"A1{n}", "a new customer", good=False) for n in range(4)]
    one = refunded("D14", "a new customer", good=True)
    said = [lesson.sentence() for lesson in OutcomeTeacher().distil_among(one, earlier).lessons]
    assert "When an order is late, refund it." in [
        lesson.sentence() for lesson in OutcomeTeacher().distil(one).lessons
    ]
    assert "When an order is late, refund it." not in said


def test_a_situation_of_two_parts_is_counted_where_both_were_seen() -> None:
    def scratched(code: str, *, good: bool) -> Transcript:
        return Transcript(
            f"close the ticket on {code}.",
            f"The order {code} is late and has a scratch.",
            ((f"refund {code}", "Booked." if good else "Nothing changed."),),
            is_success=good,
        )

    lesson = "When an order is late and has a scratch, refund it."
    one, earlier = (
        scratched("D14", good=True),
        [scratched(f"A1{n}", good=False) for n in range(4)],
    )
    teacher = OutcomeTeacher()
    assert lesson in [told.sentence() for told in teacher.distil(one).lessons]
    assert lesson not in [told.sentence() for told in teacher.distil_among(one, earlier).lessons]


def test_an_action_that_comes_first_for_some_only() -> None:
    def moved(code: str, kind: str, *, asked: bool) -> Transcript:
        steps = [(f"call the customer of {code}", "Filed."), (f"move {code}", "Booked.")]
        return ticket(code, kind, *steps[0 if asked else 1 :])

    earlier = [
        moved("A11", "a club member", asked=False), moved("B12", "a new customer", asked=True),
        moved("C13", "a club member", asked=False),
    ]  # fmt: skip
    taught = OutcomeTeacher().distil_among(moved("D14", "a new customer", asked=True), earlier)
    said = [lesson.sentence() for lesson in taught.lessons]
    assert any(
        one.startswith("Before you move an order whose customer is a new customer, call")
        for one in said
    ), said
