"""Cutting a text into passages that follow each other without gap or overlap."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from agentcl.errors import InvalidInput

# Where a text may be cut, best first: before a heading, between paragraphs, lines, sentences, words.
_BREAKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?m)^(?=#{1,6} )",
        r"\n[ \t]*\n\s*",
        r"\n\s*",
        r"[.!?…]+[\"')\]]*\s+|[\u3002\uff01\uff1f]+",  # the last three: ideographic . ! ?
        r"\s+",
    )
)
_ZWJ: Final = "\u200d"


def split(text: str, *, limit: int = 1_000) -> list[tuple[int, int]]:
    """Return consecutive (start, end) spans, in characters, that tile the text.

    Each span is at most `limit` characters and ends at the best break in its second half: before a
    heading, after a paragraph, a line, a sentence, a word; else anywhere that does not take a
    character apart from its combining marks.

    Raises:
        InvalidInput: if the limit is less than 1.
    """
    if limit < 1:
        raise InvalidInput(f"a passage must have room for a character; the limit is {limit}")
    return list(_spans(text, limit))


def _spans(text: str, limit: int) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > limit:
        rest = len(text) - start
        # Two pieces are left: make them of like size rather than leave a crumb.
        room = limit if rest >= 2 * limit else max((rest + 1) // 2 + limit // 8, 1)
        end = _cut(text, start, start + min(room, limit))
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def _cut(text: str, start: int, latest: int) -> int:
    """Return the best place to cut in the second half of text[start:latest]."""
    earliest = start + (latest - start + 1) // 2
    for pattern in _BREAKS:
        place = 0
        for found in pattern.finditer(text, earliest, latest):
            place = found.end()
        if place > earliest:
            return place
    place = latest
    while place > start + 1 and _is_joined(text, place):
        place -= 1
    return place if place > start + 1 or not _is_joined(text, place) else latest


def _is_joined(text: str, place: int) -> bool:
    """Return whether a cut here would take a mark or a joined emoji from its base."""
    after = text[place]
    return (
        unicodedata.combining(after) != 0
        or after == _ZWJ
        or text[place - 1] == _ZWJ
        or "\ufe00" <= after <= "\ufe0f"
    )
