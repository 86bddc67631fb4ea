"""A run's folder: settings, and a file of rows for each baseline and seed; written by one run at a time.

run.json                    the settings, the versions, the model's fingerprint before and after
episodes/BASELINE.SEED.jsonl     a row for each episode, appended when it ends
experts/BASELINE.SEED.FAMILY.jsonl   the same of an expert, which is trained on one family alone
vectors/BASELINE.SEED.db         of what is remembered, until the part has ended
memories/BASELINE.SEED/          the memory of an agent that learns by guidance; an expert's has its family's name
report.html, .md, .json     written from the rows
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from agentcl.bench.rows import Part, ResultRow
from agentcl.bench.settings import RunSettings
from agentcl.envs.streams.stream import TaskStream, load_stream, save_stream
from agentcl.errors import ConfigError, InvalidInput, StoreBusy, StoreUnavailable
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path, unread
from agentcl.text.saving import save_text

_FORMAT: Final = 1
_HEAD: Final = "run.json"
_LOCK: Final = "lock"
_ORPHAN_S: Final = 60.0
_UNSAFE: Final = re.compile(r"[^\w.=-]")


def holds_run(path: Path) -> bool:
    """Return whether a folder holds a run."""
    return (path / _HEAD).exists()


class RunFolder:
    """Where a run's results lie.

    Args:
        path: the folder.

    Raises:
        InvalidInput: if it is no path, is not there, or holds no run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path = check_path(path)
        try:
            head = parsed_json((path / _HEAD).read_text("utf-8"))
        except OSError as error:
            raise InvalidInput(
                f"{path} holds no run: {error.strerror or error}; begin one with `agentcl bench run`"
            ) from error
        except ValueError as error:
            raise InvalidInput(f"{path / _HEAD} is damaged: {error}") from error
        if head.get("format") != _FORMAT:
            raise InvalidInput(
                f"{path} was written by another version of agentcl (format {head.get('format')})"
            )
        self.about: Mapping[str, Any] = head["about"]
        try:
            self.settings = RunSettings.from_json(
                json.dumps(head["settings"]), where=str(path / _HEAD)
            )
        except ConfigError as error:
            raise InvalidInput(str(error)) from error

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], settings: RunSettings, about: Mapping[str, Any]
    ) -> RunFolder:
        """Make a folder for a run.

        Raises:
            InvalidInput: if there is a run already, or `path` is none.
            StoreUnavailable: if the folder cannot be written.
        """
        path = check_path(path)
        cls.check_free(path)
        try:
            # `mkdir` does not follow a link to a folder that is not there yet.
            Path(os.path.realpath(path), "episodes").mkdir(parents=True, exist_ok=True)
            _write_head(path, settings, about)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {unread(error)}") from error
        return cls(path)

    @staticmethod
    def check_free(path: str | os.PathLike[str]) -> None:
        """Raise InvalidInput if a folder holds a run already, or is no path."""
        path = check_path(path)
        if holds_run(path):
            raise InvalidInput(
                f"{path} holds a run already; go on with `agentcl bench resume {path}`, or choose another "
                "folder"
            )

    def note(self, **about: Any) -> None:  # noqa: ANN401  # JSON
        """Keep something about the whole run, beside what is kept already."""
        self.about = {**self.about, **about}
        _write_head(self.path, self.settings, self.about)

    def keep_stream(self, seed: int, stream: TaskStream) -> None:
        """Keep the tasks of a seed, so that they can be looked at, and be run again as `tasks.file`."""
        path = self.path / "streams" / f"{seed}.jsonl"
        path.parent.mkdir(exist_ok=True)
        save_stream(stream, path)

    def stream(self, seed: int) -> TaskStream | None:
        """Return the tasks that were kept for a seed; None if none were. Raises LoadError if they are damaged."""
        path = self.path / "streams" / f"{seed}.jsonl"
        return load_stream(path) if path.exists() else None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for writing; the system lets go of it when the process dies.

        Raises:
            StoreBusy: if another run writes to it.
        """
        with _locked(self.path / _LOCK, wait_s=0):
            yield

    def rows(self, baseline: str | None = None, seed: int | None = None) -> Iterator[ResultRow]:
        """Yield the rows that are there, baseline by baseline and seed by seed; a torn last line is left out.

        Raises:
            InvalidInput: if a line before the last is damaged, naming the file and the line.
        """
        for one in self.settings.memory.baselines if baseline is None else (baseline,):
            for number in self.settings.seeds if seed is None else (seed,):
                yield from self.row_file(one, number).rows()

    def parts(self) -> dict[Part, int]:
        """Return every part of the run with its number of episodes, experts last."""
        seeds, baselines = self.settings.seeds, self.settings.memory.baselines
        whole = {
            Part(one, seed): int(self.about.get("episodes", {}).get(str(seed), 0))
            for seed in seeds
            for one in baselines
        }
        experts = {
            Part(one, seed, family): int(episodes)
            for seed in seeds
            for family, episodes in self.about.get("experts", {}).get(str(seed), {}).items()
            for one in baselines
        }
        return {**whole, **experts}

    def row_file(self, baseline: str, seed: int, alone: str = "") -> RowFile:
        """Return the file of one part."""
        folder = self.path / ("experts" if alone else "episodes")
        return RowFile(folder / f"{_named(baseline, seed, alone)}.jsonl")

    def vectors_path(self, baseline: str, seed: int, alone: str = "") -> Path:
        """Return where vectors of what one part remembers lie until it has ended."""
        return self.path / "vectors" / f"{_named(baseline, seed, alone)}.db"

    def drop_vectors(self, baseline: str, seed: int, alone: str = "") -> None:
        """Delete the vectors of a part that has ended."""
        path = self.vectors_path(baseline, seed, alone)
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        with suppress(OSError):  # another part's are there still
            path.parent.rmdir()

    def memory_path(self, baseline: str, seed: int, alone: str = "") -> Path:
        """Return where the memory of one part lies, if it is kept."""
        return self.path / "memories" / _named(baseline, seed, alone)


def _named(baseline: str, seed: int, alone: str) -> str:
    name = f"{_UNSAFE.sub('_', baseline)}.{seed}"
    return f"{name}.{quote(alone, safe=' ')}" if alone else name


class RowFile:
    """The rows of one baseline and seed. A row is there once its line has an end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[ResultRow]:
        """Return the rows. Raises InvalidInput if a whole line is damaged."""
        rows: list[ResultRow] = []
        for number, line in enumerate(self._whole(), 1):
            try:
                rows.append(ResultRow.from_json(line))
            except InvalidInput as error:
                raise InvalidInput(f"{self.path}, line {number}: {error}") from error
        return rows

    def count(self) -> int:
        """Return how many rows there are, without reading what they say."""
        return self.path.read_bytes().count(b"\n") if self.path.exists() else 0

    def size(self) -> int:
        """Return the number of bytes that are there, for a reader that follows the file."""
        return self.path.stat().st_size if self.path.exists() else 0

    @contextmanager
    def appending(self) -> Iterator[_Appender]:
        """Cut off a torn last line, and append. What is appended outlives this process at once.

        Raises:
            StoreBusy: if another process still writes to it: one whose run was killed ends by itself
                after the episode that it is in.
        """
        self.path.parent.mkdir(exist_ok=True)
        with (
            _locked(self.path.with_suffix(".lock"), wait_s=_ORPHAN_S),
            self.path.open("a+b") as file,
        ):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            yield _Appender(file)
            os.fsync(file.fileno())

    def _whole(self) -> list[str]:
        if not self.path.exists():
            return []
        return self.path.read_bytes().decode("utf-8", errors="replace").split("\n")[:-1]


class _Appender:
    def __init__(self, file: Any) -> None:  # noqa: ANN401  # a binary file
        self._file = file

    def add(self, row: ResultRow) -> None:
        """Append a row."""
        self._file.write(row.to_json().encode() + b"\n")
        # Past this the system has it: a killed process loses nothing, a lost machine some rows.
        self._file.flush()


@contextmanager
def _locked(path: Path, *, wait_s: float) -> Iterator[None]:
    # A lock of SQLite works on every system that SQLite does.
    with closing(sqlite3.connect(path, timeout=wait_s, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StoreBusy(
                f"another run writes to {path.parent}; wait for it, or choose another folder"
            ) from error
        yield


def _write_head(path: Path, settings: RunSettings, about: Mapping[str, Any]) -> None:
    head = {"format": _FORMAT, "about": about, "settings": json.loads(settings.to_json())}
    save_text(path / _HEAD, json.dumps(head, indent=2, ensure_ascii=False) + "\n")
