"""On which matter each lesson is: those on one matter speak for or against each other, and shared ones have witnesses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agentcl.guidance.evidence.belief import LessonState, lesson_of
from agentcl.guidance.meaning.same import matter_of
from agentcl.lessons import Lesson
from agentcl.store.episodes import Guidance


class Witness(NamedTuple):
    """That who learned a shared lesson by himself is a witness of it, by what he finds of his own."""

    shared: str
    own: str
    user: str


class Matters:
    """The lessons of a tenant by the matters that they are on.

    Args:
        lessons: by id; each is there before it is added here.
    """

    def __init__(self, lessons: Mapping[str, LessonState]) -> None:
        self._lessons = lessons
        self._ids: dict[tuple[str, str], list[str]] = {}  # by matter and user
        self._made_of: dict[
            str, list[str]
        ] = {}  # by id: the shared lessons that name it as a source

    def add(self, held: LessonState, first: Guidance) -> list[Witness]:
        """Note on which matter a lesson is, by its first version; return who is a witness of what since then."""
        held.matter = matter_of(lesson_of(first))
        self._ids.setdefault((held.matter, held.guidance.scope.user), []).append(first.id)
        pairs: list[tuple[LessonState, str]] = []
        if not first.scope.user:
            for source in dict.fromkeys(first.sources):
                self._made_of.setdefault(source, []).append(first.id)
                pairs.append((held, source))
        pairs += [(self._lessons[id], first.id) for id in self._made_of.get(first.id, ())]
        found = (self._witness(shared, source) for shared, source in pairs)
        return [one for one in found if one is not None]

    def move(self, held: LessonState, user: str) -> None:
        """Take a lesson to where another user's are."""
        made = held.guidance
        self._ids[held.matter, made.scope.user].remove(made.id)
        self._ids.setdefault((held.matter, user), []).append(made.id)

    def beside(self, lesson: Lesson, user: str) -> Iterator[LessonState]:
        """Yield the lessons on the matter of one that a user may see, oldest first."""
        matter = matter_of(lesson)
        ids = (id for one in {"", user} for id in self._ids.get((matter, one), ()))
        yield from sorted((self._lessons[id] for id in ids), key=lambda held: held.number)

    def _witness(self, shared: LessonState, source: str) -> Witness | None:
        own = self._lessons.get(source)
        if own is None or not own.guidance.scope.user:
            return None
        if own.matter != shared.matter or own.lesson.claim != shared.lesson.claim:
            return None
        return Witness(shared.guidance.id, source, own.guidance.scope.user)
