"""Whether the database is as agentcl made it, whatever its rows say."""

from __future__ import annotations

from collections.abc import Iterator

from agentcl.store.border import COUNTS
from agentcl.store.postgres.schema import POLICIES
from agentcl.store.sql.tables import EVERYBODY, Tables

_WALLS = """
SELECT relname, relrowsecurity AND relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid),
    (SELECT string_agg(tgname, ', ') FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
FROM pg_class AS c WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname
"""


def faults(tables: Tables) -> Iterator[str]:
    """Yield what is wrong with the database, in words; nothing if it is sound."""
    for table, is_walled, policies, triggers in tables.query(_WALLS, view=EVERYBODY):
        if table in POLICIES and not (is_walled and policies == 1):
            yield (
                f"the table {table} has not the policy of agentcl alone, so a query without a condition may see other "
                "tenants; whoever changed that takes it back"
            )
        if triggers:
            yield f"the table {table} has triggers that are not agentcl's: {triggers}"
    odd = " OR ".join(f"{one} < 0" for one in (*COUNTS, "last_used_at"))
    for (id,) in tables.query(f"SELECT id FROM counter WHERE {odd}", view=EVERYBODY):
        yield f"what is counted of record {id} is none, and counts as nothing"
