"""What a verb writes never lands in the memory's own folder, where it would take a file's place or count as foreign."""

from __future__ import annotations

import os
from pathlib import Path

from agentcl.errors import InvalidInput
from agentcl.text.saving import is_stream


def check_outside(path: Path, folder: Path) -> Path:
    """Return where a path leads, which is not in a memory's folder. Raises InvalidInput."""
    kept = path.absolute() if is_stream(path) else Path(os.path.realpath(path))
    if kept.is_relative_to(folder.resolve()):
        raise InvalidInput(f"{path} lies in the memory's own folder; name another place")
    return kept
