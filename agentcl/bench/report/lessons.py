"""What the agents of a run learned by guidance, with the evidence for and against each lesson."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from agentcl.bench.arms.registry import guidance_rules
from agentcl.bench.folder import RunFolder
from agentcl.guidance.overview import standings
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.store.records import ScopeView
from agentcl.store.sqlite.journal import Journal

_EVERYBODY = ScopeView(None, None, None, None)


@dataclass(frozen=True, slots=True)
class LessonLine:
    """One lesson where it is at home, at the end of the run."""

    arm: str
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
    """Return the lessons of every life that has a memory, those that earned their place first.

    Raises:
        StoreUnavailable: if a memory is there and cannot be read.
    """
    return [
        line
        for arm in folder.settings.memory.arms
        if guidance_rules(arm) is not None
        for seed in folder.settings.seeds
        for line in _of_life(folder, arm, seed)
    ]


def _of_life(folder: RunFolder, arm: str, seed: int) -> list[LessonLine]:
    path = folder.memory_path(arm, seed)
    if not (path / "journal.db").exists():
        return []
    with closing(Journal(path, read_only=True)) as journal:
        state = GuidanceState.of(journal.since(0, kinds=KINDS), rules=guidance_rules(arm))
    lines = []
    for one in standings(state, _EVERYBODY):
        low, high = one.interval
        belief = one.belief
        lines.append(
            LessonLine(
                arm=arm,
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
