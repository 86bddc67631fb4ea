"""Dense search by usearch: for so many vectors that comparing all of them takes too long.

What is new is held in this process's memory, as the index "exact" holds all. When that has grown by an eighth, it is
written to files together with a graph of what is live, and these are mapped into memory from then on, by every process
that opens the memory. A process reads from the journal what came after them. Nothing of it is shared between
processes but files that are whole, so none waits for another.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl.errors import StoreCorrupt, StoreUnavailable, needs
from agentcl.retrieval import row_files
from agentcl.retrieval.exact import FOREVER, Columns, ExactIndex, Floats, Rows
from agentcl.retrieval.index import Change, Match, Query
from agentcl.retrieval.mapped import MappedRows, each, sections
from agentcl.retrieval.row_files import PARTS, Head
from agentcl.text.saving import create, make_folder

with needs("the index 'usearch'", "usearch"):
    from usearch.index import Index as Library

logger = logging.getLogger(__name__)
WRITE_FROM: Final = 20_000  # rows that are new; fewer are compared in a millisecond
EXACT_BELOW: Final = 20_000  # rows that a query may see: so many are all compared
_GROWN: Final = 8  # files are written anew when what is new is one in so many of what they hold
_LINKS: Final = 16
_LOOKED_AT: Final = 128  # neighbours, when one is put into the graph
_WIDTH: Final = 512  # neighbours that a walk through it looks at (`benchmarks/ann_libraries.py`)
_MOST_THREADS: Final = 4
_BATCH: Final = 1_000
_ADDED: Final = 5_000
_UNREADABLE: Final = (*row_files.UNREADABLE, RuntimeError)  # the latter by the library


class UsearchIndex:
    """The contract of `Index` for vectors. A score is a cosine, and always an exact one.

    Args:
        collection: which memory this is, and which epoch of its vectors; files of another are made anew.
        folder: where its files lie.
        mode: of these files; default: as the umask leaves it.
        write_from: how many new rows are written to files.
        exact_below: how many rows that a query may see are all compared.

    Raises:
        MissingExtra: on import, if usearch is not installed.
    """

    name = "usearch"

    def __init__(
        self,
        collection: str,
        folder: Path,
        *,
        mode: int | None = None,
        write_from: int = WRITE_FROM,
        exact_below: int = EXACT_BELOW,
    ) -> None:
        self._collection = collection
        self._folder = folder
        self._mode = mode
        self._write_from = write_from
        self._exact_below = exact_below
        self._lock = threading.RLock()
        self._is_written = False  # whether files were written since `keep` was last asked
        self._again_at = 0  # new rows with which writing is tried again after it failed
        make_folder(folder)
        self.close()

    def close(self) -> None:
        """Release files and memory; calling it twice is allowed."""
        with self._lock:
            self._stamp: object = ()  # of the head that was read: none yet
            self._watermark = 0
            self._base: MappedRows | None = None
            self._new = ExactIndex()

    def __len__(self) -> int:
        """Return how many versions of entries it holds."""
        return len(self._new) + (0 if self._base is None else len(self._base))

    def watermark(self) -> int:
        """Return the number of the last change applied, by this process or in the files that another one wrote."""
        with self._lock:
            self._look()
            return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            self._look()
            self._apply(changes)
            self._watermark = max(self._watermark, watermark)

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`; what is large goes to files meanwhile."""
        with self._lock:
            self.close()
            self._delete()
            iterator = iter(changes)
            while batch := list(islice(iterator, _BATCH)):
                self._apply(batch)
                self._watermark = batch[-1].seq
                if len(self._new) >= max(self._write_from, 0 if self._base is None else len(self._base)):  # fmt: skip
                    self._write()
            self._watermark = watermark

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away, out of the files too."""
        with self._lock:
            self._new.remove(ids)
            if self._base is not None:
                self._base.remove(ids)
            # Those that are read now: another process may have written them since ours.
            if row_files.stamp(self._folder) is not None:
                try:
                    row_files.remove(self._folder, ids, mode=self._mode)
                except _UNREADABLE as error:
                    logger.warning("%s cannot be cleared row by row (%s)", self._folder, error)
                    self._delete()
            if self._base is None:
                return
            is_gone = row_files.stamp(self._folder) is None
            if is_gone or 2 * len(self._base) < self._base.head.rows:
                self.close()
                self._delete()

    def clear(self) -> None:
        """Delete the files that nobody reads any more."""
        row_files.sweep(self._folder)

    def keep(self) -> bool:
        """Write files if much is new; return whether any were written since this was last asked."""
        with self._lock:
            held = 0 if self._base is None else self._base.head.rows
            if len(self._new) >= max(self._write_from, held // _GROWN, self._again_at):
                self._write()
            is_written, self._is_written = self._is_written, False
            return is_written

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine, as far as the graph finds them."""
        with self._lock:
            self._look()
            found = self._new.search(query, limit=limit)
            if self._base is None:
                return found
            found += self._base.search(query, limit=limit)
            return sorted(found, key=lambda match: (-match.score, match.seq))[:limit]

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock:
            self._look()
            base = () if self._base is None else self._base.live_seqs()
            return [*base, *self._new.live_seqs()]

    # Files

    def _apply(self, changes: Sequence[Change]) -> None:
        fresh = [change for change in changes if change.seq > self._watermark]
        if self._base is not None and fresh:
            self._base.end(fresh)
        self._new.apply(fresh, watermark=fresh[-1].seq if fresh else 0)

    def _look(self) -> None:
        """Open the files that were written last, unless this process is further than they are."""
        stamp = row_files.stamp(self._folder)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        head = row_files.read(self._folder, self._collection)
        if head is None or head.watermark < self._watermark:
            return
        if self._base is not None and self._base.head.generation == head.generation:
            return
        try:
            base = self._opened(head)
        except _UNREADABLE as error:
            logger.warning("%s cannot be used (%s); it is made anew", self._folder, error)
            return
        self._base, self._new, self._watermark = base, ExactIndex(), head.watermark

    def _opened(self, head: Head) -> MappedRows:
        path = head.path(self._folder, "graph")
        library: Any = Library.restore(
            str(path), view=True
        )  # its types know no setter of the width
        if library is None or library.ndim != head.dim or len(library) > head.rows:
            raise StoreCorrupt("its graph is of other rows")

        def near(wanted: Floats, count: int) -> Rows:
            if not len(library):
                return np.empty(0, np.intp)
            library.expansion_search = max(_WIDTH, 2 * count)
            keys = library.search(wanted, min(count, len(library)), threads=1).keys
            rows: Rows = np.sort(np.asarray(keys).astype(np.intp))
            return rows

        return MappedRows(self._folder, head, near, exact_below=self._exact_below)

    def _write(self) -> None:
        """Write all that is held to new files, and go on with these; a full disk leaves those before."""
        generation = secrets.token_hex(8)
        try:
            head = self._written(generation)
            row_files.write_head(self._folder, head, mode=self._mode)
            row_files.sweep(self._folder)
            base = self._opened(head)
        except _UNREADABLE as error:
            logger.warning("the index is not written to %s: %s", self._folder, error)
            self._again_at = 2 * len(self._new)
            for part in PARTS:
                with suppress(OSError):
                    (self._folder / f"{generation}.{part}").unlink(missing_ok=True)
            return
        self._stamp = row_files.stamp(self._folder)
        self._base, self._new = base, ExactIndex()
        self._is_written, self._again_at = True, 0

    def _written(self, generation: str) -> Head:
        parts = [one.columns() for one in (self._base, self._new) if one is not None]
        parts = [part for part in parts if len(part.ids)]
        rows, dim = sum(len(part.ids) for part in parts), parts[-1].vectors.shape[1]
        logger.info("writing %d vectors to %s", rows, self._folder)
        paths = {part: self._folder / f"{generation}.{part}" for part in PARTS}
        row_files.write_vectors(paths["vectors"], [part.vectors for part in parts], mode=self._mode)
        self._write_graph(paths["graph"], parts, dim)
        vectors = np.memmap(paths["vectors"], np.dtype("<f4"), "r", shape=(rows, dim))
        slots = row_files.slots(paths["graph"], rows)
        arrays, scopes, kinds = sections(parts, vectors, slots)
        places = row_files.write_sections(paths["rows"], arrays, mode=self._mode)
        return Head(
            generation, self._collection, self._watermark, rows, dim, scopes, kinds, places,
            row_files.digest(paths["graph"]),
        )  # fmt: skip

    def _write_graph(self, path: Path, parts: Sequence[Columns], dim: int) -> None:
        """Write the graph of before with what is new in it, or, where it holds mostly what ended, a new one."""
        library = Library(
            ndim=dim, metric="cos", dtype="i8", connectivity=_LINKS, expansion_add=_LOOKED_AT,
        )  # fmt: skip
        first = 0
        if self._base is not None and 2 * self._base.dead() < self._base.head.rows:
            held = self._base.head.path(self._folder, "graph")
            if held.exists():  # else another process wrote files since
                library.load(str(held))
                first = self._base.head.rows
        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        place = 0
        for part in parts:
            live = np.flatnonzero(part.numbers["ended"] == FOREVER)
            for some in each(live, _ADDED) if place >= first else ():
                keys: Any = (some + place).astype(np.uint64)
                # Two threads that begin a graph may each link what the other one does not reach.
                is_small = len(library) < _ADDED
                library.add(keys, part.vectors[some], threads=1 if is_small else threads)
            place += len(part.ids)
        with create(path, mode=0o600 if self._mode is None else self._mode):
            pass
        library.save(str(path))

    def _delete(self) -> None:
        try:
            row_files.delete(self._folder)
        except OSError as error:
            raise StoreUnavailable(f"cannot keep an index in {self._folder}: {error}") from error
        self._stamp = row_files.stamp(self._folder)
