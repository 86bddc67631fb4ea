"""`AsyncMemory`: the verbs and rooms of `Memory` for asyncio, run in threads of its own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self, Unpack

from agentcl.memory.aio_rooms import (
    AsyncAdapters,
    AsyncAliases,
    AsyncCompressed,
    AsyncConversations,
    AsyncEpisode,
    AsyncEpisodes,
    AsyncFacts,
    AsyncGraph,
    AsyncJobs,
    AsyncLessons,
    AsyncStatements,
    AsyncStorage,
    Awaited,
    awaitable,
)
from agentcl.memory.episodes.recording import EpisodeOptions
from agentcl.memory.memory import Memory
from agentcl.store.checks import WriteScope

_THREADS: Final = 8


class AsyncVerbs(Awaited[Memory]):
    """The verbs and rooms of a memory, awaited, wherever it is: of `AsyncMemory` and of `AsyncClient`."""

    def __init__(self, target: Memory, *, threads: int) -> None:
        super().__init__(target, ThreadPoolExecutor(threads, thread_name_prefix="agentcl"))
        self._owns = True

    def scoped(self, **scope: Unpack[WriteScope]) -> Self:
        """Return a handle that names a scope by itself; see `Memory.scoped`."""
        handle = object.__new__(type(self))
        Awaited.__init__(handle, self._target.scoped(**scope), self._threads)
        handle._owns = False
        return handle

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Async{self._target!r}"

    def __reduce__(self) -> NoReturn:
        self._target.__reduce__()

    async def close(self) -> None:
        """Wait for running verbs, then close; calling it twice is allowed."""
        from asyncio import to_thread

        if self._owns:
            await to_thread(self._threads.shutdown)
            self._target.close()

    warm_up = awaitable(Memory.warm_up)
    add = awaitable(Memory.add)
    add_many = awaitable(Memory.add_many)
    remember = awaitable(Memory.remember)
    context = awaitable(Memory.context)
    profile = awaitable(Memory.profile)
    search = awaitable(Memory.search)
    get = awaitable(Memory.get)
    list = awaitable(Memory.list)
    update = awaitable(Memory.update)
    move = awaitable(Memory.move)
    sync = awaitable(Memory.sync)
    delete = awaitable(Memory.delete)
    forget = awaitable(Memory.forget)
    history = awaitable(Memory.history)

    @cached_property
    def conversations(self) -> AsyncConversations:
        """What was said."""
        return AsyncConversations(self._target.conversations, self._threads)

    @cached_property
    def facts(self) -> AsyncFacts:
        """What passages state."""
        return AsyncFacts(self._target.facts, self._threads)

    @cached_property
    def graph(self) -> AsyncGraph:
        """The graph of what passages name and state."""
        return AsyncGraph(self._target.graph, self._threads)

    @cached_property
    def aliases(self) -> AsyncAliases:
        """Names that are one thing's."""
        return AsyncAliases(self._target.aliases, self._threads)

    @cached_property
    def episodes(self) -> AsyncEpisodes:
        """What agents went through."""
        return AsyncEpisodes(self._target.episodes, self._threads)

    @cached_property
    def lessons(self) -> AsyncLessons:
        """What was learned."""
        return AsyncLessons(self._target.lessons, self._threads)

    @cached_property
    def statements(self) -> AsyncStatements:
        """What is said to hold."""
        return AsyncStatements(self._target.statements, self._threads)

    @cached_property
    def compressed(self) -> AsyncCompressed:
        """Passages as soft tokens."""
        return AsyncCompressed(self._target.compressed, self._threads)

    @cached_property
    def adapters(self) -> AsyncAdapters:
        """What was trained on memory."""
        return AsyncAdapters(self._target.adapters, self._threads)

    @cached_property
    def store(self) -> AsyncStorage:
        """The memory as a whole."""
        return AsyncStorage(self._target.store, self._threads)

    @cached_property
    def jobs(self) -> AsyncJobs:
        """Long work."""
        return AsyncJobs(self._target.jobs, self._threads)

    def episode(self, task: str, **given: Unpack[EpisodeOptions]) -> AsyncEpisode:
        """Begin an episode, to be used in an `async with`; takes what `Memory.episode` does."""
        return self.episodes.begin(task, **given)


class AsyncMemory(AsyncVerbs):
    """A `Memory` whose verbs are awaited. Takes the same arguments, and has the same rooms.

    No verb runs on the event loop. The first one that encodes opens the encoder, in its thread; `warm_up` does
    so before somebody waits for it. Cancelling an awaited write does not undo it: it has begun in a thread and runs to its end there.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, **settings: Any) -> None:  # noqa: ANN401  # those of Memory
        super().__init__(Memory(path, **settings), threads=_THREADS)

    @property
    def path(self) -> Path:
        """The folder; of a memory in a database the one that its indexes are in, on this machine."""
        return self._target.path

    @property
    def place(self) -> Path | str:
        """Where the memory is: its folder, or the address of its database, without a password."""
        return self._target.place

    @property
    def scope(self) -> WriteScope:
        """The fields that `scoped` has bound."""
        return self._target.scope

    @property
    def memory(self) -> Memory:
        """The same memory for code that does not await."""
        return self._target
