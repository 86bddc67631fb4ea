"""Agents without a model, to measure environments with: random, doing nothing, following a list, the oracle."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentcl.envs.acting import Act, Actor, Situation, act_until_over, nothing_known
from agentcl.envs.base import Environment, Oracle, Outcome, Score, Task
from agentcl.errors import EnvironmentFailed, InvalidInput

NOTHING_DONE = "wait"  # what the null policy says; few environments know it


class Policy(Actor, Protocol):
    """An actor that has a name."""

    name: str


class RandomPolicy:
    """Any admissible action, whatever has been tried."""

    name = "random"

    def act(self, situation: Situation) -> Act | None:
        """Return an admissible action."""
        if not situation.history:  # drawn anew, so that no episode depends on those before it
            task, seed = situation.known_task, situation.seed
            self._rng = random.Random(f"random policy:{task.id}:{seed}")
        actions = situation.actions
        return Act(self._rng.choice(sorted(actions))) if actions else None


class NullPolicy:
    """Does nothing; what it scores is a floor that every report should show."""

    name = "null"

    def act(self, situation: Situation) -> Act | None:
        """Wait."""
        return Act(NOTHING_DONE)


class ReplayPolicy:
    """Follows a list of actions, and gives up at its end."""

    name = "replay"

    def __init__(self, actions: Sequence[str]) -> None:
        self._actions = actions

    def act(self, situation: Situation) -> Act | None:
        """Return the next action of the list."""
        place = len(situation.history)
        return Act(self._actions[place]) if place < len(self._actions) else None


class OraclePolicy:
    """Does what the oracle knows to be best."""

    name = "oracle"

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def act(self, situation: Situation) -> Act | None:
        """Return the oracle's next action."""
        if not situation.history:
            actions = self._oracle.actions(situation.known_task, seed=situation.seed)
            self._replay = ReplayPolicy(actions)
        return self._replay.act(situation)


@dataclass(frozen=True, slots=True)
class Played:
    """One episode as it went."""

    task: Task
    seed: int
    score: Score | None  # None: the environment failed, and nobody is to blame for the score
    steps: tuple[tuple[str, str], ...]  # action, and what was seen then
    end: str  # "terminated", "truncated", "gave up", or "failed: ..."


def play(
    environment: Environment,
    actor: Actor,
    task: Task,
    *,
    seed: int,
    ask: Callable[[str], Sequence[str]] = nothing_known,
) -> Played:
    """Play one episode. An environment that fails is noted, never scored.

    `ask` is what memory says of a question, for an actor that asks.

    Raises:
        InvalidInput: if the task is not one of this domain.
    """
    steps: list[tuple[str, str]] = []

    def on_step(situation: Situation, act: Act, outcome: Outcome) -> None:
        steps.append((act.action, outcome.observation.text))

    try:
        seen = environment.reset(task, seed=seed)
        start = Situation(seen.goal, seen.text, task=task, seed=seed, ask=ask)
        end = act_until_over(environment, actor, start, on_step=on_step)
        score = environment.score()
        if not 0 <= score.value <= 1:
            raise EnvironmentFailed(f"{environment.name} gave a score of {score.value}, not 0 to 1")
    except EnvironmentFailed as error:
        return Played(task, seed, None, tuple(steps), f"failed: {error}")
    return Played(task, seed, score, tuple(steps), end)


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
