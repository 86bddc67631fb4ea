"""Worlds by name: those that come with agentcl, and anybody's own as `module:Class`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from agentcl.envs.base import World
from agentcl.errors import InvalidInput
from agentcl.text.suggesting import did_you_mean

_OWN: Final = {
    "babyai": "agentcl.envs.worlds.babyai:BabyAIWorld",
    "excytin-lite": "agentcl.envs.worlds.excytin.world:ExcytinWorld",
    "household": "agentcl.envs.worlds.household:HouseholdWorld",
    "incident-logs": "agentcl.envs.worlds.excytin.world:IncidentLogsWorld",
    "incidents": "agentcl.envs.worlds.incidents.world:IncidentWorld",
    "scienceworld": "agentcl.envs.worlds.scienceworld:ScienceWorld",
    "tau-bench": "agentcl.envs.worlds.taubench:TauBenchWorld",
    "textworld": "agentcl.envs.worlds.textworlds:TextWorldWorld",
}


def world_names() -> list[str]:
    """Return the names of the worlds that come with agentcl."""
    return sorted(_OWN)


def open_world(name: str, options: Mapping[str, str] | None = None) -> World:
    """Return a world by its name, or by `module:Class` of your own.

    Args:
        name: as `world_names` has it, or your own class.
        options: keywords of its class, such as the folder of its data.

    Raises:
        InvalidInput: if there is none of that name, it takes no such option, or what is there is no world.
    """
    target = _OWN.get(name, name)
    module, colon, attribute = target.partition(":")
    if not colon or not module or not attribute:
        advice = f"choose one of {', '.join(world_names())}, or name your own as module:Class"
        raise InvalidInput(f"there is no world {name!r}{did_you_mean(name, _OWN, advice)}")
    try:
        made = getattr(import_module(module), attribute)(**(options or {}))
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidInput(f"{name!r} cannot be opened: {type(error).__name__}: {error}") from error
    if not isinstance(made, World):
        missing = [part for part in ("name", "families", "make", "tasks", "oracle")
                   if not hasattr(made, part)]  # fmt: skip
        raise InvalidInput(f"{name!r} is no world: it has no {', '.join(missing)}")
    return made
