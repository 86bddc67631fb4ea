"""The right to write into the file."""

from __future__ import annotations

import sqlite3
from typing import cast

from agentcl.store.sql.writing import MARKS, NAMES, SqlWriting


class SqliteWriting(SqlWriting):
    """The right to write, for the length of one transaction of a connection. SQLite numbers the rows."""

    def _reserve(self, count: int) -> int:
        ((last,),) = self._connection.execute(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0)"
        ).fetchall()
        return int(last) + 1

    def _insert(self, values: tuple[object, ...]) -> int:
        sql = f"INSERT INTO record ({NAMES}) VALUES ({MARKS})"
        return cast(sqlite3.Cursor, self._connection.execute(sql, values)).lastrowid or 0
