"""Domains by name: those that come with agentcl, and anybody's own as `module:Class`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentcl.envs.base import Domain
from agentcl.envs.own import is_own, open_own
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
_PARTS: Final = ("name", "families", "make", "tasks", "oracle")


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
    if not is_own(target):
        advice = f"choose one of {', '.join(domain_names())}, or name your own as module:Class"
        raise InvalidInput(f"there is no domain {name!r}{did_you_mean(name, _OWN, advice)}")
    made: Domain = open_own(target, "domain", _PARTS, options=options)
    return made
