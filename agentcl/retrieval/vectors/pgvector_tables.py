"""What the index of pgvector keeps in its database: the extension, the tables, and what is asked of them in SQL."""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from agentcl.errors import ConfigError
from agentcl.retrieval.index import Entry, Query
from agentcl.retrieval.vectors.exact import to_units
from agentcl.store.postgres.address import Address
from agentcl.store.postgres.connecting import Link
from agentcl.store.postgres.schema import ANYBODY_SQL, TENANT_SQL
from agentcl.store.records import SCOPE_FIELDS

_OLDEST: Final = (0, 8)  # of pgvector: the first whose graph looks on until a filter is filled
FOREVER: Final = (1 << 63) - 1  # `ended` of a live entry
_CONSTRUCTION: Final = 128  # neighbours that are looked at when one is put into the graph
_COLUMNS: Final = 'seq, id, kind, tenant, "user", agent, session, created, ended, valid_from, valid_to, metadata, v'
MAKE: Final = f"""
CREATE TABLE mark (                     -- how far the entries of an epoch of the journal's vectors are
    epoch bigint PRIMARY KEY, seq bigint NOT NULL, entries bigint NOT NULL, dim integer, has_graph boolean NOT NULL
);
ALTER TABLE mark ENABLE ROW LEVEL SECURITY;
ALTER TABLE mark FORCE ROW LEVEL SECURITY;
CREATE POLICY agentcl ON mark USING ({ANYBODY_SQL});
"""
# Whole vectors stay beside what is asked of them, where their page has room for one.
MAKE_ENTRIES: Final = f"""
CREATE TABLE {{name}} (
    seq bigint PRIMARY KEY, id text COLLATE "C" NOT NULL, kind text NOT NULL,
    tenant text NOT NULL, "user" text NOT NULL, agent text NOT NULL, session text NOT NULL,
    created bigint NOT NULL, ended bigint NOT NULL, valid_from bigint NOT NULL, valid_to bigint NOT NULL,
    metadata text NOT NULL, v vector NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX ON {{name}} (id);
CREATE INDEX ON {{name}} (tenant, "user", agent, session) WHERE ended = {FOREVER};
ALTER TABLE {{name}} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {{name}} FORCE ROW LEVEL SECURITY;
CREATE POLICY agentcl ON {{name}} USING ({TENANT_SQL});
"""
FAULTY: Final = """
SELECT c.relname, i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_am AS a ON a.oid = c.relam WHERE a.amname = 'hnsw' AND i.indrelid = to_regclass(%s)
"""
PLACE: Final = "SELECT nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'vector'"


class UnitVector(bytes):
    """A vector of length 1, as the extension takes it."""


class SentVector(Dumper):
    """How a vector goes to the server; a subclass knows the number of its type there."""

    format = Format.BINARY

    def dump(self, obj: UnitVector) -> bytes:
        """Return a vector as it is sent."""
        return bytes(obj)


def find_extension(link: Link, address: Address) -> None:
    """Make sure that the database has pgvector. Raises ConfigError."""
    asked = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    found = link.execute(asked).fetchone()
    if found is None:
        major = link.info.server_version // 10_000
        try:
            with link.transaction():
                link.execute("SET LOCAL ROLE NONE")  # who may make it is not who owns the tables
                link.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(
                f"{address} has not the extension 'vector' yet, and this user may not make it. Let a superuser run CREATE "
                'EXTENSION vector in this database, or use index="exact"'
            ) from error
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
            raise ConfigError(
                f"the server of {address} has not pgvector. Install it there (apt install postgresql-{major}-pgvector), let a "
                'superuser run CREATE EXTENSION vector in this database, or use index="exact"'
            ) from error
        found = link.execute(asked).fetchone()
    version = str(found[0]) if found else ""
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise ConfigError(
            f"{address} has pgvector {version}; agentcl needs {_OLDEST[0]}.{_OLDEST[1]} or newer. Install it on the server, "
            "then let a superuser run ALTER EXTENSION vector UPDATE"
        )


def mark_sql(*, locked: bool = False) -> str:
    """Return what asks how far the entries of an epoch are."""
    asked = "SELECT seq, entries, dim, has_graph FROM mark WHERE epoch = %s"
    return f"{asked} FOR UPDATE" if locked else asked


def insert_sql(table: str) -> bytes:
    """Return what adds an entry to a table."""
    return f"INSERT INTO {table} ({_COLUMNS}) VALUES ({', '.join(['%s'] * 13)})".encode()


def graph_sql(table: str, dim: int | None, *, how: str = "") -> bytes:
    """Return what makes the graph of the live entries of a table, under a new name."""
    name = f"graph_{secrets.token_hex(8)}"
    return (
        f"CREATE INDEX {how} {name} ON {table} USING hnsw"
        f" ((v::vector({dim})::halfvec({dim})) halfvec_ip_ops)"
        f" WITH (ef_construction = {_CONSTRUCTION}) WHERE ended = {FOREVER}"
    ).encode()


def where_sql(query: Query) -> tuple[str, list[object]]:
    """Return as SQL what a query may see, without its conditions, and the values."""
    conditions, values = [f"ended = {FOREVER}"], list[object]()
    if query.at is not None:
        conditions = ["created <= %s AND ended > %s"]
        values += [query.at, query.at]
    for name in SCOPE_FIELDS:
        allowed = getattr(query.view, name)
        if allowed is not None:
            conditions.append(f'"{name}" = ANY(%s)')
            values.append(sorted(allowed))
    if query.kinds is not None:
        conditions.append("kind = ANY(%s)")
        values.append(sorted(query.kinds))
    if query.valid_at is not None:
        conditions.append("valid_from <= %s AND valid_to > %s")
        values += [query.valid_at, query.valid_at]
    return " AND ".join(conditions), values


def units_of(vectors: Sequence[bytes]) -> NDArray[np.float32]:
    """Return vectors brought to length 1, one in each row."""
    rows = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)
    units = np.empty(rows.shape, np.float32)
    to_units(rows, units)
    return units


def unit_vector(unit: NDArray[np.float32]) -> UnitVector:
    """Return a vector of length 1 as the extension takes it."""
    return UnitVector(struct.pack(">HH", len(unit), 0) + unit.astype(">f4").tobytes())


def row_of(entry: Entry, unit: NDArray[np.float32]) -> tuple[object, ...]:
    """Return the row of an entry, as `insert_sql` takes it."""
    scope = entry.scope
    return (
        entry.seq, entry.id, entry.kind, scope.tenant, scope.user, scope.agent, scope.session, entry.created_at, FOREVER,
        -FOREVER if entry.valid_from is None else entry.valid_from,
        FOREVER if entry.valid_to is None else entry.valid_to,
        json.dumps(dict(entry.metadata)), unit_vector(unit),
    )  # fmt: skip
