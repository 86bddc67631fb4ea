"""Days, months and years counted from one another, named, and written as ISO dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, Literal

Tense = Literal["past", "future", ""]

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def iso_day(there: date) -> str:
    """Return a day, as in 2025-03-29."""
    return there.isoformat()


def iso_month(there: date) -> str:
    """Return the month of a day, as in 2025-03."""
    return there.isoformat()[:7]


def iso_year(year: int) -> str:
    """Return a year, as in 2025. Raises ValueError where no date has it."""
    return date(year, 1, 1).isoformat()[:4]


def years_near(at: date, month: int, day: int) -> Iterator[int]:
    """Yield the years around a day that have such a day of a month."""
    for year in range(at.year - 4, at.year + 5):
        if (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
            yield year


def nearest(every: list[date], at: date, tense: Tense) -> date:
    """Return the date nearest to a day on the side that a tense tells; today is on both."""
    if tense == "past":
        return max(one for one in every if one <= at)
    if tense == "future":
        return min(one for one in every if one >= at)
    return min(every, key=lambda one: (abs(one - at), one))


def add_months(day: date, months: int) -> date:
    """Return the first of the month that is so many months later than that of a day."""
    place = day.year * 12 + day.month - 1 + months
    return date(place // 12, place % 12 + 1, 1)


def last_day(day: date) -> date:
    """Return the last day of the month of a day."""
    return add_months(day, 1) - timedelta(days=1)
