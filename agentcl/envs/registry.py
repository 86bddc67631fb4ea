"""Domains by name: those that come with agentcl, and anybody's own as `module:Class`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from agentcl.envs.base import Domain
from agentcl.errors import InvalidInput
from agentcl.text.suggesting import did_you_mean

_OWN: Final = {
    "babyai": "agentcl.envs.domains.babyai:BabyAIDomain",
    "desk": "agentcl.envs.domains.desk.domain:DeskDomain",
    "excytin-lite": "agentcl.envs.domains.excytin.domain:ExcytinDomain",
    "household": "agentcl.envs.domains.household:HouseholdDomain",
    "incident-logs": "agentcl.envs.domains.excytin.domain:IncidentLogsDomain",
    "incidents": "agentcl.envs.domains.incidents.domain:IncidentDomain",
    "scienceworld": "agentcl.envs.domains.scienceworld:ScienceWorldDomain",
    "tau-bench": "agentcl.envs.domains.taubench:TauBenchDomain",
    "textworld": "agentcl.envs.domains.textworld:TextWorldDomain",
}


def domain_names() -> list[str]:
    """Return the names of the domains that come with agentcl."""
    return sorted(_OWN)


def open_domain(name: str, options: Mapping[str, str] | None = None) -> Domain:
    """Return a domain by its name, or by `module:Class` of your own.

    Args:
        name: as `domain_names` has it, or your own class, of a module that is installed or lies in the
            working folder.
        options: keywords of its class, such as the folder of its data.

    Raises:
        InvalidInput: if there is none of that name, it takes no such option, or what is there is no domain.
    """
    target = _OWN.get(name, name)
    module, colon, attribute = target.partition(":")
    if not colon or not module or not attribute:
        advice = f"choose one of {', '.join(domain_names())}, or name your own as module:Class"
        raise InvalidInput(f"there is no domain {name!r}{did_you_mean(name, _OWN, advice)}")
    try:
        made = getattr(_imported(module), attribute)(**(options or {}))
    except (ImportError, AttributeError, TypeError) as error:
        raise InvalidInput(f"{name!r} cannot be opened: {type(error).__name__}: {error}") from error
    if not isinstance(made, Domain):
        missing = [part for part in ("name", "families", "make", "tasks", "oracle")
                   if not hasattr(made, part)]  # fmt: skip
        raise InvalidInput(f"{name!r} is no domain: it has no {', '.join(missing)}")
    return made


def _imported(module: str) -> ModuleType:
    """Import a module; what is not installed is looked for in the working folder, as `python -m` does."""
    root = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != root:  # it is there, and lacks something else
            raise
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise InvalidInput(
            f"there is no module {root!r}: none is installed, and the working folder is gone"
        ) from None
    if here not in sys.path:  # a command begins with the folder that it lies in
        sys.path.append(here)  # at the end, so that it hides nothing
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != root:
            raise
        raise InvalidInput(
            f"there is no module {root!r} in {here}, and none is installed; call this from the folder of "
            f"{root}.py, or name that folder in PYTHONPATH"
        ) from error
