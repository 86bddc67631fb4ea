"""Practice through the command line: it begins a memory, goes on from its record, and ends cleanly."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from tests.endpoints import JsonHandler, completion, serving

Run = Callable[..., Result]
PRACTISE = ("practise", "incidents", "--where", "deployment=3")
SCRIPTED = (*PRACTISE, "--student", "responder")


class Endpoint(JsonHandler):
    """Does always the same."""

    def do_POST(self) -> None:
        self.asked()
        self.answer(completion("restart it"))

    def do_GET(self) -> None:
        self.answer({"object": "list", "data": [{"id": "served", "object": "model"}]})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("openai")
    with serving(Endpoint) as address:
        yield address


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    return call


def test_it_begins_a_memory_and_a_second_call_goes_on(run: Run) -> None:
    first = run(*SCRIPTED, "--family", "remedy", "-n", "12")
    assert "incidents/remedy @ deployment 3: 12 episodes, mastery never tried -> 0." in first.stdout
    assert "12 episodes, 0 tokens" in first.stdout
    again = json.loads(run(*SCRIPTED, "--family", "remedy", "-n", "8", "--json").stdout)
    (kind,) = again["kinds"]
    assert (again["end"], kind["before"]["attempts"], kind["after"]["attempts"]) == (
        "episodes", 12, 20,
    )  # fmt: skip
    assert kind["after"]["mastery"] > kind["before"]["mastery"]
    assert "deployment 3" in run("guidance", "list").stdout


def test_skills_are_printed_for_whom_they_are(run: Run) -> None:
    run(*SCRIPTED, "-n", "10", "--user", "ada")
    assert "no episode was scored yet" in run("episodes", "skills").stdout
    printed = run("episodes", "skills", "--user", "ada").stdout
    assert "@ deployment 3" in printed
    found = json.loads(run("episodes", "skills", "--all-scopes", "--json").stdout)
    assert sum(one["attempts"] for one in found) == 10
    assert [one["mastery"] for one in found] == sorted(one["mastery"] for one in found)
    only = json.loads(
        run("episodes", "skills", "--user", "ada", "--family", "needs", "--json").stdout
    )
    assert {one["family"] for one in only} <= {"needs"}


def test_the_reference_model_practises(run: Run) -> None:
    pytest.importorskip("torch")
    printed = run(*PRACTISE, "--tokens", "500", "-n", "4").stdout
    assert "mastery never tried -> 0." in printed
    assert json.loads(run("episodes", "list", "--json").stdout)[0]["agent_model"]


def test_a_model_behind_an_endpoint_practises(run: Run, url: str) -> None:
    done = json.loads(run(*PRACTISE, "--url", url, "--model", "served", "-n", "2", "--json").stdout)
    assert done["episodes"] == 2
    assert done["tokens"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("practise", "incident"), "did you mean 'incidents'"),
        ((*SCRIPTED, "--family", "remdy"), "no family 'remdy'"),
        (("practise", "incidents", "--student", "responder", "--where", "deployment=999"), "no task of family"),
        ((*SCRIPTED, "--where", "deployment"), "changes nothing"),
        ((*SCRIPTED, "--option", "estates"), "name=value"),
        ((*PRACTISE, "--student", "oracle"), "neither follows lessons"),
        ((*PRACTISE, "--url", "http://localhost:1/v1"), "agentcl model check"),
    ],
)  # fmt: skip
def test_mistakes_are_explained_and_leave_no_memory(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in " ".join(run(*arguments, status=1).stderr.split())
    assert not (tmp_path / "agentcl-memory").exists()


def test_a_budget_of_nothing_is_refused(run: Run) -> None:
    for option in ("-n", "--tokens"):
        assert "not in the range" in run(*SCRIPTED, option, "0", status=2).stderr


@pytest.mark.skipif(os.name == "nt", reason="it has no SIGINT of this kind")
def test_ctrl_c_ends_it_after_the_episode_and_keeps_what_was_learned(
    run: Run, tmp_path: Path
) -> None:
    run(*SCRIPTED, "-n", "1")  # a folder that is whole, to look into from beside
    command = [sys.executable, "-c", "from agentcl.cli.main import main; main()", *SCRIPTED]
    with subprocess.Popen(
        [*command, "-n", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while process.poll() is None and episodes_of(tmp_path / "agentcl-memory") < 3:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            printed, told = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 0, told
    assert "stopping after the episode under way" in told
    assert "the same command goes on" in told
    assert ", mastery " in printed
    with Memory(tmp_path / "agentcl-memory") as memory:
        assert {one.status for one in memory.episodes.list()} == {"finished"}


def episodes_of(path: Path) -> int:
    with Memory(path, read_only=True) as memory:
        return sum(one.score is not None for one in memory.episodes.list())
