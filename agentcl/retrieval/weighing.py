"""BM25 by what a reader sees.

FTS5 weighs a term by how many entries have it, and a length by the mean of all of them. Entries that a reader may
not see are among these, so that his own scores would tell which words they hold. Here scores are computed of the
entries in view alone, by the formula of FTS5 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75): they are the same as
if nobody else had any. FTS5 only finds what may rank high; `Weighing.bound` says when that is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_K1: Final = 1.2
_B: Final = 0.75
_LEAST_IDF: Final = 1e-6  # of a term that more than half of the entries have
_TAG: Final = 2  # terms that an entry has beside its text
_ROUNDING: Final = 1e-9


class Statistics(NamedTuple):
    """What is counted of some entries, past ones too."""

    entries: int
    size: int  # terms of all of them together

    def idf(self, having: int) -> float:
        """Return what a term weighs that so many entries have."""
        idf = math.log((self.entries - having + 0.5) / (having + 0.5))
        return idf if idf > 0 else _LEAST_IDF


class Having(NamedTuple):
    """In how many entries a term is, or begins one."""

    term: str  # or a phrase of some
    is_beginning: bool
    in_view: int
    anywhere: int


class Weighing:
    """The scores of a query's terms for one view.

    Args:
        view: the entries that it sees.
        everything: all entries, by which FTS5 scores.
        terms: what is asked for.
    """

    def __init__(self, view: Statistics, everything: Statistics, terms: Sequence[Having]) -> None:
        idfs = [view.idf(one.in_view) for one in terms]
        self._weights = [
            (f" {one.term}" if one.is_beginning else f" {one.term} ", idf * (_K1 + 1))
            for one, idf in zip(terms, idfs, strict=True)
        ]
        self._least = _K1 * (1 - _B)
        self._by_term = _K1 * _B * view.entries / view.size
        rarer = max(
            idf / everything.idf(one.anywhere) for one, idf in zip(terms, idfs, strict=True)
        )
        longer = (view.size / view.entries) / (everything.size / everything.entries)
        self._most = rarer * max(1.0, longer) * (1 + _ROUNDING)

    def score(self, body: str) -> float:
        """Return the BM25 of an entry in view, given its terms."""
        padded = f" {body} "
        length = self._least + self._by_term * size_of(body)
        score = 0.0
        for word, weight in self._weights:
            if word in padded:
                found = _times(word, padded)
                score += weight * found / (found + length)
        return score

    def bound(self, score: float) -> float:
        """Return what no entry can score here that scores less than this among all entries."""
        return score * self._most


def size_of(body: str) -> int:
    """Return how many terms an entry counts as."""
    return body.count(" ") + 1 + _TAG if body else _TAG


def _times(word: str, padded: str) -> int:
    """Return how often a term, or a phrase of some, stands among terms; a space ends one and begins the next."""
    found, at = 0, padded.find(word)
    while at >= 0:
        found += 1
        at = padded.find(word, at + 1)
    return found
