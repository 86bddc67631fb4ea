"""Plasticity, stability and generalisation over a stream whose tasks share sub-solutions.

Our reading of the abstract of "AgentCL: Toward Rigorous Evaluation of Continual Learning in Language
Agents" (arXiv 2606.02461): streams in which earlier sub-solutions can be used again, against streams where
they cannot, and held-out tasks. The formulas are ours; compare nothing with the figures of that paper.
The stream is that of `agentcl.envs.streams.reuse`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agentcl.bench.metrics.trends import mean_of
from agentcl.errors import InvalidInput

Phase = Literal["first", "second", "held-out"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One episode of the stream, with memory and, on the same task and seed, without.

    Raises:
        InvalidInput: if no sub-solution is named, or a score is not finite.
    """

    task: str  # the same name in both passes
    phase: Phase  # in "held-out" the memory is only read
    sub_solutions: frozenset[str]  # those that it needs
    score: float
    without_memory: float

    def __post_init__(self) -> None:
        if not self.sub_solutions:
            raise InvalidInput(f"{self.task} names no sub-solution; label it with what it needs")
        if not (math.isfinite(self.score) and math.isfinite(self.without_memory)):
            raise InvalidInput(f"{self.task} has a score that is no number; leave the episode out")

    @property
    def gain(self) -> float:
        """What memory brought."""
        return self.score - self.without_memory


@dataclass(frozen=True, slots=True)
class Reuse:
    """The measures of a stream with reused solutions; None where no attempt counts."""

    plasticity: float | None  # gain where every part was met before
    plasticity_first_pass: float | None  # of that, in tasks whose whole was not met
    gain_on_unseen: float | None  # gain where some part is new: the control
    stability: float | None  # second pass less the first
    regressed: float | None  # share of tasks that scored lower in the second pass
    generalisation: float | None  # gain on held-out recombinations


def plasticity(
    attempts: Sequence[Attempt], *, phase: Literal["first", "second"] | None = None
) -> float | None:
    """Return the mean of s - z over attempts whose sub-solutions were all met before; of one pass, or both.

    s is the score with memory and z the one without. Met before: an earlier attempt of the stream needed
    it, solved or not, so a memory that keeps only what worked is not excused. In the second pass the
    task itself was met, so what is gained there may be recall of the whole; in the first, never.
    """
    covered = _learning(attempts, is_covered=True)
    return mean_of(attempt.gain for attempt in covered if phase in (None, attempt.phase))


def gain_on_unseen(attempts: Sequence[Attempt]) -> float | None:
    """Return the mean of s - z over attempts of which some sub-solution was never met: the control.

    What is gained here is not reuse but form (how the environment answers, what an action looks like) or a leak.
    """
    return mean_of(attempt.gain for attempt in _learning(attempts, is_covered=False))


def stability(attempts: Sequence[Attempt]) -> float | None:
    """Return the mean of s_2 - s_1 over tasks done in both passes; negative: unlearned between them.

    It holds what the task was learned by as well as what was kept, so read `regressed` beside it.
    """
    return mean_of(second - first for first, second in _redone(attempts))


def regressed(attempts: Sequence[Attempt]) -> float | None:
    """Return the share of tasks done in both passes that scored lower in the second.

    Chance alone makes some: compare with the same share of the baseline without memory.
    """
    return mean_of(float(second < first) for first, second in _redone(attempts))


def generalisation(attempts: Sequence[Attempt]) -> float | None:
    """Return the mean of s - z over held-out recombinations: known parts, a whole never met."""
    return mean_of(attempt.gain for attempt in attempts if attempt.phase == "held-out")


def reuse(attempts: Sequence[Attempt]) -> Reuse:
    """Return every measure of a stream.

    Args:
        attempts: in the order of the stream.

    Raises:
        InvalidInput: if a task comes twice in one pass, or a pass begins again after the next.
    """
    return Reuse(
        plasticity=plasticity(attempts),
        plasticity_first_pass=plasticity(attempts, phase="first"),
        gain_on_unseen=gain_on_unseen(attempts),
        stability=stability(attempts),
        regressed=regressed(attempts),
        generalisation=generalisation(attempts),
    )


def _learning(attempts: Sequence[Attempt], *, is_covered: bool) -> Iterator[Attempt]:
    met: set[str] = set()
    for attempt in attempts:
        if attempt.phase == "held-out":
            continue
        if (attempt.sub_solutions <= met) == is_covered:
            yield attempt
        met |= attempt.sub_solutions


def _redone(attempts: Sequence[Attempt]) -> list[tuple[float, float]]:
    passes: dict[str, dict[str, float]] = {"first": {}, "second": {}}
    for attempt in attempts:
        if attempt.phase == "held-out":
            continue
        scores = passes[attempt.phase]
        if attempt.task in scores:
            raise InvalidInput(
                f"{attempt.task} comes twice in the {attempt.phase} pass; name each task once in a pass"
            )
        if attempt.phase == "first" and passes["second"]:
            raise InvalidInput(f"{attempt.task} of the first pass comes after the second has begun")
        scores[attempt.task] = attempt.score
    return [(score, passes["second"][task]) for task, score in passes["first"].items()
            if task in passes["second"]]  # fmt: skip
