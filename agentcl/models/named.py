"""Opening a model by its name in the cache, or by its path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from agentcl.errors import InvalidInput, ModelUnavailable
from agentcl.models.base import ChatModel
from agentcl.models.kept import kept_model, not_kept, unpacked
from agentcl.models.reference.shipped import REFERENCE_NAME, open_reference, reference_folder

Engine = Literal["transformers", "llamacpp"]
_GGUF: Final = ".gguf"
_HUB_ID: Final = re.compile(r"\w[\w.-]*/[\w.-]+")


def open_model(
    source: str, *, device: str | None = None, engine: Engine | None = None
) -> ChatModel:
    """Open a model in this process.

    Args:
        source: "reference"; a name of `agentcl model list`; a folder of safetensors; or a GGUF file.
        device: "cpu", "cuda" ...; default: cuda where there is one.
        engine: what runs it. Default: for a GGUF llama.cpp where llama-cpp-python is installed, else transformers.

    Raises:
        InvalidInput: if it is the address of an endpoint, or llama.cpp is to run what is no GGUF.
        MissingExtra: if what runs it is not installed: for a GGUF llama-cpp-python, or transformers and gguf.
        ModelUnavailable: if there is no such model, or it cannot be loaded.
    """
    if source == REFERENCE_NAME and not Path(source).exists():
        return open_reference(device=device)
    if "://" in source:
        raise InvalidInput(
            f"{source} is an endpoint, which has a model's name too: OpenAIChat(MODEL, base_url={source!r})"
        )
    from agentcl.models.llamacpp import LlamaCppChat

    name = f"local:{source}"
    if engine == "llamacpp" or (engine is None and is_for_llamacpp(source)):
        return LlamaCppChat(gguf_path(source), device=device, name=name)
    from agentcl.models.local import LocalChat

    return LocalChat(str(model_path(source)), device=device, name=name)


def is_for_llamacpp(source: str) -> bool:
    """Return whether llama.cpp runs what `open_model` opens. Raises ModelUnavailable if there is no such model."""
    from agentcl.models.llamacpp import is_installed

    return source != REFERENCE_NAME and is_installed() and is_gguf(source)


def gguf_path(source: str) -> Path:
    """Return the GGUF that a name or a path leads to.

    Raises:
        InvalidInput: if it leads to something else.
        ModelUnavailable: if there is no such model.
    """
    found = model_path(source, is_unpacked=False)
    if found.suffix != _GGUF:
        raise InvalidInput(
            f"llama.cpp runs GGUF files, and {source} is none; transformers and vLLM run a folder of safetensors"
        )
    return found


def is_gguf(source: str) -> bool:
    """Return whether a name or a path leads to a GGUF. Raises ModelUnavailable if there is no such model."""
    return model_path(source, is_unpacked=False).suffix == _GGUF


def on_disk(source: str) -> Path | None:
    """Return the file or folder that a name is the path of, if it is one. Raises ModelUnavailable."""
    refused = (OSError, RuntimeError)  # too long a name, a folder that is closed, no such home
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except refused as error:
        raise ModelUnavailable(f"cannot look for a model at {source}: {error}") from error


def model_path(source: str, *, is_unpacked: bool = True) -> Path:
    """Return what a name or a path leads to.

    Args:
        source: as for `open_model`.
        is_unpacked: a folder that transformers and vLLM load, made of a kept GGUF the first time; else what
            is kept, as it lies. A GGUF that is named by its path is returned as it is.

    Raises:
        MissingExtra: if a GGUF is to be unpacked, and what does that is not installed.
        ModelUnavailable: if there is no such model, or it cannot be unpacked.
    """
    path = on_disk(source)
    if path is not None:
        return path
    if source == REFERENCE_NAME:
        return reference_folder()
    held = kept_model(source)
    if held is None:
        raise not_kept(source)
    return unpacked(held) if is_unpacked else held.path


def served(source: str) -> tuple[str, str | None]:
    """Return what vLLM loads for a name or a path, and what requests call it; None: after what is loaded.

    A name of the Hugging Face hub stays as it is. Raises as `model_path`.
    """
    if on_disk(source) is not None:
        return str(model_path(source)), None
    if kept_model(source) is None and _HUB_ID.fullmatch(source):
        return source, None
    return str(model_path(source)), source
