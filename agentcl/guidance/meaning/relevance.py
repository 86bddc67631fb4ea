"""Which lessons speak of a situation: those whose "when" is in what the agent sees.

A lesson that speaks of a full queue is of no use at a full cache, however alike both read as texts. So what
counts is how many of the words of its "when" the situation has. Rare words count no more than others:
what is rare among few lessons is chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Self

from agentcl.guidance.meaning.same import content

COVERED: Final = 0.8  # of the words of a "when": both of two, four of five
_AND: Final = re.compile(r",? and ")


def clauses_of(when: str) -> list[str]:
    """Return what a "when" asks for one by one: of "an order is late and its customer is a member", two clauses."""
    return [one for one in _AND.split(when) if content(one)]


def words_of(situation: str) -> list[str]:
    """Return the words by which a situation is looked up, each once."""
    return sorted(set(content(situation)))


class Situations:
    """The "when" of every lesson, by its words. Lessons of one situation are weighed together."""

    def __init__(self) -> None:
        self._words: dict[str, frozenset[str]] = {}  # by lesson
        self._clauses: dict[str, list[frozenset[str]]] = {}  # by lesson, of several clauses
        # Dictionaries for their order.
        self._lessons: dict[frozenset[str], dict[str, None]] = {}  # by their words
        self._situations: dict[str, dict[frozenset[str], None]] = {}  # by word

    def add(self, lesson: str, when: str) -> None:
        """Note when a lesson applies. One without words of its own applies always."""
        self.remove(lesson)
        self._words[lesson] = words = frozenset(content(when))
        if len(clauses := clauses_of(when)) > 1:
            self._clauses[lesson] = [frozenset(content(one)) for one in clauses]
        held = self._lessons.setdefault(words, {})
        if not held:
            for word in words:
                self._situations.setdefault(word, {})[words] = None
        held[lesson] = None

    def remove(self, lesson: str) -> None:
        """Forget a lesson, if it is known."""
        words = self._words.pop(lesson, None)
        self._clauses.pop(lesson, None)
        if words is None:
            return
        held = self._lessons[words]
        del held[lesson]
        if held:
            return
        del self._lessons[words]
        for word in words:
            del self._situations[word][words]
            if not self._situations[word]:
                del self._situations[word]

    def to_plain(self) -> list[list[str]]:
        """Return the lessons of each situation, all in the order in which they are looked at."""
        return [list(lessons) for lessons in self._lessons.values()]

    @classmethod
    def from_plain(cls, plain: Iterable[Iterable[str]], whens: Mapping[str, str]) -> Self:
        """Return the situations that `to_plain` returned; `whens` are the lessons' own."""
        situations = cls()
        for lessons in plain:
            for lesson in lessons:
                situations.add(lesson, whens[lesson])
        return situations

    def covering(self, situation: Sequence[str]) -> dict[str, float]:
        """Return the lessons that speak of a situation, given its words, with the share of their "when" that it has."""
        found: Counter[frozenset[str]] = Counter()
        told = frozenset(situation)
        for word in situation:
            found.update(self._situations.get(word, {}).keys())
        covered: dict[str, float] = {}
        for words, count in found.items():
            share = count / len(words)
            if share >= COVERED:
                alike = self._lessons[words]
                covered |= {one: share for one in alike if self._is_whole(one, told)}
        return covered | dict.fromkeys(self._lessons.get(frozenset(), {}), 1.0)

    def _is_whole(self, lesson: str, told: frozenset[str]) -> bool:
        """Return whether a situation has each clause of a "when", and not only most of its words."""
        parts = self._clauses.get(lesson, ())
        return all(len(part & told) >= COVERED * len(part) for part in parts)
