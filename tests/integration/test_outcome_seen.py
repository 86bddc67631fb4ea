"""What a step brought is looked at by itself, too: a long situation hides what is new in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.memory.lessons.matching import Matches

STUCK = "When a queue is stuck behind one job, drain it."
FIRST = "Ines: the queue Tavon is red on the board.\nPavel: looking. The trainee starts on Monday."
FOUND = "That shows the cause: Tavon waits for a single job."
QUIET = "Nothing out of the ordinary in there."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.lessons.add(STUCK)
        yield memory


@pytest.fixture
def asked(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that lessons are matched with; the lesson speaks of the finding, where that stands alone."""
    texts: list[str] = []
    (lesson,) = memory.lessons.list()

    def match(state: Any, text: str, *args: Any, **kwargs: Any) -> Matches:
        texts.append(text)
        return Matches({lesson.guidance.id: 0.6} if text == FOUND else {})

    monkeypatch.setattr(memory._beliefs.matcher, "match", match)
    return texts


def shown(memory: Memory, *recalls: tuple[str, str]) -> list[tuple[str, ...]]:
    """Return what is told at each step of an episode whose coins show everything: (outcome before, situation)."""
    for seed in range(50):
        episode = memory.episode("t", seed=seed)
        found = []
        for outcome, situation in recalls:
            if outcome:
                episode.step("seen", "look", outcome)
            recalled = episode.recall(situation)
            found.append(recalled.lessons)
            if recalled.withheld:
                break
        episode.interrupt("only tried")
        if len(found) == len(recalls) and not recalled.withheld:
            return found
    raise AssertionError("no such seed")


def test_a_lesson_on_what_was_just_found_is_told_and_stays_while_that_is_seen(
    memory: Memory, asked: list[str]
) -> None:
    found = shown(
        memory,
        ("", FIRST),
        (FOUND, f"{FIRST}\n{FOUND}"),
        (QUIET, f"{FIRST}\n{FOUND}\n{QUIET}"),
        (QUIET, f"{FIRST}\n{QUIET}\n{QUIET}"),
    )
    assert found == [(), (STUCK,), (STUCK,), ()]


def test_each_outcome_is_looked_at_once(memory: Memory, asked: list[str]) -> None:
    shown(memory, ("", FIRST), (QUIET, f"{FIRST}\n{QUIET}"), (QUIET, f"{FIRST}\n{QUIET}\n{QUIET}"))
    assert asked == [FIRST, f"{FIRST}\n{QUIET}", QUIET, f"{FIRST}\n{QUIET}\n{QUIET}"]


def test_an_outcome_that_is_not_in_the_situation_is_not_looked_at(
    memory: Memory, asked: list[str]
) -> None:
    assert shown(memory, ("", FIRST), (FOUND, FIRST), ("", FIRST)) == [(), (), ()]
    assert FOUND not in asked
