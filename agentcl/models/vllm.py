"""Starting vLLM for a model, and stopping it."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.request import urlopen

from agentcl.errors import ModelUnavailable, ProcessFailed
from agentcl.process import ChildProcess

_MODULE: Final = "vllm.entrypoints.openai.api_server"
_MISSING: Final = 3  # an exit status that no Python has by itself
_LOOK: Final = (
    f"import importlib.util as u; raise SystemExit(0 if u.find_spec('vllm') else {_MISSING})"
)
_LOOK_S: Final = 60.0  # for a Python to say whether it has vLLM
_STOP_S: Final = 30.0  # for a clean end, before it is killed
_CACHE: Final = "VLLM_CPU_KVCACHE_SPACE"  # GiB for the keys and values of a model on the CPU
_CACHE_GIB: Final = "4"
_LOGGED: Final = 500_000  # characters of a log that are searched for the reason of an end
_REASON: Final = re.compile(r"\b(?:[A-Z]\w+(?:Error|Exception)|error): .+")
_VAGUE: Final = ("WARNING", "See root cause above")  # lines that name an error and do not tell why

# vLLM takes nine tenths of the memory, and ends where that is not free; a model of a few megabytes needs little.
SMALL_ARGUMENTS: Final = ("--gpu-memory-utilization", "0.5")
SMALL_ENVIRONMENT: Final = {_CACHE: "1"}


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
        environment: added to this process's; e.g. {"VLLM_CPU_KVCACHE_SPACE": "1"}: GiB for keys and values without a
            GPU; default: 4 there, since vLLM of itself takes nine tenths of the memory or ends.
        log: the file that vLLM writes to; default: a temporary one.
        start_timeout_s: how long it may take until it answers.

    Raises:
        ModelUnavailable: on entering, if vLLM is not installed there, or does not start; then the reason that its log
            gives, and the end of that, are in the message.
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
        self._start_timeout_s = start_timeout_s
        self._process: ChildProcess | None = None
        self._variables = {_CACHE: os.environ.get(_CACHE, _CACHE_GIB), **(environment or {})}
        if lora:
            self._variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
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
        check_installed(self._command[0], self._variables)
        try:
            self._process = ChildProcess(
                self._command, name="vLLM", variables=self._variables, log=self._log
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
            urlopen(self._health, timeout=5).close()
        except OSError:  # a URLError is one
            return False
        return True


def check_installed(
    python: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Look whether a Python has vLLM, without importing it; default: this one. Raises ModelUnavailable."""
    program = str(python or sys.executable)
    try:
        with ChildProcess([program, "-c", _LOOK], variables=environment) as child:
            is_missing = child.wait(_LOOK_S) == _MISSING
    except ProcessFailed as error:
        raise ModelUnavailable(str(error)) from error
    if is_missing:
        raise ModelUnavailable(
            f"vLLM is not installed for {program}: pip install 'agentcl[vllm]' there, or name the "
            "Python of an environment that has it (--python PATH, or python=)"
        )


def _free_port(host: str) -> int:
    with socket.socket() as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])
