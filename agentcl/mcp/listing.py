"""All documents of a memory, page by page, for tools that answer with the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from agentcl.store.records import Document, Record

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

MOST: Final = 2_000  # documents that one answer is made of
PAGE: Final = 200  # documents that are read at once


def every(memory: Memory, prefix: str = "", *, most: int = MOST) -> Iterator[Document]:
    """Yield documents in the order of their last change, so many at the most."""
    last: Record | None = None
    while most > 0:
        page = memory.list(prefix=prefix, limit=min(PAGE, most), after=last)
        yield from (one for one in page if isinstance(one, Document))
        if not page:
            return
        last, most = page[-1], most - len(page)
