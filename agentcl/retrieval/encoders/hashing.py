"""An encoder without dependencies: words and letter groups hashed into a fixed number of places.

Feature hashing with signs (Weinberger et al. 2009, arXiv 0902.2206). It compares spelling: word forms
and typing errors come close to each other, synonyms do not.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.encoders.naming import HASHED_DIM, hashing_name
from agentcl.store.vectors import pack
from agentcl.text.terms import terms

_GRAM: Final = 4  # letters in a group
_GRAM_WEIGHT: Final = 0.3  # of a group, against 1 of the whole word


class HashingEncoder:
    """Encodes any text at once, by its spelling only."""

    is_lexical = True

    def __init__(self, dim: int = HASHED_DIM) -> None:
        self.name = hashing_name(dim)
        self.dim = dim

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one unit vector for each text; equal on every machine."""
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> bytes:
        # A text without a single word is told apart by its characters.
        counts = Counter(terms(text) or list(text))
        vector = [0.0] * self.dim
        for term, count in counts.items():
            weight = 1.0 + math.log(count)
            self._add(vector, term, weight)
            framed = f"<{term}>"
            for start in range(len(framed) - _GRAM + 1):
                self._add(vector, framed[start : start + _GRAM], weight * _GRAM_WEIGHT)
        norm = math.sqrt(math.fsum(value * value for value in vector))
        if norm == 0.0:  # every feature met its opposite
            vector[zlib.crc32(text.encode()) % self.dim] = norm = 1.0
        return pack([value / norm for value in vector])

    def _add(self, vector: list[float], feature: str, weight: float) -> None:
        # crc32 is the same everywhere, unlike hash(); its low bits choose the place, one high bit the sign.
        code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        vector[(code >> 1) % self.dim] += weight if code & 1 else -weight
