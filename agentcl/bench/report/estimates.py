"""Means with intervals, over units that vary independently of each other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agentcl.bench.metrics.intervals import paired_interval
from agentcl.bench.rows import ResultRow
from agentcl.errors import InvalidInput

Unit = Literal["seeds", "episodes", "questions", "situations"]
LEVEL: Final = 0.95
# More units than this are not drawn: the interval is that of a normal distribution, which no draw of
# so many would tell from it, and which costs nothing.
_MOST_DRAWN: Final = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and where it would lie in 95 of 100 repetitions."""

    mean: float
    low: float | None  # None with `high`: one unit says nothing of how units vary
    high: float | None
    n: int  # values
    units: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Clusters:
    """What varies independently: whole seeds, questions, or episodes."""

    unit: Unit
    of: tuple[Hashable, ...]  # for each row


def clusters_of(rows: Sequence[ResultRow], *, are_questions: bool) -> Clusters:
    """Return what is drawn for an interval over rows.

    The episodes of one seed share a memory, so seeds are drawn whole; of a single seed, its episodes.
    Questions are not learned from: they are drawn, and a question that several seeds ask is one.
    """
    if are_questions:
        return Clusters("questions", tuple(row.task for row in rows))
    if len({row.seed for row in rows}) > 1:
        return Clusters("seeds", tuple(row.seed for row in rows))
    return Clusters("episodes", tuple(range(len(rows))))


def estimate(
    values: Sequence[float], clusters: Clusters, *, level: float = LEVEL
) -> Estimate | None:
    """Return the mean of values with an interval; None for no values.

    Percentile bootstrap over up to 50 clusters drawn whole; above, the normal approximation
    mean +- z sqrt(k) s / n, where s is the standard deviation of k clusters' sums of what their values
    differ from the mean, and n the number of values, cut to where the values lie.

    Raises:
        InvalidInput: if there is not one cluster for each value, or one is not finite.
    """
    if len(clusters.of) != len(values):
        raise InvalidInput(f"{len(clusters.of)} clusters for {len(values)} values")
    if not values:
        return None
    mean = statistics.fmean(values)
    units = len(set(clusters.of))
    low: float | None
    high: float | None
    if units > _MOST_DRAWN:
        reach = _normal_reach(values, clusters.of, mean, level)
        low, high = max(mean - reach, min(values)), min(mean + reach, max(values))
    else:
        found = paired_interval(values, [0.0] * len(values), clusters=clusters.of, level=level)
        low, high = (found.low, found.high) if found else (None, None)
    return Estimate(mean, low, high, len(values), units, clusters.unit)


def estimate_of_seeds(values: Sequence[float | None]) -> Estimate | None:
    """Return the mean of one value for each seed; seeds for which it is undefined are left out."""
    present = [value for value in values if value is not None]
    return estimate(present, Clusters("seeds", tuple(range(len(present)))))


def estimate_rows(
    rows: Sequence[ResultRow], values: Sequence[float], *, are_questions: bool
) -> Estimate | None:
    """Return the mean of a value for each row."""
    return estimate(values, clusters_of(rows, are_questions=are_questions))


def _normal_reach(
    values: Sequence[float], clusters: Sequence[Hashable], mean: float, level: float
) -> float:
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    return z * math.sqrt(len(sums)) * statistics.stdev(sums.values()) / len(values)
