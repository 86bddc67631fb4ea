"""The store in one SQLite file, `journal.db`."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeGuard, TypeVar, cast

from agentcl.errors import NotFound, StoreCorrupt, StoreReadOnly
from agentcl.store.base import Copy, Erasure, Store
from agentcl.store.jobs import Job, State
from agentcl.store.noting import note_of
from agentcl.store.records import Record, Scope, ScopeView, from_micros, now_micros
from agentcl.store.rows import LAST_MOMENT, Counters, EncoderSpec, Row, fields_of, is_moment
from agentcl.store.sqlite import erasure, health, jobs
from agentcl.store.sqlite.conditions import prefix_range, view_sql
from agentcl.store.sqlite.connecting import Durability
from agentcl.store.sqlite.copying import copies, copy_into
from agentcl.store.sqlite.database import Database
from agentcl.store.sqlite.locks import held_lock, is_held
from agentcl.store.sqlite.reembedding import SqliteReembedding
from agentcl.store.sqlite.writing import SqliteWriting
from agentcl.store.vectors import dimension, has_direction

T = TypeVar("T")
FILE: Final = "journal.db"
LOCKS: Final = "locks"  # the folder of the files that locks are held on
# Rows read at a time. Short reads let the WAL be truncated, and few rows are gone before the garbage
# collector counts them among what lives long, and looks through everything.
_BATCH: Final = 200
_MOST_MARKS: Final = 1_000  # values asked for in one query
_COLUMNS: Final = (
    "r.seq, r.id, r.version, r.op, r.kind, s.tenant, s.user, s.agent, s.session, r.created_at,"
    " r.valid_from, r.valid_to, r.key, r.sources, r.body, r.metadata, r.content_hash, r.checksum"
)
_FROM: Final = "record AS r LEFT JOIN scope AS s ON s.id = r.scope"


class SqliteStore(Store):
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
        self.database = Database(
            folder / FILE,
            busy_timeout_s=busy_timeout_s,
            durability=durability,
            read_only=read_only,
        )

    def close(self) -> None:
        self.database.close()

    def meta(self, key: str) -> str | None:
        rows = self.database.read("SELECT value FROM meta WHERE key = ?", (key,))
        return cast(str, rows[0][0]) if rows else None

    def files(self) -> frozenset[str]:
        return frozenset({FILE, f"{FILE}-wal", f"{FILE}-shm", LOCKS})

    def faults(self) -> Iterator[str]:
        yield from health.faults(self.database)
        yield from jobs.faults(self.database)
        yield from erasure.faults(self.database)

    # Reading

    def last_seq(self) -> int:
        return cast(int, self.database.read("SELECT coalesce(max(seq), 0) FROM record")[0][0])

    def newest(self, id: str, *, view: ScopeView, at: int | None = None) -> Row:
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

    def find(self, *, kind: str, scope: Scope, key: str) -> Record | None:
        rows = self.database.read(
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.key = ? AND r.kind = ? AND r.op = 'put'"
            " AND s.tenant = ? AND s.user = ? AND s.agent = ? AND s.session = ?"
            f" AND {_IS_NEWEST} LIMIT 1",
            (key, kind, *fields_of(scope), _FOREVER),
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
        prefix: str = "",
        key: str | None = None,
    ) -> Iterator[Row]:
        scope_sql, scope_parameters = view_sql(view)
        conditions, parameters = [scope_sql], [*scope_parameters]
        if kinds is not None:
            conditions.append(f"r.kind IN ({_marks(kinds)})")
            parameters.extend(kinds)
        is_keyed = key is not None or prefix
        if source is not None and is_keyed:
            conditions.append("r.id IN (SELECT record_id FROM source WHERE source_id = ?)")
            parameters.append(source)
        moment = _FOREVER if at is None else at
        parameters += [moment, moment]
        wanted = (
            f"{' AND '.join(conditions)} AND r.op = 'put' AND r.created_at <= ? AND {_IS_NEWEST}"
        )
        if key is not None:
            yield from self._by_key("r.key = ?", (key,), after, wanted, parameters)
            return
        if prefix:
            low, high = prefix_range(prefix)
            below = "r.key >= ?" if high is None else "r.key >= ? AND r.key < ?"
            bounds = (low,) if high is None else (low, high)
            yield from self._by_key(below, bounds, after, wanted, parameters)
            return
        if source is not None:
            # A cross join is made in this order: from what was derived, which may be few of many records.
            origin = "source AS o CROSS JOIN record AS r ON r.id = o.record_id"
            yield from self._numbered(
                origin, "o.source_id = ?", (source,), after, wanted, parameters
            )
            return
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ? AND {wanted} ORDER BY r.seq LIMIT {_BATCH}"
        while rows := self.database.read(sql, (after, *parameters)):
            yield from map(_row, rows)
            after = cast(int, rows[-1][0])

    def _by_key(
        self,
        condition: str,
        keys: Sequence[str],
        after: int,
        wanted: str,
        parameters: Sequence[object],
    ) -> Iterator[Row]:
        """Yield rows by a condition on their keys."""
        origin = "record AS r INDEXED BY record_key"
        yield from self._numbered(origin, condition, keys, after, wanted, parameters)

    def _numbered(
        self,
        origin: str,
        condition: str,
        values: Sequence[str],
        after: int,
        wanted: str,
        parameters: Sequence[object],
    ) -> Iterator[Row]:
        """Yield rows that an index finds, which has them in another order: so all numbers at once."""
        sql = (
            f"SELECT r.seq FROM {origin} LEFT JOIN scope AS s ON s.id = r.scope"
            f" WHERE {condition} AND r.seq > ? AND {wanted} ORDER BY r.seq"
        )
        seqs = [cast(int, row[0]) for row in self.database.read(sql, (*values, after, *parameters))]
        for start in range(0, len(seqs), _BATCH):
            rows = self.rows(seqs[start : start + _BATCH])
            yield from (rows[seq] for seq in sorted(rows))

    def having_content(
        self,
        kind: str,
        scope: Scope,
        hashes: Collection[bytes],
        *,
        metadata: Collection[str] | None = None,
        valid_from: Collection[int | None] | None = None,
    ) -> dict[bytes, list[Row]]:
        narrowed, narrowing = "", list[object]()
        if metadata is not None:
            narrowed += f" AND r.metadata IN ({_marks(metadata)})"
            narrowing += metadata
        if valid_from is not None:
            # No number is a text, and NULL is in no list.
            narrowed += f" AND ifnull(r.valid_from, '') IN ({_marks(valid_from)})"
            narrowing += ["" if moment is None else moment for moment in valid_from]
        found: dict[bytes, list[Row]] = {}
        for some in _some(list(dict.fromkeys(hashes))):
            sql = (
                f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.content_hash IN ({_marks(some)})"
                f" AND r.kind = ? AND r.op = 'put'{narrowed}"
                " AND s.tenant = ? AND s.user = ? AND s.agent = ? AND s.session = ?"
                f" AND {_IS_NEWEST} ORDER BY r.seq"
            )
            given = (*some, kind, *narrowing, *fields_of(scope), _FOREVER)
            for values in self.database.read(sql, given):
                row = _row(values)
                assert row.content_hash is not None
                found.setdefault(row.content_hash, []).append(row)
        return found

    def content_counts(self, scope: Scope, hashes: Collection[bytes]) -> dict[bytes, int]:
        counts: dict[bytes, int] = {}
        for some in _some(list(hashes)):
            sql = (
                f"SELECT r.content_hash, count(*) FROM {_FROM} WHERE r.content_hash IN ({_marks(some)})"
                " AND s.tenant = ? AND s.user = ? AND s.agent = ? AND s.session = ?"
                " GROUP BY r.content_hash"
            )
            counted = self.database.read(sql, (*some, *fields_of(scope)))
            counts.update(cast(list[tuple[bytes, int]], counted))
        return counts

    def rows(self, seqs: Sequence[int]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        for some in _some(seqs):
            sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq IN ({_marks(some)})"
            for values in self.database.read(sql, some):
                row = _row(values)
                found[row.seq] = row
        return found

    def since(self, seq: int, *, kinds: Sequence[str] | None = None) -> Iterator[Row]:
        chosen = "" if kinds is None else f" AND r.kind IN ({_marks(kinds)})"
        sql = (
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ?{chosen} ORDER BY r.seq LIMIT {_BATCH}"
        )
        rows = self.database.read(sql, (seq, *(kinds or ())))
        while rows:
            yield from map(_row, rows)
            if len(rows) < _BATCH:
                return  # a search after each write would ask twice, for nothing
            rows = self.database.read(sql, (rows[-1][0], *(kinds or ())))

    def with_derived(self, ids: Sequence[str]) -> set[str]:
        sql = f"SELECT DISTINCT source_id FROM source WHERE source_id IN ({_marks(ids)})"
        return {str(row[0]) for row in self.database.read(sql, ids)}

    def versions(self, id: str) -> list[Row]:
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = ? ORDER BY r.version"
        return [_row(values) for values in self.database.read(sql, (id,))]

    def given_vectors(self, seqs: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
        found: dict[int, tuple[bytes, bool]] = {}
        spec: EncoderSpec | None = None
        for some in _some(seqs):
            sql = f"SELECT seq, given, crc, data FROM vector WHERE seq IN ({_marks(some)})"
            for values in self.database.read(sql, some):
                number, given, crc, data = cast(tuple[int, int, int, bytes], values)
                spec = spec or self.encoder()
                if type(data) is bytes and spec is not None and len(data) != 4 * spec.dim:
                    raise StoreCorrupt(
                        f"the vector of row {number} has {len(data) // 4} dimensions, not {spec}; "
                        "run `agentcl reembed` to compute all vectors anew"
                    )
                if not _is_sound(data, crc):
                    raise StoreCorrupt(
                        f"the vector of row {number} does not match its checksum, or holds what none can; "
                        "run `agentcl reembed` to compute all vectors anew"
                    )
                found[number] = data, given == 1
        return found

    def encodings(self, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        spec = self.encoder()
        for some in _some(hashes):
            # One for each, found by the index: a text that an agent sees in every episode is in many rows.
            sql = (
                f"WITH asked (hash) AS (VALUES {', '.join(['(?)'] * len(some))})"
                " SELECT hash, data, crc FROM asked JOIN vector ON seq = (SELECT v.seq FROM record AS r"
                " JOIN vector AS v USING (seq) WHERE r.content_hash = hash AND NOT v.given LIMIT 1)"
            )
            for hash, data, crc in self.database.read(sql, some):
                # Else the damage of one row would be that of whoever says the same.
                if _is_sound(data, crc) and spec is not None and dimension(data) == spec.dim:
                    found[cast(bytes, hash)] = data
        return found

    def seq_of(self, record: Record) -> int:
        sql = "SELECT seq FROM record WHERE id = ? AND version = ?"
        rows = self.database.read(sql, (record.id, record.version))
        if not rows:
            raise NotFound(f"record {record.id!r} version {record.version} is not here any more")
        return cast(int, rows[0][0])

    def ids(self, view: ScopeView) -> list[str]:
        condition, parameters = view_sql(view)
        sql = f"SELECT r.id FROM {_FROM} WHERE {condition} AND r.op != 'erase' ORDER BY r.seq"
        return list(dict.fromkeys(str(row[0]) for row in self.database.read(sql, parameters)))

    def count(self, view: ScopeView) -> tuple[dict[str, int], int, int]:
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
        rows = self.database.read(
            "SELECT uses, wins, losses, repeats, last_used_at FROM counter WHERE id = ?", (id,)
        )
        if not rows:
            return Counters()
        *counts, last = rows[0]
        # What a damaged row holds is no count.
        uses, wins, losses, repeats = (max(0, n) if type(n) is int else 0 for n in counts)
        used_at = from_micros(cast(int, last)) if is_moment(last) else None
        return Counters(uses, wins, losses, used_at, repeats)

    # Writing

    @contextmanager
    def writing(self) -> Iterator[SqliteWriting]:
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

    def reembedding(self, spec: EncoderSpec) -> SqliteReembedding:
        return SqliteReembedding(self, self.database, spec)

    # Forgetting, and copies

    def erase(self, ids: Collection[str], *, view: ScopeView) -> Erasure:
        return erasure.erase(self, self.database, ids, view=view)

    def is_erasure_due(self) -> bool:
        return erasure.is_due(self.database)

    def resume_erasure(self) -> None:
        erasure.resume(self, self.database)

    def finish_erasure(self, before: Callable[[], object] = lambda: None) -> None:
        erasure.finish(self, self.database, before)

    def copies(self) -> tuple[Copy, ...]:
        return copies(self.database)

    def snapshot(self, folder: Path) -> Path:
        target = copy_into(folder, FILE, self.database)
        if not self.read_only:
            with self.writing() as writing:
                writing.note_copy(folder.resolve(), "snapshot")
        return target

    # Jobs

    def jobs(self, *, view: ScopeView, states: Collection[State] | None = None) -> list[Job]:
        return jobs.select(self.database, view, states=states)

    def job(self, id: str, *, view: ScopeView) -> Job:
        found = jobs.select(self.database, view, id=id)
        if not found:
            raise NotFound(f"no job {id!r} is visible from this scope")
        return found[0]


def _is_sound(data: object, crc: object) -> TypeGuard[bytes]:
    """Return whether a vector is what was written, and one that can be compared."""
    return type(data) is bytes and zlib.crc32(data) == crc and has_direction(data)


_FOREVER: Final = (1 << 63) - 1
_IS_NEWEST: Final = (
    "NOT EXISTS (SELECT 1 FROM record AS n"
    " WHERE n.id = r.id AND n.version > r.version AND n.created_at <= ?)"
)


# As `Row._make`, which counts the columns of every row once more.
_row: Final[Callable[[tuple[Any, ...]], Row]] = partial(tuple.__new__, Row)


def _some(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in parts that one query can name."""
    return (values[n : n + _MOST_MARKS] for n in range(0, len(values), _MOST_MARKS))


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
