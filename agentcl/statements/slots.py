"""Canonical names: which statements are about the same thing, and which values are the same.

A slot is a subject with an attribute. Two ways to say an attribute are one where their words are the same, or
where the closed list of everyday attributes here says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from agentcl.text.terms import signs, terms

USER: Final = "user"
_SELF: Final = frozenset({"i", "me", "myself", "user", "my", "speaker", "human"})
_LEADING: Final = frozenset({"a", "an", "the", "my", "our", "user", "s", "current", "new"})
# Attributes of one value, each with other words for it.
_SINGLE: Final[Mapping[str, str]] = {
    "name": "full name|is called|called|name is",
    "nickname": "goes by|prefers to be called",
    "home": "home city|city|town|lives in|live in|living in|residence|place of residence|location|lives|resides in|"
    "home location|city of residence|place",
    "address": "home address|street address|street|postal address|lives at",
    "origin": "from|comes from|hometown|home town|birthplace|place of birth|grew up in|born in|native of",
    "nationality": "citizenship",
    "job": "role|occupation|profession|position|job title|title|works as|work as|job role|career",
    "employer": "company|works at|works for|work at|workplace|employed by|place of work|firm|organisation|organization",
    "work time": "working time|working hours|work hours|hours|shift",
    "phone number": "mobile number|cell number|telephone|telephone number|phone no|mobile no|tel",
    "phone": "mobile phone|smartphone|handset|mobile|cell phone",
    "email": "e mail|email address|e mail address|mail address|mail",
    "partner": "wife|husband|spouse|girlfriend|boyfriend|fiance|fiancee|significant other|wife s name|husband s name",
    "marital status": "relationship status|civil status",
    "diet": "eating habit|dietary preference|dietary restriction|eats",
    "age": "years old|is aged",
    "birthday": "birth date|date of birth|birthdate|born on|born",
    "car": "vehicle|drives",
    "bike": "bicycle",
    "landlord": "landlady",
    "doctor": "gp|physician|family doctor",
}
# Attributes of which several values hold beside each other.
_SEVERAL: Final[Mapping[str, str]] = {
    "allergy": "allergic to|food allergy|intolerance|intolerant to|allergen",
    "language": "speaks|language spoken|spoken language",
    "language learnt": "learning|studies language|is learning|language learned",
    "likes": "like|love|loves|enjoys|enjoy|fond of|interest|interested in|is into|preference",
    "dislikes": "dislike|hates|hate|cannot stand|does not like|aversion",
    "hobby": "pastime|does for fun|sport|plays",
    "pet": "animal|has pet",
    "child": "kid|son|daughter|children",
    "sibling": "brother|sister",
    "parent": "mother|father|mum|mom|dad",
    "friend": "mate|buddy",
    "colleague": "coworker|co worker|workmate",
    "course": "class|takes classes in|training",
    "appointment": "meeting|has appointment",
    "medication": "medicine|takes medication|drug",
    "plan": "intention|goal|wants to",
}
# Attributes whose values are people.
_PEOPLE: Final = frozenset(
    ("partner", "landlord", "doctor", "child", "sibling", "parent", "friend", "colleague")
)


def _synonyms() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, others in (*_SINGLE.items(), *_SEVERAL.items()):
        for one in (name, *others.split("|")):
            found[" ".join(terms(one))] = name
    return found


_KNOWN: Final = _synonyms()


def slot_of(subject: str, attribute: str) -> str:
    """Return the canonical name of what a statement gives a value of."""
    return f"{subject_key(subject)} / {attribute_key(attribute)}"


def subject_key(subject: str) -> str:
    """Return the canonical name of whom or what a statement is about."""
    words = _bare(subject)
    if not words or _SELF.issuperset(words):
        held = terms(subject)
        return USER if not held or _SELF.intersection(held) else " ".join(held)
    return " ".join(words)


def attribute_key(attribute: str) -> str:
    """Return the canonical name of an attribute."""
    whole = " ".join(terms(attribute))
    bare = " ".join(_bare(attribute)) or whole
    return _KNOWN.get(whole) or _KNOWN.get(bare) or bare


def has_several(attribute: str) -> bool | None:
    """Return whether values of an attribute hold beside each other; None where nobody here knows."""
    name = attribute_key(attribute)
    if name in _SEVERAL:
        return True
    return False if name in _SINGLE else None


def names_somebody(attribute: str) -> bool:
    """Return whether the values of an attribute are people whom somebody knows."""
    return attribute_key(attribute) in _PEOPLE


@lru_cache(maxsize=20_000)
def value_key(value: str) -> str:
    """Return what makes two values the same; who forgets something calls `forget`, since the last ones are kept."""
    words = terms(value)
    while len(words) > 1 and words[0] in ("a", "an", "the"):
        del words[0]
    bare = " ".join(words) + signs(value)
    return bare or re.sub(r"\s+", " ", value.strip().casefold())


def forget() -> None:
    """Drop what was computed of values."""
    value_key.cache_clear()


def _bare(text: str) -> list[str]:
    words = terms(text)
    while len(words) > 1 and words[0] in _LEADING:
        del words[0]
    return words
