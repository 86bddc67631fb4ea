"""One row of the journal, and the small values that are read from it."""

from __future__ import annotations

import hashlib
import json
import json.encoder
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from types import NoneType
from typing import Any, Final, Literal, NamedTuple

from agentcl.errors import InvalidInput, StoreCorrupt
from agentcl.store.checks import canonical_json
from agentcl.store.fields import misfit
from agentcl.store.records import KINDS, Record, Scope, build, from_micros, own_fields, to_micros
from agentcl.text.visible import shown

logger = logging.getLogger(__name__)
_JSON: Final = json.JSONDecoder()
_quoted: Final[Callable[[str], str]] = json.encoder.encode_basestring
Op = Literal["put", "delete", "erase"]
FIRST_MOMENT: Final = to_micros(datetime.min.replace(tzinfo=UTC))  # that a datetime can be
LAST_MOMENT: Final = to_micros(datetime.max.replace(tzinfo=UTC))
MOST_DIMENSIONS: Final = 65_536
_MOST_VERSIONS: Final = 1 << 31  # of a record; more could not be counted on
_ADDRESS: Final = re.compile(r"(?s)\A(openai:[^#]+?)@[A-Za-z][A-Za-z0-9+.-]*://[^#]*")
_DERIVED: Final = frozenset({"passage", "fact", "extraction", "compression", "step", "turn"})
_REMEDY: Final = "Run `agentcl doctor`; restore it from a snapshot or an export"


class Row(NamedTuple):
    """One row of the journal as the store keeps it; times in microseconds since 1970."""

    seq: int
    id: str
    version: int
    op: Op
    kind: str
    tenant: str | None  # the scope's four fields are None on an 'erase'
    user: str | None
    agent: str | None
    session: str | None
    created_at: int
    valid_from: int | None
    valid_to: int | None
    key: str | None
    sources: str
    body: str
    metadata: str
    content_hash: bytes | None
    checksum: bytes

    @property
    def scope(self) -> Scope:
        """The scope that the row belongs to."""
        return _scope(self.tenant or "", self.user or "", self.agent or "", self.session or "")

    def digest(self) -> bytes:
        """Return the checksum that this row should carry."""
        return checksum(self[1:13], self.sources, self.body, self.metadata, self.content_hash)

    @property
    def has_times(self) -> bool:
        """Whether its times are moments."""
        bounds = (one for one in (self.valid_from, self.valid_to) if one is not None)
        return all(map(is_moment, (self.created_at, *bounds)))

    @property
    def is_sound(self) -> bool:
        """Whether it is what was written: columns that hold what they should, and a checksum that fits."""
        is_typed = tuple(map(type, self)) in _TYPES and 1 <= self.version <= _MOST_VERSIONS
        return is_typed and self.has_times and self.digest() == self.checksum

    def check(self) -> None:
        """Raise StoreCorrupt if it is not what was written."""
        if not self.is_sound:
            raise StoreCorrupt(
                f"record {self.id} version {self.version} does not match its checksum, or a column of it holds "
                f"what none can: its bytes were changed on disk. {_REMEDY}"
            )

    def parts(self) -> tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]:
        """Return the sources, the metadata, and the fields that the record's own kind adds.

        Raises:
            StoreCorrupt: if the row is not what was written, or nothing that agentcl would write.
        """
        self.check()
        try:
            whole = f"[{self.sources},{self.metadata},{self.body}]"
            (sources, metadata, own), _ = _JSON.raw_decode(whole)
            wrong = self._misfit(sources, metadata, own)
        except (ValueError, RecursionError) as error:
            wrong = f"its JSON cannot be read: {error}"
        if wrong:
            raise StoreCorrupt(self.unreadable(wrong))
        return tuple(sources), metadata, own

    def unreadable(self, wrong: str) -> str:
        """Return in words that agentcl wrote no such row."""
        return f"record {self.id} version {self.version} is none that agentcl wrote: {wrong}. {_REMEDY}"

    def _misfit(self, sources: object, metadata: object, own: object) -> str:
        """Return what no row can hold that agentcl wrote; empty if there is nothing."""
        if self.kind not in KINDS:
            return f"unknown record kind {self.kind!r}; known kinds: {', '.join(sorted(KINDS))}"
        if not (isinstance(sources, list) and all(type(one) is str for one in sources)):
            return "its sources are no list of ids"
        if self.kind in _DERIVED and len(sources) != 1:
            return f"a {self.kind} has one source"
        if not isinstance(metadata, dict) or not isinstance(own, dict):
            return "its metadata and its body are no objects"
        return misfit(self.kind, own)

    def record(self) -> Record:
        """Return the record that this row holds.

        Raises:
            StoreCorrupt: if the row is not what was written.
        """
        sources, metadata, own = self.parts()
        header = {
            "id": self.id,
            "version": self.version,
            "scope": self.scope,
            "created_at": from_micros(self.created_at),
            "valid_from": None if self.valid_from is None else from_micros(self.valid_from),
            "valid_to": None if self.valid_to is None else from_micros(self.valid_to),
            "sources": sources,
            "key": self.key,
            "metadata": metadata,
        }
        return build(self.kind, header, own)


def _types() -> Iterator[tuple[type, ...]]:
    """Yield the types that the columns of a row may have; SQLite keeps any value in any column."""
    optional: tuple[tuple[type, type], ...] = (
        (str, NoneType), (int, NoneType), (int, NoneType), (str, NoneType), (bytes, NoneType),
    )  # fmt: skip
    for owner, since, until, key, hash in product(*optional):
        head = (int, str, int, str, str, owner, owner, owner, owner, int)
        yield (*head, since, until, key, str, str, str, hash, bytes)


_TYPES: Final = frozenset(_types())


def checked_clock(clock: Callable[[], int]) -> Callable[[], int]:
    """Return a clock that tells only moments that records can bear: from 1970, where ids begin, to the year 9999.

    Raises:
        InvalidInput: if it cannot be called; and whenever it tells anything else.
    """
    if not callable(clock):
        raise InvalidInput(
            f"clock must be a function that returns microseconds since 1970, not {shown(clock)}"
        )

    def moment() -> int:
        told: object = clock()
        if type(told) is int and 0 <= told <= LAST_MOMENT:
            return told
        advice = "; of an aware datetime it is int(moment.timestamp() * 1_000_000)"
        raise InvalidInput(
            f"the clock of this memory returned {shown(told)}; it must return whole microseconds since 1970, as an int from "
            f"0 to {LAST_MOMENT}, where the year 9999 ends{advice if isinstance(told, datetime) else ''}"
        )

    return moment


def is_moment(value: object) -> bool:
    """Return whether microseconds since 1970 are a time that a datetime can be."""
    return type(value) is int and FIRST_MOMENT <= value <= LAST_MOMENT


def readable(rows: Iterable[Row]) -> Iterator[Record]:
    """Yield the records of rows, but for the damaged ones: these `agentcl doctor` names."""
    for row in rows:
        try:
            record = row.record()
        except StoreCorrupt as error:
            logger.warning("left out: %s", error)
        else:
            yield record


def superseded_by(row: Row) -> str | None:
    """Return the id of the record that took a record's place when memories were merged.

    Empty when nothing took its place but what it was part of gave way; None for any other row.
    """
    if row.op != "delete" or row.metadata == "{}":
        return None
    try:
        held = json.loads(row.metadata)
    except (ValueError, RecursionError):  # damaged
        return None
    return (
        str(held["superseded_by"]) if isinstance(held, dict) and "superseded_by" in held else None
    )


@dataclass(frozen=True, slots=True)
class Version:
    """One step in a record's history."""

    id: str
    version: int
    op: Op
    at: datetime  # when it was recorded
    record: Record | None  # what it was from then on; None after a deletion or erasure


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """The space that a memory's vectors live in: a model, what stands before texts, and a dimension.

    Where the model is served is no part of it, and is dropped from a name that says so.
    """

    name: str
    dim: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _ADDRESS.sub(r"\1", self.name))

    def __str__(self) -> str:
        return f"{self.name} ({self.dim} dimensions)"

    @classmethod
    def from_json(cls, held: object) -> EncoderSpec:
        """Return the encoder that a folder or an export names. Raises ValueError if it names none."""
        match held:
            case {"name": str(name), "dim": int(dim)} if name and 0 < dim <= MOST_DIMENSIONS:
                return cls(name, dim)
        raise ValueError(f"{held!r} names no encoder")


def mismatch(held: EncoderSpec, wanted: EncoderSpec | str, place: object) -> str:
    """Return the message of an `EncoderMismatch`: both encoders, and both ways out."""
    name = wanted if isinstance(wanted, str) else wanted.name
    return (
        f"the memory at {place} was embedded with {held}, but {wanted} was asked for. "
        f"Open it with encoder={held.name!r}, or embed everything anew: "
        f"agentcl reembed --path {place} --encoder {name}"
    )


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of a record when it was used."""

    uses: int = 0
    wins: int = 0
    losses: int = 0
    last_used_at: datetime | None = None
    repeats: int = 0  # how often the same thing was added again


@dataclass(frozen=True, slots=True)
class Churn:
    """How much of one kind of record was written since a moment."""

    rows: int = 0  # versions and deletions
    new: int = 0  # records, by their first version
    last: datetime | None = None  # when the newest row was written, ever


def checksum(
    header: tuple[object, ...], sources: str, body: str, metadata: str, hash: bytes | None
) -> bytes:
    """Return the checksum of a row: its fields from `id` to `key`, and those that follow."""
    # NUL never occurs inside a field: JSON escapes it and the checks refuse it elsewhere.
    text = f"{header!r}\0{sources}\0{body}\0{metadata}".encode()
    return hashlib.blake2b(text if hash is None else text + hash, digest_size=8).digest()


def content_hash(text: str) -> bytes:
    """Return the 16 bytes by which equal texts share an encoding."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def body_json(record: Record) -> str:
    """Return the fields that a record's own kind adds, as canonical JSON.

    The same as `canonical_json` of them, which for a few short strings is busy with itself.
    """
    parts = [
        f'"{name}":{_quoted(value) if type(value) is str else canonical_json(value)}'
        for name in own_fields(type(record))
        for value in (getattr(record, name),)
    ]
    return f"{{{','.join(parts)}}}"


@lru_cache(maxsize=4_096)
def _scope(tenant: str, user: str, agent: str, session: str) -> Scope:
    """Return one object for equal scopes: rows are many, scopes are few."""
    return Scope(tenant, user, agent, session)


def fields_of(scope: Scope) -> tuple[str, str, str, str]:
    """Return tenant, user, agent and session, in this order."""
    return scope.tenant, scope.user, scope.agent, scope.session
