"""Finding JSON in what a model said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

from agentcl.text.parsing import parsed_json

_OPENING: Final = re.compile(r"[{\[]")
_FENCE: Final = "```"
_LANGUAGE: Final = re.compile(r"\A[^\S\n]*[^\W\d]\w*")
_STRING_OR_COMMA: Final = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*"?)|,(?=\s*[}\]])', re.DOTALL)
_STRICT: Final = JSONDecoder()
_LENIENT: Final = JSONDecoder(strict=False)
# What often stands where JSON breaks, as it is told: Python says only what it expected instead.
_FAULTS: Final = tuple(
    (re.compile(rf"\A(?:{pattern})"), why)
    for pattern, why in (
        (r"//|/\*|#", "has a comment, and JSON knows none"),
        (r"'", "has a single quote, and JSON has double ones"),
        (r"[}\]]", "has a bracket too early; perhaps a comma before it is too many"),
        (r"(?:True|False|None|undefined)\b", "has a word that is no JSON, which has true, false and null"),
        (r"[^\W\d]\w*\s*:", "has a name without double quotes"),
        (r"\s*\Z", "is where it breaks off"),
    )
)  # fmt: skip
_MOST_FAILURES: Final = 1_000  # places where no value begins; a text of so many is no answer


def json_values(text: str) -> list[Any]:
    """Return the JSON values that stand in a text, in their order: the whole of it, or objects and lists in it.

    What is in a value that does not end is not one: the text was cut off there.
    """
    bare = text.strip().lstrip("\ufeff").strip()
    whole = list(_whole([bare]))
    if whole:
        return whole
    fenced = bare.split(_FENCE)[1:-1:2]
    return list(_within(bare)) or list(_whole([_LANGUAGE.sub("", piece) for piece in fenced]))


def wrapped(value: Any, *, depth: int = 2) -> Iterator[Any]:  # noqa: ANN401  # any JSON
    """Yield what a value wraps: a list its only one, an object's fields (as of a call of a tool), a string its JSON.

    Args:
        value: JSON.
        depth: how many objects and lists may lie around what is found.
    """
    match value:
        case dict() if depth:
            inner, depth = list(value.values()), depth - 1
        case [only] if depth:
            inner, depth = [only], depth - 1
        case str() if value.lstrip().startswith(("{", "[")):
            inner = json_values(value)
        case _:
            return
    for one in inner:
        yield one
        yield from wrapped(one, depth=depth)


def without_spare_commas(text: str) -> str:
    """Return a text without the commas after which a list or an object ends; those within strings stay."""
    return _STRING_OR_COMMA.sub(lambda found: found["string"] or "", text)


def fault_of_line(error: Exception) -> str:
    """Return why a line is no JSON, without a number of the line: whoever read it knows that."""
    if not isinstance(error, JSONDecodeError):
        return str(error)
    left = error.doc[error.pos :]
    why = next((why for pattern, why in _FAULTS if pattern.match(left)), None)
    if why is not None:
        return f"column {error.colno} {why}"
    return f"{error.msg.removesuffix(' at')} at column {error.colno}"


def unfenced(text: str) -> str | None:
    """Return what stands between a fence that a text begins with and one that it ends with; None if none do.

    Behind the first one may stand the name of a language.
    """
    bare = text.strip()
    inside = bare[len(_FENCE) : -len(_FENCE)]
    head, line_end, within = inside.partition("\n")
    is_fenced = bare.startswith(_FENCE) and bare.endswith(_FENCE) and bool(line_end)
    is_named = head.strip().replace("_", "a").isalnum() or not head.strip()
    return within.removesuffix("\n") if is_fenced and is_named else None


def _whole(texts: list[str]) -> Iterator[Any]:
    for text in texts:
        try:
            yield parsed_json(text)
        except ValueError:
            continue


def _within(text: str) -> Iterator[Any]:
    place, failures = 0, 0
    while failures < _MOST_FAILURES and (opening := _OPENING.search(text, place)):
        begin = opening.start()
        try:
            value, place = _decoded(text, begin)
        except JSONDecodeError as error:
            if _is_cut_off(error, text, begin):
                return
            place = begin + 1
            failures += 1
        except RecursionError:
            return
        else:
            yield value


def _decoded(text: str, begin: int) -> tuple[Any, int]:
    """Return the value that begins in a place, and where it ends. Raises JSONDecodeError."""
    try:
        return _STRICT.raw_decode(text, begin)
    except JSONDecodeError as error:
        # A line end in a string is no JSON, but what is meant is clear.
        if error.msg.startswith("Invalid control character"):
            with suppress(JSONDecodeError):
                return _LENIENT.raw_decode(text, begin)
        raise


def _is_cut_off(error: JSONDecodeError, text: str, begin: int) -> bool:
    """Return whether a value began well, and the text ended before it did."""
    if error.msg.startswith("Unterminated string"):
        return True
    return error.pos >= len(text) and bool(text[begin + 1 :].strip(" \n`"))
