"""Agents without a model, to measure environments with: random, doing nothing, following a list, the oracle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentcl.envs.base import Environment, Observation, Oracle, Score, Task
from agentcl.errors import EnvironmentFailed, InvalidInput

NOTHING_DONE = "wait"  # what the null policy says; few environments know it


class Policy(Protocol):
    """Chooses actions in one episode after the other."""

    name: str

    def begin(self, task: Task, observation: Observation, *, seed: int) -> None:
        """Begin an episode."""
        ...

    def act(self, environment: Environment, observation: Observation) -> str | None:
        """Return the next action; None gives up."""
        ...


class RandomPolicy:
    """Any admissible action, whatever has been tried."""

    name = "random"

    def begin(self, task: Task, observation: Observation, *, seed: int) -> None:
        """Draw anew, so that an episode does not depend on those before it."""
        self._rng = random.Random(f"random policy:{task.id}:{seed}")

    def act(self, environment: Environment, observation: Observation) -> str | None:
        """Return an admissible action."""
        actions = environment.admissible_actions()
        return self._rng.choice(sorted(actions)) if actions else None


class NullPolicy:
    """Does nothing; what it scores is a floor that every report should show."""

    name = "null"

    def begin(self, task: Task, observation: Observation, *, seed: int) -> None:
        """Do nothing."""

    def act(self, environment: Environment, observation: Observation) -> str | None:
        """Wait."""
        return NOTHING_DONE


class ReplayPolicy:
    """Follows a list of actions, and gives up at its end."""

    name = "replay"

    def __init__(self, actions: Sequence[str]) -> None:
        self._actions = actions

    def begin(self, task: Task, observation: Observation, *, seed: int) -> None:
        """Begin at the head of the list."""
        self._coming: Iterator[str] = iter(self._actions)

    def act(self, environment: Environment, observation: Observation) -> str | None:
        """Return the next action of the list."""
        return next(self._coming, None)


class OraclePolicy:
    """Does what the oracle knows to be best."""

    name = "oracle"

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def begin(self, task: Task, observation: Observation, *, seed: int) -> None:
        """Ask the oracle."""
        self._coming = iter(self._oracle.actions(task, seed=seed))

    def act(self, environment: Environment, observation: Observation) -> str | None:
        """Return the oracle's next action."""
        return next(self._coming, None)


@dataclass(frozen=True, slots=True)
class Played:
    """One episode as it went."""

    task: Task
    seed: int
    policy: str
    score: Score | None  # None: the environment failed, and nobody is to blame for the score
    steps: tuple[tuple[str, str], ...]  # action, and what was seen then
    end: str  # "terminated", "truncated", "gave up", or "failed: ..."


def play(environment: Environment, policy: Policy, task: Task, *, seed: int) -> Played:
    """Play one episode. An environment that fails is noted, never scored.

    Raises:
        InvalidInput: if the task is not one of this domain.
    """
    steps: list[tuple[str, str]] = []
    end = "gave up"
    try:
        seen = environment.reset(task, seed=seed)
        policy.begin(task, seen, seed=seed)
        while (action := policy.act(environment, seen)) is not None:
            outcome = environment.step(action)
            seen = outcome.observation
            steps.append((action, seen.text))
            if outcome.terminated or outcome.truncated:
                end = "terminated" if outcome.terminated else "truncated"
                break
        score = environment.score()
        if not 0 <= score.value <= 1:
            raise EnvironmentFailed(f"{environment.name} gave a score of {score.value}, not 0 to 1")
    except EnvironmentFailed as error:
        return Played(task, seed, policy.name, None, tuple(steps), f"failed: {error}")
    return Played(task, seed, policy.name, score, tuple(steps), end)


def policies_of(names: Sequence[str], oracle: Oracle | None) -> list[Policy]:
    """Return policies by their names.

    Raises:
        InvalidInput: if one is unknown, or the oracle's is asked for where there is none.
    """
    known: dict[str, Policy] = {"random": RandomPolicy(), "null": NullPolicy()}
    if oracle is not None:
        known["oracle"] = OraclePolicy(oracle)
    for name in names:
        if name not in known:
            raise InvalidInput(f"there is no policy {name!r} here; choose from {', '.join(known)}")
    return [known[name] for name in names]
