"""What the errors of PostgreSQL mean."""

from __future__ import annotations

from typing import Final

import psycopg

from agentcl.errors import (
    AgentclError,
    ConfigError,
    InvalidInput,
    StorageFull,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
)
from agentcl.store.postgres.address import Address

# By the first signs of what PostgreSQL calls SQLSTATE (its manual, appendix A), the longest first.
_REFUSED: Final = ("28",)
_GONE: Final = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "53300")


def is_broken(error: psycopg.Error) -> bool:
    """Return whether the server went away, or does not take connections now; it may come back."""
    state = error.sqlstate
    if isinstance(error, psycopg.errors.PipelineAborted):
        return False  # a statement before it failed
    if state is None:  # libpq itself: there is no connection, or no more
        return isinstance(error, psycopg.OperationalError) and not _is_refused(error)
    return state.startswith(_GONE)


def _is_refused(error: psycopg.Error) -> bool:
    """Return whether the server was reached and did not let us in; libpq tells no SQLSTATE of that."""
    state, said = error.sqlstate or "", str(error)
    words = ("authentication failed", "no password supplied", "no pg_hba.conf", "does not exist")
    return state.startswith(_REFUSED) or (not state and any(word in said for word in words))


def translate(error: psycopg.Error, address: Address) -> AgentclError:
    """Return our error for one of PostgreSQL; it never holds the password."""
    state = error.sqlstate or ""
    # Without the statement, and without libpq's question whether the server runs.
    primary = error.diag.message_primary if state else None
    said = " ".join((primary or str(error)).split()).partition(" Is the server running")[0]
    said = address.hidden(said).rstrip(".")
    if state == "55P03":
        return StoreBusy(
            f"{address} is being written by others for longer than the busy timeout; try again, or raise "
            "busy_timeout_s"
        )
    if state == "57014":
        return StoreBusy(
            f"{address}: a statement took longer than its time-out and was stopped. Try again, or raise it in the "
            "address: ?options=-c%20statement_timeout%3D300s"
        )
    if state in ("53100", "53200"):
        return StorageFull(f"{address}: {said}; the write was undone. Free some space, then retry")
    if state == "25006":
        return StoreReadOnly(
            f"{address} takes no writes ({said}): it is a replica, or was made read-only. Open it with "
            "read_only=True to read, or name its primary"
        )
    if state.startswith("XX0"):
        return StoreCorrupt(f"{address} is damaged ({said}). Restore it from a backup or an export")
    if state in ("54000", "22001", "54001") or (not state and isinstance(error, psycopg.DataError)):
        return InvalidInput(f"a value cannot be kept in {address}: {said}")
    if state.startswith("22"):
        return InvalidInput(f"{address} does not take a value: {said}")
    if _is_refused(error):
        return StoreUnavailable(
            f"{address} does not let you in: {said}. Check the user, the password and the database's name; a "
            "password can stand in the address, in PGPASSWORD, or in ~/.pgpass"
        )
    if (
        not state and "invalid" in said and "response" not in said
    ):  # libpq read the address, and asked nobody
        return ConfigError(
            f"the address {address} cannot be used: {said}. Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME; "
            "behind the ? may stand what libpq knows, as sslmode=require"
        )
    if state == "42501" and "for database" in said:
        return StoreUnavailable(
            f"{address}: {said}, so no schema can be made for the memory. Let who owns the database run GRANT CREATE ON "
            "DATABASE, or open the memory with that role"
        )
    if state == "42501":
        return StoreUnavailable(
            f"{address}: {said}. The schema belongs to another role: let it GRANT what is missing, or open the "
            "memory with that role"
        )
    if is_broken(error):
        return StoreUnavailable(
            f"{address} cannot be reached: {said}. What was acknowledged is kept; check that the server runs, then "
            "retry"
        )
    return StoreUnavailable(f"{address}: {said} ({state or type(error).__name__})")
