"""Pages of records, newest change first: any page of very many at once, for who scrolls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agentcl.store.base import Store
from agentcl.store.records import Record, ScopeView
from agentcl.store.rows import readable

_MOST_LISTINGS: Final = 32

Key = tuple[ScopeView, str, int | None]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the records that a scope sees."""

    total: int  # how many there are in all
    records: tuple[Record, ...]  # of this page, newest change first; without what is damaged


@dataclass(slots=True)
class _Listing:
    """The numbers of the rows that a view sees of one kind, by id, oldest change first."""

    seq: int  # of the journal, up to which it is true
    rows: dict[str, int]


class Listings:
    """The order of records, kept in the process and carried on with the journal. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Key, _Listing] = OrderedDict()

    def page(
        self, journal: Store, view: ScopeView, kind: str, at: int | None, offset: int, limit: int
    ) -> Page:
        """Return a page; `Storage.page` documents the arguments."""
        with self._lock:
            listing = self._up_to_date(journal, (view, kind, at))
            seqs = [*islice(reversed(listing.rows.values()), offset, offset + limit)]
            total = len(listing.rows)
        rows = journal.rows(seqs)
        return Page(total, (*readable(rows[seq] for seq in seqs if seq in rows),))

    def _up_to_date(self, journal: Store, key: Key) -> _Listing:
        view, kind, at = key
        last = journal.last_seq()
        listing = self._held.get(key)
        if listing is None or (at is not None and listing.seq != last):
            live = journal.live(view=view, kinds=(kind,), at=at)
            listing = _Listing(last, {row.id: row.seq for row in live})
        else:
            _carry_on(listing, journal, view, kind)
            listing.seq = max(listing.seq, last)
        self._held[key] = listing
        self._held.move_to_end(key)
        if len(self._held) > _MOST_LISTINGS:
            self._held.popitem(last=False)
        return listing


def _carry_on(listing: _Listing, journal: Store, view: ScopeView, kind: str) -> None:
    """Apply what was written since. To apply a change twice does no harm."""
    for row in journal.since(listing.seq, kinds=(kind,)):
        listing.rows.pop(row.id, None)
        if row.op == "put" and view.sees(row.scope):
            listing.rows[row.id] = row.seq
        listing.seq = row.seq
