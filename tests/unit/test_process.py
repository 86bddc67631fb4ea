"""A program beside this one, with real children: how it starts, what it says, and that nothing is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentcl.errors import ProcessFailed
from agentcl.process import ChildProcess

Start = Callable[..., ChildProcess]
SAYS_READY = "import time; print('listening', flush=True); time.sleep(600)"
# It and its own child ignore SIGTERM; the child's number is its one word.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_gone(pid: int) -> bool:
    """Whether a process ended; one that nobody waited for is a zombie."""
    for _ in range(600):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        if state == "" or state.startswith("Z"):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[ChildProcess] = []

    def starter(code: str, **given: object) -> ChildProcess:
        children.append(ChildProcess(python(code), **given))  # type: ignore[arg-type]  # the test's
        return children[-1]

    yield starter
    for child in children:
        child.kill()


def test_a_child_imports_nothing_from_the_working_folder(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("print('ran')")
    monkeypatch.chdir(tmp_path)
    child = start("import json; print(json.dumps('ours'), flush=True)")
    child.wait(60.0)
    assert child.tail() == '"ours"'


def started(child: ChildProcess) -> str:
    """Wait for its first words."""
    child.wait_ready(lambda: bool(child.tail()), timeout_s=60)
    return child.tail()


def test_it_is_ready_when_it_says_so(start: Start) -> None:
    child = start(SAYS_READY)
    child.wait_ready(lambda: "listening" in child.tail(), timeout_s=60)
    assert child.is_running()
    assert (child.wait(0.0), child.fate()) == (None, "it still runs")


def test_one_that_ends_before_it_is_ready_shows_the_end_of_its_log(start: Start) -> None:
    child = start("print('x' * 100_000); raise SystemExit('no such device')", name="the server")
    with pytest.raises(ProcessFailed, match=r"(?s)the server ended while.*no such device.*status 1") as raised:  # fmt: skip
        child.wait_ready(lambda: False, timeout_s=60)
    assert len(str(raised.value)) < 4_000


def test_one_that_does_not_get_ready_is_ended(start: Start) -> None:
    child = start(SAYS_READY, name="the server")
    started(child)
    with pytest.raises(ProcessFailed, match=r"(?s)did not answer within 0\.2 s.*listening"):
        child.wait_ready(lambda: False, timeout_s=0.2)
    assert child.fate() == "signal 15"


def test_one_whose_readiness_cannot_be_asked_is_ended(start: Start) -> None:
    child = start(SAYS_READY)

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.wait_ready(interrupted, timeout_s=60)
    assert not child.is_running()


def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(ProcessFailed, match=r"cannot start /no/program: .*No such file"):
        ChildProcess(["/no/program"])
    with pytest.raises(ProcessFailed, match="cannot start"):
        ChildProcess(python("pass"), log=Path("/no/folder/log"))


def test_one_that_was_asked_may_leave_by_itself(start: Start) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(7))\n"
        "print('on', flush=True); time.sleep(600)"
    )
    child = start(code)
    started(child)
    child.send(signal.SIGINT)
    child.close(patience_s=60)
    assert (child.wait(0.0), child.fate()) == (7, "exit status 7")


def test_a_stubborn_one_is_killed_with_what_it_started(start: Start) -> None:
    child = start(STUBBORN)
    grandchild = int(started(child))
    child.close()
    assert child.fate() == "signal 9"
    assert is_gone(child.pid)
    assert is_gone(grandchild)


def test_what_one_leaves_behind_ends_when_it_is_seen_to_be_over(start: Start) -> None:
    child = start(STUBBORN.replace("time.sleep(600)\n", ""))
    assert child.wait(60) == 0
    assert is_gone(int(child.tail()))


def test_an_error_in_the_block_ends_it() -> None:
    pids: list[int] = []

    def work() -> None:
        with ChildProcess(python(STUBBORN)) as child:
            pids.extend((child.pid, int(started(child))))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(pids) == 2
    assert all(map(is_gone, pids))


def test_closing_twice_is_allowed_and_the_log_stays_readable(start: Start, tmp_path: Path) -> None:
    child = start(SAYS_READY, log=tmp_path / "log")
    started(child)
    for end in (child.close, child.close, child.kill, child.close):
        end()
        assert (child.tail(), child.fate()) == ("listening", "signal 15")
    child.send(signal.SIGTERM)
    assert (tmp_path / "log").read_text() == "listening\n"


def test_one_that_is_forgotten_ends() -> None:
    child = ChildProcess(python(SAYS_READY))
    pid = child.pid
    del child
    assert is_gone(pid)


def test_none_outlives_a_program_that_forgets_it() -> None:
    code = (
        "import sys\n"
        "from agentcl.process import ChildProcess\n"
        f"child = ChildProcess([sys.executable, '-c', {STUBBORN!r}])\n"
        "child.wait_ready(lambda: bool(child.tail()), timeout_s=60)\n"
        "print(child.pid, child.tail())\n"
    )
    done = subprocess.run(python(code), capture_output=True, text=True, check=True)
    assert all(is_gone(int(pid)) for pid in done.stdout.split())


@pytest.mark.parametrize("is_piped", [False, True])
def test_no_descriptor_stays_open(is_piped: bool) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208  # not a folder that a path can walk
    for _ in range(50):
        with ChildProcess(["true"], is_piped=is_piped) as child:
            for end in filter(None, (child.stdin, child.stdout)):
                end.close()
            child.wait(60)
        with pytest.raises(ProcessFailed):
            ChildProcess(["/no/program"], is_piped=is_piped)
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_bytes_that_are_no_text_can_be_read(start: Start) -> None:
    code = "import os; os.write(1, b'\\xff\\xfe on'); os.write(2, b' fire \\xc3')"
    child = start(code)
    assert child.wait(60) == 0
    assert child.tail() == "\ufffd\ufffd on fire \ufffd"
    assert child.tail(4) == "re \ufffd"


def test_reading_the_log_does_not_disturb_who_writes_it(start: Start) -> None:
    code = "import sys\nprint('one', flush=True); sys.stdin.readline(); print('two')"
    child = start("import sys; sys.stdout = sys.stderr\n" + code, is_piped=True)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        assert started(child) == "one"
        child.stdin.write(b"\n")
        child.stdin.flush()
        assert child.wait(60) == 0
    assert child.tail() == "one\ntwo"


def test_pipes_and_inherited_descriptors_carry_what_is_said(start: Start) -> None:
    reads, writes = os.pipe()
    code = f"import os, sys; os.write({writes}, b'below'); print(sys.stdin.read().upper())"
    child = start(code, descriptors=[writes], is_piped=True, variables={"PYTHONWARNINGS": "error"})
    os.close(writes)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout, os.fdopen(reads, "rb") as below:
        child.stdin.write(b"above")
        child.stdin.close()
        assert child.stdout.read() == b"ABOVE\n"
        assert below.read() == b"below"
    assert child.wait(60) == 0


def test_variables_are_added_to_ours(start: Start) -> None:
    child = start("import os; print(os.environ['MORE'], 'PATH' in os.environ)", variables={"MORE": "1"})  # fmt: skip
    assert child.wait(60) == 0
    assert child.tail() == "1 True"
