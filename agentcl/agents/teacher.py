"""The teacher: a model that reviews plans, corrects steps, judges episodes, and distils lessons from them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol

from agentcl.agents.demonstrations import DISTILLED, EDITED, EXAMPLES
from agentcl.agents.matching import meant_action
from agentcl.agents.prompts import (
    ABSTRACTIONS,
    ABSTRACTIONS_FORM,
    CONTRASTING,
    CORRECTING,
    CORRECTION,
    CORRECTION_FORM,
    DISTILLING,
    EDITING,
    EDITS,
    EDITS_FORM,
    JUDGEMENT,
    JUDGEMENT_FORM,
    JUDGING,
    LESSONS,
    LESSONS_FORM,
    REVIEW,
    REVIEW_FORM,
    REVIEWING,
    ask_abstractions,
    ask_contrast,
    ask_correction,
    ask_edits,
    ask_judgement,
    ask_lessons,
    ask_review,
)
from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import Situation
from agentcl.errors import InvalidInput, SchemaViolation
from agentcl.lessons import Lesson, folded, read_json
from agentcl.models.base import ChatModel, Sampling, Schema, conversation
from agentcl.models.metered import MeteredModel
from agentcl.models.structured import ask_object, require_checker
from agentcl.models.tuned import UNTUNED, Asking, asking_of
from agentcl.store.episodes import Level
from agentcl.store.usage import Usage
from agentcl.text.escaping import Prompt, unescape

_Form = tuple[Schema, Schema]  # what a server is asked for, and what an answer has to fit

# Above it a judge's score is missing: the threshold at which ATLAS asks a stronger judge.
_UNSURE: Final = 0.3
COPIED: Final = "was copied from our example"
_WHEN: Final = re.compile(r"^when\s+", re.IGNORECASE)
_MOST: Final = 8  # lessons of one answer; what comes after them is dropped


@dataclass(frozen=True, slots=True)
class Review:
    """A plan as it is to be followed."""

    plan: str
    is_changed: bool
    usage: Usage
    problem: str = ""  # why the plan was left as it was, where the answer could not be used


@dataclass(frozen=True, slots=True)
class Correction:
    """An action as it is to be taken."""

    action: str
    reason: str
    usage: Usage
    problem: str = ""  # why the action was left as it was, where the answer could not be used


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well an episode went."""

    score: float | None  # from 0 to 1; None: nobody knows, which is not a zero
    reason: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Distilled:
    """What an episode teaches, in the teacher's opinion; evidence decides what becomes of it."""

    lessons: tuple[Lesson, ...]
    usage: Usage
    levels: tuple[Level, ...] = ()  # how general each lesson is; "family" where that was not said
    problem: str = ""  # what could not be used of the answer, and why


@dataclass(frozen=True, slots=True)
class Edited:
    """What becomes of proposed lessons."""

    lessons: tuple[Lesson | None, ...]  # in the order in which they were proposed; None: refused
    usage: Usage
    problem: str = (
        ""  # what could not be used of the answer, and why; such lessons stay as proposed
    )


class Editor(Protocol):
    """Words lessons that were proposed, or refuses them; `Teacher` does."""

    def edit(
        self,
        transcript: Transcript,
        lessons: Sequence[Lesson],
        *,
        contrast: Transcript | None = None,
    ) -> Edited:
        """Return what becomes of each lesson that was proposed of an episode, and of another one beside it.

        An answer that cannot be used leaves them as they are; it never raises.

        Raises:
            ModelUnavailable: if the model cannot be asked.
        """
        ...


class Distiller(Protocol):
    """Draws lessons from episodes."""

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return what an episode teaches, given another of its kind that went otherwise.

        An answer that cannot be used gives no lessons and says so; it never raises.

        Raises:
            ModelUnavailable: if the model cannot be asked.
        """
        ...


class Teacher:
    """A model that looks on; the student's own or another one.

    Each verb is one call, and one more if the answer cannot be read. An answer that still cannot be read
    changes nothing: the plan and the action stay, the score is missing, and there are no lessons.

    Args:
        model: who is asked.
        instructions: said as the system's message before it distils; empty for a model that was trained on
            the form, which is then asked exactly `prompts.ask_lessons`, also where there is a contrast.
            Default: what `prompts` has for one episode and for two.
        examples: records with their lessons, from 0 to 3, that it is shown before it distils one episode; none with
            instructions of one's own. Default: as many as `agentcl model tune` found best for these very weights, else 1.
        is_constrained: whether the server holds its answers to their schema. Default: likewise, else it does.
        max_tokens: of one answer.
        recent: last steps of an episode that a prompt shows.

    Raises:
        MissingExtra: if answers cannot be checked: `jsonschema` is not installed.
        InvalidInput: if there are not so many examples.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        instructions: str | None = None,
        examples: int | None = None,
        is_constrained: bool | None = None,
        max_tokens: int = 512,
        recent: int = 30,
    ) -> None:
        require_checker()
        if examples is not None and not 0 <= examples <= len(DISTILLED):
            raise InvalidInput(f"there are 0 to {len(DISTILLED)} examples, and not {examples}")
        self.model = model
        self._examples, self._is_constrained = examples, is_constrained
        self._instructions = instructions
        self._sampling = Sampling(max_tokens=max_tokens)
        self._recent = recent

    def review(self, situation: Situation, plan: str) -> Review:
        """Return the plan to follow: `plan`, or a better one. Raises ModelUnavailable."""
        prompt = ask_review(situation, plan, recent=self._recent)
        value, usage, problem = self._ask(REVIEWING, prompt, (REVIEW, REVIEW_FORM))
        better = value["plan"].strip() if value else ""
        if not better:
            return Review(plan, False, usage, problem or "the plan that came back was empty")
        return Review(better, better.split() != plan.split(), usage)

    def correct(self, situation: Situation, action: str) -> Correction:
        """Return the action to take: `action`, or an admissible one that is better.

        Raises:
            ModelUnavailable: if the model cannot be asked.
        """
        prompt = ask_correction(situation, action, recent=self._recent)
        value, usage, problem = self._ask(CORRECTING, prompt, (CORRECTION, CORRECTION_FORM))
        if not value:
            return Correction(action, "", usage, problem)
        said, reason = unescape(value["action"].strip(), seen_in=prompt), value["reason"].strip()
        better = said if situation.actions is None else meant_action(said, situation.actions)
        if not better:
            return Correction(action, reason, usage, f"{said!r} is no action that can be taken")
        return Correction(better, reason, usage)

    def judge(self, transcript: Transcript) -> Judgement:
        """Return how well an episode went; no score where the judge is unsure. Raises ModelUnavailable."""
        prompt = ask_judgement(transcript, recent=self._recent)
        value, usage, problem = self._ask(JUDGING, prompt, (JUDGEMENT, JUDGEMENT_FORM))
        if not value:
            return Judgement(None, problem, usage)
        score, uncertainty = float(value["score"]), float(value["uncertainty"])
        # JSON as Python reads it has NaN, which is within any bounds of a schema.
        is_known = math.isfinite(score) and uncertainty <= _UNSURE
        return Judgement(score if is_known else None, value["reason"].strip(), usage)

    def distil(self, transcript: Transcript, *, contrast: Transcript | None = None) -> Distilled:
        """Return what an episode teaches, as causal abstractions in the forms of CLIN.

        With a contrast of another score the better of the two is shown as the good one. A hedge ("may",
        "should") is not taken from the teacher: how sure a lesson is follows from evidence.

        Raises:
            ModelUnavailable: if the model cannot be asked.
        """
        instructions, prompt, form = self._distillation(transcript, contrast)
        shown = DISTILLED[: self._asking.examples] if instructions == DISTILLING else ()
        value, usage, problem = self._ask(instructions, prompt, form, shown)
        if not value:
            return Distilled((), usage, problem=problem)
        lessons: dict[Lesson, Level] = {}
        problems = [problem] if problem else []
        for one in value["guidance"]:
            try:
                lesson = read_json(one)
            except InvalidInput as error:
                problems.append(str(error))
                continue
            if copied := _copied(lesson, prompt):
                problems.append(f"a lesson of a {copied} {COPIED}")
                continue
            if len(lessons) == _MOST and lesson not in lessons:
                problems.append(f"only the first {_MOST} lessons of one answer count")
                break
            lessons.setdefault(lesson, one.get("level", "family"))
        return Distilled(tuple(lessons), usage, tuple(lessons.values()), "; ".join(problems))

    def edit(
        self,
        transcript: Transcript,
        lessons: Sequence[Lesson],
        *,
        contrast: Transcript | None = None,
    ) -> Edited:
        """Return lessons that were proposed of an episode with their situation in other words, or refused.

        What was done and what came of it is the record's: only the situation is taken from the model. Of "needs" that is an
        action, and stays too. A lesson that the answer does not speak of stays as it was proposed.

        Raises:
            ModelUnavailable: if the model cannot be asked.
        """
        prompt = ask_edits(transcript, lessons, recent=self._recent, contrast=contrast)
        value, usage, problem = self._ask(EDITING, prompt, (EDITS, EDITS_FORM), EDITED)
        said = {one["number"]: one for one in value["lessons"]} if value else {}
        found, problems = list[Lesson | None](), [problem] if problem else []
        for number, lesson in enumerate(lessons, 1):
            one = said.get(number, {"keep": True})
            when = _clause(one.get("when", "")) if lesson.claim != "needs" else ""
            worded = replace(lesson, when=when) if when else lesson
            if copied := _copied(worded, prompt):
                problems.append(f"the situation of a {copied} {COPIED}")
                worded = lesson
            found.append(worded if one["keep"] else None)
        return Edited(tuple(found), usage, "; ".join(problems))

    @cached_property
    def _asking(self) -> Asking:
        """How the model is asked, where that is not said."""
        examples, is_constrained = self._examples, self._is_constrained
        is_said = examples is not None and is_constrained is not None
        known = UNTUNED if is_said or self._instructions == "" else asking_of(self.model)
        return replace(
            known,
            examples=known.examples if examples is None else examples,
            is_constrained=known.is_constrained if is_constrained is None else is_constrained,
        )

    def _distillation(
        self, transcript: Transcript, contrast: Transcript | None
    ) -> tuple[str, Prompt, _Form]:
        """Return the instructions, the prompt and the schemas of a distillation."""
        if self._instructions == "":
            steps = transcript.steps[-self._recent :]
            prompt = ask_lessons(goal=transcript.goal, scene=transcript.first, history=steps)
            return "", prompt, (LESSONS, LESSONS_FORM)
        pair = _ordered(transcript, contrast)
        if pair is None:
            prompt = ask_abstractions(transcript, recent=self._recent)
            return self._instructions or DISTILLING, prompt, (ABSTRACTIONS, ABSTRACTIONS_FORM)
        prompt = ask_contrast(*pair, recent=self._recent)
        return self._instructions or CONTRASTING, prompt, (ABSTRACTIONS, ABSTRACTIONS_FORM)

    def _ask(
        self, instructions: str, prompt: Prompt, form: _Form, shown: Sequence[tuple[str, str]] = ()
    ) -> tuple[Mapping[str, Any] | None, Usage, str]:
        """Return the object, or None, with what it took and what could not be used."""
        schema, accept = form
        model = MeteredModel(self.model)
        messages = conversation(instructions, prompt, shown)
        try:
            reply = ask_object(
                model,
                messages,
                schema=schema,
                sampling=self._sampling,
                accept=accept,
                is_partial=True,
                is_constrained=self._asking.is_constrained,
            )
        except SchemaViolation as error:
            return None, model.usage, str(error)
        left_out = f"{reply.dropped} parts of the answer did not fit its schema"
        return reply.value, model.usage, left_out if reply.dropped else ""


def _ordered(one: Transcript, other: Transcript | None) -> tuple[Transcript, Transcript] | None:
    """Return the better and the worse of two; None if nobody knows which is which."""
    if other is None or one.score is None or other.score is None or one.score == other.score:
        return None
    return (one, other) if one.score > other.score else (other, one)


def _clause(when: str) -> str:
    """Return a situation without what a sentence begins and ends with."""
    return _WHEN.sub("", when.strip(), count=1).rstrip(" .,;:!?")


def _copied(lesson: Lesson, prompt: Prompt) -> str:
    """Return which thing of our examples a lesson is of that its record does not speak of; empty if none."""
    said, record = set(folded(lesson.sentence()).split()), set(folded(prompt).split())
    return min(said & EXAMPLES - record, default="")
