"""The dates that a text names, each clause in its own tense: what "on Friday" was when somebody said it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from agentcl.statements.dates.days import Tense
from agentcl.statements.dates.periods import period
from agentcl.statements.dates.resolving import Mention, mentions, resolve, role_of
from agentcl.statements.dates.rewording import MAY_BE_REWORDED, reworded

_MOST_READ: Final = 2_000  # characters of a text
# Without one of these no date is named: most texts are not read further.
_LIKELY: Final = re.compile(
    r"\d|day\b|\bto(?:night|morrow)\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|\b(?:mon|tue|wed|thu|fri|sat|sun)|"
    r"\bago\b|\b(?:last|next|this|past|coming)\b|\bin (?:an?|half|two|three|four|five|six|seven|eight|nine|ten|about|around)\b|"
    r"\b(?:week|month|year|christmas|easter|pentecost|halloween|boxing)|\bmid\b|tag\b|woch|monat|jahr|morgen|gestern|"
    r"\b(?:lunes|martes|mi.rcoles|jueves|viernes|s.bado|domingo|ayer|anteayer|anoche|ma.ana|hace|dentro|semana|mes|a.o)\b|[a-z]r[eo]\b|"
    r"\bthe [\w-]{3,13}(?:th|st|nd|rd)\b|\b(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|hier|demain|f.v|avr|juin|juil|ao.t|d.c|il y a|semaine|mois|ann?.e)|"
    r"[\u5468\u671f\u62dc\u5929\u65e5\u6708\u5e74\u53f7]",
    re.IGNORECASE,
)
# The stop of "5. Mai" ends no clause.
_CLAUSE: Final = re.compile(
    r"(?<=[.!?;\u2026])(?<!\d\.)\s|(?<=\d\.)\s(?!(?:Jan|Feb|M\u00e4r|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez))|(?<=[\u3002\uff01\uff1f])|\n|\u2014|\s-\s|"
    r",?\s(?:but|so|because|and then)\s|,\s(?=(?:and\s)?(?:I|we|my|he|she|they|it)\b)"
)
_TO_COME: Final = re.compile(
    r"\b(?:will|won't|going to|gonna|due|deadline|until|till|plan(?:s|ning)?|next|tomorrow|(?:is|are|am|'m|'re|'s) (?:\w+ing|on)|"
    r"starts?|begins?|opens?|closes?|ends?|"
    r"werde|wird|voy a|vamos a)\b|'ll\b",
    re.IGNORECASE,
)
# "It got moved to the 16th": the verb is past, the day is to come.
_PUT_OFF: Final = re.compile(
    r"\b(?:moved|pushed|put|postponed|delayed|extended|rescheduled|shifted|slipped|brought|changed)(?: (?:back|forward|off|on|out))?(?: from [^,.;]{1,40}?)? (?:to|until|till) "
    r"(?:the )?(?:\d|(?:next|early|late|mid|end|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})\b)",
    re.IGNORECASE,
)
_OVER: Final = re.compile(
    r"\b(?:was|were|had|did|(?<!'ve )(?<!have )(?<!has )got|went|came|took|gave|made|sent|met|left|began|became|bought|sold|told|said|found|won|lost|"
    r"broke|fell|flew|drove|saw|heard|read|paid|quit|cut|put|chose|wrote|spoke|ate|drank|hit|caught|brought|taught|thought|"
    r"built|rode|ran|swam|grew|knew|woke|slept|kept|felt|held|stood|spent|since|ago|war|hatte|hatten|habe|haben|hat|fue|fui|fuimos|era|\w{2,20}ed)\b|\w(?:\u00f3|\u00ed|\u00e9)\b",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"(?:right |just )?now|today|tonight|this (?:morning|afternoon|evening)|(?:last|this|next) week|the (?:week|month|year)"
)
_WEEKDAY: Final = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day(?: [a-z ]+)?")
_EVERY: Final = re.compile(r"\b(?:an?|any|each|every|one|good|most)\s{1,3}$")
_GOES_ON: Final = re.compile(r"\s*(?:[,.!?;:)]|$|\s(?:is|was|at|in|and I|then|it)\b)")
_HABIT: Final = re.compile(r"\s(?:morning|evening|afternoon|night)s\b")
_ORDINAL: Final = re.compile(r"the \d{1,2}(?:st|nd|rd|th)")
_HAS_MONTH: Final = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|\d[./-]\d")
_BESIDE: Final = 4  # characters: a comma
_NEAR: Final = 100  # days within which a date of no year is meant, whatever the tense
_YEAR_APART: Final = 300  # days


def dated(text: str, at: datetime) -> list[Mention]:
    """Return the dates that a text names beside the day on which it was said, in order.

    Args:
        text: in English, German, Spanish or Chinese, or mixed; of a long one its beginning is read.
        at: when it was said, in the speaker's own time.
    """
    # The same moment elsewhere is another day, though the two are equal.
    return list(_dated(text[:_MOST_READ], at, at.utcoffset()))


def forget() -> None:
    """Drop what was read of texts: some of them were forgotten."""
    _dated.cache_clear()


@lru_cache(maxsize=5_000)
def _dated(text: str, at: datetime, offset: timedelta | None) -> tuple[Mention, ...]:
    if not _LIKELY.search(text):
        return ()
    found: list[Mention] = []
    begin = 0
    for end, after in _borders(text):
        clause = text[begin:end]
        if _LIKELY.search(clause):
            found += (
                replace(one, start=one.start + begin, end=one.end + begin)
                for one in said_in(clause, at, tense_of(clause))
            )
        begin = after
    return tuple(one for one in found if _is_telling(one, found, text))


def _is_telling(one: Mention, found: Sequence[Mention], text: str) -> bool:
    """Return whether a date says more than when it was said: no "today", no day of every week, none named beside it."""
    said = one.said.lower()
    if _VAGUE.fullmatch(said):
        return False
    if not _WEEKDAY.fullmatch(said):
        return True
    if any(_is_beside(one, other) and _has_weekday(other, said) for other in found):
        return False
    is_led = one.start < one.end - len(one.said)
    before, after = text[: one.start], text[one.end :]
    if _HABIT.match(after):
        return False
    return not _EVERY.search(before) and (is_led or _GOES_ON.match(after) is not None)


def _is_beside(one: Mention, other: Mention) -> bool:
    apart = max(one.start - other.end, other.start - one.end)
    return one is not other and apart <= _BESIDE


def _has_weekday(one: Mention, day: str) -> bool:
    """Return whether a date names a day of a month that is such a weekday."""
    if len(one.date) < len("2025-01-01") or not any(char.isdigit() for char in one.said):
        return False
    return day.startswith(f"{date.fromisoformat(one.date):%a}".lower())


def said_in(clause: str, at: datetime, tense: Tense) -> list[Mention]:
    """Return the dates of a clause, in whatever words they are, in order; of two that overlap the longer one."""
    every = list(_said_in(clause, at, tense))
    if every and tense:
        nearest = {(one.start, one.end): one for one in _said_in(clause, at, "")}
        every = [_nearer(one, nearest.get((one.start, one.end), one), at) for one in every]
    kept: list[Mention] = []
    for one in sorted(every, key=lambda one: one.start - one.end):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return _in_its_month(sorted(kept, key=lambda one: one.start))


def _in_its_month(found: Sequence[Mention]) -> list[Mention]:
    """Return dates, a mere "the 27th" in the month of the date before it: "June 20, the 27th is the party"."""
    made: list[Mention] = []
    month = ""
    for one in found:
        if len(one.date) == len("2025-01-01"):
            day = int(one.date[-2:])
            if _ORDINAL.fullmatch(one.said) and month and day > int(month[-2:]):
                one = replace(one, date=f"{month[:-2]}{day:02}") if _exists(month, day) else one
            elif _HAS_MONTH.search(one.said):
                month = one.date
        made.append(one)
    return made


def _exists(day: str, other: int) -> bool:
    return other <= monthrange(int(day[:4]), int(day[5:7]))[1]


def _said_in(clause: str, at: datetime, tense: Tense) -> Iterator[Mention]:
    yield from mentions(clause, at, tense)
    if MAY_BE_REWORDED.search(clause):
        yield from _in_other_words(clause, at, tense)


def _nearer(one: Mention, nearest: Mention, at: datetime) -> Mention:
    """Return the nearest of two that differ in their years, if it is near: a past verb beside "on 5 May" proves little."""
    days = [(period(each.date, UTC).start.date() - at.date()).days for each in (one, nearest)]
    is_year_apart = abs(days[0] - days[1]) >= _YEAR_APART
    return nearest if is_year_apart and abs(days[1]) <= _NEAR else one


def tense_of(clause: str) -> Tense:
    """Return whether a clause tells of what has happened or is to come, as far as its words say."""
    if _TO_COME.search(clause) or _PUT_OFF.search(clause):
        return "future"
    return "past" if _OVER.search(clause) else ""


def _in_other_words(clause: str, at: datetime, tense: Tense) -> Iterator[Mention]:
    for one in reworded(clause, at.date()):
        said = clause[one.start : one.end]
        date = resolve(one.english, at, tense)
        if date is None:
            continue
        yield Mention(one.start, one.end, said, date, role_of(one.english))


def _borders(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each clause ends and the next one begins."""
    for found in _CLAUSE.finditer(text):
        yield found.span()
    yield len(text), len(text)
