"""What a search compares statements by: their words and their vectors, each read once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import StoreCorrupt
from agentcl.store.base import Store
from agentcl.store.conversations import Statement
from agentcl.text.terms import terms

_MOST_VECTORS: Final = 50_000
_GROW: Final = 1.5  # times the rows that are needed, so that few additions make room anew
_AT_ONCE: Final = 256  # vectors that are compared at once: they stay in the processor's cache


class Compared:
    """Statements with what a search compares of them.

    Args:
        statements: among which it looks.
    """

    def __init__(self, statements: Sequence[Statement]) -> None:
        self.statements = statements

    @cached_property
    def texts(self) -> Sequence[frozenset[str]]:
        """The terms of each."""
        return [_terms_of(one.text, one.slot, one.value) for one in self.statements]

    @cached_property
    def versions(self) -> Sequence[tuple[str, int]]:
        """The id and the version of each."""
        return [(one.id, one.version) for one in self.statements]


@lru_cache(maxsize=50_000)
def _terms_of(text: str, slot: str, value: str) -> frozenset[str]:
    return frozenset(terms(f"{text} {slot} {value}"))


def forget() -> None:
    """Drop what was read of statements: some of them were forgotten."""
    _terms_of.cache_clear()


class StatementVectors:
    """The vectors of statements, each read once, in one matrix. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Drop all: some of it was forgotten, or is of another encoder."""
        with self._lock:
            self._begin(0, 0)

    def _begin(self, epoch: int, dim: int) -> None:
        self._epoch = epoch
        self._rows: dict[tuple[str, int], int] = {}  # by id and version
        self._matrix = np.zeros((0, dim), np.float32)
        self._norms = np.zeros(0, np.float32)

    def cosines(self, journal: Store, compared: Compared, asked: bytes) -> NDArray[np.float64]:
        """Return the cosine of each statement with a vector, at least 0; 0 of one whose own is damaged.

        Args:
            journal: where they are.
            compared: the statements.
            asked: the vector, little-endian float32.
        """
        wanted = np.frombuffer(asked, "<f4").astype(np.float32)
        with self._lock:
            rows = self._rows_of(journal, compared, len(wanted))
            found = np.empty(len(rows), np.float32)
            for start in range(0, len(rows), _AT_ONCE):
                # Not a product of matrix and vector, which BLAS gives to threads; see `ExactIndex`.
                some = slice(start, start + _AT_ONCE)
                np.vecdot(self._matrix[rows[some]], wanted, out=found[some])
            norms = self._norms[rows] * (np.linalg.norm(wanted) or 1.0)
        cosines = found / np.where(norms > 0, norms, 1.0)
        return np.fmax(0.0, np.fmin(1.0, cosines)).astype(np.float64)

    def _rows_of(self, journal: Store, compared: Compared, dim: int) -> NDArray[np.intp]:
        """Return where the vectors of statements stand; those that are not there yet are read."""
        epoch = journal.epoch()
        if (epoch, dim) != (self._epoch, self._matrix.shape[1]) or len(self._rows) > _MOST_VECTORS:
            self._begin(epoch, dim)
        rows = self._rows
        new = [one for one, key in zip(compared.statements, compared.versions, strict=True) if key not in rows]  # fmt: skip
        if new:
            self._add(journal, new)
        return np.array([rows[key] for key in compared.versions], np.intp)

    def _add(self, journal: Store, statements: Sequence[Statement]) -> None:
        seqs = [journal.seq_of(one) for one in statements]
        read = sound_vectors(journal, seqs)
        first, dim = len(self._rows), self._matrix.shape[1]
        nothing = bytes(4 * dim)
        held = (read.get(seq, b"") for seq in seqs)
        whole = b"".join(one if len(one) == len(nothing) else nothing for one in held)
        self._reserve(first + len(statements))
        new = slice(first, first + len(statements))
        self._matrix[new] = np.frombuffer(whole, "<f4").reshape(-1, dim)
        self._norms[new] = np.linalg.norm(self._matrix[new], axis=1)
        for row, one in enumerate(statements, start=first):
            self._rows[one.id, one.version] = row

    def _reserve(self, rows: int) -> None:
        held, dim = self._matrix.shape
        if rows > held:
            more = int(_GROW * rows) - held
            self._matrix = np.vstack((self._matrix, np.zeros((more, dim), np.float32)))
            self._norms = np.concatenate((self._norms, np.zeros(more, np.float32)))


def sound_vectors(journal: Store, seqs: Sequence[int]) -> dict[int, bytes]:
    """Return the vectors of rows by their numbers, without damaged ones."""
    if not seqs:
        return {}
    try:
        return journal.vectors(seqs)
    except StoreCorrupt:
        if len(seqs) == 1:
            return {}
    half = len(seqs) // 2
    return sound_vectors(journal, seqs[:half]) | sound_vectors(journal, seqs[half:])
