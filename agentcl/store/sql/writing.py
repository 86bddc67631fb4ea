"""The right to write: what one transaction may do to the tables."""

from __future__ import annotations

import json
import zlib
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from agentcl.errors import EncoderMismatch, InvalidInput, NotFound
from agentcl.store.base import Store
from agentcl.store.checks import canonical_json
from agentcl.store.fields import misfit
from agentcl.store.jobs import Job, Price
from agentcl.store.records import KINDS, Record, Scope, from_micros, to_micros
from agentcl.store.rows import (
    EncoderSpec,
    Row,
    body_json,
    checksum,
    content_hash,
    fields_of,
    mismatch,
)
from agentcl.store.sql import jobs
from agentcl.store.sql.tables import SqlConnection, marks
from agentcl.store.ulid import new_ulids
from agentcl.store.vectors import dimension
from agentcl.store.writing import Writing

NAMES: Final = (
    "id, version, op, kind, scope, created_at, valid_from, valid_to, key, sources, body, metadata,"
    " content_hash, checksum"
)
MARKS: Final = ", ".join("?" * 14)
FOREIGN: Final = 2  # in the place of 1, "came with the record", and 0, "made by the encoder here"
_CHUNK: Final = 200  # rows made at a time: few enough to be gone before the garbage collector looks
_INSERT_SOURCE: Final = (
    "INSERT INTO source (source_id, record_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_VECTOR: Final = "INSERT INTO vector (seq, given, crc, data) VALUES (?, ?, ?, ?)"


class SqlWriting(Writing):
    """The right to write, for the length of one transaction of a connection."""

    def __init__(self, store: Store, connection: SqlConnection, now: int) -> None:
        self.now = now
        self._store = store
        self._connection = connection
        # Seen in this turn; nobody else can change them before it ends.
        self._sources: set[tuple[str, str]] = set()  # (id, tenant)
        self._scopes: dict[Scope, int] = {}
        self._encoder: EncoderSpec | None = None
        self._made = 0  # how many times ids were made in this turn

    def create(
        self,
        record: Record,
        *,
        vector: bytes | None = None,
        is_given: bool = False,
        id: str | None = None,
    ) -> Record:
        if record.key is not None:
            other = self._store.find(kind=record.kind, scope=record.scope, key=record.key)
            if other is not None:
                raise InvalidInput(f"{record.kind} {other.id} already has the key {record.key!r}")
        record = replace(
            record,
            id=self._new_ids(1)[0] if id is None else id,
            version=1,
            created_at=from_micros(self.now),
        )
        self._append(record, vector, is_given)
        self._sources.add((record.id, record.scope.tenant))
        return record

    def create_many(
        self, records: Iterable[Record], vectors: Mapping[bytes, bytes], *, count: int
    ) -> list[str]:
        first = self._reserve(count)
        ids = self._new_ids(count)
        iterator = iter(records)
        for start in range(0, count, _CHUNK):
            some = list(islice(iterator, _CHUNK))
            self._refuse_taken([record for record in some if record.key is not None])
            self._create_chunk(first + start, ids[start : start + _CHUNK], some, vectors)
        return ids

    def _new_ids(self, count: int) -> list[str]:
        self._made += 1
        return new_ulids(self.now, count, self._made)

    def _create_chunk(
        self,
        first: int,
        ids: Sequence[str],
        records: Sequence[Record],
        vectors: Mapping[bytes, bytes],
    ) -> None:
        rows: list[tuple[object, ...]] = []
        sources: list[tuple[str, str]] = []
        held: list[tuple[object, ...]] = []
        for seq, (id, record) in enumerate(zip(ids, records, strict=True), start=first):
            values, hash = self._encoded(record, id=id, version=1)
            rows.append((seq, *values))
            sources += [(source, id) for source in record.sources]
            if hash is not None:
                held.append(self._vector(seq, vectors[hash], is_given=False))
        self._insert_many(rows)
        self._connection.executemany(_INSERT_SOURCE, sources)
        self._connection.executemany(_INSERT_VECTOR, held)
        self._sources.update((id, r.scope.tenant) for id, r in zip(ids, records, strict=True))

    def live_versions(self, ids: Sequence[str]) -> dict[str, int]:
        found = self._connection.execute(
            "SELECT r.id, r.version, r.op, s.tenant FROM record AS r"
            " LEFT JOIN scope AS s ON s.id = r.scope"
            f" WHERE r.id IN ({marks(ids)}) AND NOT EXISTS"
            " (SELECT 1 FROM record AS n WHERE n.id = r.id AND n.version > r.version)",
            ids,
        ).fetchall()
        live = {id: version for id, version, op, _ in found if op == "put"}
        self._sources.update((id, tenant) for id, _, _, tenant in found if id in live)
        return live

    def revise(
        self, record: Record, *, vector: bytes | None = None, is_given: bool = False
    ) -> Record:
        last = self._live(record.id)
        record = replace(record, version=last + 1, created_at=from_micros(self.now))
        self._append(record, vector, is_given)
        return record

    def delete(self, record: Record) -> None:
        last = self._live(record.id)
        row = Row(
            0, record.id, last + 1, "delete", record.kind, *fields_of(record.scope), self.now,
            None, None, None, "[]", "{}", "{}", None, b"",
        )  # fmt: skip
        self._insert(self._values(row))

    def claim_encoder(self, spec: EncoderSpec) -> None:
        held = self._store.encoder()
        if held is None:
            self.set_meta("encoder", canonical_json({"name": spec.name, "dim": spec.dim}))
        elif held != spec:
            raise EncoderMismatch(mismatch(held, spec, self._store.folder))
        self._encoder = spec

    def set_meta(self, key: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def clear_meta(self, start: str, end: str) -> None:
        self._connection.execute("DELETE FROM meta WHERE key >= ? AND key < ?", (start, end))

    def credit(
        self, id: str, *, uses: int = 0, wins: int = 0, losses: int = 0, repeats: int = 0
    ) -> None:
        is_use = bool(uses or wins or losses or not repeats)
        self._connection.execute(
            "INSERT INTO counter (id, uses, wins, losses, repeats, last_used_at)"
            " VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET uses = counter.uses + excluded.uses,"
            " wins = counter.wins + excluded.wins, losses = counter.losses + excluded.losses,"
            " repeats = counter.repeats + excluded.repeats,"
            " last_used_at = coalesce(excluded.last_used_at, counter.last_used_at)",
            (id, uses, wins, losses, repeats, self.now if is_use else None),
        )

    def note_copy(self, path: Path, what: str) -> None:
        noted = str(path).encode(errors="backslashreplace").decode()  # a name may be no Unicode
        self._connection.execute("DELETE FROM copy WHERE path = ?", (noted,))
        self._connection.execute(
            "INSERT INTO copy (path, what, made_at) VALUES (?, ?, ?)",
            (noted, what, self.now),
        )

    def enqueue(
        self,
        kind: str,
        spec: Mapping[str, Any],
        *,
        scope: Scope,
        price: Price | None = None,
    ) -> Job:
        job = jobs.new(self._new_ids(1)[0], kind, spec, scope, price, now=self.now)
        jobs.insert(self._connection, job)
        return job

    def change_job(self, job: Job) -> None:
        jobs.update(self._connection, job)

    def delete_jobs(self, ids: Collection[str]) -> None:
        jobs.delete(self._connection, ids)

    def restore(
        self, row: Row, vector: bytes | None, *, is_given: bool, is_foreign: bool = False
    ) -> None:
        sources = json.loads(row.sources) if row.op == "put" else ()
        given = FOREIGN if is_foreign and not is_given else is_given
        self._attach(self._insert(self._values(row)), row.id, sources, vector, given)

    def keep(self, row: Row) -> None:
        """Append a row of another store with its number, which is above all that there ever were."""
        self._insert_many([(row.seq, *self._values(row))])
        sources = json.loads(row.sources) if row.op == "put" else ()
        self._attach(row.seq, row.id, sources, None, 0)

    def _refuse_taken(self, records: Sequence[Record]) -> None:
        keys = [(record.key, record.kind, record.scope) for record in records]
        if not keys:
            return
        taken = self._connection.execute(
            'SELECT r.key, r.kind, s.tenant, s."user", s.agent, s.session FROM record AS r'
            " JOIN scope AS s ON s.id = r.scope"
            f" WHERE r.key IN ({marks(keys)}) AND r.op = 'put' AND NOT EXISTS"
            " (SELECT 1 FROM record AS n WHERE n.id = r.id AND n.version > r.version)",
            [key for key, _, _ in keys],
        )
        seen = {(key, kind, Scope(*fields)) for key, kind, *fields in taken.fetchall()}
        for key in keys:
            if key in seen:
                raise InvalidInput(f"a live {key[1]} of this scope has the key {key[0]!r} already")
            seen.add(key)

    def _live(self, id: str) -> int:
        found = self._connection.execute(
            "SELECT version, op FROM record WHERE id = ? ORDER BY version DESC LIMIT 1", (id,)
        ).fetchone()
        if found is None or found[1] != "put":
            raise NotFound(f"record {id!r} does not exist any more")
        return int(found[0])

    def _append(self, record: Record, vector: bytes | None, is_given: bool) -> None:
        values, _ = self._encoded(record, id=record.id, version=record.version)
        self._attach(self._insert(values), record.id, record.sources, vector, is_given)

    def _encoded(
        self, record: Record, *, id: str, version: int
    ) -> tuple[tuple[object, ...], bytes | None]:
        """Return the columns of the row that a record makes, and the hash of its text."""
        kind, scope, metadata = record.kind, record.scope, "{}"
        if kind not in KINDS:
            raise InvalidInput(f"{type(record).__name__} is not a registered kind of record")
        for source in record.sources:
            self._check_source(source, record)
        begin, end = record.valid_from, record.valid_to
        times = (
            self.now,
            None if begin is None else to_micros(begin),
            None if end is None else to_micros(end),
            record.key,
        )
        if record.metadata:
            metadata = canonical_json(dict(record.metadata))
        text = record.search_text()
        hash = None if text is None else content_hash(text)
        try:
            sources, body = _json_of_ids(record.sources), body_json(record)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"this {kind} cannot be kept as JSON: {error}") from error
        # What could not be read again is not written.
        if wrong := misfit(kind, json.loads(body)):
            raise InvalidInput(f"{wrong}; nothing was stored")
        header = (id, version, "put", kind, *fields_of(scope), *times)
        digest = checksum(header, sources, body, metadata, hash)
        scope_id = self._scope_id(scope)
        return (
            (id, version, "put", kind, scope_id, *times, sources, body, metadata, hash, digest),
            hash,
        )

    def _check_source(self, source: str, record: Record) -> None:
        """Provenance must lead somewhere, and never across tenants."""
        if (source, record.scope.tenant) in self._sources:
            return
        found = self._connection.execute(
            "SELECT s.tenant FROM record AS r LEFT JOIN scope AS s ON s.id = r.scope"
            " WHERE r.id = ? ORDER BY r.version DESC LIMIT 1",
            (source,),
        ).fetchone()
        if found is None or found[0] != record.scope.tenant:
            raise InvalidInput(
                f"a {record.kind} cannot be derived from {source!r}: no such record in its tenant"
            )
        self._sources.add((source, record.scope.tenant))

    def _attach(
        self, seq: int, id: str, sources: Sequence[str], vector: bytes | None, is_given: int
    ) -> None:
        self._connection.executemany(_INSERT_SOURCE, [(source, id) for source in sources])
        if vector is not None:
            self._connection.execute(_INSERT_VECTOR, self._vector(seq, vector, is_given=is_given))

    def _vector(self, seq: int, vector: bytes, *, is_given: int) -> tuple[object, ...]:
        held = self._encoder = self._encoder or self._store.encoder()
        if held is None or held.dim != dimension(vector):
            raise EncoderMismatch(
                f"a vector of {dimension(vector)} dimensions does not belong to {held}"
            )
        return seq, int(is_given), zlib.crc32(vector), vector

    def _values(self, row: Row) -> tuple[object, ...]:
        scope_id = None if row.tenant is None else self._scope_id(row.scope)
        return (*row[1:5], scope_id, *row[9:17], row.digest())

    @abstractmethod
    def _reserve(self, count: int) -> int:
        """Return the first of so many numbers in a row that the next rows get."""

    @abstractmethod
    def _insert(self, values: tuple[object, ...]) -> int:
        """Append a row and return its number."""

    def _insert_many(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Append rows that have their numbers, each with its checksum last."""
        self._connection.executemany(f"INSERT INTO record (seq, {NAMES}) VALUES (?, {MARKS})", rows)

    def _scope_id(self, scope: Scope) -> int:
        if scope not in self._scopes:
            found = self._held_scope(scope)
            if found is None:
                self._connection.execute(
                    'INSERT INTO scope (tenant, "user", agent, session) VALUES (?, ?, ?, ?)',
                    fields_of(scope),
                )
                found = self._held_scope(scope)
            assert found is not None
            self._scopes[scope] = found
        return self._scopes[scope]

    def _held_scope(self, scope: Scope) -> int | None:
        found = self._connection.execute(
            'SELECT id FROM scope WHERE tenant = ? AND "user" = ? AND agent = ? AND session = ?',
            fields_of(scope),
        ).fetchone()
        return None if found is None else int(found[0])


def _json_of_ids(ids: Sequence[str]) -> str:
    """Return ids as canonical JSON; ULIDs, which nearly all are, need no escaping."""
    if all(map(str.isalnum, ids)):
        return '["' + '","'.join(ids) + '"]' if ids else "[]"
    return canonical_json(list(ids))
