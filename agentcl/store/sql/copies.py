"""The copies that were noted."""

from __future__ import annotations

from pathlib import Path

from agentcl.store.base import Copy
from agentcl.store.records import from_micros
from agentcl.store.rows import is_moment
from agentcl.store.sql.tables import EVERYBODY, Tables


def copies(tables: Tables) -> tuple[Copy, ...]:
    """Return the copies that were noted, oldest first."""
    rows = tables.query(
        "SELECT path, what, made_at FROM copy ORDER BY made_at, path", view=EVERYBODY
    )
    return tuple(
        Copy(Path(str(path)), str(what), from_micros(at if is_moment(at) else 0))
        for path, what, at in rows
    )
