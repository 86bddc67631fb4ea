"""Forgetting for good: a record, everything derived from it, and their bytes on disk.

A deletion leaves history; an erasure leaves one row with an id, a kind and a time. The rows go in one
transaction. Then the file is rewritten (VACUUM) and the WAL emptied, since SQLite keeps stale copies
of rows in free space even under `secure_delete`. A crash in between is noted in the journal, and the
next one to open the folder finishes the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from agentcl.errors import EraseIncomplete, NotFound, StoreUnavailable
from agentcl.store.records import ScopeView, from_micros
from agentcl.store.rows import Row
from agentcl.store.sqlite.journal import Journal

_DUE: Final = "erasure_due"
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Removed:
    """One record that an erasure took away."""

    id: str
    kind: str
    versions: int  # how many versions of it there were


@dataclass(frozen=True, slots=True)
class Copy:
    """A snapshot or export that was made before, and may still hold what was forgotten."""

    path: Path
    what: str  # "snapshot" or "export"
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did inside the journal."""

    at: datetime
    removed: tuple[Removed, ...]
    vectors: int  # how many vectors went with them
    copies: tuple[Copy, ...]  # outside the folder, out of our reach


def derived(journal: Journal, ids: Iterable[str]) -> list[str]:
    """Return the ids with everything derived from them, however far, in the order found."""
    found = dict.fromkeys(ids)
    frontier = list(found)
    while frontier:
        step: list[str] = []
        for start in range(0, len(frontier), _BATCH):
            some = frontier[start : start + _BATCH]
            marks = ", ".join("?" * len(some))
            step.extend(
                str(row[0])
                for row in journal.database.read(
                    f"SELECT DISTINCT record_id FROM source WHERE source_id IN ({marks})", some
                )
            )
        frontier = [id for id in dict.fromkeys(step) if id not in found]
        found.update(dict.fromkeys(frontier))
    return list(found)


def erase(journal: Journal, ids: Collection[str], *, view: ScopeView) -> Erasure:
    """Remove records, live or deleted, with all versions and all that was derived from them.

    Call `finish` afterwards; until then their bytes may still be in the file.

    Raises:
        NotFound: if the view does not see one of the ids; nothing is removed then.
    """
    with journal.writing() as writing, journal.database.errors():
        connection = journal.database.connection
        for id in ids:
            if not any(view.sees(row.scope) for row in _rows(journal, id)):
                raise NotFound(
                    f"no record {id!r} is visible from this scope; nothing was forgotten"
                )
        removed: list[Removed] = []
        vectors = 0
        for id in derived(journal, ids):
            rows = _rows(journal, id)
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
            removed.append(Removed(id, rows[-1].kind, sum(row.op == "put" for row in rows)))
        connection.execute(
            "DELETE FROM scope WHERE id NOT IN (SELECT scope FROM record WHERE scope IS NOT NULL)"
        )
        writing.set_meta(_DUE, "1")
        return Erasure(from_micros(writing.now), tuple(removed), vectors, copies(journal))


def is_due(journal: Journal) -> bool:
    """Return whether an erasure was cut off before the bytes were cleared."""
    return journal.meta(_DUE) is not None


def finish(journal: Journal) -> None:
    """Clear the bytes of erased records from the journal's files.

    Raises:
        EraseIncomplete: if another process or a full disk is in the way; call again later.
    """
    try:
        journal.database.compact()
        with journal.writing(), journal.database.errors():
            journal.database.connection.execute("DELETE FROM meta WHERE key = ?", (_DUE,))
        journal.database.compact_log()
    except StoreUnavailable as error:
        raise EraseIncomplete(
            f"the records are forgotten, but their bytes are still in {journal.database.path}: {error}. "
            "Opening the memory again, or `agentcl doctor`, finishes the work"
        ) from error


def copies(journal: Journal) -> tuple[Copy, ...]:
    """Return the snapshots and exports made from this journal."""
    rows = journal.database.read("SELECT path, what, made_at FROM copy ORDER BY made_at, path")
    return tuple(Copy(Path(str(path)), str(what), from_micros(at)) for path, what, at in rows)  # type: ignore[arg-type]  # the schema's types


def _rows(journal: Journal, id: str) -> Sequence[Row]:
    """Return what is left of a record, oldest version first; nothing once it is erased."""
    return [row for row in journal.versions(id) if row.op != "erase"]


def _tombstone(last: Row, now: int) -> Row:
    nobody = (None, None, None, None)
    return Row(
        0, last.id, last.version + 1, "erase", last.kind, *nobody, now,
        None, None, None, "[]", "{}", "{}", None, b"",
    )  # fmt: skip
