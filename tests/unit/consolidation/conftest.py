"""A memory in which some things are proved and others are not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentcl import Lesson, Memory
from agentcl.store import Statement

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=120)
DRAIN = Lesson("a queue is slow", "do", "drain it")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def _prove(memory: Memory, lesson: Lesson = DRAIN, *, times: int = 4, user: str = "") -> str:
    """Let episodes state a lesson again and again; return its id."""
    whose: Any = {"user": user} if user else {}
    for seed in range(times):
        with memory.episode(
            "clear it", application="ops", family="queue", world="north", seed=seed,
            goal=f"clear queue {seed}", **whose,
        ) as episode:  # fmt: skip
            episode.recall("the queue is slow")
            episode.step("the queue is slow", "drain it", "it is empty")
            played = episode.finish(1.0)
        (stated,) = memory.lessons.reflect([lesson], episode=played).stated
    return stated.guidance


def _hold(
    memory: Memory,
    subject: str = "Orla Venn",
    attribute: str = "office",
    value: str = "room 214",
    *,
    said_at: datetime = LONG_AGO,
    uses: int = 1,
    **scope: Any,
) -> Statement:
    """State something that held for long and was used."""
    said = memory.statements.add(subject, attribute, value, said_at=said_at, **scope)
    memory.store.credit(said.id, uses=uses, **scope)
    return said


@pytest.fixture
def prove(memory: Memory) -> Callable[..., str]:
    """A function that lets episodes state a lesson again and again, and returns its id."""
    return partial(_prove, memory)


@pytest.fixture
def hold(memory: Memory) -> Callable[..., Statement]:
    """A function that states something that held for long and was used."""
    return partial(_hold, memory)
