"""What English words name a date, and which: each rule is a pattern, and who reads its parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, NamedTuple

from agentcl.statements.dates.days import (
    DAYS,
    MONTHS,
    Tense,
    add_months,
    iso_day,
    iso_month,
    iso_year,
    last_day,
    nearest,
    years_near,
)
from agentcl.statements.dates.feasts import MOVABLE, feast


class _Parts(dict[str, str]):
    """The named parts of a date's words; one that is not there is empty."""

    def __missing__(self, name: str) -> str:
        return ""


_Resolver = Callable[[_Parts, date, Tense], "str | None"]


class Rule(NamedTuple):
    """One way to say a date."""

    pattern: re.Pattern[str]
    resolver: _Resolver

    def needs_preposition(self, found: re.Match[str]) -> bool:
        """Return whether words are a date only behind a preposition: 2019, may, march, sat."""
        if self.resolver is _year:
            return True
        is_named = self.resolver in (_month, _weekday)
        return is_named and (
            found.group() in ("may", "march")
            or (found.group() not in _NAMES and found.group().isalpha())
        )

    def read(self, found: re.Match[str], at: date, tense: Tense) -> str | None:
        """Return the date that words name, as ISO 8601; None if there is no such day."""
        parts = _Parts({name: part for name, part in found.groupdict().items() if part})
        parts["said"] = found.group()
        try:
            return self.resolver(parts, at, tense)
        except (ValueError, OverflowError):  # the 31st of February; a million years ago
            return None


_NAMES: Final = frozenset((*MONTHS, *DAYS))
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "a couple of": 2, "couple of": 2,
}  # fmt: skip
_HOLIDAYS: Final = {
    "new year's eve": (12, 31), "new year's day": (1, 1), "new year's": (1, 1), "new year": (1, 1),
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "boxing day": (12, 26),
    "valentine's day": (2, 14), "halloween": (10, 31),
}  # fmt: skip

_MONTH: Final = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY: Final = r"(?P<weekday>mon(?:day)?|tues?(?:day)?|wed(?:nesday)?|thur?s?(?:day)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)\b"
_NUMBER: Final = r"(?P<number>\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + r")\b"
_NTH: Final = r"(?P<nth>\d{1,2})(?:st|nd|rd|th)\b"
_UNIT: Final = r"(?P<unit>day|week|fortnight|month|year|hour|minute)s?\b"
_PART: Final = r"(?:\s+(?:in the )?(?:early )?(?:morning|afternoon|evening|night))?"
_WHICH: Final = r"(?P<which>last|this past|past|this coming|this|the coming|coming|next)"
_ABOUT: Final = r"(?:(?:about|around|almost|nearly|over|more than|some|roughly|just)\s+)?"


# By day


def _iso(found: _Parts, at: date, tense: Tense) -> str:
    year, month, day = found["year"], found["month"], found["day"]
    return (
        iso_day(date(int(year), int(month), int(day)))
        if day
        else iso_month(date(int(year), int(month), 1))
    )


def _numeric(found: _Parts, at: date, tense: Tense) -> str | None:
    one, other, year = int(found["one"]), int(found["other"]), int(found["year"])
    year += 2000 * (year < 100)
    if found["sign"] == "." or one > 12:
        return iso_day(date(year, other, one))
    # 3/4/2025 is the third of April or the fourth of March.
    return iso_day(date(year, one, other)) if other > 12 or one == other else None


def _day_of_month(found: _Parts, at: date, tense: Tense) -> str:
    month, day = _month_number(found["month"]), int(found["nth"])
    if found["year"]:
        return iso_day(date(int(found["year"]), month, day))
    return iso_day(
        nearest([date(year, month, day) for year in years_near(at, month, day)], at, tense)
    )


def _ordinal(found: _Parts, at: date, tense: Tense) -> str:
    day = int(found["nth"])
    if found["which"]:
        first = add_months(at, _step(found["which"]))
        return iso_day(first.replace(day=day))
    months = (add_months(at, step) for step in range(-3, 4))
    every = [month.replace(day=day) for month in months if day <= last_day(month).day]
    return iso_day(nearest(every, at, tense or "future"))


def _weekday(found: _Parts, at: date, tense: Tense) -> str:
    day = DAYS.index(_starting(DAYS, found["weekday"]))
    which = found["which"]
    ahead = (day - at.weekday()) % 7
    if which in ("last", "this past", "past") or (not which and tense == "past"):
        return iso_day(at + timedelta(days=ahead - 7 if ahead else -7))
    if which == "next":
        return iso_day(at + timedelta(days=7 - at.weekday() + day))
    if which == "this" and tense == "past":
        return iso_day(at + timedelta(days=day - at.weekday()))
    return iso_day(at + timedelta(days=ahead or (0 if which == "this" else 7)))


def _weekday_after(found: _Parts, at: date, tense: Tense) -> str:
    day = DAYS.index(_starting(DAYS, found["weekday"]))
    if found["where"] == "after":
        return iso_day(at + timedelta(days=14 - at.weekday() + day))
    back = (at.weekday() - day) % 7 or 7
    return iso_day(at - timedelta(days=back + 7))


def _week_on(found: _Parts, at: date, tense: Tense) -> str:
    weeks = _number(found["number"]) if found["number"] else 1
    weeks *= 2 if "fortnight" in found["said"] else 1
    anchor = found["anchor"]
    if anchor in ("today", "now") or found["now"]:
        start = at
    elif anchor == "tomorrow":
        start = at + timedelta(days=1)
    else:
        ahead = (DAYS.index(_starting(DAYS, anchor)) - at.weekday()) % 7
        start = at + timedelta(days=ahead or 7)
    return iso_day(start + timedelta(days=7 * weeks))


def _named_day(found: _Parts, at: date, tense: Tense) -> str:
    said = found["said"]
    if "before yesterday" in said:
        return iso_day(at - timedelta(days=2))
    if "after tomorrow" in said:
        return iso_day(at + timedelta(days=2))
    if said.startswith(("yesterday", "last night")):
        return iso_day(at - timedelta(days=1))
    return iso_day(at + timedelta(days=said.startswith("tomorrow")))


def _holiday(found: _Parts, at: date, tense: Tense) -> str:
    name = found["holiday"]
    years = [int(found["year"])] if found["year"] else list(years_near(at, 1, 1))
    every = [
        feast(name, year) if name in MOVABLE else date(year, *_HOLIDAYS[name]) for year in years
    ]
    if found["year"]:
        return iso_day(every[0])
    own = {"last": "past", "next": "future"}.get(found["which"], tense or "future")
    return iso_day(nearest(every, at, own))  # type: ignore[arg-type]  # the two are tenses


# By distance


def _distance(found: _Parts, at: date, tense: Tense) -> str:
    """Return what lies some units before or after."""
    number, unit = _number(found["number"]), found["unit"]
    is_half = bool(found["half"])
    if found["back"]:
        number = -number
    if unit in ("hour", "minute"):
        return iso_day(
            at + timedelta(days=number // 24 if unit == "hour" and number % 24 == 0 else 0)
        )
    if unit in ("day", "week", "fortnight"):
        days = {"day": 1, "week": 7, "fortnight": 14}[unit]
        return iso_day(at + timedelta(days=number * days))
    months = number * (12 if unit == "year" else 1)
    if unit == "year" and is_half:
        months += 6 if months > 0 else -6
    there = add_months(at, months)
    return there.isoformat()[:4] if unit == "year" and not is_half else iso_month(there)


def _half_year(found: _Parts, at: date, tense: Tense) -> str:
    there = add_months(at, -6 if found["back"] else 6)
    return iso_month(there)


def _year_ago_today(found: _Parts, at: date, tense: Tense) -> str:
    return iso_day(at.replace(year=at.year - _number(found["number"])))


# By week, month, year


def _which_unit(found: _Parts, at: date, tense: Tense) -> str:
    """Return the week, month, year or weekend before, this, or next."""
    step, unit = _step(found["which"]), found["span"]
    return _unit_at(unit, step, at, tense)


def _unit_beyond(found: _Parts, at: date, tense: Tense) -> str:
    return _unit_at(found["span"], -2 if found["where"] == "before last" else 2, at, tense)


def _unit_at(unit: str, step: int, at: date, tense: Tense) -> str:
    if unit == "year":
        return iso_year(at.year + step)
    if unit == "month":
        return iso_month(add_months(at, step))
    monday = at - timedelta(days=at.weekday()) + timedelta(days=7 * step)
    if unit == "weekend":
        return iso_day(monday + timedelta(days=5))
    return iso_month(monday + timedelta(days=3))


def _edge(found: _Parts, at: date, tense: Tense) -> str | None:
    """Return the beginning or the end of a month or a year."""
    is_end = found["edge"].startswith(("end", "last"))
    if found["month"]:
        year = int(found["year"]) if found["year"] else None
        month = _some_month(found["month"], year, found["which"], at, tense)
    elif found["span"] == "month":
        month = add_months(at, _step(found["which"]))
    else:
        year = at.year + _step(found["which"])
        return f"{iso_year(year)}-{12 if is_end else 1:02}"
    if "middle" in found["edge"] or "mid" in found["edge"]:
        return iso_month(month)
    return iso_day(last_day(month)) if is_end else iso_day(month)


def _month(found: _Parts, at: date, tense: Tense) -> str:
    year = int(found["year"]) if found["year"] else None
    return iso_month(_some_month(found["month"], year, found["which"] or "", at, tense))


def _some_month(name: str, year: int | None, which: str, at: date, tense: Tense) -> date:
    month = _month_number(name)
    if year is not None:
        return date(year, month, 1)
    if which.startswith("this"):
        return date(at.year, month, 1)
    own = {"last": "past", "next": "future"}.get(which, tense)
    this = at.replace(day=1)
    every = [date(year, month, 1) for year in years_near(at, month, 1)]
    if which in ("last", "next"):  # this month is neither
        every = [one for one in every if one != this]
    return nearest(every, this, own)  # type: ignore[arg-type]  # the two are tenses


def _month_last_year(found: _Parts, at: date, tense: Tense) -> str:
    year = at.year + _step(found["which"])
    return iso_month(date(year, _month_number(found["month"]), 1))


def _year(found: _Parts, at: date, tense: Tense) -> str:
    return found["year"]


def _season(found: _Parts, at: date, tense: Tense) -> str | None:
    if found["year"]:
        return found["year"]
    begin = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9}[found["season"]]
    which = found["which"]
    if which == "this":
        return iso_year(at.year)
    if which == "next":
        return iso_year(at.year + (at.month >= begin))
    return iso_year(at.year - (at.month < begin + 3))


def _time_last_year(found: _Parts, at: date, tense: Tense) -> str:
    return iso_month(at.replace(day=1, year=at.year + _step(found["which"])))


# What the words say


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS[" ".join(word.split())]


def _month_number(word: str) -> int:
    return MONTHS.index(_starting(MONTHS, word.rstrip("."))) + 1


def _starting(names: tuple[str, ...], word: str) -> str:
    return next(name for name in names if name.startswith(word[:3]))


def _step(which: str) -> int:
    return {"last": -1, "past": -1, "this past": -1, "next": 1, "coming": 1, "the coming": 1}.get(
        which, 0
    )


# The rules


def _rule(pattern: str, resolver: _Resolver) -> Rule:
    return Rule(re.compile(rf"(?<![\w/.-]){pattern}(?![\w/-])"), resolver)


_NTH_OF: Final = (
    r"(?:the\s+)?(?P<nth>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?"
    + _MONTH
    + r"(?:,?\s+"
    + _YEAR
    + ")?"
)
_OF_NTH: Final = _MONTH + r"\s+(?:the\s+)?(?P<nth>\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+" + _YEAR + ")?"
RULES: Final = (
    _rule(r"(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d))?", _iso),
    _rule(
        r"(?P<one>\d{1,2})(?P<sign>[/.])(?P<other>\d{1,2})(?P=sign)(?P<year>\d{4}|(?<=/)\d\d)",
        _numeric,
    ),
    _rule(rf"(?:{_DAY.replace('weekday', 'on')},?\s+)?{_NTH_OF}", _day_of_month),
    _rule(rf"(?:{_DAY.replace('weekday', 'on')},?\s+)?{_OF_NTH}", _day_of_month),
    _rule(
        rf"(?:{_DAY.replace('weekday', 'on')}\s+)?the\s+{_NTH}(?:\s+of\s+(?P<which>last|this|next|the)\s+month)?{_PART}",
        _ordinal,
    ),
    _rule(rf"(?:{_WHICH}\s+)?{_DAY}{_PART}", _weekday),
    _rule(rf"(?:the\s+)?{_DAY}\s+(?P<where>after|before)\s+(?:next|last)", _weekday_after),
    _rule(
        rf"(?:{_NUMBER}\s+)?(?:week|fortnight)s?\s+(?:(?:on|from)\s+(?P<anchor>today|now|tomorrow|\w+day)|(?P<now>today))",
        _week_on,
    ),
    _rule(r"(?P<anchor>(?:mon|tues|wednes|thurs|fri|satur|sun)day)\s+week", _week_on),
    _rule(
        r"(?:the\s+)?day\s+(?:before\s+yesterday|after\s+tomorrow)|(?:yesterday|tomorrow)"
        + _PART
        + r"|today|tonight|last\s+night|this\s+(?:morning|afternoon|evening)|(?:right\s+|just\s+)?now",
        _named_day,
    ),
    _rule(
        rf"(?:(?P<which>last|this|next)\s+)?(?P<holiday>{'|'.join((*_HOLIDAYS, *MOVABLE))})(?:\s+{_YEAR})?",
        _holiday,
    ),
    _rule(
        rf"{_ABOUT}{_NUMBER}(?P<half>\s+and\s+a\s+half)?\s+{_UNIT}(?P<back>\s+(?:ago|back))",
        _distance,
    ),
    _rule(
        rf"in\s+{_ABOUT}{_NUMBER}(?P<half>\s+and\s+a\s+half)?\s+{_UNIT}(?:'s?)?(?:\s+time)?",
        _distance,
    ),
    _rule(rf"{_NUMBER}\s+{_UNIT}\s+from\s+(?:now|today)", _distance),
    _rule(r"half\s+a\s+year\s+(?P<back>ago)|in\s+half\s+a\s+year", _half_year),
    _rule(rf"{_NUMBER}\s+years?\s+ago\s+today", _year_ago_today),
    _rule(rf"{_WHICH}\s+(?P<span>week|month|year|weekend)", _which_unit),
    _rule(r"(?P<which>the)\s+(?P<span>weekend)", _which_unit),
    _rule(
        r"the\s+(?P<span>week|month|year|weekend)\s+(?P<where>before\s+last|after\s+next)",
        _unit_beyond,
    ),
    _rule(
        r"(?:the\s+)?(?P<edge>end|beginning|start|middle|last\s+day|first\s+day)\s+of\s+(?:(?P<which>last|this|next|the)\s+)?"
        rf"(?:(?P<span>month|year)|{_MONTH}(?:\s+{_YEAR})?)",
        _edge,
    ),
    _rule(rf"(?P<edge>mid)[-\s]{_MONTH}(?:\s+{_YEAR})?", _edge),
    _rule(
        rf"(?:(?P<which>last|this|next)\s+|early\s+|late\s+)?{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})?",
        _month,
    ),
    _rule(rf"{_MONTH}\s+(?:of\s+)?(?P<which>last|this|next)\s+year", _month_last_year),
    _rule(_YEAR, _year),
    _rule(
        rf"(?:(?P<which>last|this|next)\s+(?P<season>spring|summer|autumn|fall))|(?:the\s+)?(?:spring|summer|autumn|fall|winter)\s+(?:of\s+)?{_YEAR}",
        _season,
    ),
    _rule(r"this\s+time\s+(?P<which>last|next)\s+year", _time_last_year),
)
