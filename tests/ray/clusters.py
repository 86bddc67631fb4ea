"""Clusters that tests start and stop, and what runs on them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).parents[2]
# Of everybody on the cluster.
VARIABLES: Final[Mapping[str, str]] = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # Ray's own are last where a machine has other work
    "PYTHONPATH": str(ROOT),
}
_STORE_BYTES: Final = 100_000_000  # the shared memory of a test's cluster
_PATIENCE_S: Final = 900.0  # of a test whose machine is slow: no test hangs for ever


class Cluster:
    """A head with two processors, in processes of its own, with its client server.

    Args:
        folder: for what it notes.
    """

    def __init__(self, folder: Path) -> None:
        # The paths of sockets are short, and those of tests are long.
        self._scratch = tempfile.mkdtemp(prefix="ray")
        self._port, self._client_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "head.log"

    @property
    def address(self) -> str:
        """The address of the head, for processes of this machine."""
        return f"127.0.0.1:{self._port}"

    @property
    def client_address(self) -> str:
        """The address of the client server, for any process."""
        return f"ray://127.0.0.1:{self._client_port}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2", "--num-gpus=0",
                    f"--object-store-memory={_STORE_BYTES}", "--include-dashboard=false", "--node-ip-address=127.0.0.1",
                    f"--port={self._port}", f"--ray-client-server-port={self._client_port}", f"--temp-dir={self._scratch}",
                    "--disable-usage-stats",
                ],
                env={**os.environ, **VARIABLES}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(lambda: _listens(self._port) and _listens(self._client_port), self._told)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def kill(self) -> None:
        """Kill the head and all that it started, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pid in _having(self._scratch):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process = None

    def _told(self) -> str:
        return self._log.read_text("utf-8", "replace")[-2_000:]


def until(holds: Callable[[], object], told: Callable[[], str] = lambda: "") -> None:
    """Wait until something holds; a machine that is never that slow is at fault otherwise."""
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


def _having(word: str) -> list[int]:
    """Return the processes whose command line has a word: the cluster's, which may have left the group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if word.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False
