"""Finding a memory's tables in a schema, making them, and bringing old ones up to date."""

from __future__ import annotations

import logging
from contextlib import closing

import psycopg
from psycopg import sql

from agentcl.errors import SchemaTooNew, StoreCorrupt, StoreReadOnly, StoreUnavailable
from agentcl.store.postgres.address import Address
from agentcl.store.postgres.connecting import Connector, Link, key_of
from agentcl.store.postgres.failures import translate
from agentcl.store.postgres.schema import FIRST_TABLES, MIGRATIONS, POLICIES, SCOPE_SQL

logger = logging.getLogger(__name__)
WHOLE_SQL = SCOPE_SQL.replace("?", "%s")
WHOLE = ("on", "")


def version_of(link: Link, address: Address) -> int:
    """Return which shape the tables of a memory have, 0 where there are none.

    Raises:
        StoreCorrupt: if the schema holds something else.
    """
    with link.transaction():
        link.execute(WHOLE_SQL, WHOLE)
        rows = link.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'v', 'm', 'p')",
            (address.schema,),
        ).fetchall()
        names = {str(name) for (name,) in rows}
        if not names:
            return 0
        version = _version_in(link, address.schema) if "head" in names else None
        is_ours = FIRST_TABLES <= names <= set(POLICIES)
        if version is None or (version <= len(MIGRATIONS) and not is_ours):
            odd = ", ".join(sorted(names ^ set(POLICIES))[:3])
            raise StoreCorrupt(
                f"the schema {address.schema!r} of {address} is not agentcl's alone ({odd}); name another one with "
                "?schema=NAME"
            )
        return version


def _version_in(link: Link, schema: str) -> int | None:
    """Return the version that the table `head` tells; None if it is somebody else's. A newer agentcl has other tables."""
    # By its full name: who may not look into a schema is told that nothing is there else.
    head = sql.Identifier(schema, "head")
    try:
        with link.transaction():
            found = link.execute(sql.SQL("SELECT version FROM {}").format(head)).fetchall()
    except psycopg.errors.UndefinedColumn:
        return None
    return int(found[0][0]) if len(found) == 1 and isinstance(found[0][0], int) else None


def holds_memory(address: Address) -> bool:
    """Return whether there is a memory. Raises StoreUnavailable."""
    try:
        with closing(Connector(address, read_only=True).connect()) as link:
            return version_of(link, address) > 0
    except psycopg.Error as error:
        raise translate(error, address) from error


def open_schema(link: Link, address: Address, *, read_only: bool) -> None:
    """Make the tables of a memory if there are none, and bring old ones up to date.

    Raises:
        SchemaTooNew: if a newer agentcl made them; they are left as they are.
        StoreReadOnly: if that is not allowed, or nothing can be written there.
        StoreUnavailable: if there is nothing to be read.
    """
    held = version_of(link, address)
    refuse_newer(held, address)
    if held == len(MIGRATIONS):
        if not read_only:
            _refuse_reader(link, address)
        return
    if read_only and not held:
        raise StoreUnavailable(f"there is no memory at {address}")
    if read_only:
        raise StoreReadOnly(
            f"{address} has schema {held}, this agentcl reads {len(MIGRATIONS)}; open it once without read_only "
            "to migrate it"
        )
    _migrate(link, address)


def _refuse_reader(link: Link, address: Address) -> None:
    """Raise StoreReadOnly where this user, or this server, writes nothing: who only reads has to say so."""
    may_write, takes_none = link.execute(
        "SELECT has_table_privilege(current_user, %s, 'UPDATE'), current_setting('transaction_read_only')::boolean",
        (f'"{address.schema}".head',),
    ).fetchall()[0]
    if takes_none:
        raise StoreReadOnly(
            f"{address} takes no writes: it is a replica, or was made read-only; open it with read_only=True to read, "
            "or name its primary"
        )
    if not may_write:
        raise StoreReadOnly(
            f"{address} may only be read by this user; open it with read_only=True to read, or let its owner GRANT what "
            "is missing"
        )


def refuse_newer(version: int, address: Address) -> None:
    """Raise SchemaTooNew for tables of a shape that this agentcl does not know."""
    if version > len(MIGRATIONS):
        raise SchemaTooNew(
            f"{address} has schema {version}; this agentcl knows up to {len(MIGRATIONS)}. "
            "Upgrade: pip install --upgrade agentcl"
        )


def _migrate(link: Link, address: Address) -> None:
    """Step through the missing migrations in one transaction, one process at a time."""
    with link.transaction():
        link.execute("SELECT pg_advisory_xact_lock(%s)", (key_of("migrate", address.schema),))
        link.execute(WHOLE_SQL, WHOLE)
        held = version_of(link, address)  # another process may have been faster
        if not held:
            make_schema(link, address.schema)
        for number in range(held, len(MIGRATIONS)):
            logger.info("migrating %s from schema %s to %s", address, number, number + 1)
            for statements in MIGRATIONS[number]:
                link.execute(statements.encode())
        if held < len(MIGRATIONS):
            link.execute("UPDATE head SET version = %s", (len(MIGRATIONS),))


def make_schema(link: Link, name: str) -> None:
    """Make a schema for the role that we act as, by the right of who logged in."""
    ((ours, theirs),) = link.execute("SELECT current_user, session_user").fetchall()
    role = sql.Identifier(ours)
    link.execute("RESET ROLE")
    make = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
    link.execute(make.format(sql.Identifier(name), role))
    if ours != theirs:
        link.execute(sql.SQL("SET ROLE {}").format(role))
