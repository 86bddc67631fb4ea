"""Changing a few places of a JSON text while everything else stays as it was written.

Reading a body and writing it again would change numbers, escapes and repeated names. So a body is taken apart into
the texts of its parts, and only the parts that change are written by us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agentcl.errors import InvalidInput

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_decode: Final = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Written:
    """A member of an object, or an element of a list: how it is written, and what it says."""

    name: str  # empty for an element
    text: str
    value: Any
    written: str = ""  # the name, with its quotes


class Body:
    """The body of a request: a JSON object whose members are replaced and taken out.

    Args:
        raw: as it came.

    Raises:
        InvalidInput: if it is no JSON object.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        try:
            # As `json.loads` reads bytes, and with it most servers of models: what they read must not be hidden from us.
            self._parts = members(raw.decode(json.detect_encoding(raw), "surrogatepass"))
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"the body is no JSON object: {error}") from error
        self._is_same = True

    @property
    def names(self) -> Sequence[str]:
        """The names of its members, as often as they stand there."""
        return [part.name for part in self._parts]

    @property
    def models(self) -> Sequence[str]:
        """The models that it names: who reads it may take the first of two, or the last."""
        named = (part.value for part in self._parts if part.name == "model")
        return [model for model in named if isinstance(model, str)]

    @property
    def values(self) -> Mapping[str, Any]:
        """What its members say; of a name that stands twice, the last one."""
        return {part.name: part.value for part in self._parts}

    def text(self, name: str) -> str:
        """Return how a member is written; empty if there is none."""
        return next((part.text for part in reversed(self._parts) if part.name == name), "")

    def replace(self, name: str, text: str) -> None:
        """Write a member anew: the last of that name, which is the one that counts."""
        at = max(number for number, part in enumerate(self._parts) if part.name == name)
        self._parts[at] = rewritten(self._parts[at], text)
        self._is_same = False

    def add(self, name: str, value: object) -> None:
        """Write a member behind the others; one of that name stays as it is."""
        if name not in self.values:
            self._parts.append(Written(name, json.dumps(value), value, json.dumps(name)))
            self._is_same = False

    def drop(self, is_ours: Callable[[str], bool]) -> None:
        """Take out the members whose names are ours."""
        kept = [part for part in self._parts if not is_ours(part.name)]
        self._is_same = self._is_same and len(kept) == len(self._parts)
        self._parts = kept

    def bytes(self) -> bytes:
        """Return it as it is sent: the same bytes if nothing changed."""
        return (
            self._raw if self._is_same else object_of(self._parts).encode("utf-8", "surrogatepass")
        )


def members(text: str) -> list[Written]:
    """Return the members of an object. Raises ValueError, or RecursionError if it is nested too deep."""
    return _read(text, "{}")


def elements(text: str) -> list[Written]:
    """Return the elements of a list. Raises ValueError, or RecursionError."""
    return _read(text, "[]")


def object_of(parts: list[Written]) -> str:
    """Return members as an object."""
    return "{" + ", ".join(f"{part.written}: {part.text}" for part in parts) + "}"


def rewritten(part: Written, text: str) -> Written:
    """Return a part that is written anew."""
    return replace(part, text=text, value=None)


def list_of(texts: list[str]) -> str:
    """Return elements as a list."""
    return "[" + ", ".join(texts) + "]"


def in_front(block: str, content: str, value: object, kind: str) -> str:
    """Return the text of a message's content with a block in front of it.

    Args:
        block: what goes in front.
        content: the content's text; empty for none.
        value: what it says.
        kind: of a part of text: "text" or "input_text".
    """
    if isinstance(value, str):
        return json.dumps(block + "\n")[:-1] + content.strip()[1:]
    if isinstance(value, list):
        part = json.dumps({"type": kind, "text": block})
        return list_of([part, *(one.text for one in elements(content))])
    return json.dumps(block)


def _read(text: str, brackets: str) -> list[Written]:
    opening, closing = brackets[0], brackets[1]
    at = _expect(text, 0, opening)
    parts: list[Written] = []
    while text[at : at + 1] != closing:
        if parts:
            at = _expect(text, at, ",")
        name, written = "", ""
        if opening == "{":
            begin = at
            name, at = _decode(text, at)
            if not isinstance(name, str):
                raise ValueError("a name is no string")
            written = text[begin:at]
            at = _expect(text, _space(text, at), ":")
        value, end = _decode(text, at)
        parts.append(Written(name, text[at:end], value, written))
        at = _space(text, end)
    if _space(text, at + 1) != len(text):
        raise ValueError("something stands behind its end")
    return parts


def _expect(text: str, at: int, mark: str) -> int:
    """Return where the next thing begins behind a mark that has to stand here."""
    at = _space(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark!r} is missing at character {at}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found
    return found.end()
