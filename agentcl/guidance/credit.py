"""What showing a lesson is worth: its uplift, from controlled exposure.

Each lesson that is eligible in an episode is shown with a probability p that was recorded before, so that the
episodes it was withheld from are its control arm. With Z = 1 where it was shown, and e the score less the one
expected of this kind of task, its uplift u is the slope of e on (Z - p): Robinson's (1988) partialling out,
the form that Nie and Wager (2021) call the R-learner. Z - p has mean 0 whatever the kind of task and whatever
the expectation, so a lesson shown mostly where tasks are easy gains nothing by it.

    A = sum (Z - p)^2,  B = sum (Z - p) e,  u is near B / A, with variance sigma^2 / A

Lessons shown together share the credit: what the others of an episode explain, (Z_j - p_j) times the mean
believed of u_j so far, is taken from e. Covariances between lessons are left out, as each lesson's coin is its
own and they are 0 on average. `benchmarks/credit_sharing.py` finds this between no sharing and a Kalman filter
with all covariances, close to the filter; and unlike a filter's state, sums can be shrunk to any prior
afterwards. Lessons of one coin (all shown or none) cannot be told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

from agentcl.errors import InvalidInput

# In points of score, which go from 0 to 1. Of lessons' uplifts about what is expected of them: few are worth
# more than 40 points of the whole scale, either way.
_SPREAD: Final = 0.2
# Of one lesson's uplifts in different clusters about its mean: smaller, or none would carry over.
_CLUSTER_SPREAD: Final = 0.12
# Of a class of lessons that was never tried: what guidance is hoped to be worth, and how surely. An sd of 0.1
# against a spread of 0.2 lets this count as much as (0.2 / 0.1)^2 = 4 lessons of which all is known.
_CLASS_MEAN: Final = 0.25
_CLASS_SD: Final = 0.1
# The variance of what remains unexplained: at first the largest that scores can have, as of a few episodes.
# The floor is an sd of 0.1: no outcome is so regular that a single episode could settle a lesson.
_NOISE: Final = 0.25
_NOISE_WEIGHT: Final = 4.0
_NOISE_FLOOR: Final = 0.01


class Exposed(NamedTuple):
    """A lesson that could have been shown in an episode. A plain tuple will do."""

    lesson: str  # its id
    probability: float  # with which it was to be shown, recorded before the coin fell
    is_shown: bool

    @property
    def is_certain(self) -> bool:
        """No coin was thrown, so that the outcome is no evidence of what the lesson is worth."""
        return self.probability in (0, 1)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of an uplift: normal, in points of score."""

    mean: float
    sd: float
    shown: float  # episodes with a coin in which it was shown; discounted ones count less
    withheld: float  # and in which it was not

    @property
    def probability_positive(self) -> float:
        """The probability that showing the lesson raises the score."""
        return 0.5 * (1 + math.erf(self.mean / (self.sd * math.sqrt(2))))


@dataclass(frozen=True, slots=True)
class Counts:
    """In how many episodes a lesson was eligible, and how they ended. Nothing is ever discounted."""

    shown: int = 0
    withheld: int = 0
    certain: int = 0  # of both: p was 0 or 1, which is no evidence
    wins: int = 0  # shown, and the score was above the one expected of such a task
    losses: int = 0  # shown, and below

    def __add__(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            self.shown + other.shown,
            self.withheld + other.withheld,
            self.certain + other.certain,
            self.wins + other.wins,
            self.losses + other.losses,
        )


@dataclass(slots=True)
class _Evidence:
    """The sums of one lesson in one cluster."""

    a: float = 0.0
    b: float = 0.0
    shown: float = 0.0
    withheld: float = 0.0
    counts: Counts = field(default_factory=Counts)

    def count(self, exposure: Exposed, residual: float) -> None:
        shown = exposure.is_shown
        self.counts += Counts(
            shown=int(shown),
            withheld=int(not shown),
            certain=int(exposure.is_certain),
            wins=int(shown and residual > 0),
            losses=int(shown and residual < 0),
        )

    def learn(self, x: float, residual: float) -> None:
        self.a += x * x
        self.b += x * residual
        self.shown += x > 0
        self.withheld += x < 0

    def fade(self, factor: float) -> None:
        self.a *= factor
        self.b *= factor
        self.shown *= factor
        self.withheld *= factor


@dataclass(frozen=True, slots=True)
class _Normal:
    mean: float
    variance: float


class Credit:
    """The uplift of every lesson, by cluster. The same episodes in the same order give the same state."""

    def __init__(self) -> None:
        self._lessons: dict[str, dict[str, _Evidence]] = {}  # lesson -> cluster -> evidence
        self._squares = _NOISE * _NOISE_WEIGHT
        self._episodes = _NOISE_WEIGHT

    @property
    def noise(self) -> float:
        """The variance of scores that neither the kind of task nor the lessons explain."""
        return max(_NOISE_FLOOR, self._squares / self._episodes)

    def add(
        self,
        cluster: str,
        residual: float,
        exposures: Iterable[tuple[str, float, bool]],
    ) -> None:
        """Learn from an episode that has a score.

        Args:
            cluster: the kind of task.
            residual: the score less the one that was expected before the episode.
            exposures: every lesson that was eligible, shown or not; their order makes no difference.

        Raises:
            InvalidInput: if the residual is not finite, a lesson comes twice, or a probability is not from 0
                to 1; nothing was learned then.
        """
        ordered = _checked(residual, exposures)
        tried = [one for one in ordered if not one.is_certain]
        x = [one.is_shown - one.probability for one in tried]
        explained = [
            x_j * self.posterior(one.lesson, cluster).mean
            for x_j, one in zip(x, tried, strict=True)
        ]
        unexplained = residual - math.fsum(explained)
        for one, x_i, own in zip(tried, x, explained, strict=True):
            self._evidence(one.lesson, cluster).learn(x_i, unexplained + own)
        for one in ordered:
            self._evidence(one.lesson, cluster).count(one, residual)
        self._squares += unexplained**2
        self._episodes += 1

    def posterior(self, lesson: str, cluster: str, *, prior_mean: float = 0.0) -> Posterior:
        """Return what is believed of a lesson's uplift in a cluster, tried there or not.

        u_lesson is normal about `prior_mean`, u_cluster about u_lesson: the other clusters and the prior say
        what to expect here, and the evidence from here is added to that.
        """
        clusters = self._lessons.get(lesson, {})
        elsewhere = [one for name, one in clusters.items() if name != cluster]
        here = clusters.get(cluster, _Evidence())
        expected = self._lesson_mean(elsewhere, prior_mean)
        prior = _Normal(expected.mean, expected.variance + _CLUSTER_SPREAD**2)
        return self._with(prior, [here])

    def overall(self, lesson: str, *, prior_mean: float = 0.0) -> Posterior:
        """Return what is believed of a lesson's uplift on average, over the episodes that it was tried in."""
        return self._with(
            _Normal(prior_mean, _SPREAD**2), list(self._lessons.get(lesson, {}).values())
        )

    def counts(self, lesson: str, cluster: str | None = None) -> Counts:
        """Return in how many episodes a lesson was eligible, of one cluster or of all."""
        clusters = self._lessons.get(lesson, {})
        chosen = clusters if cluster is None else {cluster} & clusters.keys()
        return sum((clusters[name].counts for name in chosen), Counts())

    def clusters(self, lesson: str) -> tuple[str, ...]:
        """Return the clusters in which a lesson was eligible, sorted."""
        return tuple(sorted(self._lessons.get(lesson, {})))

    def discount(self, factor: float, cluster: str | None = None) -> None:
        """Let what was learned before weigh less, in one cluster or in all: after a change, or by age.

        Raises:
            InvalidInput: if the factor is not from 0 to 1.
        """
        if not 0 <= factor <= 1:
            raise InvalidInput(f"a factor of {factor}; the past keeps from 0 to 1 of its weight")
        for clusters in self._lessons.values():
            for name in clusters if cluster is None else {cluster} & clusters.keys():
                clusters[name].fade(factor)

    def class_mean(
        self, lessons: Iterable[str], *, factors: Mapping[str, float] | None = None
    ) -> float:
        """Return the uplift to expect of a lesson of a class, from those of it that were tried.

        Their own uplifts, each weighed by how well it is known, shrunk to a small hope (empirical Bayes).

        Args:
            lessons: ids of the class.
            factors: f of each lesson, if its prior mean is f times the class mean (as it is where f says
                how far it is trusted, from -1 to 1); 1 for others. The mean is then what f = 1 would have.
        """
        precision = [_CLASS_SD**-2]
        weighted = [_CLASS_MEAN * _CLASS_SD**-2]
        for lesson in lessons:
            factor = 1.0 if factors is None else factors.get(lesson, 1.0)
            own, own_weighted = self._own(self._lessons.get(lesson, {}).values())
            if own > 0:
                weight = 1 / (_SPREAD**2 + 1 / own)
                precision.append(weight * factor**2)
                weighted.append(weight * factor * own_weighted / own)
        return math.fsum(weighted) / math.fsum(precision)

    def to_plain(self) -> dict[str, Any]:
        """Return the state as JSON: `[A, B, shown, withheld]` and the counts of each.

        Lessons are sorted. Their clusters stay in the order of arrival, in which they are summed.
        """
        return {
            "noise": [self._squares, self._episodes],
            "lessons": {
                lesson: {name: _plain(one) for name, one in clusters.items()}
                for lesson, clusters in sorted(self._lessons.items())
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `to_plain` returned."""
        credit = cls()
        credit._squares, credit._episodes = plain["noise"]
        credit._lessons = {
            lesson: {name: _evidence(one) for name, one in clusters.items()}
            for lesson, clusters in plain["lessons"].items()
        }
        return credit

    def _evidence(self, lesson: str, cluster: str) -> _Evidence:
        return self._lessons.setdefault(lesson, {}).setdefault(cluster, _Evidence())

    def _own(self, clusters: Iterable[_Evidence]) -> tuple[float, float]:
        """Return what a lesson's clusters say of its mean uplift: their precision, and mean times precision.

        Each has mean B / A, with the variance of clusters and that of its noise: s^2 + sigma^2 / A.
        """
        noise, precision, weighted = self.noise, 0.0, 0.0
        for one in clusters:
            spread = _CLUSTER_SPREAD**2 * one.a + noise
            precision += one.a / spread
            weighted += one.b / spread
        return precision, weighted

    def _lesson_mean(self, clusters: Iterable[_Evidence], prior_mean: float) -> _Normal:
        own, weighted = self._own(clusters)
        precision = 1 / _SPREAD**2 + own
        return _Normal((prior_mean / _SPREAD**2 + weighted) / precision, 1 / precision)

    def _with(self, prior: _Normal, clusters: Sequence[_Evidence]) -> Posterior:
        a, b = (math.fsum(sums) for sums in ([o.a for o in clusters], [o.b for o in clusters]))
        precision = 1 / prior.variance + a / self.noise
        return Posterior(
            mean=(prior.mean / prior.variance + b / self.noise) / precision,
            sd=math.sqrt(1 / precision),
            shown=math.fsum(one.shown for one in clusters),
            withheld=math.fsum(one.withheld for one in clusters),
        )


def _checked(residual: float, exposures: Iterable[tuple[str, float, bool]]) -> list[Exposed]:
    """Return the exposures by id, so that floats are always summed in the same order."""
    if not math.isfinite(residual):
        raise InvalidInput(f"a residual of {residual}; leave out an episode that has no score")
    ordered = sorted((Exposed(*one) for one in exposures), key=lambda one: one.lesson)
    for one in ordered:
        # `not ... <= ...` refuses NaN as well.
        if not 0 <= one.probability <= 1:
            raise InvalidInput(
                f"lesson {one.lesson} with probability {one.probability}; it is from 0 to 1"
            )
    for first, second in pairwise(ordered):
        if first.lesson == second.lesson:
            raise InvalidInput(f"lesson {first.lesson} comes twice in an episode; give it once")
    return ordered


def _plain(one: _Evidence) -> list[float]:
    counts = one.counts
    return [
        *(one.a, one.b, one.shown, one.withheld),
        *(counts.shown, counts.withheld, counts.certain, counts.wins, counts.losses),
    ]


def _evidence(plain: Sequence[Any]) -> _Evidence:
    a, b, shown, withheld, *counts = plain
    return _Evidence(a, b, shown, withheld, Counts(*counts))
