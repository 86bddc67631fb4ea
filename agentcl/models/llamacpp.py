"""llama.cpp: a GGUF in this process, and a server of one."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Final

from agentcl.errors import MissingExtra, ModelUnavailable, RequestRefused
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema
from agentcl.models.completion import piece_of, read_completion
from agentcl.models.gguf import about_gguf
from agentcl.models.kept import digest_of
from agentcl.models.server import ModelServer, free_port, require_module
from agentcl.models.stopping import held_back, until
from agentcl.store.usage import Usage
from agentcl.text.paths import check_path, unread

_PACKAGE: Final = "llama_cpp"
_PROGRAM: Final = "llama-server"  # of llama.cpp itself
_TEMPLATE: Final = "tokenizer.chat_template"
_CONTEXT: Final = 8192  # tokens of a prompt and its answer


def is_installed() -> bool:
    """Return whether a GGUF can be opened here by llama.cpp."""
    return find_spec(_PACKAGE) is not None


class LlamaCppChat:
    """A GGUF file in this process, through llama.cpp; its weights stay packed.

    One call runs at a time; the model is loaded by the first one. It keeps the last prompt, so that one which begins alike is
    read faster. Answers fit a schema. They carry no log-probabilities.

    Args:
        file: the GGUF, with a chat template.
        context: tokens that a prompt and its answer have together, at the most.
        device: "cpu", or what else llama.cpp was built for; default: that.
        name: what it is called; default: after its file.

    Raises:
        InvalidInput: if `file` is no path.
        MissingExtra: if llama-cpp-python is not installed.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        context: int = _CONTEXT,
        device: str | None = None,
        name: str | None = None,
    ) -> None:
        self._file, self._context, self._device = check_path(file, "file"), context, device
        if not is_installed():
            raise MissingExtra(f"the model {str(file)!r} with llama.cpp", "llamacpp")
        self.name = name or f"llamacpp:{file}"
        self._lock = threading.RLock()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer.

        Raises:
            RequestRefused: if it is too long for the model's context.
            ModelUnavailable: if the model cannot be loaded.
        """
        with self._lock:
            started = time.perf_counter()
            answer = self._asked(messages, sampling, schema, is_streamed=False)
            duration_s = time.perf_counter() - started
        found = read_completion(answer)
        text, is_stopped = until(found.text, sampling.stop)
        return Reply(
            text=text,
            usage=Usage(1, *(found.tokens or (0, 0)), duration_s),
            model=str(self._file),
            finish="stop" if is_stopped else found.finish,
        )

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator stops the model. Raises as `chat`.

        A character that is several tokens, such as a rare emoji, may be missing: llama-cpp-python leaves it out of streams.
        """
        with self._lock:
            events = self._asked(messages, sampling, None, is_streamed=True)
            yield from held_back(filter(None, map(piece_of, events)), sampling.stop)

    def fingerprint(self) -> str:
        """Return a hash of the file, which holds weights, vocabulary and chat template. Raises ModelUnavailable."""
        try:
            return digest_of(self._file)
        except OSError as error:
            raise ModelUnavailable(f"cannot read {self._file}: {unread(error)}") from error

    def _asked(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        schema: Schema | None,
        *,
        is_streamed: bool,
    ) -> Any:  # noqa: ANN401  # an answer, or an iterator of events
        form = {} if schema is None else {"response_format": _object_of(schema)}
        try:
            return self._loaded.create_chat_completion(
                messages=[message.plain() for message in messages],
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=0,
                min_p=0.0,
                repeat_penalty=1.0,
                stop=list(sampling.stop),
                seed=sampling.seed,
                stream=is_streamed,
                **form,
            )
        except ValueError as error:  # it says so what is too long
            raise RequestRefused(f"{self.name} refuses: {error}") from error

    @cached_property
    def _loaded(self) -> Any:  # noqa: ANN401  # it carries no types
        from llama_cpp import Llama

        architecture = about_gguf(self._file).get("general.architecture", "")
        layers = 0 if self._device == "cpu" else -1  # on another device, if it was built for one
        try:
            loaded: Any = Llama(
                str(self._file), n_ctx=self._context, n_gpu_layers=layers, verbose=False
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise ModelUnavailable(
                f"llama.cpp cannot load {self._file} (architecture {architecture!r}): {error}"
            ) from error
        if not loaded.metadata.get(_TEMPLATE):
            raise ModelUnavailable(
                f"{self._file} has no chat template, so it cannot be spoken to; use a model that was trained for chat"
            )
        return loaded


class LlamaCppServer(ModelServer):
    """A server of llama.cpp in a process of its own, for the length of a `with` block.

    It is `llama-server` where that program is found, which answers several at once. Else it is the server of
    llama-cpp-python, which answers one after the other.

    Args:
        file: the GGUF.
        served_name: what requests call it; default: the file's name.
        host: the address to listen on.
        port: default: a free one.
        python: the interpreter of the environment that llama-cpp-python is installed in; where it is named, `llama-server`
            is not looked for. Default: this one.
        context: tokens that a prompt and its answer have together, at the most.
        arguments: further ones of the server's own.
        environment: added to this process's.
        log: the file that it writes to; default: a temporary one.
        start_timeout_s: how long it may take until it answers.

    Raises:
        InvalidInput: if `file`, `python` or `log` is no path.
        ModelUnavailable: if neither is installed; on entering, if it does not start.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        served_name: str | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        python: str | os.PathLike[str] | None = None,
        context: int = _CONTEXT,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: str | os.PathLike[str] | None = None,
        start_timeout_s: float = 600.0,
    ) -> None:
        file = check_path(file, "file")
        name, port = served_name or file.stem, port or free_port(host)
        program = find_server(python, environment)
        place = ("--host", host, "--port", str(port))
        of_its_own = ["-m", str(file), "--alias", name, "-c", str(context), "--jinja"]
        of_python = ["--model", str(file), "--model_alias", name, "--n_ctx", str(context)]
        of_python += ["--interrupt_requests", "false"]  # else a new one ends what is under way
        is_python = len(program) > 1
        super().__init__(
            program="llama.cpp",
            name=name,
            host=host,
            port=port,
            command=[*program, *(of_python if is_python else of_its_own), *place, *arguments],
            ready="/v1/models" if is_python else "/health",
            variables=environment or {},
            log=log,
            start_timeout_s=start_timeout_s,
        )


def find_server(
    python: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None
) -> list[str]:
    """Return what starts a server of llama.cpp. Raises ModelUnavailable if nothing here does."""
    found = shutil.which(_PROGRAM) if python is None else None
    if found:
        return [found]
    if python is not None:
        check_path(python, "python")
    require_module("llama.cpp", _PACKAGE, "llamacpp", python, environment)
    return [str(python or sys.executable), "-m", f"{_PACKAGE}.server"]


def _object_of(schema: Schema) -> dict[str, Any]:
    return {"type": "json_object", "schema": dict(schema)}
