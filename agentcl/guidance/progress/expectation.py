"""The score that is expected of an episode before it is played.

Credit is given for what is better than expected, so that an easy task is no merit of what was shown in it.
The expectation of a kind of task (a cluster) is prequential (Dawid 1984): of the episodes before, never of the
one that is judged. It is shrunk to the mean over all clusters, and forgets, so that it follows learning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from agentcl.errors import InvalidInput

_SHRINKAGE: Final = 4.0  # episodes that the mean over all clusters counts as in each of them
_HALF_LIFE: Final = 50.0  # episodes of a cluster after which one of them weighs half
# Before any episode: the middle of the scale, and the largest variance that scores of it can have.
_FIRST_MEAN: Final = 0.5
_FIRST_VARIANCE: Final = 0.25


@dataclass(frozen=True, slots=True)
class ExpectedScore:
    """What is expected of the next episode of a cluster."""

    mean: float  # of its score
    variance: float  # of the score about this mean, as past expectations missed
    n: float  # episodes of this cluster that stand behind it; forgotten ones count less

    @property
    def sd(self) -> float:
        """How far a score lies from the mean, as a rule."""
        return math.sqrt(self.variance)

    @property
    def standard_error(self) -> float:
        """How far the mean itself may be off."""
        return math.sqrt(self.variance / (self.n + _SHRINKAGE))


@dataclass(slots=True)
class _Past:
    """Scores of one cluster, the older ones weighing less."""

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0  # of how far the scores were from what was expected

    def fade(self, factor: float) -> None:
        self.weight *= factor
        self.squares *= factor

    def add(self, score: float, expected: float) -> None:
        self.weight += 1
        self.mean += (score - self.mean) / self.weight
        self.squares += (score - expected) ** 2


class Expectation:
    """Expected scores by cluster. The same episodes in the same order give the same state."""

    def __init__(self, *, shrinkage: float = _SHRINKAGE, half_life: float = _HALF_LIFE) -> None:
        """Know nothing yet.

        Args:
            shrinkage: episodes that the mean over all clusters counts as in each of them.
            half_life: episodes of a cluster after which one of them weighs half.

        Raises:
            InvalidInput: if one of them is not above 0.
        """
        if not (shrinkage > 0 and half_life > 0):
            raise InvalidInput(f"shrinkage {shrinkage} and half-life {half_life}; both are above 0")
        self._shrinkage = shrinkage
        self._fading = 0.5 ** (1 / half_life)
        self._clusters: dict[str, _Past] = {}

    def expected(self, cluster: str) -> ExpectedScore:
        """Return what is expected of the next episode of a cluster; of a new one, the mean over all."""
        past = self._clusters.get(cluster, _Past())
        mean, variance = self._overall()
        total = past.weight + self._shrinkage
        return ExpectedScore(
            mean=(past.weight * past.mean + self._shrinkage * mean) / total,
            variance=(past.squares + self._shrinkage * variance) / total,
            n=past.weight,
        )

    def add(self, cluster: str, score: float) -> None:
        """Learn from an episode. One without a score is left out: it is missing, not a zero.

        Raises:
            InvalidInput: if the score is not a number from 0 to 1.
        """
        if not 0 <= score <= 1:
            raise InvalidInput(
                f"a score of {score}; give one from 0 to 1, or leave the episode out"
            )
        expected = self.expected(cluster).mean
        past = self._clusters.setdefault(cluster, _Past())
        past.fade(self._fading)
        past.add(score, expected)

    def discount(self, factor: float, cluster: str | None = None) -> None:
        """Let what was seen before weigh less, as after a change; in one cluster, or in all.

        Raises:
            InvalidInput: if the factor is not from 0 to 1.
        """
        if not 0 <= factor <= 1:
            raise InvalidInput(f"a factor of {factor}; the past keeps from 0 to 1 of its weight")
        for name, past in self._clusters.items():
            if cluster in (None, name):
                past.fade(factor)

    def to_plain(self) -> dict[str, Any]:
        """Return the state as JSON, clusters sorted: `[weight, mean, squares]` of each."""
        return {
            name: [past.weight, past.mean, past.squares]
            for name, past in sorted(self._clusters.items())
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Sequence[float]]) -> Self:
        """Return the state that `to_plain` returned."""
        expectation = cls()
        expectation._clusters = {name: _Past(*past) for name, past in plain.items()}
        return expectation

    def _overall(self) -> tuple[float, float]:
        """Return the mean of the clusters' means, and the variance within them.

        A cluster of n episodes weighs n / (n + shrinkage): one more episode of a cluster that is well known
        says little of the others. The first mean and variance count as one episode.
        """
        first = 1 / (1 + self._shrinkage)
        weights, means = [first], [first * _FIRST_MEAN]
        episodes, squares = [1.0], [_FIRST_VARIANCE]
        for past in self._clusters.values():
            weight = past.weight / (past.weight + self._shrinkage)
            weights.append(weight)
            means.append(weight * past.mean)
            episodes.append(past.weight)
            squares.append(past.squares)
        # fsum, so that the order in which clusters came first makes no difference.
        mean = math.fsum(means) / math.fsum(weights)
        return mean, math.fsum(squares) / math.fsum(episodes)
