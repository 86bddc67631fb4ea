"""Measuring how a model is best asked: the probes in every form, and what is chosen by them.

    found = tune(model)
    remember_asking(found.fingerprint, found.asking, model=model.name)

What is measured is what is used: `Student` and `Teacher` ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final, TypeVar

from agentcl.agents.demonstrations import DISTILLED
from agentcl.agents.forms import FORMS
from agentcl.agents.outcomes import OutcomeTeacher
from agentcl.agents.probes import (
    CALLING,
    CONDITIONS,
    DECIDING,
    RECORD,
    RECORDING,
    TOOL,
    Condition,
    FollowingCase,
    ReadingCase,
    RecordCase,
    WritingCase,
    ask_call,
    ask_record,
    following,
    reading,
    record,
    writing,
)
from agentcl.agents.prompts import READING, ask_answer
from agentcl.agents.student import FIRST_TOKEN, Student
from agentcl.agents.teacher import COPIED, Teacher
from agentcl.agents.tool_prompts import calls_in
from agentcl.errors import InvalidInput, ModelChanged, NoAnswer, RequestRefused, SchemaViolation
from agentcl.models.base import (
    GREEDY,
    ChatModel,
    Message,
    Reply,
    Sampling,
    Schema,
    ToolCall,
    conversation,
)
from agentcl.models.metered import MeteredModel
from agentcl.models.structured import ask_object, ask_text
from agentcl.models.tuned import UNTUNED, Asking, Way
from agentcl.store.usage import NO_USAGE, Usage
from agentcl.text.answers import final_answer
from agentcl.text.parsing import parsed_json

T = TypeVar("T")
_Probe = Callable[[], "Figure"]

# How long a case takes beside others: hundreds of tokens that are read, and tens that are written.
_WORK: Final[Mapping[str, int]] = {
    "bare": 3, "number": 3, "text": 3, "shown": 6, "thought": 9, "scored": 11,
    "lessons": 17, "objects": 4, "reading": 5, "tools": 4,
}  # fmt: skip

EXAMPLES: Final = (0, 1, len(DISTILLED))  # before a request for lessons
_ACTION_TOKENS: Final = 32
_THOUGHT_TOKENS: Final = 80
_THINKING: Final = (
    "thought",
    "bare",
)  # a model that was trained on the form may give its reason first
_LESSON_TOKENS: Final = 300
_FOLLOWS: Final = Fraction(
    2, 5
)  # of the cases; twice of what is right by chance, and less is guessing
_SHORT: Final = 64  # tokens of any other answer


@dataclass(frozen=True, slots=True)
class Figure:
    """How often a model was right in one probe, asked in one way.

    Attributes:
        probe: "following", "lessons", "objects", "reading", "tools".
        asked: the way.
        condition: of the case; empty where there is but one.
        right: how many of the cases.
        cases: how many there were.
        usage: what all of them took.
        also: other counts, by what they are of.
    """

    probe: str
    asked: str
    condition: str
    right: int
    cases: int
    usage: Usage
    also: dict[str, int]

    @property
    def name(self) -> str:
        """The probe, the way and the condition, in words."""
        return ", ".join(filter(None, (self.probe, self.asked, self.condition)))

    @property
    def share(self) -> float:
        """Right ones of all."""
        return self.right / self.cases


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was measured of a model, and how it is best asked by that."""

    fingerprint: str
    asking: Asking
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...] = ()  # what could not be measured, and why

    def shares(self) -> dict[str, str]:
        """Return what was measured, in words."""
        return {one.name: f"{one.right} of {one.cases}" for one in self.figures}


@dataclass(frozen=True, slots=True)
class Measured:
    """How far measuring is.

    Attributes:
        share: of the whole that is done, from 0 to 1, by the time that the parts usually take.
        figure: that is now known; None after a single case.
    """

    share: float
    figure: Figure | None = None


class _Course:
    """Measures one row after the other, and tells how far that is."""

    def __init__(self, rows: Sequence[str], cases: int, tell: Callable[[Measured], None]) -> None:
        self._total, self._tell = cases * sum(_WORK[row] for row in rows), tell
        self._done = self._each = 0

    def measured(self, row: str, probe: _Probe) -> Figure:
        self._each = _WORK[row]
        figure = probe()
        self._tell(Measured(self._share(), figure))
        return figure

    def case_done(self) -> None:
        self._done += self._each  # by one thread: see `Prober._figure`
        self._tell(Measured(self._share()))

    def _share(self) -> float:
        return min(1.0, self._done / self._total)  # the form of the last rows was only supposed


class _Brief(MeteredModel):
    """A model that is not asked again with more room when it was cut off: small ones ramble for thousands of tokens."""

    _room = 0  # tokens of the first answer that was asked for

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Ask the model, and count. Raises RequestRefused where more is wanted than was the first time."""
        self._room = self._room or sampling.max_tokens
        if sampling.max_tokens > self._room:
            raise RequestRefused("the answers of probes are short")
        return super().chat(messages, sampling=sampling, schema=schema)


class Prober:
    """Asks a model the probes.

    Args:
        model: who is asked; from several threads at once.
        cases: of each probe in each way.
        seed: of the cases.
        concurrency: cases under way at once.
        on_case: told of each case that is done.

    Raises:
        InvalidInput: if there are no cases.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        cases: int,
        seed: int = 0,
        concurrency: int = 8,
        on_case: Callable[[], None] = lambda: None,
    ) -> None:
        if cases < 1:
            raise InvalidInput(f"there must be at least one case of each probe, and not {cases}")
        self._model, self._cases, self._seed = model, cases, seed
        self._concurrency, self._on_case = concurrency, on_case

    def following(self, way: Way, condition: Condition) -> Figure:
        """Measure how often the action that a lesson names is chosen, in a condition. Raises ModelUnavailable."""
        tokens = _THOUGHT_TOKENS if way in _THINKING else _ACTION_TOKENS

        def ask(case: FollowingCase, model: ChatModel) -> dict[str, bool]:
            student = Student(model, form=way, max_tokens=tokens)
            action = student.act(case.situation).action
            return {
                "right": case.is_right(action),
                "misled": action == case.named,
                "admissible": action in (case.situation.actions or ()),
            }

        return self._figure(
            "following", way, condition, ask, partial(following, condition=condition)
        )

    def lessons(self, examples: int, *, is_constrained: bool) -> Figure:
        """Measure how often the lessons of a record are true. Raises ModelUnavailable."""

        def ask(case: WritingCase, model: ChatModel) -> dict[str, bool]:
            teacher = Teacher(
                model, examples=examples, is_constrained=is_constrained, max_tokens=_LESSON_TOKENS
            )
            found = teacher.distil(case.transcript)
            is_new = COPIED not in found.problem
            return {
                "right": case.is_true(found.lessons) and is_new,
                "in form": bool(found.lessons),
                "new": is_new,
            }

        return self._figure("lessons", _asked(examples, is_constrained), "", ask, writing)

    def edits(self) -> Figure:
        """Measure how often lessons that the same records show are true after an editor's hand. Raises ModelUnavailable."""

        def ask(case: WritingCase, model: ChatModel) -> dict[str, bool]:
            editor = Teacher(model, max_tokens=_LESSON_TOKENS)
            drawn = OutcomeTeacher().distil(case.transcript).lessons
            found = OutcomeTeacher(editor).distil(case.transcript)
            return {
                "right": case.is_true(found.lessons),
                "worded": not set(found.lessons) <= set(drawn),
                "refused": len(found.lessons) < len(drawn),
                "unread": bool(found.problem),
            }

        return self._figure("edits", "one example", "", ask, writing)

    def objects(self, *, is_constrained: bool) -> Figure:
        """Measure how often the first answer is the object that was asked for. Raises ModelUnavailable."""

        def ask(case: RecordCase, model: ChatModel) -> dict[str, bool]:
            reply = ask_object(
                model,
                conversation(RECORDING, ask_record(case.sentence)),
                schema=RECORD,
                sampling=Sampling(max_tokens=_SHORT),
                is_constrained=is_constrained,
            )
            is_first = reply.usage.calls == 1
            return {"right": is_first and reply.value == case.value, "in form": is_first}

        return self._figure("objects", _schema(is_constrained), "", ask, record)

    def tools(self) -> Figure:
        """Measure how often the one tool is called with what a sentence says, and how often so only in words.

        Raises:
            RequestRefused: if the model takes no tools.
            ModelUnavailable: if it cannot be asked.
        """

        def ask(case: RecordCase, model: MeteredModel) -> dict[str, bool]:
            reply = model.chat_with_tools(
                conversation(CALLING, ask_call(case.sentence)),
                [TOOL],
                sampling=Sampling(max_tokens=_SHORT),
            )
            called, written = (
                [(call.name, _arguments(call)) for call in calls]
                for calls in (reply.calls, calls_in(reply.text)[1])
            )
            wanted = [(TOOL["name"], case.value)]
            is_unseen = not called and written == wanted  # by the endpoint; `ToolAgent` sees it
            return {"right": called == wanted, "called": bool(called), "in words": is_unseen}

        return self._figure("tools", "one tool", "", ask, record)

    def reading(self) -> Figure:
        """Measure how often a question is answered exactly from a passage. Raises ModelUnavailable."""

        def ask(case: ReadingCase, model: ChatModel) -> dict[str, bool]:
            prompt = ask_answer(passages=[case.passage], question=case.question)
            sampling = Sampling(max_tokens=_SHORT)
            reply = ask_text(model, conversation(READING, prompt), sampling=sampling)
            return {"right": case.is_right(final_answer(reply.text))}

        return self._figure("reading", "told what to do", "", ask, reading)

    def _figure(
        self,
        probe: str,
        asked: str,
        condition: str,
        ask: Callable[[T, MeteredModel], dict[str, bool]],
        make: Callable[..., T],
    ) -> Figure:
        """Ask all cases. Who comes to no answer, or breaks a form twice, is wrong."""

        def one(number: int) -> tuple[dict[str, bool], Usage]:
            model = _Brief(self._model)
            try:
                found = ask(make(number, seed=self._seed), model)
            except (NoAnswer, SchemaViolation):
                found = {}
            return found, model.usage

        counts: dict[str, int] = {"right": 0}
        usage = NO_USAGE
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="agentcl-tune") as pool:
            try:
                for found, used in pool.map(one, range(self._cases)):
                    self._on_case()
                    usage += used
                    for name, is_so in found.items():
                        counts[name] = counts.get(name, 0) + is_so
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        right = counts.pop("right")
        return Figure(probe, asked, condition, right, self._cases, usage, counts)


def tune(
    model: ChatModel,
    *,
    cases: int = 15,
    seed: int = 0,
    concurrency: int = 8,
    on_progress: Callable[[Measured], None] = lambda measured: None,
) -> Tuning:
    """Measure how a model is best asked. Nothing is remembered.

    Ways that decide nothing are not asked: with irrelevant lessons and without any, only the best form is.

    Args:
        model: who is asked.
        cases: of each probe in each way.
        seed: of the cases.
        concurrency: cases under way at once.
        on_progress: told of each case that is done, and of each figure that is known.

    Raises:
        ModelUnavailable: if the model cannot be asked.
        ModelChanged: if it is another one in the end.
        InvalidInput: if there are no cases.
    """
    ways, left_out = list(FORMS), []
    prober = Prober(
        model, cases=cases, seed=seed, concurrency=concurrency, on_case=lambda: course.case_done()
    )
    fingerprint = model.fingerprint()
    if not tells_likelihoods(model):
        ways.remove("scored")
        left_out.append("scored: the model tells no log-probabilities of other tokens")
    course = _Course(_rows(ways), cases, on_progress)

    def follow(way: Way, condition: Condition) -> Figure:
        return course.measured(way, partial(prober.following, way, condition))

    def write(examples: int, *, is_constrained: bool) -> Figure:
        probe = partial(prober.lessons, examples, is_constrained=is_constrained)
        return course.measured("lessons", probe)

    figures = [follow(way, condition) for way in ways for condition in DECIDING]
    way = best_way(figures)
    figures += [follow(way, condition) for condition in CONDITIONS if condition not in DECIDING]
    objects = [
        course.measured("objects", partial(prober.objects, is_constrained=is_so))
        for is_so in (True, False)
    ]
    lessons = {(examples, True): write(examples, is_constrained=True) for examples in EXAMPLES}
    examples = _best_examples(lessons)
    lessons[examples, False] = write(examples, is_constrained=False)
    figures += [*objects, *lessons.values(), course.measured("reading", prober.reading)]
    try:
        figures.append(course.measured("tools", prober.tools))
    except RequestRefused as error:
        left_out.append(f"tools: {error}")
    with_schema = objects[0].right + lessons[examples, True].right
    is_constrained = with_schema >= objects[1].right + lessons[examples, False].right
    if model.fingerprint() != fingerprint:
        raise ModelChanged(
            f"{model.name} is not the model that it was when measuring began, so nothing is remembered; measure it again"
        )
    return Tuning(
        fingerprint, Asking(way, examples, is_constrained), tuple(figures), tuple(left_out)
    )


def _rows(ways: Sequence[Way]) -> list[str]:
    """Return what `tune` measures, each with all cases, if the default turns out to be best."""
    others = [UNTUNED.way] * (len(CONDITIONS) - len(DECIDING))
    forms = [way for way in ways for _ in DECIDING]
    return [*forms, *others, "objects", "objects", *["lessons"] * (len(EXAMPLES) + 1), "reading", "tools"]  # fmt: skip


def best_way(figures: Sequence[Figure]) -> Way:
    """Return the form in which lessons are followed best, alone and among others.

    Of several that are as good it is the default, or the one that took the fewest tokens. Where the best is hardly better
    than chance, it is the default.
    """
    deciding = [one for one in figures if one.probe == "following" and one.condition in DECIDING]

    def rank(way: Way) -> tuple[Fraction, bool, Fraction]:
        some = [one for one in deciding if one.asked == way]
        right = sum((Fraction(one.right, one.cases) for one in some), Fraction())
        tokens = sum((Fraction(one.usage.tokens, one.cases) for one in some), Fraction())
        return right / len(some), way == UNTUNED.way, -tokens

    best = max((way for way in FORMS if any(one.asked == way for one in deciding)), key=rank)
    return best if rank(best)[0] >= _FOLLOWS else UNTUNED.way


def tells_likelihoods(model: ChatModel) -> bool:
    """Return whether a model tells how likely other tokens were. Raises ModelUnavailable."""
    prompt = ask_record("The harp Sarn is 5 years old.")
    reply = model.chat(conversation(RECORDING, prompt), sampling=FIRST_TOKEN)
    return bool(reply.logprobs and reply.logprobs[0].others)


def _best_examples(lessons: dict[tuple[int, bool], Figure]) -> int:
    """Return how many examples the truest lessons were written after; of several, the default or the fewest."""

    def rank(examples: int) -> tuple[int, bool, int]:
        return lessons[examples, True].right, examples == UNTUNED.examples, -examples

    return max((examples for examples, _ in lessons), key=rank)


def _arguments(call: ToolCall) -> object:
    """Return what a tool is called with; None where that is no JSON."""
    try:
        return parsed_json(call.arguments)
    except ValueError:
        return None


def _asked(examples: int, is_constrained: bool) -> str:
    shown = {0: "no example", 1: "one example"}.get(examples, f"{examples} examples")
    return f"{shown}, {_schema(is_constrained)}"


def _schema(is_constrained: bool) -> str:
    return "with schema" if is_constrained else "without schema"
