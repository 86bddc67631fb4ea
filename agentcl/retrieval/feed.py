"""From the journal to an index: rows become changes, and an index catches up with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, takewhile
from typing import Final

from agentcl.errors import AgentclError, StoreCorrupt
from agentcl.retrieval.index import NOTHING, Change, Entry, Index, Match, Query
from agentcl.store.base import Store
from agentcl.store.fields import defaults
from agentcl.store.rows import Row, is_moment

logger = logging.getLogger(__name__)

# What comes of an index's file that holds what agentcl would not write.
_DAMAGED: Final = (StoreCorrupt, TypeError, ValueError, LookupError, ArithmeticError)
_APPLIED: Final = 1_000  # rows applied in one step
_TRIES: Final = 5  # at an index that others begin anew meanwhile; the next search goes on
_READ: Final = 200  # rows made changes at a time, when nothing waits for a step to end


@dataclass(frozen=True, slots=True)
class Feed:
    """One index and what it wants to read of each record."""

    index: Index
    reads_text: bool = False
    reads_vectors: bool = False
    reads_fields: bool = False
    kinds: frozenset[str] = frozenset({"passage"})
    # Rows that were left out, since they are not what was written, with what is wrong with them.
    damaged: dict[int, tuple[Row, str]] = field(default_factory=dict, compare=False)

    def catch_up(
        self, journal: Store, progress: Callable[[float], None] = lambda share: None
    ) -> int:
        """Apply everything the journal has and the index lacks; return how many rows that were.

        An index that is empty, damaged, or ahead of the journal (which then lost rows), is rebuilt. `progress` is called
        now and then with the share that is read, 0 to 1, while it is.
        """
        try:
            return self._catch_up(journal, progress)
        except _DAMAGED as error:
            self._heal(journal, error)
            return self._catch_up(journal, progress)

    def search(self, journal: Store, query: Query, *, limit: int) -> list[Match]:
        """Ask the index; if it turns out to be damaged, it is rebuilt and asked again."""
        try:
            return self.index.search(query, limit=limit)
        except _DAMAGED as error:
            self._heal(journal, error)
            return self.index.search(query, limit=limit)

    def rebuild(
        self, journal: Store, progress: Callable[[float], None] = lambda share: None
    ) -> None:
        """Build the index anew from the journal alone; no encoder is needed."""
        try:
            self._rebuild(journal, progress)
        except StoreCorrupt:
            # An index that finds its own files damaged has thrown them away, and is empty now. Damage
            # of the journal is raised again.
            self._rebuild(journal, progress)

    def _heal(self, journal: Store, error: Exception) -> None:
        if isinstance(error, AgentclError) and not isinstance(error, StoreCorrupt):
            raise error
        logger.warning("index %s: %s; rebuilding it from the journal", self.index.name, error)
        self.rebuild(journal)

    def _catch_up(self, journal: Store, progress: Callable[[float], None]) -> int:
        # In this order: what others write and apply between the two must not look like rows that the journal lost.
        held = self.index.watermark()
        last = journal.last_seq()
        if held > last:
            self.rebuild(journal, progress)
            return last
        applied = 0
        for _ in range(_TRIES):
            if held >= last:
                break
            applied += self._go_on(journal, held, last, progress)
            held = self.index.watermark()
        return applied

    def _go_on(
        self, journal: Store, held: int, last: int, progress: Callable[[float], None]
    ) -> int:
        """Apply the rows from a watermark to the last one, unless another process begins the index anew meanwhile."""
        if held == 0:
            self.rebuild(journal, progress)
            return last
        rows = [row for row in journal.since(held, kinds=self._kinds) if row.seq <= last]
        erased = [row.id for row in rows if row.op == "erase"]
        if erased:
            self.index.remove(erased)
            if self.index.watermark() == 0:  # it could not clear their bytes in place
                self.rebuild(journal)
                return last
        for batch in _batches(rows, _APPLIED):
            self.index.apply(_changes(journal, batch, (self,)), watermark=batch[-1].seq, since=held)
            held = batch[-1].seq
        if held < last:  # what comes after concerns other indexes
            self.index.apply((), watermark=last, since=held)
        return len(rows)

    @property
    def _kinds(self) -> list[str]:
        return sorted(self.kinds)

    def _rebuild(self, journal: Store, progress: Callable[[float], None]) -> None:
        last = journal.last_seq()
        rows = takewhile(lambda row: row.seq <= last, journal.since(0, kinds=self._kinds))

        def read(batch: Sequence[Row]) -> Sequence[Change]:
            progress(batch[-1].seq / last)
            return _changes(journal, batch, (self,))

        changes = chain.from_iterable(map(read, _batches(rows, _READ)))
        self.index.rebuild(changes, watermark=last)


def fill(
    feeds: Sequence[Feed], journal: Store, progress: Callable[[float], None] = lambda share: None
) -> None:
    """Fill indexes of this process's memory, all of them empty, reading each row once for all.

    `progress` is called now and then with the share that is done, 0 to 1.
    """
    last = journal.last_seq()
    for feed in feeds:
        feed.index.rebuild((), watermark=0)
    kinds = sorted(frozenset().union(*(feed.kinds for feed in feeds)))
    rows = takewhile(lambda row: row.seq <= last, journal.since(0, kinds=kinds))
    for batch in _batches(rows, _READ):
        changes = _changes(journal, batch, feeds)
        for feed in feeds:
            concern = [c for c in changes if c.added is None or c.added.kind in feed.kinds]
            feed.index.apply(concern, watermark=batch[-1].seq)
        progress(batch[-1].seq / last)
    for feed in feeds:
        feed.index.apply((), watermark=last)


def _changes(journal: Store, rows: Sequence[Row], feeds: Sequence[Feed]) -> list[Change]:
    """Return rows as changes with all that one of some indexes wants to read of them."""
    seeing = frozenset[str]().union(*(feed.kinds for feed in feeds if feed.reads_vectors))
    damaged: dict[int, tuple[Row, str]] = {}
    vectors = _vectors(journal, [row for row in rows if row.kind in seeing], damaged)
    kinds = frozenset[str]().union(*(feed.kinds for feed in feeds))
    reads_text = any(feed.reads_text for feed in feeds)
    reads_fields = any(feed.reads_fields for feed in feeds)
    changes: list[Change] = []
    for row in rows:
        added = None
        if row.op == "put" and row.kind in kinds:
            try:
                text = (row.record().search_text() or "") if reads_text else ""
                added = _entry(row, text, vectors.get(row.seq), reads_fields=reads_fields)
            except (StoreCorrupt, ValueError, RecursionError) as error:
                damaged[row.seq] = row, str(error)
        at = row.created_at if is_moment(row.created_at) else 0
        changes.append(Change(row.seq, row.id, at, added))
    for number, (row, what) in damaged.items():
        logger.warning("row %d is left out of indexes: %s", number, what)
        for feed in feeds:
            if row.kind in feed.kinds:
                feed.damaged[number] = row, what
    return changes


def _vectors(
    journal: Store, rows: Sequence[Row], damaged: dict[int, tuple[Row, str]]
) -> dict[int, bytes]:
    """Return the vectors of rows; of those with a damaged one, note what is wrong."""
    try:
        return journal.vectors([row.seq for row in rows])
    except StoreCorrupt as error:
        if len(rows) == 1:
            damaged[rows[0].seq] = rows[0], str(error)
            return {}
    halves = (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    return {seq: one for some in halves for seq, one in _vectors(journal, some, damaged).items()}


def _entry(row: Row, text: str, vector: bytes | None, *, reads_fields: bool) -> Entry:
    """Return what indexes read of a row; by position, since it is made of every record."""
    sources: tuple[str, ...] = ()
    metadata = fields = NOTHING
    if reads_fields:
        sources, own_metadata, own = row.parts()
        fields = {**defaults(row.kind), **own}
        metadata = own_metadata or NOTHING
    else:
        if not row.has_times:
            raise ValueError(f"the times of record {row.id} are none")
        if row.metadata != "{}":
            metadata = json.loads(row.metadata)
        if not isinstance(metadata, Mapping):
            raise ValueError(f"the metadata of record {row.id} is no object")
    return Entry(
        row.seq,
        row.id,
        row.kind,
        row.scope,
        text,
        vector,
        row.created_at,
        row.valid_from,
        row.valid_to,
        metadata,
        sources,
        fields,
    )


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch
