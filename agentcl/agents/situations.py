"""What an agent stands before, and what it leaves behind: the two things that models are asked about."""

from __future__ import annotations

from dataclasses import dataclass

History = tuple[tuple[str, str], ...]  # actions, and what was seen then


@dataclass(frozen=True, slots=True)
class Situation:
    """One moment of an episode, with what memory has to say of it."""

    goal: str
    first: str  # what was seen first
    history: History = ()
    actions: tuple[str, ...] | None = None  # those to choose from; None where nobody knows them
    guidance: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    plan: str = ""  # how the goal is to be reached


@dataclass(frozen=True, slots=True)
class Transcript:
    """One attempt at a task, from the first observation to the score."""

    goal: str
    first: str  # what was seen first
    steps: History
    score: float | None = None  # from 0 to 1; None: nobody judged it
