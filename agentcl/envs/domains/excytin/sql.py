"""A database that an investigator may read, within limits: the protocol, and SQLite embedded."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

from agentcl.envs.domains.excytin.dialect import (
    add_functions,
    described_table,
    first_statement,
    is_show_tables,
    lines_of_schema,
    to_sqlite,
)
from agentcl.errors import EnvironmentFailed

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

FEW_ROWS: Final = 15  # of a result that is too long, as ExCyTIn-Bench shows it
_LONGEST_VALUE: Final = 1_000_000  # characters that one value may grow to within a query
_LONGEST_LIKE: Final = 200  # matching LIKE takes time exponential in its wildcards
_READS: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_CHECK_EVERY: Final = 1_000  # instructions of SQLite's machine


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take."""

    time_s: float = 30.0  # ExCyTIn-Bench's
    instructions: int = 20_000_000  # of SQLite's machine: reached at the same point on each machine
    rows: int = 1_000
    result_characters: int = 2_000_000

    def read(self, found: Iterable[Row]) -> QueryResult:
        """Return as many of the rows as the limits allow."""
        rows: list[Row] = []
        characters = 0
        for row in found:
            characters += sum(len(v) if isinstance(v, str | bytes) else 8 for v in row)
            if len(rows) == self.rows or characters > self.result_characters:
                return QueryResult(tuple(rows), is_complete=False)
            rows.append(row)
        return QueryResult(tuple(rows))


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query gave: rows, or why it gave none."""

    rows: tuple[Row, ...] = ()
    error: str = ""
    is_complete: bool = True  # False: the row limit or the size limit cut it

    def shown(self, limit: int) -> str:
        """Return the result as an observation of at most `limit` characters.

        A result that is longer is shown by its first 15 rows, as ExCyTIn-Bench does, and those are
        cut where even they are longer.
        """
        if self.error:
            return f"Error: {self.error}"[:limit]
        text = str(list(self.rows))
        more = "" if self.is_complete else f"\n(only the first {len(self.rows)} rows were read)"
        if len(text) + len(more) > limit:
            text = str(list(self.rows[:FEW_ROWS]))
            more = (
                f"\n(the result is too long: its first {FEW_ROWS} rows at most, cut where needed)"
            )
            text = text[: max(0, limit - len(more))]
        return (text + more)[:limit]


class SqlBackend(Protocol):
    """A database to read. What is wrong with a statement is a result, never an exception."""

    def execute(self, statement: str) -> QueryResult:
        """Run the first statement of a text; what it may not do is an error in the result.

        Raises:
            EnvironmentFailed: if the database is gone.
        """
        ...

    def tables(self) -> Sequence[str]:
        """Return the names of the tables, sorted. Raises EnvironmentFailed if the database is gone."""
        ...

    def describe(self, table: str) -> Sequence[str]:
        """Return a table's columns; none if there is no such table."""
        ...

    def close(self) -> None:
        """Let go of the database; calling it twice is allowed."""
        ...


@dataclass(frozen=True, slots=True)
class SqlTable:
    """Rows under named columns, all of them text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def image_of(tables: Sequence[SqlTable]) -> bytes:
    """Return a SQLite database with these tables, built once and opened as often as needed.

    Text compares without regard to case, as in MySQL.
    """
    connection = sqlite3.connect(":memory:")
    try:
        for table in tables:
            columns = ", ".join(f'"{column}" TEXT COLLATE NOCASE' for column in table.columns)
            connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
            places = ", ".join("?" * len(table.columns))
            connection.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', table.rows)
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


class SqliteBackend:
    """SQLite over an image in memory. Nothing can be written, attached or loaded."""

    def __init__(self, image: bytes, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._connection = connection = sqlite3.connect(":memory:")
        connection.deserialize(image)
        self._columns = _schema(connection)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_LIKE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.execute("PRAGMA query_only = ON")
        add_functions(connection)
        connection.set_progress_handler(self._is_over, _CHECK_EVERY)
        connection.set_authorizer(_may)
        self._is_open = True

    def execute(self, statement: str) -> QueryResult:
        """Run the first statement of a text, MySQL's or SQLite's."""
        if not self._is_open:
            raise EnvironmentFailed("the database is closed; open the environment anew")
        statement = first_statement(statement)
        if is_show_tables(statement):
            return QueryResult(tuple((name,) for name in self.tables()))
        if (table := described_table(statement)) is not None:
            rows = tuple(lines_of_schema(self._columns, table))
            return QueryResult(rows, "" if rows else f"no such table: {table}")
        if not statement:
            return QueryResult(error="there is no statement")
        self._began, self._instructions = time.monotonic(), 0
        try:
            return self._read(to_sqlite(statement))
        except (sqlite3.Error, sqlite3.Warning, UnicodeError, ValueError) as error:
            return QueryResult(error=self._told(error))

    def tables(self) -> Sequence[str]:
        """Return the names of the tables, sorted."""
        return sorted(self._columns)

    def describe(self, table: str) -> Sequence[str]:
        """Return a table's columns."""
        return [column for column, _ in lines_of_schema(self._columns, table)]

    def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        self._connection.close()

    def _read(self, statement: str) -> QueryResult:
        with closing(self._connection.cursor()) as cursor:
            return self._limits.read(cursor.execute(statement))

    def _is_over(self) -> bool:
        self._instructions += _CHECK_EVERY
        return (
            self._instructions > self._limits.instructions
            or time.monotonic() - self._began > self._limits.time_s
        )

    def _told(self, error: Exception) -> str:
        text = str(error)
        if text == "interrupted":
            return "the query took too long and was stopped; ask for less"
        if any(word in text for word in ("not authorized", "authorization", "prohibited")):
            return "the database can only be read: SELECT, SHOW TABLES and DESCRIBE"
        if "user-defined function" in text:
            return "REGEXP knows only |, ., .*, ^ and $ here; use LIKE for the rest"
        return text


def _schema(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: tuple(row[1] for row in connection.execute(f'PRAGMA table_info("{name}")'))
        for (name,) in sorted(names)
    }


def _may(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    is_loading = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    is_read = action in _READS or action == sqlite3.SQLITE_FUNCTION
    return sqlite3.SQLITE_OK if is_read and not is_loading else sqlite3.SQLITE_DENY
