"""The time that a question is about, and what was said too late to answer it.

What held in November is told by what had been said by then, and by what was said later of November. What else was said
later tells what came after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from agentcl.retrieval.recall import Hit
from agentcl.statements.dating import dated
from agentcl.statements.periods import Period, period

_GRACE: Final = timedelta(days=7)  # in which people still tell of it without saying when it was
_ENOUGH: Final = 0.5  # of the best one's relevance: what was said in time answers, too
# "since May" and "until May" ask of what begins or ends, not of what was so in May.
_BORDERS: Final = (
    "since", "ever since", "from", "starting", "until", "till", "up to", "through", "by", "before", "after",
    "seit", "ab", "bis", "desde", "hasta", "a partir",
)  # fmt: skip


def time_asked(query: str, now: datetime) -> Period | None:
    """Return the day or month before now that a question names, and asks about; None if it asks about now, or of several."""
    found = set()
    for one in dated(query, now):
        led = query[one.start : one.end].lower()
        if led.startswith(_BORDERS) or "?" in led:
            return None
        found.add(one.date)
    if len(found) != 1:
        return None
    (named,) = found
    if len(named) == len("2025"):  # of what happened in a year people tell long after it
        return None
    asked = period(named, now.tzinfo)
    return asked if asked.end <= now else None


def said_in_time(found: Sequence[tuple[Hit, float]], asked: Period) -> list[tuple[Hit, float]]:
    """Return hits that tell of a time, with their relevance of the best of them; all where none was said in time."""
    in_time = [pair for pair in found if _tells_of(pair[0], asked)]
    best = max((relevance for _, relevance in in_time), default=0.0)
    if best < _ENOUGH * max((relevance for _, relevance in found), default=0.0) or not best:
        return list(found)
    return [(hit, relevance / best) for hit, relevance in in_time]


def _tells_of(hit: Hit, asked: Period) -> bool:
    if hit.said_at is None or hit.said_at < asked.end + _GRACE:
        return True
    named = (period(one.date, hit.said_at.tzinfo) for one in dated(hit.text, hit.said_at))
    return any(one.start < asked.end and asked.start < one.end for one in named)
