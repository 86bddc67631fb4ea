"""How good an investigation was: the same formula as ExCyTIn-Bench's, with a judge that is exact.

ExCyTIn-Bench asks a language model whether the answer is right and which steps of the solution were
found. Here rules do so, which gives the same verdict each time; a judge of your own can be had beside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.envs.domains.excytin.cases import Case
from agentcl.envs.domains.excytin.sql import QueryResult, Row

DECAY: Final = 0.4  # of the credit, for each step further from the answer
MOST_ROWS: Final = 10  # a longer result, or a longer list, is no finding but an enumeration
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[t ]+(\d\d:\d\d:\d\d)(?:\.\d+)?(?: ?z| ?utc|\+00:?00)?(?!\d)"
)
_AMERICAN_DAY: Final = re.compile(r"\b(\d\d?)/(\d\d?)/(\d{4})\b")
_SCHEME: Final = re.compile(r"\bh(?:tt|xx)ps?://")
_QUOTES: Final = re.compile("[\"'`\u2018\u2019\u201c\u201d]")
_VALUE: Final = re.compile(r"`([^`]+)`")
_LABEL: Final = re.compile(r"^\s*[A-Za-z][\w ()-]{0,40}: +")
_SEPARATOR: Final = re.compile(r"[,;\n]| and ")
# How ExCyTIn-Bench writes a process: its id, its time of creation, its command line.
_PROCESS: Final = re.compile(r"\d+__[\dtz:. -]*__(.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the answer is right, and which steps before the last one were found, in their order."""

    is_correct: bool
    steps: tuple[bool, ...]

    @property
    def value(self) -> float:
        """1 for the right answer; else 0.4 for the step before the answer, 0.16 for the one before, ..."""
        if self.is_correct:
            return 1.0
        back = enumerate(reversed(self.steps), 1)
        return sum((DECAY**distance for distance, is_found in back if is_found), 0.0)


# Decides how good an investigation was, given the case with its answer and solution, the answer that was
# submitted (None or empty if none was, which earns nothing) and the results of all queries in their order. A
# language model may stand behind it.
AnswerJudge = Callable[[Case, str | None, Sequence[QueryResult]], Verdict]


def judge_exactly(question: Case, submitted: str | None, seen: Sequence[QueryResult]) -> Verdict:
    """Judge by rules alone.

    The answer is right if it is the same after `normalised`, or the same list in another order. A step
    counts as found if one row of a complete result of at most ten rows holds every value of the step's
    sentence (they stand in backticks) that the question does not tell already. A step without such a
    value cannot be told, and counts as not found. This rule for steps is ours, not ExCyTIn-Bench's.
    """
    count = len(question.solution) - 1
    if not submitted:
        return Verdict(False, (False,) * count)
    if is_same(submitted, question.answer):
        return Verdict(True, (True,) * count)
    told = normalised(question.shown())
    rows = [
        _text_of(row)
        for result in seen
        if result.is_complete and len(result.rows) <= MOST_ROWS
        for row in result.rows
    ]
    return Verdict(False, tuple(_is_found(step, told, rows) for step in question.solution[:-1]))


def is_same(submitted: str, answer: str) -> bool:
    """Return whether a submitted answer says the same as the right one.

    A sentence with one value in backticks is taken for that value. Where the answer is a process as
    `id__time__command line`, its command line alone will do.
    """
    wanted = [answer]
    if process := _PROCESS.fullmatch(answer.strip()):
        wanted.append(process.group(1))
    given = [submitted]
    quoted = _VALUE.findall(submitted)
    if len(quoted) == 1:
        given += quoted
    return any(_says(one, other) for one in given for other in wanted)


def normalised(text: str) -> str:
    """Return a text without what does not tell values apart.

    Case, quotes, runs of blanks, a URL's scheme, brackets around dots, doubled backslashes, what ends a
    sentence or a path, fractions of seconds, and how a time in UTC is written.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _QUOTES.sub("", text).replace("[.]", ".").replace("\\\\", "\\")
    text = _SCHEME.sub("", text)
    text = _AMERICAN_DAY.sub(lambda m: f"{m[3]}-{int(m[1]):02}-{int(m[2]):02}", text)
    text = _TIME.sub(r"\1t\2", text)
    return " ".join(text.split()).rstrip(".,;:!?/ ")


def _says(given: str, wanted: str) -> bool:
    right = normalised(wanted)
    if not right:
        return given.strip() == wanted.strip()
    if right in (normalised(given), normalised(_LABEL.sub("", given))):
        return True
    parts = _parts(wanted)
    return 1 < len(parts) <= MOST_ROWS and _parts(given) == parts


def _parts(text: str) -> set[str]:
    pieces = (normalised(_LABEL.sub("", piece)) for piece in _SEPARATOR.split(text))
    return {piece for piece in pieces if piece}


def _text_of(row: Row) -> str:
    return normalised(" | ".join(str(value) for value in row))


def _is_found(step: str, told: str, rows: Iterable[str]) -> bool:
    values = [value for value in map(normalised, _VALUE.findall(step)) if value]
    needed = [value for value in values if not _holds(told, value)]
    return bool(needed) and any(all(_holds(row, value) for value in needed) for row in rows)


def _holds(text: str, value: str) -> bool:
    return any(
        not (text[start - 1 : start].isalnum() or text[start + len(value) :][:1].isalnum())
        for start in _occurrences(text, value)
    )


def _occurrences(text: str, value: str) -> Iterator[int]:
    start = text.find(value)
    while start >= 0:
        yield start
        start = text.find(value, start + 1)
