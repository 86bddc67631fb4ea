"""Locks that a thread of a process holds, on whatever machine; they end with its connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from agentcl.errors import StoreBusy
from agentcl.store.checks import check_lock
from agentcl.store.postgres.connecting import Link, key_of, let_go
from agentcl.store.postgres.database import Server

# A server notices only after a moment that a process died. Who finds a lock held looks for so long.
_NOTICE_MS: Final = 250
_LOOKS: Final = 5
_IS_HELD: Final = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((classid::bigint << 32) | objid::bigint) = %s"
)


@contextmanager
def held_lock(server: Server, name: str) -> Iterator[None]:
    """Hold the lock of a name.

    Raises:
        StoreBusy: if another thread or process holds it.
        InvalidInput: if the name has other signs than lower-case letters, digits and hyphens.
    """
    key = key_of("lock", server.address.schema, check_lock(name))
    with server.lent() as link:
        _take(
            link,
            key,
            f"another run holds the lock {name!r} of {server.address}; wait for it, or stop it first",
        )
        try:
            yield
        finally:
            let_go(link, (sql.SQL("SELECT pg_advisory_unlock(%s)"), (key,)))


def _take(link: Link, key: int, busy: str) -> None:
    try:
        with link.transaction():
            link.execute("SELECT set_config('lock_timeout', %s, true)", (str(_NOTICE_MS),))
            link.execute("SELECT pg_advisory_lock(%s)", (key,))
    except psycopg.errors.LockNotAvailable as error:
        raise StoreBusy(busy) from error


def is_held(server: Server, name: str) -> bool:
    """Return whether somebody holds the lock of a name now; takes nothing from who is about to."""
    key = key_of("lock", server.address.schema, check_lock(name))
    with server.lent() as link:
        for look in range(_LOOKS):
            if link.execute(_IS_HELD, (key,)).fetchall() == [(0,)]:
                return False
            if look + 1 < _LOOKS:
                time.sleep(_NOTICE_MS / 1_000 / _LOOKS)
    return True
