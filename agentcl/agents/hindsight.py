"""What attempts brought about on the way, whether or not they reached their goal.

A desk that never closed a ticket may have had its customers verified many times. Taken as the goal, that teaches under which
condition which action does it. This is hindsight experience replay (Andrychowicz et al. 2017), "Hindsight Experience Replay",
with states of the record as goals, and many attempts judged at once by rule induction (`agentcl.agents.induction`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final, Literal

from agentcl.agents.induction import Tried, conditions, key_of
from agentcl.guidance.effects import Effect
from agentcl.lessons import Lesson

_LEAST: Final = 2  # attempts in which a state was reached, before it is taken for a goal
_CHANCE: Final = 0.05  # at the most, that a condition is one by chance


@dataclass(frozen=True, slots=True)
class Done:
    """A step of an attempt in the words of a lesson."""

    action: str  # "send the customer a code"; of a thing with a name, "refund it"
    acting: str  # the same after "you": "refund an order"
    came: Effect | Literal["goal"]
    told: tuple[str, ...]  # clauses of its outcome


@dataclass(frozen=True, slots=True)
class Trail:
    """What was seen and done in one attempt."""

    first: tuple[str, ...]  # clauses that were seen first
    steps: tuple[Done, ...]


@dataclass(frozen=True, slots=True)
class Reaching:
    """How a state is reached that an attempt reached on its way."""

    condition: tuple[str, ...]  # clauses under which the action reaches it
    action: str
    enables: str  # what is done once it is reached and not before, as `Done.acting`; empty: nothing is known to be
    shown_by: str  # the action that shows the condition; empty: it is seen at first


class Hindsight:
    """States that some attempts reached and others did not, and what reached them.

    A state is a clause that only outcomes of change told, in two attempts or more, after an action that in another attempt
    changed nothing or did harm. What looking something up tells is none: it tells it always.

    Args:
        attempts: at one kind of task, in one world.
    """

    def __init__(self, attempts: Sequence[Trail]) -> None:
        self._attempts = attempts

    def ways(self, attempt: Trail) -> Iterator[Reaching]:
        """Yield how the states are reached that one of the attempts reached, in its order."""
        for state in self._reached(attempt):
            trials = [trial for one in self._attempts for trial in self._trials(one, state)]
            of_it = next((one for one in self._trials(attempt, state) if one.is_reached), None)
            if of_it is None:
                continue
            for told in islice(conditions(trials, of_it, chance=_CHANCE), 1):
                yield Reaching(
                    tuple(sorted(told)), of_it.action, self._enabled(state), self._shower(told)
                )

    def unclear(self, attempt: Trail) -> Iterator[tuple[str, str]]:
        """Yield what to look up before what, where an attempt did in vain what brought a state elsewhere, and nobody knows when.

        What decides may be what was not looked up, so that comes first from now on: `Done.acting`, and the action that looks it up.
        """
        looked = set[str]()
        for one in _first_tries(attempt):
            state = next((key for key, by in self._wavering.items() if one.action in by), "")
            if one.came in ("nothing", "harm") and state:
                for looker in sorted(self._lookers - looked):
                    yield self._enabled(state) or one.acting, looker
                return
            looked.add(one.action)

    def is_told(self, lesson: Lesson) -> bool:
        """Return whether many attempts say more of an action than a lesson of one attempt.

        When it brings a state is told by `ways`. What waits for one, or looks something up, is not useless for having come too early or
        twice.
        """
        if any(lesson.what in by for by in self._wavering.values()):
            return True
        is_against = lesson.claim in ("useless", "avoid")
        return is_against and lesson.what in self._lookers | self._waiting

    def _likely(self) -> list[str]:
        """Return what only outcomes of change told, and none that reached the goal, in some attempts."""
        told_in, vain = Counter[str](), set(self._vain)
        for attempt in self._attempts:
            vain.update(_keys(attempt.first))
            changed = (
                key for one in attempt.steps if one.came == "change" for key in _keys(one.told)
            )
            told_in.update(dict.fromkeys(changed, 1))
            vain.update(
                key for one in attempt.steps if one.came == "goal" for key in _keys(one.told)
            )
        return [key for key, count in told_in.items() if count >= _LEAST and key not in vain]

    @cached_property
    def _wavering(self) -> dict[str, set[str]]:
        """By state, the actions that were tried in vain before it in one attempt and brought it in another."""
        found = dict[str, set[str]]()
        for key in self._likely():
            by, failed = set[str](), set[str]()
            for attempt in self._attempts:
                for one in _first_tries(attempt, key):
                    if one.came == "change" and key in _keys(one.told):
                        by.add(one.action)
                    elif one.came in ("nothing", "harm"):
                        failed.add(one.action)
            if by & failed:
                found[key] = by & failed
        return found

    @cached_property
    def _lookers(self) -> frozenset[str]:
        """The actions that always told something, and not always the same: what they tell was so before."""
        told, others = defaultdict[str, set[tuple[str, ...]]](set), set[str]()
        for attempt in self._attempts:
            for one in _first_tries(attempt):
                if one.came == "change":
                    told[one.action].add(one.told)
                else:
                    others.add(one.action)
        return frozenset(one for one in told if len(told[one]) >= _LEAST and one not in others)

    @cached_property
    def _waiting(self) -> frozenset[str]:
        enabled = {self._enabled(state) for state in self._wavering}
        return frozenset(
            one.action
            for attempt in self._attempts
            for one in attempt.steps
            if one.acting in enabled
        )

    @cached_property
    def _vain(self) -> frozenset[str]:
        """What outcomes told that changed nothing: it says nothing of how things are, unless it was looked up again."""
        return frozenset(
            key
            for attempt in self._attempts
            for one in attempt.steps
            if one.came in ("nothing", "harm") and one.action not in self._lookers
            for key in _keys(one.told)
        )

    def _reached(self, attempt: Trail) -> list[str]:
        told = [key for one in attempt.steps if one.came == "change" for key in _keys(one.told)]
        return [key for key in dict.fromkeys(told) if key in self._wavering]

    def _trials(self, attempt: Trail, state: str) -> Iterator[Tried]:
        """Yield what was tried in an attempt until it reached a state, each action once.

        What was only looked up counts as known from the beginning, since it was so.
        """
        facts = dict.fromkeys(attempt.first)
        for one in attempt.steps:
            if one.action in self._lookers and one.came == "change":
                keyed = ((said, key_of(said)) for said in one.told)
                facts |= dict.fromkeys(
                    said
                    for said, key in keyed
                    if key not in self._wavering and key not in self._vain
                )
        now = list[str]()
        for one in _first_tries(attempt, state):
            is_reached = one.came == "change" and state in _keys(one.told)
            if is_reached or one.came in ("nothing", "harm"):
                yield Tried(one.action, tuple(dict.fromkeys((*facts, *now))), is_reached)
            if one.came == "change":
                now += [said for said in one.told if key_of(said) in self._wavering]

    def _enabled(self, state: str) -> str:
        """Return what failed before a state was reached, and never did anything but after it."""
        before, after, without = Counter[str](), Counter[str](), set[str]()
        for attempt in self._attempts:
            is_reached = False
            for one in attempt.steps:
                if one.came in ("change", "goal") and is_reached:
                    after[one.acting] += 1
                elif one.came in ("change", "goal"):
                    without.add(one.acting)
                elif not is_reached:
                    before[one.acting] += 1
                is_reached = is_reached or (one.came == "change" and state in _keys(one.told))
        found = [one for one in after if before[one] and one not in without]
        return max(found, key=lambda one: after[one], default="")

    def _shower(self, condition: Sequence[str]) -> str:
        """Return the action that shows a condition; empty where it is mostly seen at first."""
        wanted = {key_of(one) for one in condition}
        shown = Counter[str]()
        for attempt in self._attempts:
            seen = set(_keys(attempt.first))
            for one in attempt.steps:
                if wanted & set(_keys(one.told)) - seen and one.action in self._lookers:
                    shown[one.action] += 1
                    break
            if wanted <= seen:
                shown[""] += 1
        return max(shown, key=lambda one: shown[one], default="")


def _first_tries(attempt: Trail, state: str = "") -> Iterator[Done]:
    """Yield what was done until a state was told, or to the end without one, each action once."""
    tried = set[str]()
    for one in attempt.steps:
        if one.action not in tried:
            yield one
        if state and one.came == "change" and state in _keys(one.told):
            return
        tried.add(one.action)


def _keys(clauses: Sequence[str]) -> list[str]:
    return [key_of(one) for one in clauses]
