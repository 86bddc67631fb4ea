"""A sign of life in a run's folder, by which workers on other machines see that somebody still wants what they do."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Final

from agentcl.errors import NotEquipped

_FILE: Final = "pulse"
_STOPPED: Final = "stopped".rjust(12)
_BEAT_S: Final = 5.0
_STILL_S: Final = 90.0


class Pulse:
    """Written by who runs a run.

    Args:
        folder: of the run.
        token: tells this run of it from every other one.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self._file = folder / _FILE
        self._token = token
        self._beats = 0
        self._is_begun = False
        self._at = 0.0

    def beat(self) -> None:
        """Write that the run goes on; does so every few seconds at the most."""
        if not self._beats or time.monotonic() - self._at > _BEAT_S:
            self._at, self._beats = time.monotonic(), self._beats + 1
            self._write(f"{self._beats:012}")

    def stop(self) -> None:
        """Tell the workers to stop after the episode that they are in."""
        self._write(_STOPPED)

    def end(self) -> None:
        """Take it away; nobody works any more."""
        self._file.unlink(missing_ok=True)

    def _write(self, said: str) -> None:
        # In place and of one length: a reader never finds the file empty.
        with self._file.open("r+b" if self._is_begun else "wb") as file:
            file.write(f"{self._token} {said}".encode())
        self._is_begun = True


class PulseReader:
    """Whether what a worker does is still wanted. No clock of another machine is read.

    Args:
        folder: of the run, as this machine sees it.
        token: of the pulse.
        still_s: without a beat for so long, the run counts as given up.

    Raises:
        NotEquipped: if this machine does not see the folder.
    """

    def __init__(self, folder: Path, token: str, *, still_s: float = _STILL_S) -> None:
        self._file = folder / _FILE
        self._token = token
        self._still_s = still_s
        self._last = self._read()
        self._at = time.monotonic()
        if not self._last.startswith(token):
            raise NotEquipped(
                f"the worker on {socket.gethostname()} does not see the folder {folder} of the run, into which it is to write: "
                "a run on a cluster has to lie where all its machines see it under the same path"
            )

    def is_over(self) -> bool:
        """Return whether the run was stopped, or given up."""
        now = self._read()
        if now != self._last:
            self._last, self._at = now, time.monotonic()
        is_wanted = now.startswith(self._token) and not now.endswith(_STOPPED)
        return not is_wanted or time.monotonic() - self._at > self._still_s

    def _read(self) -> str:
        try:
            return self._file.read_text("utf-8")
        except OSError:
            return ""
