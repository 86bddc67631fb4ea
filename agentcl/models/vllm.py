"""Starting vLLM for a model, and stopping it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.error import URLError
from urllib.request import urlopen

from agentcl.errors import ModelUnavailable

_MODULE: Final = "vllm.entrypoints.openai.api_server"
_PAUSE_S: Final = 0.2  # between two looks at a server that is starting
_STOP_S: Final = 30.0  # for a clean end, before it is killed
_SHOWN: Final = 25  # lines of the log that an error repeats


# vLLM takes nine tenths of the memory, and ends where that is not free; a model of a few megabytes needs little.
SMALL_ARGUMENTS: Final = ("--gpu-memory-utilization", "0.5")
SMALL_ENVIRONMENT: Final = {"VLLM_CPU_KVCACHE_SPACE": "1"}


class VllmServer:
    """A vLLM server in processes of its own, for the length of a `with` block.

    Prefix caching is on, so that prompts which share their beginning are read once.

    Args:
        model: a folder or a name that vLLM finds.
        served_name: what requests call it; default: the last part of `model`.
        host: the address to listen on.
        port: default: a free one.
        python: the interpreter of the environment that vLLM is installed in; default: this one.
        lora: allow LoRA adapters to be loaded and unloaded while it runs.
        prompt_embeds: accept embeddings instead of a prompt.
        arguments: further ones of vLLM's own, e.g. ("--max-model-len", "4096").
        environment: added to this process's; e.g. {"VLLM_CPU_KVCACHE_SPACE": "1"} without a GPU.
        log: the file that vLLM writes to; default: a temporary one.
        start_timeout_s: how long it may take until it answers.

    Raises:
        ModelUnavailable: on entering, if it does not start; the end of its log is in the message.
    """

    def __init__(
        self,
        model: str,
        *,
        served_name: str | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        python: str | os.PathLike[str] | None = None,
        lora: bool = False,
        prompt_embeds: bool = False,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        log: Path | None = None,
        start_timeout_s: float = 600.0,
    ) -> None:
        self.name = served_name or model.rstrip("/").rsplit("/", 1)[-1]
        self.port = port or _free_port(host)
        self.url = f"http://{host}:{self.port}/v1"
        self._health = f"http://{host}:{self.port}/health"
        self._log = log
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {**os.environ, **(environment or {})}
        if lora:
            self._environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
        self._command = [
            *(str(python or sys.executable), "-m", _MODULE),
            *("--model", model, "--served-model-name", self.name),
            *("--host", host, "--port", str(self.port)),
            "--enable-prefix-caching",
            *(["--enable-lora"] if lora else []),
            *(["--enable-prompt-embeds"] if prompt_embeds else []),
            *arguments,
        ]

    def __enter__(self) -> Self:
        if self._log is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="agentcl-vllm-")
            self._log = Path(self._scratch.name) / "vllm.log"
        try:
            with self._log.open("wb") as log:
                # A session of its own: Ctrl-C is for us, and all its processes can be ended at once.
                self._process = subprocess.Popen(
                    self._command,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            self.stop()
            raise ModelUnavailable(f"cannot start {self._command[0]}: {error}") from error
        try:
            self._await_health()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def is_running(self) -> bool:
        """Return whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the server and all its processes; calling it twice is allowed."""
        process, self._process = self._process, None
        if process is not None:
            _signal(process, signal.SIGINT)
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
            finally:  # even if whoever waits is interrupted
                _signal(process, signal.SIGKILL)  # whatever is left of its session
                process.wait()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
            self._log = None

    def kill(self) -> None:
        """End it at once, as a crash would; `with` still cleans up."""
        if self._process is not None:
            _signal(self._process, signal.SIGKILL)
            self._process.wait()

    def _await_health(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while True:
            if not self.is_running():
                raise ModelUnavailable(f"vLLM ended while it started:\n{self._tail()}")
            with suppress(URLError, OSError), urlopen(self._health, timeout=5):
                return
            if time.monotonic() > deadline:
                raise ModelUnavailable(
                    f"vLLM did not answer within {self._start_timeout_s:.0f} s; the end of its log:\n"
                    f"{self._tail()}"
                )
            time.sleep(_PAUSE_S)

    def _tail(self) -> str:
        assert self._log is not None
        text = self._log.read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-_SHOWN:])


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _free_port(host: str) -> int:
    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])
