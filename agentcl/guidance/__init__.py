"""What is believed of lessons, and which are shown: computed from records alone."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.guidance.belief import Belief, LessonState, LifeStage, lesson_of
    from agentcl.guidance.credit import Credit, Posterior
    from agentcl.guidance.expectation import ExpectedScore
    from agentcl.guidance.lanes import LANES, Lane, LaneRecord
    from agentcl.guidance.mastery import Skill
    from agentcl.guidance.overview import STAGES, StageDifference, Standing
    from agentcl.guidance.pamphlet import Adopted, Pamphlet
    from agentcl.guidance.rules import BUDGET_TOKENS, PRICE, GuidanceRules
    from agentcl.guidance.selection import Choice, Offer, Place
    from agentcl.guidance.shifts import ScoreShift, Shift, SituationShift
    from agentcl.guidance.state import GuidanceState
    from agentcl.guidance.story import Story
    from agentcl.guidance.trust import Trust

__all__ = [
    "BUDGET_TOKENS", "LANES", "PRICE", "STAGES", "Adopted", "Belief", "Choice", "Credit",
    "ExpectedScore", "GuidanceRules", "GuidanceState", "Lane", "LaneRecord", "LessonState",
    "LifeStage", "Offer", "Pamphlet", "Place", "Posterior", "ScoreShift", "Shift", "SituationShift", "Skill",
    "StageDifference", "Standing", "Story", "Trust", "lesson_of",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "credit": "Credit Posterior",
        "lanes": "LANES Lane LaneRecord",
        "expectation": "ExpectedScore",
        "mastery": "Skill",
        "overview": "STAGES StageDifference Standing",
        "pamphlet": "Adopted Pamphlet",
        "rules": "BUDGET_TOKENS PRICE GuidanceRules",
        "selection": "Choice Offer Place",
        "shifts": "ScoreShift Shift SituationShift",
        "belief": "Belief LessonState LifeStage lesson_of",
        "state": "GuidanceState",
        "story": "Story",
        "trust": "Trust",
    })  # fmt: skip
