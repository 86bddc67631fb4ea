"""Dates as they were said: a moment, a day, a month or a year, and when each begins and ends."""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from agentcl.errors import InvalidInput

_FORM: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.+)?)?)?")
# Offsets reach a day, and what is kept in UTC has to be a date wherever it was said.
_FIRST: Final = datetime(1, 1, 3, tzinfo=UTC)
_LAST: Final = datetime(MAXYEAR, 12, 29, tzinfo=UTC)


class Period(NamedTuple):
    """From when until when (exclusive); a moment begins and ends at once."""

    start: datetime
    end: datetime


def period(said: str, zone: tzinfo | None) -> Period:
    """Return what an ISO 8601 date or moment names, as a period.

    Args:
        said: `2025`, `2025-03`, `2025-03-29`, or a moment with its offset; one without is meant in `zone`.
        zone: of who said it.

    Raises:
        InvalidInput: if it is none of these.
    """
    found = _FORM.fullmatch(said)
    try:
        if found is None:
            raise ValueError
        year, month, day, time = found.groups()
        if time:
            moment = datetime.fromisoformat(said)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            return Period(_within(moment), _within(moment))
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=zone)
        if start.year == MAXYEAR:
            end = _LAST
        elif day:
            end = start + timedelta(days=1)
        elif month:
            end = (start + timedelta(days=31)).replace(day=1)
        else:
            end = start.replace(year=start.year + 1)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{said!r} is no date; write a year, a month, a day or a moment, e.g. 2025, 2025-03, 2025-03-29 or "
            "2025-03-29T18:00:00+01:00"
        ) from None
    return Period(_within(start), _within(end))


def check_period(said: str) -> str:
    """Return a date that can be kept; it may be empty. Raises InvalidInput."""
    if said:
        period(said, UTC)
    return said


def _within(moment: datetime) -> datetime:
    return min(max(moment, _FIRST), _LAST)
