"""From a clause that was taken apart to an assertion, and whether two say the same."""

from __future__ import annotations

import re
from typing import Final

from agentcl.statements.english.verb_telling import Clause
from agentcl.statements.reading import Assertion
from agentcl.statements.slots import has_several, subject_key
from agentcl.store.conversations import Sort
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

_SORTS: Final[dict[str, Sort]] = {
    "likes": "preference", "dislikes": "preference", "prefers": "preference", "relation": "relation", "partner": "relation", "course": "event",
}  # fmt: skip
_DATE: Final = re.compile(r"\d{4}-\d\d(?:-\d\d)?")
_SAME: Final = 0.5  # of the words of a value


def told_of(one: Clause, turn: int) -> Assertion:
    """Return what a clause asserts; `turn` is the place of its turn among those that were read."""
    several = has_several(one.attribute)
    return Assertion(
        subject=one.subject,
        attribute=one.attribute,
        value=one.value,
        text=one.text,
        turns=(turn,),
        sort=_sort(one),
        polarity="ended" if one.ended else "holds",
        is_member=not one.is_own if several is None else several,
        since=one.since,
        until=one.until,
    )


def is_same(one: Assertion, other: Assertion) -> bool:
    """Return whether something was read of the same turn already: most of its words, of the same subject."""
    if not set(one.turns) & set(other.turns):
        return False
    if one.attribute == "relation" and _content(other.value) == _content(one.subject):
        return True  # "my sister Jettra": the same from her side
    if subject_key(one.subject) != subject_key(other.subject):
        return False
    words, held = (_content(value.value) for value in (one, other))
    return len(words & held) >= _SAME * max(1, min(len(words), len(held)))


def _content(text: str) -> set[str]:
    if _DATE.fullmatch(text):
        return {text}
    words = set(terms(text))
    return words - FUNCTION_WORDS or words


def _sort(one: Clause) -> Sort:
    if one.is_plan:
        return "plan"
    if one.is_event:
        return "event"
    return _SORTS.get(one.attribute, "fact")
