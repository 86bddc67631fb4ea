"""From the words that somebody read out of turns to an assertion: its sentence, its dates, and whether it is one of several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agentcl.statements.dates.dating import dated
from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import resolve
from agentcl.statements.phrasing import sentence
from agentcl.statements.reading import Assertion
from agentcl.statements.slots import has_several
from agentcl.store.conversations import Sort, Turn

_ORDINAL: Final = re.compile(r"(?:on\s+)?(\d{1,2}(?:st|nd|rd|th))", re.IGNORECASE)  # without "the"
_UNTIL: Final = re.compile(r"(?:until|till|up to)\b", re.IGNORECASE)


def assertion_of(
    subject: str,
    attribute: str,
    value: str,
    *,
    when: str,
    ended: bool,
    places: Sequence[int],
    turns: Sequence[Turn],
    sort: Sort,
    confidence: float = 1.0,
) -> Assertion:
    """Return what some words assert.

    Args:
        subject: "user", or whom or what it is about.
        attribute: what of it.
        value: may be empty where it has ended.
        when: words of the turn that say since when, until when or on which day; empty for none.
        ended: whether it holds no longer.
        places: of the turns that say it, among those that were read.
        turns: that were read.
        sort: of the statement.
        confidence: that it is one, from 0 to 1.
    """
    since, until = _dates(when, turns[places[0]], ended=ended)
    several = has_several(attribute)
    return Assertion(
        subject=subject,
        attribute=attribute,
        value=value,
        text=sentence(subject, attribute, value, ended=ended),
        turns=tuple(places),
        sort=sort,
        polarity="ended" if ended else "holds",
        is_member=sort == "preference" if several is None else several,
        since=since,
        until=until,
        confidence=confidence,
    )


def _dates(when: str, turn: Turn, *, ended: bool) -> tuple[str, str]:
    """Return since and until when, of words that stand in a turn: a date that a model made up is none."""
    start = turn.text.casefold().find(when.casefold()) if when else -1
    if start < 0:
        return "", ""
    at = turn.moment
    found = _in_its_clause(when, start, turn) or resolve(_ORDINAL.sub(r"the \1", when), at)
    if found is None:
        return "", ""
    is_to_come = period(found, at.tzinfo).start > at
    return ("", found) if _UNTIL.match(when) or (ended and is_to_come) else (found, "")


def _in_its_clause(when: str, start: int, turn: Turn) -> str | None:
    """Return the date that some words of a turn are in the tense of their clause; None if they are none there."""
    end = start + len(when)
    within = [
        one.date for one in dated(turn.text, turn.moment) if one.start < end and one.end > start
    ]
    return within[0] if within else None
