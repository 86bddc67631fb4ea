"""Situations in which a lesson was used: what was found of it there holds where the very same is seen again.

They follow from the journal like everything that is believed (`agentcl.guidance.state`): a use that confirmed a lesson, and
what somebody reports. Two situations are the same if their words are, apart from function words, endings and case.
A situation that is merely alike says nothing: of texts that are close to one in which a lesson applied, most negate it, tell of
the past or speak of somebody else (`docs/results/matching.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from agentcl.guidance.same import content
from agentcl.guidance.sight import Line, Sight, user_of

# Of one lesson and line where it applied, and as many where it did not: the newest
MOST: Final = 16
_LEAST_WORDS: Final = 2  # of a situation that can be told from others


class Example(NamedTuple):
    """A use of a lesson."""

    record: str  # the episode, or the decision that reports it
    applies: bool
    line: Line  # whose it is
    situation: str  # see `key_of_situation`


def key_of_situation(text: str) -> str:
    """Return what situations in the same words share; empty for one that says nothing."""
    words = content(text)
    if len(words) < _LEAST_WORDS:
        return ""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


def with_example(held: Iterable[Example], new: Example) -> list[Example]:
    """Return examples with a new one, the newest last; what the same record said of the same before gives way."""
    found = [one for one in held if (one.record, one.situation) != (new.record, new.situation)]
    found.append(new)
    alike = [one for one in found if (one.applies, one.line) == (new.applies, new.line)]
    return found if len(alike) <= MOST else [one for one in found if one is not alike[0]]


def newest_of(held: Iterable[Example], situation: str, sight: Sight) -> Example | None:
    """Return a reader's own newest example of a situation: another user's is none of his."""
    own = [one for one in held if one.situation == situation and sight.is_own(user_of(one.line))]
    return own[-1] if own else None
