"""The journal: every change of memory is one row, appended in one transaction, durable on return.

Rows are never changed. A new version of a record is a new row, a deletion is a tombstone row, and the
state at any moment is, for each id, its newest row not younger than that moment. Only erasure
(`agentcl.store.sqlite.erasure`) takes rows away, and it leaves a row that says so.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from agentcl.errors import NotFound, StoreCorrupt
from agentcl.store.records import SCOPE_FIELDS, Record, Scope, ScopeView, from_micros
from agentcl.store.rows import Counters, EncoderSpec, Row, Version
from agentcl.store.sqlite.database import Database, Durability
from agentcl.store.sqlite.writing import Writing

FILE: Final = "journal.db"
# Rows read at a time. Short reads let the WAL be truncated, and few rows are gone before the garbage
# collector counts them among what lives long, and looks through everything.
_BATCH: Final = 200
_MOST_MARKS: Final = 1_000  # values asked for in one query
_COLUMNS: Final = (
    "r.seq, r.id, r.version, r.op, r.kind, s.tenant, s.user, s.agent, s.session, r.created_at,"
    " r.valid_from, r.valid_to, r.key, r.sources, r.body, r.metadata, r.content_hash, r.checksum"
)
_FROM: Final = "record AS r LEFT JOIN scope AS s ON s.id = r.scope"


def now_micros() -> int:
    """Return the machine's clock in microseconds since 1970."""
    return time.time_ns() // 1_000


def view_sql(view: ScopeView, alias: str = "s") -> tuple[str, list[object]]:
    """Return an SQL condition on a scope table, and its parameters, that lets `view` through."""
    conditions, parameters = ["1"], list[object]()
    for name in SCOPE_FIELDS:
        allowed: frozenset[str] | None = getattr(view, name)
        if allowed is not None:
            conditions.append(f"{alias}.{name} IN ({', '.join('?' * len(allowed))})")
            parameters.extend(sorted(allowed))
    return " AND ".join(conditions), parameters


class Journal:
    """The records of one folder. Threads and processes may share it; writers take turns.

    Args:
        folder: made if absent (unless `read_only`).
        busy_timeout_s: how long a writer waits for its turn.
        durability: "full" survives a power cut after each write; "normal" may lose the last writes
            in a power cut, but nothing in a crash of the process.
        read_only: never write, not even to migrate.
        clock: microseconds since 1970; record times rise strictly even when it steps back.

    Raises:
        StoreUnavailable: (or a subclass) if the file cannot be opened.
    """

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
        self.clock = clock
        self.database = Database(
            folder / FILE,
            busy_timeout_s=busy_timeout_s,
            durability=durability,
            read_only=read_only,
        )

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self.database.close()

    # Reading

    def last_seq(self) -> int:
        """Return the number of the newest row, 0 in an empty journal."""
        return cast(int, self.database.read("SELECT coalesce(max(seq), 0) FROM record")[0][0])

    def encoder(self) -> EncoderSpec | None:
        """Return the encoder of the stored vectors, or None before the first one."""
        value = self.meta("encoder")
        return None if value is None else EncoderSpec(**json.loads(value))

    def epoch(self) -> int:
        """Return how often all vectors were replaced; an index of another epoch must be rebuilt."""
        return int(self.meta("epoch") or 0)

    def meta(self, key: str) -> str | None:
        """Return one of the journal's own settings."""
        rows = self.database.read("SELECT value FROM meta WHERE key = ?", (key,))
        return cast(str, rows[0][0]) if rows else None

    def newest(self, id: str, *, view: ScopeView, at: int | None = None) -> Row:
        """Return the row of the version of a record that is live (at a moment).

        Raises:
            NotFound: if there is none that the view sees.
        """
        condition, parameters = view_sql(view)
        rows = self.database.read(
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = ? AND r.created_at <= ? AND {condition}"
            " ORDER BY r.version DESC LIMIT 1",
            (id, _FOREVER if at is None else at, *parameters),
        )
        if not rows or rows[0][3] != "put":
            raise NotFound(
                f"no record {id!r} is visible from this scope"
                + ("" if at is None else f" as of {from_micros(at).isoformat()}")
                + "; see `list` for what is, and check tenant, user, agent and session"
            )
        return Row(*rows[0])  # type: ignore[arg-type]  # SQLite's columns are as the schema says

    def get(self, id: str, *, view: ScopeView, at: int | None = None) -> Record:
        """Return the live version of a record (at a moment). Raises NotFound."""
        return self.newest(id, view=view, at=at).record()

    def find(self, *, kind: str, scope: Scope, key: str) -> Record | None:
        """Return the live record of a kind and scope with a natural key."""
        rows = self.database.read(
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.key = ? AND r.kind = ? AND r.op = 'put'"
            " AND s.tenant = ? AND s.user = ? AND s.agent = ? AND s.session = ?"
            f" AND {_IS_NEWEST} LIMIT 1",
            (key, kind, scope.tenant, scope.user, scope.agent, scope.session, _FOREVER),
        )
        return _row(rows[0]).record() if rows else None

    def live(
        self,
        *,
        view: ScopeView,
        kinds: Sequence[str] | None = None,
        at: int | None = None,
        after: int = 0,
        source: str | None = None,
    ) -> Iterator[Row]:
        """Yield the rows live (at a moment), oldest first, beginning after a row number.

        Args:
            view: whose records.
            kinds: only these kinds.
            at: microseconds since 1970; None for now.
            after: a `seq` to continue from.
            source: only records derived from this id.
        """
        scope_sql, scope_parameters = view_sql(view)
        conditions, parameters = [scope_sql], [*scope_parameters]
        if kinds is not None:
            conditions.append(f"r.kind IN ({', '.join('?' * len(kinds))})")
            parameters.extend(kinds)
        if source is not None:
            conditions.append("r.id IN (SELECT record_id FROM source WHERE source_id = ?)")
            parameters.append(source)
        moment = _FOREVER if at is None else at
        sql = (
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ? AND {' AND '.join(conditions)}"
            f" AND r.op = 'put' AND r.created_at <= ? AND {_IS_NEWEST} ORDER BY r.seq LIMIT {_BATCH}"
        )
        while rows := self.database.read(sql, (after, *parameters, moment, moment)):
            yield from map(_row, rows)
            after = cast(int, rows[-1][0])

    def rows(self, seqs: Sequence[int]) -> dict[int, Row]:
        """Return rows by number; a row that was erased meanwhile is missing."""
        found: dict[int, Row] = {}
        for start in range(0, len(seqs), _MOST_MARKS):
            some = seqs[start : start + _MOST_MARKS]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq IN ({marks})"
            for values in self.database.read(sql, some):
                row = _row(values)
                found[row.seq] = row
        return found

    def since(self, seq: int, *, kinds: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield every row after `seq`, in order; only those of some kinds, where these are named."""
        chosen = "" if kinds is None else f" AND r.kind IN ({', '.join('?' * len(kinds))})"
        sql = (
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ?{chosen} ORDER BY r.seq LIMIT {_BATCH}"
        )
        while rows := self.database.read(sql, (seq, *(kinds or ()))):
            yield from map(_row, rows)
            seq = cast(int, rows[-1][0])

    def with_derived(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that some record was derived from."""
        marks = ", ".join("?" * len(ids))
        sql = f"SELECT DISTINCT source_id FROM source WHERE source_id IN ({marks})"
        return {str(row[0]) for row in self.database.read(sql, ids)}

    def versions(self, id: str) -> list[Row]:
        """Return all rows of one record, oldest version first, whatever their scope."""
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = ? ORDER BY r.version"
        return [_row(values) for values in self.database.read(sql, (id,))]

    def vectors(self, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the packed vectors of rows by number. Raises StoreCorrupt."""
        return {seq: vector for seq, vector, _ in self._vectors(seqs)}

    def given_vectors(self, seqs: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
        """Return for rows by number the packed vector, and whether the user gave it.

        Raises:
            StoreCorrupt: if a vector's bytes are not what was written.
        """
        return {seq: (vector, bool(given)) for seq, vector, given in self._vectors(seqs)}

    def _vectors(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes, int]]:
        for start in range(0, len(seqs), _MOST_MARKS):
            some = seqs[start : start + _MOST_MARKS]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT seq, given, crc, data FROM vector WHERE seq IN ({marks})"
            for values in self.database.read(sql, some):
                number, given, crc, data = cast(tuple[int, int, int, bytes], values)
                if zlib.crc32(data) != crc:
                    raise StoreCorrupt(
                        f"the vector of row {number} does not match its checksum; "
                        "run `agentcl reembed` to compute all vectors anew"
                    )
                yield number, data, given

    def encodings(self, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return vectors that the encoder already made for texts with these content hashes."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(hashes), _MOST_MARKS):
            some = hashes[start : start + _MOST_MARKS]
            # One for each, found by the index: a text that an agent sees in every episode is in many rows.
            sql = (
                f"WITH asked (hash) AS (VALUES {', '.join(['(?)'] * len(some))})"
                " SELECT hash, (SELECT v.data FROM record AS r JOIN vector AS v USING (seq)"
                " WHERE r.content_hash = hash AND NOT v.given LIMIT 1) FROM asked"
            )
            rows = cast(Iterable[tuple[bytes, bytes | None]], self.database.read(sql, some))
            found.update((hash, vector) for hash, vector in rows if vector is not None)
        return found

    def history(self, id: str, *, view: ScopeView) -> list[Version]:
        """Return every version of a record, oldest first; an erased one shows only its erasure.

        Raises:
            NotFound: if the view sees no version of it.
        """
        rows = [row for row in self.versions(id) if row.op == "erase" or view.sees(row.scope)]
        if not rows:
            raise NotFound(f"no record {id!r} is visible from this scope")
        return [
            Version(
                row.id,
                row.version,
                row.op,
                from_micros(row.created_at),
                row.record() if row.op == "put" else None,
            )
            for row in rows
        ]

    def seq_of(self, record: Record) -> int:
        """Return the number of the row that holds this version of a record. Raises NotFound."""
        sql = "SELECT seq FROM record WHERE id = ? AND version = ?"
        rows = self.database.read(sql, (record.id, record.version))
        if not rows:
            raise NotFound(f"record {record.id!r} version {record.version} is not here any more")
        return cast(int, rows[0][0])

    def ids(self, view: ScopeView) -> list[str]:
        """Return the ids of all records in a view, deleted ones too, oldest first."""
        condition, parameters = view_sql(view)
        sql = f"SELECT r.id FROM {_FROM} WHERE {condition} AND r.op != 'erase' ORDER BY r.seq"
        return list(dict.fromkeys(str(row[0]) for row in self.database.read(sql, parameters)))

    def count(self, view: ScopeView) -> tuple[dict[str, int], int, int]:
        """Return the live records by kind, all rows, and the scopes with live records, of a view."""
        condition, parameters = view_sql(view)
        live = f"r.op = 'put' AND {_IS_NEWEST}"
        kinds = self.database.read(
            f"SELECT r.kind, count(*) FROM {_FROM} WHERE {condition} AND {live} GROUP BY r.kind",
            (*parameters, _FOREVER),
        )
        ((rows,),) = self.database.read(
            f"SELECT count(*) FROM {_FROM} WHERE {condition}", parameters
        )
        ((scopes,),) = self.database.read(
            f"SELECT count(DISTINCT r.scope) FROM {_FROM} WHERE {condition} AND {live}",
            (*parameters, _FOREVER),
        )
        return dict(cast(list[tuple[str, int]], kinds)), cast(int, rows), cast(int, scopes)

    def counters(self, id: str) -> Counters:
        """Return how a record fared; all zero for one never used."""
        rows = self.database.read(
            "SELECT uses, wins, losses, last_used_at FROM counter WHERE id = ?", (id,)
        )
        if not rows:
            return Counters()
        uses, wins, losses, last = cast(tuple[int, int, int, int | None], rows[0])
        return Counters(uses, wins, losses, None if last is None else from_micros(last))

    # Writing

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Take the write turn. What happens inside happens wholly or not at all."""
        with self.database.write() as connection:
            (last,) = connection.execute(
                "SELECT max((SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta"
                " WHERE key = 'clock'), coalesce((SELECT created_at FROM record"
                " ORDER BY seq DESC LIMIT 1), 0))"
            ).fetchone()
            yield Writing(self, max(self.clock(), last + 1))


_FOREVER: Final = (1 << 63) - 1
_IS_NEWEST: Final = (
    "NOT EXISTS (SELECT 1 FROM record AS n"
    " WHERE n.id = r.id AND n.version > r.version AND n.created_at <= ?)"
)


# As `Row._make`, which counts the columns of every row once more.
_row: Final[Callable[[tuple[Any, ...]], Row]] = partial(tuple.__new__, Row)
