"""Each baseline by itself: scores, costs, groups, measures of questions, learning curves."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from agentcl.bench.metrics.costs import EpisodeCost, cost_by_role, cost_per_success, spread
from agentcl.bench.metrics.curves import area_under_curve, first_mean, last_mean, prequential_scores
from agentcl.bench.report.estimates import Estimate, estimate_of_seeds, estimate_rows
from agentcl.bench.report.records import BaselineLine, Curve, GroupLine, MeasureLine
from agentcl.bench.rows import ResultRow
from agentcl.envs.streams.stream import READ_ONLY
from agentcl.models.ledger import Prices

FADING: Final = 0.95  # of a prequential score that tells where learning has arrived
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
    attempts = [first_attempts(its) for its in rows_by_seed(counted).values()]
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
        prequential=_over(attempts, _prequential, are_questions),
        prequential_faded=_over(attempts, lambda s: _prequential(s, FADING), are_questions),
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
    by_seed = [
        {row.number: score_of(row) for row in its} for its in rows_by_seed(learned_from).values()
    ]
    numbers = sorted({number for scores in by_seed for number in scores})
    window = max(1, len(numbers) // _SMOOTHED)
    mean = {n: statistics.fmean(its[n] for its in by_seed if n in its) for n in numbers}
    places = [numbers[place] for place in evenly(len(numbers), _MOST_POINTS)]
    trailing = [[_trailing(its, last, window) for its in by_seed] for last in places]
    several = len(by_seed) > 1
    return Curve(
        baseline,
        window,
        tuple(places),
        tuple(round(_trailing(mean, last, window) or 0.0, 6) for last in places),
        tuple(_ends([one for one in its if one is not None]) for its in trailing)
        if several
        else (),
    )


def _trailing(scores: Mapping[int, float], last: int, window: int) -> float | None:
    """Return the mean of the last few episodes; None if none of them has a score."""
    # By number, so that a mean does not reach back over tests into what was trained before them.
    its = [scores[n] for n in range(last - window + 1, last + 1) if n in scores]
    return statistics.fmean(its) if its else None


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return round(min(values), 6), round(max(values), 6)


def evenly(count: int, most: int) -> list[int]:
    """Return at most `most` of the places 0 ... count - 1, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    if most < 2:
        return [0][:most]
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def first_attempts(rows: Sequence[ResultRow]) -> list[float]:
    """Return the scores of episodes that are learned from, each the first time that it comes."""
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        if row.phase not in READ_ONLY:
            found.setdefault((row.task, row.episode_seed), score_of(row))
    return list(found.values())


def _prequential(scores: Sequence[float], fading: float = 1.0) -> float | None:
    found = prequential_scores(scores, fading=fading)
    return found[-1] if found else None


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
