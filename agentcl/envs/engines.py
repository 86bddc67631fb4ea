"""What every environment around another engine shares: the contract's rules, so that an adapter states its engine."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from agentcl.envs.base import Determinism, Observation, Outcome, Score, Task
from agentcl.errors import AgentclError, EnvironmentFailed, InvalidInput

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Happened:
    """What an engine gives for one action."""

    text: str
    reward: float
    is_over: bool  # the engine says so, not a step limit
    is_cut: bool = False  # a step limit of the engine's own says so


class EngineEnvironment(ABC):
    """An environment around an engine that knows nothing of the contract.

    A subclass says how its engine begins an episode, acts, lists actions, scores and is released. Whatever
    the engine raises becomes `EnvironmentFailed`; the engine is then released, and the next `reset` begins
    with a fresh one.
    """

    name: str
    determinism: Determinism

    def __init__(self) -> None:
        self._task: Task | None = None  # None: there is no episode
        self._left = 0  # steps
        self._is_over = False

    @abstractmethod
    def _check(self, task: Task) -> None:
        """Raise InvalidInput if the task is not one of this domain."""

    @abstractmethod
    def _begin(self, task: Task, seed: int) -> Observation:
        """Begin an episode, starting the engine if need be."""

    @abstractmethod
    def _act(self, action: str) -> Happened:
        """Let the engine act."""

    @abstractmethod
    def _admissible(self) -> Sequence[str] | None:
        """Return the actions that do something now, in an order that is always the same."""

    @abstractmethod
    def _score(self) -> Score:
        """Return how well the episode went so far."""

    @abstractmethod
    def _release(self) -> None:
        """Release what the engine holds; it may hold nothing."""

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode."""
        self._check(task)
        self._task = None
        seen = self._asked(task, "reset", lambda: self._begin(task, seed))
        self._task, self._left, self._is_over = task, task.max_steps, False
        return seen

    def step(self, action: str) -> Outcome:
        """Act."""
        task = self._begun()
        if self._is_over:
            raise InvalidInput("the episode is over; call reset")
        self._left -= 1
        happened = self._asked(
            task, f"step {task.max_steps - self._left}", lambda: self._act(action)
        )
        if not math.isfinite(happened.reward):
            self._fail()
            raise EnvironmentFailed(f"{self.name} gave a reward of {happened.reward} in {task.id}")
        is_cut = not happened.is_over and (self._left <= 0 or happened.is_cut)
        self._is_over = happened.is_over or is_cut
        return Outcome(Observation(happened.text), happened.reward, happened.is_over, is_cut)

    def admissible_actions(self, limit: int | None = None) -> Sequence[str] | None:
        """Return the actions that do something now; none when the episode is over."""
        task = self._begun()
        if self._is_over:
            return ()
        actions = self._asked(task, "admissible actions", self._admissible)
        return None if actions is None else actions[:limit]

    def score(self) -> Score:
        """Return how well the episode went so far."""
        return self._asked(self._begun(), "score", self._score)

    def close(self) -> None:
        """Release the engine."""
        self._task = None
        self._release()

    def _begun(self) -> Task:
        if self._task is None:
            raise InvalidInput("there is no episode; call reset first")
        return self._task

    def _asked(self, task: Task, what: str, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except AgentclError:
            self._fail()
            raise
        except Exception as error:  # whatever a stranger's engine raises is its failure, not ours
            self._fail()
            raise EnvironmentFailed(
                f"{self.name} broke at {what} of {task.id}: {type(error).__name__}: {error}"
            ) from error

    def _fail(self) -> None:
        self._task = None
        with suppress(Exception):  # what is broken already may not close either
            self._release()
