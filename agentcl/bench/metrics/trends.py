"""Means and slopes of a row of scores: what the other measures are made of."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import combinations

from agentcl.errors import InvalidInput


def check_finite(values: Iterable[float], what: str) -> tuple[float, ...]:
    """Return the values as a tuple.

    Raises:
        InvalidInput: if one is no finite number; `what` says which values these are. An episode of
            which the environment failed has no score: leave it out, rather than to give NaN.
    """
    checked = tuple(values)
    for place, value in enumerate(checked, start=1):
        if not math.isfinite(value):
            raise InvalidInput(f"number {place} of {what} is {value}; leave out what has no score")
    return checked


def check_paired(first: Sequence[float], second: Sequence[float]) -> None:
    """Raise InvalidInput unless both have a value for each episode, in the same order."""
    if len(first) != len(second):
        raise InvalidInput(
            f"the baselines have {len(first)} and {len(second)} episodes; give the same episodes of both"
        )


def mean_of(values: Iterable[float | None]) -> float | None:
    """Return the mean; None if there is nothing, or if one of the values is missing."""
    present: list[float] = []
    for value in values:
        if value is None:
            return None
        present.append(value)
    return statistics.fmean(present) if present else None


def mean_of_present(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not missing; None if there is none."""
    return mean_of([value for value in values if value is not None])


def slope(values: Sequence[float]) -> float | None:
    """Return the slope of the least-squares line through (1, y_1) ... (n, y_n).

    slope = sum_t (t - mean t)(y_t - mean y) / sum_t (t - mean t)^2; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    return statistics.linear_regression(range(1, len(values) + 1), values).slope


def median_slope(values: Sequence[float]) -> float | None:
    """Return the Theil-Sen slope: the median of (y_u - y_t) / (u - t) over all t < u.

    None for fewer than two values. One outlier among many hardly moves it.
    """
    if len(values) < 2:
        return None
    return statistics.median(
        (values[later] - values[earlier]) / (later - earlier)
        for earlier, later in combinations(range(len(values)), 2)
    )
