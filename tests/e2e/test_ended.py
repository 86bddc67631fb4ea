"""A command that the system ends puts away what it began."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
