"""The lines of a report. What is None is undefined, or was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agentcl.bench.metrics.costs import RoleCost, Spread
from agentcl.bench.metrics.curves import BreakEven
from agentcl.bench.report.estimates import Estimate

Measures = Mapping[str, Estimate | None]


@dataclass(frozen=True, slots=True)
class BaselineLine:
    """One baseline over the whole run."""

    baseline: str
    scored: int  # episodes
    failed: int  # the environment broke: counted here, and in no score
    unscored: int  # nobody answered, and there is nothing to measure
    score: Estimate | None
    success: Estimate | None
    steps: Spread | None  # of scored episodes
    wall_s: Spread | None  # of all episodes
    costs: tuple[RoleCost, ...]  # by role, and all; failed episodes cost as well
    tokens: float | None  # of the model, for each episode
    tokens_per_success: float | None
    price_per_success: float | None
    memory_tokens: float | None  # that memory put into the prompt, for each episode; estimated
    learning_curve_area: Estimate | None  # with the four below, of episodes that are learned from
    prequential: Estimate | None  # of first attempts, all alike
    prequential_faded: Estimate | None  # the last of them count most
    first: Estimate | None  # mean of the first fifth
    last: Estimate | None
    settings: Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One baseline in one family (of questions: category) or phase."""

    by: Literal["family", "phase"]
    group: str
    baseline: str
    scored: int
    failed: int
    score: Estimate | None
    success: Estimate | None


@dataclass(frozen=True, slots=True)
class MeasureLine:
    """The measures of questions of one category in one baseline."""

    category: str  # empty: all
    baseline: str
    questions: int  # that were not failed
    measures: Measures


@dataclass(frozen=True, slots=True)
class Difference:
    """One baseline against another on the same episodes."""

    baseline: str
    against: str
    pairs: int  # episodes that both baselines have a score for
    score: Estimate | None
    success: Estimate | None
    better: int  # episodes with a higher score
    worse: int
    sign_p: float  # of the sign test, as if episodes were independent
    needed: int | None  # units to show a difference as large as this
    needed_for_small: int | None  # and one of 0.05
    break_even: BreakEven | None  # in score; with the two below, against no memory only
    break_even_tokens: BreakEven | None
    adaptive_efficiency: float | None  # score for each 1,000 tokens that memory cost


@dataclass(frozen=True, slots=True)
class Curve:
    """The score of one baseline over the stream: the mean of the seeds, and of the last few episodes."""

    baseline: str
    window: int  # episodes that a point is the mean of
    numbers: tuple[int, ...]  # of episodes, from 0
    scores: tuple[float, ...]
    band: tuple[tuple[float, float], ...]  # lowest and highest seed of each; empty for a single one


@dataclass(frozen=True, slots=True)
class TransferLine:
    """What learning one family did to the others, in one baseline."""

    baseline: str
    families: tuple[str, ...]  # in the order of training
    matrix: tuple[tuple[float | None, ...], ...]  # row 0: before any training; mean of the seeds
    measures: Measures


@dataclass(frozen=True, slots=True)
class PassesLine:
    """What the second pass of the same tasks, and recombinations of them, gained in one baseline."""

    baseline: str
    are_parts_known: bool  # False: each task counts as its own only part
    measures: Measures


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """What a change of the rules did to one baseline."""

    baseline: str
    phase: str  # that begins with the change
    before: Estimate | None  # mean of the last ten episodes under the old rules
    after: Estimate | None  # of the first five under the new ones
    end: Estimate | None  # of the last ten under them
    recovery: (
        Estimate | None
    )  # episodes until five in a row are as good as before; of seeds that recovered
    recovered: int  # seeds
    seeds: int


@dataclass(frozen=True, slots=True)
class BoundLine:
    """The best expected scores of a family, as the domain knows them."""

    family: str
    episodes: int  # of it in each baseline
    without_memory: float
    with_knowledge: float


@dataclass(frozen=True, slots=True)
class AboveLine:
    """The baseline without memory beside the best that is possible without one."""

    family: str
    score: Estimate | None  # its interval is one of 99%, over situations
    bound: float
    is_leak: bool  # the low end of the interval lies above the bound


@dataclass(frozen=True, slots=True)
class LeakLine:
    """What the leakage check found in one baseline."""

    baseline: str
    episodes: int  # with a finding
    examples: tuple[str, ...]
    tests: int  # episodes of tests
    tests_seen: int  # of those: the same task and seed were learned from before


@dataclass(frozen=True, slots=True)
class Leakage:
    """Is what helps really memory?"""

    baselines: tuple[LeakLine, ...]
    above: tuple[AboveLine, ...]
    frozen: Literal["same", "changed", "not checked", "no model"]
    fingerprints: tuple[str | None, str | None]

    @property
    def is_suspect(self) -> bool:
        """Whether a result of this run must not be believed as it stands."""
        return (
            self.frozen == "changed"
            or any(line.episodes or line.tests_seen for line in self.baselines)
            or any(line.is_leak for line in self.above)
        )
