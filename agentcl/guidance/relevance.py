"""Which lessons speak of a situation: those whose "when" is in what the agent sees.

A lesson that speaks of a full queue is of no use at a full cache, however alike both read as texts. So what
counts is how many of the words of its "when" the situation has. Rare words count no more than others:
what is rare among few lessons is chance.
"""

from __future__ import annotations

from typing import Final

from agentcl.guidance.twins import content

COVERED: Final = 0.8  # of the words of a "when": both of two, four of five


class Situations:
    """The "when" of every lesson, by its words."""

    def __init__(self) -> None:
        self._words: dict[str, frozenset[str]] = {}  # by lesson
        self._lessons: dict[str, dict[str, None]] = {}  # by word; a dict, for its order

    def add(self, lesson: str, when: str) -> None:
        """Note when a lesson applies. One without words of its own applies always."""
        self.remove(lesson)
        self._words[lesson] = words = frozenset(content(when))
        for word in words or {""}:
            self._lessons.setdefault(word, {})[lesson] = None

    def remove(self, lesson: str) -> None:
        """Forget a lesson, if it is known."""
        for word in self._words.pop(lesson, frozenset()) or {""}:
            held = self._lessons.get(word, {})
            held.pop(lesson, None)
            if not held:
                self._lessons.pop(word, None)

    def covering(self, situation: str) -> dict[str, float]:
        """Return the lessons that speak of a situation, with the share of their "when" that it has."""
        found: dict[str, int] = {}
        for word in sorted(set(content(situation))):
            for lesson in self._lessons.get(word, ()):
                found[lesson] = found.get(lesson, 0) + 1
        shares = {id: count / len(self._words[id]) for id, count in found.items()}
        always = dict.fromkeys(self._lessons.get("", ()), 1.0)
        return {id: share for id, share in shares.items() if share >= COVERED} | always
