"""How lessons that are shown together share the credit: our sums, beside no sharing and a Kalman filter.

    python benchmarks/credit_sharing.py

The bandit of `credit.py`, every lesson on trial for all 200 episodes. Lessons are ranked by how sure their sign is
(mean by sd of the posterior); average precision is over this ranking, where a neutral lesson or the wrong sign is
an error. The filter keeps all covariances between lessons, which is the most that can be known.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from credit import EPISODES, KINDS, OUTCOMES, Bandit
from parts.results import machine, save, table

from agentcl.guidance.evidence.credit import Credit, Exposed
from agentcl.guidance.progress.expectation import Expectation

SEEDS: Final = 40
EACH: Final = (1, 2)  # lessons of every class, of which there are seven
_SPREAD: Final = 0.2  # of uplifts, as in `agentcl.guidance.evidence.credit`


class Ranked(NamedTuple):
    """How sure the sign of a lesson is, and whether it is right."""

    certainty: float
    is_right: bool
    has_sign: bool


class Estimator(Protocol):
    """A way to learn uplifts."""

    def add(self, cluster: str, residual: float, exposures: Sequence[Exposed]) -> None:
        """Learn from an episode."""

    def z(self, lesson: str) -> float:
        """Return the mean of a lesson's uplift by its sd."""


class Sums:
    """Ours, or without sharing: each lesson as if it were alone in the episode."""

    def __init__(self, *, is_shared: bool) -> None:
        self._credit, self._is_shared = Credit(), is_shared

    def add(self, cluster: str, residual: float, exposures: Sequence[Exposed]) -> None:
        """Learn from an episode."""
        for part in [exposures] if self._is_shared else [[one] for one in exposures]:
            self._credit.add(cluster, residual, part)

    def z(self, lesson: str) -> float:
        """Return the mean of a lesson's uplift by its sd."""
        held = self._credit.overall(lesson)
        return held.mean / held.sd


class Filter:
    """Bayesian linear regression, one observation after the other (Kalman 1960)."""

    def __init__(self, lessons: Sequence[str]) -> None:
        self._place = {lesson: n for n, lesson in enumerate(lessons)}
        self._mean = [0.0] * len(lessons)
        self._covariance = [[_SPREAD**2 * (one == other) for other in lessons] for one in lessons]
        self._squares, self._episodes = 1.0, 4.0  # as Credit begins

    def add(self, cluster: str, residual: float, exposures: Sequence[Exposed]) -> None:
        """Learn from an episode."""
        x = [0.0] * len(self._mean)
        for one in exposures:
            x[self._place[one.lesson]] = one.is_shown - one.probability
        reach = [_dot(row, x) for row in self._covariance]
        noise = self._squares / self._episodes
        total, error = noise + _dot(x, reach), residual - _dot(x, self._mean)
        self._mean = [m + r * error / total for m, r in zip(self._mean, reach, strict=True)]
        self._covariance = [
            [held - r * other / total for held, other in zip(row, reach, strict=True)]
            for row, r in zip(self._covariance, reach, strict=True)
        ]
        self._squares += error**2 * noise / total
        self._episodes += 1

    def z(self, lesson: str) -> float:
        """Return the mean of a lesson's uplift by its sd."""
        place = self._place[lesson]
        return self._mean[place] / math.sqrt(self._covariance[place][place])


WAYS: Final[dict[str, Callable[[Sequence[str]], Estimator]]] = {
    "no sharing": lambda _: Sums(is_shared=False),
    "ours": lambda _: Sums(is_shared=True),
    "Kalman filter, all covariances": Filter,
}


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(one * other for one, other in zip(first, second, strict=True))


def ranked(outcome: str, seed: int, each: int) -> dict[str, list[Ranked]]:
    """Play, and return every lesson as each way ranks it."""
    bandit, baseline = Bandit(outcome, seed, each=each), Expectation()
    ways = {name: make(list(bandit.lessons)) for name, make in WAYS.items()}
    for _ in range(EPISODES):
        played = bandit.play(lambda lesson, task: bandit.lessons[lesson].trial[task])
        cluster = list(KINDS)[played.task]
        residual = played.score - baseline.expected(cluster).mean
        for way in ways.values():
            way.add(cluster, residual, played.exposures)
        baseline.add(cluster, played.score)
    return {
        name: [
            Ranked(abs(z), z * hidden.sign > 0, hidden.sign != 0)
            for lesson, hidden in bandit.lessons.items()
            for z in [way.z(lesson)]
        ]
        for name, way in ways.items()
    }


def average_precision(lessons: Sequence[Ranked]) -> float:
    """Return the mean precision down to each right one, over all that have a sign."""
    right, found = 0, []
    for place, one in enumerate(sorted(lessons, reverse=True), start=1):
        right += one.is_right
        if one.is_right:
            found.append(right / place)
    return sum(found) / sum(one.has_sign for one in lessons)


def main() -> None:
    """Measure and save."""
    rows, saved = [], []
    for each in EACH:
        for outcome in OUTCOMES:
            runs = [ranked(outcome, seed, each) for seed in range(SEEDS)]
            found = {name: _interval([run[name] for run in runs]) for name in WAYS}
            saved.append({"outcome": outcome, "lessons": 7 * each, "average precision": found})
            cells = [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in found.values()]
            rows.append([outcome, str(7 * each), *cells])
    table(["outcome", "lessons", *(f"{name} [95 %]" for name in WAYS)], rows)
    save(
        "credit_sharing",
        {"machine": machine(), "episodes": EPISODES, "seeds": SEEDS, "rows": saved},
    )


def _interval(runs: Sequence[Sequence[Ranked]]) -> list[float]:
    """Return the average precision over all seeds, and its 95 % interval over them."""
    rng = random.Random("seeds")
    drawn = sorted(
        average_precision([one for run in rng.choices(runs, k=len(runs)) for one in run])
        for _ in range(400)
    )
    return [average_precision([one for run in runs for one in run]), drawn[10], drawn[-11]]


if __name__ == "__main__":
    main()
