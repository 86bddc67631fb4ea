"""How much of a long work is done before it is stored, so that little is lost when it is cut off."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from agentcl.memory.documents.writing import Draft

_MOST: Final = 256  # documents, or turns, in one transaction
_SECONDS: Final = 2.0  # of encoding and writing before what is done is stored
_FIRST: Final = 30_000  # characters: a second or two of an encoder without a graphics card
# Times as much as before at the most, since how fast it goes is known from little
_GROWTH: Final = 4


class Pace:
    """How much of a work takes about two seconds, judged by how long the part before took."""

    def __init__(self) -> None:
        self._room = float(_FIRST)

    def is_full(self, count: int, size: int) -> bool:
        """Return whether a part is stored before more comes to it.

        Args:
            count: how many things it has.
            size: characters of all of them.
        """
        return count >= _MOST or size >= self._room

    def took(self, size: int, seconds: float) -> None:
        """Judge by how long a part of so many characters took."""
        fits = size * _SECONDS / max(seconds, 1e-6)
        self._room = min(fits, _GROWTH * max(size, self._room))


def batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Yield drafts in parts that take about two seconds each.

    A draft is never divided: one that takes longer is a part of its own.
    """
    pace = Pace()
    batch: list[Draft] = []
    size = 0
    for draft in drafts:
        batch.append(draft)
        size += len(draft.text) if isinstance(draft.text, str) else 0
        if not pace.is_full(len(batch), size):
            continue
        begun = time.monotonic()
        yield batch
        pace.took(size, time.monotonic() - begun)
        batch, size = [], 0
    if batch:
        yield batch
