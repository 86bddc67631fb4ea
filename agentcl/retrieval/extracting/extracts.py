"""What is shown of several texts for a question: their best sentences in order, with the places they stand at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agentcl.retrieval.extracting.choosing import Choice
from agentcl.retrieval.extracting.scoring import GAP, Question, Source, candidates
from agentcl.text.sentences import Sentence
from agentcl.text.tokens import TokenCounter

Span = tuple[int, int]
Form = Literal["auto", "whole", "sentences"]
"""How texts that were found stand in a prompt."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What is shown of one text."""

    text: str  # with "…" where something was left out
    spans: tuple[Span, ...]  # the characters of the text that it shows, in order


def extracts(
    question: Question,
    sources: Sequence[Source],
    *,
    budget: int,
    count: TokenCounter,
    size: Callable[[Sequence[Extract | None]], int],
) -> list[Extract | None]:
    """Return what to show of each text, so that all together takes at most a budget; None for nothing.

    Args:
        question: what is asked.
        sources: the texts, best first.
        budget: tokens.
        count: counts those of a sentence.
        size: returns the tokens of everything as it will stand in the prompt. Sentences counted alone seldom add
            up to just that.
    """
    found, places = candidates(question, sources, count)
    labels = [source.label for source in sources]

    def chosen(room: int) -> list[Extract | None]:
        choice = Choice(found, labels, room)
        return [
            extract_of(source.text, parts, choice.places(number))
            for number, (source, parts) in enumerate(zip(sources, places, strict=True))
        ]

    room, made = budget, chosen(budget)
    while any(made) and (over := size(made) - budget) > 0:
        room -= over
        made = chosen(room)
    if any(made) and (left := budget - size(made)) > 0:
        more = chosen(room + left)
        return more if size(more) <= budget else made
    return made


def extract_of(text: str, parts: Sequence[Sentence], places: Sequence[int]) -> Extract | None:
    """Return some sentences of a text, in its order; all of them are the text as it is."""
    if not places:
        return None
    if len(places) == len(parts):
        return Extract(text, ((0, len(text)),))
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
    return Extract(("\n" if has_lines else " ").join(shown), tuple(spans))
