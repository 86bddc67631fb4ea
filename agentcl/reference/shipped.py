"""The reference model's weights, as the package carries them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentcl.errors import ModelUnavailable
from agentcl.models.local import LocalChat

REFERENCE_FOLDER: Final = Path(__file__).parent / "weights"
REFERENCE_NAME: Final = "reference"


def open_reference(*, device: str | None = None) -> LocalChat:
    """Return the reference model in this process; the first call loads it.

    Args:
        device: "cpu", "cuda" ...; default: cuda where there is one.

    Raises:
        MissingExtra: if transformers is not installed.
        ModelUnavailable: if the package carries no weights.
    """
    # Named for what it is: where the package lies says nothing, and would stand in every result.
    return LocalChat(str(reference_folder()), device=device, name=f"local:{REFERENCE_NAME}")


def reference_folder() -> Path:
    """Return the folder of the weights. Raises ModelUnavailable when the package carries none."""
    if not (REFERENCE_FOLDER / "model.safetensors").exists():
        raise ModelUnavailable(
            "this install carries no weights of the reference model; install agentcl anew, or train them with `python -m "
            "agentcl.reference.train --preset cpu --out FOLDER` and open FOLDER like any other model"
        )
    return REFERENCE_FOLDER
