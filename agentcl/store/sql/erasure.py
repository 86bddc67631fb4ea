"""Forgetting for good: a record, everything derived from it, and their bytes on disk.

Rows go in steps, and so do their bytes, so that other writers wait for a step at the most. What an erasure
has still to do is noted beside the rows from its first step on. If it is cut off, the next one to open the memory
finishes the work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from agentcl.errors import EraseIncomplete, NotFound, StoreUnavailable
from agentcl.store.base import Erasure, Removed, Store
from agentcl.store.fields import fits
from agentcl.store.records import Scope, ScopeView, from_micros
from agentcl.store.rows import Row
from agentcl.store.sql import jobs
from agentcl.store.sql.tables import EVERYBODY, STEP_S, Tables
from agentcl.store.ulid import new_ulid
from agentcl.store.writing import Writing

DUE: Final = "erasure_due"  # begins the names of settings that say what an erasure has still to do
NOTHING: Final = "[]"  # no record is left to be removed, but bytes are to be cleared


def erase(store: Store, tables: Tables, ids: Collection[str], *, view: ScopeView) -> Erasure:
    """Remove records with all that was derived from them; see `Store.erase`."""
    for id in ids:
        if not any(view.sees(row.scope) for row in _rows(store, id)):
            raise NotFound(f"no record {id!r} is visible from this scope; nothing was forgotten")
    removal = _Removal(store, tables, ids)
    with store.writing() as writing:
        note = f"{DUE}-{new_ulid(writing.now)}"
        at = writing.now
        removal.step(writing)
        writing.set_meta(note, json.dumps(list(ids)) if removal.left else NOTHING)
    removal.finish(note)
    _drop_scopes(tables)
    return Erasure(
        from_micros(at), tuple(reversed(removal.removed)), removal.vectors, store.copies()
    )


def is_due(tables: Tables) -> bool:
    """Return whether bytes or records wait to be cleared."""
    return bool(_due(tables))


def resume(store: Store, tables: Tables) -> None:
    """Remove what erasures that were cut off had still to remove; see `Store.resume_erasure`."""
    for note, left in _due(tables).items():
        _Removal(store, tables, left).finish(note)
    _drop_scopes(tables)


def finish(
    store: Store, tables: Tables, before: Callable[[], object], clear: Callable[[], object]
) -> None:
    """Clear the bytes of erased records; see `Store.finish_erasure`.

    Args:
        store: whose.
        tables: its tables.
        before: clears what was derived from them.
        clear: clears their own files.
    """
    notes = [note for note, left in _due(tables).items() if not left]
    try:
        before()
        clear()
        with store.writing():
            tables.connection.executemany(
                "DELETE FROM meta WHERE key = ?", [(note,) for note in notes]
            )
    except (StoreUnavailable, OSError) as error:
        raise EraseIncomplete(
            f"the records are forgotten, but their bytes are still in {store.folder}: {error}. "
            "Opening the memory again, or `agentcl doctor`, finishes the work"
        ) from error


def _due(tables: Tables) -> dict[str, list[str]]:
    """Return the notes of what is still to be done, and the records that each has still to remove."""
    read = {str(key): _ids(value) for key, value in _notes(tables)}
    return {key: ids for key, ids in read.items() if ids is not None}


def _notes(tables: Tables) -> list[tuple[object, object]]:
    sql = "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?"
    return tables.query(sql, (len(DUE), DUE), view=EVERYBODY)


def faults(tables: Tables) -> Iterator[str]:
    """Yield in words which notes cannot be read, so that what they name may still be there."""
    for key, value in _notes(tables):
        if _ids(value) is None:
            yield f"the note {str(key)!r} of what is to be forgotten cannot be read; forget it again"


def _ids(value: object) -> list[str] | None:
    """Return the records that a note names; None if it cannot be read."""
    if value == "1":  # of an earlier version
        return []
    try:
        ids = json.loads(str(value))
    except (ValueError, RecursionError):
        return None
    return ids if fits(tuple[str, ...])(ids) else None


class _Removal:
    """Takes records out of all tables, those derived from them first."""

    def __init__(self, store: Store, tables: Tables, ids: Iterable[str]) -> None:
        self._store = store
        self._tables = tables
        self.left = list(ids)  # the last one is the next
        self._source_of = dict.fromkeys(self.left, "")  # by all that was met
        self.removed: list[Removed] = []
        self.vectors = 0
        self._begun = time.monotonic()  # of the last step

    def finish(self, note: str) -> None:
        """Take more steps until nothing is left but bytes, and note that."""
        while self.left:
            self._tables.rest(self._begun)
            with self._store.writing() as writing:
                self.step(writing)
                if not self.left:
                    writing.set_meta(note, NOTHING)

    def step(self, writing: Writing) -> None:
        """Remove records until none is left, or the step has taken long enough."""
        self._begun = time.monotonic()
        while self.left and time.monotonic() < self._begun + STEP_S:
            id = self.left[-1]
            derived = self._tables.query(
                "SELECT record_id FROM source WHERE source_id = ?", (id,), view=EVERYBODY
            )
            named = (str(other) for (other,) in derived)  # whatever a damaged row holds
            first = [other for other in named if other not in self._source_of]
            self._source_of.update(dict.fromkeys(first, id))
            if first:
                self.left += first
            else:
                self.left.pop()
                self._remove(id, writing)

    def _remove(self, id: str, writing: Writing) -> None:
        rows = _rows(self._store, id)
        if not rows:
            return
        connection = self._tables.connection
        seqs = [(row.seq,) for row in rows]
        for seq in seqs:
            self.vectors += connection.execute("DELETE FROM vector WHERE seq = ?", seq).rowcount
        connection.executemany("DELETE FROM vector_next WHERE seq = ?", seqs)
        connection.execute("DELETE FROM record WHERE id = ?", (id,))
        connection.execute("DELETE FROM source WHERE record_id = ? OR source_id = ?", (id, id))
        connection.execute("DELETE FROM counter WHERE id = ?", (id,))
        writing.restore(_tombstone(rows, writing.now), None, is_given=False)
        versions = sum(row.op == "put" for row in rows)
        self.removed.append(Removed(id, rows[-1].kind, versions, self._source_of[id]))


def _drop_scopes(tables: Tables) -> None:
    """Delete the names of scopes that have no record any more, and their jobs.

    Which these are is found out while others write. What they wrote meanwhile is looked at afterwards. No
    reference is checked, since that would look through all records.
    """
    empty = tables.query(
        'SELECT tenant, "user", agent, session, id, (SELECT coalesce(max(seq), 0) FROM record)'
        " FROM scope WHERE id NOT IN (SELECT scope FROM record WHERE scope IS NOT NULL)",
        view=EVERYBODY,
    )
    if not empty:
        return
    with tables.write(checks_references=False) as connection:
        connection.executemany(
            "DELETE FROM scope WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM record AS r WHERE r.seq > ? AND r.scope = scope.id)",
            [row[4:] for row in empty],
        )
        jobs.delete_orphans(connection, [Scope(*map(str, row[:4])) for row in empty])


def _rows(store: Store, id: str) -> Sequence[Row]:
    """Return what is left of a record, oldest version first; nothing once it is erased."""
    return [row for row in store.versions(id) if row.op != "erase"]


def _tombstone(rows: Sequence[Row], now: int) -> Row:
    """Return what is left of a record, whose rows may be damaged."""
    nobody = (None, None, None, None)
    version = max((row.version for row in rows if row.is_sound), default=0)
    return Row(
        0, rows[-1].id, version + 1, "erase", str(rows[-1].kind), *nobody, now,
        None, None, None, "[]", "{}", "{}", None, b"",
    )  # fmt: skip
