"""Which sentences of several texts to show for a question, chosen together under one budget.

Greedy by worth for each token (Lin and Bilmes 2010, for a budgeted submodular aim): the first sentence of a text also
costs its label, and a sentence that says what a chosen one says is worth less, or nothing where it has the same words
(maximal marginal relevance, Carbonell and Goldstein 1998).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

# Of the fewer terms that two sentences share, from which one repeats the other
_REPEATS: Final = 0.6
_REPEATED: Final = 0.3  # what a sentence that repeats another is worth, of what it would be


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence that could be shown."""

    text: int  # the number of its text, from 0
    place: int  # among the sentences of its text, from 0
    worth: float  # of showing it, at least 0
    tokens: int
    terms: Set[str]
    needs: int | None = None  # the place of a sentence before it, without which it is hard to read


class ChosenSentences:
    """The sentences chosen so far, and what they cost.

    Args:
        candidates: all sentences, in the order of the texts and of their places.
        labels: by text, the tokens that its label takes once.
        budget: tokens that all may take.
        least: what a sentence must be worth by itself.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        labels: Sequence[int],
        budget: int,
        *,
        least: float = 0.0,
    ) -> None:
        self._at = {(one.text, one.place): one for one in candidates}
        self._labels = labels
        self._left = budget
        self._shown: set[int] = set()  # texts
        self.order: list[Candidate] = []  # as they were chosen
        self._chosen: set[tuple[int, int]] = set()
        self._fill(candidates, least)

    def places(self, text: int) -> list[int]:
        """Return the chosen places of a text, in its order."""
        return sorted(place for of, place in self._chosen if of == text)

    def _fill(self, candidates: Sequence[Candidate], least: float) -> None:
        """Take what is worth most for its tokens, until nothing fits.

        Worth only falls and the cost of a text's sentences only falls once, when its label is paid; so an entry
        of the heap is looked at anew before it counts, and entries of a text are put in again when it is first shown.
        """
        pool = [one for one in candidates if one.worth >= least]
        by_text: dict[int, list[int]] = {}
        for number, one in enumerate(pool):
            by_text.setdefault(one.text, []).append(number)
        heap = [(-self._rate(one), number) for number, one in enumerate(pool)]
        heapq.heapify(heap)
        while heap:
            rate, number = heapq.heappop(heap)
            one = pool[number]
            if (one.text, one.place) in self._chosen or self._cost(one) > self._left:
                continue
            now = -self._rate(one)
            if not now:
                continue
            if heap and now > rate and now > heap[0][0]:
                heapq.heappush(heap, (now, number))
                continue
            is_new = one.text not in self._shown
            self._take(one)
            if is_new:
                for again in by_text[one.text]:
                    heapq.heappush(heap, (-self._rate(pool[again]), again))

    def _with(self, one: Candidate) -> list[Candidate]:
        """Return a sentence, behind the one that it needs where that is not chosen yet."""
        needs = None if one.needs is None else self._at.get((one.text, one.needs))
        if needs is None or (one.text, needs.place) in self._chosen:
            return [one]
        return [needs, one]

    def _cost(self, one: Candidate) -> int:
        label = 0 if one.text in self._shown else self._labels[one.text]
        return label + sum(other.tokens for other in self._with(one))

    def _rate(self, one: Candidate) -> float:
        worth = sum(other.worth * self._novelty(other) for other in self._with(one))
        return worth / max(self._cost(one), 1)

    def _novelty(self, one: Candidate) -> float:
        for other in self.order:
            if one.terms and one.terms == other.terms:
                return 0.0
            fewer = min(len(one.terms), len(other.terms))
            if fewer and len(one.terms & other.terms) >= _REPEATS * fewer:
                return _REPEATED
        return 1.0

    def _take(self, one: Candidate) -> None:
        self._left -= self._cost(one)
        for other in self._with(one):
            self.order.append(other)
            self._chosen.add((other.text, other.place))
        self._shown.add(one.text)
