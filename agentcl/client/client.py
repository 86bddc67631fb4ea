"""`Client`: the verbs and rooms of `Memory`, at a server.

with Client("http://127.0.0.1:8321", key="agentcl-...") as memory:
memory.add("The ferry to Tessary leaves at seven.", user="ada")
print(memory.search("when does the boat go?", user="ada").prompt(budget_tokens=200))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Final, NoReturn, Self, Unpack

from agentcl.client.asking import Remote, ask, remote
from agentcl.client.connection import Connection
from agentcl.client.episode import RemoteEpisode
from agentcl.client.exchanges import RemoteExchanges
from agentcl.memory.adapters.room import Adapters
from agentcl.memory.bound import UNBOUND
from agentcl.memory.compressed.room import Compressed
from agentcl.memory.conversations.room import Conversations
from agentcl.memory.documents.writing import Draft, Duplicates
from agentcl.memory.episodes.recording import EpisodeOptions
from agentcl.memory.episodes.room import Episodes
from agentcl.memory.episodes.search import Filter
from agentcl.memory.facts.aliases import Aliases
from agentcl.memory.facts.graph import Graph
from agentcl.memory.facts.room import Facts
from agentcl.memory.lessons.room import Lessons
from agentcl.memory.memory import Memory
from agentcl.memory.statements.room import Statements
from agentcl.memory.upkeep.jobs import Jobs
from agentcl.memory.upkeep.storage import Storage
from agentcl.store.checks import ReadScope, WriteScope, check_each
from agentcl.store.episodes import Episode
from agentcl.store.records import SCOPE_FIELDS, Document
from agentcl.wire.verbs import VERBS

_TIMEOUT_S: Final = 60.0
_TRIES: Final = 4
_BATCH: Final = 1_000_000  # characters of drafts in a request: some megabytes of JSON at the most
_list, _add_many = remote(Episodes.list), remote(Memory.add_many)


def _batches(drafts: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield drafts in parts that fit a request; a long one is a part of its own."""
    batch: list[Any] = []
    size = 0
    for draft in drafts:
        text = draft.text if isinstance(draft, Draft) else draft
        length = len(text) if isinstance(text, str) else 0
        if batch and size + length > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(draft)
        size += length
    if batch:
        yield batch


class RemoteConversations(Remote):
    """What was said, session by session, turn by turn; see `Memory.conversations`."""

    room = "conversations"
    list = remote(Conversations.list)
    get = remote(Conversations.get)
    turns = remote(Conversations.turns)
    around = remote(Conversations.around)
    correct = remote(Conversations.correct)


class RemoteStatements(Remote):
    """What is said to hold, and what held before; see `Memory.statements`."""

    room = "statements"
    list = remote(Statements.list)
    get = remote(Statements.get)
    history = remote(Statements.history)
    why = remote(Statements.why)
    search = remote(Statements.search)
    contradictions = remote(Statements.contradictions)
    proposals = remote(Statements.proposals)
    add = remote(Statements.add)
    digest = remote(Statements.digest)
    tidy = remote(Statements.tidy)
    summaries = remote(Statements.summaries)
    accept = remote(Statements.accept)
    refuse = remote(Statements.refuse)
    undo = remote(Statements.undo)
    settle = remote(Statements.settle)


class RemoteCompressed(Remote):
    """Passages as soft tokens of a base model; see `Memory.compressed`."""

    room = "compressed"
    compress = remote(Compressed.compress)
    state = remote(Compressed.state)
    list = remote(Compressed.list)
    get = remote(Compressed.get)
    explain = remote(Compressed.explain)
    ways = remote(Compressed.ways)


class RemoteAdapters(Remote):
    """What was trained on memory, and who answers; see `Memory.adapters`."""

    room = "adapters"
    list = remote(Adapters.list)
    get = remote(Adapters.get)
    why = remote(Adapters.why)
    stale = remote(Adapters.stale)
    diff = remote(Adapters.diff)
    answering = remote(Adapters.answering)
    allows = remote(Adapters.allows)
    route = remote(Adapters.route)
    rollback = remote(Adapters.rollback)
    trial = remote(Adapters.trial)
    settle = remote(Adapters.settle)
    revoke = remote(Adapters.revoke)


class RemoteFacts(Remote):
    """What passages state; see `Memory.facts`."""

    room = "facts"
    state = remote(Facts.state)
    add = remote(Facts.add)
    extract = remote(Facts.extract)


class RemoteGraph(Remote):
    """The graph of what passages name and state; see `Memory.graph`."""

    room = "graph"
    stats = remote(Graph.stats)
    near = remote(Graph.near)
    path = remote(Graph.path)
    explain = remote(Graph.explain)


class RemoteAliases(Remote):
    """Names that are one thing's; see `Memory.aliases`."""

    room = "aliases"
    add = remote(Aliases.add)
    list = remote(Aliases.list)
    names = remote(Aliases.names)
    remove = remote(Aliases.remove)


class RemoteEpisodes(Remote):
    """What agents went through; see `Memory.episodes`."""

    room = "episodes"

    def begin(self, task: str, **given: Unpack[EpisodeOptions]) -> RemoteEpisode:
        """Begin an episode, to be used in a `with`; takes what `Episodes.begin` does."""
        own = {name: value for name, value in given.items() if name not in SCOPE_FIELDS}
        scope = {name: value for name, value in given.items() if name in SCOPE_FIELDS}
        begun = ask(self, VERBS["episodes.begin"], {"task": task, **own, "scope": scope})
        return RemoteEpisode(self, begun)

    def list(
        self, *, chosen: Filter | None = None, limit: int | None = None, **scope: Unpack[ReadScope]
    ) -> Iterator[Episode]:
        """Yield episodes in the order in which they ended; see `Episodes.list`."""
        return iter(_list(self, chosen=chosen, limit=limit, **scope))

    steps = remote(Episodes.steps)
    replay = remote(Episodes.replay)
    skills = remote(Episodes.skills)
    search = remote(Episodes.search)
    score = remote(Episodes.score)


class RemoteLessons(Remote):
    """What was learned; see `Memory.lessons`."""

    room = "lessons"
    list = remote(Lessons.list)
    get = remote(Lessons.get)
    why = remote(Lessons.why)
    matching = remote(Lessons.matching)
    why_not = remote(Lessons.why_not)
    changed = remote(Lessons.changed)
    changes = remote(Lessons.changes)
    changed_by_rollback = remote(Lessons.changed_by_rollback)
    add = remote(Lessons.add)
    reflect = remote(Lessons.reflect)
    retire = remote(Lessons.retire)
    restore = remote(Lessons.restore)
    report = remote(Lessons.report)
    rollback = remote(Lessons.rollback)
    adopt = remote(Lessons.adopt)


class RemoteStore(Remote):
    """The memory as a whole; see `Memory.store`."""

    room = "store"
    stats = remote(Storage.stats)
    examine = remote(Storage.examine)
    passages = remote(Storage.passages)
    page = remote(Storage.page)
    counters = remote(Storage.counters)
    reembed = remote(Storage.reembed)
    credit = remote(Storage.credit)


class RemoteJobs(Remote):
    """Long work; see `Memory.jobs`."""

    room = "jobs"
    list = remote(Jobs.list)
    get = remote(Jobs.get)
    is_cut_off = remote(Jobs.is_cut_off)
    price = remote(Jobs.price)
    enqueue = remote(Jobs.enqueue)
    cancel = remote(Jobs.cancel)
    retry = remote(Jobs.retry)
    run = remote(Jobs.run)
    run_all = remote(Jobs.run_all)


class Client(Remote):
    """A memory that `agentcl serve` serves: the same verbs and rooms as `Memory`, the same records and errors.

    What needs a path of the server's disk, or a function of this process, is not here; functions for progress are.
    Each write has an idempotency key, so that it is done once however often it is sent. Safe for threads.

    Args:
        url: of the server, e.g. `http://127.0.0.1:8321`.
        key: that the server asks for.
        timeout_s: for how long it may say nothing.
        tries: how often a request is sent at the most, when the server does not answer or has no time.

    Raises:
        ConfigError: if the address is none.
        MissingExtra: if httpx is not installed.

    Every verb raises what the memory's own does, and beside it:

        AccessDenied: if the key is missing or unknown, or does not open that.
        ServerUnavailable: if the server does not answer, or failed.
        MemoryClosed: after `close`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = _TIMEOUT_S,
        tries: int = _TRIES,
    ) -> None:
        super().__init__(Connection(url, key=key, timeout_s=timeout_s, tries=tries), UNBOUND)
        self._owns = True

    def scoped(self, **scope: Unpack[WriteScope]) -> Client:
        """Return a handle that names a scope by itself, in every verb and room; see `Memory.scoped`."""
        handle = object.__new__(type(self))
        Remote.__init__(handle, self.connection, self.bound.narrowed(scope))
        handle._owns = False
        return handle

    def close(self) -> None:
        """Close the connection; calling it twice is allowed."""
        if self._owns:
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        bound = "".join(f", {name}={value!r}" for name, value in self.bound.fields.items())
        return f"Client({self.connection.url!r}{bound})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a client is neither copied nor pickled: make Client({self.connection.url!r}) where you need it"
        )

    def episode(self, task: str, **given: Unpack[EpisodeOptions]) -> RemoteEpisode:
        """Begin an episode, to be used in a `with`; the short way to `client.episodes.begin`."""
        return self.episodes.begin(task, **given)

    def add_many(
        self,
        drafts: Iterable[str | Draft],
        *,
        duplicates: Duplicates = "skip",
        progress: Callable[[int], None] | None = None,
        encoded: Callable[[int, int], None] | None = None,
        **scope: Unpack[WriteScope],
    ) -> Sequence[Document]:
        """Remember many texts, in requests of some megabytes; see `Memory.add_many`."""
        stored: list[Document] = []

        def told(done: int) -> None:
            if progress is not None:
                progress(before + done)

        for batch in _batches(check_each(drafts, "drafts", "texts or Drafts")):
            before = len(stored)
            stored.extend(
                _add_many(
                    self, batch, duplicates=duplicates, progress=told, encoded=encoded, **scope
                )
            )
        return stored

    search = remote(Memory.search)
    context = remote(Memory.context)
    profile = remote(Memory.profile)
    get = remote(Memory.get)
    list = remote(Memory.list)
    history = remote(Memory.history)
    warm_up = remote(Memory.warm_up)
    add = remote(Memory.add)
    remember = remote(Memory.remember)
    update = remote(Memory.update)
    move = remote(Memory.move)
    delete = remote(Memory.delete)
    forget = remote(Memory.forget)

    @cached_property
    def conversations(self) -> RemoteConversations:
        """What was said, session by session, turn by turn."""
        return RemoteConversations(self.connection, self.bound)

    @cached_property
    def statements(self) -> RemoteStatements:
        """What is said to hold, and what held before."""
        return RemoteStatements(self.connection, self.bound)

    @cached_property
    def adapters(self) -> RemoteAdapters:
        """What was trained on memory, and who answers."""
        return RemoteAdapters(self.connection, self.bound)

    @cached_property
    def compressed(self) -> RemoteCompressed:
        """Passages as soft tokens of a base model."""
        return RemoteCompressed(self.connection, self.bound)

    @cached_property
    def facts(self) -> RemoteFacts:
        """What passages state."""
        return RemoteFacts(self.connection, self.bound)

    @cached_property
    def aliases(self) -> RemoteAliases:
        """Names that are one thing's."""
        return RemoteAliases(self.connection, self.bound)

    @cached_property
    def graph(self) -> RemoteGraph:
        """The graph of what passages name and state."""
        return RemoteGraph(self.connection, self.bound)

    @cached_property
    def episodes(self) -> RemoteEpisodes:
        """What agents went through."""
        return RemoteEpisodes(self.connection, self.bound)

    @cached_property
    def lessons(self) -> RemoteLessons:
        """What was learned."""
        return RemoteLessons(self.connection, self.bound)

    @cached_property
    def store(self) -> RemoteStore:
        """The memory as a whole."""
        return RemoteStore(self.connection, self.bound)

    @cached_property
    def jobs(self) -> RemoteJobs:
        """Long work."""
        return RemoteJobs(self.connection, self.bound)

    @cached_property
    def exchanges(self) -> RemoteExchanges:
        """Exchanges with the model behind the server: what the memory did, and how they turned out."""
        return RemoteExchanges(self.connection, self.bound)
