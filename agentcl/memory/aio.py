"""`AsyncMemory`: the verbs and rooms of `Memory` for asyncio, run in threads of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial, wraps
from pathlib import Path
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    Generic,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
)

from agentcl.errors import InvalidInput, MemoryClosed
from agentcl.memory.adapters import Adapters
from agentcl.memory.compressed import Compressed
from agentcl.memory.conversations import Conversations
from agentcl.memory.episode import EpisodeOptions, EpisodeRecorder
from agentcl.memory.episode_recall import EpisodeRecall
from agentcl.memory.episodes import Episodes
from agentcl.memory.facts import Facts
from agentcl.memory.graph import Graph
from agentcl.memory.jobs import Jobs
from agentcl.memory.lessons import Lessons
from agentcl.memory.memory import Memory
from agentcl.memory.statements import Statements
from agentcl.memory.storage import Storage
from agentcl.store.checks import ReadScope, WriteScope

if TYPE_CHECKING:
    from agentcl.memory.episode_search import Filter
    from agentcl.memory.routing import AdapterRoute
    from agentcl.store.episodes import Episode, Step

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
_THREADS: Final = 8


class _Awaited(Generic[R]):
    """Something of a memory whose verbs run in threads."""

    def __init__(self, target: R, threads: ThreadPoolExecutor) -> None:
        self._target = target
        self._threads = threads

    async def _run(self, call: Callable[[], T]) -> T:
        from asyncio import get_running_loop

        try:
            running = get_running_loop().run_in_executor(self._threads, call)
        except RuntimeError as error:  # its threads are gone
            raise MemoryClosed("this memory is closed; open it again to go on") from error
        return await running

    def _verb(self, name: str) -> Callable[..., Any]:
        """Return a verb of the target. Raises InvalidInput for one that a served memory has not."""
        try:
            found: Callable[..., Any] = getattr(self._target, name)
        except AttributeError:
            raise InvalidInput(
                f"{name} does not go over HTTP: it needs the server's disk, or a function of this process; call it "
                "where the memory is"
            ) from None
        return found


def _awaitable(
    verb: Callable[Concatenate[R, P], T],
) -> Callable[Concatenate[_Awaited[R], P], Coroutine[Any, Any, T]]:
    """Return a verb as a coroutine function."""

    @wraps(verb)
    async def run(self: _Awaited[R], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(partial(self._verb(verb.__name__), *args, **kwargs))

    return run


class AsyncFacts(_Awaited[Facts]):
    """`Memory.facts`, awaited."""

    add = _awaitable(Facts.add)
    import_ = _awaitable(Facts.import_)
    extract = _awaitable(Facts.extract)
    state = _awaitable(Facts.state)


class AsyncGraph(_Awaited[Graph]):
    """`Memory.graph`, awaited."""

    view = _awaitable(Graph.view)
    stats = _awaitable(Graph.stats)
    near = _awaitable(Graph.near)
    path = _awaitable(Graph.path)
    networkx = _awaitable(Graph.networkx)
    export = _awaitable(Graph.export)
    draw = _awaitable(Graph.draw)
    explain = _awaitable(Graph.explain)


class AsyncConversations(_Awaited[Conversations]):
    """`Memory.conversations`, awaited."""

    list = _awaitable(Conversations.list)
    get = _awaitable(Conversations.get)
    turns = _awaitable(Conversations.turns)
    around = _awaitable(Conversations.around)


class AsyncEpisodes(_Awaited[Episodes]):
    """`Memory.episodes`, awaited."""

    score = _awaitable(Episodes.score)
    spend = _awaitable(Episodes.spend)
    steps = _awaitable(Episodes.steps)
    replay = _awaitable(Episodes.replay)
    search = _awaitable(Episodes.search)
    skills = _awaitable(Episodes.skills)

    def begin(self, task: str, **given: Unpack[EpisodeOptions]) -> AsyncEpisode:
        """Begin an episode, to be used in an `async with`; takes what `Episodes.begin` does."""
        return AsyncEpisode(self, partial(self._target.begin, task, **given))

    async def list(
        self, *, chosen: Filter | None = None, limit: int | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Episode]:
        """Return episodes in the order in which they ended."""
        episodes = self._target
        return await self._run(lambda: [*episodes.list(chosen=chosen, limit=limit, **scope)])


class AsyncLessons(_Awaited[Lessons]):
    """`Memory.lessons`, awaited."""

    add = _awaitable(Lessons.add)
    reflect = _awaitable(Lessons.reflect)
    list = _awaitable(Lessons.list)
    get = _awaitable(Lessons.get)
    why = _awaitable(Lessons.why)
    matching = _awaitable(Lessons.matching)
    report = _awaitable(Lessons.report)
    why_not = _awaitable(Lessons.why_not)
    changed = _awaitable(Lessons.changed)
    retire = _awaitable(Lessons.retire)
    restore = _awaitable(Lessons.restore)
    rollback = _awaitable(Lessons.rollback)
    changes = _awaitable(Lessons.changes)
    changed_by_rollback = _awaitable(Lessons.changed_by_rollback)
    export = _awaitable(Lessons.export)
    import_ = _awaitable(Lessons.import_)
    adopt = _awaitable(Lessons.adopt)
    state = _awaitable(Lessons.state)
    outlook = _awaitable(Lessons.outlook)


class AsyncStorage(_Awaited[Storage]):
    """`Memory.store`, awaited."""

    stats = _awaitable(Storage.stats)
    examine = _awaitable(Storage.examine)
    export = _awaitable(Storage.export)
    import_ = _awaitable(Storage.import_)
    snapshot = _awaitable(Storage.snapshot)
    reembed = _awaitable(Storage.reembed)
    passages = _awaitable(Storage.passages)
    page = _awaitable(Storage.page)
    credit = _awaitable(Storage.credit)
    counters = _awaitable(Storage.counters)


class AsyncStatements(_Awaited[Statements]):
    """`Memory.statements`, awaited."""

    add = _awaitable(Statements.add)
    digest = _awaitable(Statements.digest)
    tidy = _awaitable(Statements.tidy)
    summaries = _awaitable(Statements.summaries)
    list = _awaitable(Statements.list)
    get = _awaitable(Statements.get)
    history = _awaitable(Statements.history)
    why = _awaitable(Statements.why)
    search = _awaitable(Statements.search)
    contradictions = _awaitable(Statements.contradictions)
    proposals = _awaitable(Statements.proposals)
    accept = _awaitable(Statements.accept)
    refuse = _awaitable(Statements.refuse)
    undo = _awaitable(Statements.undo)
    settle = _awaitable(Statements.settle)


class AsyncCompressed(_Awaited[Compressed]):
    """`Memory.compressed`, awaited."""

    compress = _awaitable(Compressed.compress)
    state = _awaitable(Compressed.state)
    list = _awaitable(Compressed.list)
    get = _awaitable(Compressed.get)
    explain = _awaitable(Compressed.explain)
    ways = _awaitable(Compressed.ways)


class AsyncAdapters(_Awaited[Adapters]):
    """`Memory.adapters`, awaited."""

    list = _awaitable(Adapters.list)
    get = _awaitable(Adapters.get)
    folder = _awaitable(Adapters.folder)
    why = _awaitable(Adapters.why)
    stale = _awaitable(Adapters.stale)
    diff = _awaitable(Adapters.diff)
    verify = _awaitable(Adapters.verify)
    answering = _awaitable(Adapters.answering)
    allows = _awaitable(Adapters.allows)
    route = _awaitable(Adapters.route)
    rollback = _awaitable(Adapters.rollback)
    trial = _awaitable(Adapters.trial)
    settle = _awaitable(Adapters.settle)
    revoke = _awaitable(Adapters.revoke)


class AsyncJobs(_Awaited[Jobs]):
    """`Memory.jobs`, awaited."""

    list = _awaitable(Jobs.list)
    get = _awaitable(Jobs.get)
    price = _awaitable(Jobs.price)
    enqueue = _awaitable(Jobs.enqueue)
    is_cut_off = _awaitable(Jobs.is_cut_off)
    cancel = _awaitable(Jobs.cancel)
    retry = _awaitable(Jobs.retry)
    add_extractor = _awaitable(Jobs.add_extractor)
    add_digester = _awaitable(Jobs.add_digester)
    add_summariser = _awaitable(Jobs.add_summariser)
    add_codec = _awaitable(Jobs.add_codec)
    add_kind = _awaitable(Jobs.add_kind)
    run = _awaitable(Jobs.run)
    run_all = _awaitable(Jobs.run_all)


class AsyncVerbs(_Awaited[Memory]):
    """The verbs and rooms of a memory, awaited, wherever it is: of `AsyncMemory` and of `AsyncClient`."""

    def __init__(self, target: Memory, *, threads: int) -> None:
        super().__init__(target, ThreadPoolExecutor(threads, thread_name_prefix="agentcl"))
        self._owns = True

    def scoped(self, **scope: Unpack[WriteScope]) -> Self:
        """Return a handle that names a scope by itself; see `Memory.scoped`."""
        handle = object.__new__(type(self))
        _Awaited.__init__(handle, self._target.scoped(**scope), self._threads)
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

    warm_up = _awaitable(Memory.warm_up)
    add = _awaitable(Memory.add)
    add_many = _awaitable(Memory.add_many)
    remember = _awaitable(Memory.remember)
    context = _awaitable(Memory.context)
    profile = _awaitable(Memory.profile)
    search = _awaitable(Memory.search)
    get = _awaitable(Memory.get)
    list = _awaitable(Memory.list)
    update = _awaitable(Memory.update)
    move = _awaitable(Memory.move)
    sync = _awaitable(Memory.sync)
    delete = _awaitable(Memory.delete)
    forget = _awaitable(Memory.forget)
    history = _awaitable(Memory.history)

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
        """The folder."""
        return self._target.path

    @property
    def scope(self) -> WriteScope:
        """The fields that `scoped` has bound."""
        return self._target.scope

    @property
    def memory(self) -> Memory:
        """The same memory for code that does not await."""
        return self._target


class AsyncEpisode:
    """An episode whose verbs are awaited; see `EpisodeRecorder`, which `recorder` is.

    Of a served memory `recorder` is a `RemoteEpisode`.
    """

    def __init__(self, episodes: AsyncEpisodes, begin: Callable[[], EpisodeRecorder]) -> None:
        self._episodes, self._begin = episodes, begin
        self._begun: EpisodeRecorder | None = None

    @property
    def recorder(self) -> EpisodeRecorder:
        """What records it. Raises InvalidInput before it is begun."""
        if self._begun is None:
            raise InvalidInput(
                "the episode is not begun: use it in `async with memory.episode(...) as episode:`"
            )
        return self._begun

    async def __aenter__(self) -> Self:
        self._begun = await self._episodes._run(self._begin)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._episodes._run(partial(self.recorder.__exit__, kind, error, traceback))

    @property
    def id(self) -> str:
        """By which a score can be given later."""
        return self.recorder.id

    @property
    def record(self) -> Episode:
        """The episode as it was begun, or as it ended."""
        return self.recorder.record

    @property
    def is_over(self) -> bool:
        """Whether it was finished or interrupted."""
        return self.recorder.is_over

    async def recall(self, situation: str, **given: Any) -> EpisodeRecall:  # noqa: ANN401  # as there
        """Return the lessons for what the agent sees."""
        return await self._episodes._run(partial(self.recorder.recall, situation, **given))

    async def answering(self) -> AdapterRoute:
        """Return which adapter is to answer in this episode."""
        return await self._episodes._run(self.recorder.answering)

    async def step(self, seen: str, action: str, outcome: str, **given: Any) -> Step:  # noqa: ANN401
        """Record one step."""
        return await self._episodes._run(
            partial(self.recorder.step, seen, action, outcome, **given)
        )

    async def spend(self, *given: Any, **named: Any) -> None:  # noqa: ANN401  # as there
        """Add what was spent."""
        await self._episodes._run(partial(self.recorder.spend, *given, **named))

    async def interrupt(self, reason: str) -> Episode:
        """End the episode as one that was cut off."""
        return await self._episodes._run(partial(self.recorder.interrupt, reason))

    async def finish(self, score: float | None, **given: Any) -> Episode:  # noqa: ANN401  # as there
        """End the episode."""
        return await self._episodes._run(partial(self.recorder.finish, score, **given))
