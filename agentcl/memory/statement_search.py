"""Finding statements by meaning and by words: all that hold are compared, since they are few."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from agentcl.errors import EncoderMismatch, EncoderUnavailable
from agentcl.memory.opened import Opened
from agentcl.statements import dating, slots
from agentcl.statements.strengths import strength
from agentcl.store.conversations import Statement
from agentcl.store.records import from_micros
from agentcl.store.rows import mismatch
from agentcl.store.vectors import unpack
from agentcl.text.asked import read_of
from agentcl.text.function_words import content_terms
from agentcl.text.terms import terms

_BY_MEANING: Final = 0.6  # of a score; the rest is by words
BY_STRENGTH: Final = 0.1  # of a score at the most


@dataclass(frozen=True, slots=True)
class FoundStatement:
    """A statement that a search found."""

    statement: Statement
    score: float  # from 0 to 1; comparable within one search only


def search(
    opened: Opened,
    query: str,
    statements: Sequence[Statement],
    limit: int,
    uses: Mapping[str, int] | None = None,
) -> list[tuple[Statement, float]]:
    """Return the statements nearest to a query, best first, each with a score from 0 to 1.

    Of what is as near, the stronger comes first; see `agentcl.statements.strength`.

    Args:
        opened: the memory.
        query: a question or words.
        statements: among which.
        limit: how many at the most.
        uses: how often later turns took up what statements say, by id, as far as `tidy` counted.

    Raises:
        EncoderMismatch: if the folder's vectors are another encoder's.
    """
    if not statements:
        return []
    query = read_of(query)
    words = _by_words(query, statements)
    meaning = None if opened.is_lexical else _by_meaning(opened, query, statements)
    scores = (
        words
        if meaning is None
        else [_BY_MEANING * m + (1 - _BY_MEANING) * w for m, w in zip(meaning, words, strict=True)]
    )
    found = [pair for pair in zip(statements, scores, strict=True) if pair[1] > 0]
    found.sort(key=lambda pair: -pair[1])
    # What is further down cannot rise above these, however strong it is.
    least = (1 - BY_STRENGTH) * found[limit - 1][1] if len(found) > limit else 0.0
    near = [pair for pair in found if pair[1] >= least]
    weighed = _by_strength(near, uses or {}, from_micros(opened.clock()))
    return sorted(weighed, key=lambda pair: (-pair[1], pair[0].id))[:limit]


def _by_strength(
    found: Sequence[tuple[Statement, float]], uses: Mapping[str, int], now: datetime
) -> list[tuple[Statement, float]]:
    """Return what was found, the weak with a little less of their scores."""
    strengths = [strength(one, uses.get(one.id, 0), now) for one, _ in found]
    most = max(strengths, default=1.0)
    return [
        (one, score * (1 - BY_STRENGTH + BY_STRENGTH * own / most))
        for (one, score), own in zip(found, strengths, strict=True)
    ]


def _by_words(query: str, statements: Sequence[Statement]) -> list[float]:
    """Return the share of a query's words that each statement has, rare words counting more."""
    asked = content_terms(query)
    texts = [_terms_of(one.text, one.slot, one.value) for one in statements]
    counts = Counter(term for text in texts for term in text)
    weight = {term: math.log(1 + len(texts) / (1 + counts[term])) for term in asked}
    whole = sum(weight.values()) or 1.0
    return [sum(weight[term] for term in asked if term in text) / whole for text in texts]


def forget() -> None:
    """Drop what was read of statements and turns: some of them were forgotten."""
    _terms_of.cache_clear()
    words_of.cache_clear()
    slots.forget()
    dating.forget()


@lru_cache(maxsize=50_000)
def words_of(value: str) -> frozenset[str]:
    """Return the words that tell a value."""
    return frozenset(content_terms(value))


@lru_cache(maxsize=50_000)
def _terms_of(text: str, slot: str, value: str) -> frozenset[str]:
    return frozenset(terms(f"{text} {slot} {value}"))


def _by_meaning(opened: Opened, query: str, statements: Sequence[Statement]) -> list[float] | None:
    """Return the cosines of statements with a query, at least 0; None if the encoder gives no vector."""
    import numpy as np

    journal = opened.journal
    held = journal.encoder()
    if held is None:
        return None
    try:
        vector = opened.encode_query(query)
        if held != opened.spec:
            raise EncoderMismatch(mismatch(held, opened.spec, opened.place))
    except EncoderUnavailable:
        return None
    nothing = bytes(4 * held.dim)
    packed = opened.contexts.vectors(journal, statements)
    whole = b"".join(one if len(one) == len(nothing) else nothing for one in packed)
    matrix = np.frombuffer(whole, dtype="<f4").reshape(len(packed), held.dim)
    asked = np.array(unpack(vector), dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=1) * (np.linalg.norm(asked) or 1.0)
    cosines = (matrix @ asked) / np.where(norms > 0, norms, 1.0)
    return [float(max(0.0, min(1.0, one))) for one in cosines]
