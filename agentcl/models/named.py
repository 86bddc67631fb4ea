"""Opening a model by its name in the cache, or by its path."""

from __future__ import annotations

from pathlib import Path

from agentcl.errors import InvalidInput
from agentcl.models.base import ChatModel
from agentcl.models.kept import kept_model, not_kept, unpacked
from agentcl.models.reference.shipped import REFERENCE_NAME, open_reference, reference_folder


def open_model(source: str, *, device: str | None = None) -> ChatModel:
    """Open a model in this process.

    Args:
        source: "reference"; a name of `agentcl model list`; a folder of safetensors; or a GGUF file.
        device: "cpu", "cuda" ...; default: cuda where there is one.

    Raises:
        InvalidInput: if it is the address of an endpoint.
        MissingExtra: if transformers (or, for a GGUF, gguf) is not installed.
        ModelUnavailable: if there is no such model, or it cannot be loaded.
    """
    if source == REFERENCE_NAME and not Path(source).exists():
        return open_reference(device=device)
    if "://" in source:
        raise InvalidInput(
            f"{source} is an endpoint, which has a model's name too: OpenAIChat(MODEL, base_url={source!r})"
        )
    from agentcl.models.local import LocalChat

    return LocalChat(str(model_path(source)), device=device, name=f"local:{source}")


def model_path(source: str) -> Path:
    """Return the folder that transformers and vLLM load for a name or a path, unpacked where it is a GGUF.

    A GGUF that is named by its path is returned as it is. Raises as `open_model`.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path
    if source == REFERENCE_NAME:
        return reference_folder()
    held = kept_model(source)
    if held is None:
        raise not_kept(source)
    return unpacked(held)
