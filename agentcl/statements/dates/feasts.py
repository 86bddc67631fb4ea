"""Feasts that move with Easter: on which day of a year they are."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

# Days after Easter Sunday.
MOVABLE: Final = {
    "good friday": -2, "easter saturday": -1, "easter sunday": 0, "easter monday": 1, "easter": 0, "ascension day": 39,
    "whit sunday": 49, "pentecost": 49, "whit monday": 50,
}  # fmt: skip


def feast(name: str, year: int) -> date:
    """Return the day of a feast of `MOVABLE` in a year of the Gregorian calendar."""
    return _easter(year) + timedelta(days=MOVABLE[name])


def _easter(year: int) -> date:
    """Return Easter Sunday, by Oudin's form of the Gregorian rule (1940)."""
    century, golden = year // 100, year % 19
    skipped = (century - 17) // 25
    moon = (century - century // 4 - (century - skipped) // 3 + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    days = moon - weekday
    month = 3 + (days + 40) // 44
    return date(year, month, days + 28 - 31 * (month // 4))
