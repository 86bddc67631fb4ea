"""Which lessons stand in a prompt."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.evidence.belief import Belief
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.selection import Choice, Place, choose, line_of, probability_of
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import Episode, Exposure, Guidance, Reflection, Stated
from agentcl.store.records import Record, Scope
from agentcl.store.rows import Row, body_json, fields_of

SLOW = "The queue Tavon is slow."
VIEW = Scope().view()


def row(seq: int, record: Record) -> Row:
    """Return a record as the journal would give it."""
    made = Row(
        seq, record.id, record.version, "put", record.kind, *fields_of(record.scope), seq, None, None,
        record.key, json.dumps(record.sources), body_json(record), "{}", None, b"",
    )  # fmt: skip
    return made._replace(checksum=made.digest())


def lesson(id: str, what: str = "drain it", **given: str) -> Guidance:
    fields = {"when": "a queue is slow", "claim": "do", "application": "ops", **given}
    return Guidance(id=id, what=what, **fields)  # type: ignore[arg-type]


def confirmed(
    id: str,
    what: str,
    *,
    times: int = 1,
    is_confirmed: bool = True,
    when: str = "a queue is slow",
) -> list[Record]:
    """Return episodes after which a lesson was stated again, or its opposite."""
    claim = "do" if is_confirmed else "useless"
    records: list[Record] = []
    for n in range(times):
        episode = f"{id}-{n}-{is_confirmed}"
        records.append(
            Episode(
                id=episode, task="t", application="ops", status="finished", score=0.5,
                is_success=is_confirmed,
            )
        )  # fmt: skip
        stated = Stated(when, claim, what, id if is_confirmed else "")
        records.append(Reflection(id=f"r-{episode}", sources=(episode,), stated=(stated,)))
    return records


def state_of(*records: Record, rules: GuidanceRules | None = None) -> GuidanceState:
    return GuidanceState.of([row(n, one) for n, one in enumerate(records, start=1)], rules=rules)


def chosen(state: GuidanceState, *, seed: int = 0, text: str = SLOW, **given: object) -> Choice:
    place = Place(text=text, application="ops", cluster="ops/", world="", view=VIEW)
    return choose(state, place, random.Random(seed), **given)  # type: ignore[arg-type]


def ids(choice: Choice) -> list[str]:
    return [offer.guidance.id for offer in choice.shown]


def test_nothing_is_known_and_nothing_is_shown() -> None:
    choice = chosen(state_of())
    assert (choice.lines, choice.exposures, choice.tokens) == ((), (), 0)


def test_a_lesson_on_trial_is_shown_as_often_as_its_probability_says() -> None:
    state = state_of(lesson("a"))
    choices = [chosen(state, seed=seed) for seed in range(400)]
    (probability,) = {choice.exposures[0].probability for choice in choices}
    assert 0.5 <= probability <= 0.9
    shown = sum(choice.exposures[0].is_shown for choice in choices)
    assert abs(shown / 400 - probability) < 0.1
    assert all(bool(c.shown) == c.exposures[0].is_shown for c in choices)


def probability(state: GuidanceState, id: str) -> float:
    """Return with which probability a lesson is shown."""
    return next(one for one in chosen(state).exposures if one.guidance == id).probability


def test_a_new_lesson_is_withheld_less_where_most_of_its_kind_were_confirmed() -> None:
    held = [
        one for n in range(8) for one in _proved(f"l{n}", f"action{n} it", when="a cache is hot")
    ]
    assert probability(state_of(lesson("new")), "new") < 0.9
    assert 0.9 < probability(state_of(*held, lesson("new")), "new") <= 0.97


def test_what_an_agent_was_told_is_withheld_as_often_as_its_worth_is_open() -> None:
    told = {"origin": "told", "author": "ada"}
    held = [
        one
        for n in range(8)
        for one in _proved(f"l{n}", f"action{n} it", when="a cache is hot", **told)
    ]
    assert probability(state_of(*held, lesson("new", **told)), "new") < 0.9


def _proved(id: str, what: str, *, when: str, **given: str) -> list[Record]:
    """Return a lesson that three episodes stated again."""
    return [lesson(id, what, when=when, **given), *confirmed(id, what, times=3, when=when)]


def belief(uplift: float, *, shown: float, withheld: float) -> Belief:
    return Belief("trial", 0.9, uplift, 0.2, shown, withheld, 0, 0, "")


def test_what_most_tests_of_its_kind_confirm_is_not_given_up_for_a_few_unlucky_coins() -> None:
    unlucky = belief(-0.03, shown=0, withheld=2)
    assert probability_of(unlucky, -0.03) == 0.1
    assert 0.4 < probability_of(unlucky, -0.03, trust=0.9) < 0.5
    assert probability_of(belief(-0.6, shown=3, withheld=2), -0.6, trust=0.9) == 0.1
    assert probability_of(belief(-0.03, shown=5, withheld=5), -0.03, trust=0.9) == 0.0


@given(st.floats(-1, 1), st.floats(0, 20), st.floats(0, 20), st.floats(0, 1))
def test_trust_never_makes_a_lesson_rarer(
    gain: float, shown: float, withheld: float, trust: float
) -> None:
    held = belief(gain, shown=shown, withheld=withheld)
    assert 0 <= probability_of(held, gain) <= probability_of(held, gain, trust=trust) <= 0.97


def test_a_frozen_run_throws_no_coin() -> None:
    state = state_of(lesson("a"), *confirmed("a", "drain it", times=2))
    for seed in range(30):
        choice = chosen(state, seed=seed, is_frozen=True)
        assert ids(choice) == ["a"]
        assert choice.exposures == (Exposure("a", 1.0, True, tokens=choice.tokens),)


def test_what_was_refuted_is_not_shown() -> None:
    state = state_of(lesson("a"), *confirmed("a", "drain it", times=4, is_confirmed=False))
    assert not chosen(state, is_frozen=True).shown
    assert not any(chosen(state, seed=seed).exposures for seed in range(30))


def test_of_two_remedies_the_one_that_failed_last_makes_room() -> None:
    state = state_of(
        lesson("old", "drain it"),
        *confirmed("old", "drain it", times=6),
        *confirmed("old", "drain it", is_confirmed=False),
        lesson("new", "flush it"),
        *confirmed("new", "flush it"),
    )
    assert ids(chosen(state, is_frozen=True)) == ["new"]


def test_both_remedies_stay_while_both_hold() -> None:
    state = state_of(
        lesson("a", "drain it"), *confirmed("a", "drain it"),
        lesson("b", "flush it"), *confirmed("b", "flush it"),
    )  # fmt: skip
    assert ids(chosen(state, is_frozen=True)) == ["a", "b"]


def test_no_more_lessons_are_on_trial_than_one_outcome_can_tell_apart() -> None:
    many = [lesson(f"l{n}", f"action{n} it") for n in range(12)]
    for seed in range(10):
        assert len(chosen(state_of(*many), seed=seed).exposures) == 3
    told = [lesson(f"t{n}", f"action{n} it", origin="told", author="ada") for n in range(12)]
    assert len(chosen(state_of(*told)).exposures) == 1


def test_a_coin_is_thrown_once_an_episode() -> None:
    state = state_of(lesson("a"), lesson("b", "flush it", when="a cache is hot"))
    for seed in range(20):
        first = chosen(state, seed=seed)
        held = {one.guidance: one for one in first.exposures}
        again = chosen(
            state, seed=seed + 1_000, text=f"{SLOW}\nThe cache Tavon is hot.", decided=held
        )
        assert held["a"] in again.exposures
        assert ("a" in ids(again)) == held["a"].is_shown
        assert ids(again)[: len(ids(first))] == ids(first)  # what stood there stays at the head


def test_an_expensive_lesson_must_gain_more() -> None:
    state = state_of(lesson("a"))
    assert chosen(state, is_frozen=True).shown
    assert not chosen(state, is_frozen=True, price=0.1).shown


def test_what_is_not_worth_its_tokens_silences_no_warning() -> None:
    long = "drain it " + "once and once more " * 4
    state = state_of(
        lesson("do", long), *confirmed("do", long, times=3),
        lesson("not", "flush it", claim="avoid"),
    )  # fmt: skip
    assert {one.guidance for one in chosen(state).exposures} == {"do"}
    (shown,) = chosen(state, is_frozen=True, price=0.0).shown
    dear = shown.gain / shown.tokens
    offered = [
        {one.guidance for one in chosen(state, seed=n, price=dear).exposures} for n in range(9)
    ]
    assert offered == [{"do", "not"}] * 9


def test_without_its_parts_the_method_does_what_it_says() -> None:
    doubted = [lesson("a"), *confirmed("a", "drain it", times=4, is_confirmed=False)]
    assert ids(chosen(state_of(*doubted, rules=GuidanceRules(tests=False)), is_frozen=True)) == [
        "a"
    ]
    off = state_of(lesson("a", when="a vault is locked"), rules=GuidanceRules(situations=False))
    assert ids(chosen(off, is_frozen=True)) == ["a"]
    certain = chosen(state_of(lesson("a"), rules=GuidanceRules(credit=False)))
    assert certain.exposures[0].probability == 1


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(0, 120),
    st.integers(0, 1_000),
)
def test_a_budget_is_never_exceeded(sizes: Sequence[int], budget: int, seed: int) -> None:
    records: list[Record] = []
    for n, size in enumerate(sizes):
        what = " ".join(f"word{n}x{k}" for k in range(size))
        records += [lesson(f"l{n}", what), *confirmed(f"l{n}", what)]
    choice = chosen(state_of(*records), seed=seed, budget_tokens=budget)
    assert choice.tokens <= budget
    assert choice.tokens == sum(offer.tokens for offer in choice.shown)
    assert list(choice.lines) == [line_of(offer.guidance) for offer in choice.shown]


def test_on_trial_what_to_do_comes_before_what_not_to_do_in_the_same_situation() -> None:
    useless = [
        lesson(f"n{n}", f"call {n}", claim="useless", when="a queue is slow") for n in range(5)
    ]
    state = state_of(*useless, lesson("do", "drain every single one of all the things in it"))
    offered = {one.guidance for one in chosen(state).exposures}
    assert "do" in offered


def test_what_is_known_of_the_particular_situation_comes_before_the_general() -> None:
    general, particular = (
        lesson("g", "drain it"),
        lesson("p", "flush it", when="a red queue is slow"),
    )
    text = "The red queue Tavon is slow."
    proved = [
        Episode(id="e", task="t", application="ops", status="finished", score=1.0, is_success=True),
        Reflection(
            id="r", sources=("e",), stated=(Stated("a red queue is slow", "do", "flush it", "p"),)
        ),
    ]
    both = chosen(state_of(general, particular), text=text, is_frozen=True)
    assert {one.guidance.id for one in both.shown} == {"g", "p"}
    known = chosen(state_of(general, particular, *proved), text=text, is_frozen=True)
    assert {one.guidance.id for one in known.shown} == {"p"}
    elsewhere = chosen(state_of(general, particular, *proved), text=SLOW, is_frozen=True)
    assert {one.guidance.id for one in elsewhere.shown} == {"g"}
