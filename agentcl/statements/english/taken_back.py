"""What is taken back in one breath: who says "on the 27th. No, wait, on the 20th" has said the 20th."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from agentcl.statements.dates.dating import dated

_MOST_READ: Final = 2_000  # characters of a text
_BEFORE: Final = 90  # characters in front of a correction in which that stands which it corrects
_CUE: Final = re.compile(
    r"(?:(?<=[.,;:!?\u2026\u2013\u2014-])|(?<=\.\.\.))\s{1,3}(?:(?:and|but|oh|ah|ok|okay|well|no|wait)\b\W{1,3}){0,4}?"
    r"(?P<cue>(?:no|nope|wait|oops|sorry|hang on|hold on|correction|correct that|scratch that|strike that|my mistake|actually|rather|make that|"
    r"(?:that's|that was) wrong|I (?:mean|meant|misread(?: (?:it|that))?|misspoke|mixed (?:it|them) up))\b(?:\W{1,4}(?=\w))?){1,4}"
    r"(?P<lead>(?:it's|it is|that's|it was|I mean|I meant|make (?:it|that)|I misread(?: (?:it|that))?|on|in|at|the|not that|number)\b\W{1,3}){0,4}",
    re.IGNORECASE,
)  # fmt: skip
_WEAK: Final = re.compile(r"\W*(?:no|nope|actually|rather)\W*", re.IGNORECASE)
# What one calls out to somebody, too: "I told Anna. Hold on, Peter, I'm coming."
_CALL: Final = re.compile(r"\W*(?:(?:wait|oops|sorry|hang on|hold on)\W*)+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<![\w-])(?=[\w./:-]{0,30}\d)[A-Za-z0-9](?:[\w./,:-]{0,30}\w)?")
_NAME: Final = re.compile(r"[^\W\d_a-z][\w'&-]{1,40}(?:\s[^\W\d_a-z][\w'&-]{0,40}){0,3}")
_ALIKE: Final = 0.55  # of the characters of a name and of what it corrects
# "Wait, on 9 May I have an exam" is about something else.
_GOES_ON: Final = re.compile(r"\s(?:I|we|he|she|they|there|it|you|my|our|the)\b")
_CLOSING: Final = tuple(".!?")  # a sentence
_ENDS: Final = re.compile(r"\s*(?:[.,;:!?)\u2026]|$)")


class TakenBack(NamedTuple):
    """Where a text says something, and something else in its place right afterwards."""

    start: int  # what is taken back
    end: int
    cue: int  # where "no, wait" begins
    new: int  # what holds instead
    new_end: int


def taken_back(text: str, at: datetime) -> list[TakenBack]:
    """Return what a text takes back, in order.

    Only what is replaced by something of its kind counts: a date by a date, a number by one of its form, a name by a name.

    Args:
        text: of one speaker.
        at: when it was said, in his own time.
    """
    return [*_found(text[:_MOST_READ], at)]


def without_taken_back(text: str, at: datetime) -> str:
    """Return a text with a gap in the place of each thing that it takes back."""
    for one in reversed(taken_back(text, at)):
        text = f"{text[: one.start]}[\u2026]{text[one.end :]}"
    return text


def amended(text: str, at: datetime) -> str:
    """Return a text as it was meant: "My PIN is A1, no wait, B2." as "My PIN is B2."."""
    for one in reversed(taken_back(text, at)):
        between = text[one.end : one.cue].rstrip(" ,;:.\u2026\u2013\u2014-")
        text = f"{text[: one.start]}{text[one.new : one.new_end]}{between}{text[one.new_end :]}"
    return text


def _found(text: str, at: datetime) -> Iterator[TakenBack]:
    last = 0
    for cue in _CUE.finditer(text):
        begin = max(last, cue.start() - _BEFORE)
        said = (
            _dates(text, at, begin, cue) or _numbers(text, begin, cue) or _names(text, begin, cue)
        )
        if said:
            (start, end), (new, new_end) = said
            yield TakenBack(start, end, cue.start(), new, new_end)
            last = new_end


_Spans = tuple[tuple[int, int], tuple[int, int]]


def _dates(text: str, at: datetime, begin: int, cue: re.Match[str]) -> _Spans | None:
    named = [
        (one.end - len(one.said), one.end - one.said.endswith("."), one.date)
        for one in dated(text, at)
    ]
    new = next((one for one in named if cue.end("cue") <= one[0] <= cue.end() + 1), None)
    if new is None or _GOES_ON.match(text, new[1]):
        return None
    old = [one for one in named if begin <= one[0] and one[1] <= cue.start()]
    if not old or old[-1][2] == new[2] or len(old[-1][2]) != len(new[2]):
        return None
    return old[-1][:2], new[:2]


def _numbers(text: str, begin: int, cue: re.Match[str]) -> _Spans | None:
    new = _NUMBER.match(text, cue.end())
    if new is None or not _ENDS.match(text, new.end()):
        return None
    form = _form(new[0])
    alike = [one for one in _NUMBER.finditer(text, begin, cue.start()) if _form(one[0]) == form]
    return (alike[-1].span(), new.span()) if alike and alike[-1][0] != new[0] else None


def _form(number: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", number))


def _names(text: str, begin: int, cue: re.Match[str]) -> _Spans | None:
    new = _NAME.match(text, cue.end())
    if new is None or not _ENDS.match(text, new.end()):
        return None
    old = [*_NAME.finditer(text, begin, cue.start())]
    if not old:
        return None
    last = old[-1]
    tail = " ".join(last[0].split()[-len(new[0].split()) :])
    start = last.end() - len(tail)
    if tail == new[0]:
        return None
    alike = SequenceMatcher(None, tail.casefold(), new[0].casefold()).ratio() >= _ALIKE
    is_beside = not text[last.end() : cue.start()].strip(" .,;:!\u2026\u2013\u2014-")
    is_called = text[last.end() : last.end() + 1] in _CLOSING and _CALL.fullmatch(cue["cue"])
    if alike or (is_beside and not is_called and not _WEAK.fullmatch(cue["cue"])):
        return (start, last.end()), new.span()
    return None
