"""Rows of vectors that lie in files and are mapped into memory: they are there at once, however many they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import StoreCorrupt
from agentcl.retrieval.index import NOTHING, Change, Query, Sizes
from agentcl.retrieval.vectors import row_files
from agentcl.retrieval.vectors.exact import FOREVER, Columns, ExactIndex, Floats, Rows
from agentcl.retrieval.vectors.row_files import NOWHERE, PARTS, REMOVED, Arrays, Head
from agentcl.retrieval.vectors.sign_bits import SignScan
from agentcl.store.records import SCOPE_FIELDS, Scope

Graph = Callable[
    [Floats, int], Rows
]  # gives the rows of so many vectors near one, of those live when it was made
_CANDIDATES: Final = 100  # that the graph is asked for at the least, to be compared in full ...
_TIMES: Final = 2  # ... so many times the hits that are wanted ...
_MOST: Final = 2_000  # ... and at the most: a filter that lets few through makes it more
_NUMBERS: Final = {"seqs": "<i8", "scope": "<i4", "kind": "<i4", "created": "<i8", "ended": "<i8", "from": "<i8", "to": "<i8"}  # fmt: skip


class MappedRows(ExactIndex):
    """What files hold, searched as `ExactIndex` does; its rows end, and none is added.

    Of many rows a graph finds those that are compared in full. Where a query may see so few of them that the graph had
    to give more than 2,000, their signs find them, or all that it may see are compared.

    Args:
        folder: of the files.
        head: which of them.
        graph: what finds neighbours.
        exact_below: so many rows that a query may see are all compared.

    Raises:
        StoreCorrupt: if the files cannot be what was written.
        OSError: if they cannot be read.
    """

    def __init__(self, folder: Path, head: Head, graph: Graph, *, exact_below: int) -> None:
        super().__init__()
        arrays = row_files.mapped(folder, head)
        _check(head, arrays)
        self.head, self._folder = head, folder
        self._scan_from = exact_below
        self._arrays: Arrays = arrays
        self._graph = graph
        self._watermark, self._size = head.watermark, head.rows
        self._vectors = arrays["vectors"]
        for name in _NUMBERS:
            setattr(self, f"_{name}", arrays[name])
        self._ended = arrays["ended"].copy()
        self._removed = int((self._ended == REMOVED).sum())
        self._is_bounded = bool((self._from > -FOREVER).any() or (self._to < FOREVER).any())
        self._scores = np.empty(self._size, np.float32)
        self._room = np.empty((256, head.dim), np.float32)
        # Read in order only, so that two may be equal: names of scopes that were erased are gone.
        self._scopes = [Scope(*one) for one in head.scopes]  # type: ignore[assignment]
        self._kinds = list(head.kinds)  # type: ignore[assignment]
        self._ids = _Ids(arrays)  # type: ignore[assignment]
        self._metadata = _Metadata(arrays)  # type: ignore[assignment]
        if arrays["words"].size:
            self._signs = SignScan.kept(arrays["words"], arrays["mean"])

    def end(self, changes: Sequence[Change]) -> None:
        """End the live versions of the records that change."""
        at: dict[str, int] = {}
        # A record may change twice, and its live version ends with the first change.
        for change in changes:
            at.setdefault(change.id, change.at)
        rows = row_files.rows_of(self._arrays, list(at))
        for row in rows:
            if self._ended[row] == FOREVER:
                self._ended[row] = at[self._ids[row]]
        if rows:
            self._selections.clear()

    def remove(self, ids: Collection[str]) -> None:
        """Let nobody see any version of these records; `row_files.remove` clears the files."""
        rows = row_files.rows_of(self._arrays, list(ids))
        # Somebody else may have cleared them in the files, where their ids are gone then.
        cleared = np.flatnonzero((self._arrays["ended"] == REMOVED) & (self._ended != REMOVED))
        gone = [*rows, *cleared.tolist()]
        if gone:
            self._ended[gone] = REMOVED
            self._selections.clear()
            self._removed = int((self._ended == REMOVED).sum())

    def dead(self) -> int:
        """Return how many rows ended or were removed."""
        return int((self._ended != FOREVER).sum())

    def end_as(self, others: Sequence[ExactIndex]) -> None:
        """End rows as others have them, which have seen what came later; what these do not hold was removed."""
        parts = [one.ends() for one in others]
        seqs = np.concatenate([held for held, _ in parts])
        ended = np.concatenate([held for _, held in parts])
        places = np.searchsorted(seqs, self._seqs).clip(max=max(0, len(seqs) - 1))
        is_held = seqs[places] == self._seqs if len(seqs) else np.zeros(self._size, bool)
        known = np.where(is_held, ended[places] if len(seqs) else REMOVED, REMOVED)
        self._ended = np.where(self._ended == REMOVED, REMOVED, known)
        self._removed = int((self._ended == REMOVED).sum())
        self._selections.clear()

    def sizes(self) -> Sizes:
        """Return what it takes of this process's memory, and the size of its files."""
        files = (self.head.path(self._folder, part) for part in PARTS)
        disk = sum(path.stat().st_size for path in files if path.exists())
        return Sizes(self._ended.nbytes + self._scores.nbytes + self._room.nbytes, disk)

    def columns(self) -> Columns:
        """Return what it holds of every row, for files; `texts` are as the files have them when it is called."""
        numbers = {name: getattr(self, f"_{name}")[: self._size] for name in _NUMBERS}
        numbers["ended"] = self._ended.copy()
        arrays = self._arrays

        def texts() -> tuple[Sequence[bytes], Sequence[bytes]]:
            ends, whole = arrays["metadata_ends"].tolist(), arrays["metadata"].tobytes()
            metadata = [whole[ends[n] : ends[n + 1]].strip() for n in range(len(ends) - 1)]
            return arrays["ids"].tolist(), metadata

        return Columns(self._vectors, numbers, texts, list(self._scopes), list(self._kinds))

    def _near(self, query: Query, wanted: Floats, rows: Rows | None, limit: int) -> Rows | None:
        count = self._size if rows is None else len(rows)
        asked = max(_CANDIDATES, _TIMES * limit) * self._size // count
        if query.at is None and asked <= _MOST:
            near = self._graph(wanted, asked)
            if rows is not None:
                places = np.searchsorted(rows, near).clip(max=count - 1)
                near = near[rows[places] == near]
            if len(near) >= min(limit, count):
                return near
        return super()._near(query, wanted, rows, limit)


class _Ids(Sequence[str]):
    """The ids of rows, read where they lie."""

    def __init__(self, arrays: Arrays) -> None:
        self._held = arrays["ids"]

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, row: Any) -> Any:  # noqa: ANN401  # one row, or a slice
        if isinstance(row, slice):
            return [id.decode() for id in self._held[row].tolist()]
        return self._held[row].decode()


class _Metadata(Sequence[Mapping[str, Any]]):
    """The metadata of rows, read where it lies."""

    def __init__(self, arrays: Arrays) -> None:
        self._held, self._ends = arrays["metadata"], arrays["metadata_ends"]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: Any) -> Any:  # noqa: ANN401  # one row, or a slice
        if isinstance(row, slice):
            return [self[n] for n in range(*row.indices(len(self)))]
        text = self._held[self._ends[row] : self._ends[row + 1]].tobytes().strip()
        held = json.loads(text) if text else NOTHING
        if not isinstance(held, Mapping):
            raise StoreCorrupt("the metadata of a row is no object")
        return held


def sections(
    parts: Sequence[Columns],
    texts: Sequence[tuple[Sequence[bytes], Sequence[bytes]]],
    vectors: Floats,
    slots: NDArray[np.uint32],
) -> tuple[dict[str, NDArray[Any]], list[list[str]], list[str]]:
    """Return the arrays of rows, those of each part behind those of the one before, and their scopes and kinds.

    Args:
        parts: what is held.
        texts: ids and metadata of each part.
        vectors: those of all parts.
        slots: where in the graph each is.
    """
    scopes: dict[Scope, int] = {}
    kinds: dict[str, int] = {}
    codes: dict[str, list[NDArray[Any]]] = {name: [] for name in _NUMBERS}
    for part in parts:
        ours = {
            "scope": np.array([scopes.setdefault(s, len(scopes)) for s in part.scopes], np.int32),
            "kind": np.array([kinds.setdefault(k, len(kinds)) for k in part.kinds], np.int32),
        }
        for name, numbers in part.numbers.items():
            codes[name].append(ours[name][numbers] if name in ours else numbers)
    ids = [id for own, _ in texts for id in own]
    metadata = [one for _, own in texts for one in own]
    hashes = row_files.hashes(ids)
    order = np.argsort(hashes, kind="stable").astype(np.uint32)
    signs = SignScan()
    signs.update(vectors)
    words, mean = signs.parts()
    return (
        {
            **{name: np.concatenate(some).astype(_NUMBERS[name]) for name, some in codes.items()},
            "ids": np.array(ids, f"S{max(1, *map(len, ids))}"),
            "hashes": hashes[order],
            "order": order,
            "metadata": np.frombuffer(b"".join(metadata), np.uint8),
            "metadata_ends": np.cumsum([0, *map(len, metadata)], dtype=np.int64),
            "words": words,
            "mean": mean,
            "slots": slots,
        },
        [[getattr(scope, name) for name in SCOPE_FIELDS] for scope in scopes],
        list(kinds),
    )


def _check(head: Head, arrays: Arrays) -> None:
    """Raise StoreCorrupt unless everything that is named is there."""
    rows, ends = head.rows, arrays["metadata_ends"]
    is_whole = (
        rows > 0
        and all(arrays[n].shape == (rows,) for n in (*_NUMBERS, "ids", "hashes", "order", "slots"))
        and all(arrays[name].dtype == np.dtype(dtype) for name, dtype in _NUMBERS.items())
        and ends.shape == (rows + 1,)
        and ends[0] == 0
        and ends[-1] == len(arrays["metadata"])
        and bool((np.diff(ends) >= 0).all())
        and bool((np.diff(arrays["seqs"]) > 0).all())
        and bool((np.diff(arrays["hashes"].view(np.uint64)) >= 0).all())
        and int(arrays["order"].max()) < rows
        and bool(((arrays["slots"] < rows) | (arrays["slots"] == NOWHERE)).all())
    )
    for name, names in (("scope", head.scopes), ("kind", head.kinds)):
        lowest, highest = int(arrays[name].min()), int(arrays[name].max())
        is_whole = is_whole and lowest >= 0 and highest < len(names)
    if not is_whole:
        raise StoreCorrupt("its rows are not what was written")


def each(array: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """Yield an array in pieces of so many rows."""
    for start in range(0, len(array), size):
        yield array[start : start + size]
