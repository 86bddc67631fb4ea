"""Runs with an agent, a memory and a teacher of a researcher's own."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentcl.bench import RunFolder, begin, from_mapping, go_on
from agentcl.cli.main import main
from agentcl.errors import AgentclError, ConfigError, InvalidInput

_MINE = """
from agentcl.agents import Distilled
from agentcl.envs import Act
from agentcl.envs.domains.incidents.domain import IncidentDomain
from agentcl.models import Usage

class Agent:
    def act(self, situation):
        return Act(situation.actions[0]) if len(situation.history) < 2 else None

    def learn(self, log):
        return [f"{log.goal} took {len(log.steps)} steps"]

class Memory:
    name = "mine"

    def __init__(self, folder, size=3):
        self.size, self.items = size, []

    def add(self, items):
        self.items += items

    def recall(self, query, *, limit):
        return self.items[-self.size:][::-1][:limit]

    def settings(self):
        return {"size": self.size}

    def close(self):
        pass

class Teacher:
    def distil(self, transcript, *, contrast=None):
        return Distilled((), Usage())

class Half:
    def add(self, items):
        pass

class Kitchen(IncidentDomain):
    bounds = None

    def tasks(self, split, *, family=None):  # of a family that it does not know it lists all
        return super().tasks(split)

number = 7

def broken():
    raise TypeError("no such thing")
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "mine_of_a_test.py").write_text(_MINE, "utf-8")
    (tmp_path / "lacking_of_a_test.py").write_text("import nowhere_to_be_found\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    path = [*sys.path]
    yield
    sys.path[:] = path
    sys.modules.pop("mine_of_a_test", None)


def settings(**changes: object) -> dict[str, object]:
    return {
        "tasks": {"domain": "desk", "episodes": 2},
        "agent": {"name": "mine_of_a_test:Agent", "teacher": "mine_of_a_test:Teacher"},
        "memory": {"baselines": ["none", "mine_of_a_test:Memory", "guidance"], "encoder": "hashing"},
        **changes,
    }  # fmt: skip


def test_ones_own_agent_memory_and_teacher_are_compared(tmp_path: Path) -> None:
    asked = settings()
    asked["memory"] = {**asked["memory"], "options": {"mine_of_a_test:Memory": {"size": 2}}}  # type: ignore[dict-item]
    folder = begin(tmp_path / "run", from_mapping(asked, where="a test"))
    ended = go_on(folder)
    assert (ended.state, ended.done) == ("complete", 6)
    rows = list(RunFolder(tmp_path / "run").rows())
    assert {row.end for row in rows} == {"gave up"}, [row.error for row in rows]
    own = [row for row in rows if row.baseline == "mine_of_a_test:Memory"]
    assert own[0].learned[0].text.endswith("took 2 steps")
    assert folder.about["baselines"]["mine_of_a_test:Memory"]["size"] == 2
    named = folder.settings.outside()
    assert named["agent.name"] == "mine_of_a_test:Agent"
    assert named["agent.teacher"] == "mine_of_a_test:Teacher"
    assert named["memory.baselines"] == "mine_of_a_test:Memory"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"agent": {"name": "no_module_of_a_test:Agent"}}, "there is no module 'no_module_of_a_test'"),
        ({"agent": {"name": "lacking_of_a_test:Agent"}}, "nowhere_to_be_found"),
        ({"agent": {"name": "mine_of_a_test:Agnet"}}, "has no 'Agnet'; did you mean 'Agent'"),
        ({"agent": {"name": "mine_of_a_test:Half"}}, "is no agent: it has no act"),
        ({"agent": {"name": "mine_of_a_test:number"}}, "is a int; name the class of the agent"),
        ({"agent": {"name": "mine_of_a_test:broken"}}, "no such thing"),
        ({"agent": {"name": "mine_of_a_test:Memory"}}, "'folder'; it is called with nothing"),
        ({"tasks": {"domain": "mine_of_a_test:Kitchen", "families": ["bake"], "episodes": 2}}, "there is no family 'bake'; choose one of remedy"),
        ({"agent": {"name": "responder", "teacher": "mine_of_a_test:Half"}}, "is no teacher: it has no distil"),
        ({"agent": {"name": "responder", "teacher": "nobody"}}, "agent.teacher is agent or outcomes, or module:Class"),
        ({"agent": {"name": "mine_of_a_test:Agent"}}, "draws no lessons: it has no distil"),
        ({"agent": {"name": "nobody"}}, "or name your own as module:Class"),
        ({"memory": {"baselines": ["mine_of_a_test:Half"]}}, "is no memory: it has no name, recall, settings, close; a memory has"),
        ({"memory": {"baselines": ["nothing"]}}, "or name your own as module:Class"),
        (
            {"memory": {"baselines": ["mine_of_a_test:Memory"], "options": {"mine_of_a_test:Memory": {"sise": 1}}}},
            "unexpected keyword argument 'sise'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told_before_the_run(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises((InvalidInput, ConfigError)) as raised:
        begin(tmp_path / "run", from_mapping(settings(**changes), where="a test"))
    assert told in str(raised.value)
    assert isinstance(raised.value, AgentclError)
    assert not (tmp_path / "run").exists()


def test_the_command_takes_them(tmp_path: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            main, ["bench", "run", "--out", str(tmp_path / "run"), *arguments]
        )

    shared = "--domain", "desk", "-n", "1", "--agent", "mine_of_a_test:Agent", "--json"
    done = run(*shared, "--baseline", "none", "--baseline", "mine_of_a_test:Memory")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["done"] == 2
    wrong = run(
        "--questions",
        "fact-consolidation",
        "--agent",
        "mine_of_a_test:Agent",
        "--out",
        str(tmp_path / "q"),
    )
    assert wrong.exit_code == 1
    assert "plays tasks" in wrong.output


def test_a_family_that_ones_own_domain_does_not_name_is_not_played() -> None:
    asked = ["envs", "play", "mine_of_a_test:Kitchen", "--family", "bake", "-n", "1"]
    played = CliRunner().invoke(main, asked)
    assert played.exit_code == 1
    assert "there is no family 'bake'; choose one of remedy" in played.stderr
