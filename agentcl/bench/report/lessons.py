"""What the agents of a run learned by guidance, with the evidence for and against each lesson."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from agentcl.bench.baselines.registry import guidance_rules
from agentcl.bench.folder import RunFolder
from agentcl.guidance.overview import standings
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.store.backends import holds_store, open_store
from agentcl.store.records import ScopeView

_EVERYBODY = ScopeView(None, None, None, None)


@dataclass(frozen=True, slots=True)
class LessonLine:
    """One lesson where it is at home, at the end of the run."""

    baseline: str
    seed: int
    sentence: str
    author: str
    stage: str
    why: str  # the rule that put it into its stage
    trust: float  # probability that it holds
    uplift: float  # expected gain in score from showing it ...
    low: float  # ... with 95 %
    high: float
    uses: int  # episodes that it was shown in
    withheld: float  # episodes that it was withheld from, by a coin: its controls
    confirmed: int
    refuted: int


def lesson_lines(folder: RunFolder) -> list[LessonLine]:
    """Return the lessons of every part of the run that has a memory, those that earned their place first.

    Raises:
        StoreUnavailable: if a memory is there and cannot be read.
    """
    return [
        line
        for baseline in folder.settings.memory.baselines
        if guidance_rules(baseline) is not None
        for seed in folder.settings.seeds
        for line in _of_part(folder, baseline, seed)
    ]


def _of_part(folder: RunFolder, baseline: str, seed: int) -> list[LessonLine]:
    path = folder.memory_path(baseline, seed)
    if not holds_store(path):
        return []
    with closing(open_store(path, read_only=True)) as journal:
        state = GuidanceState.of(journal.since(0, kinds=KINDS), rules=guidance_rules(baseline))
    lines = []
    for one in standings(state, _EVERYBODY):
        low, high = one.interval
        belief = one.belief
        lines.append(
            LessonLine(
                baseline=baseline,
                seed=seed,
                sentence=one.sentence,
                author=one.guidance.author,
                stage=belief.stage,
                why=belief.why,
                trust=belief.trust,
                uplift=belief.uplift,
                low=low,
                high=high,
                uses=state.lessons[one.guidance.id].uses,
                withheld=belief.withheld,
                confirmed=belief.confirmed,
                refuted=belief.refuted,
            )
        )
    return lines
