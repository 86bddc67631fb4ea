"""The graph of an index, built in a process of its own.

The library keeps Python's lock while it works, which is a millisecond for each vector: every search would wait. A process
can also be ended at once, and what breaks in it breaks nothing else.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import ProcessFailed, StoreUnavailable, needs
from agentcl.process import ChildProcess

with needs("the index 'usearch'", "usearch"):
    from usearch.index import Index as Library

_LINKS: Final = 16
_LOOKED_AT: Final = 128  # neighbours, when one is put into the graph
_MOST_THREADS: Final = 4
_HERE: Final = 1_000  # vectors; to build a graph of fewer takes less than to start a process
_LATER: Final = 5  # how much sooner the system serves who searches than who builds
Batch = tuple[NDArray[np.uint64], NDArray[np.float32]]  # keys, and vectors of the shape (n, dim)


class Building:
    """Builds one graph; another thread may stop it."""

    def __init__(self) -> None:
        self._child: ChildProcess | None = None
        self._lock = threading.Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """End it, whatever it does; `graph` raises then."""
        with self._lock:
            self._is_stopped = True
            if self._child is not None:
                self._child.kill()

    def graph(self, batches: Iterable[Batch], *, dim: int, count: int, held: Path | None) -> bytearray:  # fmt: skip
        """Return a graph as the library writes it to a file.

        Args:
            batches: what is put in.
            dim: of the vectors.
            count: how many there are in all.
            held: the file of a graph that it begins with; default: an empty one.

        Raises:
            StoreUnavailable: if it was stopped, or the process that builds it ended.
            OSError, RuntimeError: if `held` cannot be read.
        """
        if count < _HERE:
            return _built(batches, dim=dim, held=held)
        with self._lock:
            if self._is_stopped:
                raise StoreUnavailable("it was stopped")
            child = self._child = _started(dim, held)
        try:
            return _asked(child, batches)
        except OSError as error:  # it ended while it was written to
            child.wait(1.0)
            why = "it was stopped" if self._is_stopped else f"{child.fate()}: {child.tail(300)}"
            raise StoreUnavailable(f"the graph was not built ({why})") from error
        finally:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                with suppress(OSError):  # what was left to write has nobody to read it
                    pipe.close()


def _started(dim: int, held: Path | None) -> ChildProcess:
    command = [sys.executable, "-m", __name__, str(dim), str(held or "")]
    path = os.pathsep.join(filter(None, sys.path))  # the same agentcl as here
    try:
        return ChildProcess(command, variables={"PYTHONPATH": path}, is_piped=True)
    except ProcessFailed as error:
        raise StoreUnavailable(f"the graph was not built: {error}") from error


def _asked(child: ChildProcess, batches: Iterable[Batch]) -> bytearray:
    assert child.stdin is not None
    assert child.stdout is not None
    for keys, vectors in batches:
        child.stdin.write(len(keys).to_bytes(8, "little"))
        child.stdin.write(np.ascontiguousarray(keys).data)
        child.stdin.write(np.ascontiguousarray(vectors).data)
    child.stdin.write(bytes(8))
    child.stdin.flush()
    size = child.stdout.read(8)
    graph = bytearray(int.from_bytes(size, "little"))
    if len(size) < 8 or child.stdout.readinto(graph) < len(graph):  # type: ignore[attr-defined]
        raise BrokenPipeError
    return graph


def _built(batches: Iterable[Batch], *, dim: int, held: Path | None) -> bytearray:
    library: Any = Library(
        ndim=dim, metric="cos", dtype="i8", connectivity=_LINKS, expansion_add=_LOOKED_AT,
    )  # fmt: skip
    if held is not None:
        library.load(str(held))
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    for keys, vectors in batches:
        # Two threads that begin a graph may each link what the other one does not reach.
        is_small = len(library) < _HERE
        library.add(keys, vectors, threads=1 if is_small else threads)
    made: bytearray = library.save()
    return made


def _sent(dim: int) -> Iterable[Batch]:
    """Yield what the other process sends; it ends this one if that is gone."""
    while count := int.from_bytes(_read(8), "little"):
        keys = np.frombuffer(_read(8 * count), np.uint64)
        yield keys, np.frombuffer(_read(4 * dim * count), np.float32).reshape(count, dim)


def _read(size: int) -> bytes:
    found = sys.stdin.buffer.read(size)
    if len(found) < size:
        sys.exit(1)
    return found


def _main() -> None:
    with suppress(OSError, AttributeError):  # AttributeError: not every system has it
        os.nice(_LATER)
    dim, held = int(sys.argv[1]), sys.argv[2]
    graph = _built(_sent(dim), dim=dim, held=Path(held) if held else None)
    sys.stdout.buffer.write(len(graph).to_bytes(8, "little"))
    sys.stdout.buffer.write(graph)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
