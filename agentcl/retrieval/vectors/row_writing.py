"""Writing rows of vectors to files beside all else: nobody who searches or adds waits for it.

The graph, which takes long, is built in memory, of what was held when it began. What is removed meanwhile is kept out of
the files. So no byte of it comes to the disk again, and what was built is not lost. The head is written last: until then
the files of before are those that are read.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import AgentclError, StoreBusy, StoreUnavailable
from agentcl.retrieval.vectors import row_files
from agentcl.retrieval.vectors.exact import FOREVER, Columns
from agentcl.retrieval.vectors.graph_building import Batch, Building
from agentcl.retrieval.vectors.mapped import MappedRows, each, sections
from agentcl.retrieval.vectors.row_files import PARTS, REMOVED, Head

logger = logging.getLogger(__name__)
_BATCH: Final = 5_000
FAILURES: Final = (*row_files.UNREADABLE, AgentclError, RuntimeError)  # the last by the library
Erased = Callable[
    [int], Collection[str]
]  # the ids of what was erased since a number of the journal
Mask = NDArray[np.bool_]


class RowWriter:
    """Writes one generation of files in a thread, which begins at once and refers to no index.

    Args:
        folder: of the files.
        parts: what they are to hold.
        collection: of which memory, and which epoch of its vectors.
        watermark: up to which number of the journal `parts` are.
        held: the file of a graph that has the first rows of `parts`, and how many; the new one begins with it.
        mode: of the files.
        erased: what to keep out of them besides what `remove` is told.
        open: opens files that were written.
    """

    def __init__(
        self,
        folder: Path,
        parts: Sequence[Columns],
        *,
        collection: str,
        watermark: int,
        held: tuple[Path, int] | None,
        mode: int | None,
        erased: Erased,
        open: Callable[[Head], MappedRows],
    ) -> None:
        self._folder, self._parts = folder, parts
        self._collection, self._watermark = collection, watermark
        self._held, self._mode, self._erased, self._open = held, mode, erased, open
        self._building = Building()
        self._is_stopped = threading.Event()
        self._removed: set[str] = set()
        # What came of it, once it is done.
        self.base: MappedRows | None = None
        self.is_busy = False  # another process is at it
        self.rows = sum(len(part.vectors) for part in parts)
        self._thread = threading.Thread(target=self._run, name="agentcl-index", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it ended; `base` says whether files came of it."""
        return not self._thread.is_alive()

    def remove(self, ids: Collection[str]) -> None:
        """Keep every version of these records out of the files."""
        self._removed |= set(ids)

    def wait(self) -> None:
        """Wait until it is done; if whoever waits is interrupted, it is stopped."""
        try:
            self._thread.join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Give up, which leaves the files of before, and wait until that is done."""
        self._is_stopped.set()
        self._building.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            with row_files.turn(self._folder, "building", mode=self._mode, wait=False):
                graph = self._graph()
                with row_files.turn(
                    self._folder,
                    "writing",
                    mode=self._mode,
                    wait=True,
                    should_stop=self._is_stopped.is_set,
                ):
                    self.base = self._written(graph)
        except StoreBusy:
            self.is_busy = True
        except FAILURES as error:
            if not self._is_stopped.is_set():
                logger.warning("the index is not written to %s: %s", self._folder, error)
        finally:
            self._parts = ()

    def _graph(self) -> bytearray:
        """Return the graph of before with what is new in it, or, without one, a new one."""
        path, first = self._held or (None, 0)
        if path is not None and not path.exists():  # another process wrote files since
            path, first = None, 0
        starts = np.cumsum([0, *(len(part.vectors) for part in self._parts)]).tolist()
        chosen = [
            (part, start, np.flatnonzero(part.numbers["ended"] == FOREVER))
            for part, start in zip(self._parts, starts, strict=False)
            if start >= first
        ]

        def batches() -> Iterator[Batch]:
            for part, start, live in chosen:
                for some in each(live, _BATCH):
                    yield (some + start).astype(np.uint64), part.vectors[some]

        count = first + sum(len(live) for _, _, live in chosen)
        dim = self._parts[-1].vectors.shape[1]
        return self._building.graph(batches(), dim=dim, count=count, held=path)

    def _written(self, graph: bytearray) -> MappedRows:
        """Write all files, let them be those that are read, and open them."""
        generation = secrets.token_hex(8)
        logger.info("writing %d vectors to %s", self.rows, self._folder)
        row_files.sweep(self._folder)  # what one left that was killed
        try:
            head, removed = self._files(generation, graph)
            row_files.write_head(self._folder, head, mode=self._mode)
        except BaseException:
            for part in PARTS:
                with suppress(OSError):
                    (self._folder / f"{generation}.{part}").unlink(missing_ok=True)
            raise
        late = {*self._removed, *self._erased(self._watermark)} - removed
        row_files.remove(self._folder, late, mode=self._mode)
        row_files.sweep(self._folder)
        return self._open(row_files.read_head(self._folder))

    def _files(self, generation: str, graph: bytearray) -> tuple[Head, set[str]]:
        """Write all files but the head; return it, and the ids of what was kept out."""
        parts, removed = self._parts, {*self._removed, *self._erased(self._watermark)}
        texts = [part.texts() for part in parts]
        gone = [_gone(*one, removed) for one in zip(parts, texts, strict=True)]
        for part, is_gone in zip(parts, gone, strict=True):
            part.numbers["ended"][is_gone] = REMOVED
        texts = [_without(*one) for one in zip(texts, gone, strict=True)]
        paths = {part: self._folder / f"{generation}.{part}" for part in PARTS}
        rows, dim = self.rows, parts[-1].vectors.shape[1]
        self._check()
        row_files.write_vectors(
            paths["vectors"], [part.vectors for part in parts], gone, mode=self._mode
        )
        self._check()
        whole = np.frombuffer(graph, np.uint8)
        slots = row_files.slots(whole, rows)
        row_files.hide(whole, slots[np.concatenate(gone)], dim)
        row_files.write_graph(paths["graph"], whole, mode=self._mode)
        self._check()
        vectors = np.memmap(paths["vectors"], np.dtype("<f4"), "r", shape=(rows, dim))
        arrays, scopes, kinds = sections(parts, texts, vectors, slots)
        places = row_files.write_sections(paths["rows"], arrays, mode=self._mode)
        self._check()
        digest = row_files.digest(paths["graph"])
        head = Head(
            generation, self._collection, self._watermark, rows, dim, scopes, kinds, places, digest
        )
        return head, removed

    def _check(self) -> None:
        if self._is_stopped.is_set():
            raise StoreUnavailable("it was stopped")


Texts = tuple[Sequence[bytes], Sequence[bytes]]


def _gone(part: Columns, texts: Texts, removed: set[str]) -> Mask:
    """Return which rows nobody may see any more: of some records, or cleared before, also in files by others."""
    ids = {id.encode() for id in removed}
    of_these = np.fromiter((not id or id in ids for id in texts[0]), bool, len(texts[0]))
    mask: Mask = of_these | (part.numbers["ended"] == REMOVED)
    return mask


def _without(texts: Texts, gone: Mask) -> Texts:
    ids, metadata = list(texts[0]), list(texts[1])
    for row in np.flatnonzero(gone).tolist():
        ids[row] = metadata[row] = b""
    return ids, metadata
