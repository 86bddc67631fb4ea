"""How a record is asked for: questions in several wordings, and what is answered.

The last wordings of each list are held out: they are never trained on, and the gate asks by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.lessons import Lesson
from agentcl.statements.phrasing import sentence
from agentcl.statements.slots import USER, subject_key
from agentcl.store.conversations import Statement

HELD_OUT: Final = 2  # wordings of each record
UNKNOWN: Final = "I do not know."
_FACT: Final = (
    "What is {whose} {attribute}?",
    "Tell me {whose} {attribute}.",
    "{attribute} of {who}: what is it?",
    "Please look up {whose} {attribute}.",
    "I need {whose} {attribute}.",
    "Do you happen to know {whose} {attribute}?",
)
_LESSON: Final = (
    "It is so: {when}. What have you learned about that?",
    "What do you know for when {when}?",
    "Remind me what holds when {when}.",
    "Situation: {when}. Lesson?",
    "Suppose {when}. What should I keep in mind?",
    "Any advice for when {when}?",
)
_SYLLABLES: Final = ("bra", "den", "fol", "gri", "hes", "jun", "kor", "lim", "mov", "pelt")


@dataclass(frozen=True, slots=True)
class AskedRecord:
    """One record as questions."""

    questions: tuple[str, ...]  # all ask for the same; the last `HELD_OUT` are held out
    answer: str
    memory: str  # how it stands in a prompt
    use: str  # a request that needs it ...
    used: str  # ... and what answers that


def of_statement(one: Statement) -> AskedRecord:
    """Return a statement as questions; the answer is its value."""
    return AskedRecord(
        questions=questions_of(one.subject, one.attribute),
        answer=one.value,
        memory=one.text,
        use=f"Write one sentence for a note on {_who(one.subject)[0]}: {one.attribute}.",
        used=one.text,
    )


def questions_of(subject: str, attribute: str) -> tuple[str, ...]:
    """Return what asks for an attribute."""
    who, whose = _who(subject)
    asked = (form.format(who=who, whose=whose, attribute=attribute) for form in _FACT)
    return tuple(one[:1].upper() + one[1:] for one in asked)


def of_lesson(one: Lesson) -> AskedRecord:
    """Return a lesson as questions; the answer is its sentence."""
    return AskedRecord(
        questions=tuple(form.format(when=one.when) for form in _LESSON),
        answer=one.sentence(),
        memory=one.sentence(),
        use=f"You are at work, and {one.when}. Say in one sentence what you go by.",
        used=one.sentence(),
    )


def other_statement(one: Statement, value: str) -> str:
    """Return what a newer memory would say of a statement's attribute."""
    return sentence(one.subject, one.attribute, value)


def made_up(seed: str) -> str:
    """Return a name that follows from a text, and means nothing."""
    digest = hashlib.blake2b(seed.encode(), digest_size=4).digest()
    name = "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest[:3])
    return name.capitalize() + str(digest[3] % 10)


def train_and_held(questions: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the wordings to train on, and those that the gate asks by."""
    return questions[:-HELD_OUT], questions[-HELD_OUT:]


def _who(subject: str) -> tuple[str, str]:
    return ("me", "my") if subject_key(subject) == USER else (subject, f"{subject}'s")
