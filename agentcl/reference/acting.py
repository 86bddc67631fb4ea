"""Acting skills: choose an admissible action under guidance, and write guidance from an episode."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.envs.deployments import (
    CLEARED,
    DONE,
    NOTHING,
    REMEDIES,
    SERVICES,
    WORSE,
    Deployment,
    make_deployment,
)
from agentcl.envs.names import Names
from agentcl.lessons import Claim
from agentcl.reference.examples import Example, Turn

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
    if "none" not in kinds:
        told += _other_lessons(rng, world, situations, max(0, lessons - len(told)))
    rng.shuffle(told)
    for chosen, situation in zip(kinds, situations, strict=True):
        asked.append(_situation(rng, names, world, situation, told, chosen, actions))
    lines = [f"- {_phrase(rng, lesson, held_out=held_out)}" for lesson in told]
    context = "\n".join(["Guidance:", *lines]) if lines else ""
    return Example(context, tuple(asked))


_KINDS: Final = ("applicable",) * 3 + ("none",) + ("misleading",) * 3


def write_guidance(rng: random.Random, *, held_out: bool = False) -> Example:
    """Return the record of an episode, and the guidance that it teaches."""
    names = Names(rng, held_out=held_out)
    world = make_deployment(rng, names)
    (service, sign) = rng.choice(sorted(world.remedies))
    remedy, harm = world.remedies[service, sign], world.harms[service, sign]
    name = names.fresh()
    lessons: list[Lesson] = []
    steps: list[str] = []
    before = world.needs.get((service, remedy))
    tried = [a for a in rng.sample(REMEDIES, 3) if a not in (remedy, harm, before)][
        : rng.randint(0, 2)
    ]
    wrong = [(action, "useless", NOTHING) for action in tried]
    if rng.random() < 0.4:
        wrong.append((harm, "avoid", WORSE))
    rng.shuffle(wrong)
    for action, claim, result in wrong:
        steps.append(f"{action} {name}: {result}")
        lessons.append(Lesson(service, sign, claim, action))  # type: ignore[arg-type]
    if rng.random() < 0.8 or not steps:
        if before:
            steps += [f"{remedy} {name}: {before} it before", f"{before} {name}: {DONE}"]
            lessons.append(Lesson(service, remedy, "needs", before))
        steps.append(f"{remedy} {name}: {CLEARED}")
        lessons.append(Lesson(service, sign, "do", remedy))
    text = "\n".join(f"{i}. {step}." for i, step in enumerate(steps, 1))
    answer = json.dumps({"guidance": [lesson.to_json() for lesson in lessons]})
    return Example(
        f"Episode:\nGoal: clear the alert of {name}.\nObservation: The {service} {name} {sign}.\n{text}",
        (Turn("guidance", WRITE, answer),),
    )


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


def _situation(
    rng: random.Random,
    names: Names,
    world: Deployment,
    situation: tuple[str, str],
    told: Sequence[Lesson],
    kind: str,
    actions: int,
) -> Turn:
    service, sign = situation
    name, bystander = names.fresh(), names.fresh()
    remedy, harm = world.remedies[situation], world.harms[situation]
    before = world.needs.get((service, remedy))
    suggested = {lesson.action for lesson in told if lesson.claim == "do"}
    misled = {
        lesson.action
        for lesson in told
        if lesson.claim == "do" and (lesson.service == service or lesson.sign == sign)
    } - {remedy}
    offered = {remedy, *([before] if before else []), *sorted(misled)[:2]}
    spare = [action for action in REMEDIES if action not in offered | suggested]
    rng.shuffle(spare)
    if harm in spare and rng.random() < 0.5:
        spare.remove(harm)
        spare.insert(0, harm)
    offered |= set(spare[: max(0, actions - len(offered))])
    history, tried, is_ready = _history(rng, name, offered, remedy, harm, before)
    admissible = [f"{action} {name}" for action in sorted(offered)]
    if rng.random() < 0.5:
        admissible.append(f"{rng.choice(sorted(offered))} {bystander}")
        scene = f"The {service} {name} {sign}. The {rng.choice(SERVICES)} {bystander} is well."
    else:
        scene = f"The {service} {name} {sign}."
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
    ask = [f"Goal: clear the alert of {name}.", f"Observation: {scene}"]
    if history:
        ask += ["History:", *(f"{i}. {line}." for i, line in enumerate(history, 1))]
    ask += [f"Actions: {'; '.join(admissible)}.", CHOOSE]
    return Turn(
        "action",
        "\n".join(ask),
        f"{reason} Answer: {rng.choice(right)} {name}",
        {
            "kind": kind if is_ready is None else "history",
            "right": f"{before if before and is_ready is not True and knows_need else remedy} {name}",
            "admissible": admissible,
            "misled": sorted(f"{action} {name}" for action in misled),
            "chance": 1 / len(offered - tried),
        },
    )


def _history(
    rng: random.Random, name: str, offered: set[str], remedy: str, harm: str, before: str | None
) -> tuple[list[str], set[str], bool | None]:
    """Steps taken before, what was tried in vain, and whether the need is known from them.

    The last is None when the history does not show the remedy, False when it showed what has to come
    before, True when that has been done.
    """
    steps: list[str] = []
    tried: set[str] = set()
    vain = sorted(offered - {remedy, before or ""})
    for action in rng.sample(vain, min(len(vain), rng.choice((0, 0, 1, 1, 2)))):
        tried.add(action)
        steps.append(f"{action} {name}: {WORSE if action == harm else NOTHING}")
    if before and before in offered and rng.random() < 0.3:
        steps.append(f"{remedy} {name}: {before} it before")
        if rng.random() < 0.5:
            steps.append(f"{before} {name}: {DONE}")
            return steps, tried, True
        return steps, tried, False
    return steps, tried, None


def _phrase(rng: random.Random, lesson: Lesson, *, held_out: bool) -> str:
    forms = _FORMS[lesson.claim]
    key = SERVICES.index(lesson.service) + REMEDIES.index(lesson.action)
    fold = [form for number, form in enumerate(forms) if (key + 2 * number) % _FOLDS == 0]
    chosen = [form for form in forms if (form in fold) == held_out] or list(forms[:1])
    return lesson.sentence(rng.choice(chosen))
