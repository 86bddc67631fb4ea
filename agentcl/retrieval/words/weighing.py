"""BM25 by what a reader sees.

FTS5 weighs a term by how many entries have it, and a length by the mean of all of them. Entries that a reader may
not see are among these, so that his own scores would tell which words they hold. Here scores are computed of the
entries in view alone, by the formula of FTS5 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75): they are the same as
if nobody else had any.

    score = sum over terms of idf (k1 + 1) f / (f + k1 (1 - b + b l / m))

f is how often a term is in an entry, l the entry's length, m the mean length. Of one term, FTS5 tells this sum with
an idf and an m of all entries; as these are known, f follows from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_K1: Final = 1.2
_B: Final = 0.75
_LEAST_IDF: Final = 1e-6  # of a term that more than half of the entries have
_TAG: Final = 2  # terms that an entry has beside its text


class Statistics(NamedTuple):
    """What is counted of some entries, past ones too."""

    entries: int
    size: int  # terms of all of them together

    def idf(self, having: int) -> float:
        """Return what a term weighs that so many entries have."""
        # Another process may have added, or removed, entries since these were counted.
        idf = math.log((max(0, self.entries - having) + 0.5) / (having + 0.5))
        return idf if idf > 0 else _LEAST_IDF

    @property
    def per_term(self) -> float:
        """By how much each term of an entry weakens the others."""
        return _K1 * _B * self.entries / self.size


class Having(NamedTuple):
    """In how many entries a term is."""

    expression: str  # by which FTS5 finds it
    in_view: int
    anywhere: int


def weighed(
    terms: Sequence[Having],
    *,
    view: Statistics,
    everything: Statistics,
    scopes: str,
    parameters: Sequence[object],
) -> tuple[str, tuple[object, ...]]:
    """Return the query for the `seq` and `score` of entries in view, and its parameters.

    Args:
        terms: what is asked for.
        view: the entries in view.
        everything: all entries, by which FTS5 scores.
        scopes: the condition on scopes in view.
        parameters: its own.
    """
    each = " UNION ALL ".join(
        "SELECT rowid AS seq, ? AS weight, -bm25(words, 0.0, 1.0) / ? AS part FROM words"
        " WHERE words MATCH ?"
        for _ in terms
    )
    # The limit keeps SQLite from taking the parts out of where bm25() can be asked for.
    least = _K1 * (1 - _B)
    of_terms = (
        value
        for one in terms
        for value in (
            view.idf(one.in_view) * (_K1 + 1), everything.idf(one.anywhere), one.expression,
        )
    )  # fmt: skip
    sql = (
        "SELECT seq, sum(weight * times / (times + ? + ? * size)) AS score FROM"
        " (SELECT t.seq, t.weight, e.size, round(t.part * (? + ? * e.size) / (? - t.part)) AS times"
        f" FROM ({each} LIMIT -1) AS t JOIN entry AS e ON e.seq = t.seq"
        f" WHERE e.scope IN (SELECT s.id FROM scope AS s WHERE {scopes})) GROUP BY seq"
    )
    factors = (least, view.per_term, least, everything.per_term, _K1 + 1)
    return sql, (*factors, *of_terms, *parameters)


def size_of(body: str) -> int:
    """Return how many terms an entry counts as."""
    return body.count(" ") + 1 + _TAG if body else _TAG
