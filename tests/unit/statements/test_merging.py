"""One wording for what is the same, and how strong a statement is: nothing that holds is hidden by either."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.statements import Gist, settle, strength
from agentcl.statements.alike import grouped, is_same_by_words, may_be_same
from agentcl.statements.joining import settled
from agentcl.statements.merging import merged, parted
from agentcl.statements.slots import value_key
from agentcl.statements.strengths import kept, uses_of
from agentcl.statements.summarising import is_told
from agentcl.store import Statement, Turn

MARCH = datetime(2025, 3, 3, tzinfo=UTC)


def stated(
    id: str,
    value: str,
    day: int = 0,
    *,
    ended: bool = False,
    member: bool = False,
    sources: Sequence[str] = (),
    sort: str = "fact",
) -> Statement:
    return Statement(
        id=id, text=f"The user lives in {value}.", subject="user", attribute="home", value=value,
        slot="user / home", said_at=(MARCH + timedelta(days=day)).isoformat(),
        polarity="ended" if ended else "holds", is_member=member, sources=tuple(sources),
        sort=sort,  # type: ignore[arg-type]
    )  # fmt: skip


def stored(*statements: Statement) -> list[Statement]:
    spans = settle(statements)
    return [settled(one, spans[one.id]) for one in statements]


def holding(statements: Sequence[Statement], at: datetime) -> set[str]:
    return {
        value_key(one.value)
        for one in statements
        if one.polarity == "holds"
        and (one.valid_from is None or one.valid_from <= at)
        and (one.valid_to is None or at < one.valid_to)
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Gent", "Gent."),
        ("the city of Gent", "Gent city"),
        ("driver of a bus", "bus driver"),
        ("electric car", "electric cars"),
    ],
)
def test_values_with_the_same_words_are_one(one: str, other: str) -> None:
    assert is_same_by_words(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("left knee", "right knee"),
        ("vegetarian", "not vegetarian"),
        ("two cats", "three cats"),
        ("answer in 3 lines", "answer in lines"),
        ("tea without milk", "tea milk"),
        ("use miles", "use kilometres instead of miles"),
        ("C", "C++"),
        ("works from home", "works to home"),
    ],
)
def test_values_that_only_look_alike_stay_two_whatever_an_encoder_says(
    one: str, other: str
) -> None:
    assert grouped([one, other], lambda a, b: 1.0, 0.5) == [[one], [other]]


def test_an_encoder_joins_what_only_adds_words_if_it_is_near_enough() -> None:
    values = ["use miles", "always use miles"]
    assert may_be_same(*values)
    assert grouped(values, lambda a, b: 0.91) == [values]
    assert grouped(values, lambda a, b: 0.89) == [["use miles"], ["always use miles"]]
    assert grouped(values) == [["use miles"], ["always use miles"]]


def test_what_is_like_a_like_value_joins_only_if_it_is_like_all() -> None:
    near = {frozenset({"tea", "green tea"}), frozenset({"green tea", "good green tea"})}
    values = ["green tea", "tea", "good green tea"]
    found = grouped(values, lambda a, b: 1.0 if {a, b} in near else 0.0)
    assert found == [["green tea", "tea"], ["good green tea"]]


def test_the_same_in_other_words_stays_and_names_what_it_repeats() -> None:
    group = stored(stated("A", "the city of Gent"), stated("B", "Gent city", 9))
    assert holding(group, MARCH + timedelta(days=20)) == {"gent city"}
    a, b = new = merged(group, {"B": "A"})
    assert (a.valid_to, b.value, b.replaced_by, b.same_as) == (None, "Gent city", "A", "A")
    assert holding(new, MARCH + timedelta(days=20)) == {"city of gent"}
    assert parted(new, {"B": ("A", "")}) == group
    again = stored(*new, stated("D", "Gent city", 12))
    assert [one.valid_to is None for one in again] == [True, False, False]
    gone = stored(b)
    assert holding(gone, MARCH + timedelta(days=20)) == {"gent city"}


def test_what_came_back_after_something_else_stays_a_statement_of_its_own() -> None:
    group = stored(stated("A", "Gent"), stated("C", "Oslo", 5), stated("B", "in Gent", 9))
    new = merged(group, {"B": "A"})
    assert [(one.value, one.valid_to is None) for one in new] == [
        ("Gent", False), ("Oslo", False), ("in Gent", True),
    ]  # fmt: skip


def test_notes_that_lead_in_a_circle_end_where_they_meet() -> None:
    a, b = replace(stated("A", "Gent"), same_as="B"), replace(stated("B", "Oslo", 3), same_as="A")
    assert set(settle([a, b])) == {"A", "B"}
    assert set(settle([a])) == {"A"}


VALUES = st.sampled_from(["Gent", "the Gent", "Gent city", "Oslo", "town of Oslo", "Leuven"])
LINES = st.lists(
    st.tuples(
        VALUES, st.integers(0, 9), st.booleans(), st.sampled_from(["", "2025-03-06", "2026"])
    ),
    min_size=1,
    max_size=7,
)
WORDING = {"the Gent": "Gent", "Gent city": "Gent", "town of Oslo": "Oslo"}


def worded(statements: Sequence[Statement], at: datetime) -> set[str]:
    new = [replace(one, value=WORDING.get(one.value, one.value)) for one in statements]
    return holding(new, at)


@given(LINES, st.booleans())
def test_what_holds_at_any_moment_stays_the_same_but_for_its_words(
    lines: list[tuple[str, int, bool, str]], member: bool
) -> None:
    group = stored(*(
        replace(stated(f"S{place}", value, day, ended=ended, member=member), since=since)
        for place, (value, day, ended, since) in enumerate(lines)
    ))  # fmt: skip
    first = {one.value: one.id for one in reversed(group) if one.polarity == "holds"}
    same = {
        one.id: first[WORDING[one.value]]
        for one in group
        if one.polarity == "holds" and WORDING.get(one.value) in first
    }
    new = merged(group, same)
    assert [(one.id, one.value, one.sources) for one in new] == [
        (one.id, one.value, one.sources) for one in group
    ]
    for day in (*range(-1, 12), *range(303, 306)):
        at = MARCH + timedelta(days=day, hours=5)
        assert worded(group, at) == worded(new, at)
    spans = settle(new)
    assert new == [settled(one, spans[one.id]) for one in new]
    assert parted(new, {one.id: (one.same_as, "") for one in new if one.same_as}) == group


def turn(id: str, text: str, day: int) -> Turn:
    said = (MARCH + timedelta(days=day)).isoformat()
    return Turn(id=id, role="assistant", text=text, said_at=said, sources=("c",))


def test_a_statement_is_stronger_the_oftener_it_was_met_and_the_newer_it_is() -> None:
    now = MARCH + timedelta(days=100)
    old, new = stated("A", "Gent", 0), stated("B", "Oslo", 90)
    assert strength(new, 0, now) > strength(old, 0, now) > 0
    assert strength(old, 5, now) > strength(old, 0, now)
    twice = stated("C", "Gent", 0, sources=["t1", "t2"])
    assert strength(twice, 0, now) == 2 * strength(old, 0, now)
    assert strength(stated("D", "Gent", 200), 0, now) == 1.0


def test_a_later_turn_that_takes_up_a_value_is_a_use_of_it() -> None:
    one = stated("A", "Gent", 5, sources=["t0"])
    turns = [
        turn("t0", "Gent it is.", 6),
        turn("t1", "Gent in the rain, then.", 1),
        turn("t2", "How is Gent?", 7),
        turn("t3", "How is Oslo?", 8),
        turn("t4", "Still in Gent?", 9),
    ]
    assert uses_of([one, stated("B", "it", 0)], turns) == {"A": 2}


def test_what_holds_and_is_strong_stays_in_sight_and_instructions_always_do() -> None:
    over = stored(stated("A", "Gent"), stated("B", "Oslo", 1))
    told = stated("I", "be short", sort="instruction")
    weak, strong = stated("W", "tea"), stated("S", "hiking")
    statements = [*over, told, weak, strong]
    strengths = [9.0, 5.0, 0.1, 0.2, 0.3]
    now = MARCH + timedelta(days=30)
    assert kept(statements, strengths, 3, now) == {"I", "B", "S"}
    assert kept(statements, strengths, 0, now) == {"I"}
    assert kept(statements, strengths, 9, now) == {"A", "B", "I", "W", "S"}


@pytest.mark.parametrize(
    ("sentence", "of", "is_borne"),
    [
        ("The user moved to Gent in 2024.", (0,), True),
        ("The user moved to Oslo in 2024.", (0,), False),
        ("The user moved to Gent in 2025.", (0,), False),
        ("The user moved to Gent.", (1,), False),
        ("The user moved to Gent.", (), False),
        ("The user moved to Gent.", (7,), False),
        ("", (0,), False),
        ("It was so.", (0,), False),
        ("moved to Gent " * 40, (0,), False),
        ("The user moved\x00 to Gent.", (0,), False),
    ],
)
def test_a_sentence_counts_if_the_lines_that_it_names_say_it(
    sentence: str, of: tuple[int, ...], is_borne: bool
) -> None:
    lines = ["user: I moved to Gent in 2024.", "assistant: How nice."]
    assert is_told(Gist(sentence, of), lines) is is_borne
