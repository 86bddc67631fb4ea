"""The database itself keeps tenants apart, also when our own code forgets to."""

import random
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agentcl.errors import StoreUnavailable
from agentcl.store.records import Scope
from agentcl.testing.store import ACME, EVERYBODY, document

pytest.importorskip("psycopg")

from psycopg.sql import SQL

from agentcl.store.postgres.connecting import Connector, Link, let_go
from agentcl.store.postgres.opening import WHOLE_SQL
from agentcl.store.postgres.schema import POLICIES, settings_of
from agentcl.store.postgres.store import PostgresStore
from tests.walls import CONDITIONS, columns, filled, random_query

if TYPE_CHECKING:
    from tests.postgres import Cluster

Opener = Callable[..., PostgresStore]


@pytest.fixture
def link(opened: Opener) -> Any:
    """A connection as the store opens them, of which nobody said whose rows it is about."""
    store = opened()
    filled(store)
    with closing(Connector(store.server.address, read_only=False).connect()) as link:
        yield link


def test_every_table_has_a_policy_and_holds_something(link: Link, opened: Opener) -> None:
    assert columns(link).keys() == POLICIES.keys()
    store = opened()
    for table in POLICIES:
        assert store.server.query(f"SELECT 1 FROM {table} LIMIT 1", view=EVERYBODY) == [(1,)], table


def test_a_query_that_says_no_scope_sees_nothing_whatever_it_asks(link: Link) -> None:
    draw, tables = random.Random(20), columns(link)
    for _ in range(300):
        query = random_query(draw, tables)
        assert link.execute(query.encode()).fetchall() == [], query


def test_an_index_of_vectors_has_the_same_walls(cluster: "Cluster", opened: Opener) -> None:
    from agentcl.retrieval.vectors.pgvector import PgvectorIndex
    from agentcl.testing.index import added, entry

    cluster.execute("CREATE EXTENSION IF NOT EXISTS vector")
    address = opened().server.address
    with closing(PgvectorIndex(address)) as index:
        index.apply([added(entry(1)), added(entry(2, scope=ACME))], watermark=2)
    with closing(Connector(address, read_only=False).connect()) as link:
        link.execute(f"SET search_path TO {address.schema}_pgvector, public".encode())
        assert columns(link).keys() == {"entry_0", "mark"}
        for table, names in columns(link).items():
            for condition in CONDITIONS:
                for name in names:
                    sql = f"SELECT {name} FROM {table} WHERE {condition.format(name)}"
                    assert link.execute(sql.encode()).fetchall() == [], sql
        with link.transaction():
            link.execute(WHOLE_SQL, settings_of(ACME.view()))
            assert link.execute("SELECT seq FROM entry_0").fetchall() == [(2,)]


def test_a_scope_ends_with_the_transaction_that_said_it(link: Link, opened: Opener) -> None:
    store = opened()
    assert store.count(EVERYBODY)[1] == 8
    with store.server.lent() as used:
        assert used.execute("SELECT count(*) FROM record").fetchall() == [(0,)]


def test_a_query_that_forgets_its_condition_sees_the_tenant_that_it_is_about(
    opened: Opener,
) -> None:
    store = opened()
    filled(store)
    for view, count in ((ACME.view(), 4), (Scope().view(), 4), (Scope(tenant="x").view(), 0)):
        for sql in ("SELECT 1 FROM record", "SELECT 1 FROM vector UNION ALL SELECT 1 FROM counter"):
            found = store.server.query(sql, view=view)
            assert len(found) == count, (sql, view)
        assert len(store.server.query("SELECT 1 FROM job", view=view)) == count // 2
        assert store.server.query("SELECT 1 FROM meta", view=view) == []
    with store.writing():  # the same inside of a transaction that may write everywhere
        assert len(store.server.query("SELECT 1 FROM record", view=ACME.view())) == 4
        assert len(store.server.query("SELECT 1 FROM record", view=EVERYBODY)) == 8


def test_names_of_tenants_say_nothing_but_themselves(opened: Opener) -> None:
    store = opened()
    names = ["a", "*", "on", 'a"b', "a\\", "{a,b}", "a,b", "NULL", "", "é", "x" * 1_000]
    with store.writing() as writing:
        for name in names:
            writing.create(document(name, scope=Scope(tenant=name)))
    for name in names:
        found = store.server.query("SELECT tenant FROM scope", view=Scope(tenant=name).exactly())
        assert found == [(name,)]


def test_a_superuser_is_kept_out_like_everybody_else(cluster: "Cluster", opened: Opener) -> None:
    store = opened("postgres")
    filled(store)
    with store.server.lent() as link:
        assert link.execute("SELECT current_user").fetchall() == [("agentcl",)]
        assert link.execute("SELECT count(*) FROM record").fetchall() == [(0,)]
    assert store.count(EVERYBODY)[1] == 8


def test_a_role_of_our_name_that_sees_everything_is_refused(
    cluster: "Cluster", opened: Opener
) -> None:
    opened("postgres").close()
    cluster.execute("ALTER ROLE agentcl BYPASSRLS")
    try:
        with pytest.raises(StoreUnavailable, match="ALTER ROLE agentcl NOSUPERUSER"):
            opened("postgres")
    finally:
        cluster.execute("ALTER ROLE agentcl NOBYPASSRLS")


def test_a_connection_that_cannot_let_go_is_closed(link: Link) -> None:
    let_go(link, (SQL("SELECT %s::int"), (1,)))
    assert not link.closed
    let_go(link, (SQL("SELECT 1 / 0"), ()), (SQL("SELECT 1"), ()))
    assert link.closed


def test_the_doctor_names_a_wall_that_was_taken_down_and_what_was_put_in(opened: Opener) -> None:
    store = opened()
    assert list(store.faults()) == []
    with store.server.lent() as link:
        link.execute("ALTER TABLE job NO FORCE ROW LEVEL SECURITY")
        link.execute("CREATE POLICY more ON record USING (true)")
        link.execute(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
        link.execute("CREATE TRIGGER spy BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION f()")
    job, policy, trigger = store.faults()
    assert "table job has not the policy" in job
    assert "table record has not the policy" in policy
    assert "spy" in trigger
