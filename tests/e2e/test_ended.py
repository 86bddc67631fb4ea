"""A command that the system ends puts away what it began."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentcl import Memory

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
ENVIRONMENT = {**os.environ, "AGENTCL_ENCODER": "hashing"}
ENDING = (signal.SIGTERM, signal.SIGHUP)
COMMAND = "from agentcl.cli.main import main; main()"
# Who runs the tests may ignore some of them, as nohup does, and a child begins as its parent is.
USUAL = "import signal; [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGTERM, signal.SIGHUP)]\n"


def started(script: str, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", USUAL + script, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", ENDING)
def test_a_memory_that_was_begun_goes_again(tmp_path: Path, number: signal.Signals) -> None:
    with started(COMMAND, "add", "-", "--path", "m", folder=tmp_path) as process:
        while not (tmp_path / "m" / "journal.db").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == -number
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("number", ENDING)
def test_no_half_of_a_file_stays(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "out").write_text("as it was")
    script = """
import os, sys
from agentcl.cli.stopping import put_away_when_ended
from agentcl.text.saving import saving
with put_away_when_ended(), saving("out") as file:
    file.write(b"half of it")
    os.kill(os.getpid(), int(sys.argv[1]))
"""
    with started(script, str(int(number)), folder=tmp_path) as process:
        assert process.wait(60) == -number
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "as it was"


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    script = """
import os, signal
from agentcl.cli.stopping import put_away_when_ended
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with put_away_when_ended():
    os.kill(os.getpid(), signal.SIGHUP)
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""
    with started(script, folder=tmp_path) as process:
        assert process.communicate(timeout=60)[0].split() == [b"True"]


def test_a_server_for_an_editor_ends_at_once_by_ctrl_c(tmp_path: Path) -> None:
    """Though a thread of it waits for what the editor says next."""
    pytest.importorskip("mcp")
    hello = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
        b'"clientInfo":{"name":"x","version":"1"}}}\n'
    )
    with started(COMMAND, "mcp", "--path", "m", folder=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(hello)
        process.stdin.flush()
        assert b"capabilities" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT


def test_who_starts_that_server_by_hand_is_told_what_it_waits_for(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    keyboard, screen = os.openpty()
    command = [sys.executable, "-c", USUAL + COMMAND, "mcp", "--path", "m"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdin=screen, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
    os.close(keyboard)
    os.close(screen)
    assert "waits for a program that speaks MCP" in said
    assert "--port" in said


@contextmanager
def model(when_asked: Callable[[], None]) -> Iterator[str]:
    """Serve an encoder and a chat model; before the first answer something is done."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(self.path)
            if len(asked) == 1:
                when_asked()
            if "embeddings" in self.path:
                texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
                vectors = [{"index": n, "embedding": [1.0, 0.5, 0, 0]} for n in range(len(texts))]
                self._answer({"object": "list", "model": "m", "data": vectors})
            else:
                said = {"role": "assistant", "content": '{"facts": []}'}
                self._answer({"choices": [{"index": 0, "finish_reason": "stop", "message": said}]})

        def _answer(self, value: object) -> None:
            answer = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            with suppress(OSError):  # who asked may be gone
                self.wfile.write(answer)

        def log_message(self, format: str, *values: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
    assert asked


LONG = {
    "extract": (["extract", "--path", "m", "--model", "m", "--url", "URL"], 0),
    "reembed": (["reembed", "--path", "m", "--encoder", "openai:m@URL"], 1),
    "sync": (["add", "--path", "new", "--encoder", "openai:m@URL", "--sync", "notes"], 1),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", LONG)
def test_what_waits_for_a_model_ends_and_harms_nothing(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    """By Ctrl-C work in steps ends after the one under way, and all else at once; who is ended says by what."""
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("Aurora is a ferry of Tessary.", uri="a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "b.txt").write_text("Mirabel steers Aurora.")
    arguments, interrupted = LONG[name]
    running: list[subprocess.Popen[bytes]] = []
    is_started = threading.Event()

    def end() -> None:
        is_started.wait(60)
        running[0].send_signal(number)

    with model(end) as url:
        filled = [one.replace("URL", url) for one in arguments]
        with started(COMMAND, *filled, folder=tmp_path) as process:
            running.append(process)
            is_started.set()
            said = process.communicate(timeout=120)
    expected = interrupted if number == signal.SIGINT else -number
    assert process.returncode == expected, said
    assert b"Traceback" not in said[1]
    assert not (tmp_path / "new").exists()
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        assert [one.key for one in memory.list()] == ["a"]
        assert memory.store.examine().problems == ()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, -15)])
def test_half_an_import_is_no_import(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("Aurora is a ferry of Tessary.")
        memory.store.export(tmp_path / "e.jsonl")
    whole = (tmp_path / "e.jsonl").read_bytes()
    os.mkfifo(tmp_path / "pipe.jsonl")
    with started(COMMAND, "import", "--path", "new", "pipe.jsonl", folder=tmp_path) as process:
        pipe = -1
        while pipe < 0:
            try:
                pipe = os.open(tmp_path / "pipe.jsonl", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads it yet
                assert process.poll() is None
                time.sleep(0.01)
        os.write(pipe, whole[: len(whole) // 2])
        process.send_signal(number)
        assert process.wait(60) == code
        os.close(pipe)
    assert not (tmp_path / "new").exists()
