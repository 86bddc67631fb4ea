"""What stands in a file's schema beside, or instead of, what ours makes.

A trigger, a view or a table that somebody else put into a file runs, or is read, with every statement of ours.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Final

_COMMENT: Final = re.compile(r"--[^\n]*")
_SPACE: Final = re.compile(r"\s+")
_MOST: Final = 1_000  # objects looked at: ours are a few dozen
# SQLite's own tables of statistics, which it may make itself.
_OWN: Final = frozenset({"sqlite_sequence", "sqlite_stat1", "sqlite_stat4"})

_Objects = Mapping[tuple[str, str], str]


def strangers(
    connection: sqlite3.Connection,
    migrations: Sequence[Callable[[sqlite3.Connection], None]],
    version: int,
) -> Iterator[str]:
    """Yield in words each table, index, trigger and view that a schema of a version does not have so."""
    wanted, held = _expected(tuple(migrations[:version])), _objects(connection)
    for (kind, name), text in held.items():
        if (kind, name) not in wanted:
            yield f"a {kind} {name!r} that is not agentcl's"
        elif text != wanted[kind, name]:
            yield f"a {kind} {name!r} of another shape"
    for kind, name in wanted.keys() - held.keys():
        yield f"no {kind} {name!r}"


@lru_cache(maxsize=16)
def _expected(migrations: tuple[Callable[[sqlite3.Connection], None], ...]) -> _Objects:
    """Return what migrations make, by making it in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migrate in migrations:
            migrate(connection)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> _Objects:
    rows = connection.execute(f"SELECT type, name, sql FROM sqlite_schema LIMIT {_MOST}")
    return {
        (str(kind), str(name)): _SPACE.sub("", _COMMENT.sub("", str(sql or ""))).casefold()
        for kind, name, sql in rows
        if not (kind == "table" and name in _OWN) and not (kind == "index" and sql is None)
    }
