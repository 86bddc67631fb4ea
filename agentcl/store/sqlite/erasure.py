"""Forgetting for good: a record, everything derived from it, and their bytes on disk.

The rows go in one transaction. Then the file is rewritten (VACUUM) and the WAL emptied, since SQLite
keeps stale copies of rows in free space even under `secure_delete`. A crash in between is noted in the
file, and the next one to open the folder finishes the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from agentcl.errors import EraseIncomplete, NotFound, StoreUnavailable
from agentcl.store.base import Erasure, Removed, Store
from agentcl.store.records import Scope, ScopeView, from_micros
from agentcl.store.rows import Row
from agentcl.store.sqlite import jobs
from agentcl.store.sqlite.database import Database

DUE: Final = "erasure_due"  # the setting that says that bytes wait to be cleared
_BATCH: Final = 500


def erase(store: Store, database: Database, ids: Collection[str], *, view: ScopeView) -> Erasure:
    """Remove records with all that was derived from them; see `Store.erase`."""
    with store.writing() as writing:
        connection = database.connection
        for id in ids:
            if not any(view.sees(row.scope) for row in _rows(store, id)):
                raise NotFound(
                    f"no record {id!r} is visible from this scope; nothing was forgotten"
                )
        removed: list[Removed] = []
        emptied: set[Scope] = set()
        vectors = 0
        for id, derived_from in _derived(database, ids).items():
            rows = _rows(store, id)
            if not rows:
                continue
            vectors += connection.execute(
                "DELETE FROM vector WHERE seq IN (SELECT seq FROM record WHERE id = ?)", (id,)
            ).rowcount
            connection.execute(
                "DELETE FROM vector_next WHERE seq IN (SELECT seq FROM record WHERE id = ?)", (id,)
            )
            connection.execute("DELETE FROM record WHERE id = ?", (id,))
            connection.execute("DELETE FROM source WHERE record_id = ? OR source_id = ?", (id, id))
            connection.execute("DELETE FROM counter WHERE id = ?", (id,))
            writing.restore(_tombstone(rows[-1], writing.now), None, is_given=False)
            versions = sum(row.op == "put" for row in rows)
            removed.append(Removed(id, rows[-1].kind, versions, derived_from))
            emptied.update(row.scope for row in rows)
        connection.execute(
            "DELETE FROM scope WHERE id NOT IN (SELECT scope FROM record WHERE scope IS NOT NULL)"
        )
        jobs.delete_orphans(connection, emptied)
        writing.set_meta(DUE, "1")
        return Erasure(from_micros(writing.now), tuple(removed), vectors, store.copies())


def finish(store: Store, database: Database) -> None:
    """Clear the bytes of erased records from the file and its log; see `Store.finish_erasure`."""
    try:
        database.compact()
        with store.writing():
            database.connection.execute("DELETE FROM meta WHERE key = ?", (DUE,))
        database.compact_log()
    except StoreUnavailable as error:
        raise EraseIncomplete(
            f"the records are forgotten, but their bytes are still in {database.path}: {error}. "
            "Opening the memory again, or `agentcl doctor`, finishes the work"
        ) from error


def _derived(database: Database, ids: Iterable[str]) -> dict[str, str]:
    """Return the ids with everything derived from them, however far, in the order found, each with its source."""
    found = dict.fromkeys(ids, "")
    frontier = list(found)
    while frontier:
        step: dict[str, str] = {}
        for start in range(0, len(frontier), _BATCH):
            some = frontier[start : start + _BATCH]
            marks = ", ".join("?" * len(some))
            query = f"SELECT record_id, source_id FROM source WHERE source_id IN ({marks})"
            for record_id, source_id in database.read(query, some):
                step.setdefault(str(record_id), str(source_id))
        frontier = [id for id in step if id not in found]
        found |= {id: step[id] for id in frontier}
    return found


def _rows(store: Store, id: str) -> Sequence[Row]:
    """Return what is left of a record, oldest version first; nothing once it is erased."""
    return [row for row in store.versions(id) if row.op != "erase"]


def _tombstone(last: Row, now: int) -> Row:
    nobody = (None, None, None, None)
    return Row(
        0, last.id, last.version + 1, "erase", last.kind, *nobody, now,
        None, None, None, "[]", "{}", "{}", None, b"",
    )  # fmt: skip
