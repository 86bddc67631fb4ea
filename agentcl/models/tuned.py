"""How a model is best asked, as it was measured once: kept by the model's fingerprint, outside of any memory.

`agentcl model tune` measures and keeps it, one file for each fingerprint in `agentcl/tuned` of the user's configuration. Other
weights under the same name have another fingerprint, so nothing is taken over for them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from agentcl.errors import ConfigError, StoreUnavailable
from agentcl.models.base import ChatModel
from agentcl.text.homes import config_folder
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import make_folder, save_text

logger = logging.getLogger(__name__)

Way = Literal["bare", "number", "text", "shown", "thought", "scored"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
MOST_EXAMPLES: Final = 3
_FOLDER: Final = "tuned"  # of the user's configuration


@dataclass(frozen=True, slots=True)
class Asking:
    """How a model is asked. The default is for models that nobody measured.

    Attributes:
        way: in which an action is asked for; `agentcl.agents.forms` has them.
        examples: from 0 to 3, shown before a record that lessons are to be drawn from.
        is_constrained: whether the server holds objects to their schema.
    """

    way: Way = "thought"
    examples: int = 1
    is_constrained: bool = True


UNTUNED: Final = Asking()


def asking_of(model: ChatModel) -> Asking:
    """Return how a model is best asked; the default where nobody measured it.

    The model is asked for its fingerprint only if there is something to be found at all.

    Raises:
        ModelUnavailable: if it cannot be asked for it.
    """
    try:
        if not any(config_folder(_FOLDER).glob("*.json")):
            return UNTUNED
        file = _file(model.fingerprint())
        return _read(parsed_json(file.read_text("utf-8")))
    except FileNotFoundError:
        return UNTUNED
    except (OSError, ValueError, ConfigError) as error:
        logger.warning(
            "what was measured of %s cannot be read (%s), and is left out; measure it again with `agentcl "
            "model tune`",
            model.name,
            error,
        )
        return UNTUNED


def remember_asking(
    fingerprint: str, asking: Asking, *, model: str, figures: Mapping[str, Any] | None = None
) -> Path:
    """Keep how a model is best asked, and return where.

    Args:
        fingerprint: of the model.
        asking: how.
        model: its name, for who reads the file.
        figures: what was measured, likewise.

    Raises:
        StoreUnavailable: if the user's configuration cannot be written.
    """
    held = {
        "model": model,
        **asdict(asking),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": dict(figures or {}),
    }
    try:
        file = _file(fingerprint)
        make_folder(file.parent)
        save_text(file, json.dumps(held, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StoreUnavailable(
            f"what was measured of {model} cannot be kept: {error}; make the folder writable, or name another in "
            "XDG_CONFIG_HOME"
        ) from error
    return file


def forget_asking(fingerprint: str) -> bool:
    """Delete what was measured of a model; return whether there was something. Raises StoreUnavailable."""
    try:
        _file(fingerprint).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreUnavailable(f"what was measured cannot be deleted: {error}") from error
    return True


def _read(held: object) -> Asking:
    """Return what a file says. Raises ValueError if it is none of ours, or of a later agentcl."""
    found = held if isinstance(held, dict) else {}
    way, examples, is_constrained = (
        found.get(name) for name in ("way", "examples", "is_constrained")
    )
    if way not in WAYS or type(examples) is not int or type(is_constrained) is not bool:
        raise ValueError("it is not what `agentcl model tune` writes")
    return Asking(way, min(max(examples, 0), MOST_EXAMPLES), is_constrained)


def _file(fingerprint: str) -> Path:
    digest = hashlib.blake2b(fingerprint.encode(), digest_size=16).hexdigest()
    return config_folder(_FOLDER) / f"{digest}.json"
