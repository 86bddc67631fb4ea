"""The table of verbs that go over HTTP: each once, with the right that it needs, and why others do not.

What a verb takes and returns follows from its own signature.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from agentcl.compression.base import Codec
from agentcl.memory.adapters.room import Adapters
from agentcl.memory.changing import Unchanged
from agentcl.memory.compressed.room import Compressed
from agentcl.memory.conversations.room import Conversations
from agentcl.memory.episodes.recall import EpisodeRecall
from agentcl.memory.episodes.recording import EpisodeRecorder
from agentcl.memory.episodes.room import Episodes
from agentcl.memory.facts.aliases import Aliases
from agentcl.memory.facts.graph import Graph
from agentcl.memory.facts.room import Facts
from agentcl.memory.lessons.room import Lessons
from agentcl.memory.memory import Memory
from agentcl.memory.statements.room import Statements
from agentcl.memory.upkeep.jobs import Jobs
from agentcl.memory.upkeep.storage import Storage
from agentcl.models.base import ChatModel
from agentcl.retrieval.encoders.base import Encoder
from agentcl.retrieval.graph.names import Extractor
from agentcl.retrieval.modes import SearchMode
from agentcl.retrieval.recall import Hit, Recall
from agentcl.statements.reading import Digester
from agentcl.statements.summarising import Summariser
from agentcl.store.conversations import Statement
from agentcl.store.episodes import Episode
from agentcl.store.jobs import Job
from agentcl.store.records import SCOPE_FIELDS, AnyScope, Record
from agentcl.store.vectors import SupportsList
from agentcl.wire.hints import hint_of

Right = Literal["read", "write", "learn"]
StandsFor = Literal["", "record", "job", "codec", "digester", "extractor", "summariser", "recall"]
ROOMS: Final[Mapping[str, type]] = {
    "": Memory,
    "conversations": Conversations,
    "statements": Statements,
    "facts": Facts,
    "graph": Graph,
    "aliases": Aliases,
    "episodes": Episodes,
    "lessons": Lessons,
    "compressed": Compressed,
    "adapters": Adapters,
    "store": Storage,
    "jobs": Jobs,
}
_RIGHTS: Final[Mapping[str, Mapping[Right, str]]] = {
    "": {
        "read": "search context profile get list history warm_up",
        "write": "add add_many remember update move delete forget",
    },
    "conversations": {"read": "list get turns around", "write": "correct"},
    "statements": {
        "read": "list get history why search contradictions proposals summaries",
        "write": "add digest tidy accept refuse undo settle",
    },
    "facts": {"read": "state", "write": "add extract"},
    "graph": {"read": "stats near path explain"},
    "aliases": {"read": "list names", "write": "add remove"},
    "episodes": {
        "read": "list steps replay skills search",
        "learn": "begin recall answering why_not step spend finish interrupt score",
    },
    "lessons": {
        "read": "list get why matching why_not changed changes changed_by_rollback",
        "learn": "add reflect retire restore report rollback adopt",
    },
    "compressed": {"read": "state list get explain ways", "write": "compress"},
    "adapters": {
        "read": "list get why stale diff answering allows trial",
        "learn": "route rollback revoke settle",
    },
    "store": {
        "read": "stats examine passages page counters",
        "write": "reembed",
        "learn": "credit",
    },
    "jobs": {"read": "list get is_cut_off price", "write": "enqueue cancel retry run run_all"},
}
_HANDLE: Final = "it makes a handle in this process; over HTTP each request names its scope"
_DISK: Final = "it reads or writes a path, and the server's disk is nobody else's"
_OBJECT: Final = "it takes or gives an object of this process"
LEFT_OUT: Final[Mapping[tuple[str, str], str]] = {
    ("", "scoped"): _HANDLE,
    ("", "close"): _HANDLE,
    ("", "episode"): "the short way to episodes.begin",
    ("", "sync"): _DISK,
    ("compressed", "codec"): _OBJECT,
    ("adapters", "folder"): _DISK,
    ("adapters", "verify"): _DISK,
    ("facts", "import_"): _DISK,
    ("graph", "view"): _OBJECT,
    ("graph", "networkx"): _OBJECT,
    ("graph", "export"): _DISK,
    ("graph", "draw"): _DISK,
    ("episodes", "each_call"): _OBJECT,
    ("lessons", "state"): _OBJECT,
    ("lessons", "outlook"): _OBJECT,
    ("lessons", "export"): _DISK,
    ("lessons", "import_"): _DISK,
    ("store", "wait"): "it waits, and a server has a thread for each of few requests at once",
    ("store", "export"): _DISK,
    ("store", "import_"): _DISK,
    ("store", "snapshot"): _DISK,
    ("jobs", "add_extractor"): _OBJECT,
    ("jobs", "add_codec"): _OBJECT,
    ("jobs", "add_digester"): _OBJECT,
    ("jobs", "add_summariser"): _OBJECT,
    ("jobs", "add_kind"): _OBJECT,
}
# Verbs of an episode under way; each takes its `id` beside what it takes itself.
UNDER_WAY: Final[Mapping[str, Callable[..., Any]]] = {
    "recall": EpisodeRecorder.recall,
    "answering": EpisodeRecorder.answering,
    "why_not": EpisodeRecall.why_not,
    "step": EpisodeRecorder.step,
    "spend": EpisodeRecorder.spend,
    "finish": EpisodeRecorder.finish,
    "interrupt": EpisodeRecorder.interrupt,
}
# Arguments that stay where they are: functions, and where work is done, which is the server's to choose. Progress comes as
# events instead.
UNSENT: Final = (
    "progress", "encoded", "should_stop", "count_tokens", "recognise", "limits", "on",
)  # fmt: skip
_DROPPED: Final[tuple[Any, ...]] = (
    SupportsList,
    Unchanged,
    Encoder,
    SearchMode,
    Hit,
    Statement,
    ChatModel,
    Codec,
)
_NAMED: Final[Mapping[Any, StandsFor]] = {
    Codec: "codec",
    Digester: "digester",
    Extractor: "extractor",
    Summariser: "summariser",
}  # of which a name is sent


@dataclass(frozen=True, slots=True)
class Reference:
    """A record by its id, as it is or as it was at a version."""

    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """An episode that was begun."""

    id: str  # by which the next steps name it
    episode: Episode


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a verb.

    Attributes:
        name: of the argument.
        hint: the type of what is sent.
        stands_for: what the verb itself takes, where a name or an id of it is sent, or where it must be looked through.
        is_needed: whether it has no default.
        default: what it is if it is not sent.
        is_each: whether the verb takes its values one by one, `*ids`.
        about: what it is, from the verb's docstring.
    """

    name: str
    hint: Any
    stands_for: StandsFor
    is_needed: bool
    default: Any
    is_each: bool
    about: str


@dataclass(frozen=True)
class Verb:
    """A verb that goes over HTTP.

    Attributes:
        room: where it stands; empty for the memory itself.
        name: of the verb.
        right: that it needs.
        call: the function.
        is_under_way: whether it is of an episode under way, and takes its id.
    """

    room: str
    name: str
    right: Right
    call: Callable[..., Any]
    is_under_way: bool = False

    @property
    def path(self) -> str:
        """Its address."""
        return "/".join(filter(None, ("/v1/memory", self.room, self.name)))

    @property
    def key(self) -> str:
        """Its name among all verbs."""
        return f"{self.room}.{self.name}".lstrip(".")

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it takes beside a scope."""
        about = dict(_arguments(inspect.getdoc(self.call) or ""))
        given = [*inspect.signature(self.call).parameters.values()][1:]
        found = [
            _parameter(self.call, one, about.get(one.name, ""))
            for one in given
            if one.kind is not one.VAR_KEYWORD and one.name not in UNSENT
        ]
        if self.is_under_way:
            said = "of the episode, as `begin` returned it"
            found.insert(0, Parameter("id", str, "", True, None, False, said))
        return tuple(found)

    @cached_property
    def scope(self) -> Any:  # noqa: ANN401  # a type
        """The type of each field of its scope; None if it takes none."""
        hint = str(self.call.__annotations__.get("scope", ""))
        return str | AnyScope if "ReadScope" in hint else str if "WriteScope" in hint else None

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        """What may be sent, by name."""
        own = {one.name: one.hint for one in self.parameters}
        return {**dict.fromkeys(SCOPE_FIELDS, self.scope or str), **own}

    @cached_property
    def binds(self) -> tuple[str, ...]:
        """Fields of a scope that may be sent although the verb takes none: they bind the handle that it works on."""
        own = {one.name for one in self.parameters}
        return () if self.scope else tuple(name for name in SCOPE_FIELDS if name not in own)

    @cached_property
    def callbacks(self) -> frozenset[str]:
        """Functions that it takes, and that are not sent."""
        return frozenset(inspect.signature(self.call).parameters) & {*UNSENT}

    @cached_property
    def answer(self) -> Any:  # noqa: ANN401  # a type
        """The type of what it returns."""
        if (self.room, self.name) == ("episodes", "begin"):
            return Begun
        return hint_of(self.call, "return")

    @property
    def about(self) -> str:
        """What it does, in the words of its docstring, without what it takes."""
        return re.split(r"\n\n(?:Args|Raises|Returns):", inspect.getdoc(self.call) or "")[0]


def _parameter(verb: Callable[..., Any], one: inspect.Parameter, about: str) -> Parameter:
    own = hint_of(verb, one.name)
    is_each = one.kind is one.VAR_POSITIONAL
    hint = _sent(list[own] if is_each else own)  # type: ignore[valid-type]  # a type at run time
    default = one.default
    is_needed = default is one.empty and not is_each
    if is_each or default is one.empty or isinstance(default, Unchanged):
        default = None
    return Parameter(one.name, hint, _stands_for(own), is_needed, default, is_each, about)


def _stands_for(own: Any) -> StandsFor:  # noqa: ANN401  # a type
    """Return what of a type stays at the server."""
    for one in get_args(own) or (own,):
        if one in _NAMED:
            return _NAMED[one]
        if one is Job:
            return "job"
        if one is Recall:
            return "recall"
        if isinstance(one, type) and issubclass(one, Record) and one is not Statement:
            return "record"
    return ""


def _sent(hint: Any) -> Any:  # noqa: ANN401  # a type
    """Return what is sent for an argument of a type: names and ids for what stays at the server."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return reduce(or_, dict.fromkeys(_sent(one) for one in inner if one not in _DROPPED))
    if origin is not None and origin is not Literal:
        return origin[tuple(one if one is Ellipsis else _sent(one) for one in inner)]
    if hint in _NAMED or hint is Job:
        return str
    if isinstance(hint, type) and issubclass(hint, Record):
        return str | Reference
    return hint


def _arguments(doc: str) -> Iterator[tuple[str, str]]:
    """Yield what a docstring says of each argument."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", doc, re.MULTILINE)
    for name, said in re.findall(
        r"^    (\w+): ((?:.*\n?(?:     .*\n?)*))", section[1] if section else "", re.MULTILINE
    ):
        yield name, " ".join(said.split())


def _all() -> Iterator[Verb]:
    for room, rights in _RIGHTS.items():
        for right, names in rights.items():
            for name in names.split():
                is_under_way = room == "episodes" and name in UNDER_WAY
                call = UNDER_WAY[name] if is_under_way else getattr(ROOMS[room], name)
                yield Verb(room, name, right, call, is_under_way)


VERBS: Final[Mapping[str, Verb]] = {verb.key: verb for verb in _all()}
