"""Lessons as they were believed at a moment."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agentcl import InvalidInput, Lesson, Memory, NotFound
from agentcl.store import Guidance

DRAIN = Lesson("a queue is slow", "do", "drain it")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def recorded(memory: Memory) -> datetime:
    """Return when the newest record was written."""
    return max(
        one.created_at for kind in ("guidance", "decision") for one in memory.list(kind=kind)
    )


def test_a_lesson_is_listed_as_it_stood_at_a_moment(memory: Memory) -> None:
    memory.add("Something before all lessons.")
    before = memory.list()[0].created_at
    lesson = memory.lessons.add(DRAIN, application="ops")
    learned = recorded(memory)
    memory.lessons.retire(lesson.id, reason="old")
    assert memory.lessons.list(as_of=before) == []
    (then,) = memory.lessons.list(as_of=learned)
    (now,) = memory.lessons.list()
    assert (then.guidance.id, then.belief.stage, now.belief.stage) == (
        lesson.id, "candidate", "retired",
    )  # fmt: skip


def test_the_story_of_a_lesson_ends_at_the_moment_asked_for(memory: Memory) -> None:
    memory.add("Something before all lessons.")
    before = memory.list()[0].created_at
    lesson = memory.lessons.add(DRAIN, application="ops")
    learned = recorded(memory)
    memory.lessons.retire(lesson.id, reason="old")
    assert [one.reason for one in memory.lessons.why(lesson.id).rulings] == ["old"]
    then = memory.lessons.why(lesson.id, as_of=learned)
    assert then.rulings == ()
    assert then.standing.belief.stage == "candidate"
    with pytest.raises(NotFound):
        memory.lessons.why(lesson.id, as_of=before)


def test_a_lesson_that_was_deleted_since_stands_as_it_did(memory: Memory) -> None:
    lesson = memory.lessons.add(DRAIN, application="ops", user="ada")
    learned = max(one.created_at for one in memory.list(kind=Guidance.kind, user="ada"))
    memory.delete(lesson.id, user="ada")
    (now,), (then,) = (
        memory.lessons.list(user="ada"),
        memory.lessons.list(user="ada", as_of=learned),
    )
    assert (now.belief.stage, then.belief.stage) == ("retired", "candidate")
    assert memory.lessons.list(user="bob", as_of=learned) == []


def test_a_moment_needs_a_zone(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        memory.lessons.list(as_of=datetime(2026, 1, 1))  # noqa: DTZ001
