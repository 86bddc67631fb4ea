"""Streams of tasks: episodes in an order, as values that can be saved and run again.

What is learned depends on the order, so the order's name is part of a stream, and so of every result
that came of it. `stream_builders`, `curriculum` and `reuse` make streams.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final

from agentcl.envs.base import SPLITS, Task
from agentcl.errors import LoadError
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import save_text

# Phases in which the memory may be read and never written.
READ_ONLY: Final = frozenset({"test", "held-out"})
_FORMAT: Final = 1
_HEAD: Final[Mapping[str, type]] = {
    "format": int, "stream": str, "order": str, "seed": int, "items": int,
}  # fmt: skip
_ITEM: Final[Mapping[str, type]] = {"task": dict, "seed": int, "phase": str, "sub_solutions": list}
_TASK: Final[Mapping[str, type]] = {
    "env": str, "family": str, "variation": int, "split": str, "max_steps": int, "parameters": dict,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One episode of a stream: a task, a seed, and where in the protocol it stands."""

    task: Task
    seed: int
    phase: str = "train"
    sub_solutions: tuple[str, ...] = ()  # what it needs, where the stream knows that

    @property
    def is_learned_from(self) -> bool:
        """Whether the memory may be written after the episode."""
        return self.phase not in READ_ONLY


@dataclass(frozen=True, slots=True)
class TaskStream:
    """Episodes in order."""

    name: str
    items: tuple[StreamItem, ...]
    order: str  # how it was ordered, as every result says
    seed: int  # of what was drawn when it was built

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[StreamItem]:
        return iter(self.items)

    def blocks(self) -> list[tuple[StreamItem, ...]]:
        """Return runs of items of the same phase and family, in order."""
        runs = groupby(self.items, key=lambda item: (item.phase, item.task.family))
        return [tuple(run) for _, run in runs]

    def changes(self) -> tuple[int, ...]:
        """Return the positions, from 0, whose phase is not that of the item before."""
        return tuple(place for place in range(1, len(self.items))
                     if self.items[place].phase != self.items[place - 1].phase)  # fmt: skip


def save_stream(stream: TaskStream, path: str | os.PathLike[str]) -> None:
    """Write a stream as JSON lines: a head, then one line for each item. Raises InvalidInput and OSError."""
    head = {"format": _FORMAT, "stream": stream.name, "order": stream.order, "seed": stream.seed,
            "items": len(stream)}  # fmt: skip
    lines = [json.dumps(head), *(json.dumps(asdict(item)) for item in stream)]
    save_text(check_path(path), "".join(f"{line}\n" for line in lines))


def load_stream(path: str | os.PathLike[str]) -> TaskStream:
    """Return the stream that `save_stream` wrote, equal to it.

    Raises:
        LoadError: naming the file, the line and what is wrong with it.
        InvalidInput: if `path` is no path.
    """
    path = check_path(path)
    try:
        # Not splitlines, which also splits at characters that JSON may hold.
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"the stream {path} cannot be read: {unread(error)}") from error
    number = 1
    try:
        head = _parsed(lines[0], _HEAD)
        if head["format"] != _FORMAT:
            raise ValueError(f"format {head['format']}, and this agentcl reads {_FORMAT}")
        items: list[StreamItem] = []
        for line in lines[1:]:
            number += 1
            items.append(_item(line))
        if len(items) != head["items"]:
            raise ValueError(
                f"{len(items)} items, and the head says {head['items']}; copy it again"
            )
    except ValueError as error:
        raise LoadError(f"{path}, line {number}: {error}") from error
    return TaskStream(head["stream"], tuple(items), head["order"], head["seed"])


def _item(line: str) -> StreamItem:
    fields = _parsed(line, _ITEM)
    task = _checked(fields["task"], _TASK)
    if task["split"] not in SPLITS:
        raise ValueError(f"split {task['split']!r} is none of {', '.join(SPLITS)}")
    for key, value in task["parameters"].items():
        if not isinstance(value, str | int | float | bool):
            raise ValueError(f"parameter {key!r} is {value!r}, neither a text nor a number")
    if not all(isinstance(one, str) for one in fields["sub_solutions"]):
        raise ValueError(f"sub_solutions are {fields['sub_solutions']!r}, not texts")
    return StreamItem(Task(**task), fields["seed"], fields["phase"], tuple(fields["sub_solutions"]))


def _parsed(line: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    try:
        found = parsed_json(line)
    except ValueError as error:
        raise ValueError(f"{line[:60]!r} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{line[:60]!r} is no JSON object")
    return _checked(found, kinds)


def _checked(found: dict[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    if found.keys() != kinds.keys():
        raise ValueError(f"it has {sorted(found)}; a stream has {sorted(kinds)} here")
    for key, kind in kinds.items():
        if type(found[key]) is not kind:  # not isinstance: true is no number here
            raise ValueError(f"{key} is {found[key]!r}, not of type {kind.__name__}")
    return found
