"""What an episode leaves to remember: lessons, its record, or a note after failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from agentcl.agents.prompts import LESSONS, LESSONS_FORM, ask_lessons, ask_note
from agentcl.bench.episode_log import EpisodeLog
from agentcl.errors import InvalidInput, NoAnswer, SchemaViolation
from agentcl.lessons import read_json
from agentcl.models.base import ChatModel, Sampling, conversation
from agentcl.models.metered import MeteredModel
from agentcl.models.structured import ask_object, ask_text, require_checker

RECENT: Final = 12  # steps that a prompt shows
LESSON_TOKENS: Final = 320
NOTING: Final = (
    "You look back at an attempt of yours that fell short. Say in two or three sentences what went wrong, and "
    "what you will do differently on the next task of this kind."
)
_NOTE_TOKENS: Final = 200

Learner = Callable[[EpisodeLog], Sequence[str]]
"""Returns what an episode that is over leaves to remember, as texts; what it asks of a model is in the log."""


def record(log: EpisodeLog) -> list[str]:
    """Return the record of an episode, as it went."""
    told = " ".join(f"{step.action}: {step.seen.strip().rstrip('.')}." for step in log.steps)
    return [f"Goal: {log.goal} {log.first} {told} Score {log.final_score.value:.2f}."]


class LessonWriter:
    """A model that writes lessons; what is no lesson, after asking twice, teaches nothing.

    Args:
        model: who is asked.
        instructions: said as the system's message; empty for a model that was trained on the form.

    Raises:
        MissingExtra: if answers cannot be checked: `jsonschema` is not installed.
    """

    def __init__(self, model: ChatModel, *, instructions: str = "") -> None:
        require_checker()
        self._model, self._instructions = model, instructions

    def __call__(self, log: EpisodeLog) -> list[str]:
        """Return the lessons of an episode as sentences."""
        if not log.steps:
            return []
        history = [(step.action, step.seen) for step in log.steps[-RECENT:]]
        prompt = ask_lessons(goal=log.goal, scene=log.first, history=history)
        metered = MeteredModel(self._model)
        try:
            reply = ask_object(
                metered,
                conversation(self._instructions, prompt),
                schema=LESSONS,
                accept=LESSONS_FORM,
                sampling=Sampling(max_tokens=LESSON_TOKENS),
            )
            return [read_json(one).sentence() for one in reply.value["guidance"]]
        except (SchemaViolation, InvalidInput):
            return []
        finally:
            log.spend("learn", metered.usage)


class NoteWriter:
    """A model that writes one note after each episode without the full score, and none after others.

    So Reflexion keeps them (Shinn et al. 2023, arXiv 2303.11366): the plain baseline.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def __call__(self, log: EpisodeLog) -> list[str]:
        """Return the note, in the model's own words."""
        score = log.final_score.value
        if score >= 1:
            return []
        history = [(step.action, step.seen) for step in log.steps]
        prompt = ask_note(goal=log.goal, scene=log.first, history=history, score=score)
        metered = MeteredModel(self._model)
        asked = conversation(NOTING, prompt)
        try:
            reply = ask_text(metered, asked, sampling=Sampling(max_tokens=_NOTE_TOKENS))
        except NoAnswer:
            return []
        finally:
            log.spend("learn", metered.usage)
        return [" ".join(reply.text.split())]


def note_of_lessons(learner: Learner) -> Learner:
    """Return who notes all lessons of an episode without the full score: for those that write nothing else."""

    def note(log: EpisodeLog) -> list[str]:
        lines = [] if log.final_score.value >= 1 else learner(log)
        return ["\n".join(lines)] if lines else []

    return note
