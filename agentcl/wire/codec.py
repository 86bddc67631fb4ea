"""Values as JSON, and JSON as values of a type.

A record is an object of its fields with its `kind`; a moment is ISO 8601; `ANY` is `{"any": true}`; of a path only its
last part is told, since where a file lies on a server's disk is nobody else's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from agentcl.errors import InvalidInput
from agentcl.store.records import ANY, KINDS, AnyScope, Record
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.hints import fields_of, is_named_tuple, needed_of

ANY_JSON: Final = {"any": True}
_SHOWN: Final = 60  # characters of a wrong value in a message
_WORDS: Final = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}


def to_json(value: object) -> Any:  # noqa: ANN401  # any JSON
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.name
    if isinstance(value, AnyScope):
        return ANY_JSON
    kind: Any = type(value)
    if is_dataclass(kind) or is_named_tuple(kind):
        told = {name: to_json(getattr(value, name)) for name in fields_of(kind)}
        return {"kind": value.kind, **told} if isinstance(value, Record) else told
    if isinstance(value, Mapping):
        return {str(name): to_json(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return [to_json(one) for one in sorted(value)]
    if hasattr(value, "tolist"):  # an array of numbers
        return to_json(value.tolist())
    if isinstance(value, bytes) or not hasattr(value, "__iter__"):
        raise InvalidInput(f"a {type(value).__name__} does not go over HTTP: {_shown(value)}")
    return [to_json(one) for one in value]


def from_json(hint: Any, value: object, what: str = "the answer") -> Any:  # noqa: ANN401  # any type
    """Return JSON as a value of a type.

    Args:
        hint: the type.
        value: as `json.loads` returns it.
        what: it is, for the message.

    Raises:
        InvalidInput: if it is none of that type.
    """
    if hint in (Any, object):
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _one_of(inner, value, what)
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            words = [str(one) for one in inner]
            meant = did_you_mean(
                str(value)[:_SHOWN], words, f"one of {', '.join(map(repr, words))}"
            )
            raise InvalidInput(f"{what} is {_shown(value)}{meant}")
        return value
    if hint in (None, NoneType):
        if value is not None:
            raise _wrong(value, what, "null")
        return None
    if hint is AnyScope:
        if value != ANY_JSON:
            raise _wrong(value, what, '{"any": true}')
        return ANY
    if hint is datetime:
        return _moment(value, what)
    if hint is Path:
        return Path(from_json(str, value, what))
    if hint in _WORDS:
        return _plain(hint, value, what)
    kind = origin or hint
    if isinstance(kind, type) and (is_dataclass(kind) or is_named_tuple(kind)):
        return _built(kind, value, what)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return _mapping(inner, value, what)
    return _several(kind, inner, value, what)


def _plain(hint: type, value: object, what: str) -> object:
    if hint is float and value is None:
        return math.nan  # a number that JSON has no word for
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _wrong(value, what, "a number that fits 64 bits") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(value, what, _WORDS[hint])
    return value


def _moment(value: object, what: str) -> datetime:
    try:
        return datetime.fromisoformat(from_json(str, value, what))
    except ValueError as error:
        raise _wrong(value, what, "a moment, as 2026-05-01T12:00:00+02:00") from error


def _one_of(hints: tuple[Any, ...], value: object, what: str) -> object:
    """Return a value as the first of several types that takes it; the nearest one's message, if none does."""
    if value is None and NoneType in hints:
        return None
    refused: list[InvalidInput] = []
    for hint in hints:
        if hint in (None, NoneType):
            continue
        try:
            return from_json(hint, value, what)
        except InvalidInput as error:
            refused.append(error)
    raise refused[-1] if isinstance(value, dict | list) else refused[0]


def _built(kind: Any, value: object, what: str) -> object:  # noqa: ANN401  # a type
    if is_named_tuple(kind) and isinstance(value, list):
        value = dict(zip(kind._fields, value, strict=False))
    if not isinstance(value, dict):
        raise _wrong(value, what, f"an object: a {kind.__name__}")
    given = dict(value)
    if issubclass(kind, Record):
        named = KINDS.get(str(given.pop("kind", kind.kind)))
        if named is None or not issubclass(named, kind):
            raise _wrong(value.get("kind"), f"the kind of {what}", f"a {kind.kind or 'record'}'s")
        kind = named
    hints = fields_of(kind)
    for name in given:
        if name not in hints:
            raise InvalidInput(
                f"{what} has no {name[:_SHOWN]!r}{did_you_mean(name[:_SHOWN], hints)}"
            )
    if missing := [name for name in needed_of(kind) if name not in given]:
        raise InvalidInput(f"{what} lacks {', '.join(map(repr, missing))}")
    return kind(
        **{name: from_json(hints[name], one, f"{what}.{name}") for name, one in given.items()}
    )


def _mapping(inner: tuple[Any, ...], value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, what, "an object")
    hint = inner[1] if inner else Any
    return {name: from_json(hint, one, f"{what}[{name[:_SHOWN]!r}]") for name, one in value.items()}


def _several(kind: Any, inner: tuple[Any, ...], value: object, what: str) -> object:  # noqa: ANN401
    if not isinstance(value, list):
        raise _wrong(value, what, "a list")
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(inner) != len(value):
            raise _wrong(value, what, f"a list of {len(inner)}")
        pairs = zip(inner, value, strict=True)
        return tuple(from_json(hint, one, f"{what}[{n}]") for n, (hint, one) in enumerate(pairs))
    hint = inner[0] if inner else Any
    made = [from_json(hint, one, f"{what}[{n}]") for n, one in enumerate(value)]
    return tuple(made) if kind is tuple else frozenset(made) if kind is frozenset else made


def _wrong(value: object, what: str, wanted: str) -> InvalidInput:
    return InvalidInput(f"{what} must be {wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # a whole number of thousands of digits
        shown = type(value).__name__
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
