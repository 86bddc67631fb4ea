"""The contract between the journal and anything that finds records.

An index is a cache derived from the journal: it can be thrown away and rebuilt at any time. It holds
one `Entry` for each searchable version of a record, past ones too, so that a search can be asked of
any moment (`Query.at`). `agentcl.testing.IndexContract` is the suite that every implementation passes,
third-party ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

from agentcl.store.records import Scope, ScopeView

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
# Names that are one thing's, with the tenant for whom they are; in the form that all spellings share, sorted.
Same = tuple[tuple[str, tuple[str, ...]], ...]
Operator = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "exists"]


class Entry(NamedTuple):
    """One version of a record, as an index stores it. Times are microseconds since 1970."""

    seq: int  # the journal's number of this version: unique, rising
    id: str  # the record's id, shared by its versions
    kind: str
    scope: Scope
    text: str  # what full-text search reads
    vector: bytes | None  # float32, little-endian; None when the record has none
    created_at: int  # recorded; the entry is live from here ...
    valid_from: int | None
    valid_to: int | None
    metadata: Mapping[str, Any]
    sources: tuple[str, ...] = ()  # ids of what it was derived from; empty unless the index asks
    fields: Mapping[str, Any] = NOTHING  # of the kind, likewise


class Change(NamedTuple):
    """One row of the journal, seen by an index.

    The live version of record `id`, if the index has one, ends at `at`; then `added`, if any, begins.
    A first version has nothing to end, a deletion adds nothing.
    """

    seq: int
    id: str
    at: int  # microseconds since 1970
    added: Entry | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on a metadata field; a query's conditions must all hold.

    A missing field fails every operator but `ne` (which it passes) and `exists` with value False.
    `eq`, `ne` and `in` compare JSON values with their type (1 equals 1.0, but not True or "1");
    when the stored value is a list, they look for an element. The order operators compare numbers
    with numbers and strings with strings, and fail otherwise.
    """

    field: str
    operator: Operator
    value: Any

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether this condition holds for a record's metadata."""
        if self.operator == "exists":
            return (self.field in metadata) is bool(self.value)
        if self.field not in metadata:
            return self.operator == "ne"
        stored = metadata[self.field]
        if self.operator in ("eq", "ne", "in"):
            wanted = self.value if self.operator == "in" else [self.value]
            found = [stored, *stored] if isinstance(stored, list) else [stored]
            equal = any(_same(a, b) for a in found for b in wanted)
            return equal is (self.operator != "ne")
        order = _order(stored, self.value)
        if order is None:
            return False
        return {"gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0}[
            self.operator
        ]


def _same(a: object, b: object) -> bool:
    """Equality of JSON values in which True is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _order(a: object, b: object) -> int | None:
    """Compare two numbers or two strings: negative, zero or positive; None if they have no order."""
    if isinstance(a, str) and isinstance(b, str):
        return (a > b) - (a < b)
    if isinstance(a, bool) or isinstance(b, bool):
        return None
    if isinstance(a, int | float) and isinstance(b, int | float):
        return (a > b) - (a < b)
    return None


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of an index: by vector, by text, or by both."""

    view: ScopeView  # which scopes may be seen
    text: str = ""
    vector: bytes | None = None  # float32, little-endian
    kinds: frozenset[str] | None = None  # None: every kind
    at: int | None = None  # as recorded at this moment (microseconds); None: now
    valid_at: int | None = None  # holding in the world at this moment; None: whenever
    conditions: tuple[Condition, ...] = ()
    identifiers: tuple[int, ...] = ()  # keys that full text is asked for, in place of words
    is_distinct: bool = True  # passages with the same text are one hit; for the retriever alone
    same: Same = ()  # for the graph alone

    def admits(self, entry: Entry) -> bool:
        """Return whether scope, kind, validity and metadata let the entry through.

        Whether the entry was live at `at` is the index's to know: it depends on its successor.
        """
        return (
            self.view.sees(entry.scope)
            and (self.kinds is None or entry.kind in self.kinds)
            and (
                self.valid_at is None
                or (
                    (entry.valid_from is None or entry.valid_from <= self.valid_at)
                    and (entry.valid_to is None or self.valid_at < entry.valid_to)
                )
            )
            and all(condition.holds(entry.metadata) for condition in self.conditions)
        )


def runs_of(changes: Iterable[Change], *, most: int) -> Iterator[list[Change]]:
    """Cut changes into runs of so many at most in which no record occurs twice: order within one is free."""
    run: dict[str, Change] = {}
    for change in changes:
        if change.id in run or len(run) == most:
            yield list(run.values())
            run = {}
        run[change.id] = change
    if run:
        yield list(run.values())


class Match(NamedTuple):
    """One entry that an index found. A higher score is better; its unit is the index's own."""

    seq: int
    id: str
    score: float


@runtime_checkable
class Index(Protocol):
    """Finds entries. Safe to call from several threads; a persistent one from several processes.

    `watermark()` is the journal's sequence number up to which every change has been applied, 0 for
    an empty index. All methods raise `StoreUnavailable` when the index's own storage fails.
    """

    name: str  # short, unique among a memory's indexes; e.g. "exact"

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        ...

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes in order of `seq`, then hold `watermark`, in one atomic step.

        Changes at or below the current watermark are skipped, so a repeat does no harm; a
        `watermark` below the current one changes nothing. `since` is the watermark that the changes
        go on from. An index that holds less was begun anew by somebody else meanwhile: nothing is
        applied to it, since what lies between would be missing for good.
        """
        ...

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away; their bytes may stay on disk. The watermark stays."""
        ...

    def clear(self) -> None:
        """Clear from the disk the bytes of what was removed, without keeping others out for long."""
        ...

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return at most `limit` admitted entries live at `query.at`, best first.

        Ties break by ascending `seq`. Scope, time and conditions are applied before the best
        `limit` are chosen, never after.
        """
        ...

    def live_seqs(self) -> Iterable[int]:
        """Return the `seq` of every entry that is live now, in any order; for `agentcl doctor`."""
        ...

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes` (read lazily, once) and hold `watermark`."""
        ...

    def close(self) -> None:
        """Release files and memory; calling it twice is allowed."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """An index that holds what is new in this process's memory, and writes it to files when that is much."""

    def keep(self, erased: Callable[[int], Collection[str]]) -> None:
        """Begin to write files if it is time to, and return at once.

        `erased` gives the ids of what was erased since a number of the journal, which is kept out of them.
        """
        ...

    def stop(self) -> None:
        """Give up files that are being written; those of before stay."""
        ...


class Sizes(NamedTuple):
    """What the vectors of an index take, in bytes; ids and metadata come on top."""

    memory: int  # of this process
    disk: int  # of files, which are mapped into memory: the system gives that back when others need it


@runtime_checkable
class Sized(Protocol):
    """An index that knows what it takes."""

    def sizes(self) -> Sizes:
        """Return what it takes now."""
        ...


@runtime_checkable
class Telling(Protocol):
    """An index whose files may lag, be damaged, or be written just now."""

    def tell(self, last: int) -> Sequence[str]:
        """Say in words how its files are, where the journal ends at `last`, and what to do."""
        ...
