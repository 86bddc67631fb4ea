"""One episode of a run under way: what is known of it so far, checked as it comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from agentcl.agents.student import ModelAct
from agentcl.bench.rows import Learned, StepRow
from agentcl.envs.acting import Act, Actor, Situation
from agentcl.envs.base import (
    Determinism,
    Environment,
    Foreseen,
    Observation,
    Outcome,
    Score,
    Task,
)
from agentcl.envs.checking import LONGEST_TEXT
from agentcl.errors import (
    BaselineFailed,
    EnvironmentFailed,
    InvalidInput,
    MissingExtra,
    ModelUnavailable,
    StoreUnavailable,
)
from agentcl.store.usage import NO_USAGE, Usage

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
    shifts: Sequence[str] = ()
    learned: Sequence[Learned] = ()
    usage: dict[str, Usage] = field(default_factory=dict)  # by role

    @property
    def last(self) -> str:
        """What was seen last."""
        return self.steps[-1].seen if self.steps else self.first

    @property
    def final_score(self) -> Score:
        """The score of an episode that is over. Raises InvalidInput of one that is not."""
        if self.score is None:
            raise InvalidInput("the episode has no score yet")
        return self.score

    def spend(self, role: str, usage: Usage) -> None:
        """Add what a role asked of a model."""
        self.usage[role] = self.usage.get(role, NO_USAGE) + usage


class LoggedActor:
    """An actor whose thoughts and tokens are in the log, so that they are known of an episode that breaks too."""

    def __init__(self, actor: Actor, log: EpisodeLog) -> None:
        self.log = log
        self._actor = actor

    def act(self, situation: Situation) -> Act | None:
        """Ask the actor."""
        act = self._actor.act(situation)
        if act is not None:
            self.log.thought = act.thought
        if isinstance(act, ModelAct):
            self.log.spend("act", act.usage)
        return act


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

    def changes(self, action: str) -> bool:
        """Return whether an action may change something, as far as the environment says (`Foreseen`)."""
        environment = self._environment
        return not isinstance(environment, Foreseen) or environment.changes(action)

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
