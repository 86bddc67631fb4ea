"""Of whom a question asks: where the sister lives is no answer to where the user does.

Nothing is left out by a guess: only where a statement of the very subject that is asked of gives the attribute, what
gives the same attribute of somebody else is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agentcl.statements.patterns import PEOPLE
from agentcl.statements.slots import USER, attribute_key, subject_key
from agentcl.store.conversations import Statement

_RELATIVE: Final = re.compile(rf"\b(?:my|our|the user's|user's)\s(?:\w{1,40}\s)?(?P<who>{PEOPLE})\b", re.IGNORECASE)  # fmt: skip
_USER: Final = re.compile(r"\b(?:the user|I|my|me|we|our)\b")
_WHO: Final = re.compile(r"^\W*(?:who|whose|whom)\b", re.IGNORECASE)
_NEAR: Final = 0.6  # of the best statement's score: what is less does not say of what is asked


def subject_asked(query: str) -> str:
    """Return the key of whom a question asks: "user", or a relation of his; empty where that is open."""
    if _WHO.match(query):
        return ""
    if found := _RELATIVE.search(query):
        return subject_key(found["who"])
    return USER if _USER.search(query) else ""


def of_others(query: str, stated: Sequence[tuple[Statement, float]]) -> frozenset[str]:
    """Return the attributes that a question asks for and somebody of whom it asks has, by their keys.

    Args:
        query: the question.
        stated: statements that hold and that it found, with their scores.
    """
    asked = subject_asked(query)
    top = max((score for _, score in stated), default=0.0)
    return frozenset(
        attribute_key(one.attribute)
        for one, score in stated
        if asked and score >= _NEAR * top and is_of(one, asked)
    )


def is_of(one: Statement, asked: str) -> bool:
    """Return whether a statement is about whom a question asks of."""
    if asked == USER:
        return subject_key(one.subject) == USER
    return asked in subject_key(one.subject).split()


def is_only_of_others(told: Iterable[Statement], asked: str, attributes: frozenset[str]) -> bool:
    """Return whether all that a text says gives somebody else what a question asks of whom it asks."""
    said = [one for one in told if one.sort != "relation"]  # whom it is said of
    return bool(said) and all(
        not is_of(one, asked) and attribute_key(one.attribute) in attributes for one in said
    )
