"""A server of a model in processes of its own, started and stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Self
from urllib.request import urlopen

from agentcl.errors import ModelUnavailable, ProcessFailed
from agentcl.process import ChildProcess
from agentcl.text.paths import check_path

_MISSING: Final = 3  # an exit status that no Python has by itself
_LOOK: Final = "import importlib.util as u; raise SystemExit(0 if u.find_spec({!r}) else {})"
_LOOK_S: Final = 60.0  # for a Python to say what it has
_STOP_S: Final = 30.0  # for a clean end, before it is killed
_LOGGED: Final = 500_000  # characters of a log that are searched for the reason of an end
_REASON: Final = re.compile(r"\b(?:[A-Z]\w+(?:Error|Exception)|error): .+")
_VAGUE: Final = ("WARNING", "See root cause above")  # lines that name an error and do not tell why


class ModelServer:
    """A server in processes of its own, for the length of a `with` block; what starts one says how.

    Args:
        program: what it is called in errors.
        name: what requests call the model.
        host: the address that it listens on.
        port: and the port.
        command: that starts it.
        ready: the path that it answers as soon as the model is loaded.
        variables: environment variables, added to those of this process.
        log: the file that it writes to; default: a temporary one.
        start_timeout_s: how long it may take until it answers.

    Raises:
        InvalidInput: if `log` is no path.
        ModelUnavailable: on entering, if it does not start; then the reason that its log gives, and the end of that, are in
            the message.
    """

    def __init__(
        self,
        *,
        program: str,
        name: str,
        host: str,
        port: int,
        command: Sequence[str],
        ready: str,
        variables: Mapping[str, str],
        log: str | os.PathLike[str] | None,
        start_timeout_s: float,
    ) -> None:
        self.name = name
        self.port = port
        self.url = f"http://{host}:{port}/v1"
        self._program, self._command, self._variables = program, list(command), dict(variables)
        self._ready = f"http://{host}:{port}{ready}"
        self._log = None if log is None else check_path(log, "log")
        self._start_timeout_s = start_timeout_s
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        try:
            self._process = ChildProcess(
                self._command, name=self._program, variables=self._variables, log=self._log
            )
            self._process.wait_ready(self._answers, timeout_s=self._start_timeout_s)
        except ProcessFailed as error:
            raise ModelUnavailable(f"{self._reason()}{error}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def is_running(self) -> bool:
        """Return whether the server's process lives."""
        return self._process is not None and self._process.is_running()

    def stop(self) -> None:
        """End the server and all its processes; calling it twice is allowed."""
        if self._process is not None:
            self._process.send(signal.SIGINT)
            self._process.close(patience_s=_STOP_S)

    def kill(self) -> None:
        """End it at once, as a crash would; `with` still cleans up."""
        if self._process is not None:
            self._process.kill()

    def _reason(self) -> str:
        """Return the first error of the log in a line of its own; empty if there is none."""
        logged = self._process.tail(_LOGGED) if self._process is not None else ""
        lines = (line for line in logged.splitlines() if not any(one in line for one in _VAGUE))
        found = next(filter(None, map(_REASON.search, lines)), None)
        return f"{found.group(0).strip()}\n" if found else ""

    def _answers(self) -> bool:
        try:
            urlopen(self._ready, timeout=5).close()
        except OSError:  # a URLError is one
            return False
        return True


def require_module(
    program: str,
    module: str,
    extra: str,
    python: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Look whether a Python has what a program needs, without importing it; default: this one. Raises ModelUnavailable."""
    path = str(python or sys.executable)
    try:
        look = _LOOK.format(module, _MISSING)
        with ChildProcess([path, "-c", look], variables=environment) as child:
            is_missing = child.wait(_LOOK_S) == _MISSING
    except ProcessFailed as error:
        raise ModelUnavailable(str(error)) from error
    if is_missing:
        raise ModelUnavailable(
            f"{program} is not installed for {path}: pip install 'agentcl[{extra}]' there, or name the "
            "Python of an environment that has it (--python PATH, or python=)"
        )


def free_port(host: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])
