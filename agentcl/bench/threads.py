"""How many threads the processes of a run compute with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Let processes that begin meanwhile multiply matrices with so many threads, unless somebody says how many.

    A worker cannot say so itself: the library reads it when it is loaded, which is before a worker's first word. Two that
    each take all processors wait for each other most of the time.
    """
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, str(threads)))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
