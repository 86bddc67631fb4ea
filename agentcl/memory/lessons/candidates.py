"""Which lessons are looked at for a situation: those whose vectors are most like it, each condition once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentcl.guidance.evidence.belief import LessonState
    from agentcl.guidance.state import GuidanceState
    from agentcl.store.base import Store

    Vectors = NDArray[np.float32]

_ROOM: Final = 256  # rows at first


class Candidates:
    """The lessons of one tenant by their vectors, kept in step with what is believed.

    Lessons with the same condition stand for one: thousands of them leave as much room for others as one does. Only vectors of
    lessons that are new or changed are read. Not safe for threads: whoever holds one takes care.
    """

    def __init__(self) -> None:
        self._state: GuidanceState | None = None
        self._followed = -1, -1  # how often all vectors were replaced, and up to which row
        self._clear()

    def _clear(self) -> None:
        self._seqs: dict[str, int] = {}  # by lesson, of the version that is held
        self._vectors: Vectors | None = None  # of length 1, `[rows, width]`, with room for more
        self._ids: list[str] = []  # by row
        self._whens: list[str] = []  # conditions
        self._conditions: dict[str, int] = {}  # their places in that list
        self._places: dict[tuple[object, ...], int] = {}  # where lessons are offered, by number
        self._one_of: list[str] = []  # by place: a lesson that is offered there
        self._numbers = np.zeros((2, _ROOM), np.int64)  # by row: of its condition, of its place
        self._rows_of: list[list[int]] = []  # by condition

    def follow(self, state: GuidanceState, journal: Store) -> None:
        """Take what is new in a state. Raises StoreCorrupt."""
        followed = journal.epoch(), state.watermark
        if self._state is state and self._followed == followed:
            return
        lessons = list(state.lessons.values())
        changed = [one for one in lessons if self._seqs.get(one.guidance.id) != one.seq]
        is_gone = len(lessons) - len(changed) < len(self._seqs)  # or has another version now
        if is_gone or self._followed[0] != followed[0]:
            self._clear()
            changed = lessons
        vectors = journal.vectors([one.seq for one in changed]) if changed else {}
        for one in changed:
            self._seqs[one.guidance.id] = one.seq
            if one.seq in vectors:
                self._add(one, np.frombuffer(vectors[one.seq], "<f4"))
        self._state, self._followed = state, followed

    def _add(self, one: LessonState, vector: Vectors) -> None:
        made, row = one.guidance, len(self._ids)
        if self._vectors is None:
            self._vectors = np.zeros((_ROOM, len(vector)), np.float32)
        if row == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)], 1)
        self._vectors[row] = vector / np.linalg.norm(vector)
        self._ids.append(made.id)
        condition = self._conditions.setdefault(made.when, len(self._whens))
        if condition == len(self._whens):
            self._whens.append(made.when)
            self._rows_of.append([])
        self._rows_of[condition].append(row)
        place = made.scope, made.level, made.application, made.world
        number = self._places.setdefault(place, len(self._places))
        if number == len(self._one_of):
            self._one_of.append(made.id)
        self._numbers[:, row] = condition, number

    def nearest(
        self,
        seen: Vectors,
        first: Mapping[str, list[str]],
        is_offered: Callable[[LessonState], bool],
        *,
        most: int,
    ) -> dict[str, list[str]]:
        """Return the conditions that are most like a situation, each with all lessons that have it.

        Args:
            seen: vectors of the situation and its parts, `[parts, width]`.
            first: conditions that come before, with lessons that have them.
            is_offered: whether a lesson may be shown.
            most: conditions.
        """
        found = {when: [*ids] for when, ids in first.items()}
        if self._state is None or self._vectors is None:
            return found
        lessons, count = self._state.lessons, len(self._ids)
        is_open = np.array([is_offered(lessons[id]) for id in self._one_of])
        is_shown = is_open[self._numbers[1, :count]]
        likeness = (self._vectors[:count] @ seen.T).max(1)
        likeness[~is_shown] = -np.inf
        best = np.full(len(self._whens), -np.inf, np.float32)
        np.maximum.at(best, self._numbers[0, :count], likeness)
        nearest = np.argpartition(-best, min(most, len(best) - 1))[:most]
        for at in sorted(nearest.tolist(), key=lambda at: (-best[at], at)):
            if len(found) < most and best[at] > -np.inf:
                found.setdefault(self._whens[at], [])
        for when, ids in found.items():
            known = set(ids)
            rows = self._rows_of[self._conditions[when]] if when in self._conditions else ()
            ids += [id for row in rows if is_shown[row] and (id := self._ids[row]) not in known]
        return found


def by_condition(
    state: GuidanceState,
    ids: Iterable[str],
    is_offered: Callable[[LessonState], bool],
    *,
    most: int,
) -> dict[str, list[str]]:
    """Return the first conditions of lessons that may be shown, each with those that have it."""
    found: dict[str, list[str]] = {}
    for id in ids:
        when = state.lessons[id].guidance.when
        if (when in found or len(found) < most) and is_offered(state.lessons[id]):
            found.setdefault(when, []).append(id)
    return found
