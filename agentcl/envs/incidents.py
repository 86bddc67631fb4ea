"""Incident response: alerts in a fictional landscape of services, whose hidden rules can be learned.

A deployment decides for each kind of service and sign which remedy clears the alert, which action makes it
worse, and which remedy needs another action before it. Nothing of this can be known beforehand; all of it
can be known after a few incidents. Families:

- `remedy`: the sign is shown; one action of several clears the alert.
- `needs`: its remedy needs another action before it.
- `diagnose`: the alert does not tell the sign; one diagnostic, the same for a kind of service, does.
- `control`: like `remedy`, but every seed has rules of its own, so memory cannot help.

A task may say that the rules of its deployment have changed (`changes`): the situations stay, and what
helped in one helps there no more.

The text is the reference model's controlled English (`docs/reference-model.md`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from agentcl.envs.base import Bounds, Determinism, Observation, Oracle, Outcome, Score, Split, Task
from agentcl.envs.deployments import (
    CLEARED,
    DONE,
    NOTHING,
    REMEDIES,
    WORSE,
    Deployment,
    changed_deployment,
    make_deployment,
)
from agentcl.envs.names import Names
from agentcl.errors import InvalidInput

NAME: Final = "incidents"
FAMILIES: Final = ("remedy", "needs", "diagnose", "control")
DIAGNOSTICS: Final = ("inspect", "query", "sample", "measure")
FOUND_NOTHING: Final = "nothing is found"
NO_SUCH: Final = "there is no such action"
OFFERED: Final = 5  # remedies that may be tried
MAX_STEPS: Final = 8
CHANGES: Final = (
    "changes"  # the parameter that says how often the rules of its deployment have changed
)
_WASTE: Final = (
    0.2  # of the score, for each step that did not bring the alert nearer to its end ...
)
_HARM: Final = 2  # ... and this many times that for one that makes it worse
_DEPLOYMENTS: Final[Mapping[Split, Sequence[int]]] = {
    "train": range(60),
    "dev": range(60, 80),
    "test": range(80, 100),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert with all that is hidden."""

    name: str  # of the instance
    service: str
    sign: str
    remedy: str
    before: str | None  # what the remedy needs
    harm: str
    diagnostic: str | None  # what shows the sign; None: it is seen
    actions: tuple[str, ...]  # with the instance's name, in the order in which they are offered

    def shown(self) -> str:
        """What is seen at first."""
        if self.diagnostic is None:
            return f"The {self.service} {self.name} {self.sign}."
        return f"The {self.service} {self.name} raises an alert."


def draw_incident(task: Task, seed: int) -> Incident:
    """Return the incident of a task and seed; rules follow from the task, names and order from the seed.

    Raises:
        InvalidInput: if the task is not one of this world.
    """
    if task.env != NAME or task.family not in FAMILIES:
        raise InvalidInput(
            f"{task.id} is no task of {NAME}; its families are {', '.join(FAMILIES)}"
        )
    number = task.parameters.get("deployment", 0)
    rules_of = f"{number}:{seed}" if task.family == "control" else f"{number}"
    deployment, diagnostics = _rules(rules_of)
    if changes := int(task.parameters.get(CHANGES, 0)):
        deployment, diagnostics = _changed(rules_of, changes)
    rng = random.Random(f"{rules_of}:{task.family}:{task.variation}:{seed}")
    situations = sorted(deployment.remedies)
    if task.family == "needs":
        situations = [s for s in situations if (s[0], deployment.remedies[s]) in deployment.needs]
    else:
        situations = [
            s for s in situations if (s[0], deployment.remedies[s]) not in deployment.needs
        ]
    service, sign = situations[task.variation % len(situations)]
    remedy, harm = deployment.remedies[service, sign], deployment.harms[service, sign]
    before = deployment.needs.get((service, remedy)) if task.family == "needs" else None
    name = Names(rng).fresh()
    while f" {name}" in f" {sign}":
        name = Names(rng).fresh()
    fixed = {remedy, harm, *([before] if before else [])}
    spare = [action for action in REMEDIES if action not in fixed]
    offered = [*fixed, *rng.sample(spare, OFFERED - len(fixed))]
    diagnostic = diagnostics[service] if task.family == "diagnose" else None
    if diagnostic:
        offered += DIAGNOSTICS
    rng.shuffle(offered)
    return Incident(
        name=name,
        service=service,
        sign=sign,
        remedy=remedy,
        before=before,
        harm=harm,
        diagnostic=diagnostic,
        actions=tuple(f"{action} {name}" for action in offered),
    )


class IncidentEnvironment:
    """The environment. Deterministic to the character."""

    name = NAME
    determinism: Determinism = "bitwise"

    def __init__(self) -> None:
        self._incident: Incident | None = None

    def reset(self, task: Task, *, seed: int) -> Observation:
        """Begin an episode."""
        self._incident = incident = draw_incident(task, seed)
        self._left = task.max_steps
        self._waste = 0
        self._is_ready = incident.before is None
        self._is_cleared = False
        return Observation(incident.shown(), goal=f"clear the alert of {incident.name}.")

    def step(self, action: str) -> Outcome:
        """Take one action of those that are offered."""
        incident = self._begun()
        if self._is_cleared or self._left <= 0:
            raise InvalidInput("the episode is over; call reset")
        self._left -= 1
        before = self._value()
        text, waste = self._answer(incident, " ".join(action.split()))
        self._waste += waste
        return Outcome(
            Observation(text),
            reward=self._value() - before,
            terminated=self._is_cleared,
            truncated=self._left <= 0 and not self._is_cleared,
        )

    def admissible_actions(self, limit: int | None = None) -> Sequence[str]:
        """Return the actions that are offered, the same throughout an episode; none when it is over."""
        incident = self._begun()
        return () if self._is_cleared or self._left <= 0 else incident.actions[:limit]

    def score(self) -> Score:
        """Return 1 for an alert cleared without detours, less a fifth for each wasted step."""
        self._begun()
        return Score(self._value(), self._value(), self._is_cleared)

    def close(self) -> None:
        """Forget the episode."""
        self._incident = None

    def _begun(self) -> Incident:
        if self._incident is None:
            raise InvalidInput("there is no episode; call reset first")
        return self._incident

    def _value(self) -> float:
        return max(0.0, 1 - _WASTE * self._waste) if self._is_cleared else 0.0

    def _answer(self, incident: Incident, action: str) -> tuple[str, int]:
        if action not in incident.actions:
            return NO_SUCH, 1
        verb = action.removesuffix(f" {incident.name}")
        if verb in DIAGNOSTICS:
            if verb != incident.diagnostic:
                return FOUND_NOTHING, 1
            return f"the {incident.service} {incident.name} {incident.sign}", 0
        if verb == incident.remedy:
            if not self._is_ready:
                return f"{incident.before} it before", 1
            self._is_cleared = True
            return CLEARED, 0
        if verb == incident.before:
            was_ready, self._is_ready = self._is_ready, True
            return DONE, int(was_ready)
        return (WORSE, _HARM) if verb == incident.harm else (NOTHING, 1)


class IncidentOracle:
    """Knows the rules."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the shortest way to the end."""
        incident = draw_incident(task, seed)
        verbs = [incident.diagnostic, incident.before, incident.remedy]
        return [f"{verb} {incident.name}" for verb in verbs if verb]


class IncidentWorld:
    """A hundred deployments: 60 to train on, 20 each for dev and test."""

    name = NAME
    families: Sequence[str] = FAMILIES
    rules_by = "deployment"
    changed_by = CHANGES

    def make(self) -> IncidentEnvironment:
        """Return a fresh environment."""
        return IncidentEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split: each deployment's situations, family by family."""
        if split not in _DEPLOYMENTS:
            raise InvalidInput(f"there is no split {split!r}; choose train, dev or test")
        if family is not None:
            _check_family(family)
        for deployment in _DEPLOYMENTS[split]:
            for kind in FAMILIES if family is None else (family,):
                for variation in range(3 if kind == "needs" else 9):
                    yield Task(NAME, kind, variation, split, MAX_STEPS, {"deployment": deployment})

    def oracle(self) -> Oracle:
        """Return what knows the rules."""
        return IncidentOracle()

    def bounds(self, family: str) -> Bounds:
        """Return the best expected scores; in `control` nothing can be known before an episode."""
        _check_family(family)
        alone = expected_without_memory(family)
        return Bounds(alone, alone if family == "control" else 1.0)


def _check_family(family: str) -> None:
    if family not in FAMILIES:
        raise InvalidInput(f"there is no family {family!r}; choose one of {', '.join(FAMILIES)}")


@cache
def expected_without_memory(family: str) -> float:
    """Return the best expected score of an agent that remembers nothing between episodes.

    Exact: the best policy against rules drawn uniformly, found by going through all that an agent may
    have seen. A diagnostic is of no use to it, since it does not know what a sign calls for.
    """
    verbs = range(OFFERED)
    befores = [*verbs] if family == "needs" else [None]
    worlds = frozenset(
        (remedy, harm, before)
        for remedy in verbs
        for harm in verbs
        for before in befores
        if len({remedy, harm, before}) == 3
    )
    return _best(worlds, is_ready=family != "needs", left=MAX_STEPS, waste=0)


_Hidden = tuple[int, int, int | None]  # remedy, harm, what is needed before


@cache
def _best(worlds: frozenset[_Hidden], *, is_ready: bool, left: int, waste: int) -> float:
    if left == 0 or waste * _WASTE >= 1:
        return 0.0
    return max(
        _expected(worlds, verb, is_ready=is_ready, left=left, waste=waste)
        for verb in {verb for world in worlds for verb in range(OFFERED)}
    )


def _expected(
    worlds: frozenset[_Hidden], verb: int, *, is_ready: bool, left: int, waste: int
) -> float:
    """Return the expected score of trying one action now, and acting best from then on."""
    seen: dict[str, list[_Hidden]] = {}
    for world in worlds:
        remedy, harm, before = world
        if verb == remedy:
            said = CLEARED if is_ready else f"{before} before"
        elif verb == before:
            said = DONE
        else:
            said = WORSE if verb == harm else NOTHING
        seen.setdefault(said, []).append(world)
    if len(seen) == 1 and len(worlds) > 1 and CLEARED not in seen and DONE not in seen:
        return 0.0  # nothing is learned, so nothing is gained
    total = 0.0
    for said, consistent in seen.items():
        share = len(consistent) / len(worlds)
        if said == CLEARED:
            total += share * (1 - _WASTE * waste)
            continue
        more = {DONE: int(is_ready), WORSE: _HARM}.get(said, 1)
        total += share * _best(
            frozenset(consistent),
            is_ready=is_ready or said == DONE,
            left=left - 1,
            waste=waste + more,
        )
    return total


@cache
def _rules(rules_of: str) -> tuple[Deployment, dict[str, str]]:
    rng = random.Random(f"incidents:{rules_of}")
    deployment = make_deployment(rng, Names(rng))
    services = sorted({service for service, _ in deployment.remedies})
    return deployment, {service: rng.choice(DIAGNOSTICS) for service in services}


@cache
def _changed(rules_of: str, change: int) -> tuple[Deployment, dict[str, str]]:
    """Return the rules after so many changes: other remedies, and another diagnostic for every service."""
    deployment, diagnostics = _rules(rules_of) if change == 1 else _changed(rules_of, change - 1)
    rng = random.Random(f"incidents:{rules_of}:{change}")
    other = {
        service: rng.choice([one for one in DIAGNOSTICS if one != diagnostic])
        for service, diagnostic in diagnostics.items()
    }
    return changed_deployment(rng, deployment), other
