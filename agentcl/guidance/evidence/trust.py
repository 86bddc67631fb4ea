"""Is it still so? What later episodes said of a lesson, confirming or refuting it.

A lesson is a hypothesis, and the episode that it was drawn from is no test of it. Each later episode that
says the same in the same situation confirms it, one that says the opposite refutes it. The prior is the
reliability of its class: how often lessons of the same origin and claim were confirmed when they were tested
first (empirical Bayes). So where rules never hold twice, nothing new is believed, and where they always do, a
lesson is believed at once.

Worlds are told apart. What was tested in other worlds is the prior for a world where a lesson was never
tested: this is CLIN's meta-memory (Majumder et al. 2023, section 3.3) as the top of a hierarchy.

So are those who tested it (`agentcl.guidance.evidence.sight`). A reader's own tests count in full. Of everybody else who
may see the lesson, each user has one vote, his newest test; their votes are no more than the prior, and alone
they never take a lesson from a reader. Who learned by himself what a shared lesson says has a vote from the
beginning: that of his own lesson. Else those who see it first would decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from agentcl.guidance.evidence.sight import EVERYBODY, NOBODY, Line, Sight, sight_of_line, user_of

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
_VOTES_WEIGHT: Final = 4.0  # votes of other users that the prior before them counts as
# What others' votes leave at least: a lesson that may be tried, if rarely
_LEAST_BY_VOTES: Final = 0.5


class _Test(NamedTuple):
    is_confirmed: bool
    aging: int  # how aged the world was
    number: int  # of all tests


_Tests = dict[str, dict[str, dict[Line, list[_Test]]]]  # lesson -> world -> line, oldest first


@dataclass(slots=True)
class _Class:
    """How lessons of one origin and claim fared when they were tested."""

    confirmed: float = 0.0
    tested: float = 0.0

    def add(self, is_confirmed: bool) -> None:
        self.confirmed = self.confirmed * _CLASS_FORGETS + is_confirmed
        self.tested = self.tested * _CLASS_FORGETS + 1


class Trust:
    """What tests say of lessons, by world and by who made them."""

    def __init__(self) -> None:
        self._tests: _Tests = {}
        self._born: dict[str, str] = {}  # lesson -> the world that it was drawn from
        self._classes: dict[Line, dict[str, _Class]] = {}
        # Of lessons tested in a second world: how often they held there.
        self._carried: dict[Line, _Class] = {}
        self._aging: dict[Line, dict[str, int]] = {}  # world -> changes seen
        self._number = 0
        self._drawn: dict[str, dict[str, str]] = {}  # shared lesson -> a user's own -> the user
        # A user's own lesson -> the shared ones drawn from it
        self._shared: dict[str, list[str]] = {}
        # By lesson and world, what each user's newest test says; read from the tests when asked for first.
        self._votes: dict[tuple[str, str], dict[str, bool]] = {}

    def test(
        self, lesson: str, world: str, class_name: str, *, is_confirmed: bool, by: Line = NOBODY
    ) -> None:
        """Note that an episode confirmed or refuted a lesson; `by` says whose episode."""
        known = self.worlds(lesson, sight_of_line(by))
        if known and world not in known:
            self._carried.setdefault(by, _Class()).add(is_confirmed)
        tests = self._tests.setdefault(lesson, {}).setdefault(world, {}).setdefault(by, [])
        tests.append(_Test(is_confirmed, self._aging.get(by, {}).get(world, 0), self._number))
        del tests[:-_KEPT]
        self._number += 1
        if (lesson, world) in self._votes:
            self._votes[lesson, world][user_of(by)] = is_confirmed
        for shared in self._shared.get(lesson, ()):
            self._votes.pop((shared, world), None)
        self._classes.setdefault(by, {}).setdefault(class_name, _Class()).add(is_confirmed)

    def born(self, lesson: str, world: str) -> None:
        """Note where a lesson was drawn from; that is no test of it."""
        self._born.setdefault(lesson, world)

    def draw(self, shared: str, own: str, user: str) -> None:
        """Note that a shared lesson was drawn from what a user learned by himself."""
        self._drawn.setdefault(shared, {})[own] = user
        self._shared.setdefault(own, []).append(shared)
        for known in [one for one in self._votes if one[0] == shared]:
            del self._votes[known]

    def change(self, world: str, *, by: Line = NOBODY) -> None:
        """Lower what was tested in a world before now: its rules seem to have changed, for `by`."""
        aging = self._aging.setdefault(by, {})
        aging[world] = aging.get(world, 0) + 1

    def reliability(self, class_name: str, *, prior: float, sight: Sight = EVERYBODY) -> float:
        """Return how often lessons of a class are confirmed, from 0 to 1."""
        held = (classes.get(class_name) for classes in sight.ways(self._classes))
        return _share(held, prior, _CLASS_WEIGHT)

    def belief(
        self, lesson: str, world: str, class_name: str, *, prior: float, sight: Sight = EVERYBODY
    ) -> float:
        """Return the probability that a lesson holds in a world now.

        `prior` is the reliability of a class that was never tested.
        """
        reliability = self.reliability(class_name, prior=prior, sight=sight)
        worlds = self.worlds(lesson, sight)  # not those of others: one of them could invent any
        if world in worlds or not worlds:
            expected = reliability
        else:
            elsewhere = [self._local(lesson, place, reliability, sight) for place in worlds]
            expected = self.generality(elsewhere, sight=sight)
        return self._local(lesson, world, expected, sight)

    def generality(self, beliefs: Iterable[float], *, sight: Sight = EVERYBODY) -> float:
        """Return how probably a lesson carries over to a new world, from how it fares in those it knows.

        The first world counts nothing for transfer: every lesson holds where it was found.
        """
        held = sorted(beliefs, reverse=True)
        carry = _share(sight.ways(self._carried), _CARRY_PRIOR, _CARRY_WEIGHT)
        if not held:
            return carry
        return held[0] * (sum(held[1:]) + carry) / len(held)

    def worlds(self, lesson: str, sight: Sight = EVERYBODY) -> tuple[str, ...]:
        """Return where a lesson was found or, as far as the reader sees, tested."""
        found = dict.fromkeys([self._born[lesson]] if lesson in self._born else [])
        for world, tests in self._tests.get(lesson, {}).items():
            if any(sight.witnesses(tests)):
                found[world] = None
        return tuple(found)

    def counts(
        self, lesson: str, world: str | None = None, sight: Sight = EVERYBODY
    ) -> tuple[int, int]:
        """Return how many kept tests confirmed and refuted a lesson; in all worlds, or in one."""
        chosen = self._tests.get(lesson, {})
        held = chosen.values() if world is None else [chosen[world]] if world in chosen else []
        results = [
            one.is_confirmed for tests in held for made in sight.witnesses(tests) for one in made
        ]
        return sum(results), len(results) - sum(results)

    def votes(self, lesson: str, world: str, sight: Sight) -> tuple[int, int]:
        """Return how many other users' newest test confirmed and refuted a lesson in a world."""
        tests = self._tests.get(lesson, {}).get(world, {})
        if sight.users is None or (lesson not in self._drawn and sight.sees_all(tests)):
            return 0, 0
        held = self._votes.get((lesson, world))
        if held is None:
            cast = sorted(self._cast(lesson, world))
            held = self._votes[lesson, world] = {user: vote for _, user, vote in cast}
        own = [held[user] for user in sight.users or () if user in held]
        good = sum(held.values()) - sum(own)
        return good, len(held) - len(own) - good

    def _cast(self, lesson: str, world: str) -> Iterator[tuple[int, str, bool]]:
        """Yield what users found of a lesson in a world: the number of a test, the user, and what it said."""
        for line, made in self._tests.get(lesson, {}).get(world, {}).items():
            yield made[-1].number, user_of(line), made[-1].is_confirmed
        for own, user in self._drawn.get(lesson, {}).items():
            if self._born.get(own) == world:
                yield -1, user, True
            for line, made in self._tests.get(own, {}).get(world, {}).items():
                if user_of(line) == user:
                    yield made[-1].number, user, made[-1].is_confirmed

    def is_refuted_last(self, lesson: str, world: str, sight: Sight = EVERYBODY) -> bool:
        """Return whether the newest test in a world went against a lesson."""
        tests = [made[-1] for made in sight.witnesses(self._tests.get(lesson, {}).get(world, {}))]
        return bool(tests) and not max(tests, key=lambda one: one.number).is_confirmed

    def to_plain(self) -> dict[str, Any]:
        """Return all that is held, as JSON."""
        return {
            "tests": self._tests,
            "born": self._born,
            "classes": {
                line: {name: [c.confirmed, c.tested] for name, c in classes.items()}
                for line, classes in self._classes.items()
            },
            "carried": {line: [c.confirmed, c.tested] for line, c in self._carried.items()},
            "aging": self._aging,
            "number": self._number,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `to_plain` returned."""
        trust = cls()
        trust._tests = {
            lesson: {
                world: {line: [_Test(*one) for one in made] for line, made in tests.items()}
                for world, tests in worlds.items()
            }
            for lesson, worlds in plain["tests"].items()
        }
        trust._born = dict(plain["born"])
        trust._classes = {
            line: {name: _Class(*counts) for name, counts in classes.items()}
            for line, classes in plain["classes"].items()
        }
        trust._carried = {line: _Class(*counts) for line, counts in plain["carried"].items()}
        trust._aging = {line: dict(worlds) for line, worlds in plain["aging"].items()}
        trust._number = plain["number"]
        return trust

    def _local(self, lesson: str, world: str, expected: float, sight: Sight) -> float:
        good = bad = 0.0
        good_votes, bad_votes = self.votes(lesson, world, sight)
        if good_votes or bad_votes:
            voted = (good_votes + _VOTES_WEIGHT * expected) / (
                good_votes + bad_votes + _VOTES_WEIGHT
            )
            expected = max(voted, min(expected, _LEAST_BY_VOTES))
        tests = self._tests.get(lesson, {}).get(world, {})
        for k, (is_confirmed, age) in enumerate(self._newest(tests, world, sight), start=1):
            weight = (k + _CHANGE_AGE * age) ** -_DECAY
            if is_confirmed:
                good += weight
            else:
                bad += weight
        return (good + _PRIOR_WEIGHT * expected) / (good + bad + _PRIOR_WEIGHT)

    def _newest(
        self, tests: Mapping[Line, list[_Test]], world: str, sight: Sight
    ) -> Iterator[tuple[bool, int]]:
        """Yield the reader's own tests, the newest first: was it confirmed, and how it has aged."""
        held = [
            (
                one.number,
                one.is_confirmed,
                max(0, self._aging.get(line, {}).get(world, 0) - one.aging),
            )
            for line in sight.own(tests)
            for one in tests[line]
        ]
        for _, is_confirmed, age in sorted(held, reverse=True):
            yield is_confirmed, age


def _share(held: Iterable[_Class | None], prior: float, weight: float) -> float:
    """Return which share was confirmed, where a prior counts as so many tests."""
    confirmed = tested = 0.0
    for one in held:
        if one is not None:
            confirmed += one.confirmed
            tested += one.tested
    return (confirmed + weight * prior) / (tested + weight)
