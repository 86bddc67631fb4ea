"""Who acts, and the loop: policies and scripts keep the contract, and the loop keeps its promises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest

from agentcl.envs.acting import Act, Actor, Situation, act_until_over
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.desk.domain import DeskDomain
from agentcl.envs.domains.excytin.domain import IncidentLogsDomain
from agentcl.envs.domains.excytin.investigator import Investigator
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.envs.isolation import IsolatedEnvironment
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, ReplayPolicy
from agentcl.errors import InvalidInput
from agentcl.testing import ActorContract

DOMAIN = IncidentDomain()
LOGS = IncidentLogsDomain(seed=5)
TASK = next(DOMAIN.tasks("test", family="remedy"))


class Incidents(ActorContract):
    def environment(self) -> Environment:
        return DOMAIN.make()

    def task(self) -> Task:
        return TASK


class TestRandomPolicy(Incidents):
    def open(self) -> Actor:
        return RandomPolicy()


class TestNullPolicy(Incidents):
    def open(self) -> Actor:
        return NullPolicy()


class TestReplayPolicy(Incidents):
    def open(self) -> Actor:
        return ReplayPolicy(["look", "wait", "look"])


class TestOraclePolicy(Incidents):
    def open(self) -> Actor:
        return OraclePolicy(DOMAIN.oracle())


class TestResponder(Incidents):
    def open(self) -> Actor:
        return Responder()

    def guidance(self) -> tuple[str, ...]:
        return tuple(DOMAIN.lessons(TASK, seed=0))


class TestInvestigator(ActorContract):
    def open(self) -> Actor:
        return Investigator()

    def environment(self) -> Environment:
        return LOGS.make()

    def task(self) -> Task:
        return next(LOGS.tasks("test", family="one-hop"))


class Curious:
    """Looks at everything that a situation has to offer, and gives up at the third."""

    def __init__(self) -> None:
        self.met: list[Situation] = []

    def act(self, situation: Situation) -> Act | None:
        self.met.append(situation)
        assert situation.actions == situation.actions
        return Act((situation.actions or ("wait",))[0]) if len(self.met) < 3 else None


class Listing(IncidentEnvironment):
    """Counts how often it is asked for actions."""

    asked = 0

    def admissible_actions(self, limit: int | None = None) -> Sequence[str] | None:
        self.asked += 1
        return super().admissible_actions(limit)


def test_each_situation_has_the_history_and_the_actions_are_listed_once() -> None:
    environment, actor = Listing(), Curious()
    task = Task("incidents", "control", 0, max_steps=8)
    seen = environment.reset(task, seed=3)
    start = Situation(seen.goal, seen.text, guidance=("told",), task=task, seed=3)
    assert act_until_over(environment, actor, start) == "gave up"
    assert [len(situation.history) for situation in actor.met] == [0, 1, 2]
    assert actor.met[0].seen == seen.text
    assert actor.met[2].seen == actor.met[2].history[-1][1]
    assert all(situation.guidance == ("told",) for situation in actor.met)
    assert environment.asked == 3


def test_who_does_not_ask_for_actions_has_none_listed() -> None:
    environment = Listing()
    seen = environment.reset(TASK, seed=0)
    act_until_over(environment, NullPolicy(), Situation(seen.goal, seen.text))
    assert environment.asked == 0


def test_an_episode_ends_as_the_environment_says() -> None:
    for task in islice(DOMAIN.tasks("test", family="remedy"), 3):
        environment = DOMAIN.make()
        seen = environment.reset(task, seed=1)
        start = Situation(seen.goal, seen.text, task=task, seed=1)
        assert act_until_over(environment, OraclePolicy(DOMAIN.oracle()), start) == "terminated"
        environment.reset(task, seed=1)
        assert act_until_over(environment, NullPolicy(), start) == "truncated"


def test_who_has_to_know_the_task_says_so() -> None:
    with pytest.raises(InvalidInput, match="has to know the task"):
        RandomPolicy().act(Situation("g", "f", offered=("wait",)))


def test_an_actor_is_told_what_only_looks_where_the_environment_knows() -> None:
    told: list[tuple[bool, bool]] = []

    class Asks:
        def act(self, situation: Situation) -> Act | None:
            told.append((situation.may_change("look up it"), situation.may_change("refund it")))
            return None

    desk, incidents = DeskDomain(), DOMAIN
    for environment, domain in (
        (desk.make(), desk),
        (IsolatedEnvironment("desk"), desk),
        (incidents.make(), incidents),
        (IsolatedEnvironment("incidents"), incidents),
    ):
        task = next(domain.tasks("test"))
        seen = environment.reset(task, seed=0)
        act_until_over(environment, Asks(), Situation(seen.goal, seen.text))
        environment.close()
    assert told == [(False, True), (False, True), (True, True), (True, True)]
