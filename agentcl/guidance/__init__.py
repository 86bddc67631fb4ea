"""What is believed of lessons, and which are shown: computed from records alone."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.guidance.evidence.belief import Belief, LessonState, LifeStage, lesson_of
    from agentcl.guidance.evidence.credit import Credit, Posterior
    from agentcl.guidance.evidence.trust import Trust
    from agentcl.guidance.overview import STAGES, StageDifference, Standing
    from agentcl.guidance.pamphlet import Adopted, Pamphlet
    from agentcl.guidance.progress.expectation import ExpectedScore
    from agentcl.guidance.progress.lanes import LANES, Lane, LaneRecord
    from agentcl.guidance.progress.mastery import Skill
    from agentcl.guidance.progress.shifts import ScoreShift, Shift, SituationShift
    from agentcl.guidance.rules import BUDGET_TOKENS, PRICE, GuidanceRules
    from agentcl.guidance.selection import Choice, Offer, Place
    from agentcl.guidance.state import GuidanceState
    from agentcl.guidance.story import Story

__all__ = [
    "BUDGET_TOKENS", "LANES", "PRICE", "STAGES", "Adopted", "Belief", "Choice", "Credit",
    "ExpectedScore", "GuidanceRules", "GuidanceState", "Lane", "LaneRecord", "LessonState",
    "LifeStage", "Offer", "Pamphlet", "Place", "Posterior", "ScoreShift", "Shift", "SituationShift", "Skill",
    "StageDifference", "Standing", "Story", "Trust", "lesson_of",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "evidence.credit": "Credit Posterior",
        "progress.lanes": "LANES Lane LaneRecord",
        "progress.expectation": "ExpectedScore",
        "progress.mastery": "Skill",
        "overview": "STAGES StageDifference Standing",
        "pamphlet": "Adopted Pamphlet",
        "rules": "BUDGET_TOKENS PRICE GuidanceRules",
        "selection": "Choice Offer Place",
        "progress.shifts": "ScoreShift Shift SituationShift",
        "evidence.belief": "Belief LessonState LifeStage lesson_of",
        "state": "GuidanceState",
        "story": "Story",
        "evidence.trust": "Trust",
    })  # fmt: skip
