"""Paths that a user names, as text or as a `Path`."""

from __future__ import annotations

import os
from pathlib import Path

from agentcl.errors import InvalidInput
from agentcl.text.visible import shown


def check_path(path: object, what: str = "a path") -> Path:
    """Return the path of a file or folder. Raises InvalidInput that says `what` is wrong."""
    named = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(named, str):
        raise InvalidInput(f"{what} must be a string or a Path, not {shown(path)}")
    if not named or "\0" in named:
        raise InvalidInput(f"{what} is {named!r}, which is no path; name a file or folder")
    return Path(named)


def unread(error: Exception) -> str:
    """Return why a file cannot be read or is no text, without its path: the message names that by itself."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding.upper()}, byte {error.start}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
