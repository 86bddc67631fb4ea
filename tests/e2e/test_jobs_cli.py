"""Jobs through the command line: asked for, looked at, run, cancelled, and asked for again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.jobs.queue import Queue
from tests.endpoints import JsonHandler, completion, serving

TEXTS = ("The evening boat is steered by Ilka Renn.", "Sheep are kept in the hills.")
Run = Callable[..., Result]


class Endpoint(JsonHandler):
    """Answers every passage with no facts."""

    def do_POST(self) -> None:
        self.asked()
        self.answer(completion('{"facts": []}'))


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
    with Memory("agentcl-memory") as memory:
        memory.add_many(TEXTS)

    def call(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    return call


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


def test_an_extraction_is_asked_for_now_and_run_later(run: Run, url: str) -> None:
    job = as_json(run("extract", "--model", "served", "--queue", "--json"))
    assert (job["kind"], job["state"], job["price"]["units"]) == ("extract", "queued", 2)
    shown = run("jobs", "show", job["id"]).stdout
    assert "extractor model:served" in shown
    assert "2 units, about " in shown
    listed = run("jobs", "list").stdout
    assert job["id"] in listed
    assert "0 of 2" in listed
    assert [one["state"] for one in as_json(run("jobs", "run", "--url", url, "--json"))] == ["done"]
    assert as_json(run("jobs", "list", "--state", "queued", "--json")) == []
    with Memory("agentcl-memory") as memory:
        assert memory.facts.state("model:served").done == 2
    assert "is done" in run("jobs", "run", job["id"], status=1).stderr


def test_an_extraction_shows_its_job(run: Run, url: str) -> None:
    said = run("extract", "--model", "served", "--url", url).stderr
    (job,) = as_json(run("jobs", "list", "--json"))
    assert f"job {job['id']}" in said
    report = as_json(run("extract", "--model", "served", "--url", url, "--json"))
    assert as_json(run("jobs", "show", report["job"], "--json"))["state"] == "done"


def test_a_job_is_decided_against_and_asked_for_again(run: Run, url: str) -> None:
    id = as_json(run("extract", "--model", "served", "--queue", "--json"))["id"]
    assert "cancelled" in run("jobs", "cancel", id).stdout
    assert as_json(run("jobs", "run", "--url", url, "--json")) == []
    assert as_json(run("jobs", "retry", id, "--json"))["state"] == "queued"
    assert "2 of 2" not in run("jobs", "list").stdout
    assert as_json(run("jobs", "run", id, "--url", url, "--json"))["done"] == 2
    assert "done" in run("jobs", "list", "--state", "done").stdout
    assert "no job" in run("jobs", "show", "nobody", status=1).stderr


def test_a_job_whose_model_is_not_known_waits(run: Run) -> None:
    id = as_json(run("extract", "--model", "elsewhere", "--queue", "--json"))["id"]
    ran = run("jobs", "run")
    assert f"job {id} still waits" in ran.stderr
    assert "--url" in ran.stderr
    assert "--url" in run("jobs", "run", id, status=1).stderr
    assert as_json(run("jobs", "show", id, "--json"))["state"] == "queued"


def test_jobs_are_seen_whatever_encoder_the_settings_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory("agentcl-memory") as memory:
        job = memory.jobs.enqueue("reembed", {"encoder": "hashing:64"})
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing:64")
    assert "encoder hashing:64" in run("jobs", "list").stdout
    assert as_json(run("jobs", "run", job.id, "--json"))["state"] == "done"
    assert "boat" in run("search", "boat").stdout
    assert as_json(run("jobs", "list", "--user", "ada", "--json")) == []


def test_a_job_whose_process_was_killed_is_said_to_be_cut_off(run: Run, url: str) -> None:
    id = as_json(run("extract", "--model", "served", "--queue", "--json"))["id"]
    with Memory("agentcl-memory") as memory:
        queue = Queue(memory.store.journal)
        queue.begin(id, states=["queued"])  # as a process that was killed then leaves it
        with memory.store.journal.lock("extract"):
            assert not memory.jobs.is_cut_off(memory.jobs.get(id))
            assert "running" in run("jobs", "list").stdout
            assert as_json(run("jobs", "show", id, "--json"))["is_cut_off"] is False
        assert memory.jobs.is_cut_off(memory.jobs.get(id))
    listed = run("jobs", "list")
    assert "cut off" in listed.stdout
    assert "running" not in listed.stdout
    assert "agentcl jobs run goes on with it" in listed.stderr
    assert as_json(run("jobs", "list", "--json"))[0]["is_cut_off"] is True
    assert "nobody runs it" in run("jobs", "show", id).stdout
    assert "done" in run("jobs", "run", "--url", url).stdout


def test_while_another_job_of_its_kind_is_run_a_killed_one_is_cut_off(run: Run) -> None:
    run("extract", "--model", "one", "--queue")
    run("extract", "--model", "two", "--queue")
    with Memory("agentcl-memory") as memory:
        queue = Queue(memory.store.journal)
        killed, running = (queue.begin(job.id, states=["queued"]) for job in memory.jobs.list())
        with memory.store.journal.lock("extract"):
            assert memory.jobs.is_cut_off(killed)
            assert not memory.jobs.is_cut_off(running)
