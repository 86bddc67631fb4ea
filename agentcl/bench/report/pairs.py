"""Two baselines on the same episodes: differences, break-even, and how many seeds a claim would need."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from agentcl.bench.metrics.curves import (
    BreakEven,
    adaptive_efficiency,
    break_even_cost,
    break_even_score,
)
from agentcl.bench.metrics.intervals import cluster_means, sign_test, units_needed
from agentcl.bench.report.estimates import Estimate, clusters_of, estimate
from agentcl.bench.report.records import Difference
from agentcl.bench.report.scores import score_of
from agentcl.bench.rows import ResultRow

NO_MEMORY: Final = "none"
SMALL: Final = 0.05  # a difference of scores that one would like to be able to show
_ACTING: Final = frozenset({"act", "read"})  # roles that would be paid for without memory as well
_PER: Final = 1_000  # tokens of an adaptive efficiency

Pair = tuple[ResultRow, ResultRow]


def compared_with(baselines: Sequence[str]) -> str:
    """Return the baseline that the others are compared with: that without memory, or the first."""
    return NO_MEMORY if NO_MEMORY in baselines else baselines[0]


def pairs_of(ours: Sequence[ResultRow], theirs: Sequence[ResultRow]) -> list[Pair]:
    """Return the rows of the same seed, number, task and episode seed that both have a score for."""
    by_place = {
        (row.seed, row.number, row.task, row.episode_seed): row
        for row in theirs
        if row.score is not None
    }
    return [
        (row, other)
        for row in ours
        if row.score is not None
        and (other := by_place.get((row.seed, row.number, row.task, row.episode_seed)))
    ]


def difference(
    baseline: str, against: str, pairs: Sequence[Pair], *, are_questions: bool
) -> Difference:
    """Return what a baseline gained over another. Break-even and efficiency only against no memory."""
    differences = [score_of(ours) - score_of(theirs) for ours, theirs in pairs]
    clusters = clusters_of([ours for ours, _ in pairs], are_questions=are_questions)
    mean = estimate(differences, clusters)
    means = cluster_means(differences, clusters.of)
    is_against_nothing = against == NO_MEMORY and not are_questions and bool(pairs)
    return Difference(
        baseline=baseline,
        against=against,
        pairs=len(pairs),
        score=mean,
        success=_success(pairs, are_questions=are_questions),
        better=sum(value > 0 for value in differences),
        worse=sum(value < 0 for value in differences),
        sign_p=sign_test(differences),
        needed=units_needed(means, difference=mean.mean) if mean and mean.mean else None,
        needed_for_small=units_needed(means, difference=SMALL),
        break_even=break_even_score(*_curves(pairs)) if is_against_nothing else None,
        break_even_tokens=_break_even_tokens(pairs) if is_against_nothing else None,
        adaptive_efficiency=_efficiency(pairs) if against == NO_MEMORY else None,
    )


def _success(pairs: Sequence[Pair], *, are_questions: bool) -> Estimate | None:
    known = [
        (ours, theirs)
        for ours, theirs in pairs
        if ours.is_success is not None and theirs.is_success is not None
    ]
    return estimate(
        [float(bool(ours.is_success)) - float(bool(theirs.is_success)) for ours, theirs in known],
        clusters_of([ours for ours, _ in known], are_questions=are_questions),
    )


def _by_number(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Return the pairs of each number of the stream, one of each seed, in order."""
    numbers: dict[int, list[Pair]] = {}
    for pair in pairs:
        numbers.setdefault(pair[0].number, []).append(pair)
    return [numbers[number] for number in sorted(numbers)]


def _curves(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    steps = _by_number(pairs)
    return (
        [statistics.fmean(score_of(ours) for ours, _ in step) for step in steps],
        [statistics.fmean(score_of(theirs) for _, theirs in step) for step in steps],
    )


def _break_even_tokens(pairs: Sequence[Pair]) -> BreakEven | None:
    steps = _by_number(pairs)
    if not any(row.usage for pair in pairs for row in pair):
        return None
    return break_even_cost(
        [statistics.fmean(_acting(ours) for ours, _ in step) for step in steps],
        [statistics.fmean(_acting(theirs) for _, theirs in step) for step in steps],
        memory=[statistics.fmean(_learning(ours) for ours, _ in step) for step in steps],
    )


def _efficiency(pairs: Sequence[Pair]) -> float | None:
    found = adaptive_efficiency(
        [score_of(ours) for ours, _ in pairs],
        [score_of(theirs) for _, theirs in pairs],
        memory=[_learning(ours) + _reading(ours) for ours, _ in pairs],
    )
    return None if found is None else found * _PER


def _acting(row: ResultRow) -> int:
    return row.tokens - _learning(row)


def _learning(row: ResultRow) -> int:
    """Return the tokens that only memory makes necessary."""
    return sum(used.tokens for role, used in row.usage.items() if role not in _ACTING)


def _reading(row: ResultRow) -> int:
    """Return the tokens that memory put into prompts: once for each call."""
    calls = sum(used.calls for role, used in row.usage.items() if role in _ACTING)
    return row.memory_tokens * max(1, calls)


def differences_of(
    rows: Mapping[str, Sequence[ResultRow]], *, against: str, are_questions: bool
) -> list[Difference]:
    """Return each baseline's difference to one of them."""
    return [
        difference(baseline, against, pairs_of(its, rows[against]), are_questions=are_questions)
        for baseline, its in rows.items()
        if baseline != against
    ]
