"""What an episode leaves behind, as models are shown it."""

from __future__ import annotations

from collections import Counter
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

    def gains(self) -> list[int]:
        """Return the steps that the world rewarded; what it gives for nearly every step is no reward."""
        return [n for n, one in enumerate(self.rewards) if one > max(0.0, self._usual)]

    def losses(self) -> list[int]:
        """Return the steps that it punished; a price that nearly every step has is no punishment."""
        return [n for n, one in enumerate(self.rewards) if one < min(0.0, self._usual)]

    @property
    def _usual(self) -> float:
        """What more than half of the steps gave."""
        ((most, count),) = Counter(self.rewards).most_common(1) or ((0.0, 0),)
        return most if count > max(1, len(self.rewards) / 2) else 0.0
