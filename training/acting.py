"""Acting skills: choose an admissible action under guidance, and write guidance from an episode."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.envs.domains.incidents.deployments import (
    CLEARED,
    DIAGNOSTICS,
    DONE,
    FOUND_NOTHING,
    HIDDEN,
    NOTHING,
    REMEDIES,
    SERVICES,
    WORSE,
    Deployment,
    make_deployment,
)
from agentcl.envs.names import Names
from agentcl.lessons import Claim
from training.examples import Example, Turn

NO_GUIDANCE: Final = "When a {k} {s}, no guidance applies."
CHOOSE: Final = "Next action?"
WRITE: Final = "Write guidance as JSON."

_FORMS: Final[dict[Claim, tuple[str, ...]]] = {
    "do": (
        "When a {k} {s}, {v} it.",
        "If a {k} {s}, {v} it.",
        "To help a {k} that {s}, {v} it.",
        "A {k} that {s}: {v} it.",
    ),
    "avoid": (
        "When a {k} {s}, do not {v} it.",
        "If a {k} {s}, do not {v} it.",
        "A {k} that {s}: do not {v} it.",
    ),
    "useless": (
        "When a {k} {s}, it does not help to {v} it.",
        "If a {k} {s}, it does not help to {v} it.",
        "A {k} that {s}: it does not help to {v} it.",
    ),
    "needs": (
        "Before you {v} a {k}, {w} it.",
        "If you {v} a {k}, {w} it before.",
        "To {v} a {k}, {w} it before.",
    ),
}
_FOLDS: Final = 5  # one phrasing of a situation in five is held out


@dataclass(frozen=True, slots=True)
class Lesson:
    """One piece of guidance about a kind of service in some state.

    In JSON: {"when": "a queue is slow", "claim": "do", "what": "drain it"}; the claim "needs" has
    {"when": "you drain a queue", "claim": "needs", "what": "pause it"}.
    """

    service: str
    sign: str  # "is slow", "raises Tavon"; for "needs": the action that needs another before it
    claim: Claim
    action: str

    def to_json(self) -> dict[str, str]:
        """Return the lesson as a model writes it."""
        when = (
            f"you {self.sign} a {self.service}"
            if self.claim == "needs"
            else f"a {self.service} {self.sign}"
        )
        return {"when": when, "claim": self.claim, "what": f"{self.action} it"}

    def sentence(self, form: str | None = None) -> str:
        """Return the lesson as it stands in a prompt."""
        form = form or _FORMS[self.claim][0]
        if self.claim == "needs":
            return form.format(k=self.service, v=self.sign, w=self.action)
        return form.format(k=self.service, s=self.sign, v=self.action)


def choose_action(
    rng: random.Random,
    *,
    turns: int = 2,
    lessons: int = 4,
    actions: int = 4,
    kind: str | None = None,
    needing: float = 0.0,
    hidden: float = 0.0,
    crowded: float = 0.0,
    held_out: bool = False,
) -> Example:
    """Return guidance, and situations in which the next action is chosen.

    Args:
        rng: where chance comes from.
        turns: how many situations stand under the same guidance.
        lessons: how many lessons the prompt holds at most.
        actions: how many actions are offered for the service.
        kind: "applicable", "none" or "misleading" guidance for every situation; default: any.
        needing: how often the first situation is one whose remedy needs another action before it.
        hidden: how often a situation is one whose sign has to be found with a diagnostic first.
        crowded: how often a situation is as one meets it who learns from failures: several lessons tell
            what does not help, and much was tried before.
        held_out: names and phrasings that training never draws.
    """
    names = Names(rng, held_out=held_out)
    world = make_deployment(rng, names)
    kinds = [kind or rng.choice(_KINDS) for _ in range(turns)]
    if "none" in kinds:
        kinds = ["none"] * turns
    situations = rng.sample(sorted(world.remedies), turns)
    if needing and rng.random() < needing:
        with_need = [s for s, act in sorted(world.remedies.items()) if (s[0], act) in world.needs]
        first = rng.choice(with_need)
        situations = [first, *[s for s in situations if s != first][: turns - 1]]
    told: list[Lesson] = []
    asked = []
    for chosen, situation in zip(kinds, situations, strict=True):
        told += _lessons(rng, world, situation, chosen)
    diagnostics = _diagnostics(rng, world) if hidden else {}
    is_hidden = [rng.random() < hidden if hidden else False for _ in situations]
    told += _diagnosing_lessons(rng, diagnostics, situations, kinds, is_hidden)
    if "none" not in kinds:
        told += _other_lessons(rng, world, situations, max(0, lessons - len(told)))
    is_crowded = bool(crowded) and rng.random() < crowded
    if is_crowded:
        told += _vain_lessons(rng, world, situations)
    rng.shuffle(told)
    for chosen, situation, unseen in zip(kinds, situations, is_hidden, strict=True):
        met = _Met(rng, names, world, situation, told, actions, is_crowded)
        diagnostic = diagnostics[situation[0]] if unseen else None
        if diagnostic and rng.random() < 0.5:
            asked.append(_undiagnosed(met, diagnostic))
        else:
            asked.append(_situation(met, chosen, diagnostic))
    lines = [f"- {_phrase(rng, lesson, held_out=held_out)}" for lesson in told]
    context = "\n".join(["Guidance:", *lines]) if lines else ""
    return Example(context, tuple(asked))


_KINDS: Final = ("applicable",) * 3 + ("none",) + ("misleading",) * 3


def write_guidance(
    rng: random.Random, *, hidden: float = 0.0, crowded: float = 0.0, held_out: bool = False
) -> Example:
    """Return the record of an episode, and the guidance that it teaches.

    Args:
        rng: where chance comes from.
        hidden: how often the sign is found with a diagnostic on the way.
        crowded: how often much is tried in vain, some of it twice.
        held_out: names that training never draws.
    """
    names = Names(rng, held_out=held_out)
    world = make_deployment(rng, names)
    (service, sign) = rng.choice(sorted(world.remedies))
    remedy, harm = world.remedies[service, sign], world.harms[service, sign]
    name = names.fresh()
    lessons: list[Lesson] = []
    steps: list[str] = []
    before = world.needs.get((service, remedy))
    is_crowded = bool(crowded) and rng.random() < crowded
    drawn, most = (6, 5) if is_crowded else (3, 2)
    tried = [a for a in rng.sample(REMEDIES, drawn) if a not in (remedy, harm, before)][
        : rng.randint(0, most)
    ]
    wrong = [(action, "useless", NOTHING) for action in tried]
    if rng.random() < 0.4:
        wrong.append((harm, "avoid", WORSE))
    rng.shuffle(wrong)
    for action, claim, result in wrong:
        steps.append(f"{action} {name}: {result}")
        lessons.append(Lesson(service, sign, claim, action))  # type: ignore[arg-type]
    if is_crowded:
        steps = _wandering(rng, steps)
    if rng.random() < 0.8 or not steps:
        if before:
            steps += [f"{remedy} {name}: {before} it before", f"{before} {name}: {DONE}"]
            lessons.append(Lesson(service, remedy, "needs", before))
        steps.append(f"{remedy} {name}: {CLEARED}")
        lessons.append(Lesson(service, sign, "do", remedy))
    seen = sign
    if hidden and rng.random() < hidden:
        seen = HIDDEN
        diagnostic = rng.choice(DIAGNOSTICS)
        found, taught = _diagnosis(rng, name, (service, sign), diagnostic, is_long=is_crowded)
        steps, lessons = found + steps, taught + lessons
    text = "\n".join(f"{i}. {step}." for i, step in enumerate(steps, 1))
    answer = json.dumps({"guidance": [lesson.to_json() for lesson in lessons]})
    return Example(
        f"Episode:\nGoal: clear the alert of {name}.\nObservation: The {service} {name} {seen}.\n{text}",
        (Turn("guidance", WRITE, answer),),
    )


def _diagnosis(
    rng: random.Random, name: str, situation: tuple[str, str], diagnostic: str, *, is_long: bool
) -> tuple[list[str], list[Lesson]]:
    """Return the steps to a sign that was not seen at first, and what they teach."""
    service, sign = situation
    others = [action for action in DIAGNOSTICS if action != diagnostic]
    vain = rng.sample(others, rng.randint(0, 3 if is_long else 2))
    steps = [f"{action} {name}: {FOUND_NOTHING}" for action in vain]
    if is_long:
        steps = _wandering(rng, steps)
    lessons = [Lesson(service, HIDDEN, "useless", action) for action in vain]
    steps.append(f"{diagnostic} {name}: the {service} {name} {sign}")
    return steps, [*lessons, Lesson(service, HIDDEN, "do", diagnostic)]


def _diagnostics(rng: random.Random, world: Deployment) -> dict[str, str]:
    """Return what shows the sign, by kind of service."""
    services = dict.fromkeys(service for service, _ in world.remedies)
    return {service: rng.choice(DIAGNOSTICS) for service in services}


def _diagnosing_lessons(
    rng: random.Random,
    diagnostics: dict[str, str],
    situations: Sequence[tuple[str, str]],
    kinds: Sequence[str],
    is_hidden: Sequence[bool],
) -> list[Lesson]:
    """What the prompt says about finding signs: of services whose sign is hidden, and of others."""
    if not any(is_hidden) or "none" in kinds:
        return []
    told: dict[str, Lesson] = {}
    for (service, _), chosen, unseen in zip(situations, kinds, is_hidden, strict=True):
        if unseen and chosen == "applicable" and rng.random() < 0.7:
            told[service] = Lesson(service, HIDDEN, "do", diagnostics[service])
        elif unseen and rng.random() < 0.3:
            vain = rng.choice([one for one in DIAGNOSTICS if one != diagnostics[service]])
            told[service] = Lesson(service, HIDDEN, "useless", vain)
    other = rng.choice(sorted(diagnostics))
    if other not in {service for service, _ in situations}:
        told[other] = Lesson(other, HIDDEN, "do", diagnostics[other])
    return list(told.values())


def _lessons(
    rng: random.Random, world: Deployment, situation: tuple[str, str], kind: str
) -> list[Lesson]:
    """What the prompt says that bears on a situation, or seems to."""
    service, sign = situation
    remedy = world.remedies[situation]
    if kind == "applicable":
        told = [Lesson(service, sign, "do", remedy)]
        if (service, remedy) in world.needs:
            told.append(Lesson(service, remedy, "needs", world.needs[service, remedy]))
        return told
    if kind == "misleading":
        near = [s for s in world.remedies if (s[0] == service) != (s[1] == sign)]
        other = rng.choice(sorted(near))
        return [Lesson(*other, "do", world.remedies[other])]
    return []


def _other_lessons(
    rng: random.Random, world: Deployment, situations: Sequence[tuple[str, str]], count: int
) -> list[Lesson]:
    """Lessons on other situations, and what harms in these."""
    others = [s for s in sorted(world.remedies) if s not in situations]
    told: list[Lesson] = []
    for other in rng.sample(others, rng.randint(0, min(count, len(others)))):
        if rng.random() < 0.7:
            told.append(Lesson(*other, "do", world.remedies[other]))
        else:
            told.append(Lesson(*other, rng.choice(("avoid", "useless")), world.harms[other]))
    for situation in situations:
        if rng.random() < 0.3:
            told.append(Lesson(*situation, "avoid", world.harms[situation]))
    return told


def _vain_lessons(
    rng: random.Random, world: Deployment, situations: Sequence[tuple[str, str]]
) -> list[Lesson]:
    """What does not help in the situations, or harms: for each several things."""
    told: list[Lesson] = []
    for situation in situations:
        helps = {
            world.remedies[situation],
            world.needs.get((situation[0], world.remedies[situation])),
        }
        vain = [action for action in REMEDIES if action not in helps]
        told += [
            Lesson(*situation, rng.choice(("useless", "useless", "avoid")), action)
            for action in rng.sample(vain, rng.randint(0, 4))
            if action != world.harms[situation]
        ]
    return told


@dataclass(frozen=True, slots=True)
class _Met:
    """What a situation is made from."""

    rng: random.Random
    names: Names
    world: Deployment
    situation: tuple[str, str]
    told: Sequence[Lesson]
    actions: int
    is_crowded: bool


def _situation(met: _Met, kind: str, diagnostic: str | None) -> Turn:
    """Return a situation; with a diagnostic, one whose sign that has just shown."""
    rng, world, situation, told = met.rng, met.world, met.situation, met.told
    service, sign = situation
    name, bystander = met.names.fresh(), met.names.fresh()
    remedy, harm = world.remedies[situation], world.harms[situation]
    before = world.needs.get((service, remedy))
    suggested = {x.action for x in told if x.claim == "do"}
    misled = {
        x.action
        for x in told
        if x.claim == "do" and x.sign != HIDDEN and (x.service == service or x.sign == sign)
    } - {remedy}
    offered = {remedy, *([before] if before else []), *sorted(misled)[:2]}
    spare = [action for action in REMEDIES if action not in offered | suggested]
    rng.shuffle(spare)
    if harm in spare and rng.random() < 0.5:
        spare.remove(harm)
        spare.insert(0, harm)
    offered |= set(spare[: max(0, met.actions - len(offered))])
    history, tried, is_ready = _history(met, name, offered, remedy, harm, before)
    admissible = [f"{action} {name}" for action in sorted(offered)]
    seen = sign
    if diagnostic:
        seen = HIDDEN
        found, _ = _diagnosis(rng, name, situation, diagnostic, is_long=met.is_crowded)
        history = found + history
        admissible += [f"{action} {name}" for action in DIAGNOSTICS]
    if rng.random() < 0.5:
        admissible.append(f"{rng.choice(sorted(offered))} {bystander}")
        scene = f"The {service} {name} {seen}. The {rng.choice(SERVICES)} {bystander} is well."
    else:
        scene = f"The {service} {name} {seen}."
    rng.shuffle(admissible)
    forbidden = {
        lesson.action
        for lesson in told
        if (lesson.service, lesson.sign) == situation and lesson.claim in ("avoid", "useless")
    }
    knows_need = any(
        lesson.claim == "needs" and lesson.service == service and lesson.sign == remedy
        for lesson in told
    )
    is_told = any((x.service, x.sign, x.claim) == (service, sign, "do") for x in told)
    if is_told or is_ready is not None:
        needs_first = before is not None and not is_ready and (knows_need or is_ready is False)
        right = [before if needs_first and before else remedy]
    else:
        right = sorted(offered - tried - forbidden - misled) or sorted(offered - tried)
    thoughts = [Lesson(service, sign, "do", remedy)] if is_told else []
    if before and (knows_need or is_ready is not None):
        thoughts.append(Lesson(service, remedy, "needs", before))
    if not thoughts:
        thoughts = [x for x in told if x.action in forbidden & offered and x.sign == sign]
        thoughts = [x for x in thoughts if x.service == service and x.claim in ("avoid", "useless")]
    # The situation is said before whether anything applies to it: then that is a look-up like any other.
    # To begin with "No guidance" a model has to compare every lesson with two things at once.
    reason = " ".join(lesson.sentence() for lesson in thoughts)
    reason = reason or NO_GUIDANCE.format(k=service, s=sign)
    about = {
        "kind": kind if is_ready is None else "history",
        "right": f"{before if before and is_ready is not True and knows_need else remedy} {name}",
        "admissible": admissible,
        "misled": sorted(f"{action} {name}" for action in misled),
        "chance": 1 / len(offered - tried),
    }
    if diagnostic:
        about["kind"] = "hidden" if is_told else "shown"
    ask = _ask(name, scene, history, admissible)
    return Turn("action", ask, f"{reason} Answer: {rng.choice(right)} {name}", about)


def _undiagnosed(met: _Met, diagnostic: str) -> Turn:
    """Return a situation whose sign has not been found yet: it is looked for before anything is tried."""
    rng, service, name = met.rng, met.situation[0], met.names.fresh()
    remedy = met.world.remedies[met.situation]
    offered = [remedy, *rng.sample([a for a in REMEDIES if a != remedy], met.actions - 1)]
    here = [x for x in met.told if x.service == service and x.sign == HIDDEN]
    is_told = any(x.claim == "do" for x in here)
    vain = {x.action for x in here if x.claim == "useless"}
    most = (1, 2, 3, 3) if met.is_crowded else (0, 0, 1, 2)
    looked = rng.sample([a for a in DIAGNOSTICS if a != diagnostic], rng.choice(most))
    history = [f"{action} {name}: {FOUND_NOTHING}" for action in looked]
    if met.is_crowded:
        history = _wandering(rng, history)
    unlikely = {*vain, *looked}
    right = [diagnostic] if is_told else [a for a in DIAGNOSTICS if a not in unlikely]
    admissible = [f"{action} {name}" for action in [*offered, *DIAGNOSTICS]]
    rng.shuffle(admissible)
    reason = " ".join(x.sentence() for x in here) or NO_GUIDANCE.format(k=service, s=HIDDEN)
    about = {
        "kind": "hidden" if is_told else "unknown",
        "right": f"{diagnostic} {name}",
        "admissible": admissible,
        "misled": [],
        "chance": 1 / len(right),
    }
    ask = _ask(name, f"The {service} {name} {HIDDEN}.", history, admissible)
    return Turn("action", ask, f"{reason} Answer: {rng.choice(right)} {name}", about)


def _ask(name: str, scene: str, history: Sequence[str], admissible: Sequence[str]) -> str:
    """Return what is asked in a situation."""
    ask = [f"Goal: clear the alert of {name}.", f"Observation: {scene}"]
    if history:
        ask += ["History:", *(f"{i}. {line}." for i, line in enumerate(history, 1))]
    return "\n".join([*ask, f"Actions: {'; '.join(admissible)}.", CHOOSE])


def _history(
    met: _Met, name: str, offered: set[str], remedy: str, harm: str, before: str | None
) -> tuple[list[str], set[str], bool | None]:
    """Steps taken before, what was tried in vain, and whether the need is known from them.

    The last is None when the history does not show the remedy, False when it showed what has to come
    before, True when that has been done.
    """
    rng = met.rng
    vain = sorted(offered - {remedy, before or ""})
    most = rng.randint(0, len(vain)) if met.is_crowded else rng.choice((0, 0, 1, 1, 2))
    tried = rng.sample(vain, min(len(vain), most))
    steps = [f"{action} {name}: {WORSE if action == harm else NOTHING}" for action in tried]
    if met.is_crowded:
        steps = _wandering(rng, steps)
    if before and before in offered and rng.random() < 0.3:
        steps.append(f"{remedy} {name}: {before} it before")
        if rng.random() < 0.5:
            steps.append(f"{before} {name}: {DONE}")
            return steps, set(tried), True
        return steps, set(tried), False
    return steps, set(tried), None


def _wandering(rng: random.Random, steps: Sequence[str]) -> list[str]:
    """Return the steps as one takes them who forgets what was tried: some of them twice."""
    again = [step for step in steps if rng.random() < 0.15]
    return [*steps, *again]


def _phrase(rng: random.Random, lesson: Lesson, *, held_out: bool) -> str:
    forms = _FORMS[lesson.claim]
    key = SERVICES.index(lesson.service) + (*REMEDIES, *DIAGNOSTICS).index(lesson.action)
    fold = [form for number, form in enumerate(forms) if (key + 2 * number) % _FOLDS == 0]
    chosen = [form for form in forms if (form in fold) == held_out] or list(forms[:1])
    return lesson.sentence(rng.choice(chosen))
