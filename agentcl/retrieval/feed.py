"""From the journal to an index: rows become changes, and an index catches up with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from types import MappingProxyType
from typing import Any, Final

from agentcl.errors import StoreCorrupt
from agentcl.memory.journal import Journal
from agentcl.memory.rows import Row
from agentcl.retrieval.index import Change, Entry, Index, Match, Query

logger = logging.getLogger(__name__)

_APPLIED: Final = 1_000  # rows applied in one step
_READ: Final = 200  # rows made changes at a time, when nothing waits for a step to end
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Feed:
    """One index and what it wants to read of each record."""

    index: Index
    reads_text: bool = False
    reads_vectors: bool = False
    reads_fields: bool = False
    kinds: frozenset[str] = frozenset({"passage"})

    def catch_up(self, journal: Journal) -> int:
        """Apply everything the journal has and the index lacks; return how many rows that were.

        An index that is empty, damaged, or ahead of the journal (which then lost rows), is rebuilt.
        """
        try:
            return self._catch_up(journal)
        except StoreCorrupt as error:
            self._heal(journal, error)
            return self._catch_up(journal)

    def search(self, journal: Journal, query: Query, *, limit: int) -> list[Match]:
        """Ask the index; if it turns out to be damaged, it is rebuilt and asked again."""
        try:
            return self.index.search(query, limit=limit)
        except StoreCorrupt as error:
            self._heal(journal, error)
            return self.index.search(query, limit=limit)

    def rebuild(self, journal: Journal) -> None:
        """Build the index anew from the journal alone; no encoder is needed."""
        try:
            self._rebuild(journal)
        except StoreCorrupt:
            # An index that finds its own files damaged has thrown them away, and is empty now. Damage
            # of the journal is raised again.
            self._rebuild(journal)

    def _heal(self, journal: Journal, error: StoreCorrupt) -> None:
        logger.warning("index %s: %s; rebuilding it from the journal", self.index.name, error)
        self.rebuild(journal)

    def _catch_up(self, journal: Journal) -> int:
        last = journal.last_seq()
        held = self.index.watermark()
        if held == last:
            return 0
        if held == 0 or held > last:
            self.rebuild(journal)
            return last
        rows = [row for row in journal.since(held, kinds=self._kinds) if row.seq <= last]
        erased = [row.id for row in rows if row.op == "erase"]
        if erased:
            self.index.remove(erased)
            if self.index.watermark() == 0:  # it could not clear their bytes in place
                self.rebuild(journal)
                return last
        for batch in _batches(rows, _APPLIED):
            self.index.apply(list(self._changes(journal, batch)), watermark=batch[-1].seq)
        if not rows or rows[-1].seq < last:  # what comes after concerns other indexes
            self.index.apply((), watermark=last)
        return len(rows)

    @property
    def _kinds(self) -> list[str]:
        return sorted(self.kinds)

    def _rebuild(self, journal: Journal) -> None:
        last = journal.last_seq()
        rows = takewhile(lambda row: row.seq <= last, journal.since(0, kinds=self._kinds))
        changes = chain.from_iterable(
            self._changes(journal, batch) for batch in _batches(rows, _READ)
        )
        self.index.rebuild(changes, watermark=last)

    def _changes(self, journal: Journal, rows: list[Row]) -> Iterator[Change]:
        vectors = journal.vectors([row.seq for row in rows]) if self.reads_vectors else {}
        for row in rows:
            is_added = row.op == "put" and row.kind in self.kinds
            added = self._entry(row, vectors.get(row.seq)) if is_added else None
            yield Change(row.seq, row.id, row.created_at, added)

    def _entry(self, row: Row, vector: bytes | None) -> Entry:
        """Return what the index reads of a row; by position, since it is made of every record."""
        text = (row.record().search_text() or "") if self.reads_text else ""
        sources: tuple[str, ...] = ()
        fields: Mapping[str, Any] = _NOTHING
        if self.reads_fields:
            sources, metadata, fields = row.parts()
        else:
            metadata = {} if row.metadata == "{}" else json.loads(row.metadata)
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
