"""What several servers of one memory share through its database: who gets in, and how much each may ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from agentcl.errors import ConfigError, StoreUnavailable
from agentcl.server.keys import COLUMNS, Keys
from agentcl.server.rates import Rates
from agentcl.server.settings import ServerSettings
from agentcl.store.postgres.address import Address

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.postgres.database import Server

_SWEPT: Final = 1_000  # requests after which callers that have been away are forgotten
# A bucket fills with time, by the clock of the database, which is one for all.
_COUNT: Final = """
INSERT INTO rate AS r (caller, tokens, is_allowed, at) VALUES (?, ?::float8 - 1, true, clock_timestamp())
ON CONFLICT (caller) DO UPDATE SET (tokens, is_allowed, at) = (
    SELECT CASE WHEN held >= 1 THEN held - 1 ELSE held END, held >= 1, clock_timestamp()
    FROM (SELECT least(?::float8, r.tokens + ?::float8 * greatest(0, extract(epoch FROM clock_timestamp() - r.at))) AS held) AS bucket
) RETURNING tokens, is_allowed
"""


def keys_of(memory: Memory) -> Keys:
    """Return the keys of a memory: in its database, or in the user's own configuration where it is a folder."""
    server = _server(memory)
    return Keys(memory.path) if server is None else SharedKeys(server)


def rates_of(memory: Memory, settings: ServerSettings) -> Rates:
    """Return what counts the requests to a memory, of all servers together where it is in a database."""
    server = _server(memory)
    is_counted = server is not None and not memory.store.journal.read_only
    return SharedRates(settings, server) if server is not None and is_counted else Rates(settings)


def _server(memory: Memory) -> Server | None:
    if not isinstance(memory.place, Address):
        return None
    from agentcl.store.postgres.store import PostgresStore

    journal = memory.store.journal
    assert isinstance(journal, PostgresStore)
    return journal.server


class SharedKeys(Keys):
    """The keys of a memory in a database, for all servers of it.

    Args:
        server: the database.
    """

    is_far: ClassVar[bool] = True

    def __init__(self, server: Server) -> None:
        self._memory = str(server.address)
        self._server = server

    def __bool__(self) -> bool:
        return bool(self._asked("SELECT 1 FROM access_key LIMIT 1"))

    def close(self) -> None:
        """Do nothing: the connections are the memory's."""

    def _rows(
        self, column: Literal["", "id", "hash"] = "", value: str = ""
    ) -> Sequence[tuple[str, ...]]:
        where, values = (f"WHERE {column} = ?", (value,)) if column else ("", ())
        return self._asked(f"SELECT {COLUMNS} FROM access_key {where} ORDER BY number", *values)

    def _put(self, row: tuple[str, ...]) -> None:
        self._asked(
            "INSERT INTO access_key (id, name, hash, scope, rights, made_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (hash) DO NOTHING",
            *row,
        )

    def _drop(self, id: str) -> None:
        self._asked("DELETE FROM access_key WHERE id = ?", id)

    def _asked(self, sql: str, *values: str) -> Sequence[tuple[str, ...]]:
        try:
            return self._server.aside(sql, values)
        except StoreUnavailable as error:
            raise ConfigError(f"nobody gets in before the keys can be read: {error}") from error


class SharedRates(Rates):
    """How many requests each caller has made of all servers together.

    Args:
        settings: with the rate; 0 counts nothing. Each server counts by its own.
        server: the database.
    """

    def __init__(self, settings: ServerSettings, server: Server) -> None:
        super().__init__(settings)
        self._server = server
        self._counted = 0

    def _take(self, caller: str) -> tuple[float, bool]:
        values = (caller, self._burst, self._burst, self._rate)
        ((tokens, is_allowed),) = self._server.aside(_COUNT, values)
        self._counted += 1
        if self._counted % _SWEPT == 0:
            full_s = self._burst / self._rate
            self._server.aside(
                "DELETE FROM rate WHERE at < now() - make_interval(secs => ?)", (full_s,)
            )
        return tokens, is_allowed
