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

Evidence is kept by whose it is (`agentcl.guidance.evidence.sight`). To a reader, what other users found of a lesson is what
another kind of task is: it says what to expect. One user, however busy, weighs no more there than ten episodes do.
What a user found of a lesson of his own counts, to others, for the shared one that was drawn from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

from agentcl.errors import InvalidInput
from agentcl.guidance.evidence.sight import EVERYBODY, NOBODY, Line, Sight, sight_of_line, user_of

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
# Of A, that one user may bring to another's belief: as much as ten episodes with a fair coin.
_MOST_OF_A_USER: Final = 2.5


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

    def __add__(self, other: _Evidence) -> _Evidence:
        return _Evidence(
            self.a + other.a,
            self.b + other.b,
            self.shown + other.shown,
            self.withheld + other.withheld,
            self.counts + other.counts,
        )


@dataclass(frozen=True, slots=True)
class _Normal:
    mean: float
    variance: float


_Clusters = dict[str, _Evidence]


class Credit:
    """The uplift of every lesson, by cluster. The same episodes in the same order give the same state."""

    def __init__(self) -> None:
        self._lessons: dict[str, dict[Line, _Clusters]] = {}  # lesson -> whose -> cluster
        self._noise: dict[Line, tuple[float, float]] = {}  # sum of squares, episodes
        # By lesson: what each user found of it, as a precision and a mean times that.
        self._found: dict[str, dict[str, tuple[float, float]]] = {}
        self._drawn: dict[str, dict[str, str]] = {}  # shared lesson -> a user's own -> the user
        # A user's own lesson -> the shared ones drawn from it
        self._shared: dict[str, list[str]] = {}

    @property
    def noise(self) -> float:
        """The variance of scores that neither the kind of task nor the lessons explain."""
        return self._noise_seen(EVERYBODY)

    def add(
        self,
        cluster: str,
        residual: float,
        exposures: Iterable[tuple[str, float, bool]],
        *,
        by: Line = NOBODY,
    ) -> None:
        """Learn from an episode that has a score.

        Args:
            cluster: the kind of task.
            residual: the score less the one that was expected before the episode.
            exposures: every lesson that was eligible, shown or not; their order makes no difference.
            by: whose episode it was.

        Raises:
            InvalidInput: if the residual is not finite, a lesson comes twice, or a probability is not from 0
                to 1; nothing was learned then.
        """
        ordered = _checked(residual, exposures)
        tried = [one for one in ordered if not one.is_certain]
        x = [one.is_shown - one.probability for one in tried]
        sight = sight_of_line(by)
        noise = self._noise_seen(sight)
        explained = [
            x_j * _in_cluster(self._seen(one.lesson, sight), cluster, 0.0, noise).mean
            for x_j, one in zip(x, tried, strict=True)
        ]
        unexplained = residual - math.fsum(explained)
        for one, x_i, own in zip(tried, x, explained, strict=True):
            self._evidence(one.lesson, by, cluster).learn(x_i, unexplained + own)
        for one in ordered:
            self._evidence(one.lesson, by, cluster).count(one, residual)
            for lesson in (one.lesson, *self._shared.get(one.lesson, ())):
                self._found.get(lesson, {}).pop(user_of(by), None)
        squares, episodes = self._noise.get(by, (_NOISE * _NOISE_WEIGHT, _NOISE_WEIGHT))
        self._noise[by] = squares + unexplained**2, episodes + 1

    def draw(self, shared: str, own: str, user: str) -> None:
        """Note that a shared lesson was drawn from what a user learned by himself."""
        self._drawn.setdefault(shared, {})[own] = user
        self._shared.setdefault(own, []).append(shared)
        self._found.pop(shared, None)

    def posterior(
        self, lesson: str, cluster: str, *, prior_mean: float = 0.0, sight: Sight = EVERYBODY
    ) -> Posterior:
        """Return what is believed of a lesson's uplift in a cluster, tried there or not.

        u_lesson is normal about `prior_mean`, u_cluster about u_lesson: the other clusters and the prior say
        what to expect here, and the evidence from here is added to that. So do other users.
        """
        others, noise = self._others(lesson, sight), self._noise_seen(sight)
        return _in_cluster(self._seen(lesson, sight), cluster, prior_mean, noise, others)

    def overall(
        self, lesson: str, *, prior_mean: float = 0.0, sight: Sight = EVERYBODY
    ) -> Posterior:
        """Return what is believed of a lesson's uplift on average, over the episodes that it was tried in."""
        held = list(self._seen(lesson, sight).values())
        noise = self._noise_seen(sight)
        prior = _lesson_mean((), prior_mean, noise, self._others(lesson, sight))
        return _with(prior, held, noise)

    def counts(self, lesson: str, cluster: str | None = None, sight: Sight = EVERYBODY) -> Counts:
        """Return in how many episodes a lesson was eligible, of one cluster or of all."""
        clusters = self._seen(lesson, sight)
        chosen = clusters if cluster is None else {cluster} & clusters.keys()
        return sum((clusters[name].counts for name in chosen), Counts())

    def clusters(self, lesson: str, sight: Sight = EVERYBODY) -> tuple[str, ...]:
        """Return the clusters in which a lesson was eligible, sorted."""
        return tuple(sorted(self._seen(lesson, sight)))

    def discount(self, factor: float, cluster: str | None = None, *, by: Line = NOBODY) -> None:
        """Let what was learned before weigh less, in one cluster or in all: after a change, or by age.

        Raises:
            InvalidInput: if the factor is not from 0 to 1.
        """
        if not 0 <= factor <= 1:
            raise InvalidInput(f"a factor of {factor}; the past keeps from 0 to 1 of its weight")
        for held in self._lessons.values():
            clusters = held.get(by, {})
            for name in clusters if cluster is None else {cluster} & clusters.keys():
                clusters[name].fade(factor)
        self._found.clear()

    def class_mean(
        self,
        lessons: Iterable[str],
        *,
        factors: Mapping[str, float] | None = None,
        sight: Sight = EVERYBODY,
    ) -> float:
        """Return the uplift to expect of a lesson of a class, from those of it that were tried.

        Their own uplifts, each weighed by how well it is known, shrunk to a small hope (empirical Bayes).

        Args:
            lessons: ids of the class.
            factors: f of each lesson, if its prior mean is f times the class mean (as it is where f says
                how far it is trusted, from -1 to 1); 1 for others. The mean is then what f = 1 would have.
            sight: whose evidence counts.
        """
        noise = self._noise_seen(sight)
        precision = [_CLASS_SD**-2]
        weighted = [_CLASS_MEAN * _CLASS_SD**-2]
        for lesson in lessons:
            factor = 1.0 if factors is None else factors.get(lesson, 1.0)
            own, own_weighted = _own(self._seen(lesson, sight).values(), noise)
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
            "noise": {line: list(held) for line, held in self._noise.items()},
            "lessons": {
                lesson: {
                    line: {name: _plain(one) for name, one in clusters.items()}
                    for line, clusters in held.items()
                }
                for lesson, held in sorted(self._lessons.items())
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the state that `to_plain` returned. Raises ValueError if that cannot be one."""
        credit = cls()
        credit._noise = {line: (held[0], held[1]) for line, held in plain["noise"].items()}
        if any(episodes < _NOISE_WEIGHT for _, episodes in credit._noise.values()):
            raise ValueError("there is noise of fewer episodes than it begins with")
        credit._lessons = {
            lesson: {
                line: {name: _evidence(one) for name, one in clusters.items()}
                for line, clusters in held.items()
            }
            for lesson, held in plain["lessons"].items()
        }
        return credit

    def _evidence(self, lesson: str, line: Line, cluster: str) -> _Evidence:
        clusters = self._lessons.setdefault(lesson, {}).setdefault(line, {})
        return clusters.setdefault(cluster, _Evidence())

    def _noise_seen(self, sight: Sight) -> float:
        squares, episodes = _NOISE * _NOISE_WEIGHT, _NOISE_WEIGHT
        held = list(sight.ways(self._noise))
        if len(held) == 1:
            squares, episodes = held[0]
        elif held:
            squares += sum(one - _NOISE * _NOISE_WEIGHT for one, _ in held)
            episodes += sum(count - _NOISE_WEIGHT for _, count in held)
        return max(_NOISE_FLOOR, squares / episodes)

    def _seen(self, lesson: str, sight: Sight) -> _Clusters:
        """Return a reader's own evidence of a lesson, by cluster."""
        by_line = self._lessons.get(lesson)
        if by_line is None:
            return {}
        held = list(sight.witnesses(by_line))
        if len(held) == 1:
            return held[0]
        merged: _Clusters = {}
        for clusters in held:
            for name, one in clusters.items():
                merged[name] = merged[name] + one if name in merged else one
        return merged

    def _others(self, lesson: str, sight: Sight) -> tuple[float, float]:
        """Return what users whom the reader does not see found of a lesson, each weighing little."""
        held, drawn = self._lessons.get(lesson, {}), self._drawn.get(lesson, {})
        if sight.users is None or (not drawn and sight.sees_all(held)):
            return 0.0, 0.0
        known = self._found.setdefault(lesson, {})
        sums: dict[str, _Evidence] = {}
        own = ((user, self._lessons.get(id, {})) for id, user in drawn.items())
        found_by = [(user_of(line), one) for line, one in held.items()]
        found_by += ((user, one) for user, lines in own for one in lines.values())
        for user, clusters in found_by:
            if user not in known:
                sums[user] = sum(clusters.values(), sums.get(user, _Evidence()))
        known.update((user, _bounded(one)) for user, one in sums.items())
        found = [one for user, one in known.items() if not sight.is_own(user)]
        return math.fsum(own for own, _ in found), math.fsum(weighted for _, weighted in found)


def _in_cluster(
    clusters: Mapping[str, _Evidence],
    cluster: str,
    prior_mean: float,
    noise: float,
    others: tuple[float, float] = (0.0, 0.0),
) -> Posterior:
    elsewhere = [one for name, one in clusters.items() if name != cluster]
    expected = _lesson_mean(elsewhere, prior_mean, noise, others)
    prior = _Normal(expected.mean, expected.variance + _CLUSTER_SPREAD**2)
    return _with(prior, [clusters.get(cluster, _Evidence())], noise)


def _lesson_mean(
    clusters: Iterable[_Evidence], prior_mean: float, noise: float, others: tuple[float, float]
) -> _Normal:
    own, weighted = _own(clusters, noise)
    precision = 1 / _SPREAD**2 + own + others[0]
    return _Normal((prior_mean / _SPREAD**2 + weighted + others[1]) / precision, 1 / precision)


def _with(prior: _Normal, clusters: Sequence[_Evidence], noise: float) -> Posterior:
    a, b = (math.fsum(sums) for sums in ([o.a for o in clusters], [o.b for o in clusters]))
    precision = 1 / prior.variance + a / noise
    return Posterior(
        mean=(prior.mean / prior.variance + b / noise) / precision,
        sd=math.sqrt(1 / precision),
        shown=math.fsum(one.shown for one in clusters),
        withheld=math.fsum(one.withheld for one in clusters),
    )


def _own(clusters: Iterable[_Evidence], noise: float) -> tuple[float, float]:
    """Return what a lesson's clusters say of its mean uplift: their precision, and mean times precision.

    Each has mean B / A, with the variance of clusters and that of its noise: s^2 + sigma^2 / A.
    """
    precision = weighted = 0.0
    for one in clusters:
        spread = _CLUSTER_SPREAD**2 * one.a + noise
        precision += one.a / spread
        weighted += one.b / spread
    return precision, weighted


def _bounded(one: _Evidence) -> tuple[float, float]:
    """Return what a user found of a lesson as `_own` does, of noise as large as it can be.

    Of any number of episodes, so many count; and no uplift is larger than the whole scale of scores, whatever
    somebody reports.
    """
    within = max(-one.a, min(one.a, one.b))
    share = min(1.0, _MOST_OF_A_USER / one.a) if one.a else 0.0
    return _own([_Evidence(share * one.a, share * within)], _NOISE)


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
