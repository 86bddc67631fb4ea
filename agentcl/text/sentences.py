"""Where the sentences of a text are: prose is cut at its full stops, code and tables only at line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Sort = Literal["sentence", "line", "heading", "code"]
# Characters of one sentence; what is longer has none, and is cut at a comma or a space
_LONGEST: Final = 600
_LONGEST_CODE: Final = 1_200  # characters of a block of code that stays whole

_CLOSERS: Final = "\"')\\]\u2019\u201d\u00bb\u300d\u300f\uff09\u3011\u300b\u3009"
_OPENERS: Final = (
    "\"'(\\[\u2018\u201c\u201e\u00ab\u00bb\u300c\u300e\uff08\u3010\u300a\u3008\u00a1\u00bf"
)
# Of scripts that put no space behind them: ideographic and full width; then Devanagari, Arabic, Urdu, Ethiopic, Thai.
_WIDE_STOPS: Final = "\u3002\uff61\uff01\uff1f"
_STOPS: Final = f".!?\u2026\u0964\u0965\u061f\u06d4\u1362{_WIDE_STOPS}"
_END: Final = re.compile(
    rf"[{_WIDE_STOPS}]+[{_CLOSERS}]*\s*|[{_STOPS}]+[{_CLOSERS}]*(?:\[\d+\])*\s+"
)
_NEXT: Final = re.compile(rf"[{_OPENERS}]*(\w)")
_LAST_WORD: Final = re.compile(r"(?:[^\W_]{1,24}\.){0,12}[^\W_]{1,24}\Z")
# After these a full stop ends no sentence, whatever follows.
_ABBREVIATED: Final = frozenset(
    """
    mr mrs ms dr prof st mt ft jr sr gen rev sgt col lt capt cmdr adm maj gov sen rep hon pres
    vs etc al cf ca approx no nos vol pp fig figs eq sec ch ed eds trans inc ltd co corp dept univ
    jan feb mar apr jun jul aug sep sept oct nov dec
    bzw usw vgl ggf evtl inkl abb nr str hr fr hl geb gest bspw sog
    mme mlle env av boul sra dra ud uds pág art núm
    """.split()  # noqa: SIM905  # as a list it takes 80 lines
)
_FENCE: Final = re.compile(r"\s{0,40}(`{3,}|~{3,})")
_HEADING: Final = re.compile(r"\s{0,3}#{1,6}\s+\S")
_ITEM: Final = re.compile(
    r"\s{0,40}(?:[-*+\u2022\u25e6\u2023]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S"
)
_PAUSE: Final = re.compile(r"[;:,\uff0c\u3001\uff1b\uff1a]\s*|\s+")
# A line that is a row, or a line of code, though no fence says so.
_ROW: Final = re.compile(r"\t|\s\|\s|^\s{0,40}\||\|\s{0,40}$")
_CODE_LINE: Final = re.compile(
    r"^\s*+(?:[}\])]+[;,]?|.*[;{}]|(?:def|class|import|from|return|if|for|while|const|let|var|func|fn|pub|#include)\b"
    r".*[:;(){}=].*|[\w.\[\]]+\s*(?:=|\+=|:=)\s*\S.*|.*\)\s*:?|\$ .*|>>> .*)$"
)


@dataclass(frozen=True, slots=True)
class SentenceSpan:
    """One sentence, line or block of code of a text; `text[start:end]` has no space at its ends."""

    start: int
    end: int
    sort: Sort = "sentence"


def sentences(text: str) -> list[SentenceSpan]:
    """Return the sentences of a text in their order; all that can be seen stands in exactly one of them.

    A fenced block of code is one, unless it is very long. Rows of tables, lines of code, items of lists and headings
    are lines of their own. In prose the end of a line ends no sentence, since it may be wrapped. What goes on for
    more than 600 characters without a full stop is cut at a comma or a space. The time is linear in the text.
    """
    return [
        trimmed
        for start, end, sort in _blocks(text)
        for found in _cut(text, start, end, sort)
        if (trimmed := _trimmed(text, found))
    ]


def is_row(line: str) -> bool:
    """Return whether a line looks like a row of a table."""
    return bool(_ROW.search(line))


def _trimmed(text: str, found: SentenceSpan) -> SentenceSpan | None:
    piece = text[found.start : found.end]
    start = found.start + len(piece) - len(piece.lstrip())
    end = found.start + len(piece.rstrip())
    return SentenceSpan(start, end, found.sort) if start < end else None


def _blocks(text: str) -> Iterator[tuple[int, int, Sort]]:
    """Yield the paragraphs and lines of a text; prose as "sentence", still to be cut."""
    paragraph: list[tuple[int, int]] = []  # lines that follow each other
    fence, fenced = "", 0
    place = 0
    for line in text.splitlines(keepends=True):
        start, place = place, place + len(line)
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence):
                yield from _code(text, fenced, place)
                fence = ""
        elif mark or not line.strip():
            yield from _paragraph(text, paragraph)
            paragraph = []
            if mark:
                fence, fenced = mark[1], start
        else:
            paragraph.append((start, place))
    yield from _paragraph(text, paragraph)
    if fence:  # it was never closed, as in a piece of a longer text
        yield from _code(text, fenced, place)


def _code(text: str, start: int, end: int) -> Iterator[tuple[int, int, Sort]]:
    if end - start <= _LONGEST_CODE:
        yield start, end, "code"
        return
    for line in text[start:end].splitlines(keepends=True):
        yield start, start + len(line), "line"
        start += len(line)


def _paragraph(text: str, lines: list[tuple[int, int]]) -> Iterator[tuple[int, int, Sort]]:
    """Yield the lines of a table or of code each alone; of other text, what belongs together."""
    shown = [text[start:end].rstrip("\r\n") for start, end in lines]
    rows = sum(bool(_ROW.search(line) or _CODE_LINE.match(line)) for line in shown)
    if len(lines) > 1 and 2 * rows > len(lines):
        yield from ((start, end, "line") for start, end in lines)
        return
    begun: int | None = None
    for (start, end), line in zip(lines, shown, strict=True):
        is_heading = _HEADING.match(line)
        if begun is not None and (is_heading or _ITEM.match(line)):
            yield begun, start, "sentence"
            begun = None
        if is_heading:
            yield start, end, "heading"
        elif begun is None:
            begun = start
    if begun is not None:
        yield begun, lines[-1][1], "sentence"


def _cut(text: str, start: int, end: int, sort: Sort) -> Iterator[SentenceSpan]:
    """Yield the sentences of a block."""
    if sort == "sentence":
        for stop in _END.finditer(text, start, end):
            if stop.end() < end and _ends(text, start, stop):
                yield from _short(text, start, stop.end(), sort)
                start = stop.end()
    if sort == "code":
        yield SentenceSpan(start, end, sort)
    else:
        yield from _short(text, start, end, sort)


def _ends(text: str, start: int, stop: re.Match[str]) -> bool:
    """Return whether a sentence that began at `start` ends with this stop."""
    mark = stop.group()
    if mark[0] in _WIDE_STOPS:
        return True
    following = _NEXT.match(text, stop.end())
    if following and following[1].islower():
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    word = _LAST_WORD.search(text, max(start, stop.start() - 24), stop.start())
    if word is None:
        return True
    last = word.group()
    if last.isdigit():  # a German "3. Oktober"; a year or a sum does end a sentence
        return len(last) > 2
    parts = last.split(".")
    is_initials = all(len(part) == 1 and part.isalpha() for part in parts)
    if is_initials and len(parts) > 1:  # "U.S. Army", "z.B. Hunde", "in the U.S. It"
        return last.isupper() and bool(_SAYS.match(text, stop.end()))
    return not is_initials and last.casefold() not in _ABBREVIATED


# Words that begin a sentence, and hardly ever a name.
_SAYS: Final = re.compile(
    r"(?:The|A|An|In|On|At|It|He|She|They|We|This|That|These|There|However|But|And|After|When|His|Her|Its)\b"
)


def _short(text: str, start: int, end: int, sort: Sort) -> Iterator[SentenceSpan]:
    """Yield a sentence, in pieces where it is too long to be one."""
    while end - start > _LONGEST:
        least, most = start + _LONGEST // 3, start + _LONGEST
        pauses = list(_PAUSE.finditer(text, least, most))
        marked = [one for one in pauses if not one.group().isspace()]
        place = (marked or pauses)[-1].end() if pauses else most
        yield SentenceSpan(start, place, sort)
        start = place
    yield SentenceSpan(start, end, sort)
