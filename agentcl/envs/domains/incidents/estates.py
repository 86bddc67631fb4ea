"""Estates: deployments that share most of their rules, so that what one taught mostly holds in the next.

All deployments of an estate have the same kinds of services, signs and diagnostics, the same harms, and for
each kind of service the same remedies, but for one sign: that situation's remedy is the deployment's own, and
so is what has to be done before it. Which sign that is, is drawn for each deployment, and nothing tells it
before an action is tried.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Final

from agentcl.envs.domains.incidents.deployments import REMEDIES, Deployment, make_deployment
from agentcl.envs.names import Names

SIGNS: Final = 4
SHARED: Final = (SIGNS - 1) / SIGNS  # of the situations of each kind of service
Situation = tuple[str, str]  # service, sign


@dataclass(frozen=True, slots=True)
class Alike:
    """What an estate makes one expect of a situation, true or not in the deployment that one stands in."""

    expected: tuple[str, ...]  # remedy, harm, and what the remedy needs before it, if anything
    others: tuple[str, ...]  # what else the remedy may be, each as likely as the next


@cache
def estate_rules(estate: int) -> Deployment:
    """Return the rules that the deployments of an estate share most of."""
    rng = random.Random(f"incidents:estate:{estate}")
    names = Names(rng)
    drawn = make_deployment(rng, names, signs=SIGNS)
    # What has to come first never makes it worse, so that the best expected scores are exact.
    while any(drawn.harms[s] == before_of(drawn, s) for s in drawn.remedies):
        drawn = make_deployment(rng, names, signs=SIGNS)
    return drawn


def deployment_of(estate: int, number: int) -> Deployment:
    """Return the rules of one deployment of an estate.

    No two of its own situations have a service or a sign in common, and an own remedy is none that the
    estate has for that service or sign: so no remedy comes twice for a service or a sign here either.
    """
    shared = estate_rules(estate)
    rng = random.Random(f"incidents:estate:{estate}:{number}")
    services = sorted({service for service, _ in shared.remedies})
    signs = sorted({sign for _, sign in shared.remedies})
    remedies, needs = dict(shared.remedies), dict(shared.needs)
    for situation in zip(services, rng.sample(signs, len(services)), strict=True):
        service = situation[0]
        others = list(alike(shared, situation).others)
        expected = remedies[situation]
        remedies[situation] = own = others.pop(int(rng.random() * len(others)))
        if needs.pop((service, expected), None) is not None:
            needs[service, own] = rng.choice(others)
    return Deployment(remedies, shared.harms, needs)


def alike(shared: Deployment, situation: Situation) -> Alike:
    """Return what an estate makes one expect of a situation.

    An incident of the estate offers all that is expected, and fills up from the others, whether what is
    expected is true or not: so what is offered tells nothing.
    """
    service, sign = situation
    before = before_of(shared, situation)
    expected = (shared.remedies[situation], shared.harms[situation], *([before] if before else []))
    taken = {shared.remedies[s] for s in shared.remedies if s[0] == service or s[1] == sign}
    others = tuple(a for a in REMEDIES if a not in taken and a not in expected)
    return Alike(expected, others)


def before_of(deployment: Deployment, situation: Situation) -> str | None:
    """Return what the remedy of a situation needs before it; None if nothing."""
    return deployment.needs.get((situation[0], deployment.remedies[situation]))
