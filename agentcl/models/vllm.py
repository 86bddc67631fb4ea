"""Starting vLLM for a model, and stopping it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Self

from agentcl.models.server import ModelServer, free_port, require_module
from agentcl.text.paths import check_path

_MODULE: Final = "vllm.entrypoints.openai.api_server"
_CACHE: Final = "VLLM_CPU_KVCACHE_SPACE"  # GiB for the keys and values of a model on the CPU
_CACHE_GIB: Final = "4"

# vLLM takes nine tenths of the memory, and ends where that is not free; a model of a few megabytes needs little.
SMALL_ARGUMENTS: Final = ("--gpu-memory-utilization", "0.5")
SMALL_ENVIRONMENT: Final = {_CACHE: "1"}


class VllmServer(ModelServer):
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
        InvalidInput: if `python` or `log` is no path.
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
        log: str | os.PathLike[str] | None = None,
        start_timeout_s: float = 600.0,
    ) -> None:
        name = served_name or model.rstrip("/").rsplit("/", 1)[-1]
        port = port or free_port(host)
        if python is not None:
            check_path(python, "python")
        self._python = python
        super().__init__(
            program="vLLM",
            name=name,
            host=host,
            port=port,
            command=[
                *(str(python or sys.executable), "-m", _MODULE),
                *("--model", model, "--served-model-name", name),
                *("--host", host, "--port", str(port)),
                "--enable-prefix-caching",
                *(["--enable-lora"] if lora else []),
                *(["--enable-prompt-embeds"] if prompt_embeds else []),
                *arguments,
            ],
            ready="/health",
            variables={
                _CACHE: os.environ.get(_CACHE, _CACHE_GIB),
                **(environment or {}),
                **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if lora else {}),
            },
            log=log,
            start_timeout_s=start_timeout_s,
        )

    def __enter__(self) -> Self:
        check_installed(self._python, self._variables)
        return super().__enter__()


def check_installed(
    python: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Look whether a Python has vLLM, without importing it; default: this one. Raises ModelUnavailable."""
    require_module("vLLM", "vllm", "vllm", python, environment)
