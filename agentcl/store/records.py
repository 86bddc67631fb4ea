"""What is remembered: one family of immutable records with a common header.

A record is a value. Changing it means writing its next version under the same id; the journal keeps
every version. A kind adds its own fields by subclassing `Record` and registering under a name:

    @register("fact")
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fact(Record):
        subject: str = ""

The fields a subclass adds must hold JSON values, or usages; they are stored as the record's body.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, TypeVar

from agentcl.errors import InvalidInput

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class AnyScope:
    """The type of `ANY`, the value that opens one field of a scope on a read."""

    _instance: ClassVar[AnyScope | None] = None

    def __new__(cls) -> AnyScope:
        """Return the one instance, so that `is ANY` holds after copy and pickle."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = AnyScope()


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Whose memory a record is. Part of every record's key; an empty field means "shared".

    `tenant` is a wall: nothing is ever shared across tenants. Within a tenant a reader sees the
    records of its own user, agent and session, and those where such a field is empty.
    """

    tenant: str = ""
    user: str = ""
    agent: str = ""
    session: str = ""

    def __str__(self) -> str:
        named = [f"{name} {value!r}" for name, value in asdict(self).items() if value]
        return ", ".join(named) or "no user, agent or session"

    def view(self) -> ScopeView:
        """Return what a reader in this scope sees: its own records and those shared with it."""
        return ScopeView(
            frozenset({self.tenant}),
            frozenset({"", self.user}),
            frozenset({"", self.agent}),
            frozenset({"", self.session}),
        )

    def exactly(self) -> ScopeView:
        """Return a view of this scope alone, without what is shared with it."""
        return ScopeView(
            frozenset({self.tenant}),
            frozenset({self.user}),
            frozenset({self.agent}),
            frozenset({self.session}),
        )


SCOPE_FIELDS: Final = tuple(f.name for f in fields(Scope))


@dataclass(frozen=True, slots=True)
class ScopeView:
    """Which scopes a read may see: for each field the allowed values, or None for any value."""

    tenant: frozenset[str] | None
    user: frozenset[str] | None
    agent: frozenset[str] | None
    session: frozenset[str] | None

    def sees(self, scope: Scope) -> bool:
        """Return whether a record in `scope` is visible through this view."""
        return (
            (self.tenant is None or scope.tenant in self.tenant)
            and (self.user is None or scope.user in self.user)
            and (self.agent is None or scope.agent in self.agent)
            and (self.session is None or scope.session in self.session)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The header every kind shares. Times are aware UTC with microseconds."""

    kind: ClassVar[str] = ""

    id: str  # ULID; the same for all versions of a record
    version: int = 1  # 1, 2, 3 ... without gaps
    scope: Scope = Scope()
    created_at: datetime = EPOCH  # when the journal recorded this version
    valid_from: datetime | None = None  # when it began to hold in the world; None: always did
    valid_to: datetime | None = None  # when it ceased to hold (exclusive); None: still does
    sources: tuple[str, ...] = ()  # ids of the records it was derived from
    key: str | None = None  # natural key: at most one live record of a kind and scope has it
    metadata: Mapping[str, Any] = field(default_factory=dict)  # the user's own JSON

    def is_valid(self, at: datetime) -> bool:
        """Return whether it holds in the world at a moment: it began, and has not ceased."""
        has_begun = self.valid_from is None or self.valid_from <= at
        return has_begun and (self.valid_to is None or at < self.valid_to)

    def search_text(self) -> str | None:
        """Return the text by which this record is found, or None when it is not searched for."""
        return None


_HEADER: Final = frozenset(f.name for f in fields(Record))
KINDS: Final[dict[str, type[Record]]] = {}
OWN_KINDS: Final = frozenset({"compression"})  # of what lies in this folder: no export has them
R = TypeVar("R", bound=Record)


def register(kind: str) -> Callable[[type[R]], type[R]]:
    """Register a record class under its `kind`; the name that the journal stores."""

    def decorate(cls: type[R]) -> type[R]:
        if kind in KINDS and KINDS[kind].__qualname__ != cls.__qualname__:
            raise InvalidInput(f"record kind {kind!r} is taken by {KINDS[kind].__qualname__}")
        cls.kind = kind
        KINDS[kind] = cls
        return cls

    return decorate


def body(record: Record) -> dict[str, Any]:
    """Return the fields that the record's own kind adds to the header."""
    return {name: getattr(record, name) for name in own_fields(type(record))}


def own_fields(kind: type[Record]) -> tuple[str, ...]:
    """Return the names of the fields that a kind adds to the header, sorted."""
    if kind not in _OWN:
        _OWN[kind] = tuple(sorted(f.name for f in fields(kind) if f.name not in _HEADER))
    return _OWN[kind]


_OWN: Final[dict[type[Record], tuple[str, ...]]] = {}


def build(kind: str, header: Mapping[str, Any], own: Mapping[str, Any]) -> Record:
    """Rebuild a record of `kind` from its header and body.

    Raises:
        InvalidInput: if the kind is unknown or a field does not belong to it.
    """
    cls = KINDS.get(kind)
    if cls is None:
        known = ", ".join(sorted(KINDS)) or "none"
        raise InvalidInput(f"unknown record kind {kind!r}; known kinds: {known}")
    try:
        return cls(**header, **own)
    except TypeError as error:
        raise InvalidInput(f"a {kind} cannot be built from {sorted(own)}: {error}") from error


@register("document")
@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Record):
    """A source text, whole. It is found through its passages."""

    text: str
    title: str = ""
    uri: str = ""  # where it came from: a path, a URL, or empty
    media_type: str = "text/plain"


@register("passage")
@dataclass(frozen=True, slots=True, kw_only=True)
class Passage(Record):
    """A retrievable piece of a document, or of a turn of a conversation: `document.text[start:end]`.

    The passages of a document follow each other without gap or overlap, so that joined in order
    they are its text. `sources[0]` is the document's id, or the turn's.
    """

    text: str
    title: str = ""  # the document's, or who speaks, so that a passage can be read alone
    uri: str = ""  # the document's
    ordinal: int = 0  # position among the document's passages, from 0
    start: int = 0  # offsets into the document's text, in characters
    end: int = 0

    @property
    def document_id(self) -> str:
        """The id of the document, or of the turn, that this passage is a piece of."""
        return self.sources[0]

    def search_text(self) -> str:
        """Return the title and the text, as they are encoded and indexed."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def clause(subject: str, predicate: str, object_: str) -> str:
    """Return a fact as one clause."""
    return " ".join(filter(None, (subject, predicate, object_)))


@register("fact")
@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Record):
    """What one passage states: subject, predicate and object, as they are written there.

    `sources[0]` is the passage's id. The same triple stated in two passages is two records, so that
    each goes with its passage. `valid_from` and `valid_to` are the passage's.
    """

    subject: str
    predicate: str
    object: str
    extractor: str = ""  # what found it

    @property
    def passage_id(self) -> str:
        """The id of the passage that states it."""
        return self.sources[0]

    def search_text(self) -> str:
        """Return the fact as a clause, as it is encoded."""
        return clause(self.subject, self.predicate, self.object)


@register("extraction")
@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction(Record):
    """That a passage has been read for facts, by what, and how it ended.

    `sources[0]` is the passage's id, and so is `key`: a passage has one live extraction. While it has
    none, it is pending.
    """

    extractor: str
    text_hash: str  # of the passage's text; a passage with another text is pending again
    phrases: tuple[str, ...] = ()  # what the passage names, besides what its facts name
    error: str = ""  # why there is nothing, when it failed
    attempts: int = 1
    dropped: int = 0  # facts of the answer that could not be kept

    def __post_init__(self) -> None:
        """Make the phrases a tuple again after JSON."""
        object.__setattr__(self, "phrases", tuple(self.phrases))

    @property
    def passage_id(self) -> str:
        """The id of the passage that was read."""
        return self.sources[0]


@register("alias")
@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Record):
    """That two names are one thing's, as somebody said. Its key is both names in the form that all spellings share."""

    name: str
    other: str


@register("compression")
@dataclass(frozen=True, slots=True, kw_only=True)
class Compression(Record):
    """That a passage was compressed for one base model, and where its soft tokens lie.

    `sources[0]` is the passage's id; `key` is that and the base, so that several bases stand side by side. The soft
    tokens lie in a file beside the journal, and count only if they are what this record says.
    """

    codec: str  # its fingerprint
    codec_name: str
    base: str  # the fingerprint of the model that reads them
    text_hash: str  # of what was compressed; a passage with another text is pending again
    tokens: int  # of the text, as the base counts them
    slots: int = 0  # how many soft tokens there are; 0: the passage is left as text
    shard: str = ""  # the name of the file
    row: int = 0  # in the file, from 0
    digest: str = ""  # of the row's bytes
    reason: str = ""  # why it is left as text

    @property
    def passage_id(self) -> str:
        """The id of the passage that was compressed."""
        return self.sources[0]


def now_micros() -> int:
    """Return the machine's clock in microseconds since 1970."""
    return time.time_ns() // 1_000


def to_micros(moment: datetime) -> int:
    """Return an aware datetime as whole microseconds since 1970, exactly.

    Raises:
        InvalidInput: if the datetime has no time zone.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInput(
            f"{moment!r} has no time zone, so it names no moment; use e.g. "
            "datetime.now(timezone.utc) or .replace(tzinfo=timezone.utc)"
        )
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return microseconds since 1970 as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=micros)
