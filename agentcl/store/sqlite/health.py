"""Whether the file itself is sound, whatever its rows say."""

from __future__ import annotations

from collections.abc import Iterator

from agentcl.store.border import COUNTS
from agentcl.store.sqlite.database import Database


def faults(database: Database) -> Iterator[str]:
    """Yield what is wrong with the file, in words; nothing if it is sound."""
    name = database.path.name
    for (verdict,) in database.read("PRAGMA integrity_check"):
        if verdict != "ok":
            yield f"{name}: {verdict}"
    for table, row, parent, _ in database.read("PRAGMA foreign_key_check"):
        yield f"{name}: row {row} of {table} points to a missing row of {parent}"
    odd = " OR ".join(f"typeof({one}) <> 'integer' OR {one} < 0" for one in COUNTS)
    sql = f"SELECT id FROM counter WHERE {odd} OR typeof(last_used_at) NOT IN ('integer', 'null') OR last_used_at < 0"
    for (id,) in database.read(sql):
        yield f"{name}: what is counted of record {id} is none, and counts as nothing"
