"""How much of a long work is done before it is stored, so that little is lost when it is cut off."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from agentcl.memory.documents import Draft

_MOST: Final = 256  # documents in one transaction
_SECONDS: Final = 2.0  # of encoding and writing before what is done is stored
_FIRST: Final = 30_000  # characters: a second or two of an encoder without a graphics card
# Times as much as before at the most, since how fast it goes is known from little
_GROWTH: Final = 4


def batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Yield drafts in parts that take about two seconds each, judged by how long the one before took.

    A draft is never divided: one that takes longer is a part of its own.
    """
    room = float(_FIRST)
    batch: list[Draft] = []
    size = 0
    for draft in drafts:
        batch.append(draft)
        size += len(draft.text) if isinstance(draft.text, str) else 0
        if len(batch) < _MOST and size < room:
            continue
        begun = time.monotonic()
        yield batch
        took = max(time.monotonic() - begun, 1e-6)
        room = min(size * _SECONDS / took, _GROWTH * max(size, room))
        batch, size = [], 0
    if batch:
        yield batch
