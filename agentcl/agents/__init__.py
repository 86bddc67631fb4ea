"""Agents that play with a frozen model and learn into a memory."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.agents.agent import Agent, Budget, Coach, Planner
    from agentcl.agents.learning import Inducer, Judge, judge, learn_from, transcript_of
    from agentcl.agents.outcomes import OutcomeTeacher
    from agentcl.agents.practice import KindPractised, Practice, PracticeBudget, Practised
    from agentcl.agents.student import ModelAct, Plan, Student
    from agentcl.agents.supervisor import Familiarity, Supervisor
    from agentcl.agents.teacher import (
        Correction,
        Distilled,
        Distiller,
        Edited,
        Editor,
        Judgement,
        Review,
        Teacher,
    )
    from agentcl.agents.tool_agent import ToolAgent, ToolResult, ToolRun
    from agentcl.agents.tools import Tool
    from agentcl.agents.transcript import Transcript
    from agentcl.agents.tuning import Figure, Prober, Tuning, tune

__all__ = [
    "Agent", "Budget", "Coach", "Correction", "Distilled", "Distiller", "Edited", "Editor", "Familiarity", "Figure", "Inducer", "Judge",
    "Judgement", "KindPractised", "ModelAct", "OutcomeTeacher", "Plan", "Planner", "Practice", "PracticeBudget", "Practised", "Prober", "Review", "Student", "Supervisor",
    "Teacher", "Tool", "ToolAgent", "ToolResult", "ToolRun", "Transcript", "Tuning", "judge", "learn_from",
    "transcript_of", "tune",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "agent": "Agent Budget Coach Planner",
        "learning": "Inducer Judge judge learn_from transcript_of",
        "outcomes": "OutcomeTeacher",
        "practice": "KindPractised Practice PracticeBudget Practised",
        "student": "ModelAct Plan Student",
        "supervisor": "Familiarity Supervisor",
        "teacher": "Correction Distilled Distiller Edited Editor Judgement Review Teacher",
        "tool_agent": "ToolAgent ToolResult ToolRun",
        "tools": "Tool",
        "transcript": "Transcript",
        "tuning": "Figure Prober Tuning tune",
    })  # fmt: skip
