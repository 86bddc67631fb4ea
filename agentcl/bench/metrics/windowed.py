"""LeanAgent's measures: how much is lost and won within a few stages, and over the whole run.

All are over a row of averages, a_k = mean_{j<=k} R[k, j]: the mean score after stage k on the tasks learned
until then. LeanAgent (Kumarappan et al. 2024, arXiv 2410.06209) names them WF5, WP5, FM, CFR, EBWT and IP;
its published code does not compute them, so the formulas here are how we read them. Windowed forgetting
and plasticity come from De Lange et al. 2023 (arXiv 2205.13452), who take them task by task. EBWT and FM
need the matrix and stand in `transfer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentcl.bench.metrics.transfer import (
    ScoreMatrix,
    expanded_backward_transfer,
    forgetting_measure,
)
from agentcl.bench.metrics.trends import check_finite, mean_of, slope
from agentcl.errors import InvalidInput

WINDOW = 5  # LeanAgent's


@dataclass(frozen=True, slots=True)
class Windowed:
    """LeanAgent's measures of one run; None where undefined."""

    windowed_forgetting: float | None  # WF, lower is better
    windowed_plasticity: float | None  # WP
    expanded_forgetting: float | None  # WF over a window that grows to the whole run
    expanded_plasticity: float | None
    forgetting_measure: float | None  # FM, lower is better
    resilience: float | None  # CFR
    expanded_backward_transfer: float | None  # EBWT
    incremental_plasticity: float | None  # IP


def seen_averages(matrix: ScoreMatrix) -> tuple[float | None, ...]:
    """Return a_1 ... a_N, where a_k = (1/k) sum_{j<=k} R[k, j]."""
    return tuple(
        mean_of(matrix.at(stage, task) for task in range(1, stage + 1))
        for stage in range(1, matrix.tasks + 1)
    )


def windowed_forgetting(averages: Sequence[float], *, window: int = WINDOW) -> float | None:
    """WF_w = max over p <= q < p + w of (a_p - a_q): the largest drop within w stages in a row.

    0 if nothing ever drops; a row shorter than the window is one window; None for fewer than two.

    Raises:
        InvalidInput: if the window is shorter than 2, or a value is not finite.
    """
    if window < 2:
        raise InvalidInput(f"a window of {window} stages holds no change; give at least 2")
    checked = check_finite(averages, "the averages")
    if len(checked) < 2:
        return None
    return max(
        before - after
        for place, before in enumerate(checked)
        for after in checked[place : place + window]
    )


def windowed_plasticity(averages: Sequence[float], *, window: int = WINDOW) -> float | None:
    """WP_w = max over p <= q < p + w of (a_q - a_p): the largest rise within w stages in a row.

    Otherwise as `windowed_forgetting`.
    """
    return windowed_forgetting([-average for average in averages], window=window)


def expanded_forgetting(averages: Sequence[float]) -> float | None:
    """Return the largest drop max_{p<=q} (a_p - a_q), from any stage to any later one.

    The expanded variant of WF: the window does not slide but grows from the first stage, [1, n] for
    n = 2 ... N, and the largest drop within any of them counts. It sees a slow decline, which no short
    window does, and is never smaller than WF.
    """
    return windowed_forgetting(averages, window=max(2, len(averages)))


def expanded_plasticity(averages: Sequence[float]) -> float | None:
    """Return the largest rise max_{p<=q} (a_q - a_p), from any stage to any later one."""
    return windowed_plasticity(averages, window=max(2, len(averages)))


def resilience(averages: Sequence[float]) -> float | None:
    """CFR = min_k a_k / max_k a_k, LeanAgent's catastrophic forgetting resilience.

    1 where the average never changes; None for no values, or a maximum of 0.

    Raises:
        InvalidInput: for a negative average, with which a ratio has no meaning, or one not finite.
    """
    checked = check_finite(averages, "the averages")
    if any(average < 0 for average in checked):
        raise InvalidInput(
            "a ratio of averages needs scores that are not negative; use those of [0, 1]"
        )
    best = max(checked, default=0.0)
    return min(checked) / best if best else None


def incremental_plasticity(averages: Sequence[float]) -> float | None:
    """IP = the least-squares slope of a_k against k: score per stage; None for fewer than two."""
    return slope(check_finite(averages, "the averages"))


def windowed(matrix: ScoreMatrix, *, window: int = WINDOW) -> Windowed:
    """Return every measure of a matrix; those over averages are None if one of them is missing."""
    found = seen_averages(matrix)
    averages = [average for average in found if average is not None]
    if len(averages) < len(found):
        averages = []
    return Windowed(
        windowed_forgetting=windowed_forgetting(averages, window=window),
        windowed_plasticity=windowed_plasticity(averages, window=window),
        expanded_forgetting=expanded_forgetting(averages),
        expanded_plasticity=expanded_plasticity(averages),
        forgetting_measure=forgetting_measure(matrix),
        resilience=resilience(averages),
        expanded_backward_transfer=expanded_backward_transfer(matrix),
        incremental_plasticity=incremental_plasticity(averages),
    )
