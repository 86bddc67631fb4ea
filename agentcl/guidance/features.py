"""What tells whether lessons speak of a situation: how alike both are, in words and in meaning, and beside the others.

A learned decision (`agentcl.guidance.decision`) weighs these numbers. None of them names a domain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from agentcl.guidance.relevance import COVERED, clauses_of
from agentcl.guidance.same import content

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float32]

_BESIDE: Final = 1  # words of a sentence beside those of a condition, such as a name
MOST_SENTENCES: Final = 40  # of a situation: its first and last ones
_END: Final = re.compile(r"(?<=[.!?;:])\s+|\n+")
_NUMBER: Final = re.compile(r"\d+")
_NOT: Final = re.compile(
    r"\b(?:not?|never|without|nor|none|neither|nothing|nobody|cannot|\w+n'?t)\b", re.I
)
NAMES: Final = (
    "whole", "best", "second", "last", "first",  # cosines of "when" with the whole text and with its sentences
    "read",  # log-odds that it holds
    "covered", "covered by best", "words", "shared",  # words of "when"
    "numbers missing", "denied",
    "sentences", "length",
    "rank", "behind", "ahead", "spread",  # among the other lessons, by likeness ...
    "read rank", "read behind", "read ahead",  # ... and by the log-odds
)  # fmt: skip


def sentences(text: str) -> list[str]:
    """Return the sentences of a situation; of very many, the first and the last."""
    found = [part.strip() for part in _END.split(text) if part.strip()] or [text]
    half = MOST_SENTENCES // 2
    return found if len(found) <= MOST_SENTENCES else [*found[:half], *found[-half:]]


def is_stated(when: str, text: str) -> bool:
    """Return whether sentences of a situation say each clause of a condition in its words, and hardly anything else."""
    clauses = clauses_of(when)
    if len(clauses) > 1:
        return all(is_stated(one, text) for one in clauses)
    words = set(content(when))
    for sentence in sentences(text):
        said = set(content(sentence))
        is_covered = len(words & said) >= COVERED * len(words)
        if is_covered and len(said - words) <= _BESIDE and not _is_denied(when, sentence):
            return True
    return False


def _is_denied(when: str, sentence: str) -> bool:
    """Return whether one of both has a negation, and the other has none."""
    return bool(_NOT.search(sentence)) != bool(_NOT.search(when))


def features(
    whens: Sequence[str],
    text: str,
    *,
    whole: Numbers,
    parts: Numbers,
    read: Numbers,
) -> Numbers:
    """Return what tells of each lesson whether it speaks of a situation.

    Args:
        whens: the conditions of the lessons, `n`.
        text: the situation.
        whole: cosines of the conditions with it, `[n]`.
        parts: cosines of the conditions with its sentences, `[n, sentences]`.
        read: log-odds that they hold in it, `[n]`.

    Returns:
        `[n, len(NAMES)]`, in the order of `NAMES`.
    """
    told = sentences(text)
    own, numbers = set(content(text)), set(_NUMBER.findall(text))
    by_sentence = [set(content(one)) for one in told]
    best = parts.argmax(1)
    top = np.sort(parts, 1)
    likeness = np.maximum(whole, top[:, -1])
    rows = []
    for at, when in enumerate(whens):
        words = set(content(when))
        count = max(1, len(words))
        needed = set(_NUMBER.findall(when))
        sentence = told[best[at]]
        rows.append(
            [
                whole[at],
                top[at, -1],
                top[at, -2] if len(told) > 1 else top[at, -1],
                parts[at, -1],
                parts[at, 0],
                read[at],
                len(words & own) / count,
                len(words & by_sentence[best[at]]) / count,
                len(words),
                len(words & own),
                len(needed - numbers),
                _is_denied(when, sentence),
                len(told),
                np.log1p(len(text)),
                *_standing(likeness, at),
                (likeness[at] - likeness.mean()) / (likeness.std() + 1e-3),
                *_standing(read, at),
            ]
        )
    return np.asarray(rows, np.float32).reshape(len(whens), len(NAMES))


def _standing(values: Numbers, at: int) -> tuple[float, float, float]:
    """Return how many are above one, how far it is behind the first, and ahead of the next one."""
    above = int((values > values[at]).sum())
    others = np.delete(values, at)
    ahead = float(values[at] - others.max()) if len(others) else 1.0
    return float(above), float(values.max() - values[at]), ahead
