"""The right to write into the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from agentcl.store.base import Store
from agentcl.store.postgres.database import Turn
from agentcl.store.records import Scope
from agentcl.store.rows import Row, fields_of
from agentcl.store.sql.tables import EVERYBODY
from agentcl.store.sql.writing import SqlWriting

SCOPE_SQL: Final = (
    'SELECT id FROM scope WHERE md5(tenant) = md5(?) AND md5("user") = md5(?)'
    " AND md5(agent) = md5(?) AND md5(session) = md5(?)"
)


class PostgresWriting(SqlWriting):
    """The right to write, for the length of one transaction, which numbers its rows itself."""

    def __init__(self, store: Store, turn: Turn, now: int) -> None:
        super().__init__(store, turn, now)
        self._turn = turn

    def _reserve(self, count: int) -> int:
        first = self._turn.seq + 1
        self._turn.seq += count
        return first

    def _insert(self, values: tuple[object, ...]) -> int:
        seq = self._reserve(1)
        self._insert_many([(seq, *values)])
        return seq

    def _insert_many(self, rows: Sequence[tuple[object, ...]]) -> None:
        super()._insert_many(rows)
        number, *_, checksum = rows[-1]
        self._turn.proof = cast(int, number), checksum

    def keep(self, row: Row) -> None:
        super().keep(row)
        self._turn.seq = row.seq

    def _held_scope(self, scope: Scope) -> int | None:
        found = self._turn.query(SCOPE_SQL, fields_of(scope), view=EVERYBODY)
        return int(found[0][0]) if found else None
