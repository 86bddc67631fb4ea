"""What counts as right, as wrong beside it and as marked as past, in the text that a memory hands over.

The same rules hold for every arm: they read the text and nothing else. A value stands in a text where it stands
as whole words, in any case. Where one string contains another, the longest at a place counts alone. A wrong value
is *marked as past* where

- its line begins with a label, in brackets or before a colon, that says until when it held ("[2, until 29 Mar 2025]"),
  for `then` questions also one that says since when, since there a dated history is what is asked for; or
- its own sentence says that it is over: "no longer", "not ... any more", "used to", "formerly", "gave up", "until" with
  a date, and the like; or
- right before it stands what it was left for: "instead of", "no more", "moved from", "stopped being a".

Yes, no and numbers of one or two digits stand in any text by chance, so questions with such an answer are left to
the reader's answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.envs.questions.grading import is_no_answer, normalise
from agentcl.envs.questions.histories import (
    UNANSWERED,
    HoldingQuestion,
)
from agentcl.text import unescape

_BY_CHANCE: Final = re.compile(
    r"yes|no|\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten", re.IGNORECASE
)
_ISO: Final = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_DAY: Final = r"(?:\d{4}(?:-\d\d){0,2}|(?:\d{1,2} )?(?:[A-Z][a-z]+ )\d{4})"
_UNTIL: Final = re.compile(
    rf"\b(?:until|till|ended|to|past)\b[^:]{{0,12}}{_DAY}|\b(?:past|ended|before)\b", re.IGNORECASE
)
_SINCE: Final = re.compile(rf"\b(?:since|from)\b[^:]{{0,12}}{_DAY}", re.IGNORECASE)
_OVER: Final = re.compile(
    r"\bno longer\b|\bany ?more\b|\bused to\b|\b(?:formerly|previously|former)\b|\b(?:gave|given) up\b"
    rf"|\b(?:until|till) (?:[a-z]+ )?{_DAY}|\bended\b|\bfell through\b|\bcancelled\b|\bquit\b|\bstopped\b",
    re.IGNORECASE,
)  # fmt: skip
_LEFT: Final = re.compile(
    r"(?:\binstead of|\bno more|\b(?:moved|moving|switch|switched|changed|went) from|\bleft|\bstopped being an?"
    r"|\breplaced(?: the| my)?|\bsold(?: the| my)?|\bwent off)\s+$",
    re.IGNORECASE,
)  # fmt: skip
_LABEL: Final = re.compile(r"(?:\[[^\]]*\])?(?:[^.?!]{0,60}?: )?")
_SENTENCE: Final = re.compile(r"[.?!](?=\s|$)")


@dataclass(frozen=True, slots=True)
class Score:
    """What one text is worth for one question; None where the question does not tell."""

    kind: str
    right: bool | None
    stale: bool | None  # a value that was right stands there unmarked
    lure: bool | None

    @property
    def wrong(self) -> bool | None:
        """Whether either stands there."""
        found = [one for one in (self.stale, self.lure) if one is not None]
        return any(found) if found else None


def scored(question: HoldingQuestion, prompt: str) -> Score:
    """Return what a text is worth for a question."""
    text = unescape(prompt)
    is_asked = question.kind not in UNANSWERED and not _BY_CHANCE.fullmatch(question.answer)
    stale, lure = (_telling(values) for values in (question.stale, question.lure))
    groups = [_members(question), stale, lure]
    found = _standing(text, [value for group in groups for value in group])
    right = None
    if is_asked:
        right = _is_right(question, {value for value, _, _ in found})
    is_then = question.kind == "then"
    unmarked = {value for value, line, place in found if not _is_past(line, place, is_then=is_then)}
    wrong = [
        any(value.lower() in unmarked for value in group) if group and is_asked else None
        for group in (stale, lure)
    ]
    return Score(question.kind, right, wrong[0], wrong[1])


def _telling(values: Iterable[str]) -> list[str]:
    return [value for value in values if not _BY_CHANCE.fullmatch(value)]


def _members(question: HoldingQuestion) -> list[str]:
    parts = question.answer.split(", ") if question.kind == "set" else []
    return _telling((*_right(question), *parts))


def _right(question: HoldingQuestion) -> tuple[str, ...]:
    """Return all right strings; a day or month of ISO 8601 also as labels of prompts write it."""
    if found := _ISO.fullmatch(question.answer):
        year, month, day = found[1], _MONTHS[int(found[2]) - 1], found[3]
        short = f"{int(day)} {month} {year}" if day else f"{month} {year}"
        return (*question.right, short)
    return question.right


def _is_right(question: HoldingQuestion, found: set[str]) -> bool:
    """A set is right where each member stands; the order and what stands between do not count."""
    if question.kind == "set" and all(p.lower() in found for p in question.answer.split(", ")):
        return True
    return any(value.lower() in found for value in _right(question))


def _standing(text: str, values: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return each place of a value: the value in lower case, its line, and where it begins in it."""
    if not values:
        return []
    longest = sorted({value.lower() for value in values}, key=lambda value: (-len(value), value))
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)
    return [
        (match[0].lower(), line, match.start())
        for line in _entries(text)
        for match in pattern.finditer(line)
    ]


def _entries(text: str) -> list[str]:
    """Return the lines of a text; those that go on with `>` belong to the one before."""
    return re.sub(r"\n> ?", " ", text).split("\n")


def _is_past(line: str, place: int, *, is_then: bool) -> bool:
    found = _LABEL.match(line)
    label = found[0] if found and found.end() <= place else ""
    if _UNTIL.search(label) or (is_then and _SINCE.search(label)):
        return True
    borders = [0, *(match.end() for match in _SENTENCE.finditer(line)), len(line)]
    begin = max(border for border in borders if border <= place)
    end = min(border for border in borders if border > place)
    sentence = line[max(begin, len(label)) : end]
    return bool(_OVER.search(sentence) or _LEFT.search(line[:place]))


def is_right_answer(question: HoldingQuestion, answer: str) -> bool:
    """Tell whether a reader's answer is right: the same words, a set in any order; `unknown` where nothing was said."""
    if question.kind in UNANSWERED:
        return is_no_answer(answer) or any(
            normalise(answer) == normalise(right) for right in question.right
        )
    given = normalise(answer)
    if question.kind == "set" and _set(answer) == _set(question.answer):
        return True
    return any(given == normalise(right) for right in question.right)


def _set(text: str) -> frozenset[str]:
    parts = re.split(r",| and ", text)
    return frozenset(filter(None, map(normalise, parts)))
