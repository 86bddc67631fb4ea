"""The user's own folders, where the XDG base directory specification puts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from agentcl.errors import ConfigError

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


def _home(variable: str, default: str) -> Path:
    # A relative one is to be ignored, says the specification.
    for home in (os.environ.get(variable, ""), os.path.expanduser(default)):  # noqa: PTH111  # it does not raise
        if Path(home).is_absolute():
            return Path(home)
    raise ConfigError(f"there is no home folder; set {variable}")
