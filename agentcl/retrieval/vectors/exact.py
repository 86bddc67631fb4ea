"""Dense search over vectors in memory: exact for small sets, exact in all but name for large ones."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval.index import NOTHING, Change, Condition, Entry, Match, Query, Sizes
from agentcl.retrieval.vectors.row_files import REMOVED
from agentcl.retrieval.vectors.sign_bits import SCAN_FROM, SignScan
from agentcl.store.records import Scope

FOREVER: Final = np.iinfo(np.int64).max
_COLUMNS: Final = ("_seqs", "_scope", "_kind", "_created", "_ended", "_from", "_to")
_GATHER_BELOW: Final = 0.25  # of all rows; a product with more of them is faster with all in place
_GATHERED: Final = 256  # rows compared at a time, as many as a core's cache holds
_CACHED_SELECTIONS: Final = 64
_GROW: Final = 1.5
_BATCH: Final = 500  # changes of a rebuild that are held at once

Floats = NDArray[np.float32]
# Lengths up to this, and down to its inverse, are right though float32 squares them
_SQUARED: Final = 1e15
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


class _Column:
    """One metadata field of all rows: each distinct value once, and a code for each row."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.codes = array("i")  # 0: the row has no such field; n: values[n - 1]
        self._known: dict[str, int] = {}

    def append(self, metadata: Mapping[str, Any], field: str) -> None:
        if field not in metadata:
            self.codes.append(0)
            return
        value = metadata[field]
        key = json.dumps(value, sort_keys=True)  # tells 1 from True and from "1"
        if key not in self._known:
            self.values.append(value)
            self._known[key] = len(self.values)
        self.codes.append(self._known[key])

    def remove(self, rows: Iterable[int]) -> None:
        for row in rows:
            if row < len(self.codes):
                self.codes[row] = 0


class Columns(NamedTuple):
    """What was held of rows at a moment; but a vector that is removed later may be zero here too."""

    vectors: Floats  # of length 1, shape (n, dim)
    numbers: Mapping[
        str, NDArray[Any]
    ]  # "seqs", "scope", "kind", "created", "ended", "from", "to": shape (n,)
    # Ids, and metadata as JSON (empty for none), both as bytes. They are made when they are asked for: that takes long.
    texts: Callable[[], tuple[Sequence[bytes], Sequence[bytes]]]
    scopes: Sequence[Scope]  # which "scope" counts
    kinds: Sequence[str]


class ExactIndex:
    """The contract of `Index` for vectors, in this process's memory. A score is a cosine.

    What a query may see is selected before anything is ranked. Up to 20,000 selected entries are all
    compared; more are first thinned by their signs (`SignScan`), if the encoder's vectors allow that,
    and then compared in full: `benchmarks/vector_search.py` measures what that costs in recall.
    """

    def __init__(self) -> None:
        self.name = "exact"
        self._scan_from = SCAN_FROM
        self._lock = threading.RLock()
        self.close()

    def __len__(self) -> int:
        """Return how many versions of entries it holds."""
        return self._size - self._removed

    def close(self) -> None:
        """Release the memory; calling it twice is allowed."""
        with self._lock:
            self._watermark = 0
            self._size = 0
            self._removed = 0
            self._ids: list[str] = []
            self._metadata: list[Mapping[str, Any]] = []
            self._live: dict[str, int] = {}  # id to row
            self._scopes: dict[Scope, int] = {}
            self._kinds: dict[str, int] = {}
            self._vectors: Floats = np.empty((0, 0), np.float32)
            self._scores: Floats = np.empty(0, np.float32)
            self._room: Floats = np.empty((0, 0), np.float32)
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

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            if since <= self._watermark:
                self._append([change for change in changes if change.seq > self._watermark])
                self._watermark = max(self._watermark, watermark)

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        with self._lock:
            self.close()
            iterator = iter(changes)
            while batch := list(islice(iterator, _BATCH)):
                self._append(batch)
            self._watermark = watermark

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away; their vectors are overwritten.

        Their rows stay, seen by nobody, until most rows are such: to move all others takes time.
        """
        gone = set(ids)
        with self._lock:
            rows = [row for row, id in enumerate(self._ids) if id in gone]
            if not rows:
                return
            self._vectors[rows] = 0
            self._ended[rows] = REMOVED
            self._signs.remove(rows)
            for row in rows:
                self._live.pop(self._ids[row], None)
                self._ids[row], self._metadata[row] = "", NOTHING
            for column in self._columns.values():
                column.remove(rows)
            self._selections.clear()
            self._removed += len(rows)
            if self._removed > self._size / 2:
                self._compact()

    def _compact(self) -> None:
        """Move the rows together that were not removed."""
        self._keep(np.flatnonzero(self._ended[: self._size] != REMOVED))

    def drop_until(self, seq: int) -> None:
        """Drop the rows up to a number of the journal: something else holds them."""
        with self._lock:
            rows = np.flatnonzero(self._seqs[: self._size] > seq)
            if len(rows) < self._size:
                self._keep(rows)

    def _keep(self, rows: Rows) -> None:
        for name in ("_vectors", *_COLUMNS):
            setattr(self, name, getattr(self, name)[rows])
        self._ids = [self._ids[row] for row in rows]
        self._metadata = [self._metadata[row] for row in rows]
        self._size, self._removed = len(rows), int((self._ended == REMOVED).sum())
        self._signs = SignScan()
        self._signs.update(self._vectors)
        self._columns.clear()
        self._selections.clear()
        self._live = {self._ids[row]: int(row) for row in np.flatnonzero(self._ended == FOREVER)}

    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of each row, rising, and when it ended."""
        return self._seqs[: self._size], self._ended[: self._size]

    def columns(self) -> Columns:
        """Return what it holds of every row, for files."""
        with self._lock:
            numbers = {name.strip("_"): getattr(self, name)[: self._size].copy() for name in _COLUMNS}  # fmt: skip
            ids, metadata = self._ids[:], self._metadata[:]
            return Columns(
                self._vectors[: self._size],
                numbers,
                lambda: (
                    [id.encode() for id in ids],
                    [json.dumps(dict(one)).encode() if one else b"" for one in metadata],
                ),
                list(self._scopes),
                list(self._kinds),
            )

    def sizes(self) -> Sizes:
        """Return what its arrays take, with the room that they have for more."""
        arrays = (self._vectors, self._scores, self._room, *(getattr(self, n) for n in _COLUMNS))
        return Sizes(sum(array.nbytes for array in arrays) + self._signs.size(), 0)

    def clear(self) -> None:
        """Do nothing: nothing is on disk."""

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock:
            live = self._ended[: self._size] == FOREVER
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
            wanted = np.empty((1, len(query.vector) // 4), np.float32)
            to_units(np.frombuffer(query.vector, "<f4").reshape(1, -1), wanted)
            wanted = wanted[0]
            if count > self._scan_from:
                rows = self._near(query, wanted, rows, limit)
            scores = self._cosines(wanted, rows)
            best = _highest(scores, limit)
            chosen = best if rows is None else rows[best]
            seqs, highest = self._seqs[chosen], scores[best]
            order = np.lexsort((seqs, -highest))[:limit]
            ids = [self._ids[row] for row in chosen[order].tolist()]
            return list(map(Match, seqs[order].tolist(), ids, highest[order].tolist()))

    def _near(self, query: Query, wanted: Floats, rows: Rows | None, limit: int) -> Rows | None:
        """Return which of many rows are worth comparing in full; None for all."""
        return self._signs.near(wanted, rows, limit=limit) if self._signs.is_useful else rows

    def _cosines(self, wanted: Floats, rows: Rows | None) -> Floats:
        """Return the cosines of the chosen rows, or of all."""
        # Not a product of matrix and vector: BLAS gives that to threads, which costs more than it saves
        # and, where other work keeps the cores busy, waits for them some hundred times as long.
        if rows is None or len(rows) >= _GATHER_BELOW * self._size:
            scores = self._scores[: self._size]
            np.vecdot(self._vectors[: self._size], wanted, out=scores)
            return scores if rows is None else scores[rows]
        gathered: Floats = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _GATHERED):
            some = rows[start : start + _GATHERED]
            # The mode that does not check: these are rows that there are.
            vectors = np.take(self._vectors, some, axis=0, out=self._room[: len(some)], mode="clip")
            np.vecdot(vectors, wanted, out=gathered[start : start + len(some)])
        return gathered

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
            mask = self._ended[:size] == FOREVER
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
        added: list[tuple[Entry, bytes]] = []
        ends: dict[int, int] = {}  # by row; of what is added, too
        for change in changes:
            before = self._live.pop(change.id, None)
            if before is not None:
                ends[before] = change.at
            entry = change.added
            if entry is not None and entry.vector is not None:
                self._live[entry.id] = self._size + len(added)
                added.append((entry, entry.vector))
        if added:
            self._add(added)
        for row, at in ends.items():
            self._ended[row] = at
        if changes:
            self._selections.clear()

    def _add(self, added: Sequence[tuple[Entry, bytes]]) -> None:
        """Take up entries as live ones, at the end of every column."""
        entries = [entry for entry, _ in added]
        vectors = np.frombuffer(b"".join(vector for _, vector in added), "<f4")
        vectors = vectors.reshape(len(added), -1)
        self._reserve(len(added), vectors.shape[1])
        new = slice(self._size, self._size + len(added))
        self._size = new.stop
        to_units(vectors, self._vectors[new])
        self._seqs[new] = [entry.seq for entry in entries]
        self._scope[new] = [self._scopes.setdefault(e.scope, len(self._scopes)) for e in entries]
        self._kind[new] = [self._kinds.setdefault(e.kind, len(self._kinds)) for e in entries]
        self._created[new] = [entry.created_at for entry in entries]
        self._ended[new] = FOREVER
        begins, ends = [e.valid_from for e in entries], [e.valid_to for e in entries]
        self._from[new] = [-FOREVER if begin is None else begin for begin in begins]
        self._to[new] = [FOREVER if end is None else end for end in ends]
        self._is_bounded |= any(time is not None for time in (*begins, *ends))
        self._ids += [entry.id for entry in entries]
        self._metadata += [dict(e.metadata) if e.metadata else NOTHING for e in entries]
        self._signs.update(self._vectors[: self._size])

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
        self._room = np.empty((_GATHERED, dim), np.float32)
        for name in _COLUMNS:
            setattr(self, name, grown(getattr(self, name), (room,)))


def to_units(vectors: Floats, units: Floats) -> None:
    """Fill `units` with the vectors, each brought to length 1.

    Squares of very large and very small numbers are beyond float32: these are computed in float64.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=units)
    odd = np.flatnonzero(~((lengths > 1 / _SQUARED) & (lengths < _SQUARED)))
    if len(odd):
        exact = vectors[odd].astype(np.float64)
        units[odd] = exact / np.linalg.norm(exact, axis=1, keepdims=True)


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
