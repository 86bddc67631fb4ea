"""What tells whether lessons speak of a situation: how alike both are, in words and in meaning, and beside the others.

A learned decision (`agentcl.guidance.meaning.decision`) weighs these numbers. None of them names a domain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from agentcl.guidance.meaning.relevance import COVERED, clauses_of
from agentcl.guidance.meaning.same import content

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
    "met", "met by whole", "met second", "met last",  # as "best" and the like, by the vectors that are trained to meet
    "met rank", "met behind", "met ahead",
)  # fmt: skip


def sentences(text: str) -> list[str]:
    """Return the sentences of a situation; of very many, the first and the last."""
    found = [part.strip() for part in _END.split(text) if part.strip()] or [text]
    half = MOST_SENTENCES // 2
    return found if len(found) <= MOST_SENTENCES else [*found[:half], *found[-half:]]


@dataclass(frozen=True, slots=True)
class When:
    """A condition, and what of it counts in every situation."""

    text: str
    words: frozenset[str]  # of content
    numbers: frozenset[str]
    is_negative: bool

    @classmethod
    def of(cls, when: str) -> Self:
        """Return a condition in its parts."""
        numbers = frozenset(_NUMBER.findall(when))
        return cls(when, frozenset(content(when)), numbers, _is_negative(when))


@dataclass(frozen=True, slots=True)
class Seen:
    """A situation, and what of it counts for every condition."""

    text: str
    words: frozenset[str]  # of content
    numbers: frozenset[str]
    sentences: tuple[str, ...]
    words_of: tuple[frozenset[str], ...]  # by sentence
    is_negative: tuple[bool, ...]  # by sentence

    @classmethod
    def of(cls, text: str) -> Self:
        """Return a situation in its parts."""
        told = tuple(sentences(text))
        return cls(
            text,
            frozenset(content(text)),
            frozenset(_NUMBER.findall(text)),
            told,
            tuple(frozenset(content(one)) for one in told),
            tuple(map(_is_negative, told)),
        )


def _is_negative(text: str) -> bool:
    return bool(_NOT.search(text))


def is_stated(when: str, seen: Seen) -> bool:
    """Return whether sentences of a situation say each clause of a condition in its words, and hardly anything else."""
    clauses = clauses_of(when)
    if len(clauses) > 1:
        return all(is_stated(one, seen) for one in clauses)
    words, is_negative = frozenset(content(when)), _is_negative(when)
    return any(
        len(words & said) >= COVERED * len(words)
        and len(said - words) <= _BESIDE
        and is_denied == is_negative
        for said, is_denied in zip(seen.words_of, seen.is_negative, strict=True)
    )


def features(
    whens: Sequence[When],
    seen: Seen,
    *,
    whole: Numbers,
    parts: Numbers,
    read: Numbers,
    meeting: Numbers,
) -> Numbers:
    """Return what tells of each lesson whether it speaks of a situation.

    Args:
        whens: the conditions of the lessons, `n`.
        seen: the situation.
        whole: cosines of the conditions with it, `[n]`.
        parts: cosines of the conditions with its sentences, `[n, sentences]`.
        read: log-odds that they hold in it, `[n]`.
        meeting: cosines of the vectors that are trained to meet, with it and with its sentences, `[n, 1 + sentences]`.

    Returns:
        `[n, len(NAMES)]`, in the order of `NAMES`.
    """
    best = parts.argmax(1).tolist()
    top, met = np.sort(parts, 1), np.sort(meeting, 1)
    likeness = np.maximum(whole, top[:, -1])
    count = np.array([max(1, len(when.words)) for when in whens], np.float32)
    shared = np.array([len(when.words & seen.words) for when in whens], np.float32)
    by_best = [len(when.words & seen.words_of[at]) for when, at in zip(whens, best, strict=True)]
    denied = [
        when.is_negative != seen.is_negative[at] for when, at in zip(whens, best, strict=True)
    ]
    columns = (
        whole,
        top[:, -1],
        top[:, -min(2, top.shape[1])],
        parts[:, -1],
        parts[:, 0],
        read,
        shared / count,
        np.array(by_best, np.float32) / count,
        [len(when.words) for when in whens],
        shared,
        [len(when.numbers - seen.numbers) for when in whens],
        denied,
        [len(seen.sentences)] * len(whens),
        [np.log1p(len(seen.text))] * len(whens),
        *_standing(likeness),
        (likeness - likeness.mean()) / (likeness.std() + 1e-3),
        *_standing(read),
        met[:, -1],
        meeting[:, 0],
        met[:, -2],
        meeting[:, -1],
        *_standing(met[:, -1]),
    )
    found = np.empty((len(whens), len(NAMES)), np.float32)
    for at, column in enumerate(columns):
        found[:, at] = column
    return found


def _standing(values: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return for each how many are above it, how far it is behind the first, and ahead of the best of the others."""
    above = (values[None] > values[:, None]).sum(1).astype(np.float32)
    if len(values) == 1:
        return above, np.zeros_like(values), np.ones_like(values)
    second, first = np.sort(values)[-2:]
    rival = np.where(values == first, second, first)  # of two that are first, the second is as high
    return above, first - values, values - rival
