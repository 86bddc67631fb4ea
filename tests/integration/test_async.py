"""`AsyncMemory`: nothing runs on the event loop, and a closed one says so."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest

from agentcl import AsyncClient, AsyncMemory, InvalidInput, Memory
from agentcl.errors import MemoryClosed
from agentcl.memory import AsyncEpisode, EpisodeRecorder
from agentcl.retrieval.encoders import HashingEncoder, Role
from agentcl.store import Usage
from agentcl.wire.verbs import ROOMS

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


# What the awaited face leaves out, and docs/howto/asyncio.md says why.
NOT_AWAITED = {
    "episodes": {"each_call"},
    "store": {"encoder", "journal", "own_paths", "retriever"},
    "episode": {"take_over"},  # the proxy's own: it goes on where another prompt stopped
}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def rooms() -> dict[str, tuple[type, type]]:
    """Return what is awaited beside what is not, by room."""
    awaited = {
        name: get_type_hints(attribute.func)["return"]
        for name, attribute in inspect.getmembers_static(AsyncMemory)
        if hasattr(attribute, "attrname")
    }
    return {
        "": (Memory, AsyncMemory),
        "episode": (EpisodeRecorder, AsyncEpisode),
        **{name: (ROOMS[name], room) for name, room in awaited.items()},
    }


def test_every_room_is_awaited() -> None:
    assert rooms().keys() == {*ROOMS, "episode"}


@pytest.mark.parametrize("room", [*ROOMS, "episode"])
def test_a_room_awaited_has_what_the_room_has(room: str) -> None:
    own, awaited = rooms()[room]
    assert public(own) - public(awaited) == NOT_AWAITED.get(room, set())
    more = public(awaited) - public(own)
    assert more == {"": {"memory"}, "episode": {"record", "recorder"}}.get(room, set())
    text = (Path(__file__).parents[2] / "docs/howto/asyncio.md").read_text()
    assert all(f"`{name}`" in text for name in NOT_AWAITED.get(room, ()))


@pytest.mark.parametrize("room", [*ROOMS, "episode"])
def test_what_works_is_awaited_and_what_is_looked_at_is_not(room: str) -> None:
    own, awaited = rooms()[room]
    for name in public(own) & public(awaited):
        ours, theirs = (inspect.getattr_static(kind, name) for kind in (own, awaited))
        if name in ("scoped", "begin", "episode"):
            continue  # they return what is awaited
        assert inspect.isfunction(ours) == inspect.iscoroutinefunction(theirs), name


def test_who_waits_for_news_keeps_no_verb_from_running(tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            seen = await memory.store.wait(timeout_s=0)
            waiting = [
                asyncio.ensure_future(memory.store.wait(seen, timeout_s=600)) for _ in range(20)
            ]
            await asyncio.sleep(0)
            await memory.add("The ferry leaves.")
            assert {one > seen for one in await asyncio.gather(*waiting)} == {True}

    asyncio.run(run())


def test_waiting_for_news_ends_when_it_is_cancelled_or_the_memory_closes(tmp_path: Path) -> None:
    async def run() -> None:
        memory = AsyncMemory(tmp_path / "m", encoder="hashing")
        cancelled, closed = (
            asyncio.ensure_future(memory.store.wait(timeout_s=600)) for _ in range(2)
        )
        await asyncio.sleep(0)
        cancelled.cancel()
        await memory.close()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        with pytest.raises(MemoryClosed):
            await closed

    asyncio.run(run())
    for thread in threading.enumerate():
        if thread.name.startswith("agentcl-wait"):
            thread.join(60)
            assert not thread.is_alive()


def test_a_served_memory_says_where_it_can_be_waited_for() -> None:
    async def run() -> None:
        async with AsyncClient("http://127.0.0.1:9", tries=1) as memory:
            with pytest.raises(InvalidInput, match="does not go over HTTP"):
                await memory.store.wait()

    asyncio.run(run())


def test_an_episode_awaited_says_what_it_drew_on_and_spent(tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            (turn,) = (await memory.remember("I like tea.", user="ada")).turns
            async with memory.episode("brew it", user="ada") as episode:
                assert episode.scope.user == "ada"
                await episode.draw_on([turn.id])
                await episode.answered_by(())
                await episode.spend("student", Usage(1, 20, 5))
                assert episode.usage["student"].tokens == 25
                await episode.finish(1.0)
            await memory.forget(turn.id, user="ada")
            assert await memory.episodes.list(user="ada") == []

    asyncio.run(run())


def test_settings_of_lessons_are_set_through_the_awaited_face(tmp_path: Path) -> None:
    async def run() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            memory.lessons.share_from = 3
            assert memory.memory.lessons.share_from == 3
            with pytest.raises(InvalidInput):
                memory.lessons.share_from = 0
            assert memory.lessons.rules == memory.memory.lessons.rules
            assert memory.lessons.checker is None
            assert memory.store.settings["encoder"].value == "hashing"
            assert memory.place == memory.path
            assert dict(memory.jobs.digesters).keys() == memory.memory.jobs.digesters.keys()

    asyncio.run(run())
