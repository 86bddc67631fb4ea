"""What the fields of each kind of record hold: what is read from outside is compared with their types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from agentcl.store.records import KINDS, own_fields
from agentcl.store.usage import Usage

_Fits = Callable[[object], bool]
Amount = NewType("Amount", float)  # not negative
Moment = Annotated[str, "moment"]  # ISO 8601, with an offset
Dated = Annotated[str, "date"]  # ISO 8601: a moment, a day, a month or a year; or empty
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.+)?)?)?")
_INT64: Final = 1 << 63
_USAGE_FIELDS: Final = 5


def misfit(kind: str, own: Mapping[str, Any]) -> str:
    """Return in words which field of a kind does not hold what it should; empty if all do.

    Args:
        kind: a registered one.
        own: the fields that it adds to the header, as JSON has them.
    """
    known, required = _fields(kind)
    for name, value in own.items():
        if name not in known:
            return f"a {kind} has no field {name!r}"
        if not known[name](value):
            return f"{name} of a {kind} cannot be {repr(value)[:60]}"
    for name in required:
        if name not in own:
            return f"a {kind} needs {name}"
    return ""


@cache
def defaults(kind: str) -> Mapping[str, Any]:
    """Return what the fields of a kind hold that a row may leave out."""
    cls = KINDS[kind]
    held = cast(Any, cls).__dataclass_fields__
    return {
        name: held[name].default for name in own_fields(cls) if held[name].default is not MISSING
    }


@cache
def _fields(kind: str) -> tuple[Mapping[str, _Fits], frozenset[str]]:
    """Return how the values of each field are tested, and which fields must be there."""
    cls = KINDS[kind]
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError:  # a kind that was defined where its types cannot be looked up
        hints = {}
    names = own_fields(cls)
    held = cast(Any, cls).__dataclass_fields__
    required = (name for name in names if not _has_default(held[name]))
    return {name: fits(hints.get(name, Any)) for name in names}, frozenset(required)


def _has_default(field: Any) -> bool:  # noqa: ANN401  # dataclasses' own type says less
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def fits(hint: Any) -> _Fits:  # noqa: ANN401  # any type
    """Return the test of a type in its JSON form; what is not known here lets everything through."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda value: type(value) is str and value in arguments
    if origin in (Union, UnionType):
        tests = [fits(one) for one in arguments]
        return lambda value: any(test(value) for test in tests)
    if origin is tuple and arguments[1:] == (...,):
        each = fits(arguments[0])
        return lambda value: isinstance(value, list | tuple) and all(map(each, value))
    if origin is tuple:
        return _row(tuple(map(fits, arguments)), least=len(arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        of_name, of_value = map(fits, arguments)
        return lambda value: (
            isinstance(value, dict)
            and all(of_name(name) and of_value(one) for name, one in value.items())
        )
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _named_tuple(hint)
    return lambda value: True


def _named_tuple(cls: Any) -> _Fits:  # noqa: ANN401  # its attributes are no type's
    hints = get_type_hints(cls)
    tests = tuple(fits(hints[name]) for name in cls._fields)
    return _row(tests, least=len(tests) - len(cls._field_defaults))


def _row(tests: tuple[_Fits, ...], *, least: int) -> _Fits:
    """Return the test of values in their order, the last of which may be missing."""
    return lambda value: (
        isinstance(value, list | tuple)
        and least <= len(value) <= len(tests)
        and all(test(one) for test, one in zip(tests, value, strict=False))
    )


def _is_int(value: object) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _is_float(value: object) -> bool:
    return _is_int(value) or (type(value) is float and math.isfinite(value))


def _is_amount(value: object) -> bool:
    return _is_float(value) and cast(float, value) >= 0


def _is_moment(value: object) -> bool:
    try:
        moment = datetime.fromisoformat(cast(str, value))
        moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return False
    return moment.tzinfo is not None


def _is_dated(value: object) -> bool:
    if value == "":
        return True
    found = _DATE.fullmatch(value) if type(value) is str else None
    if found is None:
        return False
    year, month, day, time = found.groups()
    try:
        if time:
            datetime.fromisoformat(cast(str, value))
        else:
            datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001  # it is only tried
    except ValueError:
        return False
    return True


def _is_usage(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) <= _USAGE_FIELDS
        and all(type(one) is bool or _is_float(one) for one in value)
    )


_PLAIN: Final[Mapping[Any, _Fits]] = {
    Any: lambda value: True,
    str: lambda value: type(value) is str,
    int: _is_int,
    float: _is_float,
    Amount: _is_amount,
    Moment: _is_moment,
    Dated: _is_dated,
    bool: lambda value: type(value) is bool,
    NoneType: lambda value: value is None,
    Usage: _is_usage,
}
