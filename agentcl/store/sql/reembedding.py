"""Replacing all vectors by another encoder's, in tables of the same database."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from agentcl.store.base import Store
from agentcl.store.checks import canonical_json
from agentcl.store.rows import EncoderSpec
from agentcl.store.sql.tables import EVERYBODY, Tables
from agentcl.store.writing import Reembedding

_EMBEDDED = "FROM record AS r WHERE r.op = 'put' AND r.content_hash IS NOT NULL"
_MISSING = f"{_EMBEDDED} AND NOT EXISTS (SELECT 1 FROM vector_next AS v WHERE v.seq = r.seq)"


class SqlReembedding(Reembedding):
    """New vectors wait in `vector_next` until none is missing."""

    def __init__(self, store: Store, tables: Tables, spec: EncoderSpec) -> None:
        self._store = store
        self._tables = tables
        self._spec = spec

    def remaining(self) -> int:
        counted = _MISSING if self._is_begun() else _EMBEDDED
        return cast(int, self._tables.query(f"SELECT count(*) {counted}", view=EVERYBODY)[0][0])

    def missing(self, *, limit: int, after: int = 0) -> list[int]:
        if not self._is_begun():
            self._begin()
        sql = f"SELECT r.seq {_MISSING} AND r.seq > ? ORDER BY r.seq LIMIT ?"
        rows = self._tables.query(sql, (after, limit), view=EVERYBODY)
        return [cast(int, row[0]) for row in rows]

    def _is_begun(self) -> bool:
        held = self._store.meta("encoder_next")
        try:
            return held is not None and EncoderSpec.from_json(json.loads(held)) == self._spec
        except (ValueError, RecursionError, TypeError):  # it is begun anew
            return False

    def _begin(self) -> None:
        with self._store.writing() as writing:
            self._tables.connection.execute("DELETE FROM vector_next")
            writing.set_meta("encoder_next", canonical_json(asdict(self._spec)))

    def keep(self, seqs: Sequence[int], vectors: Sequence[bytes]) -> None:
        with self._store.writing():
            self._tables.connection.executemany(
                "INSERT INTO vector_next (seq, given, crc, data)"
                " SELECT seq, 0, ?, ? FROM record WHERE seq = ?"
                " ON CONFLICT (seq) DO UPDATE SET given = 0, crc = excluded.crc, data = excluded.data",
                [(zlib.crc32(data), data, seq) for seq, data in zip(seqs, vectors, strict=True)],
            )

    def swap(self) -> bool:
        with self._store.writing() as writing:
            if not self._is_begun() or self.remaining():
                return False
            connection = self._tables.connection
            connection.execute("DELETE FROM vector")
            connection.execute(
                "INSERT INTO vector (seq, given, crc, data)"
                " SELECT seq, given, crc, data FROM vector_next"
            )
            connection.execute("DELETE FROM vector_next")
            connection.execute("DELETE FROM meta WHERE key IN ('encoder_next', 'encoder_probe')")
            writing.set_meta("encoder", canonical_json(asdict(self._spec)))
            writing.set_meta("epoch", str(self._store.epoch() + 1))
            return True
