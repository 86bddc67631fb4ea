"""What a user has confirmed: the models, addresses and paths that a folder or a file may name.

Data decides nothing. A memory that was received, or an `agentcl.toml` of a project that was cloned, may name
an encoder or a server. None is asked or loaded before the user named it himself, or confirmed it once with
`agentcl trust`. That is kept outside of both, in the user's own configuration: one file for each place.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypedDict

from agentcl.errors import ConfigError, NotTrusted
from agentcl.text.homes import config_folder
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import save_text

logger = logging.getLogger(__name__)
_unwritten: Final[dict[str, Mapping[str, str]]] = {}  # of users without a place to keep it
LOADED: Final = "load "  # begins the key of a model or a file that a job loads
BY_NAMING: Final = "name it yourself (encoder=..., --encoder or AGENTCL_ENCODER)"


class _Held(TypedDict):
    """The file of one place."""

    place: str  # with links followed
    named: Mapping[str, str]


def confirmed(place: Path) -> Mapping[str, str]:
    """Return what the user confirmed for a folder or a file; empty if nothing."""
    real = os.path.realpath(place)
    try:
        held = parsed_json(_file(place).read_text("utf-8"))
    except (OSError, ConfigError, ValueError):
        return _unwritten.get(real, {})
    named = held.get("named") if isinstance(held, dict) else None
    if not isinstance(named, dict) or held.get("place") != real:
        return {}
    return {key: value for key, value in named.items() if isinstance(value, str)}


def confirm(place: Path, named: Mapping[str, str]) -> None:
    """Keep what the user named for a place, beside what he named before.

    Where his configuration cannot be written, it holds as long as this process lives.
    """
    before = confirmed(place)
    if {**before, **named} == before:
        return
    held: _Held = {"place": os.path.realpath(place), "named": {**before, **named}}
    try:
        file = _file(place)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_text(file, json.dumps(held, indent=2) + "\n")
    except (OSError, ConfigError) as error:
        logger.warning("what you named for %s cannot be kept: %s", place, error)
        _unwritten[held["place"]] = held["named"]


def revoke(place: Path) -> bool:
    """Take back what was confirmed for a place; return whether there was something."""
    held = bool(confirmed(place))
    _unwritten.pop(os.path.realpath(place), None)
    with suppress(OSError, ConfigError):
        _file(place).unlink(missing_ok=True)
    return held


def confirmed_encoder(folder: Path, name: str, *, said: str) -> str:
    """Return what opens an encoder that a folder names, as far as the user named it for this folder.

    Args:
        folder: of the memory.
        name: of the encoder, without its address.
        said: what the folder says, perhaps with an address.

    Raises:
        NotTrusted: if he did not. Nothing was asked or loaded.
    """
    known = confirmed(folder).get(name)
    if known is not None:
        return known
    advice = f"If you trust it, run `agentcl trust {folder}`, or {BY_NAMING}"
    if name.startswith("openai:") and "://" not in said:
        model, hash, prefixes = name.partition("#")
        advice = (
            "Where that is served is not known here. Name it once, as encoder="
            f"'{model}@http://HOST:PORT/v1{hash}{prefixes}' (--encoder, AGENTCL_ENCODER)"
        )
    raise NotTrusted(
        f"the memory at {folder} names the encoder {said!r}, which you have not confirmed; nothing was "
        f"asked or loaded. {advice}. Until then mode='text' searches by words; "
        f"`agentcl reembed --path {folder} --encoder hashing` does without it for good"
    )


def _file(place: Path) -> Path:
    """Return where is kept what was confirmed for a place. Raises ConfigError if the user has no home."""
    key = hashlib.blake2b(os.fsencode(os.path.realpath(place)), digest_size=16).hexdigest()
    return config_folder("trusted") / f"{key}.json"
