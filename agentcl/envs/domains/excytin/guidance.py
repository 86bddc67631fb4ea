"""What the scripted investigator can be told, and can tell: one line of plain text for each thing.

    To find a host name, look in AlertEvidence.HostName.
    To find a host name, avoid SecurityAlert.CompromisedEntity.
    To locate an IP address, look in NetworkLog.Custom2.
    To reach the next alert, look in DeviceLog.Custom4.

`find` is for the answer, `locate` for a value that the question tells, `reach` for the way from one alert
to another. Lines of another form are ignored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.lessons import Claim, Lesson, read_sentence

NEXT_ALERT: Final = "reach the next alert"
_LINE: Final = re.compile(
    r"To (?P<purpose>.+), (?P<verb>look in|avoid) (?P<table>\w+)\.(?P<column>\w+)\."
)
_VOWELS: Final = "aeioAEIO"  # an IP address, but a URL and a user id


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """A column of a table."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def to_find(kind: str) -> str:
    """Return the purpose of finding an answer of a kind."""
    return f"find {_article(kind)} {kind}"


def to_locate(kind: str) -> str:
    """Return the purpose of locating a known value of a kind."""
    return f"locate {_article(kind)} {kind}"


def look_in(purpose: str, place: Column) -> str:
    """Return the line that recommends a place."""
    return f"To {purpose}, look in {place}."


def avoid(purpose: str, place: Column) -> str:
    """Return the line that advises against a place."""
    return f"To {purpose}, avoid {place}."


def sorted_by_guidance(
    places: Iterable[Column], purpose: str, lines: Sequence[str]
) -> tuple[list[Column], list[Column], list[Column]]:
    """Return the places that guidance recommends, those it does not speak of, and those to avoid.

    The first line about a place counts. Recommended places are in the order of the lines, those to avoid
    in the reverse order, so that the one with the weakest case against it comes first; the others keep
    their order.
    """
    verbs: dict[Column, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match and match["purpose"] == purpose:
            verbs.setdefault(Column(match["table"], match["column"]), match["verb"])
    known = list(places)
    there = set(known)
    recommended = [place for place, verb in verbs.items() if verb == "look in" and place in there]
    avoided = [place for place, verb in verbs.items() if verb == "avoid" and place in there]
    others = [place for place in known if place not in verbs]
    return recommended, others, avoided[::-1]


def situation_of(purpose: str) -> str:
    """Return the situation that lessons about a purpose speak of."""
    return f"you {purpose}"


def as_lesson(line: str) -> Lesson | None:
    """Return a line as a lesson for `Memory.reflect`; None for a line of another form."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    claim: Claim = "do" if match["verb"] == "look in" else "avoid"
    place = Column(match["table"], match["column"])
    return Lesson(situation_of(match["purpose"]), claim, f"look in {place}")


def as_line(sentence: str) -> str:
    """Return what a lesson's sentence says as a line; the sentence itself if it has another form."""
    lesson = read_sentence(sentence)
    if lesson is None or not lesson.what.startswith("look in "):
        return sentence
    verb = "look in" if lesson.claim == "do" else "avoid"
    purpose, place = lesson.when.removeprefix("you "), lesson.what.removeprefix("look in ")
    return f"To {purpose}, {verb} {place}."


class LineMemory:
    """The simplest memory there is: lines with the number of episodes that bore each out."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def recall(self, query: str) -> Sequence[str]:
        """Return the lines about a purpose, those borne out most often first."""
        found = [line for line in self._counts if line.startswith(f"To {query}, ")]
        return sorted(found, key=lambda line: (-self._counts[line], line))

    def add(self, lines: Iterable[str]) -> None:
        """Count one episode for each line."""
        self._counts.update(lines)

    def __len__(self) -> int:
        return len(self._counts)


def _article(kind: str) -> str:
    return "an" if kind[0] in _VOWELS else "a"
