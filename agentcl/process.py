"""A program that runs beside this one, and ends with all that it started when nobody needs it any more."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Final, Self

from agentcl.errors import ProcessFailed

# A Python does not look for modules in the folder that the user happens to work in.
_SAFE: Final = {"PYTHONSAFEPATH": "1"}
_GRACE_S: Final = 2.0  # between being told to end and being killed
_PAUSE_S: Final = 0.1  # between two looks at one that is starting
_READ: Final = 1_000_000  # bytes of the log that `tail` looks at at the most


class ChildProcess:
    """A running command, in a session of its own: Ctrl-C is for us, and one signal reaches its whole group.

    It ends with `close` or the `with` block, and at the latest when nobody holds it or when Python ends.
    What it started ends as soon as it is seen to be over.

    Args:
        command: the program and its arguments.
        name: what errors call it; default: the program.
        variables: environment variables, added to those of this process.
        log: the file that its output goes to; default: a temporary one without a name.
        descriptors: open file descriptors that it inherits under the same numbers.
        is_piped: make `stdin` and `stdout` pipes, and log its standard error alone. Whoever uses the two
            ends closes them. Else its input is empty, and all that it prints is logged.

    Raises:
        ProcessFailed: if it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str = "",
        variables: Mapping[str, str] | None = None,
        log: Path | None = None,
        descriptors: Sequence[int] = (),
        is_piped: bool = False,
    ) -> None:
        self._name = name or command[0]
        self._said = b""  # the end of its log, kept when that is closed
        with ExitStack() as opened:
            try:
                file = tempfile.TemporaryFile() if log is None else log.open("w+b")  # noqa: SIM115  # entered below
                self._log: IO[bytes] = opened.enter_context(file)
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE if is_piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if is_piped else self._log,
                    stderr=self._log,
                    env={**os.environ, **_SAFE, **(variables or {})},
                    pass_fds=descriptors,
                    start_new_session=True,
                )
            except OSError as error:
                raise ProcessFailed(f"cannot start {command[0]}: {error}") from error
            opened.pop_all()
        self.pid: Final = self._process.pid
        self.stdin: Final[IO[bytes] | None] = self._process.stdin
        self.stdout: Final[IO[bytes] | None] = self._process.stdout
        weakref.finalize(self, _forsake, self._process, self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_ready(self, is_ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until it is ready, e.g. until `"listening" in child.tail()`; close it if that fails.

        Raises:
            ProcessFailed: if it ends before, or takes longer; the end of its log is in the message.
        """
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                if not self.is_running():
                    raise ProcessFailed(
                        f"{self._name} ended while it started:\n{self.tail()}\n({self.fate()})"
                    )
                if is_ready():
                    return
                if time.monotonic() > deadline:
                    raise ProcessFailed(
                        f"{self._name} did not answer within {timeout_s:g} s; the end of its log:\n"
                        f"{self.tail()}"
                    )
                time.sleep(_PAUSE_S)
        except BaseException:
            self.close()
            raise

    def is_running(self) -> bool:
        """Return whether it has not ended yet."""
        return self.wait(0.0) is None

    def wait(self, timeout_s: float) -> int | None:
        """Return its exit code (minus the signal that ended it), or None if it runs longer than that."""
        if self._process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
                # At once: later the number may be another group's.
                _signal(self._process, signal.SIGKILL)
        return self._process.returncode

    def fate(self) -> str:
        """Return in words whether and how it ended."""
        code = self.wait(0.0)
        if code is None:
            return "it still runs"
        return f"exit status {code}" if code >= 0 else f"signal {-code}"

    def tail(self, characters: int = 3_000) -> str:
        """Return the end of its log; after `close` too."""
        if not self._log.closed:
            size = os.fstat(self._log.fileno()).st_size
            # The position in the file is the child's too, so it must not be moved.
            self._said = os.pread(self._log.fileno(), _READ, max(0, size - _READ))
        return self._said.decode("utf-8", "replace").strip()[-characters:]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started."""
        if self.is_running():
            _signal(self._process, number)

    def close(self, *, patience_s: float = 0.0) -> None:
        """Wait so long for one that was asked to end, then terminate, then kill it; twice is allowed."""
        try:
            if self.wait(patience_s) is None:
                self.send(signal.SIGTERM)
                self.wait(_GRACE_S)
        finally:  # even if whoever waits is interrupted
            self.kill()

    def kill(self) -> None:
        """End it and all that it started at once."""
        _kill(self._process)
        self.tail()
        self._log.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:  # not waited for yet, so its number is still its own
        _signal(process, signal.SIGKILL)
        process.wait()


def _forsake(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    _kill(process)
    log.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # the latter where only dead ones are left
        os.killpg(process.pid, number)
