"""The user's own folders, where the XDG base directory specification puts them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from agentcl.errors import ConfigError
from agentcl.text.saving import create, make_folder

_OURS: Final = "agentcl"


def cache_folder(name: str) -> Path:
    """Return the folder for what can be made or fetched again; it need not exist. Raises ConfigError."""
    return _home("XDG_CACHE_HOME", "~/.cache") / _OURS / name


def config_folder(name: str) -> Path:
    """Return the folder for what the user decided; it need not exist. Raises ConfigError."""
    return _home("XDG_CONFIG_HOME", "~/.config") / _OURS / name


def data_folder(name: str) -> Path:
    """Return the folder for what belongs to the user and is not made again; it need not exist. Raises ConfigError."""
    return _home("XDG_DATA_HOME", "~/.local/share") / _OURS / name


def secret(name: str, length: int) -> bytes:
    """Return a secret of so many bytes, kept in the user's own configuration; empty if it cannot be kept there.

    Raises:
        ConfigError: if the user has no home.
    """
    file = config_folder("") / name
    try:
        if not file.exists():
            make_folder(file.parent)
            with create(file, mode=0o600) as made:
                made.write(secrets.token_bytes(length))
        return file.read_bytes()
    except OSError:
        return b""


def _home(variable: str, default: str) -> Path:
    # A relative one is to be ignored, says the specification.
    for home in (os.environ.get(variable, ""), os.path.expanduser(default)):  # noqa: PTH111  # it does not raise
        if Path(home).is_absolute():
            return Path(home)
    raise ConfigError(f"there is no home folder; set {variable}")
