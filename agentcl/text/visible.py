"""Texts that a page can hold."""

from __future__ import annotations

import re
from typing import Final

# Characters that HTML and XML may not hold, or that turn the direction of what follows.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """Return a text with a replacement character for each that cannot be shown."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


# What XML may not hold, and the carriage return, which its readers make a newline.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def for_xml(text: str) -> str:
    """Return a text that XML can hold: a control character's picture stands for it."""
    return _NOT_XML.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 32 else "\N{REPLACEMENT CHARACTER}"


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; one that is cut ends with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
