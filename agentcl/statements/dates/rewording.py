"""Dates that are not said in the English of `dates`: put into its words, from German, Spanish, French, Chinese and ordinals.

So each language needs only its words; what they mean is resolved in one place. A date in the middle of a sentence of
another language is found as well, since people mix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

from agentcl.statements.dates.days import DAYS, MONTHS

Rewording = Callable[[re.Match[str], date], str]


class Reworded(NamedTuple):
    """A date in a text, in the words of `dates`."""

    start: int  # offsets into the text, in characters
    end: int
    english: str  # a preposition that tells what begins or ends then may lead


def reworded(text: str, at: date) -> Iterator[Reworded]:
    """Yield the dates of a text that are in other words.

    Args:
        text: in any language.
        at: when it was said.
    """
    for pattern, reword in _RULES:
        for found in pattern.finditer(text):
            if english := reword(found, at):
                yield Reworded(found.start(), found.end(), english)


def _named(names: str) -> dict[str, int]:
    """Return the place of each name from 0; names of one place are joined by a bar."""
    return {name: at for at, group in enumerate(names.split()) for name in group.split("|")}


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


def _led(said: str, led: dict[str, str]) -> str:
    """Return the English preposition that the beginning of some words is, with a space; empty for none."""
    word = said.casefold()
    return next((f"{english} " for own, english in led.items() if word.startswith(own)), "")


# English

_NTH: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "last": -1,
}  # fmt: skip


_ORDINALS: Final = {
    **{word: number for word, number in _NTH.items() if number > 0},
    "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "thirty-first": 31,
}  # fmt: skip
_ORDINALS.update({f"twenty-{word}": 20 + number for word, number in _NTH.items() if number > 0})


def _nth_of_month(found: re.Match[str], at: date) -> str:
    return f"{_ORDINALS[found['nth'].lower()]} {found['month']} {found['year'] or ''}".strip()


def _nth_day(found: re.Match[str], at: date) -> str:
    return f"the {_ORDINALS[found['nth'].lower()]}th"


def _short_year(found: re.Match[str], at: date) -> str:
    """Return the year of "since '24": the nearest one that ends so."""
    short = int(found["short"])
    year = min(
        (at.year // 100 * 100 + short + step for step in (-100, 0, 100)),
        key=lambda one: abs(one - at.year),
    )
    return f"{found['led']} {year}"


def _nth_weekday(found: re.Match[str], at: date) -> str:
    """Return the day of "the second Wednesday in April": in the year in which it is nearest."""
    nth, day = _NTH[found["nth"].lower()], DAYS.index(found["day"].lower())
    month = next(n for n, name in enumerate(MONTHS, 1) if name.startswith(found["month"].lower()))
    years = [int(found["year"])] if found["year"] else range(max(at.year - 1, 1), at.year + 2)
    every = [there for year in years if (there := _nth_in(year, month, nth, day))]
    return min(every, key=lambda one: abs(one - at)).isoformat() if every else ""


def _nth_in(year: int, month: int, nth: int, day: int) -> date | None:
    first = date(year, month, 1)
    there = first + timedelta(days=(day - first.weekday()) % 7)
    every = [there + timedelta(days=7 * n) for n in range(5)]
    every = [one for one in every if one.month == month]
    if nth > len(every):
        return None
    return every[nth - 1 if nth > 0 else -1]


# German

_DE_DAYS: Final = _named("montag dienstag mittwoch donnerstag freitag samstag|sonnabend sonntag")
_DE_MONTHS: Final = _named(
    "januar|j\u00e4nner februar m\u00e4rz april mai juni juli august september oktober november dezember"
)
_DE_NUMBERS: Final = {
    "ein": "1", "eine": "1", "einem": "1", "einer": "1", "einen": "1", "zwei": "2", "drei": "3", "vier": "4",
    "f\u00fcnf": "5", "sechs": "6", "sieben": "7", "acht": "8", "neun": "9", "zehn": "10", "zw\u00f6lf": "12",
}  # fmt: skip
_DE_UNITS: Final = {"tag": "day", "woche": "week", "monat": "month", "jahr": "year"}
_DE_LED: Final = {"seit": "since", "ab": "from", "bis": "until"}
_DE_WHICH: Final = {"letzt": "last", "vergang": "last", "vorig": "last", "dies": "this"}


def _de_weekday(found: re.Match[str], at: date) -> str:
    led = _led(found.group(), _DE_LED)
    which = (found["which"] or "").casefold()
    word = next((english for own, english in _DE_WHICH.items() if which.startswith(own)), "")
    word = word or ("coming" if which else "")
    return f"{led}{word} {DAYS[_DE_DAYS[found['day'].casefold()]]}".replace("  ", " ").strip()


def _de_day(found: re.Match[str], at: date) -> str:
    led = _led(found.group(), _DE_LED)
    month = MONTHS[_DE_MONTHS[found["month"].casefold()]]
    return f"{led}{found['nth']} {month} {found['year'] or ''}".strip()


def _de_month(found: re.Match[str], at: date) -> str:
    month = MONTHS[_DE_MONTHS[found["month"].casefold()]]
    return f"{_led(found.group(), _DE_LED)}{month} {found['year'] or ''}".strip()


def _de_distance(found: re.Match[str], at: date) -> str:
    number = _DE_NUMBERS.get(found["number"].casefold(), found["number"])
    unit = _DE_UNITS[found["unit"].casefold()]
    return f"in {number} {unit}s" if found["led"].casefold() == "in" else f"{number} {unit}s ago"


def _de_unit(found: re.Match[str], at: date) -> str:
    which = found["which"].casefold()
    word = next((english for own, english in _DE_WHICH.items() if which.startswith(own)), "next")
    return f"{word} {_DE_UNITS[found['unit'].casefold()]}"


# Spanish

_ES_DAYS: Final = _named(
    "lunes martes mi\u00e9rcoles|miercoles jueves viernes s\u00e1bado|sabado domingo"
)
_ES_MONTHS: Final = _named(
    "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre"
)
_ES_NUMBERS: Final = {
    "un": "1", "una": "1", "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "siete": "7", "ocho": "8",
    "nueve": "9", "diez": "10", "doce": "12",
}  # fmt: skip
_ES_UNITS: Final = {
    "d\u00eda": "day", "dia": "day", "semana": "week", "mes": "month", "a\u00f1o": "year",
}  # fmt: skip
_ES_LED: Final = {"desde": "since", "a partir": "from", "hasta": "until"}


def _es_weekday(found: re.Match[str], at: date) -> str:
    said = found.group().casefold()
    is_past, is_next = "pasado" in said, "viene" in said or "pr\u00f3ximo" in said
    which = "last" if is_past else "coming" if is_next else "this" if "este" in said else ""
    day = DAYS[_ES_DAYS[found["day"].casefold()]]
    return f"{_led(said, _ES_LED)}{which} {day}".replace("  ", " ").strip()


def _es_day(found: re.Match[str], at: date) -> str:
    nth = "1" if found["nth"].casefold() == "primero" else found["nth"]
    month = MONTHS[_ES_MONTHS[found["month"].casefold()]]
    return f"{_led(found.group(), _ES_LED)}{nth} {month} {found['year'] or ''}".strip()


def _es_month(found: re.Match[str], at: date) -> str:
    month = MONTHS[_ES_MONTHS[found["month"].casefold()]]
    return f"{_led(found.group(), _ES_LED)}{month} {found['year'] or ''}".strip()


def _es_distance(found: re.Match[str], at: date) -> str:
    number = _ES_NUMBERS.get(found["number"].casefold(), found["number"])
    unit = _ES_UNITS[found["unit"].casefold()]
    return f"{number} {unit}s ago" if "hace" in found.group().casefold() else f"in {number} {unit}s"


def _es_unit(found: re.Match[str], at: date) -> str:
    which = "last" if "pasad" in found.group().casefold() else "next"
    return f"{which} {_ES_UNITS[found['unit'].casefold()]}"


# French

_FR_DAYS: Final = _named("lundi mardi mercredi jeudi vendredi samedi dimanche")
_FR_MONTHS: Final = _named(
    "janvier f\u00e9vrier|fevrier mars avril mai juin juillet ao\u00fbt|aout septembre octobre novembre d\u00e9cembre|decembre"
)
_FR_NUMBERS: Final = {
    "un": "1", "une": "1", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "six": "6", "sept": "7", "huit": "8",
    "neuf": "9", "dix": "10", "douze": "12", "quinze": "15",
}  # fmt: skip
_FR_UNITS: Final = {
    "jour": "day", "semaine": "week", "mois": "month", "an": "year", "ann\u00e9e": "year", "annee": "year",
}  # fmt: skip
_FRENCH: Final = re.compile(
    r"\b(?:je|il|elle|nous|vous|ils|elles|suis|une|les|mon|chez|avec|pas|matin|soir)\b|\b[cjln]['\u2019]\w",
    re.IGNORECASE,
)
_FR_LED: Final = {"depuis": "since", "\u00e0 partir": "from", "d\u00e8s": "from", "jusqu": "until"}


def _fr_weekday(found: re.Match[str], at: date) -> str:
    which = {"dernier": "last", "prochain": "coming"}.get((found["which"] or "").casefold(), "")
    day = DAYS[_FR_DAYS[found["day"].casefold()]]
    return f"{_led(found.group(), _FR_LED)}{which} {day}".replace("  ", " ").strip()


def _fr_day(found: re.Match[str], at: date) -> str:
    nth = "1" if found["nth"].casefold() in ("1er", "premier") else found["nth"]
    month = MONTHS[_FR_MONTHS[found["month"].casefold()]]
    return f"{_led(found.group(), _FR_LED)}{nth} {month} {found['year'] or ''}".strip()


def _fr_month(found: re.Match[str], at: date) -> str:
    month = MONTHS[_FR_MONTHS[found["month"].casefold()]]
    return f"{_led(found.group(), _FR_LED)}{month} {found['year'] or ''}".strip()


def _fr_distance(found: re.Match[str], at: date) -> str:
    number = _FR_NUMBERS.get(found["number"].casefold(), found["number"])
    unit = _FR_UNITS[found["unit"].casefold()]
    is_to_come = found.group().casefold().startswith("dans")
    return f"in {number} {unit}s" if is_to_come else f"{number} {unit}s ago"


def _fr_unit(found: re.Match[str], at: date) -> str:
    which = "next" if "prochain" in found.group().casefold() else "last"
    return f"{which} {_FR_UNITS[found['unit'].casefold()]}"


def _fr_yesterday(found: re.Match[str], at: date) -> str:
    """Return what "hier" is in French; in German it is "here"."""
    return "yesterday" if _FRENCH.search(found.string) else ""


# Chinese

_ZH_DIGITS: Final = "\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d"  # zero to nine
_ZH_NUMBER: Final = rf"(?:\d{{1,2}}|[{_ZH_DIGITS}\u4e24\u5341]{{1,3}})"
_ZH_NAMED: Final = {
    "\u6628\u5929": "yesterday", "\u6628\u665a": "yesterday", "\u524d\u5929": "the day before yesterday",
    "\u660e\u5929": "tomorrow", "\u540e\u5929": "the day after tomorrow", "\u4e0a\u4e2a\u6708": "last month",
    "\u4e0b\u4e2a\u6708": "next month", "\u53bb\u5e74": "last year", "\u660e\u5e74": "next year",
    "\u6708\u5e95": "end of this month", "\u5e74\u5e95": "end of this year",
}  # fmt: skip
_ZH_YEARS: Final = {"\u53bb\u5e74": -1, "\u4eca\u5e74": 0, "\u660e\u5e74": 1, "\u540e\u5e74": 2}
_ZH_UNITS: Final = {
    "\u5929": "day", "\u5468": "week", "\u661f\u671f": "week", "\u6708": "month", "\u5e74": "year",
}  # fmt: skip


def _zh_number(said: str) -> int:
    """Return a number up to 99."""
    if said.isdigit():
        return int(said)
    digits = said.replace("\u4e24", "\u4e8c")
    tens, ten, units = digits.rpartition("\u5341")
    count = _ZH_DIGITS.find(tens) if tens else 1
    return (10 * count if ten else 0) + (max(_ZH_DIGITS.find(units), 0) if units else 0)


def _zh_weekday(found: re.Match[str], at: date) -> str:
    day = "\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u65e5\u5929".index(found["day"]) % 7
    day = 6 if found["day"] in "\u65e5\u5929" else day
    if found["which"] is None:
        return DAYS[day]
    weeks = {"\u4e0a": -1, "\u4e0b": 1}.get(found["which"][0], 0)
    monday = at - timedelta(days=at.weekday())
    return (monday + timedelta(days=7 * weeks + day)).isoformat()


def _zh_day(found: re.Match[str], at: date) -> str:
    month = _zh_number(found["month"])
    if not 1 <= month <= 12:
        return ""
    year = found["year"] or ""
    named = str(at.year + _ZH_YEARS[year]) if year in _ZH_YEARS else year.removesuffix("\u5e74")
    day = f"{_zh_number(found['nth'])} " if found["nth"] else ""
    return f"{day}{MONTHS[month - 1]} {named}".strip()


def _zh_named(found: re.Match[str], at: date) -> str:
    return _ZH_NAMED[found.group()]


def _zh_distance(found: re.Match[str], at: date) -> str:
    number, unit = _zh_number(found["number"]), _ZH_UNITS[found["unit"]]
    return f"{number} {unit}s ago" if found["side"] == "\u524d" else f"in {number} {unit}s"


def _fixed(english: str) -> Rewording:
    return lambda found, at: english


def _rule(
    pattern: str, reword: Rewording, flags: int = re.IGNORECASE
) -> tuple[re.Pattern[str], Rewording]:
    return re.compile(pattern, flags), reword


_SPACE: Final = r"\s{1,3}"
_SPACE_OR_NOT: Final = r"\s{0,3}"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)\b"
_MONTH: Final = rf"(?P<month>{'|'.join(MONTHS)})\b(?:,?{_SPACE}{_YEAR})?"
_DE_WHICH_ONE: Final = r"(?P<which>(?:letzt|vergangen|vorig|n\u00e4chst|kommend|dies)\w{1,3})"
_DE_LEADING: Final = r"\b(?:(?:seit|ab|bis)(?:\s{1,3}(?:dem|zum))?|am|den|der|im|zum)\s{1,3}"
_FR_LEADING: Final = r"(?:\b(?:depuis|ce|le|du|au|avant|pour)|\b\u00e0 partir d[eu]|\bd\u00e8s|\bjusqu['\u2019](?:au|\u00e0|en))\s{1,3}(?:le\s{1,3})?"
_ES_LEADING: Final = r"\b(?:desde|a partir de|hasta|para|en|el|este|del)\s{1,3}(?:el\s{1,3})?"
_RULES: Final = (
    _rule(
        rf"\b(?P<nth>{'|'.join(_NTH)}){_SPACE}(?P<day>{'|'.join(DAYS)}){_SPACE}(?:in|of){_SPACE}{_MONTH}",
        _nth_weekday,
    ),
    _rule(rf"\b(?P<nth>{_any(_ORDINALS)}){_SPACE}of{_SPACE}{_MONTH}", _nth_of_month),
    _rule(rf"\b(?:on|by|until|till|since){_SPACE}the{_SPACE}(?P<nth>{_any(_ORDINALS)})\b(?=[,.;:!?)]|{_SPACE}at\b|\s*$)", _nth_day),
    _rule(rf"\b(?P<led>since|in|from|until|till){_SPACE}['\u2019](?P<short>\d\d)\b", _short_year),
    _rule(rf"(?:{_DE_LEADING})?\b{_DE_WHICH_ONE}{_SPACE}(?P<day>{_any(_DE_DAYS)})\b", _de_weekday),
    _rule(rf"{_DE_LEADING}(?P<which>(?!))?(?P<day>{_any(_DE_DAYS)})\b", _de_weekday),
    _rule(rf"(?:{_DE_LEADING})?\b(?P<nth>\d{{1,2}})\.\s{{0,2}}(?P<month>{_any(_DE_MONTHS)})\b(?:{_SPACE}{_YEAR})?", _de_day),
    _rule(rf"\b(?:seit|ab|bis|im|anfang|mitte|ende){_SPACE}(?P<month>{_any(_DE_MONTHS)})\b(?:{_SPACE}{_YEAR})?", _de_month),
    _rule(
        rf"\b(?P<led>vor|in|seit){_SPACE}(?P<number>\d{{1,3}}|{'|'.join(sorted(_DE_NUMBERS, key=len, reverse=True))}){_SPACE}"
        rf"(?P<unit>{'|'.join(_DE_UNITS)})(?:en|n|e|es)?\b",
        _de_distance,
    ),
    _rule(rf"\b{_DE_WHICH_ONE}{_SPACE}(?P<unit>woche|monat|jahr)\b", _de_unit),
    _rule(r"\bvorgestern\b", _fixed("the day before yesterday")),
    _rule(r"\bgestern\b", _fixed("yesterday")),
    _rule(r"\b\u00fcbermorgen\b", _fixed("the day after tomorrow")),
    _rule(r"(?<!heute )(?<!gestern )\bmorgen\b", _fixed("tomorrow"), 0),  # `Morgen` is the morning
    _rule(
        rf"{_ES_LEADING}(?:(?:pasado|pr\u00f3ximo){_SPACE})?(?P<day>{_any(_ES_DAYS)})\b(?:{_SPACE}(?:pasado|pr\u00f3ximo|que viene))?",
        _es_weekday,
    ),
    _rule(
        rf"(?:{_ES_LEADING})?\b(?P<nth>\d{{1,2}}|primero){_SPACE}de{_SPACE}(?P<month>{_any(_ES_MONTHS)})\b(?:{_SPACE}del?{_SPACE}{_YEAR})?",
        _es_day,
    ),
    _rule(rf"\b(?:desde|a partir de|hasta|en){_SPACE}(?P<month>{_any(_ES_MONTHS)})\b(?:{_SPACE}de{_SPACE}{_YEAR})?", _es_month),
    _rule(
        rf"\b(?:hace|dentro de|en){_SPACE}(?P<number>\d{{1,3}}|{'|'.join(sorted(_ES_NUMBERS, key=len, reverse=True))}){_SPACE}"
        rf"(?P<unit>{'|'.join(_ES_UNITS)})(?:es|s)?\b",
        _es_distance,
    ),
    _rule(rf"\b(?:la|el){_SPACE}(?P<unit>semana|mes|a\u00f1o){_SPACE}(?:pasad[oa]|que viene|pr\u00f3xim[oa])\b", _es_unit),
    _rule(r"\b(?:anteayer|antes de ayer)\b", _fixed("the day before yesterday")),
    _rule(r"(?<!antes de )\b(?:ayer|anoche)\b", _fixed("yesterday")),
    _rule(r"\bpasado ma\u00f1ana\b", _fixed("the day after tomorrow")),
    _rule(r"(?<!la )(?<!esta )(?<!pasado )\bma\u00f1ana\b", _fixed("tomorrow")),
    _rule(rf"{_FR_LEADING}(?P<day>{_any(_FR_DAYS)})\b(?:{_SPACE}(?P<which>dernier|prochain))?", _fr_weekday),
    _rule(rf"(?<!le )(?<!depuis )\b(?P<day>{_any(_FR_DAYS)}){_SPACE}(?P<which>dernier|prochain)\b", _fr_weekday),
    _rule(
        rf"(?:{_FR_LEADING})?\b(?P<nth>\d{{1,2}}|1er|premier){_SPACE}(?P<month>{_any(_FR_MONTHS)})\b(?:{_SPACE}{_YEAR})?",
        _fr_day,
    ),
    _rule(rf"(?:\b(?:depuis|en|fin|d\u00e9but|mi)|\bjusqu['\u2019]en|\bd\u00e8s|\b\u00e0 partir de)[\s-]{{1,3}}(?P<month>{_any(_FR_MONTHS)})\b(?:{_SPACE}{_YEAR})?", _fr_month),
    _rule(
        rf"\b(?:il{_SPACE}y{_SPACE}a|dans|depuis){_SPACE}(?P<number>\d{{1,3}}|{'|'.join(sorted(_FR_NUMBERS, key=len, reverse=True))}){_SPACE}"
        rf"(?P<unit>{'|'.join(sorted(_FR_UNITS, key=len, reverse=True))})s?\b",
        _fr_distance,
    ),
    _rule(rf"\b(?:la|le|l['\u2019]){_SPACE_OR_NOT}(?P<unit>semaine|mois|an|ann\u00e9e){_SPACE}(?:derni\u00e8re?|prochaine?|pass\u00e9e?|dernier)\b", _fr_unit),
    _rule(r"\bavant-hier\b", _fixed("the day before yesterday")),
    _rule(r"(?<!avant-)\bhier\b", _fr_yesterday),
    _rule(r"\bapr\u00e8s-demain\b", _fixed("the day after tomorrow")),
    _rule(r"(?<!apr\u00e8s-)\bdemain\b", _fixed("tomorrow")),
    _rule(
        r"(?P<which>[\u4e0a\u4e0b\u8fd9\u672c]\u4e2a?)?(?:\u5468|\u661f\u671f|\u793c\u62dc)(?P<day>[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u65e5\u5929])",
        _zh_weekday,
    ),
    _rule(
        rf"(?P<year>{'|'.join(_ZH_YEARS)}|(?:19|20)\d\d\u5e74)?(?P<month>{_ZH_NUMBER}) ?\u6708 ?(?P<nth>{_ZH_NUMBER}) ?[\u65e5\u53f7]?",
        _zh_day,
    ),
    _rule(rf"(?:(?P<year>{'|'.join(_ZH_YEARS)}|(?:19|20)\d\d\u5e74)|\u4ece)(?P<month>{_ZH_NUMBER})\u6708(?P<nth>(?!))?", _zh_day),
    _rule(
        rf"(?P<number>{_ZH_NUMBER})\u4e2a?(?P<unit>{'|'.join(_ZH_UNITS)})[\u4e4b\u4ee5]?(?P<side>[\u524d\u540e])",
        _zh_distance,
    ),
    _rule("|".join(_ZH_NAMED), _zh_named),
)  # fmt: skip
# Without one of these a text has no date in other words; most texts are not read further.
MAY_BE_REWORDED: Final = re.compile(
    rf"\b(?:{'|'.join(_NTH)}){_SPACE}(?:{'|'.join(DAYS)})\b|\b(?:{_any(_ORDINALS)})\b|\s['\u2019]\d\d\b|"
    rf"\b(?:{_any(_FR_DAYS)}|{_any(_FR_MONTHS)}|(?:avant-)?hier|demain|(?:{_any(_FR_UNITS)})s?)\b|\b(?:{_any(_DE_DAYS)}|{_any(_DE_MONTHS)}|{_any(_ES_DAYS)}|{_any(_ES_MONTHS)}|"
    rf"(?:{'|'.join(_DE_UNITS)})(?:en|n|e|es)?|(?:{'|'.join(_ES_UNITS)})(?:es|s)?|(?:\u00fcber)?morgen|(?:vor)?gestern|ayer|anteayer|anoche|ma\u00f1ana)\b|"
    r"[\u4e00-\u9fff]",
    re.IGNORECASE,
)
