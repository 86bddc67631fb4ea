"""An encoder that keeps what it has encoded in a file, so that a benchmark need not encode a corpus twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

from agentcl.retrieval.encoders import Role, open_encoder
from parts.results import CACHE


class KeptVectors:
    """The encoder of a name, in front of a file in the cache of the benchmarks."""

    def __init__(self, name: str) -> None:
        self._encoder = open_encoder(name)
        self.name, self.dim = self._encoder.name, self._encoder.dim
        self.is_lexical = self._encoder.is_lexical
        CACHE.mkdir(exist_ok=True)
        self._file = sqlite3.connect(
            CACHE / f"{name.replace(':', '-')}.db", check_same_thread=False
        )
        self._file.execute("CREATE TABLE IF NOT EXISTS v (k BLOB PRIMARY KEY, v BLOB)")

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return the vectors of texts; those that the file lacks are encoded."""
        keys = [sha256(f"{role}\0{text}".encode()).digest() for text in texts]
        held = {key: vector for key in keys if (vector := self._held(key)) is not None}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in held}
        if new:
            vectors = self._encoder.encode(list(new.values()), role=role)
            held.update(zip(new, vectors, strict=True))
            with self._file:
                self._file.executemany(
                    "INSERT OR REPLACE INTO v VALUES (?, ?)", [(k, held[k]) for k in new]
                )
        return [held[key] for key in keys]

    def _held(self, key: bytes) -> bytes | None:
        found = self._file.execute("SELECT v FROM v WHERE k = ?", (key,)).fetchone()
        return found[0] if found else None
