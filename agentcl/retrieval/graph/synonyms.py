"""Phrases that mean the same, found by their vectors: each new one is compared with all, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from agentcl.retrieval.graph.adjacency import Ints, Weights

Encode = Callable[[Sequence[str]], Sequence[bytes]]  # float32, little-endian, of length 1

_BLOCK: Final = 512  # phrases compared with all at a time
_BATCH: Final = 1_024  # phrases encoded at a time
_GROW: Final = 1.5
_SHORTEST: Final = 3  # letters and digits; "US" and "us" have close vectors and different meanings


class Synonyms:
    """The pairs of phrases of one tenant whose cosine reaches a threshold.

    Args:
        encode: gives a vector for each phrase.
        threshold: the least cosine.
    """

    def __init__(self, encode: Encode, threshold: float) -> None:
        self._encode = encode
        self._threshold = threshold
        self._partners: dict[int, dict[int, float]] = {}
        self._nodes: list[int] = []
        self._tenants: Ints = np.empty(0, np.int32)
        self._vectors: Weights = np.empty((0, 0), np.float32)

    def extend(self, phrases: Mapping[int, str], tenants: Mapping[int, int]) -> None:
        """Take up new phrases: their nodes with their text, and the number of each one's tenant."""
        fitting = {
            node: text
            for node, text in phrases.items()
            if sum(char.isalnum() for char in text) >= _SHORTEST
        }
        nodes = list(fitting)
        for start in range(0, len(nodes), _BATCH):
            some = nodes[start : start + _BATCH]
            encoded = self._encode([fitting[node] for node in some])
            vectors = np.array([np.frombuffer(vector, "<f4") for vector in encoded])
            self._append(some, [tenants[node] for node in some], vectors)

    def of(self, phrase: int) -> Mapping[int, float]:
        """Return the phrases that mean the same as one, with their cosines."""
        return self._partners.get(phrase, {})

    def pairs(self) -> tuple[Ints, Ints, Weights]:
        """Return all pairs, each once, with their cosines."""
        found = [
            (u, v, cosine)
            for u, partners in self._partners.items()
            for v, cosine in partners.items()
            if u < v
        ]
        u, v, cosines = zip(*found, strict=True) if found else ((), (), ())
        return np.array(u, np.int32), np.array(v, np.int32), np.array(cosines, np.float32)

    def _append(self, nodes: Sequence[int], tenants: Sequence[int], vectors: Weights) -> None:
        size, added = len(self._nodes), len(nodes)
        if size + added > len(self._vectors):
            room = max(size + added, int(_GROW * size))
            grown = np.empty((room, vectors.shape[1]), np.float32)
            if size:
                grown[:size] = self._vectors[:size]
            owners = np.empty(room, np.int32)
            owners[:size] = self._tenants[:size]
            self._vectors, self._tenants = grown, owners
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        self._vectors[size : size + added] = vectors / norms
        self._tenants[size : size + added] = tenants
        self._nodes.extend(nodes)
        for start in range(size, size + added, _BLOCK):
            self._compare(start, min(start + _BLOCK, size + added))

    def _compare(self, start: int, end: int) -> None:
        """Find the pairs of the phrases from `start` to `end` with those before each of them."""
        cosines = self._vectors[start:end] @ self._vectors[:end].T
        for row, place in np.argwhere(cosines >= self._threshold).tolist():
            if place < start + row and self._tenants[place] == self._tenants[start + row]:
                u, v = self._nodes[place], self._nodes[start + row]
                cosine = min(float(cosines[row, place]), 1.0)
                self._partners.setdefault(u, {})[v] = cosine
                self._partners.setdefault(v, {})[u] = cosine
