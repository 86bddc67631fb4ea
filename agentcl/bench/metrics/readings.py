"""From a stream and its scores to what the measures take: blocks, the matrix, attempts.

A score is None where the environment failed: such an episode counts nowhere.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from agentcl.bench.metrics.lifelong import Block, terminal_performance
from agentcl.bench.metrics.plasticity import Attempt, Phase
from agentcl.bench.metrics.transfer import ScoreMatrix
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import InvalidInput

_PHASES: Final[Mapping[str, Phase]] = {
    "first": "first", "second": "second", "held-out": "held-out",
}  # fmt: skip


def blocks_from(stream: TaskStream, scores: Sequence[float | None]) -> list[Block]:
    """Return the blocks of a stream with tests between (`alternating_stream`); a task is a family.

    A block in which every episode failed is left out.

    Raises:
        InvalidInput: if there is not one score for each item, or one is negative or not finite.
    """
    blocks: list[Block] = []
    pairs = _paired(stream, scores)
    for (is_train, family), run in groupby(
        pairs, key=lambda pair: (pair[0].is_learned_from, pair[0].task.family)
    ):
        found = tuple(score for _, score in run if score is not None)
        if found:
            blocks.append(Block("train" if is_train else "test", family, found))
    return blocks


def matrix_from(blocks: Sequence[Block]) -> ScoreMatrix:
    """Return R: tasks in the order in which they were first trained, stages likewise.

    R[i, j] is the mean of the tests of task j after the first training of the i-th task and before any
    other training; None if there was none. Later trainings of a task are not in the matrix: of a
    stream of several rounds it tells the first.

    Raises:
        InvalidInput: if nothing was trained.
    """
    tasks = list(dict.fromkeys(block.task for block in blocks if block.kind == "train"))
    if not tasks:
        raise InvalidInput("no block trains anything; build the stream with `alternating_stream`")
    tests: list[dict[str, list[float]]] = [{} for _ in range(len(tasks) + 1)]
    trained: list[str] = []
    stage: int | None = 0  # None: after training that is no first one, which no row tells
    for block in blocks:
        if block.kind == "test":
            if stage is not None:
                tests[stage].setdefault(block.task, []).append(terminal_performance(block))
        elif trained and trained[-1] == block.task and stage is not None:
            continue
        elif block.task in trained:
            stage = None
        else:
            trained.append(block.task)
            stage = len(trained)
    return ScoreMatrix.of([[_mean(row.get(task)) for task in tasks] for row in tests])


def attempts_from(
    stream: TaskStream, scores: Sequence[float | None], without_memory: Sequence[float | None]
) -> list[Attempt]:
    """Return the attempts of a stream with reused solutions; those that failed in either baseline are left out.

    Args:
        stream: from `reused_stream` or `unrelated_stream`.
        scores: of the baseline with memory, one for each item.
        without_memory: of the baseline without, on the same items.

    Raises:
        InvalidInput: if there is not one score for each item, an item has no sub-solutions, or its phase
            is none of "first", "second" and "held-out".
    """
    _paired(stream, without_memory)
    attempts: list[Attempt] = []
    for (item, score), plain in zip(_paired(stream, scores), without_memory, strict=True):
        if score is not None and plain is not None:
            needed = frozenset(item.sub_solutions)
            attempts.append(Attempt(item.task.id, _phase(item), needed, score, plain))
    return attempts


def _paired(
    stream: TaskStream, scores: Sequence[float | None]
) -> list[tuple[StreamItem, float | None]]:
    if len(scores) != len(stream):
        raise InvalidInput(
            f"{len(scores)} scores for the {len(stream)} items of {stream.name!r}; give one for each, None "
            "where the environment failed"
        )
    return list(zip(stream, scores, strict=True))


def _mean(scores: list[float] | None) -> float | None:
    return statistics.fmean(scores) if scores else None


def _phase(item: StreamItem) -> Phase:
    if item.phase not in _PHASES:
        raise InvalidInput(
            f"{item.task.id} is in phase {item.phase!r}; a stream with reused solutions has "
            f"{', '.join(_PHASES)}"
        )
    return _PHASES[item.phase]
