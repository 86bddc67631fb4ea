"""Exact dense search in plain Python, for an install without numpy."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from agentcl.retrieval.index import Change, Entry, Match, Query
from agentcl.store.vectors import unpack

_EXACT_UP_TO: Final = 500  # entries; above, sign bits choose which ones are compared in full
_CANDIDATES: Final = 300  # at least so many are compared in full


@dataclass(slots=True)
class _Held:
    entry: Entry
    vector: tuple[float, ...]  # of length 1
    signs: int  # one bit for each number: whether it is positive
    ended_at: int | None = None


class PureIndex:
    """The contract of `Index` for vectors, in this process's memory. A score is a cosine.

    Up to 500 admitted entries are all compared. Above, the entries whose signs agree best with the
    query's are, which for common encoders finds the true best ones nearly always.
    """

    name = "pure"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watermark = 0
        self._held: dict[int, _Held] = {}  # by seq, in rising order
        self._live: dict[str, int] = {}  # id to seq

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            for change in changes:
                if change.seq > self._watermark:
                    self._change(change)
            self._watermark = max(self._watermark, watermark)

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away."""
        with self._lock:
            gone = set(ids)
            self._held = {s: held for s, held in self._held.items() if held.entry.id not in gone}
            for id in gone:
                self._live.pop(id, None)

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine."""
        if query.vector is None:
            return []
        wanted = _unit(query.vector)
        with self._lock:
            admitted = [held for held in self._candidates(query) if query.admits(held.entry)]
        if len(admitted) > _EXACT_UP_TO:
            signs = _signs(wanted)
            admitted = heapq.nsmallest(
                max(_CANDIDATES, 10 * limit),
                admitted,
                key=lambda held: (held.signs ^ signs).bit_count(),
            )
        scored = [Match(h.entry.seq, h.entry.id, sum(map(mul, h.vector, wanted))) for h in admitted]
        return heapq.nsmallest(limit, scored, key=lambda match: (-match.score, match.seq))

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock:
            return [seq for seq, held in self._held.items() if held.ended_at is None]

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        with self._lock:
            self._held.clear()
            self._live.clear()
            for change in changes:
                self._change(change)
            self._watermark = watermark

    def close(self) -> None:
        """Release the memory; calling it twice is allowed."""
        with self._lock:
            self._held.clear()
            self._live.clear()
            self._watermark = 0

    def _candidates(self, query: Query) -> Iterator[_Held]:
        at = query.at
        for held in self._held.values():
            if at is None:
                if held.ended_at is None:
                    yield held
            elif held.entry.created_at <= at and (held.ended_at is None or at < held.ended_at):
                yield held

    def _change(self, change: Change) -> None:
        before = self._live.pop(change.id, None)
        if before is not None:
            self._held[before].ended_at = change.at
        if change.added is not None and change.added.vector is not None:
            vector = _unit(change.added.vector)
            self._held[change.seq] = _Held(change.added, vector, _signs(vector))
            self._live[change.id] = change.seq


def _unit(packed: bytes) -> tuple[float, ...]:
    values = unpack(packed)
    norm = math.sqrt(math.fsum(value * value for value in values))
    return tuple(value / norm for value in values)


def _signs(vector: Sequence[float]) -> int:
    return int("".join("1" if value > 0 else "0" for value in vector), 2)
