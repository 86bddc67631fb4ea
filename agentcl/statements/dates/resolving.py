"""English dates in what people say, resolved from when they say it.

A date is as exact as it was said: a day, a month or a year. A week is the month that most of it lies in, since ISO
dates know no weeks that people write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from agentcl.statements.dates.days import Tense
from agentcl.statements.dates.grammar import RULES

Role = Literal["since", "until", ""]

_WORD: Final = 40  # characters before a date in which its preposition stands
_PREPOSITION: Final = (
    r"(?P<preposition>(?:ever\s+)?since|starting(?:\s+(?:from|on|in))?|effective|as\s+of|from|until|till|up\s+to|"
    r"through|by|before|after|on|in|at|over|around|during|for)"
)
_LEADING: Final = re.compile(rf"{_PREPOSITION}\s+")
_BEFORE: Final = re.compile(rf"\b{_PREPOSITION}\s+(?:about\s+|around\s+|early\s+|late\s+)?$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A date in a text."""

    start: int  # offsets into the text, in characters, of the date with its preposition
    end: int
    said: str  # the words of the date
    date: str  # ISO 8601: a day, a month or a year
    role: Role  # whether something begins or ends then


def resolve(said: str, at: datetime, tense: Tense = "") -> str | None:
    """Return the date that an expression names, as ISO 8601; None if it is no date that is understood.

    Args:
        said: the expression alone, e.g. "last Friday"; a preposition before it may stand.
        at: when it was said, in the speaker's own time.
        tense: whether what is spoken of has happened or is to come, where an expression leaves it open.
    """
    whole = _plain(said).strip(" .,;!?")
    led = _LEADING.match(whole)
    word = led["preposition"] if led else ""
    for rest in (whole, whole[led.end() :] if led else ""):
        own: Tense = "past" if "since" in word and not tense else tense
        for rule in RULES:
            found = rule.pattern.fullmatch(rest)
            if found and (resolved := rule.read(found, at.date(), own)):
                return resolved
    return None


def mentions(text: str, at: datetime, tense: Tense = "") -> list[Mention]:
    """Return the dates in a text, in order; of two that overlap, the one that begins first and is longer.

    Args:
        text: one clause, best: what begins or ends is told by the words right before a date.
        at: when it was said, in the speaker's own time.
        tense: whether what is spoken of has happened or is to come.
    """
    plain = _plain(text)
    found = sorted(_all(plain, at.date(), tense), key=lambda one: (one.start, -one.end))
    kept: list[Mention] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def role_of(led: str) -> Role:
    """Return whether something begins or ends at a date, by the English preposition that leads it."""
    word = led.lower()
    if word.startswith(("since", "from", "as of", "starting", "effective")):
        return "since"
    return "until" if word.startswith(("until", "till", "through")) else ""


def _all(plain: str, at: date, tense: Tense) -> Iterator[Mention]:
    for rule in RULES:
        for found in rule.pattern.finditer(plain):
            before = _BEFORE.search(plain, max(0, found.start() - _WORD), found.start())
            word = before["preposition"] if before else ""
            if not word and rule.needs_preposition(found):
                continue
            own: Tense = "past" if word.startswith("since") and not tense else tense
            resolved = rule.read(found, at, own)
            if resolved:
                start = before.start("preposition") if before else found.start()
                yield Mention(start, found.end(), found.group(), resolved, role_of(word))


def _plain(text: str) -> str:
    """Return a text in lower case and with plain apostrophes, each character where it was."""
    straight = text.replace("\u2019", "'")
    plain = straight.lower()
    return plain if len(plain) == len(text) else straight
