"""Recorded conversations of STATE-Bench's own agent, read from a checkout, a folder or a file."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentcl.errors import InvalidInput, LoadError
from agentcl.text.paths import check_path, unread

DONE: Final = "[TASK_DONE]"  # how the simulated customer hangs up
_TRAIN: Final = Path("datasets", "train_task_trajectories")
_MOST_BYTES: Final = (
    256 << 20
)  # of one file, unpacked; the largest of the benchmark's has a hundredth
_NUMBER: Final = re.compile(r"^\d+-")
_ROLES: Final = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A tool that was called, with what, and what it returned."""

    name: str
    arguments: Mapping[str, Any]
    result: Any


@dataclass(frozen=True, slots=True)
class TalkTurn:
    """One turn of a conversation; the calls were made before the text was said."""

    role: str  # "system", "user" or "assistant"
    text: str
    calls: tuple[CalledTool, ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One conversation of an agent with a simulated customer. Nobody says whether it went well."""

    task: str  # "4-return_promo_recalculation"
    domain: str  # "customer_support"
    turns: tuple[TalkTurn, ...]

    @property
    def kind(self) -> str:
        """The task without its number."""
        return _NUMBER.sub("", self.task)

    @property
    def opening(self) -> str:
        """What the customer said first; empty if nothing was said."""
        return next((turn.text for turn in self.turns if turn.role == "user"), "")

    @property
    def calls(self) -> tuple[CalledTool, ...]:
        """All calls, in their order."""
        return tuple(call for turn in self.turns for call in turn.calls)


def read_trajectories(path: str | os.PathLike[str], *, domain: str = "") -> list[Trajectory]:
    """Return the training trajectories that lie somewhere, in the order of their names.

    Args:
        path: a checkout of STATE-Bench, a folder of `.json` files, or a `.jsonl` file (`.gz` too), one trajectory a line.
        domain: only of this domain. A file that names none has that of its folder, and its task is its name.

    Raises:
        LoadError: if there is none, or if one cannot be read, naming it.
        InvalidInput: if `path` is no path.
    """
    path = check_path(path)
    if not path.exists():
        raise LoadError(
            f"{path} does not exist; name a checkout of STATE-Bench, or its trajectories"
        )
    folder = path / _TRAIN if (path / _TRAIN).is_dir() else path
    files = [path] if path.is_file() else sorted(folder.rglob("*.json"), key=_place)
    if outside := [one for one in files if one != path and leads_out(one, path)]:
        raise LoadError(f"{outside[0]} is a link out of {path}; it is not read")
    found = [one for file in files for one in _of_file(file) if domain in ("", one.domain)]
    if not found:
        of = f" of the domain {domain!r}" if domain else ""
        raise LoadError(
            f"{path} has no trajectory{of}; expected {_TRAIN}/DOMAIN/*.json, as a checkout of STATE-Bench has them"
        )
    return found


def leads_out(file: Path, folder: Path) -> bool:
    """Return whether a file lies behind a link, outside of a folder."""
    return not file.resolve().is_relative_to(folder.resolve())


def _place(file: Path) -> tuple[str, int, str]:
    number = re.match(r"\d+", file.name)
    return str(file.parent), int(number.group()) if number else 0, file.name


def read_text(file: Path) -> str:
    """Return a file of a checkout, unpacked. Raises LoadError if it is no file, cannot be read, or is too large."""
    try:
        if not file.is_file():  # a link to a device never ends
            raise LoadError(f"{file} is no file")
        with file.open("rb") as packed:
            is_packed = file.suffix == ".gz"
            raw = (gzip.GzipFile(fileobj=packed) if is_packed else packed).read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise LoadError(f"{file} has more than {_MOST_BYTES >> 20} MB, unpacked; split it")
        return raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise LoadError(f"{file} cannot be read: {unread(error)}") from error


def _of_file(file: Path) -> Iterator[Trajectory]:
    text = read_text(file)
    lines = text.splitlines() if ".jsonl" in file.suffixes else [text]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}" if len(lines) > 1 else str(file)
        try:
            yield _trajectory(json.loads(line), file)
        except (ValueError, RecursionError, InvalidInput) as error:
            raise LoadError(f"{where} is no trajectory of STATE-Bench: {error}") from error


def _trajectory(held: object, file: Path) -> Trajectory:
    if not isinstance(held, dict):
        raise InvalidInput(f"it is a {type(held).__name__}, and no object")
    by_name = file.stem if file.suffix == ".json" else None  # as a checkout names its files
    task, turns = held.get("task_id", by_name), held.get("conversation")
    if not isinstance(task, str) or not task or not isinstance(turns, list):
        raise InvalidInput("it has no task_id, or no list named conversation")
    domain = held.get("domain", file.parent.name)
    if not isinstance(domain, str):
        raise InvalidInput("its domain is no text")
    return Trajectory(task, domain, tuple(_said(turn, at) for at, turn in enumerate(turns)))


def _said(turn: object, at: int) -> TalkTurn:
    if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
        raise InvalidInput(f"turn {at} has no role of {', '.join(_ROLES)}")
    content, calls = turn.get("content") or "", turn.get("tool_calls") or []
    if not isinstance(content, str) or not isinstance(calls, list):
        raise InvalidInput(f"the content of turn {at} is no text, or its tool_calls are no list")
    return TalkTurn(
        turn["role"], content.replace(DONE, "").strip(), tuple(_call(one, at) for one in calls)
    )


def _call(call: object, at: int) -> CalledTool:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise InvalidInput(f"a tool call of turn {at} has no name")
    arguments = call.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise InvalidInput(f"the arguments of a tool call of turn {at} are no object")
    return CalledTool(call["name"], arguments, call.get("result"))
