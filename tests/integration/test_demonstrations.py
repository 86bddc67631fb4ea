"""Past stretches in a prompt: what is found, what is never shown, and what is kept of the coin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.errors import InvalidInput
from agentcl.lessons import Lesson, Stretch
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.store.episodes import Episode

PLACE: dict[str, Any] = {"application": "desk", "family": "pumps", "world": "north"}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing", durability="normal") as memory:
        yield memory


def play(memory: Memory, seen: str, action: str, score: float | None, **given: Any) -> Episode:
    with memory.episode("mend it", first=seen, **{**PLACE, **given}) as episode:
        episode.step(seen, action, "it hums" if score else "nothing changes", reward=score or 0)
        return episode.finish(score)


def begin(memory: Memory, **given: Any) -> EpisodeRecorder:
    return memory.episode("mend it", **{"is_frozen": True, **PLACE, **given})


def recall(
    memory: Memory, seen: str = "The pump Orvo leaks.", n: int = 2, **given: Any
) -> EpisodeRecall:
    return begin(memory, first=seen, **given).recall(seen, demonstrations=n)


def actions(found: tuple[Stretch, ...]) -> list[tuple[str, bool]]:
    return [(one.steps[-1][0], one.is_success) for one in found]


def test_a_good_and_a_failed_try_in_such_a_situation_are_told_with_what_came_of_them(
    memory: Memory,
) -> None:
    play(memory, "The pump Tavon leaks.", "kick Tavon", 0.0)
    play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    play(memory, "The lamp Asta is dim.", "polish Asta", 1.0)
    found = recall(memory)
    assert actions(found.demonstrations) == [("seal Bela", True), ("kick Tavon", False)]
    assert found.prompt().splitlines() == [
        "Earlier attempt that succeeded: mend it",
        "Seen then: The pump Bela leaks.",
        "1. seal Bela: it hums.",
        "Earlier attempt that failed: mend it",
        "Seen then: The pump Tavon leaks.",
        "1. kick Tavon: nothing changes.",
    ]


def test_none_are_searched_for_unless_they_are_asked_for(memory: Memory) -> None:
    play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    assert recall(memory, n=0).prompt() == ""
    assert not (Path(memory.path) / "indexes" / "episodes").exists()


def test_of_equals_the_newest_is_shown_so_that_each_try_sees_the_last(memory: Memory) -> None:
    for n in range(5):
        play(memory, "The pump Bela leaks.", f"seal Bela {n} times", 1.0)
        assert actions(recall(memory, n=1).demonstrations) == [(f"seal Bela {n} times", True)]


def test_a_situation_in_the_middle_of_an_episode_is_found_too(memory: Memory) -> None:
    with memory.episode("mend it", first="All is dark.", **PLACE) as episode:
        episode.step("All is dark.", "wait", "The pump Bela leaks.")
        episode.step("The pump Bela leaks.", "seal Bela", "it hums", reward=1.0)
        episode.finish(1.0)
    (found,) = recall(memory).demonstrations
    assert found.seen == "All is dark."
    assert [action for action, _ in found.steps] == ["wait", "seal Bela"]


def test_the_situation_of_a_stretch_is_what_was_seen_before_what_was_done_in_vain(
    memory: Memory,
) -> None:
    leaks = "The pump Bela leaks."
    with memory.episode("mend it", first="All is dark.", **PLACE) as episode:
        episode.step("All is dark.", "call Ada", leaks)
        episode.step(leaks, "open it", "it is open")
        episode.step("it is open", "close it", leaks)
        episode.step(leaks, "kick Bela", "nothing changes")
        episode.step("nothing changes", "hit Bela", "it gets worse")
        episode.step("it gets worse", "seal Bela", "it hums", reward=1.0)
        episode.finish(1.0)
    with memory.episode("mend it", first=leaks, **PLACE) as episode:
        episode.step(leaks, "kick Bela", "nothing changes")
        episode.step("nothing changes", "weld Bela", "it hums", reward=1.0)
        episode.finish(1.0)
    later, first = recall(memory).demonstrations
    assert (later.seen, later.steps) == (leaks, (("weld Bela", "it hums"),))
    assert first.seen == "All is dark.\nThe pump Bela leaks."
    assert [action for action, _ in first.steps] == ["open it", "close it", "seal Bela"]


def test_a_situation_that_says_nothing_is_like_no_other(memory: Memory) -> None:
    with memory.episode("polish the lamp", first="The lamp is dim.", **PLACE) as episode:
        episode.step("The lamp is dim.", "wipe it", "nothing changes")
        episode.step("nothing changes", "polish it", "done", reward=0.5)
        episode.step("done", "turn it on", "it shines", reward=1.0)
        episode.finish(1.0)
    found = begin(memory, first="The pump Orvo leaks.").recall(
        "The pump Orvo leaks.\nnothing changes\ndone", demonstrations=2
    )
    assert found.demonstrations == ()


def test_what_is_of_another_place_or_kind_or_nobody_judged_is_not_shown(memory: Memory) -> None:
    for given in ({"application": "x"}, {"family": "x"}, {"world": "x"}, {"user": "ada"}):
        play(memory, "The pump Bela leaks.", "seal Bela", 1.0, **given)
    play(memory, "The pump Bela leaks.", "seal Bela", None)
    broken = begin(memory, is_frozen=False)
    broken.step("The pump Bela leaks.", "seal Bela", "it hums")
    broken.interrupt("the power is out")
    assert recall(memory).demonstrations == ()
    assert len(recall(memory, user="ada").demonstrations) == 1


def test_what_was_rolled_back_deleted_or_forgotten_is_not_shown(memory: Memory) -> None:
    first = play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    second = play(memory, "The pump Bela leaks.", "weld Bela", 1.0)
    assert len(recall(memory).demonstrations) == 2
    memory.delete(first.id)
    assert actions(recall(memory).demonstrations) == [("weld Bela", True)]
    memory.lessons.rollback(since=second.created_at, reason="wrong scores")
    assert recall(memory).demonstrations == ()
    third = play(memory, "The pump Bela leaks.", "glue Bela", 1.0)
    assert actions(recall(memory).demonstrations) == [("glue Bela", True)]
    memory.forget(third.id)
    assert recall(memory).demonstrations == ()


def test_what_came_from_a_memory_that_is_not_ones_own_is_not_shown(
    memory: Memory, tmp_path: Path
) -> None:
    play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    memory.store.export(tmp_path / "all.jsonl")
    for trusted in (False, True):
        with Memory(tmp_path / f"other{trusted}", encoder="hashing") as other:
            other.store.import_(tmp_path / "all.jsonl", trusted=trusted)
            assert len(recall(other).demonstrations) == trusted


def test_lessons_and_demonstrations_share_a_budget_that_is_never_exceeded(memory: Memory) -> None:
    for n in range(4):
        played = play(memory, f"The pump Bela{n} leaks.", f"seal Bela{n} " + "well " * 20, 1.0)
        lesson = [Lesson("a pump leaks", "do", "seal it")]
        memory.lessons.reflect(lesson, episode=played, author="teacher")
    for budget in range(0, 200, 10):
        episode = begin(
            memory, first="The pump Orvo leaks.", budget_tokens=budget, count_tokens=len
        )
        for seen in ("The pump Orvo leaks.", "The pump Orvo leaks and hums."):
            found = episode.recall(seen, demonstrations=3)
            lines = [*found.lessons, *("\n".join(one.lines()) for one in found.demonstrations)]
            assert sum(map(len, lines)) <= budget


def test_shown_ones_stay_in_front_of_those_of_a_later_situation(memory: Memory) -> None:
    play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    play(memory, "A valve is shut.", "turn it", 1.0)
    episode = begin(memory, first="The pump Orvo leaks.")
    first = episode.recall("The pump Orvo leaks.", demonstrations=1).demonstrations
    later = episode.recall("A valve is shut.", demonstrations=1).demonstrations
    assert actions(first) == [("seal Bela", True)]
    assert actions(later) == [("seal Bela", True), ("turn it", True)]
    assert episode.recall("A valve is shut.").demonstrations == ()  # not asked for


def test_the_coin_is_kept_with_what_it_showed_or_withheld(memory: Memory, tmp_path: Path) -> None:
    past = play(memory, "The pump Bela leaks.", "seal Bela", 1.0)
    kept = []
    for seed in range(25):
        with begin(memory, is_frozen=False, seed=seed, first="x") as episode:
            found = episode.recall("The pump Orvo leaks.", demonstrations=1)
            episode.finish(None)
        held = memory.get(episode.id)
        assert isinstance(held, Episode)
        (coin,) = held.demonstrations
        assert (coin.ended, coin.episodes) == ("success", (past.id,))
        assert coin.is_shown == bool(found.demonstrations) != bool(found.withheld_demonstrations)
        assert 0 < coin.probability < 1
        kept.append(coin)
    assert {one.is_shown for one in kept} == {True, False}
    memory.store.export(tmp_path / "all.jsonl")
    with Memory(tmp_path / "again", encoder="hashing") as again:
        again.store.import_(tmp_path / "all.jsonl", trusted=True)
        coins = [coin for one in again.episodes.list() for coin in one.demonstrations]
        assert coins == kept


def test_they_are_shown_only_where_they_help(memory: Memory) -> None:
    """Whoever is misled by them in one kind of task and helped in another is shown them there alone."""
    for n in range(120):
        family = ("pumps", "lamps")[n % 2]
        seen = f"The {family} are blocked."
        with memory.episode("mend it", seed=n, **{**PLACE, "family": family}) as episode:
            is_shown = bool(episode.recall(seen, demonstrations=1).demonstrations)
            is_good = is_shown == (family == "pumps")
            episode.step(seen, "do it", "it hums" if is_good else "nothing changes")
            episode.finish(float(is_good))
    shown = {
        family: len(recall(memory, f"The {family} are blocked.", 1, family=family).demonstrations)
        for family in ("pumps", "lamps")
    }
    assert shown["pumps"] > 0 == shown["lamps"]


@pytest.mark.parametrize("number", [-1, 1.5, "2", True])
def test_a_number_that_is_none_is_refused(memory: Memory, number: Any) -> None:
    with pytest.raises(InvalidInput, match="demonstrations"):
        begin(memory).recall("x", demonstrations=number)
