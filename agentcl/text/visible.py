"""Texts that a page, a terminal or a message can hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from agentcl.text.unseen import is_steering, is_unseen

_HALF: Final = re.compile("[\ud800-\udfff]")
_SHOWN: Final = 60  # characters of a wrong value in a message


def visible(text: str) -> str:
    """Return a text for a page or a terminal, with a replacement character for each that would steer it."""
    lines = text.replace("\r\n", "\n")
    return lines.translate(
        {ord(char): "\N{REPLACEMENT CHARACTER}" for char in set(lines) if is_steering(char)}
    )


# What XML may not hold, and the carriage return, which its readers make a newline.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def for_xml(text: str) -> str:
    """Return a text that XML can hold: a control character's picture stands for it."""
    return _NOT_XML.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 32 else "\N{REPLACEMENT CHARACTER}"


def for_json(document: str) -> str:
    """Return a JSON document with an escape for each character that nobody sees; it says the same."""
    return document.translate(
        {ord(char): json.dumps(char)[1:-1] for char in set(document) if is_unseen(char)}
    )


def paired(text: str) -> str:
    """Return a text with its halves of surrogate pairs joined; a half alone becomes a replacement character."""
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def paired_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """Yield a text that comes piece by piece as `paired` would return it; a pair may come in two pieces."""
    held = ""
    for piece in pieces:
        text = held + piece
        held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        if told := paired(text[: len(text) - len(held)]):
            yield told
    if held:
        yield paired(held)


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; one that is cut ends with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def shown(value: object) -> str:
    """Return what was given, in few words."""
    try:
        said = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return f"{type(value).__name__} of very many digits"
    of_type = "" if value is None else f"{type(value).__name__} "
    return f"{of_type}{shortened(said, _SHOWN)}"
