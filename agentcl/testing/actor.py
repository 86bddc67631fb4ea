"""What everybody who acts must do: a model, a script, a policy of your own.

from agentcl.testing import ActorContract

class TestMyActor(ActorContract):
def open(self):
return MyActor()

def environment(self):
return IncidentDomain().make()

def task(self):
return next(IncidentDomain().tasks("test", family="remedy"))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from agentcl.envs.acting import Act, Actor, Situation, act_until_over
from agentcl.envs.base import Environment, Outcome, Task

_ENDS = ("terminated", "truncated", "gave up")


class ActorContract(ABC):
    """The tests; a subclass says who acts, and where."""

    is_repeatable: ClassVar[bool] = (
        True  # the same situations, one after the other, get the same acts
    )

    @abstractmethod
    def open(self) -> Actor:
        """Return somebody who has not acted yet."""

    @abstractmethod
    def environment(self) -> Environment:
        """Return a fresh environment."""

    @abstractmethod
    def task(self) -> Task:
        """Return a task of that environment."""

    def guidance(self) -> tuple[str, ...]:
        """Return what memory has to say before the first step."""
        return ()

    def ask(self, question: str) -> Sequence[str]:
        """Return what memory says of a question in mid-episode."""
        return ()

    def test_an_episode_is_acted_to_its_end(self) -> None:
        end, acts = self._acted(self.open(), seed=0)
        assert end in _ENDS
        assert all(isinstance(act.action, str) and act.action for act in acts)
        assert all(isinstance(act.thought, str) for act in acts)

    def test_the_same_episode_is_acted_the_same(self) -> None:
        if not self.is_repeatable:
            pytest.skip("it never promised to repeat itself")
        for seed in range(3):
            assert self._acted(self.open(), seed=seed) == self._acted(self.open(), seed=seed)

    def test_an_episode_depends_on_none_before_it(self) -> None:
        if not self.is_repeatable:
            pytest.skip("it never promised to repeat itself")
        actor = self.open()
        self._broken_off(actor, seed=1)
        self._acted(actor, seed=2)
        assert self._acted(actor, seed=0) == self._acted(self.open(), seed=0)

    def test_where_nobody_knows_the_actions_it_acts_or_gives_up(self) -> None:
        environment = self.environment()
        try:
            start = replace(self._start(environment, seed=0), offered=None)
            act = self.open().act(start)
        finally:
            environment.close()
        assert act is None or act.action

    def _start(self, environment: Environment, *, seed: int) -> Situation:
        task = self.task()
        seen = environment.reset(task, seed=seed)
        told = self.guidance()
        return Situation(seen.goal, seen.text, guidance=told, task=task, seed=seed, ask=self.ask)

    def _acted(self, actor: Actor, *, seed: int) -> tuple[str, list[Act]]:
        acts: list[Act] = []

        def on_step(situation: Situation, act: Act, outcome: Outcome) -> None:
            acts.append(act)

        environment = self.environment()
        try:
            start = self._start(environment, seed=seed)
            return act_until_over(environment, actor, start, on_step=on_step), acts
        finally:
            environment.close()

    def _broken_off(self, actor: Actor, *, seed: int) -> None:
        """Let it act once, in an episode that nobody goes on with."""
        environment = self.environment()
        try:
            start = self._start(environment, seed=seed)
            actor.act(replace(start, offered=environment.admissible_actions))
        finally:
            environment.close()
