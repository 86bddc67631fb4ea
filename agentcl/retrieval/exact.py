"""Dense search over vectors in memory: exact for small sets, exact in all but name for large ones."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from agentcl.errors import MissingExtra
from agentcl.memory.records import Scope
from agentcl.retrieval.index import Change, Condition, Match, Query
from agentcl.retrieval.signs import SCAN_FROM, SignScan

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise MissingExtra("the exact index", "vectors") from error

_FOREVER: Final = np.iinfo(np.int64).max
_GATHER_BELOW: Final = 0.25  # of all rows; a product with more of them is faster with all in place
_CACHED_SELECTIONS: Final = 64
_GROW: Final = 1.5

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


class _Column:
    """One metadata field of all rows: each distinct value once, and a code for each row."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.codes = array("i")  # 0: the row has no such field; n: values[n - 1]
        self._known: dict[str, int] = {}

    def append(self, metadata: dict[str, Any], field: str) -> None:
        if field not in metadata:
            self.codes.append(0)
            return
        value = metadata[field]
        key = json.dumps(value, sort_keys=True)  # tells 1 from True and from "1"
        if key not in self._known:
            self.values.append(value)
            self._known[key] = len(self.values)
        self.codes.append(self._known[key])


class ExactIndex:
    """The contract of `Index` for vectors, in this process's memory. A score is a cosine.

    What a query may see is selected before anything is ranked. Up to 20,000 selected entries are all
    compared; more are first thinned by their signs (`SignScan`), if the encoder's vectors allow that,
    and then compared in full: `benchmarks/vector_search.py` measures what that costs in recall.
    """

    def __init__(self) -> None:
        self.name = "exact"
        self._lock = threading.RLock()
        self.close()

    def __len__(self) -> int:
        """Return how many versions of entries it holds."""
        return self._size

    def close(self) -> None:
        """Release the memory; calling it twice is allowed."""
        with self._lock:
            self._watermark = 0
            self._size = 0
            self._ids: list[str] = []
            self._metadata: list[dict[str, Any]] = []
            self._live: dict[str, int] = {}  # id to row
            self._scopes: dict[Scope, int] = {}
            self._kinds: dict[str, int] = {}
            self._vectors: Floats = np.empty((0, 0), np.float32)
            self._scores: Floats = np.empty(0, np.float32)
            self._signs = SignScan()
            self._seqs = np.empty(0, np.int64)
            self._scope = np.empty(0, np.int32)
            self._kind = np.empty(0, np.int32)
            self._created = np.empty(0, np.int64)
            self._ended = np.empty(0, np.int64)
            self._from = np.empty(0, np.int64)
            self._to = np.empty(0, np.int64)
            self._selections: dict[object, Rows | None] = {}
            self._columns: dict[str, _Column] = {}
            self._is_bounded = False  # whether any entry has a validity interval

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            self._append([change for change in changes if change.seq > self._watermark])
            self._watermark = max(self._watermark, watermark)

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        with self._lock:
            self.close()
            batch: list[Change] = []
            for change in changes:
                batch.append(change)
                if len(batch) == 10_000:
                    self._append(batch)
                    batch = []
            self._append(batch)
            self._watermark = watermark

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away; their vectors are overwritten."""
        gone = set(ids)
        with self._lock:
            keep = np.array([id not in gone for id in self._ids], bool)
            if keep.all():
                return
            rows = np.flatnonzero(keep)
            names = ("_vectors", "_seqs", "_scope", "_kind", "_created", "_ended", "_from", "_to")
            for name in names:
                held = getattr(self, name)
                setattr(self, name, held[rows])
                held[:] = 0
            self._signs = SignScan()
            self._ids = [self._ids[row] for row in rows]
            self._metadata = [self._metadata[row] for row in rows]
            self._size = len(rows)
            self._signs.update(self._vectors)
            self._columns.clear()
            ended = self._ended[: self._size]
            self._live = {self._ids[row]: int(row) for row in np.flatnonzero(ended == _FOREVER)}
            self._selections.clear()

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock:
            live = self._ended[: self._size] == _FOREVER
            return [int(seq) for seq in self._seqs[: self._size][live]]

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine."""
        if query.vector is None:
            return []
        with self._lock:
            rows = self._select(query)
            count = self._size if rows is None else len(rows)
            if count == 0:
                return []
            wanted = np.frombuffer(query.vector, "<f4")
            wanted = wanted / np.linalg.norm(wanted)
            if count > SCAN_FROM and self._signs.is_useful:
                rows = self._signs.near(wanted, rows, limit=limit)
            scores = self._cosines(wanted, rows)
            best = _highest(scores, limit)
            chosen = best if rows is None else rows[best]
            seqs, highest = self._seqs[chosen], scores[best]
            order = np.lexsort((seqs, -highest))[:limit]
            ids = [self._ids[row] for row in chosen[order].tolist()]
            return list(map(Match, seqs[order].tolist(), ids, highest[order].tolist()))

    def _cosines(self, wanted: Floats, rows: Rows | None) -> Floats:
        """Return the cosines of the chosen rows, or of all."""
        if rows is not None and len(rows) < _GATHER_BELOW * self._size:
            gathered: Floats = self._vectors[rows] @ wanted
            return gathered
        scores = self._scores[: self._size]
        np.dot(self._vectors[: self._size], wanted, out=scores)
        return scores if rows is None else scores[rows]

    def _select(self, query: Query) -> Rows | None:
        """Return the rows that a query may see, or None for all of them."""
        key = (query.view, query.kinds, query.at, repr(query.conditions))
        if key in self._selections:
            rows = self._selections[key]
        else:
            mask = self._mask(query)
            rows = None if mask.all() else np.flatnonzero(mask)
            if len(self._selections) >= _CACHED_SELECTIONS:
                self._selections.pop(next(iter(self._selections)))
            self._selections[key] = rows
        if query.valid_at is None or not self._is_bounded:
            return rows
        # Kept out of the key, since "now" differs in every query.
        begins, ends = self._from[: self._size], self._to[: self._size]
        if rows is not None:
            begins, ends = begins[rows], ends[rows]
        holds = (begins <= query.valid_at) & (query.valid_at < ends)
        if holds.all():
            return rows
        return np.flatnonzero(holds) if rows is None else rows[holds]

    def _mask(self, query: Query) -> Mask:
        size = self._size
        mask: Mask
        if query.at is None:
            mask = self._ended[:size] == _FOREVER
        else:
            mask = (self._created[:size] <= query.at) & (query.at < self._ended[:size])
        seen = np.array([query.view.sees(scope) for scope in self._scopes], bool)
        if not seen.all():
            mask &= seen[self._scope[:size]]
        if query.kinds is not None:
            wanted = np.array([kind in query.kinds for kind in self._kinds], bool)
            mask &= wanted[self._kind[:size]]
        for condition in query.conditions:
            mask &= self._holds(condition)
        return mask

    def _holds(self, condition: Condition) -> Mask:
        """Test each distinct value of the field once, then look the rows up."""
        column = self._columns.setdefault(condition.field, _Column())
        for metadata in self._metadata[len(column.codes) :]:
            column.append(metadata, condition.field)
        truth = [condition.holds({})]
        truth += [condition.holds({condition.field: value}) for value in column.values]
        mask: Mask = np.array(truth, bool)[np.array(column.codes, np.intp)]
        return mask

    def _append(self, changes: Sequence[Change]) -> None:
        added = [change for change in changes if change.added and change.added.vector]
        if added:
            self._reserve(len(added), len(added[0].added.vector) // 4)  # type: ignore[union-attr, arg-type]  # both were just tested
        for change in changes:
            before = self._live.pop(change.id, None)
            if before is not None:
                self._ended[before] = change.at
            entry = change.added
            if entry is None or entry.vector is None:
                continue
            row = self._size
            vector = np.frombuffer(entry.vector, "<f4")
            self._vectors[row] = vector / np.linalg.norm(vector)
            self._seqs[row] = entry.seq
            self._scope[row] = self._scopes.setdefault(entry.scope, len(self._scopes))
            self._kind[row] = self._kinds.setdefault(entry.kind, len(self._kinds))
            self._created[row] = entry.created_at
            self._ended[row] = _FOREVER
            self._from[row] = -_FOREVER if entry.valid_from is None else entry.valid_from
            self._to[row] = _FOREVER if entry.valid_to is None else entry.valid_to
            self._is_bounded |= entry.valid_from is not None or entry.valid_to is not None
            self._ids.append(entry.id)
            self._metadata.append(dict(entry.metadata))
            self._live[entry.id] = row
            self._size += 1
        if added:
            self._signs.update(self._vectors[: self._size])
        if changes:
            self._selections.clear()

    def _reserve(self, more: int, dim: int) -> None:
        """Make room, half as much again as is needed, so that adding one by one stays cheap."""
        held = len(self._seqs)
        if self._size + more <= held:
            return
        room = max(1_024, int((self._size + more) * _GROW))

        def grown(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
            fresh = np.zeros(shape, array.dtype)
            kept = tuple(slice(0, length) for length in array.shape)
            fresh[kept] = array
            return fresh

        self._vectors = grown(self._vectors, (room, dim))
        self._scores = np.empty(room, np.float32)
        for name in ("_seqs", "_scope", "_kind", "_created", "_ended", "_from", "_to"):
            setattr(self, name, grown(getattr(self, name), (room,)))


def _highest(scores: Floats, limit: int) -> Rows:
    """Return the places of the `limit` highest scores, of all that tie with the last, and of some more.

    The scores are dealt into groups, and the highest of each group is found first: the lowest of the
    `limit` highest of these is a floor under the scores that are wanted, and few others lie above it.
    """
    width = min(64, len(scores) // (4 * limit))
    if width < 2:
        return np.arange(len(scores))
    tops = scores[: len(scores) // width * width].reshape(width, -1).max(axis=0)
    floor = np.partition(tops, len(tops) - limit)[len(tops) - limit]
    return np.flatnonzero(scores >= floor)
