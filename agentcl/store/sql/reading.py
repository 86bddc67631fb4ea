"""What a store reads of its tables, whichever database they are in."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeGuard, TypeVar, cast

from agentcl.errors import NotFound, StoreCorrupt
from agentcl.store.base import Copy, Erasure, Store
from agentcl.store.jobs import Job, State
from agentcl.store.records import Record, Scope, ScopeView, from_micros
from agentcl.store.rows import Churn, Counters, EncoderSpec, Row, fields_of, is_moment
from agentcl.store.sql import erasure, jobs
from agentcl.store.sql.conditions import prefix_range, view_sql
from agentcl.store.sql.copies import copies
from agentcl.store.sql.reembedding import SqlReembedding
from agentcl.store.sql.tables import EVERYBODY, Tables, marks
from agentcl.store.vectors import dimension, has_direction

T = TypeVar("T")
# Rows read at a time. Short reads let the WAL be truncated, and few rows are gone before the garbage
# collector counts them among what lives long, and looks through everything.
_BATCH: Final = 200
_MOST_MARKS: Final = 1_000  # values asked for in one query
_COLUMNS: Final = (
    'r.seq, r.id, r.version, r.op, r.kind, s.tenant, s."user", s.agent, s.session, r.created_at,'
    " r.valid_from, r.valid_to, r.key, r.sources, r.body, r.metadata, r.content_hash, r.checksum"
)
_FROM: Final = "record AS r LEFT JOIN scope AS s ON s.id = r.scope"
META_SQL: Final = "SELECT value FROM meta WHERE key = ?"
_EXACTLY: Final = 's.tenant = ? AND s."user" = ? AND s.agent = ? AND s.session = ?'


class SqlStore(Store):
    """A store in tables that are asked in SQL; a subclass says where they are and how they are written."""

    tables: Tables
    keyed: ClassVar[str] = "record AS r"  # what a search by keys reads
    # What a search by sources reads. The order is meant: from what was derived, which may be few of many records.
    derived: ClassVar[str] = "source AS o JOIN record AS r ON r.id = o.record_id"

    def meta(self, key: str) -> str | None:
        rows = self.tables.query(META_SQL, (key,), view=EVERYBODY)
        return cast(str, rows[0][0]) if rows else None

    def faults(self) -> Iterator[str]:
        yield from self._damage()
        yield from jobs.faults(self.tables)
        yield from erasure.faults(self.tables)

    @abstractmethod
    def _damage(self) -> Iterator[str]:
        """Yield what is wrong with the database itself, in words."""

    def _beginning(self, prefix: str) -> tuple[str, tuple[str, ...]]:
        """Return a condition on the keys that begin with something, and its values."""
        low, high = prefix_range(prefix)
        return ("r.key >= ?", (low,)) if high is None else ("r.key >= ? AND r.key < ?", (low, high))

    # Reading

    def last_seq(self) -> int:
        return cast(
            int, self.tables.query("SELECT coalesce(max(seq), 0) FROM record", view=EVERYBODY)[0][0]
        )

    def newest(self, id: str, *, view: ScopeView, at: int | None = None) -> Row:
        condition, parameters = view_sql(view)
        rows = self.tables.query(
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = ? AND r.created_at <= ? AND {condition}"
            " ORDER BY r.version DESC LIMIT 1",
            (id, _FOREVER if at is None else at, *parameters),
            view=view,
        )
        if not rows or rows[0][3] != "put":
            raise NotFound(
                f"no record {id!r} is visible from this scope"
                + ("" if at is None else f" as of {from_micros(at).isoformat()}")
                + "; see `list` for what is, and check tenant, user, agent and session"
            )
        return Row(*rows[0])

    def find(self, *, kind: str, scope: Scope, key: str) -> Record | None:
        rows = self.tables.query(
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.key = ? AND r.kind = ? AND r.op = 'put'"
            f" AND {_EXACTLY} AND {_IS_NEWEST} LIMIT 1",
            (key, kind, *fields_of(scope), _FOREVER),
            view=scope.exactly(),
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
            conditions.append(f"r.kind IN ({marks(kinds)})")
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
            yield from self._numbered(
                self.keyed, "r.key = ?", (key,), after, wanted, parameters, view
            )
            return
        if prefix:
            begins, bounds = self._beginning(prefix)
            yield from self._numbered(self.keyed, begins, bounds, after, wanted, parameters, view)
            return
        if source is not None:
            by_source = "o.source_id = ?"
            yield from self._numbered(
                self.derived, by_source, (source,), after, wanted, parameters, view
            )
            return
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ? AND {wanted} ORDER BY r.seq LIMIT {_BATCH}"
        while rows := self.tables.query(sql, (after, *parameters), view=view):
            yield from map(_row, rows)
            after = cast(int, rows[-1][0])

    def keys(self, kind: str, *, view: ScopeView, prefix: str) -> list[str]:
        begins, bounds = self._beginning(prefix)
        scope_sql, scope_parameters = view_sql(view)
        rows = self.tables.query(
            f"SELECT r.key FROM {self.keyed} LEFT JOIN scope AS s ON s.id = r.scope WHERE {begins}"
            f" AND r.kind = ? AND {scope_sql} AND r.op = 'put' AND {_IS_NEWEST} ORDER BY r.seq",
            (*bounds, kind, *scope_parameters, _FOREVER),
            view=view,
        )
        return [cast(str, row[0]) for row in rows]

    def _numbered(
        self,
        origin: str,
        condition: str,
        values: Sequence[str],
        after: int,
        wanted: str,
        parameters: Sequence[object],
        view: ScopeView,
    ) -> Iterator[Row]:
        """Yield rows that an index finds, which has them in another order: so all numbers at once."""
        sql = (
            f"SELECT r.seq FROM {origin} LEFT JOIN scope AS s ON s.id = r.scope"
            f" WHERE {condition} AND r.seq > ? AND {wanted} ORDER BY r.seq"
        )
        found = self.tables.query(sql, (*values, after, *parameters), view=view)
        seqs = [cast(int, row[0]) for row in found]
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
            narrowed += f" AND r.metadata IN ({marks(metadata)})"
            narrowing += metadata
        if valid_from is not None:
            moments = [moment for moment in valid_from if moment is not None]
            also = " OR r.valid_from IS NULL" if None in valid_from else ""
            narrowed += f" AND (r.valid_from IN ({marks(moments)}){also})"
            narrowing += moments
        found: dict[bytes, list[Row]] = {}
        for some in _some(list(dict.fromkeys(hashes))):
            sql = (
                f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.content_hash IN ({marks(some)})"
                f" AND r.kind = ? AND r.op = 'put'{narrowed}"
                f" AND {_EXACTLY} AND {_IS_NEWEST} ORDER BY r.seq"
            )
            given = (*some, kind, *narrowing, *fields_of(scope), _FOREVER)
            for values in self.tables.query(sql, given, view=scope.exactly()):
                row = _row(values)
                assert row.content_hash is not None
                found.setdefault(row.content_hash, []).append(row)
        return found

    def content_counts(self, scope: Scope, hashes: Collection[bytes]) -> dict[bytes, int]:
        counts: dict[bytes, int] = {}
        for sql, values, view in counting_questions(scope, hashes):
            counted = self.tables.query(sql, values, view=view)
            counts.update(cast(list[tuple[bytes, int]], counted))
        return counts

    def rows(self, seqs: Sequence[int]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        for some in _some(seqs):
            sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq IN ({marks(some)})"
            for values in self.tables.query(sql, some, view=EVERYBODY):
                row = _row(values)
                found[row.seq] = row
        return found

    def since(self, seq: int, *, kinds: Sequence[str] | None = None) -> Iterator[Row]:
        chosen = "" if kinds is None else f" AND r.kind IN ({marks(kinds)})"
        sql = (
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.seq > ?{chosen} ORDER BY r.seq LIMIT {_BATCH}"
        )
        rows = self.tables.query(sql, (seq, *(kinds or ())), view=EVERYBODY)
        while rows:
            yield from map(_row, rows)
            if len(rows) < _BATCH:
                return  # a search after each write would ask twice, for nothing
            rows = self.tables.query(sql, (rows[-1][0], *(kinds or ())), view=EVERYBODY)

    def with_derived(self, ids: Sequence[str]) -> set[str]:
        sql = f"SELECT DISTINCT source_id FROM source WHERE source_id IN ({marks(ids)})"
        return {str(row[0]) for row in self.tables.query(sql, ids, view=EVERYBODY)}

    def versions(self, id: str) -> list[Row]:
        sql = f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id = ? ORDER BY r.version"
        return [_row(values) for values in self.tables.query(sql, (id,), view=EVERYBODY)]

    def rows_of(self, source: str, *, kind: str) -> list[Row]:
        wanted = "r.kind = ?"
        found = self._numbered(
            self.derived, "o.source_id = ?", (source,), 0, wanted, (kind,), EVERYBODY
        )
        return [*found]

    def given_vectors(self, seqs: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
        found: dict[int, tuple[bytes, bool]] = {}
        spec: EncoderSpec | None = None
        for some in _some(seqs):
            sql = f"SELECT seq, given, crc, data FROM vector WHERE seq IN ({marks(some)})"
            for values in self.tables.query(sql, some, view=EVERYBODY):
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

    def encodings(
        self, hashes: Sequence[bytes], *, of: EncoderSpec | None = None
    ) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        spec: EncoderSpec | None = None
        for some in _some(hashes):
            # One for each, found by the index: a text that an agent sees in every episode is in many rows.
            sql = (
                f"WITH asked (hash) AS (VALUES {', '.join(['(?)'] * len(some))})"
                " SELECT hash, data, crc, (SELECT value FROM meta WHERE key = 'encoder') FROM asked JOIN vector ON seq = (SELECT v.seq FROM record AS r"
                " JOIN vector AS v USING (seq) WHERE r.content_hash = hash AND v.given = 0 LIMIT 1)"
            )
            for hash, data, crc, said in self.tables.query(sql, some, view=EVERYBODY):
                spec = spec or self._spec_of(said)
                if of is not None and spec != of:
                    return {}
                # Else the damage of one row would be that of whoever says the same.
                if _is_sound(data, crc) and spec is not None and dimension(data) == spec.dim:
                    found[cast(bytes, hash)] = data
        return found

    def seq_of(self, record: Record) -> int:
        sql = "SELECT seq FROM record WHERE id = ? AND version = ?"
        rows = self.tables.query(sql, (record.id, record.version), view=EVERYBODY)
        if not rows:
            raise NotFound(f"record {record.id!r} version {record.version} is not here any more")
        return cast(int, rows[0][0])

    def ids(self, view: ScopeView) -> list[str]:
        condition, parameters = view_sql(view)
        sql = f"SELECT r.id FROM {_FROM} WHERE {condition} AND r.op != 'erase' ORDER BY r.seq"
        return list(
            dict.fromkeys(str(row[0]) for row in self.tables.query(sql, parameters, view=view))
        )

    def count(self, view: ScopeView) -> tuple[dict[str, int], int, int]:
        condition, parameters = view_sql(view)
        live = f"r.op = 'put' AND {_IS_NEWEST}"
        kinds = self.tables.query(
            f"SELECT r.kind, count(*) FROM {_FROM} WHERE {condition} AND {live} GROUP BY r.kind",
            (*parameters, _FOREVER),
            view=view,
        )
        ((rows,),) = self.tables.query(
            f"SELECT count(*) FROM {_FROM} WHERE {condition}", parameters, view=view
        )
        ((scopes,),) = self.tables.query(
            f"SELECT count(DISTINCT r.scope) FROM {_FROM} WHERE {condition} AND {live}",
            (*parameters, _FOREVER),
            view=view,
        )
        return dict(cast(list[tuple[str, int]], kinds)), cast(int, rows), cast(int, scopes)

    def written(self, view: ScopeView, *, since: int) -> dict[str, Churn]:
        condition, parameters = view_sql(view)
        rows = self.tables.query(
            "SELECT r.kind, sum(CASE WHEN r.created_at >= ? THEN 1 ELSE 0 END),"
            " sum(CASE WHEN r.created_at >= ? AND r.version = 1 THEN 1 ELSE 0 END), max(r.created_at)"
            f" FROM {_FROM} WHERE {condition} AND r.op <> 'erase' GROUP BY r.kind",
            (since, since, *parameters),
            view=view,
        )
        return {
            cast(str, kind): Churn(
                int(cast(int, rows)),
                int(cast(int, new)),
                from_micros(cast(int, last)) if is_moment(last) else None,
            )
            for kind, rows, new, last in rows
        }

    def counters(self, id: str) -> Counters:
        return self.counters_of([id]).get(id, Counters())

    def counters_of(self, ids: Sequence[str]) -> dict[str, Counters]:
        found: dict[str, Counters] = {}
        for some in _some(ids):
            sql = f"SELECT id, uses, wins, losses, repeats, last_used_at FROM counter WHERE id IN ({marks(some)})"
            for id, *counts, last in self.tables.query(sql, some, view=EVERYBODY):
                # What a damaged row holds is no count.
                uses, wins, losses, repeats = (max(0, n) if type(n) is int else 0 for n in counts)
                used_at = from_micros(cast(int, last)) if is_moment(last) else None
                found[cast(str, id)] = Counters(uses, wins, losses, used_at, repeats)
        return found

    def reembedding(self, spec: EncoderSpec) -> SqlReembedding:
        return SqlReembedding(self, self.tables, spec)

    # Forgetting, and copies

    def erase(self, ids: Collection[str], *, view: ScopeView) -> Erasure:
        return erasure.erase(self, self.tables, ids, view=view)

    def is_erasure_due(self) -> bool:
        return erasure.is_due(self.tables)

    def resume_erasure(self) -> None:
        erasure.resume(self, self.tables)

    def copies(self) -> tuple[Copy, ...]:
        return copies(self.tables)

    # Jobs

    def jobs(self, *, view: ScopeView, states: Collection[State] | None = None) -> list[Job]:
        return jobs.select(self.tables, view, states=states)

    def job(self, id: str, *, view: ScopeView) -> Job:
        found = jobs.select(self.tables, view, id=id)
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


def counting_questions(
    scope: Scope, hashes: Collection[bytes]
) -> Iterator[tuple[str, Sequence[object], ScopeView]]:
    """Yield the queries that count the texts of a scope, with their values and whose rows they may see."""
    for some in _some(sorted(hashes)):
        sql = (
            f"SELECT r.content_hash, count(*) FROM {_FROM} WHERE r.content_hash IN ({marks(some)})"
            f" AND {_EXACTLY} GROUP BY r.content_hash"
        )
        yield sql, (*some, *fields_of(scope)), scope.exactly()


def _some(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in parts that one query can name."""
    return (values[n : n + _MOST_MARKS] for n in range(0, len(values), _MOST_MARKS))
