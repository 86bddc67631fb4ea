"""An exact copy of a store in another one, whatever databases the two are in.

Rows keep their numbers, so what a copy that was cut off has still to do follows from its newest row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Final, cast

from agentcl.errors import InvalidInput
from agentcl.store.rows import Row
from agentcl.store.sql.erasure import DUE, NOTHING
from agentcl.store.sql.reading import SqlStore
from agentcl.store.sql.tables import EVERYBODY, marks
from agentcl.store.sql.writing import SqlWriting

_BATCH: Final = 500  # rows copied in one transaction
_MARK: Final = "copying"  # the setting that says which memory is being copied, and how far it is
# Settings that are a store's own: its name, and what is underway in it.
_OWN: Final = frozenset({"id", "encoder_next", _MARK})
# Whole tables, which are small beside the rows: by what they are read in order, and their columns.
_TABLES: Final = {
    "counter": ("id", "id, uses, wins, losses, repeats, last_used_at"),
    "copy": ("path", "path, what, made_at"),
    "job": (
        "number",  # the target counts for itself
        'id, kind, state, spec, tenant, "user", agent, session, units, tokens, done, total, attempts, error,'
        " created_at, started_at, ended_at",
    ),
}


class Mirroring:
    """Copies a store into an empty one, or goes on with what it began.

    Args:
        source: what is copied.
        target: where to.

    Raises:
        InvalidInput: if the target holds anything else.
    """

    def __init__(self, source: SqlStore, target: SqlStore) -> None:
        self._source, self._target = source, target
        self._spec = source.encoder()
        self._of = f"{source.meta('id')}:{source.epoch()}"
        held = target.meta(_MARK)
        last = target.last_seq()
        if (held or last) and held != self._mark(last):
            raise InvalidInput(
                "the target holds a memory already, or one that was copied from elsewhere; name an empty place. "
                "To bring two memories together, export one and import it"
            )

    def run(
        self,
        progress: Callable[[int, int], None] = lambda done, total: None,
        beside: Callable[[], None] = lambda: None,
    ) -> int:
        """Copy all that the source holds, and return the number of rows that are new in the target.

        Args:
            progress: called with the numbers of the newest row that is copied, and of the newest there is.
            beside: copies what lies beside the rows; called before others have to wait, and once more while they do.

        Raises:
            StoreCorrupt: if a row or a vector is not what was written.
        """
        count = 0
        rows = self._source.since(self._target.last_seq())
        while batch := list(islice(rows, _BATCH)):
            self._append(batch)
            count += len(batch)
            progress(batch[-1].seq, self._source.last_seq())
        beside()
        with self._still():
            rest = list(self._source.since(self._target.last_seq()))
            for start in range(0, len(rest), _BATCH):
                self._append(rest[start : start + _BATCH])
            beside()
            self._finish()
        return count + len(rest)

    def _mark(self, seq: int) -> str:
        return f"{self._of}:{seq}"

    def _still(self) -> AbstractContextManager[object]:
        """Keep others from writing into the source, so that its tables fit its rows."""
        return nullcontext() if self._source.read_only else self._source.writing()

    def _append(self, rows: Sequence[Row]) -> None:
        for row in rows:
            row.check()
        seqs = [row.seq for row in rows]
        vectors = self._source.given_vectors(seqs)  # checks them
        held = self._read(
            f"SELECT seq, given, crc, data FROM vector WHERE seq IN ({marks(seqs)})", seqs
        )
        with self._target.writing() as writing:
            turn = cast(SqlWriting, writing)
            if self._spec is not None and vectors:
                turn.claim_encoder(self._spec)
            for row in rows:
                if row.op == "erase":
                    self._take_away(row.id, turn)
                turn.keep(row)
            self._target.tables.connection.executemany(
                "INSERT INTO vector (seq, given, crc, data) VALUES (?, ?, ?, ?)", held
            )
            turn.set_meta(_MARK, self._mark(rows[-1].seq))

    def _take_away(self, id: str, writing: SqlWriting) -> None:
        """Remove what was copied of a record that was erased meanwhile."""
        connection = self._target.tables.connection
        found = connection.execute("SELECT seq FROM record WHERE id = ?", (id,)).fetchall()
        if found:
            connection.executemany("DELETE FROM vector WHERE seq = ?", found)
            connection.execute("DELETE FROM record WHERE id = ?", (id,))
            connection.execute("DELETE FROM source WHERE record_id = ? OR source_id = ?", (id, id))
            writing.set_meta(f"{DUE}-copy", NOTHING)  # the next opening clears their bytes

    def _finish(self) -> None:
        """Copy what is kept beside the rows, all at once."""
        settings = self._read("SELECT key, value FROM meta ORDER BY key", ())
        with self._target.writing() as writing:
            connection = self._target.tables.connection
            for table, (order, columns) in _TABLES.items():
                connection.execute(f"DELETE FROM {table}")
                sql = f"INSERT INTO {table} ({columns}) VALUES ({marks(columns.split(','))})"
                for some in self._all(table, order, columns):
                    connection.executemany(sql, some)
            connection.execute("DELETE FROM meta WHERE key = ?", (_MARK,))
            for key, value in settings:
                if key not in _OWN and not str(key).startswith(DUE):
                    writing.set_meta(key, value)

    def _all(self, table: str, order: str, columns: str) -> Iterator[list[tuple[Any, ...]]]:
        sql = f"SELECT {order}, {columns} FROM {table} {{}} ORDER BY {order} LIMIT {_BATCH}"
        rows = self._read(sql.format(""), ())
        while rows:
            yield [row[1:] for row in rows]
            rows = self._read(sql.format(f"WHERE {order} > ?"), (rows[-1][0],))

    def _read(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return self._source.tables.query(sql, values, view=EVERYBODY)
