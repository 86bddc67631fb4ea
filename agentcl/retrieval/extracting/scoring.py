"""How likely a sentence of a found text answers the question: a few signs, added up as log odds.

A sign is the share of the question's telling words that stands in the sentence, in the title, or in the sentences
beside it; how well its text was found; and whether it holds the sort of answer that is asked for. The odds of each
sign were fitted on SQuAD by articles and rounded (`benchmarks/extraction.py --fit` repeats that).
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
from agentcl.text.sentences import Sentence, is_row, sentences
from agentcl.text.terms import terms

GAP: Final = "…"  # stands where sentences were left out
# Log odds for a share of 1.
_OWN: Final = 5.5  # of the question's words, by weight, in the sentence
_TITLED: Final = 0.7  # only in the title
_BEFORE: Final = 1.5  # only in the sentence before it
_FOUND: Final = 8.0  # of the best text's score
_FIRST: Final = 1.5  # the best text
_CUED: Final = 1.0  # a cue of the answer's sort
_SOME: Final = -12.0  # with none of them
# Words that point to what the sentence before says, where a sentence begins with them.
_POINTS: Final = re.compile(
    r"(?:he|she|it|they|his|her|hers|its|their|theirs|this|that|these|those|such|er|sie|es|ihre?|sein|seine|dies\w*"
    r"|il|elle|ils|elles|ce|cette|ces|\u00e9l|ella|ellos|ellas|esto|esta|este)\b|[\u4ed6\u5979\u5b83\u8fd9\u5176\u6b64]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was found, out of which sentences are chosen."""

    text: str
    title: str = ""
    score: float = 1.0  # of the best one's
    label: int = 0  # tokens of what stands before it
    is_whole: bool = False  # it is shown whole or not at all


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and how telling its words are."""

    text: str
    weights: Mapping[str, float]  # by term; those that it lacks count nothing

    def share(self, found: frozenset[str]) -> float:
        """Return which share of the question's words some terms have, by weight: 0 to 1."""
        whole = sum(self.weights.values())
        return (
            sum(self.weights[one] for one in self.weights.keys() & found) / whole if whole else 0.0
        )


def parts_of(source: Source) -> list[Sentence]:
    """Return what may be shown of a text by itself: its sentences, or the whole."""
    if source.is_whole:
        return [Sentence(0, len(source.text))]
    return sentences(source.text)


def _needs(parts: Sequence[Sentence], said: Sequence[str], place: int) -> int | None:
    """Return the place of what a sentence is hard to read without: the one before "He …", the head of a table."""
    if not place:
        return None
    if parts[place].sort == "sentence":
        return place - 1 if _POINTS.match(said[place]) else None
    head = place
    while head and parts[head].sort == parts[head - 1].sort == "line":
        head -= 1
    return head if head < place and is_row(said[head]) else None


def question_of(text: str, weights: Mapping[str, float], sources: Sequence[Source]) -> Question:
    """Return a question with the weights of its terms; where an index gave none, by the texts that were found."""
    if weights:
        return Question(text, weights)
    asked = content_terms(text)
    pieces = [
        frozenset(terms(source.text[one.start : one.end]))
        for source in sources
        for one in sentences(source.text)
    ]
    having = {term: sum(term in piece for piece in pieces) for term in asked}
    # idf as in BM25, kept above 0 (Lucene's form), since few texts are compared.
    whole = len(pieces)
    own = {
        term: math.log1p((whole - count + 0.5) / (count + 0.5))
        for term, count in having.items()
        if count
    }
    return Question(text, own)


def candidates(
    question: Question, sources: Sequence[Source], count: Callable[[str], int]
) -> tuple[list[Candidate], list[list[Sentence]]]:
    """Return every sentence of the texts with what it is worth, and by text where they are.

    Args:
        question: what is asked.
        sources: the texts, best first.
        count: counts tokens.
    """
    cue, gap = cue_of(question.text), count(f" {GAP}")
    found: list[Candidate] = []
    places: list[list[Sentence]] = []
    for number, source in enumerate(sources):
        parts = parts_of(source)
        said = [source.text[one.start : one.end] for one in parts]
        words = [frozenset(terms(one)) for one in said]
        titled = frozenset(terms(source.title))
        prior = _SOME + _FOUND * source.score + _FIRST * (number == 0)
        for place, (one, own) in enumerate(zip(said, words, strict=True)):
            before = words[place - 1] if place else frozenset()
            shares = [question.share(some) for some in (own, own | titled, own | titled | before)]
            odds = prior + _CUED * cue(one) + _OWN * shares[0]
            odds += _TITLED * (shares[1] - shares[0]) + _BEFORE * (shares[2] - shares[1])
            found.append(
                Candidate(number, place, 1 / (1 + math.exp(-odds)), count(one) + gap, own, _needs(parts, said, place))
            )  # fmt: skip
        places.append(parts)
    return found, places
