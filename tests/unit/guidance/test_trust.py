"""Trust: what later episodes say of a lesson, by world."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.evidence.trust import Trust

CLASS = "experience:do"


def trust_after(*results: bool, world: str = "here") -> Trust:
    trust = Trust()
    trust.born("lesson", world)
    for is_confirmed in results:
        trust.test("lesson", world, CLASS, is_confirmed=is_confirmed)
    return trust


def believed(trust: Trust, world: str = "here", lesson: str = "lesson") -> float:
    return trust.belief(lesson, world, CLASS, prior=0.8)


def test_a_new_lesson_is_believed_as_its_class_is() -> None:
    assert believed(trust_after()) == pytest.approx(0.8)


def test_what_was_confirmed_is_believed_more_and_what_was_refuted_less() -> None:
    assert believed(trust_after(True)) > believed(trust_after()) > believed(trust_after(False))


def test_two_refutations_outweigh_many_older_confirmations() -> None:
    assert believed(trust_after(*[True] * 20)) > 0.9
    trust = trust_after(*[True] * 20, False, False, False)
    assert believed(trust) < 0.65
    assert believed(trust_after(*[True] * 2, False, False, False)) < 0.5


def test_where_nothing_holds_twice_a_new_lesson_is_not_believed() -> None:
    trust = Trust()
    for n in range(12):
        trust.born(f"old-{n}", "here")
        trust.test(f"old-{n}", "here", CLASS, is_confirmed=False)
    trust.born("new", "here")
    assert believed(trust, lesson="new") < 0.2


def test_classes_are_told_apart() -> None:
    trust = trust_after(*[False] * 8)
    assert trust.reliability(CLASS, prior=0.8) < 0.3
    assert trust.reliability("told:ada:do", prior=0.5) == 0.5


def test_a_change_of_the_world_lowers_what_was_tested_before_it() -> None:
    before, after = trust_after(*[True] * 4), trust_after(*[True] * 4)
    after.change("here")
    for trust in (before, after):
        trust.test("lesson", "here", CLASS, is_confirmed=False)
    assert believed(after) < believed(before)
    elsewhere = trust_after(*[True] * 4)
    elsewhere.change("there")
    elsewhere.test("lesson", "here", CLASS, is_confirmed=False)
    assert believed(elsewhere) == believed(before)


def test_a_lesson_that_held_in_many_worlds_is_believed_in_a_new_one() -> None:
    trust = Trust()
    trust.born("one", "a")
    trust.born("many", "a")
    for world in "abcde":
        trust.test("many", world, CLASS, is_confirmed=True)
    assert believed(trust, "new", "many") > 0.75
    assert believed(trust, "new", "many") > believed(trust, "new", "one")


def test_where_lessons_did_not_carry_over_the_next_one_is_doubted_too() -> None:
    holding, failing = Trust(), Trust()
    for trust, is_confirmed in ((holding, True), (failing, False)):
        for n in range(6):
            trust.born(f"lesson-{n}", "a")
            trust.test(f"lesson-{n}", "a", CLASS, is_confirmed=True)
            trust.test(f"lesson-{n}", "b", CLASS, is_confirmed=is_confirmed)
        trust.born("next", "a")
        trust.test("next", "a", CLASS, is_confirmed=True)
    assert believed(holding, "b", "next") > 0.7
    assert believed(failing, "b", "next") < 0.4


def test_counts_and_the_newest_result() -> None:
    trust = trust_after(True, True, False)
    assert trust.counts("lesson") == (2, 1)
    assert trust.counts("lesson", "here") == (2, 1)
    assert trust.counts("lesson", "there") == (0, 0)
    assert trust.is_refuted_last("lesson", "here")
    assert not trust.is_refuted_last("lesson", "there")
    assert not trust.is_refuted_last("other", "here")
    assert trust.worlds("lesson") == ("here",)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=60))
def test_a_belief_is_a_probability(tests: list[tuple[str, bool]]) -> None:
    trust = Trust()
    trust.born("lesson", "a")
    for world, is_confirmed in tests:
        trust.test("lesson", world, CLASS, is_confirmed=is_confirmed)
    for world in ("a", "b", "never seen"):
        assert 0 <= believed(trust, world) <= 1


@given(st.lists(st.booleans(), max_size=20))
def test_one_more_confirmation_never_lowers_a_belief(results: list[bool]) -> None:
    assert believed(trust_after(*results, True)) >= believed(trust_after(*results, False))
