"""Days as people say them, with what is meant: absolute, and relative to the day on which it is said."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_COUNTS: Final = ("zero", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True, slots=True)
class SaidDay:
    """A day, or a month, and how it was said."""

    on: str  # "last Friday", "on 3 March", "in two weeks": when something happens
    since: str  # the same behind "since" and "to": "last Friday", "3 March"
    value: str  # ISO 8601: a day, or a month
    day: date  # the day itself; of a month the first

    @property
    def spoken(self) -> tuple[str, ...]:
        """Other forms of the answer."""
        if len(self.value) == len("2025-03"):
            return (f"{self.day:%B} {self.day.year}", f"in {self.day:%B}")
        return spoken(self.day)


def spoken(day: date) -> tuple[str, ...]:
    """Return forms in which people write a day, beside ISO 8601."""
    number, month, year = day.day, f"{day:%B}", day.year
    return (
        f"{number} {month} {year}",
        f"{month} {number}, {year}",
        f"the {_ordinal(number)} of {month}",
        f"{number} {month}",
        f"{month} {number}",
    )


def past_day(rng: random.Random, said: date, *, held_out: bool) -> SaidDay:
    """Draw a day before that on which it is said."""
    return rng.choice(_PAST_HELD_OUT if held_out else _PAST)(rng, said)


def coming_day(rng: random.Random, said: date, *, held_out: bool) -> SaidDay:
    """Draw a day after that on which it is said."""
    return rng.choice(_COMING_HELD_OUT if held_out else _COMING)(rng, said)


def plain_day(rng: random.Random, day: date, *, held_out: bool) -> SaidDay:
    """Return a day with its date in words, without the year."""
    forms = _DATES_HELD_OUT if held_out else _DATES
    text = rng.choice(forms).format(d=day.day, o=_ordinal(day.day), m=f"{day:%B}")
    return SaidDay(f"on {text}", text, day.isoformat(), day)


_DATES: Final = ("{d} {m}", "{m} {d}", "the {o} of {m}")
_DATES_HELD_OUT: Final = ("{m} the {o}", "the {o} {m}")


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
    return f"{number}{ending}"


def _said(text: str, day: date) -> SaidDay:
    return SaidDay(text, text, day.isoformat(), day)


def _counted(form: str, unit: int, sign: int) -> Callable[[random.Random, date], SaidDay]:
    """Make days by a count of days or weeks; behind "since" they are said by their date."""

    def draw(rng: random.Random, said: date) -> SaidDay:
        count = rng.randint(2, 6 if unit == 1 else 4)
        day = said + timedelta(days=sign * unit * count)
        date_text = f"{day.day} {day:%B}"
        return SaidDay(form.format(_COUNTS[count]), date_text, day.isoformat(), day)

    return draw


def _fixed(text: str, days: int, since: str = "") -> Callable[[random.Random, date], SaidDay]:
    def draw(rng: random.Random, said: date) -> SaidDay:
        day = said + timedelta(days=days)
        return SaidDay(text, since or text, day.isoformat(), day)

    return draw


def _weekday(form: str, sign: int) -> Callable[[random.Random, date], SaidDay]:
    """Make weekdays: the last one before the day, or the first one after it."""

    def draw(rng: random.Random, said: date) -> SaidDay:
        day = said + timedelta(days=sign * rng.randint(2, 6))
        text = form.format(f"{day:%A}")
        return SaidDay(text, text.removeprefix("on "), day.isoformat(), day)

    return draw


def _absolute(sign: int, *, held_out: bool) -> Callable[[random.Random, date], SaidDay]:
    def draw(rng: random.Random, said: date) -> SaidDay:
        day = said + timedelta(days=sign * rng.randint(4, 13))
        return plain_day(rng, day, held_out=held_out)

    return draw


def _month(rng: random.Random, said: date) -> SaidDay:
    first = (said.replace(day=1) - timedelta(days=1)).replace(day=1)
    return SaidDay(f"in {first:%B}", f"{first:%B}", f"{first:%Y-%m}", first)


_Draws = Sequence[Callable[[random.Random, date], SaidDay]]
_PAST: Final[_Draws] = (
    _fixed("yesterday", -1),
    _weekday("last {}", -1),
    _counted("{} days ago", 1, -1),
    _counted("{} weeks ago", 7, -1),
    _absolute(-1, held_out=False),
    _absolute(-1, held_out=False),
    _month,
)
_PAST_HELD_OUT: Final[_Draws] = (
    _fixed("the day before yesterday", -2),
    _fixed("a fortnight ago", -14, "a fortnight"),
    _fixed("a week ago today", -7, "this day last week"),
    _weekday("on {} just gone", -1),
    _absolute(-1, held_out=True),
    _absolute(-1, held_out=True),
)
_COMING: Final[_Draws] = (
    _fixed("tomorrow", 1),
    _weekday("this {}", 1),
    _weekday("on {}", 1),
    _counted("in {} days", 1, 1),
    _counted("in {} weeks", 7, 1),
    _absolute(1, held_out=False),
    _absolute(1, held_out=False),
)
_COMING_HELD_OUT: Final[_Draws] = (
    _fixed("the day after tomorrow", 2),
    _fixed("a week from today", 7),
    _fixed("in a fortnight", 14, "a fortnight from now"),
    _weekday("this coming {}", 1),
    _absolute(1, held_out=True),
    _absolute(1, held_out=True),
)
