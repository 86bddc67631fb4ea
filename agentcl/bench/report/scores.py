"""Each baseline by itself: scores, costs, groups, measures of questions, learning curves."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal

from agentcl.bench.metrics.costs import EpisodeCost, cost_by_role, cost_per_success, spread
from agentcl.bench.metrics.curves import area_under_curve, first_mean, last_mean
from agentcl.bench.report.estimates import Estimate, estimate_of_seeds, estimate_rows
from agentcl.bench.report.records import BaselineLine, Curve, GroupLine, MeasureLine
from agentcl.bench.rows import ResultRow
from agentcl.envs.streams.stream import READ_ONLY
from agentcl.models.ledger import Prices

_PART: Final = 5  # first and last means are of a fifth of a seed's episodes
_SMOOTHED: Final = 10  # a point of a curve is the mean of a tenth of a seed's episodes
_MOST_POINTS: Final = 200


def scored(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Return the rows that have a score."""
    return [row for row in rows if row.score is not None]


def is_failed(row: ResultRow) -> bool:
    """Return whether the environment, or what answers, broke."""
    return row.end == "failed"


def score_of(row: ResultRow) -> float:
    """Return the score of a row that has one."""
    return row.score if row.score is not None else float("nan")


def rows_by_seed(rows: Iterable[ResultRow]) -> dict[int, list[ResultRow]]:
    """Return the rows of each seed, in order of the stream."""
    found: dict[int, list[ResultRow]] = {}
    for row in rows:
        found.setdefault(row.seed, []).append(row)
    return {seed: sorted(its, key=lambda row: row.number) for seed, its in found.items()}


def baseline_line(
    baseline: str,
    rows: Sequence[ResultRow],
    settings: Mapping[str, Any],
    *,
    are_questions: bool,
    model: str,
    prices: Prices | None,
) -> BaselineLine:
    """Return a baseline over the whole run. Of a model that the prices do not have, the price is None."""
    counted = scored(rows)
    learned_from = [
        [score_of(row) for row in its if row.phase not in READ_ONLY]
        for its in rows_by_seed(counted).values()
    ]
    costs = tuple(cost_by_role(_costs(rows, model, prices)))
    successes = sum(bool(row.is_success) for row in counted)
    is_model_asked = any(row.usage for row in rows)
    return BaselineLine(
        baseline=baseline,
        scored=len(counted),
        failed=sum(map(is_failed, rows)),
        unscored=sum(row.score is None and not is_failed(row) for row in rows),
        score=_mean_score(counted, are_questions),
        success=_mean_success(counted, are_questions),
        steps=spread([len(row.steps) for row in counted]),
        wall_s=spread([row.wall_s for row in rows]),
        costs=costs if is_model_asked else (),
        tokens=costs[-1].usage.tokens / len(rows) if is_model_asked else None,
        tokens_per_success=cost_per_success(costs[-1].usage.tokens, successes) if is_model_asked else None,
        price_per_success=(
            cost_per_success(costs[-1].price, successes)
            if is_model_asked and costs[-1].price is not None
            else None
        ),
        memory_tokens=statistics.fmean(row.memory_tokens for row in rows) if rows else None,
        learning_curve_area=_over(learned_from, area_under_curve, are_questions),
        first=_over(learned_from, lambda scores: first_mean(scores, _fifth(scores)), are_questions),
        last=_over(learned_from, lambda scores: last_mean(scores, _fifth(scores)), are_questions),
        settings=settings,
    )  # fmt: skip


def group_lines(
    by: Literal["family", "phase"], rows: Mapping[str, Sequence[ResultRow]], *, are_questions: bool
) -> list[GroupLine]:
    """Return each baseline in each family or phase; nothing if there is only one."""
    groups = list(dict.fromkeys(getattr(row, by) for its in rows.values() for row in its))
    if len(groups) < 2:
        return []
    lines = []
    for group in groups:
        for baseline, its in rows.items():
            members = [row for row in its if getattr(row, by) == group]
            counted = scored(members)
            scores = _mean_score(counted, are_questions)
            successes = _mean_success(counted, are_questions)
            failed = sum(map(is_failed, members))
            lines.append(GroupLine(by, group, baseline, len(counted), failed, scores, successes))
    return lines


def measure_lines(rows: Mapping[str, Sequence[ResultRow]]) -> list[MeasureLine]:
    """Return the measures of questions for each category and for all; nothing for episodes."""
    every = [row for its in rows.values() for row in its if row.measures]
    categories = sorted({row.family for row in every})
    names = list(dict.fromkeys(name for row in every for name in row.measures))
    if not names:
        return []
    lines = []
    for category in ["", *(categories if len(categories) > 1 else [])]:
        for baseline, its in rows.items():
            asked = [r for r in its if category in ("", r.family) and not is_failed(r)]
            measures = {name: _mean_measure(asked, name) for name in names}
            lines.append(MeasureLine(category, baseline, len(asked), measures))
    return lines


def curve(baseline: str, rows: Sequence[ResultRow]) -> Curve:
    """Return the trailing means of a baseline's scores, at most 200 of them; tests are left out."""
    learned_from = [row for row in scored(rows) if row.phase not in READ_ONLY]
    by_number = {
        number: statistics.fmean(map(score_of, its))
        for number, its in groupby(
            sorted(learned_from, key=lambda row: row.number), key=lambda row: row.number
        )
    }
    numbers = [*by_number]
    window = max(1, len(numbers) // _SMOOTHED)
    # By number, so that a mean does not reach back over tests into what was trained before them.
    means = [
        statistics.fmean(by_number[n] for n in range(last - window + 1, last + 1) if n in by_number)
        for last in numbers
    ]
    places = evenly(len(numbers), _MOST_POINTS)
    return Curve(
        baseline,
        window,
        tuple(numbers[p] for p in places),
        tuple(round(means[p], 6) for p in places),
    )


def evenly(count: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 ... count - 1, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    if most < 2:
        return [0][:most]
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def _fifth(scores: Sequence[float]) -> int:
    return max(1, len(scores) // _PART)


def _over(
    seeds: Sequence[Sequence[float]],
    measure: Callable[[Sequence[float]], float | None],
    are_questions: bool,
) -> Estimate | None:
    # Questions are not learned from: a curve of theirs would be one of their order alone.
    return None if are_questions else estimate_of_seeds([measure(scores) for scores in seeds])


def _mean_score(rows: Sequence[ResultRow], are_questions: bool) -> Estimate | None:
    return estimate_rows(rows, [score_of(row) for row in rows], are_questions=are_questions)


def _mean_success(rows: Sequence[ResultRow], are_questions: bool) -> Estimate | None:
    known = [row for row in rows if row.is_success is not None]
    return estimate_rows(
        known, [float(bool(row.is_success)) for row in known], are_questions=are_questions
    )


def _mean_measure(rows: Sequence[ResultRow], name: str) -> Estimate | None:
    having = [row for row in rows if name in row.measures]
    return estimate_rows(having, [row.measures[name] for row in having], are_questions=True)


def _costs(rows: Iterable[ResultRow], model: str, prices: Prices | None) -> Iterable[EpisodeCost]:
    for row in rows:
        for role, used in row.usage.items():
            price = prices.price(model, used) if prices else None
            yield EpisodeCost(f"{row.seed}/{row.number}", role, used, price)
