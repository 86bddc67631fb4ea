"""How sure a difference is: bootstrap intervals, a sign test, and how many runs a claim needs."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.bench.metrics.trends import check_finite, check_paired
from agentcl.errors import InvalidInput

RESAMPLES: Final = 2000
_FEWEST: Final = 100  # resamples; the ends of an interval of fewer are noise


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and where it would lie in most repetitions."""

    estimate: float
    low: float
    high: float
    level: float  # 0.95: the interval covers the truth in about 95 of 100 repetitions
    units: int  # what was drawn: episodes, or clusters

    @property
    def covers_zero(self) -> bool:
        """No difference is among the values that the interval allows."""
        return self.low <= 0 <= self.high


def paired_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Return the mean of d_t = x_t - y_t with a percentile bootstrap interval (Efron 1979).

    Episodes (or clusters, each whole) are drawn with replacement, as many as there are; the interval is
    from the (1-level)/2 to the (1+level)/2 quantile of the means of what was drawn. Of few units it is too
    narrow: take `student_interval` for fewer than ten.

    Args:
        ours: x_t, a score for each episode.
        theirs: y_t, the other baseline's score of the same episodes, in the same order.
        clusters: what each episode belongs to (its seed, its stream), if episodes of one are not
            independent: a memory makes the episodes of a run depend on each other, so draw runs.
        level: of the interval, between 0 and 1.
        resamples: how often it is drawn; at least 100.
        seed: of the draws.

    Returns:
        None for fewer than two units: nothing is known of how they vary.

    Raises:
        InvalidInput: if the lengths differ, a score is not finite, or an option is out of its range.
    """
    check_paired(ours, theirs)
    pairs = zip(check_finite(ours, "our scores"), check_finite(theirs, "theirs"), strict=True)
    differences = [x - y for x, y in pairs]
    units = _units(differences, clusters)
    if len(units) < 2:
        return None
    rng = random.Random(f"paired bootstrap:{seed}")
    means = _resampled(lambda: _mean_of_units(rng.choices(units, k=len(units))), resamples)
    low, high = _ends(means, level)
    return Interval(statistics.fmean(differences), low, high, level, len(units))


def unpaired_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Return the difference of two means, of different episodes, with a percentile bootstrap interval.

    Each side is drawn by itself. Wider than the paired interval where the same episodes vary together:
    use that one where there are pairs. `units` is the smaller side's number.

    Returns:
        None if a side has fewer than two.

    Raises:
        InvalidInput: if a score is not finite, or an option is out of its range.
    """
    sides = (check_finite(ours, "our scores"), check_finite(theirs, "theirs"))
    if min(map(len, sides)) < 2:
        return None
    rng = random.Random(f"unpaired bootstrap:{seed}")

    def draw() -> float:
        first, second = (statistics.fmean(rng.choices(side, k=len(side))) for side in sides)
        return first - second

    low, high = _ends(_resampled(draw, resamples), level)
    first, second = map(statistics.fmean, sides)
    return Interval(first - second, low, high, level, min(map(len, sides)))


def student_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval | None:
    """Return the mean of d_t = x_t - y_t with Student's interval: for fewer than some ten units.

    mean +- t sd / sqrt(n), t the (1+level)/2 quantile of Student's distribution with n - 1 degrees of
    freedom, over the n episodes, or over the mean differences of n clusters, each of which weighs the
    same. It takes the units to be normally distributed, and so keeps its level where a bootstrap cannot:
    of three seeds no resample leaves the range of the three.

    Args:
        ours: x_t, a score for each episode.
        theirs: y_t, the other baseline's score of the same episodes, in the same order.
        clusters: what each episode belongs to, as in `paired_interval`.
        level: of the interval, between 0 and 1.

    Returns:
        None for fewer than two units.

    Raises:
        InvalidInput: if the lengths differ, a score is not finite, or the level is out of its range.
    """
    check_paired(ours, theirs)
    pairs = zip(check_finite(ours, "our scores"), check_finite(theirs, "theirs"), strict=True)
    means = [total / count for total, count in _units([x - y for x, y in pairs], clusters)]
    _check_level(level)
    if len(means) < 2:
        return None
    estimate = statistics.fmean(means)
    reach = _student_quantile((1 + level) / 2, len(means) - 1)
    half = reach * statistics.stdev(means) / math.sqrt(len(means))
    return Interval(estimate, estimate - half, estimate + half, level, len(means))


def cluster_means(values: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    """Return the mean of each cluster, in the order in which they first come.

    Raises:
        InvalidInput: if there is not one cluster for each value.
    """
    return [total / count for total, count in _units(values, clusters)]


def units_needed(
    differences: Sequence[float], *, difference: float, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """N = ceil(((z_{1-alpha/2} + z_power) sd / difference)^2), at least 2: how many pairs a claim needs.

    sd is the sample standard deviation of the paired differences, z the quantile of the normal
    distribution: with n pairs, a true difference of this size is found by a two-sided test at `alpha` in
    `power` of all experiments. The normal approximation asks for 1 or 2 too few below about 30, and sd
    is itself an estimate: from ten differences it may be a third off. For the number of seeds, give one
    mean difference for each seed (`cluster_means`); for the number of episodes, theirs.

    Returns:
        None for fewer than two differences.

    Raises:
        InvalidInput: if the claimed difference is 0, or power or alpha are not between 0 and 1.
    """
    if not difference or not math.isfinite(difference):
        raise InvalidInput(f"a claimed difference of {difference}; no number of runs shows that")
    if not (0 < power < 1 and 0 < alpha < 1):
        raise InvalidInput(f"power {power} and alpha {alpha}; both lie between 0 and 1")
    checked = check_finite(differences, "the differences")
    if len(checked) < 2:
        return None
    normal = statistics.NormalDist()
    reach = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
    needed = (max(0.0, reach) * statistics.stdev(checked) / difference) ** 2
    # A hair less, so that an exact whole number is not rounded up to the next.
    return max(2, math.ceil(needed - 1e-9))


def sign_test(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of the exact sign test (binomial, 1/2); ties are left out.

    p = min(1, 2 sum_{k<=m} C(n, k) / 2^n), n the differences that are not 0, m the rarer sign among them;
    1 if there is none. It asks only which is more often better, not by how much.
    """
    checked = check_finite(differences, "the differences")
    positive = sum(value > 0 for value in checked)
    negative = sum(value < 0 for value in checked)
    count = positive + negative
    tail = sum(math.comb(count, k) for k in range(min(positive, negative) + 1))
    return min(1.0, 2 * tail / (1 << count))


_Unit = tuple[float, int]  # the sum and the number of a unit's values


def _units(values: Sequence[float], clusters: Sequence[Hashable] | None) -> list[_Unit]:
    if clusters is None:
        return [(value, 1) for value in values]
    if len(clusters) != len(values):
        raise InvalidInput(f"{len(clusters)} clusters for {len(values)} values; give one for each")
    members: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    return [(math.fsum(found), len(found)) for found in members.values()]


def _mean_of_units(units: Sequence[_Unit]) -> float:
    return math.fsum(total for total, _ in units) / sum(count for _, count in units)


def _resampled(draw: Callable[[], float], resamples: int) -> list[float]:
    if resamples < _FEWEST:
        raise InvalidInput(f"{resamples} resamples; draw at least {_FEWEST}")
    return sorted(draw() for _ in range(resamples))


def _ends(ordered: Sequence[float], level: float) -> tuple[float, float]:
    _check_level(level)
    outside = int((1 - level) / 2 * len(ordered))
    return ordered[outside], ordered[-1 - outside]


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InvalidInput(f"a level of {level}; give one between 0 and 1, such as 0.95")


def _student_quantile(share: float, freedom: int) -> float:
    """Return t with P(T <= t) = share, for a share above 1/2 and whole degrees of freedom."""
    low, high = 0.0, math.pi / 2  # of the angle atan(t / sqrt(freedom)), which has an end
    while high - low > 1e-15:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (1 + _student_between(middle, freedom)) / 2 < share:
            low = middle
        else:
            high = middle
    return math.tan(low) * math.sqrt(freedom)


def _student_between(angle: float, freedom: int) -> float:
    """Return P(|T| < t), angle = atan(t / sqrt(freedom)): Abramowitz and Stegun 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2 == 1
    term = cosine if is_odd else 1.0
    total = term if freedom > 1 else 0.0
    for power in range(3 if is_odd else 2, freedom - 1, 2):
        term *= cosine**2 * (power - 1) / power
        total += term
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total
