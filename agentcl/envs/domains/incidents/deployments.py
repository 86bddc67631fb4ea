"""Deployments: fictional services with hidden rules of what helps, harms, and has to be done before."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from agentcl.envs.names import Names

SERVICES: Final = (
    "queue", "cache", "gateway", "database", "scheduler", "proxy", "ledger", "worker", "broker",
    "mirror", "router", "vault",
)  # fmt: skip
STATES: Final = (
    "slow", "full", "hot", "silent", "stale", "locked", "noisy", "cold", "blocked", "empty",
    "leaking", "late",
)  # fmt: skip
REMEDIES: Final = (
    "restart", "drain", "flush", "scale", "rotate", "throttle", "isolate", "rebuild", "patch",
    "resize", "probe", "trace", "pause", "refill",
)  # fmt: skip
DIAGNOSTICS: Final = ("inspect", "query", "sample", "measure")
HIDDEN: Final = "raises an alert"  # what is seen of a service whose sign is not
FOUND_NOTHING: Final = "nothing is found"
NOTHING: Final = "nothing changes"
WORSE: Final = "the alert gets worse"
CLEARED: Final = "the alert is cleared"
DONE: Final = "done"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The hidden rules of one world: what helps, harms, and has to be done before.

    `remedies` are distinct for one kind of service, so what helps in one situation never helps in
    another of the same kind or sign.
    """

    remedies: dict[tuple[str, str], str]  # (service, sign) -> action
    harms: dict[tuple[str, str], str]
    needs: dict[tuple[str, str], str]  # (service, action) -> the action before it


def make_deployment(rng: random.Random, names: Names, *, signs: int = 4) -> Deployment:
    """Return the rules of a world of three kinds of service and `signs` signs, drawn at random."""
    services = rng.sample(SERVICES, 3)
    shown = [
        f"raises {names.fresh()}" if rng.random() < 0.4 else f"is {state}"
        for state in rng.sample(STATES, signs)
    ]
    remedies: dict[tuple[str, str], str] = {}
    harms: dict[tuple[str, str], str] = {}
    needs: dict[tuple[str, str], str] = {}
    shift = rng.sample(REMEDIES, len(REMEDIES))
    for i, service in enumerate(services):
        for j, sign in enumerate(shown):
            # A Latin square: no remedy twice for a service or a sign.
            remedies[service, sign] = shift[(i * signs + j) % len(shift)]
            harms[service, sign] = shift[(i * signs + j + 5) % len(shift)]
        needing = rng.choice(shown)
        action = remedies[service, needing]
        before = rng.choice([a for a in REMEDIES if a != action])
        needs[service, action] = before
    return Deployment(remedies, harms, needs)


def changed_deployment(rng: random.Random, deployment: Deployment) -> Deployment:
    """Return other rules for the same services and signs: no remedy stays what it was.

    A situation that needed another action first still does, and another one than before.
    """
    situations = list(deployment.remedies)
    shift = rng.sample(REMEDIES, len(REMEDIES))
    while any(deployment.remedies[s] == shift[n] for n, s in enumerate(situations)):
        shift = rng.sample(REMEDIES, len(REMEDIES))
    remedies = {s: shift[n] for n, s in enumerate(situations)}
    harms = {s: shift[(n + 5) % len(shift)] for n, s in enumerate(situations)}
    needs = {}
    for situation in situations:
        service = situation[0]
        before = deployment.needs.get((service, deployment.remedies[situation]))
        if before is not None:
            action = remedies[situation]
            others = [a for a in REMEDIES if a not in (action, before)]
            needs[service, action] = rng.choice(others)
    return Deployment(remedies, harms, needs)
