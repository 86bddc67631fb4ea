"""The SQLite file under the journal: reads, write turns, and what its errors mean."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NoReturn

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
from agentcl.store.records import ScopeView
from agentcl.store.sql.tables import STEP_S
from agentcl.store.sqlite import bare, schema
from agentcl.store.sqlite.connecting import Connector, Durability
from agentcl.store.sqlite.leftovers import Leftovers
from agentcl.store.sqlite.pool import Pool
from agentcl.store.sqlite.shape import strangers

logger = logging.getLogger(__name__)

Migration = Callable[[sqlite3.Connection], None]
_REMEDY: Final = (
    "Run `agentcl doctor` on the folder; restore a snapshot, or save what is readable with "
    "`agentcl export --salvage`"
)

_RESTS: Final = 1.5  # times as long the next turn is left to others: who waits is in no queue
_LONGEST_REST_S: Final = 0.3
_FLUSH_S: Final = 0.5  # between two times that a long work moves the WAL into the file
# Between two looks at the turn; SQLite itself would look every 100 ms in the end
_LOOK_S: Final = 0.004
# What readers share is a file, too
_NO_ROOM: Final = ("SQLITE_IOERR_SHMOPEN", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMMAP")
_SQLITES: Final = (sqlite3.Error, UnicodeDecodeError)  # SQLite quotes what it cannot read
_BROKEN: Final = "*** in database"  # begins what SQLite says of pages
_PAUSE_S: Final = 0.02  # between two looks whether somebody is still in the way
_BRIEF_MS: Final = 20


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def translate(error: sqlite3.Error, path: Path, *, remedy: str = _REMEDY) -> AgentclError:
    """Return our error for an SQLite error; `remedy` is what to do when the file is damaged."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if _is_busy(error):
        return StoreBusy(
            f"{path} is being written by another process for longer than the busy timeout; "
            "try again, or raise busy_timeout_s"
        )
    if name in _NO_ROOM:
        return StorageFull(
            f"no room for {path.name}-shm beside {path} ({name}), as on a full disk or beyond a quota; nothing was "
            "changed. Free some space, then retry"
        )
    if name == "SQLITE_FULL":
        return StorageFull(
            f"no space left for {path}; the write was undone. Free some space, then retry"
        )
    is_closed = name.startswith("SQLITE_CANTOPEN") and _is_unwritable(path)
    if name.startswith("SQLITE_READONLY") or is_closed:
        return StoreReadOnly(
            f"{path} cannot be written ({error}); open it with read_only=True to read"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreUnavailable(
            f"{path} cannot be opened; check that the folder exists and is accessible"
        )
    if name == "SQLITE_NOTADB":
        return StoreCorrupt(f"{path} is not a journal, or its first bytes are damaged. {remedy}")
    if name.startswith("SQLITE_CORRUPT") or "invalid fts5 file format" in str(error):
        return StoreCorrupt(f"{path} is damaged ({error}). {remedy}")
    if name.startswith("SQLITE_IOERR"):
        return StoreUnavailable(
            f"the disk failed while using {path} ({name}); a full disk or a quota can look like this. "
            "What was acknowledged is kept; check the disk, then retry"
        )
    if name == "SQLITE_TOOBIG":
        return InvalidInput(f"a value is too large for {path} ({error})")
    return StoreUnavailable(f"{path}: {error} ({name or type(error).__name__})")


def _is_unwritable(path: Path) -> bool:
    """Return whether a file is there in a folder that cannot be written, as on a disk that is mounted for reading."""
    try:
        return path.exists() and not os.access(path.parent, os.W_OK)
    except OSError:
        return False


class Database:
    """One SQLite file that threads share and forked processes may go on using: one write turn at a time.

    Every error of SQLite leaves as one of ours.
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
        self._migrations = migrations
        self._remedy = remedy
        self._pool = Pool(
            path,
            Connector(path, busy_timeout_s, durability=durability, read_only=read_only).connect,
        )
        self._closed = False
        self._flush_due = 0.0
        self._open()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of the transaction that this thread is in."""
        connection = self._pool.borrowed()
        assert connection is not None, "there is none outside of `write`"
        return connection

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run one query to its end, so that no read snapshot stays open."""
        with self._lent() as connection:
            try:
                return connection.execute(sql, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if not str(error).startswith("Could not decode"):
                    raise
            # A damaged text must not keep the rows beside it from being read.
            connection.text_factory = _decoded
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                connection.text_factory = str

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, view: ScopeView
    ) -> list[tuple[object, ...]]:
        """Run one query; a file knows nobody, so `view` holds only as far as the query says so itself."""
        return self.read(sql, parameters)

    @contextmanager
    def write(self, *, checks_references: bool = True) -> Iterator[sqlite3.Connection]:
        """Take the write turn: everything inside is one transaction, durable when this returns.

        Args:
            checks_references: whether SQLite looks after foreign keys; without, who writes does.

        Raises:
            StoreReadOnly: if this database was opened for reading only.
            StoreBusy: if other processes kept the turn for `busy_timeout_s`.
        """
        if self.read_only:
            raise StoreReadOnly(f"{self.path} was opened with read_only=True")
        with self._pool.turn, self._lent() as connection:
            if not checks_references:
                connection.execute("PRAGMA foreign_keys = OFF")
            try:
                self._begin(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after a full disk or an I/O error.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                if not checks_references:
                    connection.execute("PRAGMA foreign_keys = ON")

    def clear_leftovers(self, *, is_derived: bool = False) -> None:
        """Overwrite what is left of deleted rows, in steps that leave others their turns; then empty the WAL.

        A step is made while nobody else writes and the WAL holds nothing that is not in the file as well. So
        what SQLite calls unused is unused for everybody. The step ends with a commit. By that each connection
        sees that the pages that it may have kept in memory, leftovers included, are old. The first step
        commits whatever it finds: a process that was killed may have cleared pages and not said so.

        Args:
            is_derived: whether the file can be made again. Else its pages are compared with each other first: in a
                damaged file, what is unused by one row may be another's.

        Raises:
            StoreBusy: if somebody keeps an old state open for `busy_timeout_s`.
            StoreCorrupt: if the file is damaged.
            OSError: if the disk fails.
        """
        if not is_derived:
            self._refuse_damage()
        deadline = time.monotonic() + self._busy_timeout_s
        file = bare.opened(self.path)
        # A connection of its own: it has no page in memory but the schema's.
        with self._errors(), closing(self._pool.connect()) as own:
            if not bare.is_at(file, self.path):
                raise StoreBusy(f"{self.path} was replaced by another process; try again")
            (version,) = own.execute("PRAGMA user_version").fetchone()
            first, last = 1, 1
            while first <= last:
                self._flush(own, deadline)
                with self._pool.turn:
                    self._begin(own)
                    begun = time.monotonic()
                    try:
                        if self._is_flushed():
                            found = Leftovers(file)
                            is_first = first == 1
                            cleared, first = found.clear_from(first, seconds=STEP_S)
                            if cleared or is_first:
                                own.execute(f"PRAGMA user_version = {version}")  # a commit
                            last = found.pages
                            deadline = time.monotonic() + self._busy_timeout_s
                    finally:
                        own.execute("COMMIT")
                if first <= last:
                    self.rest(begun)
            os.fsync(file.fileno())
        self.empty_log()

    def _refuse_damage(self) -> None:
        """Raise StoreCorrupt if a page belongs to two, or the pages of the file do not add up otherwise."""
        for (verdict,) in self.read("PRAGMA quick_check(1)"):
            if str(verdict).startswith(
                _BROKEN
            ):  # else a row says what it may not, in a page that is sound
                said = " ".join(str(verdict).splitlines()[1:])
                raise StoreCorrupt(f"{self.path} is damaged ({said}). {self._remedy}")

    def rest(self, begun: float) -> None:
        """Leave others their turn after a step of a long work that was begun at a time, and keep the WAL short.

        Whoever commits when it is long moves all of it into the file, and waits for that. The first to write
        afterwards waits for the disk, so it is not done after each step.
        """
        took = time.monotonic() - begun
        if begun > self._flush_due:
            self._is_flushed()
            self._flush_due = time.monotonic() + _FLUSH_S
        time.sleep(min(_RESTS * took, _LONGEST_REST_S))

    def empty_log(self) -> None:
        """Move the WAL's content into the file and cut the WAL to nothing. Raises StoreBusy."""
        deadline = time.monotonic() + self._busy_timeout_s
        with self._errors(), closing(self._pool.connect()) as own:
            # SQLite waits for readers while it keeps writers out, so it may not wait long.
            own.execute(f"PRAGMA busy_timeout = {_BRIEF_MS}")
            while True:
                self._flush(own, deadline)
                with self._pool.turn:
                    busy, _, _ = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
                self._wait(deadline)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Take the right to write, waiting for it as long as may be."""
        deadline = time.monotonic() + self._busy_timeout_s
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if not _is_busy(error) or time.monotonic() > deadline:
                        raise
                time.sleep(_LOOK_S)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(1_000 * self._busy_timeout_s)}")

    def _flush(self, connection: sqlite3.Connection, deadline: float) -> None:
        """Move the WAL's content into the file, while others go on writing."""
        while not _is_flushed(connection):
            self._wait(deadline)

    def _is_flushed(self) -> bool:
        with self._lent() as connection:
            return _is_flushed(connection)

    def _wait(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise StoreBusy(f"another process keeps reading {self.path}, so its WAL stays")
        time.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the file as soon as nobody reads or writes; calling it twice is allowed."""
        self._closed = True
        self._pool.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """Use this thread's connection, or one of the pool, and turn SQLite's errors into ours."""
        if self._closed:
            raise MemoryClosed(f"the memory at {self.path.parent} is closed")
        held = self._pool.borrowed()
        try:
            yield held or self._pool.take()
        except _SQLITES as error:  # not by `_errors`, one manager more for each read
            raise self._ours(error) from error
        finally:
            if held is None:
                self._pool.give_back()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except _SQLITES as error:
            raise self._ours(error) from error

    def _ours(self, error: sqlite3.Error | UnicodeDecodeError) -> AgentclError:
        if isinstance(error, sqlite3.Error):
            return translate(error, self.path, remedy=self._remedy)
        return StoreCorrupt(f"{self.path} is damaged ({error}). {self._remedy}")

    def _open(self) -> None:
        if self.path.is_dir():
            raise StoreUnavailable(f"{self.path} is a folder where the journal file should be")
        if self.read_only and not self.path.exists():
            raise StoreUnavailable(f"there is no memory at {self.path.parent}")
        with self._lent() as connection, _snapshot(connection):
            version = self._version(connection)
            if version > len(self._migrations):
                self._refuse_newer(version)
            self._refuse_strangers(connection, version)
            if version == len(self._migrations):
                return
            if self.read_only:
                raise StoreReadOnly(
                    f"{self.path} has schema {version}, this agentcl reads {len(self._migrations)}; "
                    "open it once without read_only to migrate it"
                )
        self._migrate()

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
        if version < 0:
            raise StoreCorrupt(
                f"{self.path} has schema {version}, which there is not. {self._remedy}"
            )
        return int(version)

    def _refuse_strangers(self, connection: sqlite3.Connection, version: int) -> None:
        """Refuse a file with what would run, or be read, with our statements, and is not ours."""
        found = next(strangers(connection, self._migrations, version), None)
        if found:
            raise StoreCorrupt(
                f"{self.path} has {found}; it is not opened, since somebody may read or change with it "
                f"what is stored. Whoever put it there takes it out. {self._remedy}"
            )

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


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Read one state of a file that others may be making just now."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.rollback()


def _is_busy(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _is_flushed(connection: sqlite3.Connection) -> bool:
    """Move what can be moved from the WAL into the file; return whether that is all of it."""
    busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return not busy and frames == moved
