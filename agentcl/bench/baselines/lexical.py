"""The classical baseline: BM25 over whole items, with every term of the question."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.items import ItemsById, searched
from agentcl.retrieval.index import Change, Entry, Query
from agentcl.retrieval.words.fulltext import FullTextIndex
from agentcl.store.records import Scope


class Bm25:
    """BM25 as SQLite's FTS5 computes it (k1 = 1.2, b = 0.75), without the frequent-term cut of `Memory`.

    Terms are those of our full text. An item counts as two terms longer than it is, by the index's own marks;
    a term in more than half of the items counts next to nothing. An item that shares no term with the
    question is not found.

    Args:
        folder: where its index is kept.
    """

    name = "bm25"

    def __init__(self, folder: Path) -> None:
        self._items = ItemsById()
        self._index = FullTextIndex(folder, frequent=1.0)
        self._scope = Scope()

    def add(self, items: Sequence[Item]) -> None:
        """Remember; of an item that comes again nothing stays, not even in the counts of terms."""
        fresh = self._items.check(items)
        replaced = [item.id for item in fresh if item.id in self._items]
        if replaced:
            self._index.remove(replaced)
        begin = self._index.watermark() + 1
        changes = [self._change(seq, item) for seq, item in enumerate(fresh, start=begin)]
        self._index.apply(changes, watermark=begin + len(changes) - 1)
        self._items.keep(fresh)

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return the items with the highest BM25; of equal ones the older first."""
        most = self._items.ask(query, limit)
        if not most:
            return []
        asked = Query(view=self._scope.view(), text=query)
        return [self._items[match.id] for match in self._index.search(asked, limit=most)]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return who computes it, and how."""
        return {"k1": 1.2, "b": 0.75, "sqlite": sqlite3.sqlite_version}

    def close(self) -> None:
        """Close the index; calling it twice is allowed."""
        self._items.close()
        self._index.close()

    def _change(self, seq: int, item: Item) -> Change:
        entry = Entry(
            seq=seq,
            id=item.id,
            kind="item",
            scope=self._scope,
            text=searched(item),
            vector=None,
            created_at=seq,
            valid_from=None,
            valid_to=None,
            metadata={},
        )
        return Change(seq=seq, id=item.id, at=seq, added=entry)
