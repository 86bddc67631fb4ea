"""The time that a question is about, and what was said too late to answer it.

What held in November is told by what had been said by then, and by what was said later of November. What else was said
later tells what came after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from agentcl.retrieval.recall import Hit
from agentcl.statements.dates.dating import dated
from agentcl.statements.dates.periods import Period, period
from agentcl.store.conversations import Statement

_GRACE: Final = timedelta(days=7)  # in which people still tell of it without saying when it was
_PART: Final = re.compile(r"\b(early|mid|late)\b")
_THIRDS: Final = {"early": 0, "mid": 1, "late": 2}
_THIRD: Final = timedelta(days=10)
_MONTH: Final = timedelta(days=28)
_ENOUGH: Final = 0.5  # of the best one's relevance: what was said in time answers, too
# "since May" and "until May" ask of what begins or ends, not of what was so in May.
_BORDERS: Final = (
    "since", "ever since", "from", "starting", "until", "till", "up to", "through", "by", "before", "after",
    "seit", "ab", "bis", "desde", "hasta", "a partir",
)  # fmt: skip


def time_asked(query: str, now: datetime) -> Period | None:
    """Return the day or month before now that a question names, and asks about; None if it asks about now, or of several."""
    found = {}
    for one in dated(query, now):
        led = query[one.start : one.end].lower()
        if led.startswith(_BORDERS) or "?" in led:
            return None
        found[one.date] = led
    if len(found) != 1:
        return None
    ((named, led),) = found.items()
    if len(named) == len("2025"):  # of what happened in a year people tell long after it
        return None
    asked = _narrowed(period(named, now.tzinfo), led)
    return asked if asked.end <= now else None


def _narrowed(asked: Period, led: str) -> Period:
    """Return the third of a month that "early", "mid" or "late" means."""
    part = _PART.search(led)
    if part is None or asked.end - asked.start < _MONTH:
        return asked
    begin = asked.start + _THIRDS[part[1]] * _THIRD
    return Period(begin, asked.end if part[1] == "late" else begin + _THIRD)


def changed_after(stated: Sequence[tuple[Statement, float]], asked: Period) -> datetime | None:
    """Return when that changed which statements say of a time, the nearest ones; None if it did not since.

    Args:
        stated: statements that a question found, with their scores.
        asked: the time.
    """
    top = max((score for _, score in stated), default=0.0)
    ends = [
        one.valid_to
        for one, score in stated
        if score >= _ENOUGH * top and one.valid_to is not None and one.valid_to >= asked.end
    ]
    return min(ends, default=None)


def said_in_time(
    found: Sequence[tuple[Hit, float]],
    asked: Period,
    told: Mapping[str, Sequence[Statement]],
    changed: datetime | None,
) -> list[tuple[Hit, float]]:
    """Return hits that tell of a time, with their relevance of the best of them; all where none was said in time.

    Args:
        found: hits with their relevance.
        asked: the time.
        told: what turns state, by their ids.
        changed: when it had changed, as statements say. What was said from then on is of what came after.
    """
    found = [pair for pair in found if not _tells_of_after(pair[0], asked, told, changed)]
    in_time = [pair for pair in found if _tells_of(pair[0], asked)]
    best = max((relevance for _, relevance in in_time), default=0.0)
    if best < _ENOUGH * max((relevance for _, relevance in found), default=0.0) or not best:
        return list(found)
    return [(hit, relevance / best) for hit, relevance in in_time]


def _tells_of_after(
    hit: Hit, asked: Period, told: Mapping[str, Sequence[Statement]], changed: datetime | None
) -> bool:
    """Return whether a turn tells of what came later only."""
    if hit.said_at is None or hit.said_at < asked.end:
        return False
    held = [one for one in told.get(hit.document_id, ()) if one.polarity == "holds"]
    if held and all(one.valid_from is not None and one.valid_from >= asked.end for one in held):
        return True
    return changed is not None and hit.said_at >= changed and not _is_within(_named_in(hit), asked)


def _named_in(hit: Hit) -> list[Period]:
    assert hit.said_at is not None
    return [period(one.date, hit.said_at.tzinfo) for one in dated(hit.text, hit.said_at)]


def _is_within(named: Sequence[Period], asked: Period) -> bool:
    return any(one.start < asked.end and asked.start < one.end for one in named)


def _tells_of(hit: Hit, asked: Period) -> bool:
    if hit.said_at is None or hit.said_at < asked.end:
        return True
    named = _named_in(hit)
    # Who says the day of a thing that came after tells of that.
    is_of_after = bool(named) and all(one.start >= asked.end for one in named)
    is_soon = hit.said_at < asked.end + _GRACE and not is_of_after
    return is_soon or _is_within(named, asked)
