"""Opening a connection to an SQLite file, with all that we ask of one."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Final, Literal

from agentcl.errors import StoreReadOnly, StoreUnavailable

Durability = Literal["full", "normal"]
RETRY_S: Final = 0.02
_PAGE: Final = 8_192  # bytes, of a new file: five vectors of 384 numbers, where 4,096 hold two
# Of the WAL, 32 MB: what is written again and again moves to the file once
_LOG_PAGES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Connector:
    """How one file is opened. Any thread may use a connection, one at a time."""

    path: Path
    busy_timeout_s: float
    _: KW_ONLY
    durability: Durability
    read_only: bool

    def connect(self) -> sqlite3.Connection:
        """Open a connection.

        Raises:
            sqlite3.Error: if SQLite cannot.
            StoreUnavailable: if the file system cannot hold a database in WAL mode.
            StoreReadOnly: if it cannot be read without being written.
        """
        if self.read_only:
            return self._connect_read_only()
        connection = self._raw(str(self.path))
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        self._enter_wal(connection)
        connection.execute(f"PRAGMA synchronous = {self.durability.upper()}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _raw(self, database: str, *, uri: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            database,
            timeout=self.busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            uri=uri,
        )
        # Sorting must not spill what may later be forgotten into a temporary file.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")  # the file may be somebody else's
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        base = self.path.resolve().as_uri()
        try:
            connection = self._raw(f"{base}?mode=ro", uri=True)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            # WAL needs a folder that can be written, unless nothing waits in the WAL.
            wal = self.path.with_name(self.path.name + "-wal")
            if wal.exists() and wal.stat().st_size:
                raise StoreReadOnly(
                    f"the last writes to {self.path} stand in {wal.name}, which only who may write the folder can read; "
                    "open it once where it can be written, or copy the whole folder to such a place"
                ) from error
            connection = self._raw(f"{base}?immutable=1", uri=True)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        return connection

    def _enter_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL; the switch itself ignores SQLite's busy timeout, so wait here."""
        deadline = time.monotonic() + self.busy_timeout_s
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                busy = (error.sqlite_errorname or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)
                continue
            if mode != "wal":
                raise StoreUnavailable(
                    f"the file system of {self.path} cannot hold a WAL-mode database (it gave {mode!r}); "
                    "use a local disk"
                )
            return
