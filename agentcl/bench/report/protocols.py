"""What streams with a protocol are for: transfer, second passes, changes of the rules."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby, pairwise
from typing import Final, Literal, cast

from agentcl.bench.metrics.lifelong import Block, lifelong
from agentcl.bench.metrics.plasticity import Attempt, Phase, reuse
from agentcl.bench.metrics.readings import matrix_from
from agentcl.bench.metrics.transfer import ScoreMatrix, transfer
from agentcl.bench.metrics.windowed import windowed
from agentcl.bench.report.estimates import estimate_of_seeds
from agentcl.bench.report.records import ChangeLine, Measures, PassesLine, TransferLine
from agentcl.bench.report.scores import rows_by_seed, score_of, scored
from agentcl.bench.rows import Part, ResultRow
from agentcl.envs.streams.stream import READ_ONLY

# The measures that need experts.
BESIDE_EXPERTS: Final = ("relative_performance", "sample_efficiency", "intransigence")
_PASSES: Final = ("first", "second", "held-out")
_LEVEL_OF: Final = 10  # episodes whose mean is the level before a change, and at the end
_AT_ONCE: Final = 5  # episodes right after a change; and in a row as good as before, for a recovery

# The sub-solutions of each item of a seed's stream, where the stream names some.
Parts = Mapping[int, Sequence[frozenset[str]]]


def transfer_lines(
    rows: Mapping[str, Sequence[ResultRow]], experts: Mapping[Part, Sequence[ResultRow]]
) -> list[TransferLine]:
    """Return what an alternating stream tells of each baseline; nothing for other streams.

    Args:
        rows: of each baseline.
        experts: the rows of those that have ended; without them the measures that need them are None.
    """
    phases = {row.phase for its in rows.values() for row in its}
    if "test" not in phases or phases <= READ_ONLY:
        return []
    lines = [_transfer_line(baseline, its, experts) for baseline, its in rows.items()]
    return [line for line in lines if line is not None]


def passes_lines(
    rows: Mapping[str, Sequence[ResultRow]], *, without_memory: str, parts: Parts
) -> list[PassesLine]:
    """Return what a stream of two passes tells of each baseline; nothing for other streams.

    Args:
        rows: of each baseline.
        without_memory: the baseline that gains are against; if it is not there, only those measures are
            given that need none.
        parts: the sub-solutions of each item, by seed; where a stream names none, a task is its own
            only part.
    """
    phases = {row.phase for its in rows.values() for row in its}
    if not {"first", "second"} <= phases:
        return []
    return [
        PassesLine(baseline, bool(parts), _passes(its, rows.get(without_memory), parts))
        for baseline, its in rows.items()
    ]


def change_lines(rows: Mapping[str, Sequence[ResultRow]]) -> list[ChangeLine]:
    """Return what each change of the rules did to each baseline; nothing for streams without."""
    phases = sorted({row.phase for its in rows.values() for row in its
                     if row.phase.startswith("rules ")}, key=lambda phase: (len(phase), phase))  # fmt: skip
    return [
        _change_line(baseline, its, before, after)
        for before, after in pairwise(phases)
        for baseline, its in rows.items()
    ]


def _transfer_line(
    baseline: str, rows: Sequence[ResultRow], experts: Mapping[Part, Sequence[ResultRow]]
) -> TransferLine | None:
    matrices: list[tuple[list[str], ScoreMatrix]] = []
    found: list[Mapping[str, float | None]] = []
    for seed, seed_rows in rows_by_seed(scored(rows)).items():
        blocks = _blocks(seed_rows)
        trained = list(dict.fromkeys(block.task for block in blocks if block.kind == "train"))
        if not trained:
            continue
        matrix = matrix_from(blocks)
        matrices.append((trained, matrix))
        alone = {
            family: _blocks(scored(experts.get(Part(baseline, seed, family), ())))
            for family in trained
        }
        its = asdict(replace(lifelong(blocks, experts=_scores(alone, "train")), pairs=()))
        del its["pairs"]
        tests = _scores(alone, "test")
        reference = [statistics.fmean(tests[one]) for one in trained if tests.get(one)]
        is_whole = len(reference) == len(trained)
        told = transfer(matrix, reference=reference if is_whole else None)
        found.append({**asdict(told), **asdict(windowed(matrix)), **its})
    if not matrices:
        return None
    longest = max((families for families, _ in matrices), key=len)
    whole = [matrix for families, matrix in matrices if families == longest]
    mean = tuple(
        tuple(_mean(matrix.rows[i][j] for matrix in whole) for j in range(len(longest)))
        for i in range(len(longest) + 1)
    )
    return TransferLine(baseline, tuple(longest), mean, _over_seeds(found))


def _scores(
    alone: Mapping[str, Sequence[Block]], kind: Literal["train", "test"]
) -> dict[str, list[float]]:
    """Return the scores of experts in training or in tests, of those that have any."""
    found = {
        family: [score for block in blocks if block.kind == kind for score in block.scores]
        for family, blocks in alone.items()
    }
    return {family: scores for family, scores in found.items() if scores}


def _blocks(seed_rows: Sequence[ResultRow]) -> list[Block]:
    """Return the blocks of one seed; the same family twice in a row is one."""
    blocks: list[Block] = []
    for (is_test, family), run in groupby(
        seed_rows, key=lambda row: (row.phase in READ_ONLY, row.family)
    ):
        kind: Literal["train", "test"] = "test" if is_test else "train"
        blocks.append(Block(kind, family, tuple(score_of(row) for row in run)))
    return blocks


def _passes(
    rows: Sequence[ResultRow], without: Sequence[ResultRow] | None, parts: Parts
) -> Measures:
    plain = {(row.seed, row.number): row.score for row in without or ()}
    found: list[Mapping[str, float | None]] = []
    for seed, seed_rows in rows_by_seed(scored(rows)).items():
        attempts: list[Attempt] = []
        times: dict[tuple[str, str], int] = {}
        for row in seed_rows:
            if row.phase not in _PASSES:
                continue
            before = plain.get((seed, row.number)) if without is not None else score_of(row)
            if before is None:
                continue
            # A task that comes several times in a pass is told apart by which time it is.
            time = times[row.phase, row.task] = times.get((row.phase, row.task), 0) + 1
            needed = parts[seed][row.number] if seed in parts else frozenset({row.task})
            phase = cast(Phase, row.phase)
            attempts.append(Attempt(f"{row.task}#{time}", phase, needed, score_of(row), before))
        measures = asdict(reuse(attempts))
        if without is None:
            measures = {
                name: value if name in ("stability", "regressed") else None
                for name, value in measures.items()
            }
        found.append(measures)
    return _over_seeds(found)


def _change_line(baseline: str, rows: Sequence[ResultRow], old: str, new: str) -> ChangeLine:
    before: list[float | None] = []
    after: list[float | None] = []
    end: list[float | None] = []
    recovery: list[float | None] = []
    for seed_rows in rows_by_seed(scored(rows)).values():
        then = [score_of(row) for row in seed_rows if row.phase == old]
        now = [score_of(row) for row in seed_rows if row.phase == new]
        if not then or not now:
            continue
        level = statistics.fmean(then[-_LEVEL_OF:])
        before.append(level)
        after.append(statistics.fmean(now[:_AT_ONCE]))
        end.append(statistics.fmean(now[-_LEVEL_OF:]))
        recovery.append(_recovery(now, level))
    return ChangeLine(
        baseline, new, estimate_of_seeds(before), estimate_of_seeds(after), estimate_of_seeds(end),
        estimate_of_seeds(recovery), sum(time is not None for time in recovery), len(recovery),
    )  # fmt: skip


def _recovery(scores: Sequence[float], level: float) -> float | None:
    """Return after how many episodes the mean of the last five first reached the level; None: never."""
    for end in range(_AT_ONCE, len(scores) + 1):
        # Sums of tenths are not exact.
        if statistics.fmean(scores[end - _AT_ONCE : end]) >= level - 1e-9:
            return float(end)
    return None


def _over_seeds(found: Sequence[Mapping[str, float | None]]) -> Measures:
    names = list(dict.fromkeys(name for measures in found for name in measures))
    return {name: estimate_of_seeds([measures.get(name) for measures in found]) for name in names}


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None
