"""Things of a user's own, named as `module:Class`: imported from what is installed, or from the working folder."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from agentcl.errors import InvalidInput
from agentcl.text.suggesting import did_you_mean


def is_own(name: str) -> bool:
    """Return whether a name is one of a user's own, such as `module:Class`."""
    module, colon, attribute = name.partition(":")
    return bool(module and colon and attribute)


def open_own(
    name: str,
    what: str,
    parts: Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401  # what the caller asks for, told by its parts
    """Return what a class of a user's own makes.

    Args:
        name: `module:Class`, or a function in its place.
        what: it has to be, in an error: "domain".
        parts: attributes that it has to have.
        options: keywords that the class is called with.
        given: further ones, of which it gets those that it takes.

    Raises:
        InvalidInput: if there is no such module or class, it takes no such keyword, or what it makes lacks a part.
    """
    module, _, attribute = name.partition(":")
    try:
        found = _imported(module)
    except ImportError as error:
        raise InvalidInput(f"{name!r} cannot be opened: {type(error).__name__}: {error}") from error
    kind = getattr(found, attribute, None)
    if kind is None:
        near = did_you_mean(attribute, [one for one in vars(found) if not one.startswith("_")])
        raise InvalidInput(
            f"{name!r} cannot be opened: {found.__file__} has no {attribute!r}{near}"
        )
    if not callable(kind):
        raise InvalidInput(
            f"{name!r} is a {type(kind).__name__}; name the class of the {what}, or a function that returns one"
        )
    keywords = {**_taken(kind, given or {}), **(options or {})}
    try:
        made = kind(**keywords)
    except (TypeError, AttributeError, ImportError) as error:
        raise InvalidInput(
            f"{name!r} cannot be opened: {type(error).__name__}: {error}; it is called with "
            f"{', '.join(keywords) or 'nothing'}"
        ) from error
    if missing := [part for part in parts if not hasattr(made, part)]:
        raise InvalidInput(
            f"{name!r} is no {what}: it has no {', '.join(missing)}; a {what} has {', '.join(parts)}"
        )
    return made


def _taken(kind: Callable[..., object], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that a class takes."""
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # one of C, which tells nothing
        return {}
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return {name: value for name, value in given.items() if takes_all or name in parameters}


def _imported(module: str) -> ModuleType:
    """Import a module; what is not installed is looked for in the working folder, as `python -m` does."""
    root = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != root:  # it is there, and lacks something else
            raise
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise InvalidInput(
            f"there is no module {root!r}: none is installed, and the working folder is gone"
        ) from None
    if here not in sys.path:  # a command begins with the folder that it lies in
        sys.path.append(here)  # at the end, so that it hides nothing
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != root:
            raise
        raise InvalidInput(
            f"there is no module {root!r} in {here}, and none is installed; call this from the folder of "
            f"{root}.py, or name that folder in PYTHONPATH"
        ) from error
