"""Incidents whose outcome is told wrongly now and then: what an agent learns from is not what it reached."""

from __future__ import annotations

import random

from agentcl.envs.base import Observation, Score, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment


class FlippedEnvironment(IncidentEnvironment):
    """The score of a share of the episodes is told as its opposite; `raw` is what it was."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self._is_flipped = False

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode; whether its outcome is flipped follows from task and seed."""
        self._is_flipped = random.Random(f"flipped:{task.id}:{seed}").random() < self._share
        return super().reset(task, seed=seed)

    def score(self) -> Score:
        """Return the outcome, or its opposite."""
        true = super().score()
        if not self._is_flipped:
            return true
        return Score(1 - true.value, true.raw, not true.is_success)


class FlippedIncidents(IncidentDomain):
    """Incidents with flipped outcomes.

    Args:
        share: of the episodes.
    """

    def __init__(self, share: str = "0.2") -> None:
        super().__init__()
        self._share = float(share)

    def make(self) -> FlippedEnvironment:
        """Return a fresh environment."""
        return FlippedEnvironment(self._share)
