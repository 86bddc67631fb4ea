"""The domain-agnostic measures of lifelong learning, over blocks of training and of testing in turn.

After New et al. 2022 (arXiv 2201.09992) and their package l2metrics, as far as said with each measure.
Unlike the package, scores are not rescaled by the least and greatest of the run itself, which makes runs
incomparable: give scores on a fixed scale, such as that of environments, 0 to 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from agentcl.bench.metrics.trends import check_finite, mean_of_present, median_slope, slope
from agentcl.errors import InvalidInput

_END: Final = 0.1  # of a training block, whose mean is its terminal performance
_SMOOTHED: Final = 0.2  # of the scores, averaged to find where they saturate ...
_MOST_SMOOTHED: Final = 100  # ... but never more episodes than this ...
_LEAST_SMOOTHED: Final = 3  # ... and fewer than this are not averaged at all
_TOO_LITTLE: Final = 0.2  # of the expert's saturation; below it nothing was learned


@dataclass(frozen=True, slots=True)
class Block:
    """Episodes of one task in a row; in a test the memory is only read.

    Raises:
        InvalidInput: if there is no score, or one is negative or not finite.
    """

    kind: Literal["train", "test"]
    task: str
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        what = f"a {self.kind} block of {self.task!r}"
        if not self.scores:
            raise InvalidInput(f"{what} has no score; leave the block out")
        _not_negative(self.scores, what)


@dataclass(frozen=True, slots=True)
class TransferPair:
    """A test of one task before and after training on another; `source` is what was trained."""

    source: str
    target: str
    direction: Literal["forward", "backward"]  # forward: the target had not been trained yet
    before: float
    after: float

    @property
    def ratio(self) -> float | None:
        """After / before; above 1 it helped; None if it was 0 before."""
        return self.after / self.before if self.before else None

    @property
    def contrast(self) -> float | None:
        """(after - before) / (after + before), from -1 to 1; None if both are 0."""
        both = self.after + self.before
        return (self.after - self.before) / both if both else None


@dataclass(frozen=True, slots=True)
class Lifelong:
    """Every measure of one run, as the mean over tasks (transfer: over pairs); None where undefined."""

    terminal_performance: float | None  # of each task's last training
    maintenance: float | None  # against the first test after the latest training
    maintenance_of_training: float | None  # against the end of the latest training
    forward_contrast: float | None
    backward_contrast: float | None
    forward_ratio: float | None
    backward_ratio: float | None
    performance_recovery: float | None
    relative_performance: float | None  # None without experts
    sample_efficiency: float | None
    pairs: tuple[TransferPair, ...] = field(default=())


def terminal_performance(block: Block) -> float:
    """Return TP: the mean of the last tenth of a training block (rounded up), of a whole test block."""
    if block.kind == "test":
        return statistics.fmean(block.scores)
    # Rounded first, since a tenth of 30 is more than 3 in binary.
    return statistics.fmean(block.scores[-max(1, math.ceil(round(_END * len(block.scores), 9))) :])


def performance_maintenance(
    blocks: Sequence[Block], task: str, *, reference: Literal["test", "training"] = "test"
) -> float | None:
    """PM = mean over later tests of TP(test) - TP(reference): 0 kept, negative forgot.

    Args:
        blocks: of the whole run, in order.
        task: whose performance.
        reference: "test" (MRLEP): the first test of the task after its most recent training; later are
            the tests that follow it, until the task is trained again. "training" (MRTLP): that
            training's end; later are all tests after it.

    Returns:
        None if no test is later.
    """
    differences: list[float] = []
    learned: float | None = None
    is_waiting = False  # for the first test after a training
    for block in blocks:
        if block.task != task:
            continue
        performance = terminal_performance(block)
        if block.kind == "train":
            learned, is_waiting = performance, reference == "test"
        elif learned is not None and is_waiting:
            learned, is_waiting = performance, False
        elif learned is not None:
            differences.append(performance - learned)
    return statistics.fmean(differences) if differences else None


def transfer_pairs(blocks: Sequence[Block]) -> list[TransferPair]:
    """Return the effect of training one task on the tests of another, in order of the run.

    One for each two successive tests of a task between which exactly one other task, and not itself, was
    trained: only then is it known whose effect it is. Forward if the tested task had not been trained
    before, backward if it had.
    """
    return [pair for task in _tasks(blocks) for pair in _pairs_of(blocks, task)]


def relative_performance(scores: Sequence[float], expert: Sequence[float]) -> float | None:
    """RP = sum_{t<=n} s_t / sum_{t<=n} e_t over the shorter length n; None if the expert's sum is 0.

    Args:
        scores: all training scores of a task in the run, in order.
        expert: those of an agent that was trained on this task alone.

    Raises:
        InvalidInput: if a score is negative or not finite.
    """
    pairs = list(zip(_not_negative(scores, "the scores"), _not_negative(expert, "the expert's"),
                     strict=False))  # fmt: skip
    by_expert = sum(theirs for _, theirs in pairs)
    return sum(ours for ours, _ in pairs) / by_expert if by_expert else None


def sample_efficiency(scores: Sequence[float], expert: Sequence[float]) -> float | None:
    """SE = (sat / sat_e) (n_e / n): how high it came and how soon, beside a single-task expert.

    sat is the maximum of the moving average of w = min(n_scores / 5, 100) episodes (none if w < 3), n the
    number of episodes before the average first reaches it; sat_e and n_e are the expert's. 0 if
    sat < 0.2 sat_e or the least-squares slope of the scores is negative: nothing was learned. None if n
    or n_e is 0 (it saturates at once, as agents with a memory do), if sat_e is 0, or without scores.

    Raises:
        InvalidInput: if a score is negative or not finite.
    """
    ours, theirs = _not_negative(scores, "the scores"), _not_negative(expert, "the expert's")
    if not ours or not theirs:
        return None
    height, before = _saturation(ours)
    expert_height, expert_before = _saturation(theirs)
    if not expert_height:
        return None
    trend = slope(ours)
    if height < _TOO_LITTLE * expert_height or (trend is not None and trend < 0):
        return 0.0
    if not before or not expert_before:
        return None
    return (height / expert_height) * (expert_before / before)


def recovery_times(blocks: Sequence[Block], task: str) -> list[int]:
    """Return for each interrupted training of a task how long it took to be as good as before.

    The number of episodes until a score reaches the terminal performance of the task's training before;
    one more than the block has if none does. A training is interrupted if another task was trained
    since.
    """
    times: list[int] = []
    reached: float | None = None
    latest = ""
    for block in blocks:
        if block.kind != "train":
            continue
        if block.task == task:
            if reached is not None and latest != task:
                times.append(_first_reaching(block.scores, reached))
            reached = terminal_performance(block)
        latest = block.task
    return times


def performance_recovery(blocks: Sequence[Block], task: str) -> float | None:
    """PR = -(Theil-Sen slope of the recovery times): above 0, it recovers sooner each time.

    None for fewer than two recovery times.
    """
    found = median_slope(recovery_times(blocks, task))
    return None if found is None else -found


def lifelong(
    blocks: Sequence[Block], *, experts: Mapping[str, Sequence[float]] | None = None
) -> Lifelong:
    """Return every measure of a run.

    Means are over the tasks for which a measure is defined. Transfer ratios are those of pairs with
    scores above 0 before, which favours what was bad already: prefer the contrast.

    Args:
        blocks: of the whole run, in order.
        experts: for each task the scores of an agent that was trained on it alone.
    """
    tasks = _tasks(blocks)
    trained = {task: [b for b in blocks if b.task == task and b.kind == "train"] for task in tasks}
    pairs = transfer_pairs(blocks)
    forward = [pair for pair in pairs if pair.direction == "forward"]
    backward = [pair for pair in pairs if pair.direction == "backward"]
    compared = [
        ([score for block in trained[task] for score in block.scores], expert)
        for task, expert in (experts or {}).items()
        if trained.get(task)
    ]
    return Lifelong(
        terminal_performance=mean_of_present(
            terminal_performance(its[-1]) if its else None for its in trained.values()
        ),
        maintenance=mean_of_present(performance_maintenance(blocks, task) for task in tasks),
        maintenance_of_training=mean_of_present(
            performance_maintenance(blocks, task, reference="training") for task in tasks
        ),
        forward_contrast=mean_of_present(pair.contrast for pair in forward),
        backward_contrast=mean_of_present(pair.contrast for pair in backward),
        forward_ratio=mean_of_present(pair.ratio for pair in forward),
        backward_ratio=mean_of_present(pair.ratio for pair in backward),
        performance_recovery=mean_of_present(performance_recovery(blocks, task) for task in tasks),
        relative_performance=mean_of_present(relative_performance(*both) for both in compared),
        sample_efficiency=mean_of_present(sample_efficiency(*both) for both in compared),
        pairs=tuple(pairs),
    )


def _pairs_of(blocks: Sequence[Block], task: str) -> Iterator[TransferPair]:
    before: float | None = None
    between: set[str] = set()
    is_trained = False
    for block in blocks:
        if block.kind == "train":
            between.add(block.task)
        elif block.task == task:
            after = terminal_performance(block)
            if before is not None and len(between) == 1 and task not in between:
                (source,) = between
                direction: Literal["forward", "backward"] = "backward" if is_trained else "forward"
                yield TransferPair(source, task, direction, before, after)
            is_trained = is_trained or task in between
            before, between = after, set()


def _saturation(scores: Sequence[float]) -> tuple[float, int]:
    """Return the greatest moving average, and how many episodes come before it is first reached."""
    window = min(int(_SMOOTHED * len(scores)), _MOST_SMOOTHED)
    if window < _LEAST_SMOOTHED:
        window = 1
    smooth = [
        statistics.fmean(scores[place : place + window])
        for place in range(len(scores) - window + 1)
    ]
    height = max(smooth)
    return height, smooth.index(height)


def _first_reaching(scores: Sequence[float], least: float) -> int:
    return next((n for n, score in enumerate(scores, start=1) if score >= least), len(scores) + 1)


def _tasks(blocks: Sequence[Block]) -> list[str]:
    return list(dict.fromkeys(block.task for block in blocks))


def _not_negative(scores: Sequence[float], what: str) -> tuple[float, ...]:
    checked = check_finite(scores, what)
    if any(score < 0 for score in checked):
        raise InvalidInput(f"{what} has a negative score; ratios need a scale that begins at 0")
    return checked
