"""What learning one task did to the others: measures over the matrix of scores.

R[i, j] is the score on task j after stage i, in which task i was learned; i = 0 is before any stage, with
an empty memory; N is the number of tasks. Tasks and stages are counted from 1, as in the papers.

Sources: Lopez-Paz and Ranzato 2017 (average accuracy, BWT, FWT), Diaz-Rodriguez et al. 2018 (BWT over
all stages), Chaudhry et al. 2018 (forgetting, intransigence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentcl.bench.metrics.trends import check_finite, mean_of
from agentcl.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ScoreMatrix:
    """R: N + 1 rows of N scores. None stands for what was not measured.

    A measure that needs a score which is None is None itself: it is never computed from the rest.

    Raises:
        InvalidInput: if the rows are not N + 1 of N scores each, or a score is not finite.
    """

    rows: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        tasks = len(self.rows) - 1
        if tasks < 1 or any(len(row) != tasks for row in self.rows):
            raise InvalidInput(
                f"a matrix of {len(self.rows)} rows of {sorted({len(row) for row in self.rows})} scores; for N "
                "tasks give N + 1 rows (before any, and after each) of N scores"
            )
        check_finite(
            (score for row in self.rows for score in row if score is not None), "the matrix"
        )

    @classmethod
    def of(cls, rows: Sequence[Sequence[float | None]]) -> ScoreMatrix:
        """Return the matrix of any rows. Raises InvalidInput as the class does."""
        return cls(tuple(tuple(row) for row in rows))

    @property
    def tasks(self) -> int:
        """N."""
        return len(self.rows) - 1

    def at(self, stage: int, task: int) -> float | None:
        """Return R[stage, task]: stages from 0, tasks from 1."""
        return self.rows[stage][task - 1]

    def gained(self, stage: int, task: int, *, since: int) -> float | None:
        """Return R[stage, task] - R[since, task]; None if either is."""
        now, then = self.at(stage, task), self.at(since, task)
        return None if now is None or then is None else now - then


@dataclass(frozen=True, slots=True)
class Transfer:
    """Every measure of a matrix; None where it is undefined."""

    average_accuracy: float | None
    backward_transfer: float | None
    expanded_backward_transfer: float | None
    forward_transfer: float | None
    forgetting: float | None
    intransigence: float | None


def average_accuracy(matrix: ScoreMatrix) -> float | None:
    """ACC = (1/N) sum_j R[N, j]: the mean score at the end."""
    return mean_of(matrix.rows[-1])


def backward_transfer(matrix: ScoreMatrix) -> float | None:
    """BWT = 1/(N-1) sum_{j<N} (R[N, j] - R[j, j]): what later tasks did to earlier ones.

    Negative: they were forgotten. Undefined for one task.
    """
    last = matrix.tasks
    return mean_of(matrix.gained(last, task, since=task) for task in range(1, last))


def expanded_backward_transfer(matrix: ScoreMatrix) -> float | None:
    """EBWT = 2/(N(N-1)) sum_{i>j} (R[i, j] - R[j, j]): BWT at every stage instead of the last only.

    Sees what was forgotten on the way and learned again. Undefined for one task.
    """
    return mean_of(
        matrix.gained(stage, task, since=task)
        for task in range(1, matrix.tasks)
        for stage in range(task + 1, matrix.tasks + 1)
    )


def forward_transfer(matrix: ScoreMatrix) -> float | None:
    """FWT = 1/(N-1) sum_{j>=2} (R[j-1, j] - R[0, j]): what earlier tasks did for a task not yet learned.

    Row 0 is the run with an empty memory, not a constant for chance. Undefined for one task.
    """
    return mean_of(matrix.gained(task - 1, task, since=0) for task in range(2, matrix.tasks + 1))


def forgetting(matrix: ScoreMatrix) -> float | None:
    """F = 1/(N-1) sum_{j<N} (max_{j<=i<N} R[i, j] - R[N, j]): the best that was, less what is left.

    Lower is better; negative where the last stage is the best one. Undefined for one task.
    """
    last = matrix.tasks
    return mean_of(_drop(matrix, task, until=last - 1) for task in range(1, last))


def forgetting_measure(matrix: ScoreMatrix) -> float | None:
    """FM = 1/(N-1) sum_{j<N} (max_{j<=i<=N} R[i, j] - R[N, j]): as F, the last stage among the best.

    So a task that improved counts as 0 and cannot pay for one that was forgotten: FM >= 0 and FM >= F.
    """
    last = matrix.tasks
    return mean_of(_drop(matrix, task, until=last) for task in range(1, last))


def intransigences(matrix: ScoreMatrix, reference: Sequence[float]) -> tuple[float | None, ...]:
    """I_k = R*_k - R[k, k] for each task k: what it did not learn that a reference does.

    Args:
        matrix: R.
        reference: R*_k, the score on task k of an agent that learned it alone, or all tasks together.

    Raises:
        InvalidInput: if there is not one reference for each task.
    """
    if len(reference) != matrix.tasks:
        raise InvalidInput(
            f"{len(reference)} reference scores for {matrix.tasks} tasks; give one for each"
        )
    found: list[float | None] = []
    for task, best in enumerate(check_finite(reference, "the reference"), start=1):
        learned = matrix.at(task, task)
        found.append(None if learned is None else best - learned)
    return tuple(found)


def transfer(matrix: ScoreMatrix, *, reference: Sequence[float] | None = None) -> Transfer:
    """Return every measure; intransigence is the mean over tasks, None without a reference."""
    return Transfer(
        average_accuracy=average_accuracy(matrix),
        backward_transfer=backward_transfer(matrix),
        expanded_backward_transfer=expanded_backward_transfer(matrix),
        forward_transfer=forward_transfer(matrix),
        forgetting=forgetting(matrix),
        intransigence=None if reference is None else mean_of(intransigences(matrix, reference)),
    )


def _drop(matrix: ScoreMatrix, task: int, *, until: int) -> float | None:
    """Return the task's best score from its own stage to `until`, less its last one."""
    drops: list[float] = []
    for stage in range(task, until + 1):
        gained = matrix.gained(matrix.tasks, task, since=stage)
        if gained is None:
            return None
        drops.append(-gained)
    return max(drops)
