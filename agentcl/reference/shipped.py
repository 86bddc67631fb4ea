"""The reference model's weights, as the package carries them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentcl.models.local import LocalChat

REFERENCE_FOLDER: Final = Path(__file__).parent / "weights"
REFERENCE_NAME: Final = "reference"


def open_reference(*, device: str | None = None) -> LocalChat:
    """Return the reference model in this process; the first call loads it.

    Args:
        device: "cpu", "cuda" ...; default: cuda where there is one.

    Raises:
        MissingExtra: if transformers is not installed.
    """
    return LocalChat(str(REFERENCE_FOLDER), device=device)
