"""What was imported and is kept aside: it is evidence of nothing."""

from __future__ import annotations

from collections.abc import Iterable

from agentcl.store.episodes import Aside
from agentcl.store.rows import Row, readable


class KeptAside:
    """The ids of what is kept aside, by the records that say so.

    Args:
        ids: what is known of them.
        seq: the row up to which that is known.
    """

    def __init__(self, ids: Iterable[str] = (), seq: int = 0) -> None:
        self._ids = set(ids)
        self._seq = seq

    @classmethod
    def of(cls, rows: Iterable[Row]) -> KeptAside:
        """Return what the newest versions of the records say."""
        newest = {row.id: row for row in rows if row.kind == Aside.kind}
        live = readable(row for row in newest.values() if row.op == "put")
        ids = (id for one in live if isinstance(one, Aside) for id in one.ids)
        return cls(ids, max((row.seq for row in newest.values()), default=0))

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def take(self, row: Row) -> bool:
        """Note what comes next and is kept aside; False where that was folded already, and cannot be taken back."""
        if row.seq <= self._seq:
            return True
        self._seq = row.seq
        for one in readable([row] if row.op == "put" else ()):
            assert isinstance(one, Aside)
            self._ids.update(one.ids)
        return row.op == "put" and row.version == 1

    def to_plain(self) -> list[str]:
        """Return the ids, sorted."""
        return sorted(self._ids)
