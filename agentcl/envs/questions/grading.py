"""Grading answers, and what was retrieved for them.

Formulas and sources stand with each function; `docs/reference/metrics.md` has them in one place.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from agentcl.errors import InvalidInput

# What a reader may say when it finds no answer, as `normalise` leaves it.
NO_ANSWER: Final = frozenset(
    "|not stated|no answer|none|unknown|unanswerable|not mentioned|no information available"  # noqa: SIM905
    "|not enough information|i dont know|i do not know".split("|")
)
_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalise(answer: str) -> str:
    """Return an answer as SQuAD compares it (Rajpurkar et al., 2016).

    Lower case, then without ASCII punctuation, then without the words a, an and the, then with single
    spaces.
    """
    bare = answer.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def is_no_answer(answer: str, *, phrases: Collection[str] = NO_ANSWER) -> bool:
    """Tell whether a reader says that there is no answer: nothing, or one of `phrases` and no more."""
    return normalise(answer) in phrases


def exact_match(answer: str, answers: Sequence[str]) -> float:
    """Return 1 if the normalised answer equals one of the right ones, else 0 (SQuAD 1.1).

    Without right answers the question has none, and 1 means that the reader says so (SQuAD 2.0,
    Rajpurkar et al., 2018).
    """
    if not answers:
        return float(is_no_answer(answer))
    return float(normalise(answer) in {normalise(right) for right in answers})


def token_f1(answer: str, answers: Sequence[str]) -> float:
    """Return the best F1 between the words of the answer and those of a right one (SQuAD 1.1).

    F1 = 2PR / (P + R), where P is the share of the answer's normalised words that the right one has, R the
    share of the right one's words that the answer has, words counted as often as they stand. Where either
    has no words, 1 if neither has. Without right answers as `exact_match`.
    """
    if not answers:
        return float(is_no_answer(answer))
    given = Counter(normalise(answer).split())
    return max(_f1(given, Counter(normalise(right).split())) for right in answers)


def _f1(given: Counter[str], right: Counter[str]) -> float:
    if not given or not right:
        return float(given == right)
    shared = (given & right).total()
    return 2 * shared / (given.total() + right.total())


def recall_at(retrieved: Iterable[str], evidence: Collection[str], k: int) -> float:
    """Return the share of the evidence that is among the first `k` retrieved arrivals.

    |evidence ∩ first k| / |evidence|. An arrival that was retrieved in several pieces counts once, at its
    first place.

    Raises:
        InvalidInput: if there is no evidence, where recall means nothing, or k is less than 1.
    """
    _require(evidence, k)
    first = set(list(dict.fromkeys(retrieved))[:k])
    return len(first & set(evidence)) / len(set(evidence))


def has_all_at(retrieved: Iterable[str], evidence: Collection[str], k: int) -> bool:
    """Tell whether all evidence is among the first `k`; what a multi-hop question needs.

    Raises:
        InvalidInput: as `recall_at`.
    """
    return recall_at(retrieved, evidence, k) == 1


def reciprocal_rank(retrieved: Iterable[str], evidence: Collection[str]) -> float:
    """Return 1 / the place of the first evidence among distinct arrivals; 0 if it was not retrieved.

    Its mean over questions is the MRR (Voorhees, 1999).

    Raises:
        InvalidInput: if there is no evidence.
    """
    _require(evidence)
    for place, found in enumerate(dict.fromkeys(retrieved), start=1):
        if found in evidence:
            return 1 / place
    return 0.0


def ndcg_at(retrieved: Iterable[str], evidence: Collection[str], k: int) -> float:
    """Return the normalised discounted cumulative gain at `k` (Järvelin and Kekäläinen, 2002).

    Sum over the first k places i that hold evidence of 1 / log2(i + 1), divided by what that sum would
    be with all the evidence first.

    Raises:
        InvalidInput: as `recall_at`.
    """
    _require(evidence, k)
    distinct = list(dict.fromkeys(retrieved))[:k]
    gain = math.fsum(_discount(i) for i, found in enumerate(distinct, start=1) if found in evidence)
    best = math.fsum(_discount(i) for i in range(1, min(k, len(set(evidence))) + 1))
    return gain / best


def _discount(place: int) -> float:
    return 1 / math.log2(place + 1)


def _require(evidence: Collection[str], k: int = 1) -> None:
    if not evidence:
        raise InvalidInput(
            "this question has no evidence, so nothing can be recalled; leave it out"
        )
    if k < 1:
        raise InvalidInput(f"k must be at least 1, and is {k}")
