"""The check finds worlds that break the contract, one way at a time."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import InvalidInput
from agentcl.cli.main import main
from agentcl.envs.base import Environment, Observation, Oracle, Outcome, Score, Split, Task
from agentcl.envs.checking import check
from agentcl.envs.policies import RandomPolicy, play
from agentcl.envs.registry import open_world
from agentcl.envs.worlds.incidents.world import IncidentEnvironment, IncidentOracle, IncidentWorld
from agentcl.errors import EnvironmentFailed


class Raises(IncidentEnvironment):
    def step(self, action: str) -> Outcome:
        raise RuntimeError("the engine is gone")


class Fails(IncidentEnvironment):
    def step(self, action: str) -> Outcome:
        raise EnvironmentFailed("the engine is gone")


class NotANumber(IncidentEnvironment):
    def score(self) -> Score:
        super().score()
        return Score(math.nan, math.nan, False)


class Endless(IncidentEnvironment):
    def step(self, action: str) -> Outcome:
        super().step(action)
        return Outcome(Observation("x" * 5_000_000), 0.0, False, False)


class Forgetful(IncidentEnvironment):
    def reset(self, task: Task, *, seed: int) -> Observation:
        seen = super().reset(task, seed=random.randrange(10**9))
        return Observation(seen.text)


class Closing(IncidentEnvironment):
    def close(self) -> None:
        if self._incident is None:
            raise ValueError("closed already")
        super().close()


class Wrong(IncidentOracle):
    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        return ["wait"]


class World(IncidentWorld):
    def __init__(self, made: type[IncidentEnvironment], knows: Oracle | None = None) -> None:
        self._made, self._knows = made, knows

    def make(self) -> IncidentEnvironment:
        return self._made()

    def oracle(self) -> Oracle:
        return self._knows or super().oracle()


class Empty(IncidentWorld):
    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        return iter(())


@pytest.mark.parametrize(
    ("world", "broken"),
    [
        (World(Raises), "odd actions take a step and break nothing"),
        (World(Fails), "scores lie between 0 and 1"),
        (World(NotANumber), "scores lie between 0 and 1"),
        (World(Endless), "observations fit a prompt"),
        (World(Forgetful), "the same seed begins alike"),
        (World(Forgetful), "reset shows the goal"),
        (World(Closing), "it can be closed twice"),
        (World(IncidentEnvironment, Wrong()), "the oracle solves every task"),
        (Empty(), "tasks are listed, the same each time"),
    ],
)
def test_each_breach_is_found(world: Any, broken: str) -> None:
    findings = {finding.name: finding for finding in check(world, tasks=2)}
    assert not findings[broken].is_kept
    assert findings[broken].detail


def test_a_world_that_fails_has_no_score() -> None:
    environment: Environment = Fails()
    (task, *_) = IncidentWorld().tasks("dev")
    played = play(environment, RandomPolicy(), task, seed=0)
    assert played.score is None
    assert played.end == "failed: the engine is gone"


def test_worlds_are_opened_by_name_or_refused() -> None:
    assert isinstance(open_world("incidents"), IncidentWorld)
    assert open_world("agentcl.envs.worlds.incidents.world:IncidentWorld").name == "incidents"
    for name, words in (
        ("chess", "choose one of .*incidents"),
        ("incidence", "did you mean 'incidents'"),
        ("no.such:World", "cannot be opened"),
        ("agentcl.envs.worlds.incidents.world:Nothing", "cannot be opened"),
        (
            "agentcl.envs.worlds.incidents.world:IncidentEnvironment",
            "is no world: it has no families",
        ),
    ):
        with pytest.raises(InvalidInput, match=words):
            open_world(name)


def test_the_command_line_checks_and_plays() -> None:
    runner = CliRunner()
    result = runner.invoke(main, ["envs", "check", "incidents"])
    assert result.exit_code == 0, result.output
    assert "BROKEN" not in result.output
    played = runner.invoke(main, ["envs", "play", "incidents", "--family", "remedy", "-n", "20"])
    assert "oracle   score 1.000" in played.output
    assert "best expected: without memory 0.500, with full knowledge 1.000" in played.output
    assert "incidents: remedy, needs" in runner.invoke(main, ["envs", "list"]).output
    refused = runner.invoke(main, ["envs", "play", "incidents", "--policy", "wise"])
    assert refused.exit_code == 1
