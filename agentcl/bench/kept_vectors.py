"""Vectors of passages that outlive a run that is killed, so that a resumed one need not make them again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from agentcl.retrieval.encoders import Encoder
from agentcl.retrieval.encoders.base import Role
from agentcl.store.sqlite.database import Database

_BATCH: Final = 64  # passages that are encoded before they are kept


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE passage (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")


class KeptVectors:
    """An encoder that keeps the vectors of passages in a file. Queries are encoded anew: their time is measured.

    Args:
        encoder: makes what is not kept yet.
        path: of the file; made if absent.
    """

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self.name, self.is_lexical = encoder.name, encoder.is_lexical
        self._encoder = encoder
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = Database(
            path,
            durability="normal",
            migrations=(_create,),
            remedy="Delete it: its vectors are made again",
        )

    @property
    def dim(self) -> int:
        """The length of its vectors."""
        return self._encoder.dim

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one vector for each text. Raises as the encoder does."""
        if role == "query":
            return self._encoder.encode(texts, role=role)
        keys = [hashlib.sha256(f"{self.name}\0{text}".encode()).digest() for text in texts]
        found = {key: vector for key in keys if (vector := self._kept(key))}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        order = list(new)
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            vectors = self._encoder.encode([new[key] for key in some], role=role)
            made = dict(zip(some, vectors, strict=True))
            with self._database.write() as connection:
                connection.executemany("INSERT OR IGNORE INTO passage VALUES (?, ?)", made.items())
            found |= made
        return [found[key] for key in keys]

    def close(self) -> None:
        """Close the file; calling it twice is allowed."""
        self._database.close()

    def _kept(self, key: bytes) -> bytes | None:
        rows = self._database.read("SELECT vector FROM passage WHERE key = ?", (key,))
        return cast(bytes, rows[0][0]) if rows else None
