"""Stored text as inert data inside a prompt.

A prompt is lines. Those that begin with anything but `>` are the prompt's own, and no stored text begins one:
`inline` keeps a text on its line, and `quoted` begins each further line of it with `>`. An ordinary text of one
line stands there as it is.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from agentcl.text.unseen import is_unseen
from agentcl.text.visible import for_json

Prompt = NewType("Prompt", str)
"""What a model is asked: every stored text in it went through `inline` or `quoted`."""

_OBEYED: Final = (
    # What begins tags and control tokens, as in <b>, <|im_end|> and ◁think▷; "a < b" does not.
    r"<(?=[^\s\d<>=-])|◁"
    # [INST], [TOOL_CALLS], [|user|], [gMASK]: control tokens that tokenizers read inside plain text.
    r"|\[(?=/?[A-Z][A-Z0-9_ ]*\]|\||[gs]MASK\])"
)
_ACTIVE_IN_JSON: Final = re.compile(_OBEYED)
# And what would be read as a reference that stands here for such a character.
_ACTIVE: Final = re.compile(_OBEYED + r"|&(?=#|\w+;)")
_NAMED: Final = {"<": "&lt;", "&": "&amp;"}
_REFERENCE: Final = re.compile(r"&(?:lt|amp|#(\d{1,7}));")


def escape(text: str) -> str:
    """Return stored text as inert data; `unescape` gives it back.

    Written as character references is only what a tokenizer would obey or a reader would not see: tags, control
    tokens, and control, bidirectional, private, unassigned and default-ignorable characters.
    """
    escaped = _ACTIVE.sub(lambda found: _reference(found.group()), text)
    if escaped.isascii() and escaped.isprintable():
        return escaped
    return escaped.translate(
        {ord(char): _reference(char) for char in set(escaped) if is_unseen(char)}
    )


def inline(text: str) -> str:
    """Return stored text, escaped, on one line: its line breaks are written as references."""
    return escape(text).replace("\n", "&#10;")


def quoted(text: str) -> str:
    """Return stored text, escaped, to stand behind a label: its further lines begin with `>`."""
    first, *others = escape(text.replace("\r\n", "\n")).split("\n")
    return "\n".join([first, *(f"> {line}" if line else ">" for line in others)])


def inert_json(document: str) -> str:
    """Return a JSON document that says the same, and in which no string is obeyed or hides a character.

    JSON has escapes of its own for that, so nothing is lost to who reads it as JSON.
    """
    return for_json(_ACTIVE_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", document))


def unescape(text: str, *, seen_in: str | None = None) -> str:
    """Return a text with its references as the characters that they stand for.

    Args:
        text: escaped, or an answer in which a model repeats what it was shown.
        seen_in: the prompt of such an answer; references that are not in it are the model's own, and stay.
    """

    def character(found: re.Match[str]) -> str:
        if seen_in is not None and found.group() not in seen_in:
            return found.group()
        if found[1] is None:
            return "<" if found.group() == "&lt;" else "&"
        return chr(int(found[1])) if int(found[1]) <= 0x10FFFF else found.group()

    return _REFERENCE.sub(character, text)


def prompt_of(*lines: str) -> Prompt:
    """Return a prompt of its own lines; only functions named `ask_…` call this, and a test tries each of them."""
    return Prompt("\n".join(lines))


def _reference(char: str) -> str:
    return _NAMED.get(char) or f"&#{ord(char)};"
