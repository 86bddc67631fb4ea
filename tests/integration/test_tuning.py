"""`agentcl model tune` against a server: what it shows, what it remembers, and for whom."""

import json
import re
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentcl import OpenAIChat, Student
from agentcl.agents.forms import FORMS
from agentcl.agents.probes import following
from agentcl.agents.prompts import ACTING_BY_NUMBER
from agentcl.cli.main import main
from agentcl.models.tuned import UNTUNED
from tests.endpoints import JsonHandler, completion, in_thread

pytest.importorskip("openai")
pytest.importorskip("jsonschema")
CASES = 5


class Server(ThreadingHTTPServer):
    """A model that follows lessons where it is asked for a number, and says nothing of use otherwise."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.weights = "first"
        self.answers_left = 10_000
        self.right = {
            case.situation.first: case.right
            for case in (following(n, "none") for n in range(CASES))
        }

    def said(self, messages: list[dict[str, str]]) -> str:
        asked = messages[-1]["content"]
        if asked.startswith("Repeat exactly"):
            return self.weights
        if messages[0]["content"] != ACTING_BY_NUMBER:
            return "I am lost."
        seen = re.findall(r"^Observation: (.*)$", asked, re.MULTILINE)[-1]
        return str(re.findall(rf"(\d)\) {self.right[seen]}", asked)[-1])


class _Handler(JsonHandler):
    server: Server

    def do_POST(self) -> None:
        asked = self.asked()
        self.server.answers_left -= 1
        status = 200 if self.server.answers_left >= 0 else 401
        text = self.server.said(asked["messages"])
        self.answer(completion(text), status=status)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running, in_thread(running):
        yield running


def tune(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["model", "tune", *arguments])
    assert done.exit_code == code, done.output
    return done


def kept(configuration: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text("utf-8")) for file in configuration.rglob("tuned/*.json")]


def form_at(server: Server) -> object:
    with OpenAIChat("m", base_url=server.url) as model:
        return Student(model).form


def test_the_form_that_is_followed_is_shown_kept_and_used(
    server: Server, own_configuration: Path
) -> None:
    shown = tune(server.url, "--model", "m", "--cases", str(CASES)).stdout
    assert re.search(r"following\s+number\s+lesson\s+5\s+5\s", shown)
    assert re.search(r"following\s+shown\s+among four\s+0\s+5\s", shown)
    assert "left out: scored" in shown
    assert "chosen: actions 'number'" in shown
    (held,) = kept(own_configuration)
    assert (held["way"], held["model"]) == ("number", f"openai:m@{server.url}")
    assert held["figures"]["following, number, lesson"] == "5 of 5"
    assert form_at(server) is FORMS["number"]


def test_rows_are_shown_as_they_come_with_how_long_the_rest_takes(server: Server) -> None:
    said = tune(server.url, "--model", "m", "--cases", str(CASES)).stderr
    assert re.search(r"following, number, lesson: 5 of 5; \d+ %, .* left\n", said)
    assert said.index("following, number, lesson") < said.index("reading, told what to do")
    assert "measured in " in said


def test_other_weights_behind_the_same_address_are_asked_as_before(server: Server) -> None:
    tune(server.url, "--model", "m", "--cases", str(CASES))
    server.weights = "second"
    assert form_at(server) is FORMS[UNTUNED.way]
    server.weights = "first"
    assert form_at(server) is FORMS["number"]


def test_what_was_measured_can_be_forgotten(server: Server, own_configuration: Path) -> None:
    tune(server.url, "--model", "m", "--cases", str(CASES))
    assert "is forgotten" in tune(server.url, "--model", "m", "--forget").stdout
    assert kept(own_configuration) == []
    assert "nothing was measured" in tune(server.url, "--model", "m", "--forget").stdout


@pytest.mark.parametrize("answers", [0, 1, 2, 30, 80])
def test_a_server_that_fails_midway_leaves_nothing_remembered(
    server: Server, own_configuration: Path, answers: int
) -> None:
    server.answers_left = answers
    done = tune(server.url, "--model", "m", "--cases", str(CASES), code=1)
    assert "gave no answer" in done.stderr
    assert kept(own_configuration) == []


def test_a_url_needs_the_name_of_a_model(server: Server) -> None:
    assert "--model" in tune(server.url, code=1).stderr


def test_a_program_reads_the_figures(server: Server) -> None:
    found = json.loads(tune(server.url, "--model", "m", "--cases", "1", "--json").stdout)
    assert found["asking"]["way"] in FORMS
    assert {one["probe"] for one in found["figures"]} == {
        "following",
        "lessons",
        "objects",
        "reading",
        "tools",
    }
