"""The store in one SQLite file, `journal.db`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from agentcl.errors import StoreReadOnly
from agentcl.store.base import NOTHING
from agentcl.store.noting import note_of
from agentcl.store.records import Scope, now_micros
from agentcl.store.rows import LAST_MOMENT
from agentcl.store.sql import erasure
from agentcl.store.sql.reading import SqlStore
from agentcl.store.sqlite import health
from agentcl.store.sqlite.connecting import Durability
from agentcl.store.sqlite.copying import copy_into
from agentcl.store.sqlite.database import Database
from agentcl.store.sqlite.locks import held_lock, is_held
from agentcl.store.sqlite.writing import SqliteWriting
from agentcl.text.paths import check_path

FILE: Final = "journal.db"
_LOOK_S: Final = 0.05
LOCKS: Final = "locks"  # the folder of the files that locks are held on


class SqliteStore(SqlStore):
    """The records of one folder, kept in one file.

    Args:
        folder: where the file lies, or is made (unless `read_only`).
        busy_timeout_s: how long a writer waits for its turn.
        durability: "full" survives a power cut after each write; "normal" may lose the last writes
            in a power cut, but nothing in a crash of the process.
        read_only: never write, not even to migrate.
        clock: microseconds since 1970; record times rise strictly even when it steps back.

    Raises:
        StoreUnavailable: (or a subclass) if the file cannot be opened.
    """

    keyed: ClassVar[str] = "record AS r INDEXED BY record_key"
    derived: ClassVar[str] = "source AS o CROSS JOIN record AS r ON r.id = o.record_id"

    def __init__(
        self,
        folder: Path,
        *,
        busy_timeout_s: float = 30.0,
        durability: Durability = "full",
        read_only: bool = False,
        clock: Callable[[], int] = now_micros,
    ) -> None:
        self.folder = folder
        self.read_only = read_only
        self._clock = clock
        self.tables = self.database = Database(
            folder / FILE, busy_timeout_s=busy_timeout_s, durability=durability, read_only=read_only
        )

    def close(self) -> None:
        self.database.close()

    def wait(
        self, seq: int, *, timeout_s: float, should_stop: Callable[[], bool] = lambda: False
    ) -> int:
        deadline = time.monotonic() + timeout_s
        # Nobody tells of a file that others write. To look costs some 20 microseconds.
        while (last := self.last_seq()) <= seq and not should_stop():
            if (left := deadline - time.monotonic()) <= 0:
                break
            time.sleep(min(_LOOK_S, left))
        return last

    def files(self) -> frozenset[str]:
        return frozenset({FILE, f"{FILE}-wal", f"{FILE}-shm", LOCKS})

    def _damage(self) -> Iterator[str]:
        return health.faults(self.database)

    # Writing

    @contextmanager
    def writing(
        self, *, counting: Mapping[Scope, Collection[bytes]] = NOTHING
    ) -> Iterator[SqliteWriting]:
        with self.database.write() as connection:
            times = connection.execute(
                "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'clock' UNION ALL"
                " SELECT * FROM (SELECT created_at FROM record ORDER BY seq DESC LIMIT 1)"
            )
            # A damaged time is none: the clock goes on from what else there is.
            held = [at for (at,) in times if type(at) is int and at < LAST_MOMENT]
            writing = SqliteWriting(
                self, connection, max([self._clock(), *(at + 1 for at in held)])
            )
            note = note_of()
            before = 0 if note is None else self.last_seq()
            yield writing
            if note is not None:
                note(writing, before, self.last_seq())

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        if self.read_only:
            raise StoreReadOnly(f"{self.folder} was opened with read_only=True")
        with held_lock(self.folder / LOCKS, name, mode=self.mode()):
            yield

    def is_locked(self, name: str) -> bool:
        return is_held(self.folder / LOCKS, name)

    def finish_erasure(self, before: Callable[[], object] = lambda: None) -> None:
        erasure.finish(self, self.tables, before, self.database.clear_leftovers)

    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        folder = check_path(folder, "folder")
        target = copy_into(folder, FILE, self.database)
        if not self.read_only:
            with self.writing() as writing:
                writing.note_copy(folder.resolve(), "snapshot")
        return target
