"""What is shown of several texts for a question: their best sentences in order, with the places they stand at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.retrieval.extracting.choosing import ChosenSentences
from agentcl.retrieval.extracting.scoring import (
    GAP,
    FoundText,
    Nearness,
    candidates,
    parts_of,
    question_of,
)
from agentcl.text.sentences import SentenceSpan
from agentcl.text.tokens import TokenCounter

Span = tuple[int, int]

# Of the best sentence's worth: what is less is not shown, even where it has room
LEAST: Final = 0.003


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of one text."""

    text: str  # with "…" where something was left out
    spans: tuple[Span, ...]  # the characters of the text that it shows, in order


def extracts(
    query: str,
    sources: Sequence[FoundText],
    *,
    weights: Mapping[str, float],
    budget: int,
    count: TokenCounter,
    least: float = LEAST,
    near: Nearness | None = None,
    size: Callable[[Sequence[Excerpt | None]], int],
) -> list[Excerpt | None]:
    """Return what to show of each text, so that all together takes at most a budget; None for nothing.

    Args:
        query: what is asked.
        sources: the texts, best first.
        weights: of the question's terms, as an index has them; where there are none, by the texts.
        budget: tokens.
        count: counts those of a sentence.
        least: what a sentence must be worth, of what the best one is.
        near: returns the cosine of each of several sentences with the question; without it words decide.
        size: returns the tokens of everything as it will stand in the prompt. Sentences counted alone seldom add
            up to just that.
    """
    parts = [parts_of(source) for source in sources]
    found, best = candidates(question_of(query, weights, parts), sources, parts, count, near)
    labels = [source.label for source in sources]

    def chosen(room: int) -> list[Excerpt | None]:
        choice = ChosenSentences(found, labels, room, least=least * best)
        return [
            extract_of(source.text, [part.place for part in some], choice.places(number))
            for number, (source, some) in enumerate(zip(sources, parts, strict=True))
        ]

    room, made = budget, chosen(budget)
    while any(made) and (over := size(made) - budget) > 0:
        room -= over
        made = chosen(room)
    if any(made) and (left := budget - size(made)) > 0:
        more = chosen(room + left)
        return more if size(more) <= budget else made
    return made


def extract_of(text: str, parts: Sequence[SentenceSpan], places: Sequence[int]) -> Excerpt | None:
    """Return some sentences of a text, in its order; all of them are the text as it is."""
    if not places:
        return None
    if len(places) == len(parts):
        return Excerpt(text, ((0, len(text)),))
    shown = [GAP] * (places[0] > 0)
    spans: list[Span] = []
    for number, place in enumerate(places):
        one = parts[place]
        if number and places[number - 1] == place - 1:
            start, _ = spans.pop()
            shown.pop()
        else:
            start = one.start
            if number:
                shown.append(GAP)
        spans.append((start, one.end))
        shown.append(text[start : one.end])
    shown += [GAP] * (places[-1] < len(parts) - 1)
    has_lines = any(parts[place].sort != "sentence" for place in places)
    return Excerpt(("\n" if has_lines else " ").join(shown), tuple(spans))
