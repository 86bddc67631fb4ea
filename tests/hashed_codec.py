"""A codec that needs no model: what a test compresses with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from agentcl.compression.base import Vectors
from agentcl.errors import InvalidInput


class HashedCodec:
    """Makes soft tokens of words by hashing them. Deterministic, and no model reads them.

    Args:
        name: of the codec.
        base: the fingerprint of the model that it pretends to be made for.
        version: of the codec: another one has another fingerprint.
        width: of one soft token.
        sizes: how many soft tokens a passage may become.
        limit: the longest passage, in words.
    """

    def __init__(
        self,
        name: str = "hashed",
        *,
        base: str = "base-of-nobody",
        version: int = 1,
        width: int = 8,
        sizes: tuple[int, ...] = (2, 4),
        limit: int = 200,
    ) -> None:
        self.name = name
        self.base = base
        self.fingerprint = f"{base}/{name}/{version}"
        self.width = width
        self.sizes = sizes
        self.limit = limit

    def count(self, text: str) -> int:
        """Return how many words a text has; a long one counts as several."""
        return sum(1 + len(word) // 12 for word in text.split())

    def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
        """Return for each text its soft tokens: each is the sum of the vectors of some of its words."""
        wanted = slots or self.sizes[-1]
        if wanted not in self.sizes or any(not 0 < self.count(one) <= self.limit for one in texts):
            raise InvalidInput("a text is empty or too long, or there is no such number of slots")
        made = np.zeros((len(texts), wanted, self.width), np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().split():
                vector = self._vector(word)
                slot = int(abs(vector[0]) * 1_000) % self.sizes[-1]
                if slot < wanted:
                    made[row, slot] += vector
        return made

    def codes(self, memories: Vectors) -> Vectors:
        """Return the sums of memories, of length 1."""
        return _of_length_one(memories.sum(axis=1))

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return what a question is compressed to, of length 1."""
        return self.codes(self.encode(texts))

    def _vector(self, word: str) -> Vectors:
        seed = hashlib.blake2b(f"{self.fingerprint}\0{word}".encode(), digest_size=8).digest()
        rng = np.random.default_rng(int.from_bytes(seed, "little"))
        return rng.standard_normal(self.width).astype(np.float32)


def _of_length_one(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Vectors = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return found
