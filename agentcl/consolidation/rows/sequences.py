"""Tasks that come one after another, as continual learning measures itself: read from files as others lay them out.

Two layouts are read. The 5-task and 15-task orders, a file for each split: `agnews.train.jsonl.gz`, with `sentence` and
`label`, and `agnews.labels.json`. And TRACE (Wang et al. 2023), a folder for each task: `FOMC/train.json`, a list of
`prompt` and `answer`. Neither comes with agentcl.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from agentcl.consolidation.rows.building import Split, TrainingRow
from agentcl.errors import InvalidInput, LoadError
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path, unread

_LINES: Final = ".train.jsonl.gz"
_FILES: Final[dict[Split, str]] = {"train": "train", "held": "test"}


@dataclass(frozen=True, slots=True)
class LearnedTask:
    """One task of a sequence."""

    name: str
    rows: tuple[TrainingRow, ...]  # the split "train" is learned, "held" is asked
    labels: tuple[str, ...]  # the only answers that there are; empty if any text may be one

    def of(self, split: Split) -> list[TrainingRow]:
        """Return the rows of a split."""
        return [row for row in self.rows if row.split == split]


def task_names(folder: str | os.PathLike[str]) -> list[str]:
    """Return the tasks in a folder that have both splits, in the order of the alphabet. Raises InvalidInput."""
    folder = check_path(folder, "folder")
    flat = (
        file.name.removesuffix(_LINES)
        for file in folder.glob(f"*{_LINES}")
        if (folder / file.name.replace(".train.", ".test.")).is_file()
    )
    deep = (
        file.parent.name
        for file in folder.glob("*/train.json")
        if (file.parent / "test.json").is_file()
    )
    return sorted({*flat, *deep})


def load_task(
    folder: str | os.PathLike[str],
    name: str,
    *,
    train: int | None = None,
    held: int | None = None,
    seed: int = 0,
) -> LearnedTask:
    """Read one task.

    Args:
        folder: with the tasks, in one of the two layouts.
        name: of the task.
        train: so many rows to learn, drawn by the seed; default: all.
        held: likewise to ask.
        seed: of the draw.

    Raises:
        InvalidInput: if there is no such task, or `folder` is no path.
        LoadError: if a file is not what its layout says.
    """
    folder = check_path(folder, "folder")
    known = task_names(folder)
    if name not in known:
        raise InvalidInput(
            f"{folder} has no task {name!r} with both splits; it has: {', '.join(known) or 'none'}"
        )
    is_flat = (folder / f"{name}{_LINES}").is_file()
    labels = _labels(folder / f"{name}.labels.json") if is_flat else ()
    rows: list[TrainingRow] = []
    for split, count in (("train", train), ("held", held)):
        found = list(_rows(folder, name, "train" if split == "train" else "held", labels, is_flat))
        size = len(found) if count is None else min(count, len(found))
        rows += Random(f"{seed} {name} {split}").sample(found, size)
    return LearnedTask(name, tuple(rows), labels)


def _rows(
    folder: Path, name: str, split: Split, labels: Sequence[str], is_flat: bool
) -> Iterator[TrainingRow]:
    word = _FILES[split]
    file = folder / (f"{name}.{word}.jsonl.gz" if is_flat else f"{name}/{word}.json")
    asked, answered = ("sentence", "label") if is_flat else ("prompt", "answer")
    ending = f"\nAnswer with one of: {', '.join(labels)}." if labels else ""
    for place, one in enumerate(_parsed(file, is_flat), 1):
        prompt, answer = (
            one.get(key) if isinstance(one, dict) else None for key in (asked, answered)
        )
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise LoadError(f"{file}: row {place} has no text in {asked!r} and {answered!r}")
        if labels and answer not in labels:
            raise LoadError(
                f"{file}: row {place} is labelled {answer!r}, which is none of {labels}"
            )
        yield TrainingRow(
            (f"{name} {word} {place}",), "use", split, f"{prompt.strip()}{ending}", answer
        )


def _labels(file: Path) -> tuple[str, ...]:
    found = list(_parsed(file, is_lines=False))
    if not found or not all(isinstance(one, str) for one in found):
        raise LoadError(f"{file} holds no list of labels")
    return tuple(found)


def _parsed(file: Path, is_lines: bool) -> Iterable[Any]:
    try:
        if is_lines:
            with gzip.open(file, "rt", encoding="utf-8") as opened:
                return [parsed_json(line) for line in opened if line.strip()]
        found = parsed_json(file.read_text("utf-8"))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise LoadError(f"cannot read {file}: {unread(error)}") from error
    if not isinstance(found, list):
        raise LoadError(f"{file} holds no list")
    return found
