"""The SQLite file under the journal: connections, write turns, and what its errors mean."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NoReturn

from agentcl.errors import (
    AgentclError,
    InvalidInput,
    MemoryClosed,
    SchemaTooNew,
    StorageFull,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
)
from agentcl.store.sqlite import schema

logger = logging.getLogger(__name__)

Durability = Literal["full", "normal"]
Migration = Callable[[sqlite3.Connection], None]
_RETRY_S: Final = 0.02
_PAGE: Final = 8_192  # bytes, of a new file: five vectors of 384 numbers, where 4,096 hold two
_LOG_PAGES: Final = (
    4_000  # of the WAL, 32 MB: what is written again and again moves to the file once
)
_REMEDY: Final = (
    "Run `agentcl doctor` on the folder; restore a snapshot, or save what is readable with "
    "`agentcl export --salvage`"
)


def translate(error: sqlite3.Error, path: Path, *, remedy: str = _REMEDY) -> AgentclError:
    """Return our error for an SQLite error; `remedy` is what to do when the file is damaged."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusy(
            f"{path} is being written by another process for longer than the busy timeout; "
            "try again, or raise busy_timeout_s"
        )
    if name == "SQLITE_FULL":
        return StorageFull(
            f"no space left for {path}; the write was undone. Free some space, then retry"
        )
    if name.startswith("SQLITE_READONLY"):
        return StoreReadOnly(
            f"{path} cannot be written ({error}); open it with read_only=True to read"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreUnavailable(
            f"{path} cannot be opened; check that the folder exists and is accessible"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreCorrupt(f"{path} is damaged ({error}). {remedy}")
    if name.startswith("SQLITE_IOERR"):
        return StoreUnavailable(
            f"the disk failed while using {path} ({name}); a full disk or a quota can look like this. "
            "What was acknowledged is kept; check the disk, then retry"
        )
    if name == "SQLITE_TOOBIG":
        return InvalidInput(f"a value is too large for {path} ({error})")
    return StoreUnavailable(f"{path}: {error} ({name or type(error).__name__})")


class Database:
    """One SQLite file: a connection for each thread, one write turn at a time.

    Connections are never carried across `fork`. Every error of SQLite leaves as one of ours.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = 30.0,
        durability: Durability = "full",
        read_only: bool = False,
        migrations: Sequence[Migration] = schema.MIGRATIONS,
        remedy: str = _REMEDY,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._durability = durability
        self._migrations = migrations
        self._remedy = remedy
        self._turn = threading.RLock()
        self._local = threading.local()
        self._connections: list[tuple[int, sqlite3.Connection]] = []
        self._closed = False
        self._open()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.ProgrammingError) and self._closed:
                raise MemoryClosed(f"the memory at {self.path.parent} is closed") from error
            raise translate(error, self.path, remedy=self._remedy) from error

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, opened on first use."""
        if self._closed:
            raise MemoryClosed(f"the memory at {self.path.parent} is closed")
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is None or held[0] != os.getpid():
            held = (os.getpid(), self._connect())
            self._local.held = held
            self._connections.append(held)
        return held[1]

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run one query to its end, so that no read snapshot stays open."""
        with self.errors():
            return self.connection.execute(sql, parameters).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Take the write turn: everything inside is one transaction, durable when this returns.

        Raises:
            StoreReadOnly: if this database was opened for reading only.
            StoreBusy: if other processes kept the turn for `busy_timeout_s`.
        """
        if self.read_only:
            raise StoreReadOnly(f"{self.path} was opened with read_only=True")
        with self._turn, self.errors():
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after a full disk or an I/O error.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def compact(self) -> None:
        """Rewrite the file without its free space and empty the WAL, so that no old byte is left.

        Raises:
            StoreBusy: if another process keeps reading or writing for `busy_timeout_s`.
        """
        with self._turn, self.errors():
            self.connection.execute("VACUUM")
        self.compact_log()

    def compact_log(self) -> None:
        """Move the WAL's content into the file and cut the WAL to nothing. Raises StoreBusy."""
        deadline = time.monotonic() + self._busy_timeout_s
        with self._turn, self.errors():
            while True:
                busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
                if time.monotonic() > deadline:
                    raise StoreBusy(f"another process keeps reading {self.path}, so its WAL stays")
                time.sleep(_RETRY_S)

    def close(self) -> None:
        """Close every connection of this process; calling it twice is allowed."""
        self._closed = True
        for pid, connection in self._connections:
            # Closing a parent's connection in a child would drop the parent's file locks.
            if pid == os.getpid():
                connection.close()
        self._connections.clear()

    def _connect(self) -> sqlite3.Connection:
        with self.errors():
            if self.read_only:
                return self._connect_read_only()
            connection = self._raw(str(self.path))
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            self._enter_wal(connection)
            connection.execute(f"PRAGMA synchronous = {self._durability.upper()}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            return connection

    def _raw(self, database: str, *, uri: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            database,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            uri=uri,
        )
        # Sorting must not spill what may later be forgotten into a temporary file.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        base = self.path.resolve().as_uri()
        try:
            connection = self._raw(f"{base}?mode=ro", uri=True)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # WAL needs a folder that can be written, unless nothing waits in the WAL.
            wal = self.path.with_name(self.path.name + "-wal")
            if wal.exists() and wal.stat().st_size:
                raise
            connection = self._raw(f"{base}?immutable=1", uri=True)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        return connection

    def _enter_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL; the switch itself ignores SQLite's busy timeout, so wait here."""
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                busy = (error.sqlite_errorname or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
                continue
            if mode != "wal":
                raise StoreUnavailable(
                    f"the file system of {self.path} cannot hold a WAL-mode database (it gave {mode!r}); "
                    "use a local disk"
                )
            return

    def _open(self) -> None:
        if self.path.is_dir():
            raise StoreUnavailable(f"{self.path} is a folder where the journal file should be")
        if self.read_only and not self.path.exists():
            raise StoreUnavailable(f"there is no memory at {self.path.parent}")
        if self.path.exists() and self.path.stat().st_size and not self._looks_like_sqlite():
            raise StoreCorrupt(
                f"{self.path} is not a journal (its first bytes are not SQLite's); nothing was changed"
            )
        with self.errors():
            version = self._version(self.connection)
            if version == len(self._migrations):
                return
            if version > len(self._migrations):
                self._refuse_newer(version)
            if self.read_only:
                raise StoreReadOnly(
                    f"{self.path} has schema {version}, this agentcl reads {len(self._migrations)}; "
                    "open it once without read_only to migrate it"
                )
        self._migrate()

    def _looks_like_sqlite(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\x00"

    def _version(self, connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application not in (0, schema.APPLICATION_ID) or (
            version == 0
            and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,)
        ):
            raise StoreCorrupt(
                f"{self.path} is another program's SQLite database; choose another folder"
            )
        return int(version)

    def _refuse_newer(self, version: int) -> NoReturn:
        raise SchemaTooNew(
            f"{self.path} has schema {version}; this agentcl knows up to {len(self._migrations)}. "
            "Upgrade: pip install --upgrade agentcl"
        )

    def _migrate(self) -> None:
        """Step through the missing migrations in one transaction; a crash leaves the old schema."""
        with self.write() as connection:
            version = self._version(connection)  # another process may have been faster
            if version > len(self._migrations):
                self._refuse_newer(version)
            for number in range(version, len(self._migrations)):
                logger.info("migrating %s from schema %s to %s", self.path, number, number + 1)
                self._migrations[number](connection)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
