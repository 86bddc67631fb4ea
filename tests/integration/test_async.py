"""`AsyncMemory`: nothing runs on the event loop, and a closed one says so."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from agentcl import AsyncMemory, InvalidInput, Memory
from agentcl.errors import MemoryClosed
from agentcl.retrieval.encoders import HashingEncoder, Role

VERBS: tuple[Callable[[AsyncMemory], Awaitable[object]], ...] = (
    lambda memory: memory.add("late"),
    lambda memory: memory.search("late"),
    lambda memory: memory.remember("late"),
    lambda memory: memory.context("late"),
    lambda memory: memory.profile(),
    lambda memory: memory.conversations.list(),
    lambda memory: memory.list(),
    lambda memory: memory.warm_up(),
    lambda memory: memory.lessons.list(),
    lambda memory: memory.episodes.list(),
    lambda memory: memory.store.stats(),
    lambda memory: memory.scoped(user="ada").add("late"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_a_closed_memory_says_that_it_is_closed(
    tmp_path: Path, verb: Callable[[AsyncMemory], Awaitable[object]]
) -> None:
    async def late() -> None:
        memory = AsyncMemory(tmp_path / "m", encoder="hashing")
        await memory.close()
        await memory.close()
        with pytest.raises(MemoryClosed, match="closed"):
            await verb(memory)

    asyncio.run(late())


def test_an_episode_of_a_closed_memory_says_that_it_is_closed(tmp_path: Path) -> None:
    async def late() -> None:
        memory = AsyncMemory(tmp_path / "m", encoder="hashing")
        await memory.close()
        with pytest.raises(MemoryClosed, match="closed"):
            async with memory.episode("too late"):
                pass

    asyncio.run(late())


def test_an_episode_that_is_not_begun_says_how_it_is(tmp_path: Path) -> None:
    async def early() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            episode = memory.episode("a task")
            for early in (
                lambda: episode.recall("s"),
                lambda: episode.step("s", "a", "o"),
                lambda: episode.finish(1.0),
            ):
                with pytest.raises(InvalidInput, match="async with"):
                    await early()
            with pytest.raises(InvalidInput, match="async with"):
                episode.id  # noqa: B018

    asyncio.run(early())


def test_a_memory_is_not_pickled_and_says_what_to_do(tmp_path: Path) -> None:
    memory = AsyncMemory(tmp_path / "m", encoder="hashing")
    with pytest.raises(TypeError, match="open Memory"):
        pickle.dumps(memory)
    asyncio.run(memory.close())


class Slow(HashingEncoder):
    """Encodes only when somebody else lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = threading.Event(), threading.Event()
        self.roles: list[Role] = []

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        self.asked.set()
        assert self.let.wait(60), "the event loop stood still while this encoded"
        self.roles.append(role)
        return super().encode(texts, role=role)


@pytest.mark.parametrize("verb", ["warm_up", "add"])
def test_the_event_loop_goes_on_while_the_encoder_works(tmp_path: Path, verb: str) -> None:
    encoder = Slow()

    async def run() -> None:
        async with AsyncMemory(tmp_path / "m", encoder=encoder) as memory:
            doing = memory.warm_up() if verb == "warm_up" else memory.add("a text")
            working = asyncio.ensure_future(doing)
            while not encoder.asked.is_set():
                await asyncio.sleep(0.001)
            encoder.let.set()  # only a loop that goes on comes here
            await working

    asyncio.run(run())
    assert encoder.roles


@pytest.mark.parametrize("encoder", ["hashing", "given:3"])
def test_warming_up_brings_encoder_and_indexes_up_to_date(tmp_path: Path, encoder: str) -> None:
    vector = [1.0, 0.0, 0.0] if encoder == "given:3" else None
    with Memory(tmp_path / "m", encoder=encoder) as memory:
        memory.warm_up()  # an empty one
        memory.add("a text", vector=vector)
        memory.warm_up(mode="graph")
        assert len(memory.store.stats().indexes) > 2
        assert all(index.lag == 0 for index in memory.store.stats().indexes)
        assert memory.search("text", vector=vector).hits
    with pytest.raises(MemoryClosed):
        memory.warm_up()


def test_what_was_said_is_remembered_and_shown_by_turns(tmp_path: Path) -> None:
    async def talk() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            await memory.remember(["I moved to Oslo.", "It rains."], user="ada", session="s")
            assert len(await memory.conversations.turns(user="ada", session="s")) == 2
            (hit, *_) = await memory.search("Oslo", user="ada")
            assert [turn.text for turn in await memory.conversations.around(hit, user="ada")] == [
                "I moved to Oslo.",
                "It rains.",
            ]

    asyncio.run(talk())
