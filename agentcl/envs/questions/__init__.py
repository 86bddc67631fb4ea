"""Streams of questions: documents arrive, and what they say is asked, early and late."""

from agentcl.envs.questions.records import Arrival, Question, QuestionStream

__all__ = ["Arrival", "Question", "QuestionStream"]
