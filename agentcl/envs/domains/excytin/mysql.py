"""MySQL or MariaDB with a user's own copy of the full logs, behind the same protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from agentcl.envs.domains.excytin.dialect import first_statement
from agentcl.envs.domains.excytin.sql import Limits, QueryResult, Value
from agentcl.errors import EnvironmentFailed, InvalidInput, needs

_READING: Final = re.compile(
    r"\A[\s(]*(?:select|with|show|describe|desc|explain|values|table)\b", re.IGNORECASE
)
_WRITES_FILE: Final = re.compile(r"\binto\s+(?:outfile|dumpfile|@)|\bload_file\s*\(", re.IGNORECASE)
# A comment of this form is run as code, so what it says would escape the check.
_RUN_COMMENT: Final = re.compile(r"/\*(?:!|M!)", re.IGNORECASE)
_READ_ONLY: Final = "the database can only be read: SELECT, SHOW TABLES and DESCRIBE"
_PORT: Final = 3306
_LOST: Final = frozenset({2006, 2013, 2055})  # the server has gone away, in three ways
_TOO_LONG: Final = frozenset({1969, 3024})  # MariaDB's and MySQL's number for their time limit
_GRACE_S: Final = 5.0  # beyond the server's own limit, until the connection is given up


class MySqlBackend:
    """A read-only session of a server. Let its account have the right to SELECT and no other.

    Args:
        address: mysql://user:password@host:port/database.
        limits: of time, rows and size; the server itself keeps the time.

    Raises:
        InvalidInput: if the address is none.
        EnvironmentFailed: if the server cannot be reached, or refuses.
        MissingExtra: if pymysql is not installed.
    """

    def __init__(self, address: str, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._driver = _driver()
        self._address = address
        self._is_closed = False
        self._connection: Any = self._connect()

    def execute(self, statement: str) -> QueryResult:
        """Run the first statement of a text."""
        statement = first_statement(statement)
        if not statement:
            return QueryResult(error="there is no statement")
        plain = _without_strings(statement)
        is_read = _READING.match(plain) and not _WRITES_FILE.search(plain)
        if not is_read or _RUN_COMMENT.search(plain):
            return QueryResult(error=_READ_ONLY)
        return self._read(statement)

    def tables(self) -> Sequence[str]:
        """Return the names of the tables, sorted."""
        return sorted(str(row[0]) for row in self._read("SHOW TABLES").rows)

    def describe(self, table: str) -> Sequence[str]:
        """Return a table's columns."""
        if table not in self.tables():
            return []
        return [str(row[0]) for row in self._read(f"DESCRIBE `{table}`").rows]

    def close(self) -> None:
        """End the session."""
        self._is_closed = True
        self._end()

    def _connect(self) -> Any:  # noqa: ANN401  # the driver carries no types
        parts = urlsplit(self._address)
        database = parts.path.strip("/")
        if parts.scheme != "mysql" or not parts.hostname or not database:
            raise InvalidInput("a server's address is mysql://user:password@host:port/database")
        try:
            connection = self._driver.connect(
                host=parts.hostname,
                port=parts.port or _PORT,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=unquote(database),
                charset="utf8mb4",
                local_infile=False,
                connect_timeout=10,
                read_timeout=int(self._limits.time_s + _GRACE_S) + 1,
                cursorclass=self._driver.cursors.SSCursor,  # rows come as they are read, not all at once
            )
            with connection.cursor() as cursor:
                cursor.execute("SELECT VERSION()")
                version = str(cursor.fetchall()[0][0])
                seconds = self._limits.time_s
                if "mariadb" in version.lower():
                    cursor.execute("SET SESSION max_statement_time = %s", (seconds,))
                else:
                    cursor.execute("SET SESSION MAX_EXECUTION_TIME = %s", (int(seconds * 1000),))
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
        except (self._driver.MySQLError, OSError, ValueError) as error:
            where = f"{parts.hostname}/{database}"
            raise EnvironmentFailed(f"the database {where} cannot be used: {error}") from error
        return connection

    def _read(self, statement: str) -> QueryResult:
        if self._is_closed:
            raise EnvironmentFailed("the session is closed; open the environment anew")
        self._connection = self._connection or self._connect()
        cursor = self._connection.cursor()
        result, is_read_to_the_end = QueryResult(), False
        try:
            cursor.execute(statement)
            rows = iter(cursor.fetchone, None)
            result = self._limits.read(tuple(map(_plain, row)) for row in rows)
            is_read_to_the_end = result.is_complete
        except self._driver.MySQLError as error:
            result = self._failed(error)
        finally:
            if is_read_to_the_end:
                cursor.close()
            else:  # a session with half a result is of no more use; the next statement begins another
                if cursor._result is not None:
                    cursor._result.unbuffered_active = False  # or the driver reads all that is left
                cursor.connection = None
                self._end()
        return result

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()

    def _failed(self, error: Exception) -> QueryResult:
        number = error.args[0] if error.args else 0
        if number in _LOST:
            raise EnvironmentFailed(f"the connection to the database was lost: {error}") from error
        if number in _TOO_LONG:
            return QueryResult(error="the query took too long and was stopped; ask for less")
        return QueryResult(error=str(error.args[1]) if len(error.args) > 1 else str(error))


def _driver() -> Any:  # noqa: ANN401  # it carries no types
    with needs("a MySQL or MariaDB server", "excytin"):
        import pymysql
        import pymysql.cursors
    return pymysql


def _without_strings(statement: str) -> str:
    return re.sub(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", "''", statement)


def _plain(value: object) -> Value:
    return value if isinstance(value, str | int | float | bytes | None) else str(value)
