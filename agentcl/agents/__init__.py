"""Agents that play with a frozen model and learn into a memory."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.agents.agent import Actor, Agent, Budget, Coach, Planner
    from agentcl.agents.learning import Judge, judge, learn_from, transcript_of
    from agentcl.agents.situations import Situation, Transcript
    from agentcl.agents.student import Act, Plan, Student
    from agentcl.agents.supervisor import Familiarity, Supervisor
    from agentcl.agents.teacher import Correction, Distilled, Distiller, Judgement, Review, Teacher

__all__ = [
    "Act", "Actor", "Agent", "Budget", "Coach", "Correction", "Distilled", "Distiller",
    "Familiarity", "Judge", "Judgement", "Plan", "Planner", "Review", "Situation", "Student",
    "Supervisor", "Teacher", "Transcript", "judge", "learn_from", "transcript_of",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "agent": "Actor Agent Budget Coach Planner",
        "learning": "Judge judge learn_from transcript_of",
        "situations": "Situation Transcript",
        "student": "Act Plan Student",
        "supervisor": "Familiarity Supervisor",
        "teacher": "Correction Distilled Distiller Judgement Review Teacher",
    })  # fmt: skip
