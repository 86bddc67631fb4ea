"""The tables that a store is kept in, as far as their SQL is the same everywhere.

Values are marked with `?`. What one kind of database says differently is a method or an attribute of the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from agentcl.store.records import ScopeView

EVERYBODY: Final = ScopeView(None, None, None, None)
STEP_S: Final = 0.02  # how long one turn of a long work is to take


class Result(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401  # a row of any columns
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        ...


class SqlConnection(Protocol):
    """A connection in a transaction that may write."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Result:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run one statement with each of several lists of values."""
        ...


class Tables(Protocol):
    """A database with the tables of one memory. Every error leaves it as one of ours."""

    @property
    def connection(self) -> SqlConnection:
        """The connection of the transaction that this thread is in."""
        ...

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, view: ScopeView
    ) -> list[tuple[Any, ...]]:
        """Run one query to its end.

        Args:
            sql: it names the scopes that it asks for by itself.
            parameters: its values.
            view: whose rows it may see at all, where the database looks after that as well.
        """
        ...

    def write(self, *, checks_references: bool = ...) -> AbstractContextManager[Any]:
        """Take the write turn: everything inside is one transaction, durable when this returns."""
        ...

    def rest(self, begun: float) -> None:
        """Leave others their turn after a step of a long work that was begun at a time."""
        ...


def marks(values: Sequence[object] | Iterable[object]) -> str:
    """Return what stands for values in a list of SQL; a list without any holds nothing."""
    return ", ".join("?" for _ in values) or "NULL"
