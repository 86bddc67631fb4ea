"""The rooms of `AsyncMemory`: those of `Memory`, whose verbs are awaited and run in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
)

from agentcl.errors import InvalidInput, MemoryClosed
from agentcl.memory.adapters.room import Adapters
from agentcl.memory.compressed.room import Compressed
from agentcl.memory.conversations.room import Conversations
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.recording import EpisodeOptions, EpisodeRecorder
from agentcl.memory.episodes.room import Episodes
from agentcl.memory.facts.aliases import Aliases
from agentcl.memory.facts.graph import Graph
from agentcl.memory.facts.room import Facts
from agentcl.memory.lessons.room import Lessons
from agentcl.memory.statements.room import Statements
from agentcl.memory.upkeep.jobs import Jobs
from agentcl.memory.upkeep.storage import Storage
from agentcl.store.checks import ReadScope

if TYPE_CHECKING:
    from agentcl.compression.base import Codec
    from agentcl.guidance.rules import GuidanceRules
    from agentcl.memory.adapters.routing import AdapterRoute
    from agentcl.memory.episodes.search import Filter
    from agentcl.memory.lessons.checking import ModelChecker
    from agentcl.memory.settings import Setting
    from agentcl.retrieval.graph.names import Extractor
    from agentcl.statements.reading import Digester
    from agentcl.statements.summarising import Summariser
    from agentcl.store.episodes import AdapterCoin, Episode, Step
    from agentcl.store.records import Scope
    from agentcl.store.usage import Usage

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


def verb_of(target: object, name: str) -> Callable[..., Any]:
    """Return a verb of something of a memory. Raises InvalidInput for one that a served memory has not."""
    try:
        found: Callable[..., Any] = getattr(target, name)
    except AttributeError:
        raise InvalidInput(
            f"{name} does not go over HTTP: it needs the server's disk, or a function of this process, or it waits; "
            "call it where the memory is"
        ) from None
    return found


class Awaited(Generic[R]):
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


def awaitable(
    verb: Callable[Concatenate[R, P], T],
) -> Callable[Concatenate[Awaited[R], P], Coroutine[Any, Any, T]]:
    """Return a verb as a coroutine function."""

    @wraps(verb)
    async def run(self: Awaited[R], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(partial(verb_of(self._target, verb.__name__), *args, **kwargs))

    return run


class AsyncFacts(Awaited[Facts]):
    """`Memory.facts`, awaited."""

    add = awaitable(Facts.add)
    import_ = awaitable(Facts.import_)
    extract = awaitable(Facts.extract)
    state = awaitable(Facts.state)


class AsyncGraph(Awaited[Graph]):
    """`Memory.graph`, awaited."""

    view = awaitable(Graph.view)
    stats = awaitable(Graph.stats)
    near = awaitable(Graph.near)
    path = awaitable(Graph.path)
    networkx = awaitable(Graph.networkx)
    export = awaitable(Graph.export)
    draw = awaitable(Graph.draw)
    explain = awaitable(Graph.explain)


class AsyncAliases(Awaited[Aliases]):
    """`Memory.aliases`, awaited."""

    add = awaitable(Aliases.add)
    list = awaitable(Aliases.list)
    names = awaitable(Aliases.names)
    remove = awaitable(Aliases.remove)


class AsyncConversations(Awaited[Conversations]):
    """`Memory.conversations`, awaited."""

    list = awaitable(Conversations.list)
    get = awaitable(Conversations.get)
    turns = awaitable(Conversations.turns)
    around = awaitable(Conversations.around)
    correct = awaitable(Conversations.correct)


class AsyncEpisodes(Awaited[Episodes]):
    """`Memory.episodes`, awaited."""

    score = awaitable(Episodes.score)
    spend = awaitable(Episodes.spend)
    steps = awaitable(Episodes.steps)
    replay = awaitable(Episodes.replay)
    search = awaitable(Episodes.search)
    skills = awaitable(Episodes.skills)

    def begin(self, task: str, **given: Unpack[EpisodeOptions]) -> AsyncEpisode:
        """Begin an episode, to be used in an `async with`; takes what `Episodes.begin` does."""
        return AsyncEpisode(self, partial(self._target.begin, task, **given))

    async def list(
        self, *, chosen: Filter | None = None, limit: int | None = None, **scope: Unpack[ReadScope]
    ) -> Sequence[Episode]:
        """Return episodes in the order in which they ended."""
        episodes = self._target
        return await self._run(lambda: [*episodes.list(chosen=chosen, limit=limit, **scope)])


class AsyncLessons(Awaited[Lessons]):
    """`Memory.lessons`, awaited."""

    add = awaitable(Lessons.add)
    reflect = awaitable(Lessons.reflect)
    list = awaitable(Lessons.list)
    get = awaitable(Lessons.get)
    why = awaitable(Lessons.why)
    matching = awaitable(Lessons.matching)
    report = awaitable(Lessons.report)
    why_not = awaitable(Lessons.why_not)
    changed = awaitable(Lessons.changed)
    retire = awaitable(Lessons.retire)
    restore = awaitable(Lessons.restore)
    rollback = awaitable(Lessons.rollback)
    changes = awaitable(Lessons.changes)
    changed_by_rollback = awaitable(Lessons.changed_by_rollback)
    export = awaitable(Lessons.export)
    import_ = awaitable(Lessons.import_)
    adopt = awaitable(Lessons.adopt)
    state = awaitable(Lessons.state)
    outlook = awaitable(Lessons.outlook)

    @property
    def rules(self) -> GuidanceRules:
        """The parts of the method that are on; see `Lessons.rules`."""
        return self._target.rules

    @rules.setter
    def rules(self, rules: GuidanceRules) -> None:
        self._target.rules = rules

    @property
    def checker(self) -> ModelChecker | None:
        """What asks a model about lessons that are in doubt; see `Lessons.checker`."""
        return self._target.checker

    @checker.setter
    def checker(self, checker: ModelChecker | None) -> None:
        self._target.checker = checker

    @property
    def share_from(self) -> int:
        """How many users must have shared the same before others are shown it; see `Lessons.share_from`."""
        return self._target.share_from

    @share_from.setter
    def share_from(self, users: int) -> None:
        self._target.share_from = users


class AsyncStorage(Awaited[Storage]):
    """`Memory.store`, awaited.

    Its inner parts (`journal`, `retriever`, `encoder`, `own_paths`) are not here: they block. Take them from
    `AsyncMemory.memory`, in a thread.
    """

    stats = awaitable(Storage.stats)
    examine = awaitable(Storage.examine)
    export = awaitable(Storage.export)
    import_ = awaitable(Storage.import_)
    snapshot = awaitable(Storage.snapshot)
    reembed = awaitable(Storage.reembed)
    passages = awaitable(Storage.passages)
    page = awaitable(Storage.page)
    credit = awaitable(Storage.credit)
    counters = awaitable(Storage.counters)

    async def wait(
        self, after: int = 0, *, timeout_s: float = 30.0, **scope: Unpack[ReadScope]
    ) -> int:
        """Wait until somebody writes something; see `Storage.wait`. Many may wait at once; to cancel ends the waiting."""
        from asyncio import get_running_loop

        # In a thread of its own, for verbs must not queue up behind those who wait.
        is_over, thread = (
            threading.Event(),
            ThreadPoolExecutor(1, thread_name_prefix="agentcl-wait"),
        )
        wait = partial(
            verb_of(self._target, "wait"), after, timeout_s=timeout_s, should_stop=is_over.is_set
        )
        try:
            seen: int = await get_running_loop().run_in_executor(thread, partial(wait, **scope))
            return seen
        finally:
            is_over.set()
            thread.shutdown(wait=False)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The effective settings, each with its origin."""
        return self._target.settings


class AsyncStatements(Awaited[Statements]):
    """`Memory.statements`, awaited."""

    add = awaitable(Statements.add)
    digest = awaitable(Statements.digest)
    tidy = awaitable(Statements.tidy)
    summaries = awaitable(Statements.summaries)
    list = awaitable(Statements.list)
    get = awaitable(Statements.get)
    history = awaitable(Statements.history)
    why = awaitable(Statements.why)
    search = awaitable(Statements.search)
    contradictions = awaitable(Statements.contradictions)
    proposals = awaitable(Statements.proposals)
    accept = awaitable(Statements.accept)
    refuse = awaitable(Statements.refuse)
    undo = awaitable(Statements.undo)
    settle = awaitable(Statements.settle)


class AsyncCompressed(Awaited[Compressed]):
    """`Memory.compressed`, awaited."""

    codec = awaitable(Compressed.codec)
    compress = awaitable(Compressed.compress)
    state = awaitable(Compressed.state)
    list = awaitable(Compressed.list)
    get = awaitable(Compressed.get)
    explain = awaitable(Compressed.explain)
    ways = awaitable(Compressed.ways)


class AsyncAdapters(Awaited[Adapters]):
    """`Memory.adapters`, awaited."""

    list = awaitable(Adapters.list)
    get = awaitable(Adapters.get)
    folder = awaitable(Adapters.folder)
    why = awaitable(Adapters.why)
    stale = awaitable(Adapters.stale)
    diff = awaitable(Adapters.diff)
    verify = awaitable(Adapters.verify)
    answering = awaitable(Adapters.answering)
    allows = awaitable(Adapters.allows)
    route = awaitable(Adapters.route)
    rollback = awaitable(Adapters.rollback)
    trial = awaitable(Adapters.trial)
    settle = awaitable(Adapters.settle)
    revoke = awaitable(Adapters.revoke)


class AsyncJobs(Awaited[Jobs]):
    """`Memory.jobs`, awaited."""

    list = awaitable(Jobs.list)
    get = awaitable(Jobs.get)
    price = awaitable(Jobs.price)
    enqueue = awaitable(Jobs.enqueue)
    is_cut_off = awaitable(Jobs.is_cut_off)
    cancel = awaitable(Jobs.cancel)
    retry = awaitable(Jobs.retry)
    add_extractor = awaitable(Jobs.add_extractor)
    add_digester = awaitable(Jobs.add_digester)
    add_summariser = awaitable(Jobs.add_summariser)
    add_codec = awaitable(Jobs.add_codec)
    add_kind = awaitable(Jobs.add_kind)
    run = awaitable(Jobs.run)
    run_all = awaitable(Jobs.run_all)

    @property
    def codecs(self) -> Mapping[str, Codec]:
        """The codecs that were handed over, by name."""
        return self._target.codecs

    @property
    def extractors(self) -> Mapping[str, Extractor]:
        """The extractors that were handed over, by name."""
        return self._target.extractors

    @property
    def summarisers(self) -> Mapping[str, Summariser]:
        """The summarisers that were handed over, by name."""
        return self._target.summarisers

    @property
    def digesters(self) -> Mapping[str, Digester]:
        """The digesters that were handed over, by name."""
        return self._target.digesters


class AsyncEpisode:
    """An episode whose verbs are awaited; see `EpisodeRecorder`, which `recorder` is.

    Of a served memory `recorder` is a `RemoteEpisode`, which has no `usage` before its end.
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

    @property
    def scope(self) -> Scope:
        """Whose episode it is."""
        return self.recorder.scope

    @property
    def usage(self) -> Mapping[str, Usage]:
        """What was spent so far, by role."""
        return self.recorder.usage

    async def recall(self, situation: str, **given: Any) -> EpisodeRecall:  # noqa: ANN401  # as there
        """Return the lessons for what the agent sees."""
        return await self._episodes._run(partial(self.recorder.recall, situation, **given))

    async def answering(self) -> AdapterRoute:
        """Return which adapter is to answer in this episode."""
        return await self._episodes._run(self.recorder.answering)

    async def answered_by(self, coins: Sequence[AdapterCoin]) -> None:
        """Note by which coins an adapter answered, or did not."""
        await self._episodes._run(partial(verb_of(self.recorder, "answered_by"), coins))

    async def draw_on(self, ids: Sequence[str]) -> None:
        """Note the records that hold what this episode is about: it is forgotten with them."""
        await self._episodes._run(partial(verb_of(self.recorder, "draw_on"), ids))

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
