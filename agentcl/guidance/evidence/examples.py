"""Situations in which a lesson was used: what was found of it there holds where the very same is seen again.

They follow from the journal like everything that is believed (`agentcl.guidance.state`): a use that confirmed a lesson, and
what somebody reports. Two situations are the same if their words are, apart from function words, endings and case.
A situation that is merely alike says nothing: of texts that are close to one in which a lesson applied, most negate it, tell of
the past or speak of somebody else (`docs/results/matching.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from agentcl.guidance.evidence.belief import Example, LessonState
from agentcl.guidance.evidence.sight import Line, Sight, line_of, sight_of, user_of
from agentcl.guidance.meaning.same import content
from agentcl.store.episodes import Decision, Episode
from agentcl.store.records import ScopeView

# Of one lesson and line where it applied, and as many where it did not: the newest
MOST: Final = 16
_LEAST_WORDS: Final = 2  # of a situation that can be told from others


class Examples:
    """The situations in which the lessons of a tenant were used.

    Args:
        lessons: by id; each holds its own examples.
    """

    def __init__(self, lessons: Mapping[str, LessonState]) -> None:
        self._lessons = lessons
        self._used_in: dict[str, dict[str, None]] = {}  # by situation: lessons with examples of it
        # By episode: what was seen first, alone and after its goal
        self._openings: dict[str, list[str]] = {}

    def begin(self, episode: Episode) -> None:
        """Note what was seen first in an episode."""
        if episode.first:
            told = (episode.first, f"{episode.goal}\n{episode.first}")
            self._openings[episode.id] = list(dict.fromkeys(map(key_of_situation, told)))

    def confirm(self, held: LessonState, episode: str, by: Line) -> None:
        """Note that an episode confirmed a lesson in what was seen first there."""
        for situation in self._openings.get(episode, ()):
            self._note(held, Example(episode, True, by, situation))

    def report(self, held: LessonState, report: Decision) -> None:
        """Note what somebody reports of a lesson in a situation."""
        applies, by = report.what == "applies", line_of(report.scope)
        self._note(held, Example(report.id, applies, by, key_of_situation(report.situation)))

    def remove(self, record: str) -> None:
        """Drop what a record said that was deleted."""
        for held in self._lessons.values():
            held.examples = [one for one in held.examples if one.record != record]

    def used_in(self, situation: str, view: ScopeView) -> dict[str, Example]:
        """Return, by lesson, what a reader found of it when he saw this very situation last."""
        key, sight = key_of_situation(situation), sight_of(view)
        found = {
            id: _newest_of(self._lessons[id].examples, key, sight)
            for id in self._used_in.get(key, ())
        }
        return {id: one for id, one in found.items() if one is not None}

    def to_plain(self) -> dict[str, list[str]]:
        """Return what was seen first in episodes, as JSON; the examples are their lessons'."""
        return self._openings

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, Iterable[str]], lessons: Mapping[str, LessonState]
    ) -> Examples:
        """Return what `to_plain` returned, with lessons that hold their examples."""
        made = cls(lessons)
        made._openings = {id: list(keys) for id, keys in plain.items()}
        for id, held in lessons.items():
            for one in held.examples:
                made._used_in.setdefault(one.situation, {})[id] = None
        return made

    def _note(self, held: LessonState, new: Example) -> None:
        if new.situation:
            held.examples = _with_example(held.examples, new)
            self._used_in.setdefault(new.situation, {})[held.guidance.id] = None


def key_of_situation(text: str) -> str:
    """Return what situations in the same words share; empty for one that says nothing."""
    words = content(text)
    if len(words) < _LEAST_WORDS:
        return ""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


def _with_example(held: Iterable[Example], new: Example) -> list[Example]:
    """Return examples with a new one, the newest last; what the same record said of the same before gives way."""
    found = [one for one in held if (one.record, one.situation) != (new.record, new.situation)]
    found.append(new)
    alike = [one for one in found if (one.applies, one.line) == (new.applies, new.line)]
    return found if len(alike) <= MOST else [one for one in found if one is not alike[0]]


def _newest_of(held: Iterable[Example], situation: str, sight: Sight) -> Example | None:
    """Return a reader's own newest example of a situation: another user's is none of his."""
    own = [one for one in held if one.situation == situation and sight.is_own(user_of(one.line))]
    return own[-1] if own else None
