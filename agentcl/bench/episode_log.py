"""One episode of a run under way: what is known of it so far, checked as it comes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentcl.bench.rows import Learned, StepRow
from agentcl.envs.base import Determinism, Environment, Observation, Outcome, Score, Task
from agentcl.envs.checking import LONGEST_TEXT
from agentcl.errors import (
    BaselineFailed,
    EnvironmentFailed,
    MissingExtra,
    ModelUnavailable,
    StoreUnavailable,
)
from agentcl.store.usage import Usage

# What no episode is to blame for: it ends the run, which can be resumed.
FATAL: Final = (ModelUnavailable, MissingExtra, StoreUnavailable, BaselineFailed)


@dataclass(slots=True)
class EpisodeLog:
    """What is known of an episode; of one that fails in the middle this is what is kept."""

    goal: str = ""
    first: str = ""
    steps: list[StepRow] = field(default_factory=list)
    thought: str = ""  # what was said before the next action
    score: Score | None = None
    end: str = ""
    episode: str = ""  # its id in the memory, where that keeps episodes
    recalled: Sequence[str] = ()
    shown: Sequence[str] = ()
    leaks: Sequence[str] = ()
    learned: Sequence[Learned] = ()
    usage: Mapping[str, Usage] = field(default_factory=dict)

    @property
    def last(self) -> Observation:
        """What was seen last."""
        return Observation(self.steps[-1].seen if self.steps else self.first)


class LoggedEnvironment:
    """An environment of which every observation, reward and score is checked, and written into a log.

    Raises:
        EnvironmentFailed: from every method, if what the environment gives cannot be used.
    """

    def __init__(self, environment: Environment, log: EpisodeLog) -> None:
        self.name = environment.name
        self.determinism: Determinism = environment.determinism
        self._environment, self._log = environment, log

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode."""
        seen = _checked(self._environment.reset(task, seed=seed))
        self._log.goal, self._log.first = seen.goal, seen.text
        return seen

    def step(self, action: str) -> Outcome:
        """Act."""
        outcome = self._environment.step(action)
        seen = _checked(outcome.observation)
        if not math.isfinite(outcome.reward):
            raise EnvironmentFailed(f"a reward of {outcome.reward}")
        self._log.steps.append(StepRow(action, seen.text, self._log.thought))
        return outcome

    def admissible_actions(self, limit: int | None = None) -> Sequence[str] | None:
        """Return the environment's."""
        return self._environment.admissible_actions(limit)

    def score(self) -> Score:
        """Return how well the episode went so far."""
        score = self._environment.score()
        if not 0 <= score.value <= 1:
            raise EnvironmentFailed(f"a score of {score.value}, which is not from 0 to 1")
        self._log.score = score
        return score

    def close(self) -> None:
        """Leave the environment open: it is the next episode's too."""


def _checked(seen: Observation) -> Observation:
    if len(seen.text) > LONGEST_TEXT:
        raise EnvironmentFailed(
            f"an observation of {len(seen.text):,} characters; more than {LONGEST_TEXT:,} fit no prompt"
        )
    return seen
