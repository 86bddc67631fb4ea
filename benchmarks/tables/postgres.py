"""The tables about PostgreSQL in the pages of results."""

from __future__ import annotations

from tables.cells import result, table


def shared_writes() -> str:
    """Writers of one memory at once."""
    found = result("shared_writes")
    rows = [[name, *(f"{one:.0f}" for one in rates)] for name, rates in found["rate"].items()]
    killed = found["killed"]
    header = ["texts a second", *(f"round {n}" for n in range(1, found["rounds"] + 1))]
    return (
        f"{table(header, rows)}\n"
        f"{found['processes']} processes wrote {found['count']:,} texts each. PostgreSQL, folder = 1: {found['ratio']:.2f}. Writers killed and the server restarted "
        f"twice, once as if it had crashed: {killed['lost']} of {killed['acknowledged']:,} acknowledged texts lost.\n"
    )


def walls() -> str:
    """Queries without a scope."""
    found = result("walls")
    return (
        f"{found['queries']:,} random queries, {found['different']:,} of them different, over {found['tables']} tables: "
        f"{found['rows']} rows.\n"
    )
