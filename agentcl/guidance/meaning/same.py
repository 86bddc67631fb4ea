"""When two lessons say the same, and when they cannot both hold.

Words are compared by their stems and in their order, without those that carry no content: "When queues are
slow, drain them" says what "When a queue is slow, drain it" does. Nothing fuzzier is merged: "a queue is full"
is close to "a cache is full" for any encoder, and another lesson.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from agentcl.lessons import Lesson
from agentcl.text.function_words import FUNCTION_WORDS
from agentcl.text.terms import terms

AGAINST: Final = frozenset({"avoid", "useless"})  # claims that speak against what they name
_NEGATIONS: Final = frozenset({"not", "no", "never", "without", "nor"})
_KIND: Final = re.compile(r"\b(?:the|an?)\s+([^\W\d_]+)\b", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<!^)\b(?:[^\W\d_]*\d\w*|[A-Z]\w*)\b")
_EMPTY: Final = FUNCTION_WORDS - _NEGATIONS


def content(text: str) -> tuple[str, ...]:
    """Return what a text is about: its stems in their order, without function words."""
    return tuple(term for term in terms(text) if term not in _EMPTY)


def matter_of(lesson: Lesson) -> str:
    """Return what lessons on the same thing in the same situation share, whatever they claim."""
    when, what = content(lesson.when), content(lesson.what)
    return f"{' '.join(when) or lesson.when} | {' '.join(what) or lesson.what}"


def key_of(lesson: Lesson) -> str:
    """Return what twins share: they say the same, in other words at the most."""
    return f"{lesson.claim}: {matter_of(lesson)}"


@lru_cache(maxsize=16_384)
def names(what: str, action: str) -> bool:
    """Return whether a lesson speaks of an action by name: all its words are in it.

    One kind of thing may stand for one with a name of its own: "restart the cache" for "restart Orvo".
    """
    words, done = set(content(what)), set(content(action))
    missing = words - done
    if len(missing) != 1:
        return bool(words) and not missing
    kinds = {word for kind in _KIND.findall(what) for word in content(kind)}
    return missing <= kinds and any(words.isdisjoint(content(one)) for one in _NAME.findall(action))


def oppose(one: Lesson, other: Lesson) -> bool:
    """Return whether both cannot hold: one says that something helps, the other that it does not."""
    is_opposite = (one.claim == "do" and other.claim in AGAINST) or (
        other.claim == "do" and one.claim in AGAINST
    )
    return is_opposite and matter_of(one) == matter_of(other)
