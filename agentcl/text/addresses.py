"""Addresses in a text: of pages, mailboxes and machines, with a scheme or without one."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = r"\b(?:[\w-]{1,63}\.){1,6}"  # a longer name ends with one of so many parts
# Endings of hosts that end no file's name, and seldom stand after a dot in a program.
_ENDINGS: Final = (
    "com|net|org|edu|gov|mil|biz|io|ai|co|xyz|onion|example|eu|uk|de|fr|nl|ch|pl|ru|cn|jp|kr|br"
)
_ADDRESS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,30}://|\bhttps?:|\bwww\d?\.|\b(?:javascript|mailto|data|file):\S|\\\\\w"
    r"|[\w.+-]@[\w-]|@[\w-]+\.\w"
    rf"|{_HOST}[^\W\d_][\w-]+\.?(?:/|:\d)|{_HOST}(?:{_ENDINGS})\b(?!\.?\w)|\blocalhost\b"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b"
    r"|(?<![\w:])(?:(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4})?|::[0-9a-f]{1,4})(?![\w:])"
)
_BROKEN: Final = re.compile(
    r"\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?|\sdot\s|\u3002"
)  # as in evil[.]example


def address_in(text: str) -> str | None:
    """Return what is an address in a text of small letters, or what begins one; None if nothing is."""
    found = _ADDRESS.search(_BROKEN.sub(".", text))
    return found.group() if found else None
