"""The store in a schema of a PostgreSQL database."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from agentcl.errors import StoreReadOnly, StoreUnavailable
from agentcl.store.base import NOTHING
from agentcl.store.noting import note_of
from agentcl.store.postgres import health
from agentcl.store.postgres.address import Address
from agentcl.store.postgres.copying import written_into
from agentcl.store.postgres.database import Question, Server
from agentcl.store.postgres.listening import Listening
from agentcl.store.postgres.locks import held_lock, is_held
from agentcl.store.postgres.opening import WHOLE, WHOLE_SQL
from agentcl.store.postgres.schema import POLICIES, vectors_schema
from agentcl.store.postgres.writing import SCOPE_SQL, PostgresWriting
from agentcl.store.records import Scope, now_micros
from agentcl.store.rows import LAST_MOMENT, fields_of
from agentcl.store.sql import erasure
from agentcl.store.sql.conditions import prefix_range
from agentcl.store.sql.reading import META_SQL, SqlStore, counting_questions
from agentcl.store.sql.tables import EVERYBODY
from agentcl.text.homes import data_folder
from agentcl.text.paths import check_path
from agentcl.text.saving import make_folder

_PRIVATE: Final = 0o700
_INDEXED: Final = 400  # characters of a key that an index holds; see the schema


class PostgresStore(SqlStore):
    """The records of one schema of a database.

    Args:
        address: where it is; the tables are made there (unless `read_only`).
        folder: for what is derived from the records, on this machine; default: one of the user's own for
            each memory.
        busy_timeout_s: how long a writer waits for its turn, and everybody for a server that is restarted.
        read_only: never write, not even to migrate.
        clock: microseconds since 1970; record times rise strictly even when it steps back.

    Raises:
        StoreUnavailable: (or a subclass) if the database cannot be opened.
    """

    beyond: ClassVar[tuple[str, ...]] = (
        "free room in the pages of the database, until it is used again (VACUUM FULL rewrites the pages)",
        "the write-ahead log and its archive",
        "backups of the database",
        "replicas of the database",
    )

    def __init__(
        self,
        address: Address,
        folder: Path | None = None,
        *,
        busy_timeout_s: float = 30.0,
        read_only: bool = False,
        clock: Callable[[], int] = now_micros,
    ) -> None:
        self.address = address
        self.read_only = read_only
        self._clock = clock
        self.tables = self.server = Server(
            address, busy_timeout_s=busy_timeout_s, read_only=read_only
        )
        self._listening = Listening(self.server, self.last_seq)
        try:
            self.folder = self._own_folder() if folder is None else folder
        except BaseException:
            self.close()
            raise

    def _own_folder(self) -> Path:
        folder = data_folder("databases") / str(self.meta("id"))
        if not self.read_only:
            try:
                make_folder(folder)
                folder.chmod(_PRIVATE)
            except OSError as error:
                raise StoreUnavailable(
                    f"cannot keep indexes of {self.server.address} in {folder}: {error}; set XDG_DATA_HOME to "
                    "another place"
                ) from error
        return folder

    def close(self) -> None:
        self.server.close()

    def wait(
        self, seq: int, *, timeout_s: float, should_stop: Callable[[], bool] = lambda: False
    ) -> int:
        return self._listening.wait(seq, timeout_s=timeout_s, should_stop=should_stop)

    def files(self) -> frozenset[str]:
        return frozenset()

    def _damage(self) -> Iterator[str]:
        return health.faults(self.tables)

    def _beginning(self, prefix: str) -> tuple[str, tuple[str, ...]]:
        low, high = prefix_range(prefix)
        narrow = f"left(r.key, {_INDEXED})"
        begins = f"r.key >= ? AND {narrow} >= left(?, {_INDEXED})"
        if high is None:
            return begins, (low, low)
        return f"{begins} AND r.key < ? AND {narrow} <= left(?, {_INDEXED})", (low, low, high, high)

    @contextmanager
    def writing(
        self, *, counting: Mapping[Scope, Collection[bytes]] = NOTHING
    ) -> Iterator[PostgresWriting]:
        first: list[Question] = [(META_SQL, ("encoder",), EVERYBODY)]
        for scope, hashes in counting.items():
            first.append((SCOPE_SQL, fields_of(scope), EVERYBODY))
            first += counting_questions(scope, hashes)
        with self.server.write(first=first) as turn:
            turn.clock = max(self._clock(), min(turn.clock + 1, LAST_MOMENT))
            writing = PostgresWriting(self, turn, turn.clock)
            note, before = note_of(), turn.seq
            yield writing
            if note is not None:
                note(writing, before, turn.seq)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        if self.read_only:
            raise StoreReadOnly(f"{self.server.address} was opened with read_only=True")
        with held_lock(self.server, name):
            yield

    def is_locked(self, name: str) -> bool:
        return is_held(self.server, name)

    def finish_erasure(self, before: Callable[[], object] = lambda: None) -> None:
        erasure.finish(self, self.tables, before, self._clear_bytes)

    def _clear_bytes(self) -> None:
        """Take dead rows out of the tables, and what was erased out of vectors that an index keeps beside them."""
        place = vectors_schema(self.address.schema)
        asked = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) AND relname ~ '^entry_[0-9]+$'"
        tables = [
            f"{place}.{name}" for (name,) in self.tables.query(asked, (place,), view=EVERYBODY)
        ]
        for table in tables:
            with self.server.lent() as link, link.transaction():
                link.execute(WHOLE_SQL, WHOLE)
                link.execute(
                    f"DELETE FROM {table} AS v WHERE NOT EXISTS (SELECT 1 FROM record AS r WHERE r.seq = v.seq)".encode()
                )
        self.server.vacuum([*POLICIES, *tables])

    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        target = written_into(check_path(folder, "folder"), self)
        if not self.read_only:
            with self.writing() as writing:
                writing.note_copy(target.parent, "snapshot")
        return target
