"""Finding statements by meaning and by words: all that hold are compared, since they are few."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from agentcl.errors import EncoderMismatch, EncoderUnavailable
from agentcl.memory.opened import Opened
from agentcl.statements import slots
from agentcl.statements.dates import dating
from agentcl.statements.strengths import strength
from agentcl.store.conversations import Statement
from agentcl.store.records import from_micros
from agentcl.store.rows import mismatch
from agentcl.text.asked import read_of
from agentcl.text.function_words import content_terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentcl.memory.statements.comparing import Compared

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
    among: Compared,
    limit: int,
    uses: Mapping[str, int] | None = None,
) -> list[tuple[Statement, float]]:
    """Return the statements nearest to a query, best first, each with a score from 0 to 1.

    Of what is as near, the stronger comes first; see `agentcl.statements.strength`.

    Args:
        opened: the memory.
        query: a question or words.
        among: the statements.
        limit: how many at the most.
        uses: how often later turns took up what statements say, by id, as far as `tidy` counted.

    Raises:
        EncoderMismatch: if the folder's vectors are another encoder's.
    """
    import numpy as np

    if not among.statements:
        return []
    query = read_of(query)
    scores = _by_words(query, among.texts)
    meaning = None if opened.is_lexical else _by_meaning(opened, query, among)
    if meaning is not None:
        scores = _BY_MEANING * meaning + (1 - _BY_MEANING) * scores
    found = np.flatnonzero(scores > 0)
    if len(found) > limit:
        # What is further down cannot rise above these, however strong it is.
        last = np.partition(scores[found], len(found) - limit)[len(found) - limit]
        found = found[scores[found] >= (1 - BY_STRENGTH) * last]
    near = [(among.statements[place], float(scores[place])) for place in found.tolist()]
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


def _by_words(query: str, texts: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """Return the share of a query's words that each text has, rare words counting more."""
    import numpy as np

    asked = content_terms(query)
    words = frozenset(asked)
    lacks = map(words.isdisjoint, texts)
    having = {at: texts[at] for at, lacks_all in enumerate(lacks) if not lacks_all}
    counts = Counter(term for text in having.values() for term in words & text)
    weight = {term: math.log(1 + len(texts) / (1 + counts[term])) for term in asked}
    whole = sum(weight.values()) or 1.0
    shares = np.zeros(len(texts))
    for at, text in having.items():
        shares[at] = sum(weight[term] for term in asked if term in text) / whole
    return shares


def forget() -> None:
    """Drop what was read of statements and turns: some of them were forgotten."""
    from agentcl.memory.statements import comparing

    words_of.cache_clear()
    comparing.forget()
    slots.forget()
    dating.forget()


@lru_cache(maxsize=50_000)
def words_of(value: str) -> frozenset[str]:
    """Return the words that tell a value."""
    return frozenset(content_terms(value))


def _by_meaning(opened: Opened, query: str, among: Compared) -> NDArray[np.float64] | None:
    """Return the cosines of statements with a query, at least 0; None if the encoder gives no vector."""
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
    return opened.contexts.vectors().cosines(journal, among, vector)
