"""How much of what a question finds is evidence for it: what was asked before is none, nor is its answer's echo.

A question that is asked again finds itself first, and then what the assistant once said to it. Both are nearer to it than
what they go back to. So a question counts by what it says that this one does not, and a turn of the assistant by what
no other text says that was found with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agentcl.retrieval.recall import Hit
from agentcl.statements.english.hearing import asked_in
from agentcl.store.records import EPOCH
from agentcl.text.function_words import content_terms
from agentcl.text.terms import terms

# Of the terms of an assistant's turn: if so many are its own, it counts whole
_ENOUGH: Final = 0.25
_TELLING: Final = 2  # terms that a question must add to say anything, and an answer ...
_LONG: Final = 4  # ... of so many


class Evidence:
    """What counts for a question.

    Args:
        query: the question.
        stated: what statements that it found say.
    """

    def __init__(self, query: str, stated: Sequence[str] = ()) -> None:
        self._words = terms(query)
        self._asked = frozenset(self._words)
        self._is_question = bool(asked_in(query))
        self._stated = [frozenset(terms(one)) for one in stated]

    def weigh(self, hits: Sequence[Hit]) -> list[tuple[Hit, float]]:
        """Return the hits that say something, each with its relevance from 0 to 1.

        What only partly counts has no more than its share of the best that counts whole, however near it is.
        """
        weights = self._weights(hits)
        whole = [hit.score for hit, one in zip(hits, weights, strict=True) if one == 1.0]
        highest = max(whole or [hit.score for hit in hits], default=0.0) or 1.0
        return [
            (hit, one * min(1.0, hit.score / highest))
            for hit, one in zip(hits, weights, strict=True)
            if one
        ]

    def _weights(self, hits: Sequence[Hit]) -> list[float]:
        found = {at: self._of_other(hit) for at, hit in enumerate(hits) if not _is_answer(hit)}
        whole = (at for at, weight in found.items() if weight == 1.0)
        sources = [(EPOCH, one) for one in self._stated]
        sources += [(_time(hits[at]), frozenset(terms(hits[at].text))) for at in whole]
        answers = [at for at in range(len(hits)) if at not in found]
        for at in sorted(answers, key=lambda at: _time(hits[at])):
            said = _time(hits[at])
            before = [one for time, one in sources if time <= said]  # an echo comes later
            found[at] = self._of_answer(hits[at].text, before)
            if found[at] == 1.0:
                sources.append((said, frozenset(terms(hits[at].text))))
        return [found[at] for at in range(len(hits))]

    def _of_other(self, hit: Hit) -> float:
        """Return the share of a question's terms that are new; what states something counts whole, unless it is said again."""
        if not hit.said_at:
            return 1.0
        if asked := asked_in(hit.text):
            told = content_terms(asked)
            new = sum(term not in self._asked for term in told)
            return new / len(told) if new >= _TELLING else 0.0
        return 0.0 if not self._is_question and terms(hit.text) == self._words else 1.0

    def _of_answer(self, text: str, sources: Sequence[frozenset[str]]) -> float:
        """Return a weight by the share of terms that neither the question nor one of the other texts has."""
        told = content_terms(text)
        if not told:
            return 0.0
        whole = frozenset(told)
        own = whole - self._asked
        new = min((len(own - source) for source in sources), default=len(own))
        may_echo = new < _TELLING and len(told) >= _LONG
        if may_echo and any(len(whole - source) < _TELLING for source in sources):
            return new / len(told)  # it says again what another text says
        return min(1.0, new / (_ENOUGH * len(told)))


def _time(hit: Hit) -> datetime:
    """Return when it was said; of what nobody said, before all else."""
    return hit.said_at or EPOCH


def _is_answer(hit: Hit) -> bool:
    return hit.said_at is not None and hit.metadata.get("role") == "assistant"
