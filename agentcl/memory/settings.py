"""Settings: constructor, then `AGENTCL_*` variables, then `agentcl.toml`, then defaults.

`agentcl.toml` is looked for in the working folder and its parents; a path in it is relative to it:

    path = "agent-memory"
    encoder = "minilm"

Such a file may come from somebody else. What it names beyond its own folder and the encoders and indexes of
this package holds only after the user has confirmed it; see `agentcl.memory.trusted`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentcl.errors import ConfigError, NotTrusted
from agentcl.memory.trusted import confirmed
from agentcl.retrieval.encoders.naming import is_own
from agentcl.store.backends import place_of
from agentcl.text.parsing import parsed_toml
from agentcl.text.paths import unread
from agentcl.text.suggesting import did_you_mean

FILE: Final = "agentcl.toml"
_PREFIX: Final = "AGENTCL_"
_LONGEST_S: Final = 1_000_000  # SQLite keeps milliseconds in 32 bits
# No settings of a memory: where models are kept, and whose adapters vLLM loads.
_ELSEWHERE: Final = frozenset(["AGENTCL_MODELS", "AGENTCL_VLLM_MEMORY"])


@dataclass(frozen=True, slots=True)
class Setting:
    """The effective value of one setting, and where it came from."""

    name: str
    value: Any
    origin: str  # "constructor", "AGENTCL_…", the path of a file, or "default"


def _seconds(value: object) -> float:
    number = float(str(value))
    if not 0 < number <= _LONGEST_S:
        raise ValueError(f"it must be a positive number of at most {_LONGEST_S:,} seconds")
    return number


def _passage_limit(value: object) -> int:
    number = int(str(value))
    if number < 50:
        raise ValueError("it must be at least 50 characters")
    return number


def _durability(value: object) -> str:
    if value not in ("full", "normal"):
        raise ValueError("it must be 'full' or 'normal'")
    return str(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must be a name")
    return value


@dataclass(frozen=True, slots=True)
class _Known:
    default: Any
    parse: Callable[[object], Any]


# What each setting means is said in docs/howto/configuration.md.
_KNOWN: Final[Mapping[str, _Known]] = {
    "path": _Known("agentcl-memory", place_of),
    "encoder": _Known("auto", _name),
    "index": _Known("exact", _name),
    "durability": _Known("full", _durability),
    "busy_timeout_s": _Known(30.0, _seconds),
    "passage_limit": _Known(1_000, _passage_limit),
}


def resolve(
    given: Mapping[str, object | None],
    *,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> dict[str, Setting]:
    """Return every setting with its effective value and origin.

    Args:
        given: what the caller passed; None means "not passed".
        environment: defaults to the process's.
        start: the folder in which the search for `agentcl.toml` begins; the working folder.

    Raises:
        ConfigError: naming the setting, where its value came from, and what is wrong with it.
        NotTrusted: if the value in force is of a file, which may not say that before it is confirmed.
    """
    variables = os.environ if environment is None else environment
    file, table = _read_file(Path.cwd() if start is None else start)
    unknown = [
        (name, f"variable {name}")
        for name in variables
        if name.startswith(_PREFIX) and name not in _ELSEWHERE
        if name[len(_PREFIX) :].lower() not in _KNOWN
    ] + [(name, f"{name!r} in {file}") for name in table if name not in _KNOWN]
    for name, where in unknown:
        plain = name.removeprefix(_PREFIX).lower()
        advice = f"known settings: {', '.join(_KNOWN)}"
        raise ConfigError(f"unknown setting: {where}{did_you_mean(plain, _KNOWN, advice)}")
    return {name: _effective(name, given, variables, file, table) for name in _KNOWN}


def _effective(
    name: str,
    given: Mapping[str, object | None],
    variables: Mapping[str, str],
    file: Path | None,
    table: Mapping[str, object],
) -> Setting:
    known = _KNOWN[name]
    variable = _PREFIX + name.upper()
    value: object
    if given.get(name) is not None:
        value, origin = given[name], "constructor"
    elif variables.get(variable):
        value, origin = variables[variable], variable
    elif name in table:
        value, origin = table[name], str(file)
    else:
        value, origin = known.default, "default"
    parsed = _parsed(name, value, origin)
    if file is not None and origin == str(file):
        if isinstance(parsed, Path):
            parsed = file.parent / parsed
        if _is_foreign(name, parsed, file) and confirmed(file).get(name) != str(parsed):
            raise NotTrusted(
                f"{file} says {name} = {str(parsed)!r}, which you have not confirmed; nothing was asked, loaded "
                f"or written. If you trust it, run `agentcl trust {file.parent}`, or say yourself what is meant "
                f"(the argument or option {name}, or {variable})"
            )
    return Setting(name, parsed, origin)


def foreign(folder: Path) -> dict[str, str]:
    """Return what the settings file in a folder names that holds only when confirmed.

    Raises:
        ConfigError: if the file cannot be used.
    """
    file, table = _read_file(folder)
    if file is None or file.parent != folder:
        return {}
    known = {name: _parsed(name, table[name], str(file)) for name in _KNOWN if name in table}
    if isinstance(known.get("path"), Path):
        known["path"] = file.parent / known["path"]
    return {name: str(value) for name, value in known.items() if _is_foreign(name, value, file)}


def _parsed(name: str, value: object, origin: str) -> Any:  # noqa: ANN401  # each setting has its own type
    try:
        return _KNOWN[name].parse(value)
    except ValueError as error:
        raise ConfigError(f"{name} = {value!r} (from {origin}): {error}") from error


def _is_foreign(name: str, value: Any, file: Path) -> bool:  # noqa: ANN401  # each setting has its own type
    """Return whether a file names a server, a model, or a folder that is not below it."""
    if name == "encoder":
        return not is_own(value)
    if name == "index":
        return ":" in value  # the others lie in the memory's folder
    if name != "path":
        return False
    if not isinstance(value, Path):
        return True  # a server
    inside = Path(os.path.realpath(value)).is_relative_to(os.path.realpath(file.parent))
    return not inside or not _is_ours(file)


def _is_ours(file: Path) -> bool:
    """Return whether nobody else could have written a file: one in /tmp may be anybody's."""
    if not hasattr(os, "geteuid"):
        return True
    return {file.stat().st_uid, file.lstat().st_uid} <= {os.geteuid(), 0}


def _read_file(start: Path) -> tuple[Path | None, dict[str, object]]:
    for folder in (start, *start.parents):
        file = folder / FILE
        if file.is_file():
            try:
                return file, parsed_toml(file.read_text("utf-8-sig"))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{file} cannot be read: {unread(error)}") from error
            except ValueError as error:
                raise ConfigError(f"{file} is not valid TOML: {error}") from error
    return None, {}
