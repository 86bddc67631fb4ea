"""Of whom a question asks: where the sister lives is no answer to where the user does.

Nothing is left out by a guess: only where a statement of the very subject that is asked of gives the attribute, what
gives the same attribute of somebody else is; and where the user tells of himself what is about as near to a question that
asks of him alone, what he tells of others only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agentcl.retrieval.recall import Hit
from agentcl.statements.english.hearing import stated_in
from agentcl.statements.english.patterns import PEOPLE
from agentcl.statements.slots import USER, attribute_key, subject_key
from agentcl.store.conversations import Statement

_RELATIVE: Final = re.compile(rf"\b(?:my|our|the user's|user's)\s(?:\w{1,40}\s)?(?P<who>{PEOPLE})\b", re.IGNORECASE)  # fmt: skip
_USER: Final = re.compile(r"\b(?:the user|I|my|me|we|our)\b")
# What is asked for is who that is: "Who is my dentist?"
_NAMED: Final = re.compile(
    rf"\b(?:who(?:'s|\s(?:is|was))|(?:name|names|surname)\sof|what\s(?:is|was|'s))\s(?:my|our|the user's|user's)\s(?:\w{{1,40}}\s)?(?P<who>{PEOPLE})(?:'s\s(?:full\s)?name)?"
    r"(?:\s(?:now|called|currently|at the moment))?\W*$",
    re.IGNORECASE,
)
_SOMEBODY: Final = re.compile(
    rf"\b(?:my|our)(?:\s\w{{1,40}}){{0,2}}?\s(?P<who>{PEOPLE})s?\b(?:'s)?", re.IGNORECASE
)
_PERSON: Final = re.compile(rf"\b(?:{PEOPLE}|family|parents?|children|kids?)s?\b", re.IGNORECASE)
_OF_SELF: Final = re.compile(r"\b(?:I|me|my|mine|myself|we|us|our|ours)\b", re.IGNORECASE)
_HE: Final = re.compile(
    r"^\W*(?:(?:and|but|so|also|yes|no|ha|oh|well)\W+)*(?:he|she|they)\b", re.IGNORECASE
)
_NAME: Final = re.compile(r"(?<=[^.?!]\s)[A-Z]\w{2,40}")
_WHO: Final = re.compile(r"^\W*(?:who|whose|whom)\b", re.IGNORECASE)
_NEAR: Final = 0.6  # of the best statement's score: what is less does not say of what is asked


def subject_asked(query: str) -> str:
    """Return the key of whom a question asks: "user", or a relation of his; empty where that is open."""
    if relation_asked(query):
        return USER
    if _WHO.match(query):
        return ""
    if found := _RELATIVE.search(query):
        return subject_key(found["who"])
    return USER if _USER.search(query) else ""


def relation_asked(query: str) -> str:
    """Return the relation of the user whose name a question asks for: "Who is my dentist?"; empty if for none."""
    found = _NAMED.search(query)
    return found["who"].lower() if found else ""


def told_of_user(query: str, found: Iterable[tuple[Hit, float]]) -> float:
    """Return how near to a question about the user alone that is which he tells of himself; 0 if it asks of others, too.

    Args:
        query: the question.
        found: hits with their relevance, the nearest first.
    """
    if not _asks_of_user_alone(query):
        return 0.0
    own = (
        near
        for hit, near in found
        if hit.speaker == "user" and stated_in(hit.text) and not tells_of_others(hit, query)
    )
    return next(own, 0.0)


def _asks_of_user_alone(query: str) -> bool:
    if relation_asked(query):
        return True
    return subject_asked(query) == USER and not _PERSON.search(query)


def tells_of_others(hit: Hit, query: str) -> bool:
    """Return whether all that a turn of the user states is about people whom he knows, as "My uncle likes rooibos".

    Whom a question asks for, or names, is none of these.
    """
    if hit.speaker != "user":
        return False
    said, relation = stated_in(hit.text), relation_asked(query)
    is_named = any(name in hit.text for name in _NAME.findall(query))
    return bool(said) and not is_named and all(_is_of_others(one, relation) for one in said)


def _is_of_others(sentence: str, relation: str) -> bool:
    named = [found["who"].lower() for found in _SOMEBODY.finditer(sentence)]
    if relation in named or not (named or _HE.match(sentence)):
        return False
    return not _OF_SELF.search(_SOMEBODY.sub(" ", sentence))


def is_person(subject: str) -> bool:
    """Return whether the subject of a statement is somebody whom the user knows."""
    return subject_key(subject) != USER and _PERSON.search(subject) is not None


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
