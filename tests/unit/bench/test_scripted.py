"""The actors without a model that learn, as a run has them."""

from __future__ import annotations

from agentcl.bench.scripted import GuidedResponder
from agentcl.envs.acting import Actor, Situation
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.testing import ActorContract


class TestGuidedResponder(ActorContract):
    def open(self) -> Actor:
        return GuidedResponder()

    def environment(self) -> Environment:
        return IncidentDomain().make()

    def task(self) -> Task:
        return next(IncidentDomain().tasks("test", family="control"))


def test_it_goes_on_where_nothing_is_left_to_try() -> None:
    assert (
        GuidedResponder().act(Situation("g", "The queue Orvo is slow.", offered=())).action
        == "nothing is left to try"
    )
