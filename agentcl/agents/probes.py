"""Small questions with known answers, by which a model is measured: `tuning` asks them.

They are made from tables by a seed, so there are as many as are wanted. Their world is a workshop that nobody has, that no
example of a prompt is about, and that no benchmark plays in.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from agentcl.agents.transcript import Transcript
from agentcl.envs.acting import Situation
from agentcl.lessons import Lesson, folded
from agentcl.models.schemas import strict
from agentcl.text.escaping import Prompt, prompt_of, quoted

Condition = Literal["lesson", "among four", "among near", "irrelevant", "none"]
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
DECIDING: Final[tuple[Condition, ...]] = ("lesson", "among four", "among near")
ACTIONS: Final = 5  # to choose from, so that chance is right in one of five

_KINDS: Final = ("loom", "oven", "clock", "barge", "harp", "gate", "tent", "mill", "sledge", "bell")
# A state in the words of a lesson, and in others.
_STATES: Final = (
    ("jammed", "will not move any more"),
    ("damp", "feels wet to the touch"),
    ("crooked", "leans to one side"),
    ("rusty", "is covered with brown flakes"),
    ("silent", "makes no sound at all"),
    ("dusty", "lies under a grey powder"),
    ("torn", "has a rip in it"),
    ("frozen", "is coated with ice"),
)
_VERBS: Final = ("brush", "grease", "lift", "turn", "wax", "knock", "rinse", "fold", "weigh", "paint", "tilt", "wrap")  # fmt: skip
_NAMES: Final = ("Sarn", "Belu", "Kivo", "Tamo", "Ruli", "Nesk", "Odap", "Fenn", "Galo", "Mirv", "Pesk", "Ulda")  # fmt: skip
_PLACES: Final = ("yard", "attic", "cellar", "porch", "studio", "barn", "market", "chapel")
RECORD: Final = strict(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"type": "string"},
            "years": {"type": "integer"},
        },
    }
)
RECORDING: Final = 'You read one sentence and answer with one JSON object of what it says: "name", "kind" and "years" (a number).'

TOOL: Final = {
    "name": "keep",
    "description": "Keep what is known of a thing.",
    "parameters": RECORD,
}
CALLING: Final = "You read one sentence and keep what it says by calling the tool."


@dataclass(frozen=True, slots=True)
class FollowingCase:
    """Five actions, one of which a lesson names for what is seen."""

    situation: Situation  # with the lessons of its condition
    right: str  # the action that the fitting lesson names, whether it is shown or not
    named: str  # the action that an irrelevant lesson names

    def is_right(self, action: str) -> bool:
        """Return whether an action is the one."""
        return action == self.right


@dataclass(frozen=True, slots=True)
class WritingCase:
    """A record in which the first action failed and the second did not."""

    transcript: Transcript
    name: str  # of the thing; a lesson is about its kind
    state: str
    good: str  # verbs
    bad: str

    def is_true(self, lessons: Sequence[Lesson]) -> bool:
        """Return whether lessons say what the record shows: the good action for this state, and not the bad one.

        A lesson that names the thing itself says nothing for the next one.
        """
        done = [one for one in lessons if one.claim == "do"]
        left = [one for one in lessons if one.claim in ("avoid", "useless")]
        is_said = any(
            self.state in folded(one.when).split() and self.good in folded(one.what).split()
            for one in done
        )
        is_wrong = any(self.bad in folded(one.what).split() for one in done) or any(
            self.good in folded(one.what).split() for one in left
        )
        names = any(folded(self.name) in folded(one.sentence()).split() for one in lessons)
        return is_said and not is_wrong and not names


@dataclass(frozen=True, slots=True)
class ReadingCase:
    """A question that one sentence of a passage answers."""

    passage: str
    question: str
    answer: str

    def is_right(self, said: str) -> bool:
        """Return whether an answer is exactly that, but for case, marks and an article."""
        return folded(said).removeprefix("the ").removeprefix("in the ") == folded(self.answer)


@dataclass(frozen=True, slots=True)
class RecordCase:
    """A sentence to be read as an object."""

    sentence: str
    value: dict[str, Any]


def ask_record(sentence: str) -> Prompt:
    """Return the prompt for what a sentence says."""
    return prompt_of(f"Sentence: {quoted(sentence)}", "Answer as JSON.")


def ask_call(sentence: str) -> Prompt:
    """Return the prompt for a tool call that keeps what a sentence says."""
    return prompt_of(f"Sentence: {quoted(sentence)}", "Call the tool.")


def following(number: int, condition: Condition, *, seed: int = 0) -> FollowingCase:
    """Return a case; the same in all conditions, but for the lessons that are shown.

    Among four: the others are about other things in other states. Among near: some are about the same thing in another
    state, or about another thing in the same. In both they name the other four actions. The place of the right action goes round. Half of the cases state the situation in the lesson's words, half
    in others.
    """
    rng = random.Random(f"following:{seed}:{number}")
    kind, *kinds = rng.sample(_KINDS, ACTIONS)
    (state, told), *others = rng.sample(_STATES, ACTIONS)
    states = [other for other, _ in others]
    name = rng.choice(_NAMES)
    right, *wrong = rng.sample(_VERBS, ACTIONS)
    verbs = list(wrong)
    verbs.insert(number % ACTIONS, right)
    fitting = _lesson(kind, state, right)
    far = [_lesson(*about) for about in zip(kinds, states, wrong, strict=True)]
    near = [
        _lesson(kind, states[0], wrong[0]),
        _lesson(kinds[0], state, wrong[1]),
        far[2],
        _lesson(kinds[0], states[0], wrong[3]),
    ]
    place = rng.randrange(ACTIONS)  # of the lesson that fits
    shown = {
        "lesson": [fitting],
        "among four": [*far[:place], fitting, *far[place:]],
        "among near": [*near[:place], fitting, *near[place:]],
        "irrelevant": [far[2]],
        "none": [],
    }[condition]
    is_paraphrased = number % 2 == 1
    seen = f"The {kind} {name} {told if is_paraphrased else f'is {state}'}."
    return FollowingCase(
        Situation(
            f"put the {kind} {name} in order.",
            seen,
            offered=tuple(f"{verb} {name}" for verb in verbs),
            guidance=tuple(one.sentence() for one in shown),
        ),
        f"{right} {name}",
        f"{wrong[2]} {name}",
    )


def writing(number: int, *, seed: int = 0) -> WritingCase:
    """Return a record of two steps."""
    rng = random.Random(f"writing:{seed}:{number}")
    kind, name, (state, _) = rng.choice(_KINDS), rng.choice(_NAMES), rng.choice(_STATES)
    bad, good = rng.sample(_VERBS, 2)
    transcript = Transcript(
        f"put the {kind} {name} in order.",
        f"The {kind} {name} is {state}.",
        (
            (f"{bad} {name}", "nothing changes"),
            (f"{good} {name}", f"the {kind} {name} is in order"),
        ),
        1.0,
    )
    return WritingCase(transcript, name, state, good, bad)


def reading(number: int, *, seed: int = 0) -> ReadingCase:
    """Return a passage of four sentences of one form, and a question about one of them."""
    rng = random.Random(f"reading:{seed}:{number}")
    kinds, names = rng.sample(_KINDS, 4), rng.sample(_NAMES, 4)
    places, years = rng.sample(_PLACES, 4), rng.sample(range(1820, 1990), 4)
    said = [
        f"The {kind} {name} was built in {year} and stands in the {place}."
        for kind, name, year, place in zip(kinds, names, years, places, strict=True)
    ]
    one = rng.randrange(4)
    if number % 2:
        question, answer = f"Where does the {kinds[one]} stand?", places[one]
    else:
        question, answer = f"When was the {kinds[one]} {names[one]} built?", str(years[one])
    return ReadingCase(" ".join(said), question, answer)


def record(number: int, *, seed: int = 0) -> RecordCase:
    """Return a sentence that says a name, a kind and a number."""
    rng = random.Random(f"record:{seed}:{number}")
    kind, place, years = rng.choice(_KINDS), rng.choice(_PLACES), rng.randrange(3, 90)
    name, owner = rng.sample(_NAMES, 2)
    sentence = f"{owner} keeps the {kind} {name}, which is {years} years old, in the {place}."
    return RecordCase(sentence, {"name": name, "kind": kind, "years": years})


def _lesson(kind: str, state: str, verb: str) -> Lesson:
    article = "an" if kind[0] in "aeiou" else "a"
    return Lesson(f"{article} {kind} is {state}", "do", f"{verb} it")
