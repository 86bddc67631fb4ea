"""`agentcl serve --upstream`, as a user runs it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from tests.served import listening
from tests.upstreams import Upstream, completion, delta, events, over, stream

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "I moved to Oslo."}]}


@contextmanager
def serving(folder: Path, upstream: str, *options: str, **environment: str) -> Iterator[Any]:
    """Yield a process of the command, and its address."""
    command = [
        sys.executable,
        "-c",
        "from agentcl.cli.main import main; main()",
        "serve",
        "--port",
        "0",
    ]
    given = ["--path", str(folder), "--encoder", "hashing", "--upstream", upstream, *options]
    with subprocess.Popen(
        [*command, *given],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stderr
        said = process.stderr.readline()
        try:
            yield process, said.split(" at ")[1].split(";")[0]
        finally:
            process.kill()


def test_the_command_serves_with_the_key_of_a_variable(tmp_path: Path) -> None:
    upstream = Upstream([completion()])
    with (
        listening(upstream) as address,
        serving(
            tmp_path / "m", f"{address}/v1", "--upstream-key-env", "MODEL_KEY", MODEL_KEY="sk-1"
        ) as (process, at),
        httpx.Client(base_url=at) as client,
    ):
        told = over(client, client.post("/v1/chat/completions", json=ASK))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert upstream.last.header("authorization") == "Bearer sk-1"
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert len(memory.conversations.turns(told["conversation"], user="me")) == 2


def test_what_is_under_way_may_end_when_the_server_is_stopped(tmp_path: Path) -> None:
    chunks = [events([delta(content=f"{number} ")]) for number in range(40)]
    last = events([delta("stop")]) + b"data: [DONE]\n\n"
    with (
        listening(Upstream([stream([*chunks, last])])) as address,
        serving(tmp_path / "m", f"{address}/v1") as (process, at),
        httpx.Client(base_url=at) as client,
    ):
        with client.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as answer:
            pieces = answer.iter_raw()
            came = next(pieces)
            process.send_signal(signal.SIGTERM)
            came += b"".join(pieces)
        assert process.wait(20) == 0
    assert came == b"".join(chunks) + last
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert [hit.text for hit in memory.search("Oslo", user="me", limit=1)] == [
            "I moved to Oslo."
        ]


def test_what_was_told_as_remembered_outlives_a_kill(tmp_path: Path) -> None:
    with (
        listening(Upstream([completion()])) as address,
        serving(tmp_path / "m", f"{address}/v1") as (process, at),
        httpx.Client(base_url=at) as client,
    ):
        told = over(client, client.post("/v1/chat/completions", json=ASK))
        process.kill()
        process.wait(20)
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert len(memory.conversations.turns(told["conversation"], user="me")) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--upstream", "localhost:8000"], "is no address"),
        (["--upstream", "http://ada:secret@localhost/v1"], "by --upstream-key-env"),
        (
            ["--upstream", "http://localhost/v1", "--upstream-key-env", "NO_SUCH"],
            "NO_SUCH holds no key",
        ),
    ],
)
def test_an_upstream_that_cannot_be_is_refused_before_anything_is_served(
    tmp_path: Path, options: list[str], said: str
) -> None:
    done = CliRunner().invoke(
        main, ["serve", "--port", "0", "--path", str(tmp_path / "m"), *options]
    )
    assert done.exit_code == 1
    assert said in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(("path", "is_told"), [("", True), ("/", True), ("/v1", False)])
def test_an_address_without_its_path_is_noticed(tmp_path: Path, path: str, is_told: bool) -> None:
    with serving(tmp_path / "m", f"http://127.0.0.1:9{path}") as (process, at):
        assert httpx.get(f"{at}/health", timeout=60).status_code == 200  # all is said by then
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert ("most models answer at http://127.0.0.1:9/v1" in said) == is_told


@pytest.mark.parametrize("is_there", [True, False])
def test_an_upstream_that_does_not_answer_yet_is_told_and_waited_for(
    tmp_path: Path, is_there: bool
) -> None:
    with listening(Upstream([])) as address:
        if is_there:
            with serving(tmp_path / "m", f"{address}/v1") as (process, at):
                said = _all_said(process, at)
    if not is_there:  # nothing listens there any more
        with serving(tmp_path / "m", f"{address}/v1") as (process, at):
            said = _all_said(process, at)
    assert (f"{address}/v1 does not answer yet" in said) != is_there


def _all_said(process: Any, at: str) -> str:
    """Return what a server said up to its first answer."""
    assert httpx.get(f"{at}/health", timeout=60).status_code == 200
    process.send_signal(signal.SIGTERM)
    return str(process.stderr.read())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "TAKEN"], "Another server may run there"),
        (["--host", "no.such.host.invalid"], "--host names an address of this machine"),
        (["--host", "192.0.2.1"], "--host names an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_listened_on_says_what_to_do(
    tmp_path: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    common = ["--path", str(tmp_path / "m")]
    early = CliRunner().invoke(main, ["key", "add", *common])
    assert "begin one with `agentcl add`" in early.stderr
    Memory(tmp_path / "m").close()
    assert CliRunner().invoke(main, ["key", "add", *common]).exit_code == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        filled = [one.replace("TAKEN", port) for one in options]
        done = CliRunner().invoke(main, ["serve", *common, *filled])
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("--") == 1  # one remedy, that helps


def test_a_verb_that_is_asked_by_another_method_is_told(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "m", "http://127.0.0.1:9/v1") as (_, at),
        httpx.Client(base_url=at, timeout=60) as client,
    ):
        answer = client.get("/v1/memory/search", params={"query": "boats"})
    assert answer.status_code == 404
    assert "POST" in answer.json()["detail"]
