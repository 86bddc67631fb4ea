"""Queries that forget to say whose rows they are about, and something in every table for them to find."""

from __future__ import annotations

import random
from typing import Final

from agentcl.store.postgres.connecting import Link
from agentcl.store.postgres.store import PostgresStore
from agentcl.store.records import Scope
from agentcl.store.vectors import pack
from agentcl.testing.store import ACME, ADA, OTHER, SPEC, VECTOR, document, passage

CONDITIONS: Final = (
    "true",
    "1 = 1 OR {0} IS NULL",
    "{0} IS NOT NULL",
    "NOT ({0} IS NULL)",
    "{0}::text >= ''",
)
_NUMBERED: Final = (
    "SET id = DEFAULT",
    "SET number = DEFAULT",
)  # which PostgreSQL refuses by itself


def filled(store: PostgresStore) -> None:
    """Put something into every table."""
    with store.writing() as writing:
        writing.claim_encoder(SPEC)
        for scope in (Scope(), ADA, ACME, Scope(tenant="acme", user="ada")):
            one = writing.create(document("text", scope=scope, key="k"))
            writing.create(passage("part", one), vector=VECTOR)
            writing.credit(one.id, uses=1)
            writing.enqueue("kind", {"n": 1}, scope=scope)
        writing.note_copy(store.folder, "export")
    store.server.aside(
        "INSERT INTO access_key (id, name, hash, scope, rights, made_at) VALUES ('k', '', 'h', '{}', 'read', '')"
    )
    store.server.aside("INSERT INTO rate VALUES ('k', 1, true, now())")
    change = store.reembedding(OTHER)
    seqs = change.missing(limit=3)
    change.keep(seqs, [pack([1.0, 2.0])] * len(seqs))


def columns(link: Link) -> dict[str, list[str]]:
    """Return the columns of each table of the schema."""
    rows = link.execute(
        "SELECT table_name, quote_ident(column_name) FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY 1, ordinal_position"
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, []).append(column)
    return found


def random_query(draw: random.Random, tables: dict[str, list[str]]) -> str:
    """Return a query that reads, changes or deletes whatever it can see, and returns it."""
    while True:
        one, two = draw.choices(sorted(tables), k=2)
        a, b = draw.choice(tables[one]), draw.choice(tables[two])
        condition = draw.choice(CONDITIONS).format(f"x.{a}")
        sql = draw.choice(
            [
                f"SELECT x.{a} FROM {one} AS x WHERE {condition}",
                f"SELECT x.{a}, y.{b} FROM {one} AS x, {two} AS y WHERE {condition}",
                f"SELECT x.{a} FROM {one} AS x WHERE EXISTS (SELECT 1 FROM {two} AS y) OR {condition}",
                f"SELECT x.{a} FROM {one} AS x UNION ALL SELECT NULL FROM {two} AS y",
                f"SELECT max(x.{a}::text) FROM {one} AS x GROUP BY x.{a}",
                f"DELETE FROM {one} AS x WHERE {condition} RETURNING 1",
                f"UPDATE {one} AS x SET {a} = DEFAULT WHERE {condition} RETURNING 1",
            ]
        )
        if not any(one in sql for one in _NUMBERED):
            return sql
