"""How likely a sentence of a found text answers the question: a few signs, added up as log odds.

A sign is the share of the question's telling words that stands in the sentence, in the title, or in the sentences
beside it; how well its text was found; and whether it holds the sort of answer that is asked for. The odds of each
sign are near those of a logistic fit on SQuAD, which `benchmarks/extraction.py --fit` repeats by articles, and round; that
of the text's score is lower than there, since a question in several steps is answered by what was found less well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.retrieval.extracting.choosing import Candidate
from agentcl.retrieval.extracting.cues import cue_of
from agentcl.text.function_words import content_terms
from agentcl.text.sentences import SentenceSpan, is_row, sentences
from agentcl.text.terms import terms

GAP: Final = "…"  # stands where sentences were left out
# What is known of each sentence, and the log odds that it adds for 1.
ODDS: Final = {
    "own": 5.0,  # share of the question's words, by weight, in the sentence
    "titled": 0.5,  # only in the title
    "before": 1.0,  # only in the sentence before it
    "found": 4.0,  # its text's score, of the best one's
    "first": 1.0,  # whether its text is the best
    "cued": 1.0,  # whether it holds the sort of answer that is asked for
}
NEAR: Final = 6.0  # the cosine with the question, where sentences have vectors
BASE: Final = -11.0  # with none of them
# Words that point to what the sentence before says, where a sentence begins with them.
_POINTS: Final = re.compile(
    r"(?:he|she|it|they|his|her|hers|its|their|theirs|this|that|these|those|such|er|sie|es|ihre?|sein|seine|dies\w*"
    r"|il|elle|ils|elles|ce|cette|ces|\u00e9l|ella|ellos|ellas|esto|esta|este)\b|[\u4ed6\u5979\u5b83\u8fd9\u5176\u6b64]",
    re.IGNORECASE,
)


Nearness = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class FoundText:
    """A text that was found, out of which sentences are chosen."""

    text: str
    title: str = ""
    score: float = 1.0  # of the best one's
    label: int = 0  # tokens of what stands before it
    is_whole: bool = False  # it is shown whole or not at all
    known: tuple[tuple[int, int], ...] = ()  # the characters of it that were shown before


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of a text, or a text that is shown whole."""

    place: SentenceSpan
    text: str
    terms: frozenset[str]
    needs: int | None = None  # the number of the one without which it is hard to read


@dataclass(frozen=True, slots=True)
class WeighedQuestion:
    """A question, and how telling its words are."""

    text: str
    weights: Mapping[str, float]  # by term; those that it lacks count nothing

    def share(self, found: frozenset[str]) -> float:
        """Return which share of the question's words some terms have, by weight: 0 to 1."""
        whole = sum(self.weights.values())
        return (
            sum(self.weights[one] for one in self.weights.keys() & found) / whole if whole else 0.0
        )


def parts_of(source: FoundText) -> list[Piece]:
    """Return what may be shown of a text by itself: its sentences, or the whole."""
    text = source.text
    places = [SentenceSpan(0, len(text))] if source.is_whole else sentences(text)
    said = [text[one.start : one.end] for one in places]
    return [
        Piece(place, one, frozenset(terms(one)), _needs(places, said, number))
        for number, (place, one) in enumerate(zip(places, said, strict=True))
    ]


def _needs(places: Sequence[SentenceSpan], said: Sequence[str], number: int) -> int | None:
    """Return the number of the sentence before "He …", or of the head of a table."""
    if not number:
        return None
    if places[number].sort == "sentence":
        return number - 1 if _POINTS.match(said[number]) else None
    head = number
    while head and places[head].sort == places[head - 1].sort == "line":
        head -= 1
    return head if head < number and is_row(said[number]) else None


def question_of(
    text: str, weights: Mapping[str, float], parts: Sequence[Sequence[Piece]]
) -> WeighedQuestion:
    """Return a question with the weights of its terms; where an index gave none, by the texts that were found."""
    if weights:
        return WeighedQuestion(text, weights)
    said = [part.terms for some in parts for part in some]
    having = {term: sum(term in one for one in said) for term in content_terms(text)}
    # idf as in BM25, kept above 0 (Lucene's form), since few texts are compared.
    own = {
        term: math.log1p((len(said) - count + 0.5) / (count + 0.5))
        for term, count in having.items()
        if count
    }
    return WeighedQuestion(text, own)


def signs(
    question: WeighedQuestion, sources: Sequence[FoundText], parts: Sequence[Sequence[Piece]]
) -> list[list[tuple[float, ...]]]:
    """Return by text and by sentence what `ODDS` weighs, in its order."""
    cue = cue_of(question.text)
    found: list[list[tuple[float, ...]]] = []
    for number, (source, some) in enumerate(zip(sources, parts, strict=True)):
        titled, before = frozenset(terms(source.title)), frozenset[str]()
        rows: list[tuple[float, ...]] = []
        for part in some:
            own = question.share(part.terms)
            known = question.share(part.terms | titled)
            near = question.share(part.terms | titled | before)
            rows.append(
                (own, known - own, near - known, source.score, float(not number), cue(part.text))
            )
            before = part.terms
        found.append(rows)
    return found


def candidates(
    question: WeighedQuestion,
    sources: Sequence[FoundText],
    parts: Sequence[Sequence[Piece]],
    count: Callable[[str], int],
    near: Nearness | None = None,
) -> tuple[list[Candidate], float]:
    """Return every sentence that was not shown before with its worth, and the worth of the best of all.

    Args:
        question: what is asked.
        sources: the texts, best first.
        parts: of each.
        count: counts tokens.
        near: returns the cosine of each of several sentences with the question.
    """
    cosines = iter(near([part.text for some in parts for part in some]) if near else ())
    gap = count(f" {GAP}")
    best, found = 0.0, list[Candidate]()
    every = zip(sources, parts, signs(question, sources, parts), strict=True)
    for number, (source, some, rows) in enumerate(every):
        known = _known(source, some)
        for place, (part, row) in enumerate(zip(some, rows, strict=True)):
            worth = _chance(row, next(cosines) if near else 0.0)
            best = max(best, worth)
            if part.terms not in known:
                tokens = count(part.text) + gap
                found.append(Candidate(number, place, worth, tokens, part.terms, part.needs))
    return found, best


def _known(source: FoundText, parts: Sequence[Piece]) -> set[frozenset[str]]:
    """Return what the sentences of a text say that were shown before; others may say it again."""
    return {
        part.terms
        for part in parts
        for start, end in source.known
        if start < part.place.end and part.place.start < end
    }


def _chance(row: Sequence[float], cosine: float) -> float:
    odds = (
        BASE
        + NEAR * cosine
        + sum(weight * value for weight, value in zip(ODDS.values(), row, strict=True))
    )
    return 1 / (1 + math.exp(-odds))
