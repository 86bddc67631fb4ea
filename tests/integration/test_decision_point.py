"""Lessons are told once more before something is done: what was shown stays in its place, and new ones stand behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import Memory
from agentcl.text.tokens import estimate_tokens

SLOW = "When a queue is slow, look at its consumers."
BEFORE = "Before you drain a queue, pause it."
NEVER = "When you flush a cache, do not flush it twice."
SEEN = "The queue Tavon is slow."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        for lesson in (BEFORE, SLOW, NEVER):
            memory.lessons.add(lesson, author=lesson)  # of one author, one at a time is tried
        yield memory


def seed_that_shows(memory: Memory, *asked: tuple[str, str]) -> int:
    """Return a seed of which the coins show everything that is asked for."""
    for seed in range(200):
        episode = memory.episode("t", seed=seed)
        recalls = [episode.recall(seen, about_to=about_to) for seen, about_to in asked]
        episode.interrupt("only tried")
        if not any(one.withheld for one in recalls):
            return seed
    raise AssertionError("no such seed")


def test_lessons_on_what_is_about_to_be_done_stand_behind_those_shown(memory: Memory) -> None:
    asked = (SEEN, ""), (SEEN, "drain the queue Tavon"), ("All is quiet.", "flush the cache")
    seed = seed_that_shows(memory, *asked)
    with memory.episode("t", seed=seed) as episode:
        first = episode.recall(SEEN)
        assert (first.lessons, first.new) == ((SLOW,), (SLOW,))
        second = episode.recall(SEEN, about_to="drain the queue Tavon")
        assert (second.lessons, second.new) == ((SLOW, BEFORE), (BEFORE,))
        third = episode.recall("All is quiet.", about_to="flush the cache")
        assert (third.lessons, third.new) == ((SLOW, BEFORE, NEVER), (NEVER,))
        assert episode.recall("All is quiet.", about_to="flush the cache").new == ()
        assert episode.recall(SEEN).lessons == (SLOW, BEFORE, NEVER)
        episode.step(SEEN, "drain the queue Tavon", "it is quick", reward=1)
        played = episode.finish(1.0)
    assert sum(one.is_shown for one in played.exposures) == 3
    assert len(episode.steps[0].guidance) == 3


def test_a_coin_decides_of_them_and_that_is_recorded(memory: Memory) -> None:
    withheld = 0
    for seed in range(30):
        with memory.episode("t", seed=seed) as episode:
            recalled = episode.recall("All is quiet.", about_to="drain the queue Tavon")
            assert episode.recall("All is quiet.", about_to="drain the queue Tavon").new == ()
            (exposure,) = episode.finish(None).exposures
        assert exposure.is_shown is (recalled.new == (BEFORE,))
        assert 0 < exposure.probability < 1
        withheld += not exposure.is_shown
    assert withheld


def test_why_a_lesson_that_stays_is_shown_is_told(memory: Memory) -> None:
    seed = seed_that_shows(memory, (SEEN, ""))
    (id,) = (one.guidance.id for one in memory.lessons.list() if one.sentence == SLOW)
    with memory.episode("t", seed=seed) as episode:
        episode.recall(SEEN)
        assert episode.recall("All is quiet.", about_to="sleep").why_not(id) == "it is shown"


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    things=st.lists(
        st.sampled_from(["queue", "cache", "disk", "fan", "pump", "lamp"]), min_size=1, max_size=8
    ),
    budget=st.integers(0, 60),
    seed=st.integers(0, 50),
)
def test_nothing_moves_and_the_budget_and_the_number_on_trial_hold(
    memory: Memory, things: list[str], budget: int, seed: int
) -> None:
    for thing in sorted({*things}):
        memory.lessons.add(f"When you drain a {thing}, close it first.", author=thing)
    with memory.episode("t", seed=seed, budget_tokens=budget) as episode:
        shown = episode.recall(SEEN).lessons
        for thing in things:
            now = episode.recall("All is quiet.", about_to=f"drain the {thing}")
            assert now.lessons[: len(shown)] == shown
            assert now.lessons == (*shown, *now.new)
            shown = now.lessons
        assert sum(estimate_tokens(one) + 1 for one in shown) <= max(0, budget)
        assert len(shown) <= 3
