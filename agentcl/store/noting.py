"""What a transaction notes beside its rows: whether it was done is then as sure as the rows are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from agentcl.store.writing import Writing

# Told before a transaction ends: the right to write, and the journal's last number before and after it.
Note = Callable[[Writing, int, int], None]
_NOTE: Final[ContextVar[Note | None]] = ContextVar("note", default=None)


@contextmanager
def noting(note: Note) -> Iterator[None]:
    """Let each transaction that is begun inside, by this thread, note something. What it raises undoes the transaction."""
    before = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(before)


def note_of() -> Note | None:
    """Return what the transactions of this thread are to note, for a store."""
    return _NOTE.get()
