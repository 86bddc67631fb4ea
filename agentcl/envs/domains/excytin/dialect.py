"""MySQL as agents write it, made fit for SQLite."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Final

from agentcl.errors import needs

_FENCE: Final = re.compile(r"^\s*```\w*\s*|```\s*$")
_SHOW: Final = re.compile(r"show\s+(full\s+)?tables\b", re.IGNORECASE)
_DESCRIBE: Final = re.compile(
    r"(?:describe|desc|show\s+(?:full\s+)?columns\s+(?:from|in))\s+\"?(\w+)\"?\s*$", re.IGNORECASE
)
_READING: Final = re.compile(r"\A[\s(]*(?:select|with|values)\b", re.IGNORECASE)
_UNKNOWN: Final = re.compile(r"[\[\](){}+?\\]")  # parts of patterns that take more than linear time
_LONGEST_PATTERN: Final = 500


def first_statement(text: str) -> str:
    """Return the first statement, without backticks; a semicolon within quotes ends none."""
    text = _FENCE.sub("", text).replace("`", "")
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if quote and character == "\\":
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ";":
            return text[:position].strip()
        position += 1
    return text.strip()


def is_show_tables(statement: str) -> bool:
    """Return whether a statement asks for the names of the tables."""
    return _SHOW.match(statement) is not None


def described_table(statement: str) -> str | None:
    """Return which table a statement asks to describe."""
    match = _DESCRIBE.match(statement)
    return match.group(1) if match else None


def to_sqlite(statement: str) -> str:
    """Return a MySQL query in SQLite's dialect; what is no query, or cannot be read, comes back as it is.

    Raises:
        MissingExtra: if sqlglot is not installed.
    """
    if not _READING.match(statement):
        return statement
    with needs("SQL in MySQL's dialect", "excytin"):
        from sqlglot import ErrorLevel, transpile
        from sqlglot.errors import SqlglotError
    try:
        written = transpile(
            statement, read="mysql", write="sqlite", unsupported_level=ErrorLevel.IGNORE
        )
    except (SqlglotError, RecursionError):
        return statement  # SQLite then says what is wrong with it
    return written[0] or statement


def add_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the MySQL functions that agents use and SQLite lacks."""
    for name, count, function in (
        ("REGEXP", 2, _matches),
        ("JSON_UNQUOTE", 1, _unquoted),
        ("SUBSTRING_INDEX", 3, _until),
    ):
        connection.create_function(name, count, function, deterministic=True)


def _matches(pattern: str, text: str | None) -> bool | None:
    """Match alternatives of literals, `.`, `.*`, `^` and `$`, in time linear in the text.

    A general matcher can be made to run for years by one pattern, and no time limit reaches into it.
    """
    if text is None:
        return None
    has_other_star = "*" in pattern.replace(".*", "")
    if _UNKNOWN.search(pattern) or has_other_star or len(pattern) > _LONGEST_PATTERN:
        raise ValueError(pattern)
    return any(_matches_one(part.lower(), str(text).lower()) for part in pattern.split("|"))


def _matches_one(pattern: str, text: str) -> bool:
    is_at_start, is_at_end = pattern.startswith("^"), pattern.endswith("$")
    pieces = pattern.removeprefix("^").removesuffix("$").split(".*")
    if is_at_end and len(pieces) == 1:
        start = max(0, len(text) - len(pieces[0]))
        found = _find(pieces[0], text, start)
        return found == start + len(pieces[0]) == len(text) and (not is_at_start or start == 0)
    position = 0
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        if is_last and is_at_end:
            position = max(position, len(text) - len(piece))
        end = _find(piece, text, position)
        if end < 0 or (number == 0 and is_at_start and end != len(piece)):
            return False
        position = end
    return not is_at_end or position == len(text)


def _find(piece: str, text: str, start: int) -> int:
    """Return where the first occurrence from `start` on ends, or -1; `.` stands for any character."""
    if "." not in piece:
        found = text.find(piece, start)
    else:
        match = re.compile(re.escape(piece).replace(r"\.", "."), re.DOTALL).search(text, start)
        found = match.start() if match else -1
    return found + len(piece) if found >= 0 else -1


def _unquoted(text: str | None) -> str | None:
    return text[1:-1] if text and len(text) > 1 and text[0] == text[-1] == '"' else text


def _until(text: str | None, separator: str, count: int) -> str | None:
    if text is None or not separator:
        return text
    parts = text.split(separator)
    return separator.join(parts[:count] if count >= 0 else parts[count:])


def lines_of_schema(tables: dict[str, tuple[str, ...]], table: str) -> Iterator[tuple[str, str]]:
    """Yield the columns of a table and their type, as DESCRIBE does; the case of its name is free."""
    for name, columns in tables.items():
        if name.lower() == table.lower():
            yield from ((column, "text") for column in columns)
