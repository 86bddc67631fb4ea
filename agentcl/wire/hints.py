"""The types of fields and arguments as types, also where a module imports them for the type checker only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final, get_type_hints

_ROOMS: Final = (
    "memory",
    "store",
    "retrieval",
    "guidance",
    "statements",
    "jobs",
    "lessons",
    "models",
    "compression",
)
_UNSENT: Final = ("Beside", "Callable")  # of which a field is left where it is


class _Named(Mapping[str, Any]):
    """The names of a module; what it imports for the type checker only is looked for in the rooms' faces."""

    def __init__(self, module: str) -> None:
        self._own = vars(sys.modules[module])

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # any type
        if name in self._own:
            return self._own[name]
        for room in _ROOMS:
            face = import_module(f"agentcl.{room}")
            if name in getattr(face, "__all__", dir(face)):
                return getattr(face, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


@cache
def fields_of(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401  # a type
    """Return the fields of a dataclass or a named tuple that go over HTTP, with their types."""
    hints = get_type_hints(kind, localns=_Named(kind.__module__))
    names = [one.name for one in fields(kind)] if is_dataclass(kind) else kind._fields
    return {
        name: hints[name] for name in names if not any(word in str(hints[name]) for word in _UNSENT)
    }


@cache
def needed_of(kind: Any) -> tuple[str, ...]:  # noqa: ANN401  # a type
    """Return the fields that a dataclass or a named tuple cannot be made without."""
    sent = fields_of(kind)
    if is_named_tuple(kind):
        return tuple(name for name in sent if name not in kind._field_defaults)
    bare = (
        one for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING
    )
    return tuple(one.name for one in bare if one.name in sent)


def is_named_tuple(kind: object) -> bool:
    """Return whether a type is a tuple with named fields."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def hint_of(verb: Callable[..., Any], name: str) -> Any:  # noqa: ANN401  # any type
    """Return the type of one argument of a verb, or of what it returns ("return")."""

    class Asked:
        pass

    Asked.__annotations__ = {"it": verb.__annotations__[name]}
    Asked.__module__ = verb.__module__
    return get_type_hints(Asked, localns=_Named(verb.__module__))["it"]
