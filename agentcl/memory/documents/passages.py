"""Cutting a text into passages that follow each other without gap or overlap."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain
from typing import Final

from agentcl.errors import InvalidInput
from agentcl.text.pages import PAGE_END

# How good a place is for a cut.
_HEADING, _PARAGRAPH, _LINE, _SENTENCE, _WORD = 5, 4, 3, 2, 1

_CLOSERS: Final = "\"')\\]\u2019\u201d\u00bb\u300d\u300f\uff09\u3011\u300b\u3009"
# Full stops, exclamation and question marks of scripts that put no space after them (ideographic,
# full width), and of Devanagari, Arabic, Urdu and Ethiopic; then the comma-like ones.
_STOPS: Final = "\u3002\uff61\uff01\uff1f\u0964\u0965\u061f\u06d4\u1362"
_COMMAS: Final = "\uff0c\u3001\uff1b\uff1a"
_BREAK: Final = re.compile(rf"\s+|[{_STOPS}]+[{_CLOSERS}]*|[{_COMMAS}]+")
_ENDS_SENTENCE: Final = re.compile(rf"[.!?\u2026{_STOPS}][{_CLOSERS}]{{0,4}}\Z")
_INK: Final = re.compile(r"\S")
# `# Heading`, or a line underlined by `====`, as Markdown and reStructuredText have it. The length
# is bounded so that a text without line ends is not read to its end from every candidate.
_UNDERLINE: Final = r"(?:={3,200}|-{3,200}|~{3,200})[ \t]*\r?(?:\n|\Z)"
_STARTS_HEADING: Final = re.compile(rf"#{{1,6}}[ \t]+\S|\S[^\r\n]{{0,200}}\r?\n{_UNDERLINE}")
_IS_UNDERLINE: Final = re.compile(_UNDERLINE)


def split(text: str, *, limit: int = 1_000) -> list[tuple[int, int]]:
    """Return consecutive (start, end) spans, in characters, that tile the text.

    A span is at most `limit` characters long. It ends where the text itself pauses: before a heading,
    after a paragraph, a line, a sentence, a word; else anywhere, but not between a letter and its
    marks or within an emoji while there is another place. A heading goes with what follows it, white
    space with what precedes it. The time is linear in the length of the text.

    No span is only white space, unless the whole text is. For this a span may be longer than `limit`,
    by the white space at its ends alone, where a run of it is at least half of `limit` long.

    Raises:
        InvalidInput: if the limit is less than 1.
    """
    if limit < 1:
        raise InvalidInput(f"a passage must have room for a character; the limit is {limit}")
    if not text.strip():
        return [(start, min(start + limit, len(text))) for start in range(0, len(text), limit)]
    return list(_spans(text, limit))


def split_pages(text: str, *, limit: int = 1_000) -> list[tuple[int, int, int]]:
    """Return spans as `split` does, each with its page, from 1: none goes over the end of a page."""
    spans: list[tuple[int, int, int]] = []
    begin = end = 0
    for page, piece in enumerate(text.split(PAGE_END), start=1):
        end = min(end + len(piece) + len(PAGE_END), len(text))
        if piece.strip():
            own = split(text[begin:end], limit=limit)
            spans.extend((begin + start, begin + stop, page) for start, stop in own)
        elif spans:  # an empty page goes with what precedes it, as white space does
            spans[-1] = (spans[-1][0], end, spans[-1][2])
        else:
            continue
        begin = end
    return spans


def _spans(text: str, limit: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        ink = _next_ink(text, start)
        origin = ink if ink - start >= max(limit // 2, 1) else start
        most = origin + limit
        end = len(text) if most >= len(text) else _cut(text, start, ink, most, limit)
        yield start, end
        start = end


def _cut(text: str, start: int, ink: int, most: int, limit: int) -> int:
    """Return where the span that begins at `start` ends; `ink` is its first character to be seen."""
    if text[most].isspace():
        after = _next_ink(text, most)
        before = start + len(text[start:most].rstrip())
        if after - before >= max(limit // 2, 1):
            return after
    origin = most - limit
    rest = len(text) - origin
    if rest < limit + limit // 2:  # two pieces are left: of like size, rather than leave a crumb
        target = origin + rest // 2
        earliest, latest = target - limit // 4, min(target + limit // 4, most)
    else:
        target = latest = most
        earliest = origin + limit // 2
    floor = max(origin + limit // 8, ink + 1)
    found = _best_break(text, max(earliest, floor), latest, target, limit) or _best_break(
        text, floor, earliest, target, limit
    )
    if found is None:
        return _any_place(text, start, ink, target, most)
    heading = _heading_before(text, start, found)
    return heading if heading is not None and heading >= floor else found


def _best_break(text: str, earliest: int, latest: int, target: int, limit: int) -> int | None:
    """Return the best place for a cut between the two, of several the one nearest to `target`."""
    best = (0, 0, 0)
    # One character before `earliest`, so that a run of white space that ends there is seen.
    for found in _BREAK.finditer(text, max(earliest - 1, 0), latest) if earliest < latest else ():
        place, after = found.end(), _next_ink(text, found.end())
        run = found.group()
        if run.isspace():
            line = max(run.rfind("\n"), run.rfind("\r")) + 1
            if line and after - (found.start() + line) <= limit // 4:
                place = found.start() + line  # a line keeps its indentation
        elif after != place:
            continue  # the white space behind it is the place
        if place < earliest or after == len(text) or after - place > limit // 4:
            continue
        candidate = (_level(text, found, after), -abs(place - target), place)
        if candidate > best and not _is_joined(text, place):
            best = candidate
    return best[2] or None


def _level(text: str, found: re.Match[str], after: int) -> int:
    """Return how good a cut is at this break; `after` is the next character that can be seen."""
    run = found.group()
    if not run.isspace():
        return _WORD if run[0] in _COMMAS else _SENTENCE
    lines = max(run.count("\n"), run.count("\r"))
    if lines and _STARTS_HEADING.match(text, after):
        return _HEADING
    if lines > 1 or "\f" in run or "\u2029" in run:
        return _PARAGRAPH
    if lines:
        return _LINE
    is_end = _ENDS_SENTENCE.search(text, max(found.start() - 5, 0), found.start())
    return _SENTENCE if is_end and not text[after].islower() else _WORD  # not after "e.g."


def _heading_before(text: str, start: int, place: int) -> int | None:
    """Return where the headings begin that a cut at `place` would leave at the end of a passage."""
    first = None
    while True:
        end = place
        while end > start and text[end - 1].isspace():
            end -= 1
        line = _line_start(text, start, end)
        if line > start and _IS_UNDERLINE.match(text, line):
            line = _line_start(text, start, line - (2 if text.startswith("\r\n", line - 2) else 1))
        if not _STARTS_HEADING.match(text, line):
            return first
        if line <= start:
            return None  # there is nothing but headings
        first = place = line


def _line_start(text: str, start: int, end: int) -> int:
    return max(text.rfind("\n", start, end) + 1, text.rfind("\r", start, end) + 1, start)


def _any_place(text: str, start: int, ink: int, target: int, most: int) -> int:
    """Return a place where no white space follows, without splitting a character if there is one."""
    split_character = None
    for place in chain(range(target, ink, -1), range(target + 1, most + 1)):
        if text[place].isspace():
            continue
        if not _is_joined(text, place, start):
            return place
        split_character = split_character or place
    return split_character or _next_ink(text, most)


def _next_ink(text: str, place: int) -> int:
    found = _INK.search(text, place)
    return found.start() if found else len(text)


def _is_joined(text: str, place: int, start: int | None = None) -> bool:
    """Return whether a cut here would split what is read as one character.

    An approximation of the grapheme clusters of Unicode Annex 29: marks, joiners, emoji modifiers,
    tags and flags, Hangul letters, consonants joined by a virama, and both halves of CR LF.
    """
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    if _is_flag(before) and _is_flag(after):
        first = place - 1
        while first > (0 if start is None else start) and _is_flag(text[first - 1]):
            first -= 1
        return (place - first) % 2 == 1
    return (
        unicodedata.category(after)[0] == "M"
        or after in "\u200c\u200d\uff9e\uff9f"  # joiners, and half-width voicing marks
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags
        or "\u1160" <= after <= "\u11ff"  # Hangul vowels and final consonants
        or "\u1100" <= before <= "\u115f"  # Hangul first consonants
        or (unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo")
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
    )


def _is_flag(character: str) -> bool:
    """Return whether this is a regional indicator; two of them make a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"
