"""A first look at many vectors by their signs alone.

The angle between two vectors shows in how many of their numbers differ in sign (Charikar 2002, section
3). One bit for each number is 1/32 of the memory traffic of float32, and traffic is what a comparison
with all vectors costs. The rows that agree best are then compared in full by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCAN_FROM: Final = 20_000  # vectors; a full product with fewer is as fast
_FEWEST: Final = 1_000  # rows that are compared in full, at least ...
_SHARE: Final = 100  # ... and at least one in so many
_PROBES: Final = 64  # stored vectors that try out whether signs find their neighbours ...
_NEIGHBOURS: Final = 10  # ... so many of each ...
_WANTED_RECALL: Final = 0.99  # ... and this share of them at least
_EVERY: Final = 16  # one distance in so many is enough to place the cut

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]


class SignScan:
    """The sign bits of stored vectors, less their mean.

    Encoders whose vectors have no telling signs (sparse ones, say) are found out by a trial on the
    stored vectors themselves; `is_useful` is then False.
    """

    def __init__(self) -> None:
        self.is_useful = False
        self._fitted = 0  # how many vectors there were when the mean was taken
        self._size = 0
        self._mean: Floats = np.empty(0, np.float32)
        self._words: NDArray[np.uint64] = np.empty((0, 0), np.uint64)
        self._xor = np.empty(0, np.uint64)
        self._count = np.empty(0, np.uint8)
        self._sum = np.empty(0, np.uint8)
        self._distances = np.empty(0, np.uint16)

    @classmethod
    def kept(cls, words: NDArray[np.uint64], mean: Floats) -> SignScan:
        """Return one of signs that were found useful before: `words` has the shape (words, n)."""
        scan = cls()
        scan.is_useful = True
        scan._mean, scan._words = mean, words
        scan._fitted = scan._size = count = words.shape[1]
        scan._xor, scan._distances = np.empty(count, np.uint64), np.empty(count, np.uint16)
        scan._count, scan._sum = np.empty(count, np.uint8), np.empty(count, np.uint8)
        return scan

    def parts(self) -> tuple[NDArray[np.uint64], Floats]:
        """Return what `kept` takes; empty arrays unless it is useful."""
        if not self.is_useful:
            return np.empty((0, 0), np.uint64), np.empty(0, np.float32)
        return self._words[:, : self._size], self._mean

    def size(self) -> int:
        """Return how many bytes it takes."""
        arrays = (self._words, self._xor, self._count, self._sum, self._distances, self._mean)
        return sum(array.nbytes for array in arrays)

    def update(self, vectors: Floats) -> None:
        """Take in the rows of `vectors`, shape (n, dim), that are new since the last call."""
        count = len(vectors)
        if count < SCAN_FROM:
            return
        if count >= 2 * self._fitted:
            self._fit(vectors)
        elif count > self._size:
            self._reserve(count, vectors.shape[1])
            new = slice(self._size, count)
            self._words[:, new] = self._bits(vectors[new]).T
            self._size = count

    def remove(self, rows: Sequence[int]) -> None:
        """Overwrite the signs of rows, which stay where they are."""
        self._words[:, [row for row in rows if row < self._size]] = 0

    def near(self, wanted: Floats, rows: Rows | None, *, limit: int) -> Rows:
        """Return the rows (of `rows`, or all) likeliest to hold the `limit` vectors nearest `wanted`."""
        distances = self._measure(wanted)
        if rows is not None:
            distances = distances[rows]
        keep = max(_FEWEST, len(distances) // _SHARE, 10 * limit)
        near = np.flatnonzero(distances <= _cut(distances, keep))
        return near if rows is None else rows[near]

    def _fit(self, vectors: Floats) -> None:
        """Take the mean and all signs anew, and try them out."""
        self._mean = vectors.mean(axis=0)
        self._size = self._fitted = len(vectors)
        self._words = np.empty((0, 0), np.uint64)
        self._reserve(self._size, vectors.shape[1])
        self._words[:, : self._size] = self._bits(vectors).T
        some = np.flatnonzero(vectors.any(axis=1))  # what was removed is zero
        probes = vectors[np.random.default_rng(0).choice(some, _PROBES)]
        cosines = vectors @ probes.T
        found = 0
        for probe, column in zip(probes, cosines.T, strict=True):
            nearest = np.argpartition(column, -_NEIGHBOURS)[-_NEIGHBOURS:]
            found += int(np.isin(nearest, self.near(probe, None, limit=_NEIGHBOURS)).sum())
        self.is_useful = found >= _WANTED_RECALL * _PROBES * _NEIGHBOURS

    def _bits(self, vectors: Floats) -> NDArray[np.uint64]:
        """Return one bit for each number, in words of 64: shape (n, words)."""
        count, dim = vectors.shape
        padded = np.zeros((count, -(-dim // 64) * 64), bool)
        np.greater(vectors, self._mean, out=padded[:, :dim])
        return np.packbits(padded, axis=1).view(np.uint64)

    def _reserve(self, count: int, dim: int) -> None:
        """Make room, and twice that, so that adding one by one stays cheap."""
        if count <= self._words.shape[1]:
            return
        words = np.zeros((-(-dim // 64), 2 * count), np.uint64)
        held = min(self._words.shape[1], self._size)
        words[: len(self._words), :held] = self._words[:, :held]
        self._words = words
        self._xor = np.empty(2 * count, np.uint64)
        self._count, self._sum = np.empty(2 * count, np.uint8), np.empty(2 * count, np.uint8)
        self._distances = np.empty(2 * count, np.uint16)

    def _measure(self, wanted: Floats) -> NDArray[np.uint16]:
        """Return in how many signs each row differs from `wanted`."""
        size = self._size
        distances = self._distances[:size]
        distances[:] = 0
        xor, count, total = self._xor[:size], self._count[:size], self._sum[:size]
        query = self._bits(wanted[None])[0]
        for start in range(0, len(query), 3):  # three words of 64 bits: their sum fits in a byte
            total[:] = 0
            for word in range(start, min(start + 3, len(query))):
                np.bitwise_xor(self._words[word, :size], query[word], out=xor)
                np.bitwise_count(xor, out=count)
                np.add(total, count, out=total)
            np.add(distances, total, out=distances)
        return distances


def _cut(distances: NDArray[np.uint16], keep: int) -> int:
    """Return a distance that at least `keep` rows do not exceed, and few more."""
    sample = distances[::_EVERY]
    place = min(keep // _EVERY, len(sample) - 1)
    cut = int(np.partition(sample, place)[place])
    while np.count_nonzero(distances <= cut) < min(keep, len(distances)):
        cut += 1
    return cut
