"""A small life for tests of guidance: tasks of two kinds, and one action that clears each."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.lessons import Lesson
from agentcl.store.episodes import Episode

START = 1_800_000_000_000_000  # microseconds; each look at the clock is a second later
CURES = {"queue": "drain it", "cache": "flush it"}
Live = Callable[..., Episode]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    ticks = count(START, 1_000_000)
    with Memory(tmp_path / "memory", encoder="hashing", clock=lambda: next(ticks)) as memory:
        yield memory


@pytest.fixture
def live(memory: Memory) -> Live:
    """A function that lives through one episode, and lets it teach lessons."""
    seeds = count()

    def one(
        thing: str = "queue",
        action: str = "drain it",
        *,
        lessons: tuple[Lesson, ...] = (),
        score: float | None = None,
        world: str = "north",
        **scope: str,
    ) -> Episode:
        seen = f"The {thing} is slow."
        with memory.episode(
            f"clear the {thing}", application="desk", family=thing, world=world, seed=next(seeds),
            first=seen, **scope,  # type: ignore[arg-type]  # names of a scope
        ) as episode:  # fmt: skip
            episode.recall(seen)
            cleared = action == CURES[thing]
            episode.step(seen, action, "it is cleared" if cleared else "nothing changes")
            played = episode.finish(float(cleared) if score is None else score)
        if lessons:
            memory.lessons.reflect(lessons, episode=played, author="teacher")
        return played

    return one


@pytest.fixture
def drain() -> Lesson:
    return Lesson("a queue is slow", "do", "drain it")
