"""Stored text as inert data inside a prompt."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

# Control tokens such as [INST] or [TOOL_CALLS] that tokenizers of chat models read inside plain text.
_BRACKET_TOKEN: Final = re.compile(r"\[(?=/?[A-Z][A-Z_ ]*\])")
# Unicode's categories of what nobody sees: controls, formats, private, unassigned, line separators.
_UNSEEN: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Zl", "Zp"))


def escape(text: str) -> str:
    """Return stored text as inert data; `html.unescape` gives it back.

    Besides markup, this writes as character references whatever a reader would not see or a
    tokenizer would obey: control, bidirectional, zero-width and tag characters, and bracketed control
    tokens.
    """
    escaped = _BRACKET_TOKEN.sub("&#91;", html.escape(text))
    if escaped.isascii() and escaped.isprintable():
        return escaped
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in _UNSEEN else f"&#{ord(char)};"
        for char in escaped
    )
