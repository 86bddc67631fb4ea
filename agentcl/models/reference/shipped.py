"""The reference model's weights, as the package carries them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentcl.errors import ModelUnavailable
from agentcl.models.base import ChatModel

REFERENCE_FOLDER: Final = Path(__file__).parent / "weights"
REFERENCE_NAME: Final = "reference"


def open_reference(*, device: str | None = None) -> ChatModel:
    """Return the reference model in this process.

    Args:
        device: run it with transformers, on "cpu", "cuda" ...; default: with numpy, which is several times
            faster for a model of this size and takes float32 for the arithmetic. The fingerprint is the same.

    Raises:
        MissingExtra: if transformers, which a device needs, is not installed.
        ModelUnavailable: if the package carries no weights.
    """
    # Named for what it is: where the package lies says nothing, and would stand in every result.
    name = f"local:{REFERENCE_NAME}"
    folder = reference_folder()
    if device is not None:
        from agentcl.models.local import LocalChat

        return LocalChat(str(folder), device=device, name=name)
    from agentcl.models.reference.chat import ReferenceChat

    return ReferenceChat(folder, name=name)


def reference_folder() -> Path:
    """Return the folder of the weights. Raises ModelUnavailable when the package carries none."""
    if not (REFERENCE_FOLDER / "model.safetensors").exists():
        raise ModelUnavailable(
            "this install carries no weights of the reference model; install agentcl anew, or train them in a "
            "checkout with `python -m training.train --preset cpu --out FOLDER`, and open FOLDER like any "
            "other model"
        )
    return REFERENCE_FOLDER
