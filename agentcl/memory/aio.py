"""`AsyncMemory`: the verbs of `Memory` for asyncio, run in threads of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar

from agentcl.memory.memory import Memory

if TYPE_CHECKING:
    from agentcl.memory.episode import EpisodeRecall, EpisodeRecorder
    from agentcl.store.episodes import Episode, Step

P = ParamSpec("P")
T = TypeVar("T")
_THREADS: Final = 8


def _awaitable(
    verb: Callable[Concatenate[Memory, P], T],
) -> Callable[Concatenate[AsyncMemory, P], Coroutine[Any, Any, T]]:
    """Return a verb of `Memory` as a coroutine function of `AsyncMemory`."""

    @wraps(verb)
    async def run(self: AsyncMemory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Who awaits has asyncio already; everybody else is spared its import, a third of our own.
        from asyncio import get_running_loop

        call = partial(verb, self.memory, *args, **kwargs)
        return await get_running_loop().run_in_executor(self._threads, call)

    return run


class AsyncMemory:
    """A `Memory` whose verbs are awaited. Takes the same arguments.

    Cancelling an awaited write does not undo it: it has begun in a thread and runs to its end there.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, **settings: Any) -> None:  # noqa: ANN401  # those of Memory
        from concurrent.futures import ThreadPoolExecutor

        self.memory = Memory(path, **settings)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="agentcl")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for running verbs, then close; calling it twice is allowed."""
        from asyncio import to_thread

        await to_thread(self._threads.shutdown)
        self.memory.close()

    add = _awaitable(Memory.add)
    add_many = _awaitable(Memory.add_many)
    search = _awaitable(Memory.search)
    get = _awaitable(Memory.get)
    list = _awaitable(Memory.list)
    update = _awaitable(Memory.update)
    delete = _awaitable(Memory.delete)
    forget = _awaitable(Memory.forget)
    credit = _awaitable(Memory.credit)
    history = _awaitable(Memory.history)
    passages = _awaitable(Memory.passages)
    stats = _awaitable(Memory.stats)
    export = _awaitable(Memory.export)
    import_ = _awaitable(Memory.import_)
    snapshot = _awaitable(Memory.snapshot)
    reembed = _awaitable(Memory.reembed)
    add_facts = _awaitable(Memory.add_facts)
    import_facts = _awaitable(Memory.import_facts)
    extract = _awaitable(Memory.extract)
    extraction_state = _awaitable(Memory.extraction_state)
    explain = _awaitable(Memory.explain)
    graph = _awaitable(Memory.graph)
    reflect = _awaitable(Memory.reflect)
    score_episode = _awaitable(Memory.score_episode)
    steps = _awaitable(Memory.steps)
    decide = _awaitable(Memory.decide)
    rollback = _awaitable(Memory.rollback)

    def episode(self, task: str, **given: Any) -> AsyncEpisode:  # noqa: ANN401  # those of Memory.episode
        """Begin an episode in an `async with`; takes what `Memory.episode` does."""
        return AsyncEpisode(self, partial(self.memory.episode, task, **given))

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in one of the memory's threads."""
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(self._threads, call)


class AsyncEpisode:
    """An episode whose verbs are awaited; see `EpisodeRecorder`, which `recorder` is."""

    def __init__(self, memory: AsyncMemory, begin: Callable[[], EpisodeRecorder]) -> None:
        self._memory, self._begin = memory, begin
        self.recorder: EpisodeRecorder

    async def __aenter__(self) -> Self:
        self.recorder = await self._memory.run(self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._memory.run(partial(self.recorder.__exit__, kind, error, traceback))

    async def recall(self, situation: str, **given: Any) -> EpisodeRecall:  # noqa: ANN401  # as there
        """Return the lessons for what the agent sees."""
        return await self._memory.run(partial(self.recorder.recall, situation, **given))

    async def step(self, seen: str, action: str, outcome: str, **given: Any) -> Step:  # noqa: ANN401
        """Record one step."""
        return await self._memory.run(partial(self.recorder.step, seen, action, outcome, **given))

    async def finish(self, score: float | None, **given: Any) -> Episode:  # noqa: ANN401  # as there
        """End the episode."""
        return await self._memory.run(partial(self.recorder.finish, score, **given))
