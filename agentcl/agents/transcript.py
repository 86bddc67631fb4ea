"""What an episode leaves behind, as models are shown it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentcl.envs.acting import History

ANSWERED: Final = "answered: "  # how an episode ended in which somebody said something last


@dataclass(frozen=True, slots=True)
class Transcript:
    """One attempt at a task, from the first observation to the score."""

    goal: str
    first: str  # what was seen first
    steps: History
    score: float | None = None  # from 0 to 1; None: nobody judged it
    is_success: bool | None = None  # whether the goal was reached; None: nobody said so
    rewards: tuple[float, ...] = ()  # what the world gave for each step; empty: it is not known
