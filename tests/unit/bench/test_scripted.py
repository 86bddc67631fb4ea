"""The actors without a model that learn, as a run has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentcl.bench.scripted import GUIDED, GuidedClerk, GuidedResponder
from agentcl.envs.acting import Actor, Situation
from agentcl.envs.base import Environment, Task
from agentcl.envs.domains.desk.domain import DeskDomain
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.testing import ActorContract


class TestGuidedResponder(ActorContract):
    def open(self) -> Actor:
        return GuidedResponder()

    def environment(self) -> Environment:
        return IncidentDomain().make()

    def task(self) -> Task:
        return next(IncidentDomain().tasks("test", family="control"))


class TestGuidedClerk(ActorContract):
    def open(self) -> Actor:
        return GuidedClerk()

    def environment(self) -> Environment:
        return DeskDomain().make()

    def task(self) -> Task:
        return next(DeskDomain().tasks("test", family="control"))


@pytest.mark.parametrize("made", GUIDED.values())
def test_it_goes_on_where_nothing_is_left_to_try(
    made: Callable[[], GuidedResponder | GuidedClerk],
) -> None:
    assert (
        made().act(Situation("g", "The queue Orvo is slow.", offered=())).action
        == "nothing is left to try"
    )
