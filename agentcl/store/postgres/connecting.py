"""Opening a connection to PostgreSQL, with all that we ask of one."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from agentcl.errors import StoreUnavailable
from agentcl.store.postgres.address import Address

# It says on a lost connection what the error says that we raise.
logging.getLogger("psycopg").addHandler(logging.NullHandler())
Link = psycopg.Connection[tuple[Any, ...]]
OLDEST: Final = 14  # version of PostgreSQL
ROLE: Final = "agentcl"  # taken by who could see past the policies of rows
_TIMEOUTS: Final = (
    "-c statement_timeout=60s"
    # Who holds the right to write and does nothing loses it: the others wait for him.
    " -c idle_in_transaction_session_timeout=300s"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
_CONNECT_S: Final = 10


@dataclass(frozen=True, slots=True)
class Connector:
    """How one database is opened. Any thread may use a connection, one at a time."""

    address: Address
    _: KW_ONLY
    read_only: bool

    def connect(self) -> Link:
        """Open a connection, which commits each statement by itself.

        Raises:
            psycopg.Error: if PostgreSQL cannot.
            StoreUnavailable: if the server is too old, its database cannot hold every text, or who logs in cannot be kept from
                what belongs to others.
        """
        given = psycopg.conninfo.conninfo_to_dict(self.address.url)
        options = f"{_TIMEOUTS} {given.get('options') or ''}"
        if self.read_only:
            options += " -c default_transaction_read_only=on"
        ours: dict[str, Any] = {"connect_timeout": _CONNECT_S, "application_name": "agentcl"}
        all_ = {**ours, **given, "options": options, "client_encoding": "utf8"}
        link = psycopg.connect(psycopg.conninfo.make_conninfo("", **all_), autocommit=True)
        try:
            self._check(link)
            self._take_role(link)
            link.execute(
                sql.SQL("SET search_path TO {}").format(sql.Identifier(self.address.schema))
            )
        except BaseException:
            link.close()
            raise
        return link

    def _check(self, link: Link) -> None:
        if link.info.server_version < OLDEST * 10_000:
            raise StoreUnavailable(
                f"{self.address} is PostgreSQL {link.info.server_version // 10_000}; agentcl needs {OLDEST} or newer"
            )
        encoding = link.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreUnavailable(
                f"{self.address} has the encoding {encoding}, which cannot hold every text; make a database with "
                "ENCODING 'UTF8' TEMPLATE template0"
            )

    def _take_role(self, link: Link) -> None:
        """Give up the right to see past the policies of rows, which superusers have: they are for everybody."""
        found = link.execute(
            "SELECT (rolsuper OR rolbypassrls), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)"
            " FROM pg_roles WHERE rolname = current_user",
            (ROLE,),
        ).fetchone()
        assert found is not None
        if found[0]:
            role = sql.Identifier(ROLE)
            if not found[1]:
                _make_role(link)
            link.execute(sql.SQL("SET ROLE {}").format(role))
            self._check_role(link)

    def _check_role(self, link: Link) -> None:
        """Refuse a role that policies do not hold: the role of our name may have been made by somebody else."""
        row = link.execute(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        if row != (False,):
            raise StoreUnavailable(
                f"the role {ROLE!r} of {self.address} sees past the policies that keep users apart; take that "
                f"from it (ALTER ROLE {ROLE} NOSUPERUSER NOBYPASSRLS), or log in as a role without these rights"
            )


def let_go(link: Link, *asked: tuple[sql.SQL | sql.Composed, tuple[object, ...]]) -> None:
    """Undo what a connection holds. Where that cannot be done the connection is closed, and with it what it held."""
    try:
        for statement, given in asked:
            link.execute(statement, given)
    except psycopg.Error:
        link.close()


def _make_role(link: Link) -> None:
    """Make the role that no policy lets past, once for the server; two may try at once."""
    role = sql.Identifier(ROLE)
    with link.transaction():
        link.execute("SELECT pg_advisory_xact_lock(%s)", (key_of("role"),))
        link.execute(
            sql.SQL(
                "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {})"
                " THEN CREATE ROLE {} NOLOGIN NOBYPASSRLS; END IF; END $$"
            ).format(sql.Literal(ROLE), role)
        )


def key_of(*words: str) -> int:
    """Return the number by which PostgreSQL knows a lock of ours."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
