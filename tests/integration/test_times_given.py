"""Moments and numbers that a memory is given: what no record can bear is refused, and nothing is stored."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentcl import AgentclError, InvalidInput, Memory
from agentcl.store import Usage
from agentcl.store.rows import LAST_MOMENT

NOW = 1_780_000_000_000_000
HUGE = 10**400  # beyond all floats
NO_MOMENTS: dict[str, Any] = {
    "before 1970": -1,
    "before the year 1": -(10**17),
    "after the year 9999": LAST_MOMENT + 1,
    "beyond 64 bits": 10**30,
    "of thousands of digits": 10**5_000,
    "a float": 1.7e15,
    "no number": math.nan,
    "without end": math.inf,
    "true": True,
    "nothing": None,
    "words": "now",
    "a naive datetime": datetime(2026, 1, 1),  # noqa: DTZ001
    "a datetime": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("named", NO_MOMENTS)
def test_a_clock_that_tells_no_moment_stores_nothing(tmp_path: Path, named: str) -> None:
    told: list[Any] = [NOW]
    with Memory(tmp_path / "m", encoder="hashing", clock=lambda: told[0]) as memory:
        kept = memory.add("The ferry leaves at seven.", user="ada")
        before = memory.store.journal.last_seq()
        told[0] = NO_MOMENTS[named]
        verbs: tuple[Callable[[], object], ...] = (
            lambda: memory.add("It rains.", user="ada"),
            lambda: memory.add_many(["It rains.", "It snows."]),
            lambda: memory.update(kept.id, text="It leaves at eight.", user="ada"),
            lambda: memory.remember("I like tea.", user="ada"),
            lambda: memory.statements.add("user", "drink", "tea", user="ada"),
            lambda: memory.lessons.add("When a queue is slow, drain it."),
            lambda: memory.jobs.enqueue("digest", {"digester": "rules"}),
            lambda: memory.delete(kept.id, user="ada"),
            lambda: memory.forget(everything=True, user="ada"),
            lambda: memory.episode("clear it").__enter__().finish(1.0),
        )
        for verb in verbs:
            with pytest.raises(InvalidInput, match="the clock of this memory returned"):
                verb()
        assert memory.store.journal.last_seq() == before
        told[0] = NOW
        assert memory.get(kept.id, user="ada") == kept
        assert memory.store.examine().problems == ()
        memory.add("It rains.", user="ada")


def test_a_clock_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="clock must be a function"):
        Memory(tmp_path / "m", clock=datetime.now(UTC))  # type: ignore[arg-type]
    assert not (tmp_path / "m").exists()


def test_a_clock_may_tell_the_first_and_the_last_moment(tmp_path: Path) -> None:
    for name, moment in (("first", 0), ("last", LAST_MOMENT)):
        with Memory(tmp_path / name, encoder="hashing", clock=lambda told=moment: told) as memory:  # type: ignore[misc]
            memory.add("one")
            memory.add("two")
            assert memory.store.examine().problems == ()
            assert len(memory.list()) == 2


@pytest.mark.parametrize("name", ["time", "timestamp"])
@pytest.mark.parametrize(
    "said", [HUGE, -HUGE, 1e300, -1e300, math.nan, math.inf, True, "1e400", "10000-01-01T00:00Z"]
)
def test_a_message_of_no_moment_is_refused(tmp_path: Path, name: str, said: Any) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        with pytest.raises(InvalidInput, match="time"):
            memory.remember([{"role": "user", "content": "I like tea.", name: said}])
        assert memory.conversations.list() == []


@pytest.mark.parametrize("timeout_s", [HUGE, -HUGE, math.nan, math.inf, -1, True, "1", None])
def test_nobody_waits_for_no_number_of_seconds(tmp_path: Path, timeout_s: Any) -> None:
    with (
        Memory(tmp_path / "m", encoder="hashing") as memory,
        pytest.raises(InvalidInput, match="timeout_s must be a finite number, 0 or more"),
    ):
        memory.store.wait(timeout_s=timeout_s)


STEPS: dict[str, dict[str, Any]] = {
    **{
        f"a reward of {str(value)[:9]}": {"reward": value}
        for value in (HUGE, -HUGE, math.nan, math.inf, True, "1", None)
    },
    "half a surrogate pair": {"seen": "\ud800"},
    "a number as what was seen": {"seen": 5},
    "a list as an action": {"action": ["drain"]},
    "nothing as an outcome": {"outcome": None},
    "a moment as a thought": {"thought": datetime.now(UTC)},
    "a number as who": {"by": 1},
}


@pytest.mark.parametrize("named", STEPS)
def test_a_step_that_could_not_be_read_again_is_not_stored(tmp_path: Path, named: str) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        with memory.episode("clear it") as episode:
            with pytest.raises(InvalidInput):
                episode.step(
                    **{"seen": "slow", "action": "drain", "outcome": "fast", **STEPS[named]}
                )
            episode.step("slow", "drain", "fast", reward=10**30)
            episode.finish(1.0)
        (step,) = memory.episodes.steps(episode.id)
        assert (step.ordinal, step.reward) == (0, 1e30)
        assert memory.store.examine().problems == ()


SPENT: tuple[tuple[Any, ...], ...] = (
    (1, 10**30, 2), (1, -1, 2), (1, 2.5, 2), (1, math.nan, 2), (True, 1, 1), ("1", 1, 1), (1, 1, 1, math.inf),
    (1, 1, 1, -1.0), (1, 1, 1, HUGE),
)  # fmt: skip


@pytest.mark.parametrize("usage", [*(Usage(*spent) for spent in SPENT), (1, 2, 3), None])
def test_a_usage_that_could_not_be_read_again_is_not_kept(tmp_path: Path, usage: Any) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        with memory.episode("clear it") as episode:
            with pytest.raises(InvalidInput):
                episode.spend("student", usage)
            episode.spend("student", Usage(1, 20, 5))
            ended = episode.finish(1.0)
        with pytest.raises(InvalidInput):
            memory.episodes.spend(ended, "teacher", usage)
        assert ended.usage["student"].tokens == 25
        memory.store.export(tmp_path / "all.jsonl")
        assert memory.store.examine().problems == ()
    with Memory(tmp_path / "other", encoder="hashing") as other:
        assert other.store.import_(tmp_path / "all.jsonl").added


def test_no_verb_writes_a_record_that_could_not_be_read_again(tmp_path: Path) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"end": 5},
        {"judge": b"x"},
        {"is_success": math.nan},
        {"end": datetime.now(UTC)},
    )
    for n, given in enumerate(wrong):
        with Memory(tmp_path / str(n), encoder="hashing") as memory:
            episode = memory.episode("clear it")
            with pytest.raises(AgentclError):
                episode.finish(1.0, **given)
            assert episode.finish(1.0).score == 1.0
            assert memory.store.examine().problems == ()


def test_who_could_not_be_told_how_an_episode_ended_is_told_again(tmp_path: Path) -> None:
    told: list[Any] = [NOW]
    with Memory(tmp_path / "m", encoder="hashing", clock=lambda: told[0]) as memory:
        episode = memory.episode("clear it")
        told[0] = None
        with pytest.raises(InvalidInput):
            episode.finish(1.0)
        assert not episode.is_over
        told[0] = NOW
        assert episode.finish(1.0).score == 1.0
