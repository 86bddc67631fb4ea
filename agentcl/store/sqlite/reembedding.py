"""Replacing all vectors by another encoder's: resumable, and never half done for a reader.

New vectors are collected beside the old ones, batch by batch. When none is missing they take the old
ones' place in one transaction, which also names the new encoder and begins a new epoch.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from agentcl.store.checks import canonical_json
from agentcl.store.rows import EncoderSpec
from agentcl.store.sqlite.journal import Journal

_MISSING = (
    "FROM record AS r WHERE r.op = 'put' AND r.content_hash IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM vector_next AS v WHERE v.seq = r.seq)"
)


def begin(journal: Journal, spec: EncoderSpec) -> None:
    """Start collecting vectors of an encoder, or go on if this was begun before."""
    with journal.writing() as writing, journal.database.errors():
        held = journal.meta("encoder_next")
        if held is None or EncoderSpec(**json.loads(held)) != spec:
            journal.database.connection.execute("DELETE FROM vector_next")
            writing.set_meta("encoder_next", canonical_json(asdict(spec)))


def remaining(journal: Journal) -> int:
    """Return how many rows still lack a new vector."""
    return cast(int, journal.database.read(f"SELECT count(*) {_MISSING}")[0][0])


def missing(journal: Journal, *, limit: int) -> list[int]:
    """Return the numbers of some rows that still lack a new vector, oldest first."""
    sql = f"SELECT r.seq {_MISSING} ORDER BY r.seq LIMIT ?"
    return [cast(int, row[0]) for row in journal.database.read(sql, (limit,))]


def store(journal: Journal, seqs: Sequence[int], vectors: Sequence[bytes]) -> None:
    """Keep new vectors for rows; a row erased meanwhile is left out."""
    with journal.writing(), journal.database.errors():
        journal.database.connection.executemany(
            "INSERT OR REPLACE INTO vector_next (seq, given, crc, data)"
            " SELECT seq, 0, ?, ? FROM record WHERE seq = ?",
            [(zlib.crc32(data), data, seq) for seq, data in zip(seqs, vectors, strict=True)],
        )


def swap(journal: Journal, spec: EncoderSpec) -> bool:
    """Put the new vectors in force if none is missing; return whether that was done."""
    with journal.writing() as writing, journal.database.errors():
        if remaining(journal):
            return False
        connection = journal.database.connection
        connection.execute("DELETE FROM vector")
        connection.execute("INSERT INTO vector SELECT * FROM vector_next")
        connection.execute("DELETE FROM vector_next")
        connection.execute("DELETE FROM meta WHERE key = 'encoder_next'")
        writing.set_meta("encoder", canonical_json(asdict(spec)))
        writing.set_meta("epoch", str(journal.epoch() + 1))
        return True
