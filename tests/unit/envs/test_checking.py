"""The check finds domains that break the contract, one way at a time."""

import math
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import InvalidInput
from agentcl.cli.main import main
from agentcl.envs.base import Environment, Observation, Oracle, Outcome, Score, Split, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.domain import (
    IncidentDomain,
    IncidentEnvironment,
    IncidentOracle,
)
from agentcl.envs.policies import RandomPolicy, play
from agentcl.envs.registry import open_domain
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
        if self._task is None:
            raise ValueError("closed already")
        super().close()


class Wrong(IncidentOracle):
    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        return ["wait"]


class Domain(IncidentDomain):
    def __init__(self, made: type[IncidentEnvironment], knows: Oracle | None = None) -> None:
        self._made, self._knows = made, knows

    def make(self) -> IncidentEnvironment:
        return self._made()

    def oracle(self) -> Oracle:
        return self._knows or super().oracle()


class Empty(IncidentDomain):
    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        return iter(())


class Heedless(IncidentDomain):
    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        return super().tasks(split)


@pytest.mark.parametrize(
    ("domain", "broken"),
    [
        (Heedless(), "a family lists its own tasks"),
        (Domain(Raises), "odd actions take a step and break nothing"),
        (Domain(Fails), "scores lie between 0 and 1"),
        (Domain(NotANumber), "scores lie between 0 and 1"),
        (Domain(Endless), "observations fit a prompt"),
        (Domain(Forgetful), "the same seed begins alike"),
        (Domain(Forgetful), "reset shows the goal"),
        (Domain(Closing), "it can be closed twice"),
        (Domain(IncidentEnvironment, Wrong()), "the oracle solves every task"),
        (Empty(), "tasks are listed, the same each time"),
    ],
)
def test_each_breach_is_found(domain: Any, broken: str) -> None:
    findings = {finding.name: finding for finding in check(domain, tasks=2)}
    assert not findings[broken].is_kept
    assert findings[broken].detail


def test_an_environment_that_fails_has_no_score() -> None:
    environment: Environment = Fails()
    (task, *_) = IncidentDomain().tasks("dev")
    played = play(environment, RandomPolicy(), task, seed=0)
    assert played.score is None
    assert played.end == "failed: the engine is gone"


def test_a_working_folder_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InvalidInput, match=r"there is no module 'no'.* folder is gone"):
        open_domain("no.such:Domain")


def test_domains_are_opened_by_name_or_refused() -> None:
    assert isinstance(open_domain("incidents"), IncidentDomain)
    assert open_domain("agentcl.envs.domains.incidents.domain:IncidentDomain").name == "incidents"
    for name, words in (
        ("chess", "choose one of .*incidents"),
        ("incidence", "did you mean 'incidents'"),
        ("no.such:Domain", "there is no module 'no' in .*PYTHONPATH"),
        ("agentcl.envs.domains.incidents.domain:Nothing", "cannot be opened"),
        (
            "agentcl.envs.domains.incidents.domain:IncidentEnvironment",
            "is no domain: it has no families",
        ),
    ):
        with pytest.raises(InvalidInput, match=words):
            open_domain(name)


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


def test_a_module_of_the_working_folder_is_found_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = "from agentcl.envs import open_domain\n\n\ndef Mine():\n    return open_domain('incidents')\n"
    (tmp_path / "lying_here.py").write_text(domain)
    (tmp_path / "json.py").write_text("raise RuntimeError('hides the real one')\n")
    (tmp_path / "lacking.py").write_text("import nowhere_installed\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [one for one in sys.path if one])
    assert open_domain("lying_here:Mine").name == "incidents"
    assert sys.path[-1] == str(tmp_path)
    with pytest.raises(InvalidInput, match="No module named 'nowhere_installed'"):
        open_domain("lacking:Mine")
    monkeypatch.delitem(sys.modules, "lying_here")
