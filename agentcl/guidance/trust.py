"""Is it still so? What later episodes said of a lesson, confirming or refuting it.

A lesson is a hypothesis, and the episode that it was drawn from is no test of it. Each later episode that
says the same in the same situation confirms it, one that says the opposite refutes it. The prior is the
reliability of its class: how often lessons of the same origin and claim were confirmed when they were tested
first (empirical Bayes). So where rules never hold twice, nothing new is believed, and where they always do, a
lesson is believed at once.

Worlds are told apart. What was tested in other worlds is the prior for a world where a lesson was never
tested: this is CLIN's meta-memory (Majumder et al. 2023, section 3.3) as the top of a hierarchy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

# A test weighs 1 / k, where k counts from the newest: forgetting by a power law in use (Anderson and
# Schooler 1991), with an exponent at which two refutations outweigh any number of older confirmations.
_DECAY: Final = 1.0
_KEPT: Final = 32  # tests of one lesson in one world; older ones weigh less than a thirtieth
_CHANGE_AGE: Final = 3.0  # by which a detected change ages what was tested before it
_PRIOR_WEIGHT: Final = 1.0  # tests that the prior of a lesson counts as
_CLASS_WEIGHT: Final = 2.0  # tests that the prior of a class counts as
_CLASS_FORGETS: Final = 0.97  # of the weight of a class's tests at each new one: half in 23
_CARRY_WEIGHT: Final = 2.0  # worlds that the prior of a transfer counts as
_CARRY_PRIOR: Final = 0.5


@dataclass(slots=True)
class _Tests:
    """Tests of one lesson in one world, oldest first: was it confirmed, and how aged the world was."""

    results: list[tuple[bool, int]] = field(default_factory=list)

    def weights(self, aging: int) -> tuple[float, float]:
        """Return how much weighs for it and against it."""
        good = bad = 0.0
        for k, (is_confirmed, then) in enumerate(reversed(self.results), start=1):
            weight = (k + _CHANGE_AGE * (aging - then)) ** -_DECAY
            if is_confirmed:
                good += weight
            else:
                bad += weight
        return good, bad


@dataclass(slots=True)
class _Class:
    """How lessons of one origin and claim fared when they were tested."""

    confirmed: float = 0.0
    tested: float = 0.0

    def add(self, is_confirmed: bool) -> None:
        self.confirmed = self.confirmed * _CLASS_FORGETS + is_confirmed
        self.tested = self.tested * _CLASS_FORGETS + 1


class Trust:
    """What tests say of lessons, by world."""

    def __init__(self) -> None:
        self._tests: dict[str, dict[str, _Tests]] = {}  # lesson -> world -> tests
        self._classes: dict[str, _Class] = {}
        self._carried = _Class()  # of lessons tested in a second world: how often they held there
        self._aging: dict[str, int] = {}  # world -> changes seen

    def test(self, lesson: str, world: str, class_name: str, *, is_confirmed: bool) -> None:
        """Note that an episode confirmed or refuted a lesson."""
        worlds = self._tests.setdefault(lesson, {})
        if world not in worlds and worlds:
            self._carried.add(is_confirmed)
        tests = worlds.setdefault(world, _Tests())
        tests.results.append((is_confirmed, self._aging.get(world, 0)))
        del tests.results[:-_KEPT]
        self._classes.setdefault(class_name, _Class()).add(is_confirmed)

    def born(self, lesson: str, world: str) -> None:
        """Note where a lesson was drawn from; that is no test of it."""
        self._tests.setdefault(lesson, {}).setdefault(world, _Tests())

    def change(self, world: str) -> None:
        """Lower what was tested in a world before now: its rules seem to have changed."""
        self._aging[world] = self._aging.get(world, 0) + 1

    def reliability(self, class_name: str, *, prior: float) -> float:
        """Return how often lessons of a class are confirmed, from 0 to 1."""
        held = self._classes.get(class_name, _Class())
        return (held.confirmed + _CLASS_WEIGHT * prior) / (held.tested + _CLASS_WEIGHT)

    def belief(self, lesson: str, world: str, class_name: str, *, prior: float) -> float:
        """Return the probability that a lesson holds in a world now.

        `prior` is the reliability of a class that was never tested.
        """
        reliability = self.reliability(class_name, prior=prior)
        worlds = self._tests.get(lesson, {})
        if world in worlds or not worlds:
            expected = reliability
        else:
            elsewhere = [self._local(tests, place, reliability) for place, tests in worlds.items()]
            expected = self.generality(elsewhere)
        return self._local(worlds.get(world, _Tests()), world, expected)

    def generality(self, beliefs: Iterable[float]) -> float:
        """Return how probably a lesson carries over to a new world, from how it fares in those it knows.

        The first world counts nothing for transfer: every lesson holds where it was found.
        """
        held = sorted(beliefs, reverse=True)
        carry = (self._carried.confirmed + _CARRY_WEIGHT * _CARRY_PRIOR) / (
            self._carried.tested + _CARRY_WEIGHT
        )
        if not held:
            return carry
        return held[0] * (sum(held[1:]) + carry) / len(held)

    def worlds(self, lesson: str) -> tuple[str, ...]:
        """Return where a lesson was found or tested."""
        return tuple(self._tests.get(lesson, ()))

    def counts(self, lesson: str, world: str | None = None) -> tuple[int, int]:
        """Return how many kept tests confirmed and refuted a lesson; in all worlds, or in one."""
        chosen = self._tests.get(lesson, {})
        held = chosen.values() if world is None else [chosen[world]] if world in chosen else []
        results = [is_confirmed for tests in held for is_confirmed, _ in tests.results]
        return sum(results), len(results) - sum(results)

    def is_refuted_last(self, lesson: str, world: str) -> bool:
        """Return whether the newest test in a world went against a lesson."""
        tests = self._tests.get(lesson, {}).get(world)
        return bool(tests and tests.results and not tests.results[-1][0])

    def to_plain(self) -> dict[str, Any]:
        """Return all that is held, as JSON."""
        return {
            "tests": {
                lesson: {world: tests.results for world, tests in worlds.items()}
                for lesson, worlds in self._tests.items()
            },
            "classes": {name: [c.confirmed, c.tested] for name, c in self._classes.items()},
            "carried": [self._carried.confirmed, self._carried.tested],
            "aging": self._aging,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `to_plain` returned."""
        trust = cls()
        trust._tests = {
            lesson: {
                world: _Tests([(is_confirmed, then) for is_confirmed, then in results])
                for world, results in worlds.items()
            }
            for lesson, worlds in plain["tests"].items()
        }
        trust._classes = {name: _Class(*counts) for name, counts in plain["classes"].items()}
        trust._carried = _Class(*plain["carried"])
        trust._aging = dict(plain["aging"])
        return trust

    def _local(self, tests: _Tests, world: str, expected: float) -> float:
        good, bad = tests.weights(self._aging.get(world, 0))
        return (good + _PRIOR_WEIGHT * expected) / (good + bad + _PRIOR_WEIGHT)
