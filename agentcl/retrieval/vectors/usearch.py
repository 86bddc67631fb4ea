"""Dense search by usearch: for so many vectors that comparing all of them takes too long.

What is new is held in this process's memory, as the index "exact" holds all. When that has grown by an eighth, it is
written to files together with a graph of what is live, beside all else, and these are mapped into memory from then on, by
every process that opens the memory. A process reads from the journal what came after them. Nothing of it is shared between
processes but files that are whole. One of them at a time builds new ones, and none waits for it.

Much that is new is written in pieces, each of which is added to the files of the one before. So `close` need not wait for
all, and a process that is killed loses one piece. Whoever opens the memory next goes on.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl.errors import StoreBusy, StoreCorrupt, StoreUnavailable, needs
from agentcl.retrieval.index import Change, Match, Query, Sizes
from agentcl.retrieval.vectors import row_files
from agentcl.retrieval.vectors.exact import Columns, ExactIndex, Floats, Rows
from agentcl.retrieval.vectors.mapped import MappedRows
from agentcl.retrieval.vectors.row_files import Head
from agentcl.retrieval.vectors.row_writing import FAILURES, Erased, RowWriter
from agentcl.text.saving import make_folder

with needs("the index 'usearch'", "usearch"):
    from usearch.index import Index as Library

logger = logging.getLogger(__name__)
WRITE_FROM: Final = 20_000  # rows that are new; fewer are compared in a millisecond
EXACT_BELOW: Final = 20_000  # rows that a query may see: so many are all compared
PIECE: Final = 20_000  # rows that are new and are written at once at the most ...
_OF_HELD: Final = (
    4  # ... or one in so many of those in files: these are written again with each piece
)
_GROWN: Final = 8  # files are written anew when what is new is one in so many of what they hold
_WIDTH: Final = 512  # neighbours that a walk through it looks at (`benchmarks/ann_libraries.py`)
_BATCH: Final = 1_000
_PATIENCE_S: Final = 60.0  # of who closes it
_REST_S: Final = 5.0  # before it is tried again, where another process builds files


class UsearchIndex:
    """The contract of `Index` for vectors. A score is a cosine, and always an exact one.

    Args:
        collection: which memory this is, and which epoch of its vectors; files of another are made anew.
        folder: where its files lie.
        mode: of these files; default: as the umask leaves it.
        write_from: how many new rows are written to files.
        exact_below: how many rows that a query may see are all compared.
        piece: about how many new rows are written at once at the most, while files hold few.
        patience_s: after which `close` begins no piece any more.
        is_read_only: use the files that there are, and change none.

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
        piece: int = PIECE,
        patience_s: float = _PATIENCE_S,
        is_read_only: bool = False,
    ) -> None:
        self._collection = collection
        self.folder = folder
        self._mode = mode
        self._write_from = write_from
        self._exact_below = exact_below
        self._piece, self._patience_s = piece, patience_s
        self._lock = threading.RLock()
        self._writer: RowWriter | None = None
        self._erased: Erased | None = None  # as `keep` was told last
        self._damage = ""  # why files could not be used
        self._is_read_only = is_read_only
        if not is_read_only:
            make_folder(folder)
        self._reset()

    def close(self) -> None:
        """Write the pieces that are due, then release files and memory; calling it twice is allowed.

        After a minute no piece is begun any more.
        """
        until = time.monotonic() + self._patience_s
        rows = -1  # in files: if these get no more of them, nothing can be written
        self.finish()
        while self._erased and self._in_files() > rows and time.monotonic() < until:
            rows = self._in_files()
            self.keep(self._erased)
            self.finish()
        with self._lock:
            self._reset()

    def _reset(self) -> None:
        self.stop()
        self._stamp: object = ()  # of the head that was read: none yet
        self._watermark = 0
        self._base: MappedRows | None = None
        self._layers = [ExactIndex()]  # what is not in files; the last one takes what is new
        self._uncleared: set[str] = set()  # ids of what was removed, but not from the files yet
        self._again_at = 0  # new rows with which writing is tried again after it failed ...
        self._rests_until = 0.0  # ... and when, after another process was at it

    def __len__(self) -> int:
        """Return how many versions of entries it holds."""
        return sum(map(len, self._held()))

    def watermark(self) -> int:
        """Return the number of the last change applied, by this process or in the files that another one wrote."""
        with self._lock:
            self._look()
            return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            self._look()
            if since <= self._watermark:
                self._apply(changes)
                self._watermark = max(self._watermark, watermark)

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`; `keep` writes files of them."""
        with self._lock:
            self._reset()
            self._delete()
            iterator = iter(changes)
            while batch := list(islice(iterator, _BATCH)):
                self._apply(batch)
                self._watermark = batch[-1].seq
            self._watermark = watermark

    def remove(self, ids: Collection[str]) -> None:
        """Take every version of these records away, out of the files too, unless these are being written now."""
        with self._lock:
            for held in self._held():
                held.remove(ids)
            if self._writer is not None:
                self._writer.remove(ids)
            self._uncleared |= set(ids)
            with suppress(StoreBusy):  # `clear` waits
                self._clear_files(wait=False)
            if self._base is None:
                return
            is_gone = row_files.stamp(self.folder) is None
            if is_gone or 2 * len(self._base) < self._base.head.rows:
                self._reset()
                self._delete()

    def clear(self) -> None:
        """Clear the files of what was removed, and delete those that nobody reads any more."""
        self._clear_files(wait=True)

    def keep(self, erased: Erased = lambda since: ()) -> None:
        """Begin to write files, beside all else, if much is new and nobody is at it.

        Args:
            erased: gives the ids of what was erased since a number of the journal; it is kept out of the files.
        """
        with self._lock:
            self._erased = erased
            self._look()
            if self._uncleared:
                with suppress(StoreBusy):
                    self._clear_files(wait=False)
            is_due = sum(map(len, self._layers)) >= self._due()
            if (
                not self._is_read_only
                and self._writer is None
                and is_due
                and time.monotonic() >= self._rests_until
            ):
                self._begin(erased)

    def finish(self) -> None:
        """Wait until the files are written that are being written."""
        writer = self._writer
        if writer is not None:
            writer.wait()
            with self._lock:
                self._look()

    @property
    def is_writing(self) -> bool:
        """Whether files are being written now."""
        return self._writer is not None and not self._writer.is_done

    def stop(self) -> None:
        """Give up files that are being written; those of before stay, and `close` begins none."""
        with self._lock:
            self._erased = None
            if self._writer is not None:
                self._writer.stop()
                self._leave()

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the entries of the highest cosine, as far as the graph finds them."""
        with self._lock:
            self._look()
            found = [match for held in self._held() for match in held.search(query, limit=limit)]
            return sorted(found, key=lambda match: (-match.score, match.seq))[:limit]

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live entries."""
        with self._lock:
            self._look()
            return [seq for held in self._held() for seq in held.live_seqs()]

    def sizes(self) -> Sizes:
        """Return what it takes of this process's memory, and the size of its files."""
        with self._lock:
            held = [one.sizes() for one in self._held()]
            return Sizes(sum(one.memory for one in held), sum(one.disk for one in held))

    def tell(self, last: int) -> Sequence[str]:
        """Say in words how its files are, where the journal ends at `last`, and what to do."""
        with self._lock:
            self._look()
            told = []
            if self._damage:
                told.append(f"its files could not be used ({self._damage}); it is made anew from the journal, and there is nothing to do")  # fmt: skip
            new = sum(map(len, self._layers))
            if self._base is None:
                state = f"it has no files, and holds {new:,} vectors in memory"
            else:
                head, size = self._base.head, self.sizes().disk / 1e6
                state = f"its files hold {head.rows:,} vectors in {size:,.1f} MB"
                if (lag := last - head.watermark) > 0:
                    state += f" and lag by {lag:,} records, which every process reads from the journal when it begins"  # fmt: skip
            if self.is_writing:
                told.append(f"{state}; new files are being written now")
            elif self._is_read_only:
                told.append(f"{state}; the folder is only read, so none are written")
            else:
                told.append(f"{state}; files are written when {self._due():,} vectors are new")
            return told

    def _due(self) -> int:
        """Return with how many new rows files are written."""
        return max(self._write_from, self._in_files() // _GROWN, self._again_at)

    def _in_files(self) -> int:
        """Return how many rows the files have that are read."""
        return 0 if self._base is None else self._base.head.rows

    def _held(self) -> list[ExactIndex]:
        return [*([] if self._base is None else [self._base]), *self._layers]

    def _apply(self, changes: Sequence[Change]) -> None:
        fresh = [change for change in changes if change.seq > self._watermark]
        if not fresh:
            return
        ends = [change._replace(added=None) for change in fresh]
        if self._base is not None:
            self._base.end(fresh)
        if len(self._layers[-1]) >= self._piece and not self._is_read_only:
            self._layers.append(ExactIndex())  # it is written, and dropped, whole
        for layer in self._layers[:-1]:
            layer.apply(ends, watermark=ends[-1].seq)
        self._layers[-1].apply(fresh, watermark=fresh[-1].seq)

    # Files

    def _begin(self, erased: Erased) -> None:
        base, is_fit = self._base, False
        if base is not None:  # a graph that holds mostly what ended is made anew
            is_fit = 2 * base.dead() < base.head.rows
        parts, watermark = self._next()
        self._writer = RowWriter(
            self.folder,
            parts,
            collection=self._collection,
            watermark=watermark,
            held=(base.head.path(self.folder, "graph"), base.head.rows)
            if base and is_fit
            else None,
            mode=self._mode,
            erased=erased,
            open=self._opener(),
        )
        self._ending = weakref.finalize(self, self._writer.stop)  # at the latest when Python ends
        self._layers.append(ExactIndex())

    def _next(self) -> tuple[list[Columns], int]:
        """Return what the next files are to hold, and up to which number of the journal that is."""
        held = [] if self._base is None else [self._base.columns()]
        most = max(self._piece, self._in_files() // _OF_HELD)
        new: list[Columns] = []
        for layer in self._layers:
            part = layer.columns()
            most -= len(part.vectors)
            if new and most < 0:
                return [*held, *new], int(new[-1].numbers["seqs"][-1])
            if len(part.vectors):
                new.append(part)
        return [*held, *new], self._watermark

    def _leave(self) -> RowWriter:
        """Return the writer, which has ended."""
        assert self._writer is not None
        writer, self._writer = self._writer, None
        self._ending.detach()  # it would keep the files open
        return writer

    def _look(self) -> None:
        """Go on with files that were written last, by this process or another one, if they hold more."""
        if self._writer is not None and self._writer.is_done:
            writer = self._leave()
            if writer.base is not None:
                self._again_at = 0
                self._take(writer.base)
            elif writer.is_busy:
                self._rests_until = time.monotonic() + _REST_S
            else:
                self._again_at = 2 * sum(map(len, self._layers))
        stamp = row_files.stamp(self.folder)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            head = row_files.glance(self.folder, self._collection)
            if head is None:
                return
            if self._base is not None and head.generation == self._base.head.generation:
                self._base.remove(())  # somebody cleared rows
                return
            # It looks at all of the graph
            head = row_files.read(self.folder, self._collection) if self._is_more(head) else None
            if head is not None:
                self._take(self._opener()(head))
        except FAILURES as error:
            self._damage = str(error)
            logger.warning("%s cannot be used (%s); it is made anew", self.folder, error)

    def _is_more(self, head: Head) -> bool:
        return self._base is None or head.watermark > self._base.head.watermark

    def _take(self, base: MappedRows) -> None:
        """Go on with files; what came after them stays in memory."""
        mark = base.head.watermark
        if not self._is_more(base.head):
            return
        if mark < self._watermark:
            base.end_as(self._held())
            for layer in self._layers:
                layer.drop_until(mark)
            last = self._layers.pop()
            self._layers = [*(layer for layer in self._layers if len(layer)), last]
        else:
            self._layers, self._watermark = [ExactIndex()], mark
        self._base = base

    def _opener(self) -> Callable[[Head], MappedRows]:
        """Return what opens files, without a reference to this index."""
        folder, exact_below = self.folder, self._exact_below
        return lambda head: _opened(folder, head, exact_below=exact_below)

    def _clear_files(self, *, wait: bool) -> None:
        """Clear from the files that are read now what was removed: another process may have written them since ours."""
        if self._is_read_only:
            return
        with row_files.turn(self.folder, "writing", mode=self._mode, wait=wait):
            removed = set(self._uncleared)
            if row_files.stamp(self.folder) is not None:
                try:
                    row_files.remove(self.folder, removed, mode=self._mode)
                except row_files.UNREADABLE as error:
                    logger.warning("%s cannot be cleared row by row (%s)", self.folder, error)
                    self._delete_files()
            if wait:
                row_files.sweep(self.folder)
            self._uncleared -= removed

    def _delete(self) -> None:
        if self._is_read_only:
            self._stamp = row_files.stamp(self.folder)  # they are not looked at again
            return
        with row_files.turn(self.folder, "writing", mode=self._mode, wait=True):
            self._delete_files()

    def _delete_files(self) -> None:
        try:
            row_files.delete(self.folder)
        except OSError as error:
            raise StoreUnavailable(f"cannot keep an index in {self.folder}: {error}") from error
        self._stamp = row_files.stamp(self.folder)


def _opened(folder: Path, head: Head, *, exact_below: int) -> MappedRows:
    library: Any = Library.restore(
        str(head.path(folder, "graph")), view=True
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

    return MappedRows(folder, head, near, exact_below=exact_below)
