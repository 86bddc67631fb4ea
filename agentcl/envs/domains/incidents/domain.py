"""Incident response: alerts in a fictional landscape of services, whose hidden rules can be learned.

A deployment decides for each kind of service and sign which remedy clears the alert, which action makes it
worse, and which remedy needs another action before it. Nothing of this can be known beforehand; all of it
can be known after a few incidents. Families:

- `remedy`: the sign is shown; one action of several clears the alert.
- `needs`: its remedy needs another action before it.
- `diagnose`: the alert does not tell the sign; one diagnostic, the same for a kind of service, does.
- `control`: like `remedy`, but every seed has rules of its own, so memory cannot help.

A task may say that the rules of its deployment have changed (`changes`): the situations stay, and what
helped in one helps there no more. It may also say to which estate its deployment belongs (`estate`): the
deployments of an estate share most of their rules (`agentcl.envs.domains.incidents.estates`), and others share none.

The text is the reference model's controlled English (`docs/concepts/reference-model.md`), unless a task says that it is told in
the natural voice (`voice`), and in which of its phrasings (`phrasings`). The rules are the same in both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from agentcl.envs.base import SPLITS, Bounds, Determinism, Observation, Oracle, Score, Split, Task
from agentcl.envs.domains.incidents.bounds import (
    HARM,
    MAX_STEPS,
    OFFERED,
    WASTE,
    expected_from_estate,
    expected_without_memory,
)
from agentcl.envs.domains.incidents.controlled import Controlled
from agentcl.envs.domains.incidents.deployments import (
    DIAGNOSTICS,
    REMEDIES,
    Deployment,
    changed_deployment,
    make_deployment,
)
from agentcl.envs.domains.incidents.estates import (
    Alike,
    alike,
    before_of,
    deployment_of,
    estate_rules,
)
from agentcl.envs.domains.incidents.incident import Event, Incident, Voice, Wording
from agentcl.envs.domains.incidents.natural import Natural
from agentcl.envs.domains.incidents.phrasings import SHARES
from agentcl.envs.engines import EngineEnvironment, Happened
from agentcl.envs.names import Names
from agentcl.envs.requests import families_of, require_family, require_own
from agentcl.errors import InvalidInput
from agentcl.lessons import Lesson

NAME: Final = "incidents"
FAMILIES: Final = ("remedy", "needs", "diagnose", "control")
CHANGES: Final = "changes"  # the parameter that says how often the rules have changed
ESTATE: Final = "estate"  # the parameter that says with which others it shares most of its rules
VOICE: Final = "voice"  # the parameter that says how it is told; absent: in controlled English ...
PHRASINGS: Final = "phrasings"  # ... and of the natural voice, in which share of its phrases
VOICES: Final = ("controlled", "natural")
BOTH: Final = "both"  # shares: each task comes in each
MOST_ESTATES: Final = 20  # so that each has a deployment in each split
_WORDINGS: Final[Mapping[str, type[Wording]]] = {"controlled": Controlled, "natural": Natural}
_DEPLOYMENTS: Final[Mapping[Split, Sequence[int]]] = {
    "train": range(60),
    "dev": range(60, 80),
    "test": range(80, 100),
}


def draw_incident(task: Task, seed: int) -> Incident:
    """Return the incident of a task and seed; rules follow from the task, names and order from the seed.

    Raises:
        InvalidInput: if the task is not one of this domain.
    """
    require_own(task, NAME, FAMILIES)
    rules_of, _ = _rules_of(task, seed)
    rules = _rules_for(task, seed)
    deployment = rules.deployment
    rng = random.Random(f"{rules_of}:{task.family}:{task.variation}:{seed}")
    needing = task.family == "needs"
    situations = [
        s for s in sorted(deployment.remedies) if bool(before_of(deployment, s)) == needing
    ]
    service, sign = situation = situations[task.variation % len(situations)]
    remedy, harm = deployment.remedies[situation], deployment.harms[situation]
    before = before_of(deployment, situation)
    name = Names(rng).fresh()
    while f" {name}" in f" {sign}":
        name = Names(rng).fresh()
    diagnostic = rules.diagnostics[service] if task.family == "diagnose" else None
    expected = None if rules.estate is None else alike(rules.estate, situation)
    actual = (remedy, harm, *([before] if before else []))
    offered = _offered(rng, actual, expected, DIAGNOSTICS if diagnostic else ())
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


def _offered(
    rng: random.Random, actual: Sequence[str], expected: Alike | None, more: Sequence[str]
) -> list[str]:
    """Return the actions of an incident in random order: what it takes, what looks like it, and more."""
    # Not sets of texts, whose order differs from process to process.
    if expected is None:
        fixed = [*dict.fromkeys(actual)]
        spare = [action for action in REMEDIES if action not in fixed]
    else:
        fixed = [*dict.fromkeys([*actual, *expected.expected])]
        spare = [action for action in expected.others if action not in fixed]
    offered = [*fixed, *rng.sample(spare, OFFERED - len(fixed)), *more]
    rng.shuffle(offered)
    return offered


class IncidentEnvironment(EngineEnvironment):
    """The environment. Deterministic to the character."""

    name = NAME
    determinism: Determinism = "bitwise"

    def _check(self, task: Task) -> None:
        require_own(task, NAME, FAMILIES)

    def _begin(self, task: Task, seed: int) -> Observation:
        self._incident = incident = draw_incident(task, seed)
        self._voice = _voice_of(task, incident, seed)
        self._waste = 0
        self._is_ready = incident.before is None
        self._is_cleared = False
        return Observation(self._voice.first, goal=self._voice.goal)

    def _act(self, action: str) -> Happened:
        before = self._value()
        event, waste = self._answer(self._incident, self._voice.verb_of(" ".join(action.split())))
        self._waste += waste
        return Happened(self._voice.tell(event), self._value() - before, self._is_cleared)

    def _admissible(self) -> Sequence[str]:
        """Return the actions that are offered, the same throughout an episode."""
        return self._voice.actions

    def _score(self) -> Score:
        """Return 1 for an alert cleared without detours, less a fifth for each wasted step."""
        return Score(self._value(), self._value(), self._is_cleared)

    def _release(self) -> None:
        """There is no engine."""

    def _value(self) -> float:
        return max(0.0, 1 - WASTE * self._waste) if self._is_cleared else 0.0

    def _answer(self, incident: Incident, verb: str | None) -> tuple[Event, int]:
        """Return what comes of a verb, and how many steps it wasted."""
        if verb is None:
            return "unknown", 1
        if verb in DIAGNOSTICS:
            return ("sign", 0) if verb == incident.diagnostic else ("found nothing", 1)
        if verb == incident.remedy:
            if not self._is_ready:
                return "needed", 1
            self._is_cleared = True
            return "cleared", 0
        if verb == incident.before:
            was_ready, self._is_ready = self._is_ready, True
            return "done", int(was_ready)
        return ("worse", HARM) if verb == incident.harm else ("nothing", 1)


class IncidentOracle:
    """Knows the rules."""

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return the shortest way to the end."""
        incident = draw_incident(task, seed)
        said = dict(zip(incident.verbs, _voice_of(task, incident, seed).actions, strict=True))
        verbs = [incident.diagnostic, incident.before, incident.remedy]
        return [said[verb] for verb in verbs if verb]


class IncidentDomain:
    """A hundred deployments: 60 to train on, 20 each for dev and test.

    Args:
        estates: over how many estates they are spread, each of which has some in every split; 0: every
            deployment stands alone.
        voice: how they are told: in controlled English, or naturally, as tickets, chats, logs and monitors do.
        phrasings: of the natural voice, the share of phrases: "train", "eval", or "both", which lists each task in each.
            Default: "train" in the split to train on, "eval" in the others.

    Raises:
        InvalidInput: if there are to be more estates than a split has deployments, or there is no such voice or share.
    """

    name = NAME
    families: Sequence[str] = FAMILIES
    rules_by = "deployment"
    changed_by = CHANGES
    shared_by = ""
    _estates = 0  # of a subclass that does not say

    _told: Mapping[Split, Sequence[dict[str, str]]] = {split: ({},) for split in SPLITS}

    def __init__(self, estates: int | str = 0, voice: str = VOICES[0], phrasings: str = "") -> None:
        if not str(estates).isdecimal() or int(estates) > MOST_ESTATES:
            raise InvalidInput(f"estates is a number from 0 to {MOST_ESTATES}, not {estates!r}")
        self._estates = int(estates)
        if self._estates:
            self.shared_by = ESTATE
        self._told = {split: _told(split, voice, phrasings) for split in SPLITS}

    def make(self) -> IncidentEnvironment:
        """Return a fresh environment."""
        return IncidentEnvironment()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        """Yield the tasks of a split: each deployment's situations, family by family."""
        kinds = families_of(split, family, FAMILIES)
        for deployment in _DEPLOYMENTS[split]:
            rules = {"deployment": deployment}
            if self._estates:
                rules[ESTATE] = deployment % self._estates
            for kind in kinds:
                for variation in range(3 if kind == "needs" else 9):
                    for told in self._told[split]:
                        yield Task(NAME, kind, variation, split, MAX_STEPS, {**rules, **told})

    def oracle(self) -> Oracle:
        """Return what knows the rules."""
        return IncidentOracle()

    def lessons(self, task: Task, *, seed: int) -> Sequence[str]:
        """Return what to do: where the sign is hidden, how to see it and what each sign calls for."""
        incident = draw_incident(task, seed)
        if task.family == "control":
            return ()
        service, say = incident.service, _wording_of(task)
        signs: dict[str | None, str] = {incident.sign: incident.remedy}
        if incident.diagnostic:
            remedies = _rules_for(task, seed).deployment.remedies
            signs = {None: incident.diagnostic}
            signs |= {sign: remedies[of, sign] for of, sign in sorted(remedies) if of == service}
        lessons = [
            Lesson(say.situation(service, sign), "do", say.act(verb, service))
            for sign, verb in signs.items()
        ]
        if incident.before:
            here = say.acting(incident.remedy, service)
            lessons.append(Lesson(here, "needs", say.act(incident.before, service)))
        return [lesson.sentence() for lesson in lessons]

    def bounds(self, family: str) -> Bounds:
        """Return the best expected scores; in `control` nothing can be known before an episode."""
        require_family(family, FAMILIES)
        alone = expected_without_memory(family)
        if family == "control":
            return Bounds(alone, alone)
        return Bounds(alone, 1.0, expected_from_estate(family) if self._estates else None)


def _told(split: Split, voice: str, phrasings: str) -> Sequence[dict[str, str]]:
    """Return the parameters that say how the tasks of a split are told: in each of the shares that is asked for."""
    if voice not in VOICES:
        raise InvalidInput(f"there is no voice {voice!r}; choose {' or '.join(VOICES)}")
    if phrasings not in ("", *SHARES, BOTH):
        raise InvalidInput(
            f"there are no phrasings {phrasings!r}; choose one of {', '.join([*SHARES, BOTH])}"
        )
    if voice == VOICES[0]:
        if phrasings:
            raise InvalidInput(
                f"the controlled voice has one phrase for each thing, so no phrasings {phrasings!r}; "
                "leave them out, or choose the voice natural"
            )
        return ({},)
    usual = "train" if split == "train" else "eval"
    shares = [*SHARES] if phrasings == BOTH else [phrasings or usual]
    return [{VOICE: voice, PHRASINGS: share} for share in shares]


def _wording_of(task: Task) -> type[Wording]:
    """Return how the rules of a task are said. Raises InvalidInput if there is no such voice."""
    voice = task.parameters.get(VOICE, VOICES[0])
    if voice not in _WORDINGS:
        raise InvalidInput(f"{task.id} has no voice of ours; choose {' or '.join(VOICES)}")
    return _WORDINGS[str(voice)]


def _voice_of(task: Task, incident: Incident, seed: int) -> Voice:
    """Return what tells an incident. Raises InvalidInput if there is no such voice, or it has no such phrasings."""
    if _wording_of(task) is Controlled:
        return Controlled(incident)
    share = str(task.parameters.get(PHRASINGS))
    if share not in SHARES:
        raise InvalidInput(
            f"{task.id} is told in the natural voice: it needs phrasings, {' or '.join(SHARES)}"
        )
    # Of the task's name and the seed alone: nothing hidden may be told by which phrase was drawn.
    return Natural(incident, random.Random(f"incidents:told:{task.id}:{seed}"), SHARES[share])


@dataclass(frozen=True, slots=True)
class _Rules:
    """All that is hidden in a deployment."""

    deployment: Deployment
    diagnostics: dict[str, str]  # by kind of service
    estate: Deployment | None = None  # what one expects who knows the others of its estate


def _rules_of(task: Task, seed: int) -> tuple[str, int | None]:
    """Return the name of a task's rules, and the estate that they are of; in `control` they are of none."""
    number = task.parameters.get("deployment", 0)
    if task.family == "control":
        return f"{number}:{seed}", None
    if ESTATE not in task.parameters:
        return f"{number}", None
    estate = int(task.parameters[ESTATE])
    return f"{ESTATE} {estate}:{number}", estate


def _rules_for(task: Task, seed: int) -> _Rules:
    rules_of, estate = _rules_of(task, seed)
    changes = int(task.parameters.get(CHANGES, 0))
    return _changed(rules_of, estate, changes) if changes else _rules(rules_of, estate)


@cache
def _rules(rules_of: str, estate: int | None) -> _Rules:
    if estate is not None:
        shared = estate_rules(estate)
        number = int(rules_of.rpartition(":")[2])
        diagnostics = _diagnostics(random.Random(f"incidents:{ESTATE} {estate}:tools"), shared)
        return _Rules(deployment_of(estate, number), diagnostics, shared)
    rng = random.Random(f"incidents:{rules_of}")
    deployment = make_deployment(rng, Names(rng))
    return _Rules(deployment, _diagnostics(rng, deployment))


def _diagnostics(rng: random.Random, deployment: Deployment) -> dict[str, str]:
    services = sorted({service for service, _ in deployment.remedies})
    return {service: rng.choice(DIAGNOSTICS) for service in services}


@cache
def _changed(rules_of: str, estate: int | None, change: int) -> _Rules:
    """Return the rules after so many changes: other remedies, and another diagnostic for every service.

    Of an estate nothing is left then.
    """
    rules = _rules(rules_of, estate) if change == 1 else _changed(rules_of, estate, change - 1)
    rng = random.Random(f"incidents:{rules_of}:{change}")
    other = {
        service: rng.choice([one for one in DIAGNOSTICS if one != diagnostic])
        for service, diagnostic in rules.diagnostics.items()
    }
    return _Rules(changed_deployment(rng, rules.deployment), other)
