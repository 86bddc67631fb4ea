"""ScienceWorld's simulator in a Java process of its own, called without what its Python wrapper adds.

The wrapper recomputes some four hundred admissible actions, the view and the inventory after every step;
here each is asked for when it is wanted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable
from typing import IO, Any, Final

from agentcl.errors import ConfigError, EnvironmentFailed, needs

CALL_TIMEOUT_S: Final = 300.0  # a gold path has been seen to take half a minute
_END_TIMEOUT_S: Final = 10.0
JVM_OPTIONS: Final = (
    "-Xmx512m",
    "-XX:ActiveProcessorCount=1",
    "-XX:+UseSerialGC",
    # The simulator walks through sets that are ordered by where objects lie in memory, so lists, names of
    # like things and gold paths came out otherwise each time. With one hash for all objects they do not,
    # at the price of some 3 ms a step.
    # Virtual machines that do not know the option leave it unused.
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
)


def require_engine() -> None:
    """Make sure that the simulator can be started.

    Raises:
        MissingExtra: if its package is not installed.
        ConfigError: if there is no Java.
    """
    with needs("ScienceWorld", "scienceworld"):
        import py4j.java_gateway  # noqa: F401  # only whether it is there
        import scienceworld.constants  # noqa: F401
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise ConfigError(
            "ScienceWorld runs on Java, and there is none on the path: install openjdk-17-jre-headless "
            "(Debian, Ubuntu) or any Java 8+, or set JAVA_HOME"
        )


class ScienceWorldEngine:
    """One running simulator. It ends with `close`, when nobody holds it any more, and with Python.

    Raises:
        EnvironmentFailed: from every method, if the simulator raised, hung or died. It is closed then.
    """

    def __init__(self, *, call_timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Start it, which takes seconds.

        Raises:
            MissingExtra: if its package is not installed.
            ConfigError: if there is no Java.
        """
        require_engine()
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
        from py4j.protocol import Py4JError
        from scienceworld.constants import JAR_PATH

        self._broken = (Py4JError, OSError)
        self._call_timeout_s = call_timeout_s
        # The simulator writes a table of its objects to wherever it is started.
        folder = tempfile.TemporaryDirectory(prefix="scienceworld-", ignore_cleanup_errors=True)
        with tempfile.TemporaryFile() as said:
            try:
                port, process = launch_gateway(
                    classpath=JAR_PATH,
                    javaopts=list(JVM_OPTIONS),
                    java_path=None,  # that of JAVA_HOME, else the first on the path
                    die_on_exit=True,
                    redirect_stderr=said,
                    cwd=folder.name,
                    return_proc=True,
                )
            except (OSError, ValueError, Py4JError) as error:
                folder.cleanup()
                raise EnvironmentFailed(
                    f"Java did not start ScienceWorld: {_tail(said) or error}"
                ) from error
        self._process = process
        gateway = JavaGateway(
            gateway_parameters=GatewayParameters(port=port, read_timeout=call_timeout_s)
        )
        self._end = weakref.finalize(self, _end, gateway, process, folder)
        self._server = self._call(gateway.jvm.scienceworld.runtime.pythonapi.PythonInterface)

    def load(
        self, family: str, variation: int, simplifications: str, *, with_gold: bool = False
    ) -> str:
        """Begin a task and return what is around; `simplifications` with commas between them."""
        self._call(self._server.load, family, variation, simplifications, with_gold)
        self._call(self._server.reset)
        # Until something is done, the score is still that of the episode before. This takes no time there.
        return self.step("look around")

    def goal(self) -> str:
        """Return what the task asks for."""
        return str(self._call(self._server.freeActionTaskDesc))

    def step(self, action: str) -> str:
        """Act, and return what is said to it."""
        return str(self._call(self._server.step, action))

    def score(self) -> int:
        """Return the score: 100 is best, -100 what cannot be mended."""
        return round(100 * float(self._call(self._server.getScore)))

    def is_complete(self) -> bool:
        """Tell whether the simulator says that the task is over."""
        return bool(self._call(self._server.getCompleted))

    def actions(self) -> list[str]:
        """Return what can be done now, sorted; by far the dearest call."""
        return sorted(
            set(self._call(lambda: list(self._server.getValidActionObjectCombinations())))
        )

    def gold(self) -> list[str]:
        """Return actions that solve the task; it must have been loaded with them."""
        gold: list[str] = self._call(lambda: list(self._server.getGoldActionSequence()))
        return gold

    def variations(self) -> dict[str, list[int]]:
        """Return the variations of the loaded task by split, as the simulator has them."""
        asked = {
            "train": self._server.getVariationsTrain,
            "dev": self._server.getVariationsDev,
            "test": self._server.getVariationsTest,
        }
        return {
            split: list(self._call(lambda ask=ask: list(ask()))) for split, ask in asked.items()
        }

    @property
    def process_id(self) -> int:
        """Return the id of the Java process."""
        return int(self._process.pid)

    @property
    def is_closed(self) -> bool:
        """Whether the process was ended."""
        return not self._end.alive

    def close(self) -> None:
        """End the process; twice is allowed."""
        self._end()

    def _call(self, act: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        status = self._process.poll()
        if status is not None:
            self.close()
            raise EnvironmentFailed(f"ScienceWorld's Java process ended with status {status}")
        try:
            return act(*arguments)
        except self._broken as error:
            self._process.kill()
            self._process.wait()  # so that nothing is waited for on closing
            self.close()
            raise EnvironmentFailed(
                f"ScienceWorld's Java process died, did not answer for {self._call_timeout_s:g} s, or "
                f"raised: {next(iter(str(error).splitlines()), type(error).__name__)}"
            ) from error


def _end(
    gateway: Any,  # noqa: ANN401
    process: subprocess.Popen[bytes],
    folder: tempfile.TemporaryDirectory[str],
) -> None:
    with contextlib.suppress(Exception):  # it may be dead already; then there is nothing to tell it
        gateway.shutdown()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()  # which it takes as the sign to end
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    folder.cleanup()


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode("utf-8", "replace").strip()[-300:]
