"""What attempts brought about on the way, as lessons, whether or not they reached their goal."""

from dataclasses import replace

import pytest

from agentcl.agents import OutcomeTeacher, Transcript
from agentcl.agents.hindsight import Done, Hindsight, Trail

VERIFIED = "The system marks the customer as verified."
VAIN = "Nobody needed that. Nothing changed."
KINDS = {
    "a club member": "send the customer a code",
    "a new customer": "call the customer",
    "a business customer": "ask for the last invoice",
}
CODES = iter(f"{letter}{number}" for letter in "ABCDEFGHJKLMNPQRSTUVWXYZ" for number in range(10))
TEACHER = OutcomeTeacher()


def ticket(kind: str, *tried: str, looks: bool = True, moves: bool = False) -> Transcript:
    """Return a ticket of which some tried to verify the customer, and to change the address before and after."""
    code = next(CODES)
    steps = [(f"move {code}", "Something has to be done first. Nothing changed.")] if moves else []
    if looks:
        steps.append((f"look up {code}", f"The order {code} is late. Its customer is {kind}."))
    done = False
    for action in tried:
        good = action == KINDS[kind] and not done
        done = done or good
        steps.append((action, f'Ada answers: "Here you are." {VERIFIED if good else VAIN}'))
    if moves and done:
        steps.append((f"move {code}", f"Booked: {code} goes there now."))
    return Transcript(
        "settle the ticket.", f"The order {code} is late.", tuple(steps), is_success=False
    )


def told(*attempts: Transcript) -> list[str]:
    *earlier, last = attempts
    return [one.sentence() for one in TEACHER.distil_among(last, earlier).lessons]


CODE, CALL, INVOICE = KINDS.values()
MIXED = [
    ticket("a new customer", CODE), ticket("a business customer", CODE, CALL, INVOICE),
    ticket("a club member", CODE), ticket("a new customer", CODE, CALL), ticket("a business customer", CODE),
    ticket("a club member", CALL, CODE), ticket("a new customer", CODE), ticket("a business customer", CODE, INVOICE),
    ticket("a club member", CODE),
]  # fmt: skip


def test_attempts_that_all_failed_teach_what_they_reached_and_when() -> None:
    assert "When its customer is a club member, send the customer a code." in told(*MIXED)


def test_what_waited_for_it_needs_it_and_what_shows_the_condition() -> None:
    said = told(*MIXED, ticket("a club member", CODE, moves=True))
    assert (
        "Before you move an order whose customer is a club member, send the customer a code."
        in said
    )
    assert "Before you move an order, look up the order." in said


def test_what_was_looked_up_twice_is_known_all_the_same() -> None:
    one = ticket("a club member", CODE)
    again = replace(one, steps=(one.steps[0], *one.steps))
    assert "When its customer is a club member, send the customer a code." in told(*MIXED, again)


def test_two_attempts_are_too_few_to_tell() -> None:
    said = told(*MIXED[:2])
    assert not [one for one in said if "member" in one and "code" in one]


def test_where_nobody_looked_the_next_one_is_told_to_look_first() -> None:
    blind = [ticket(kind, CODE, CALL, looks=False) for kind in KINDS]
    seen = [ticket(kind, CODE) for kind in KINDS]
    assert "Before you send the customer a code, look up the order." in told(*seen, *blind)


def test_what_works_at_times_is_not_useless_by_one_attempt() -> None:
    one = ticket("a new customer", CODE)
    assert any("does not help to send" in said for said in told(one))
    assert not any("does not help to send" in said for said in told(*MIXED, one))


def test_what_is_looked_up_twice_is_not_useless() -> None:
    one = ticket("a new customer", CALL)
    again = Transcript(
        one.goal, one.first, (one.steps[0], one.steps[0], one.steps[1]), is_success=False
    )
    for attempts in ((again,), (*MIXED, again)):
        assert not any("does not help to look up" in said for said in told(*attempts))


def test_what_one_attempt_needed_is_not_told_where_it_depends() -> None:
    code = next(CODES)
    late = f"The order {code} is late."
    good = Transcript(
        "settle the ticket.",
        late,
        ((f"move {code}", VAIN), (CODE, VERIFIED), (f"move {code}", "Booked.")),
        is_success=True,
    )
    need = "Before you move an order, send the customer a code."
    assert need in told(good)
    assert need not in told(*MIXED, good)


@pytest.mark.parametrize("came", ["nothing", "change", "harm", "goal"])
def test_one_attempt_alone_has_no_states(came: str) -> None:
    alone = Trail(("it rains",), (Done("go home", "go home", came, ("it is dry",)),))  # type: ignore[arg-type]
    assert not [*Hindsight([alone]).ways(alone)]
    assert not [*Hindsight([alone]).unclear(alone)]
