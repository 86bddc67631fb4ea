"""How an index stands: how far it is, what it takes, and what there is to say of its files."""

from __future__ import annotations

from dataclasses import dataclass

from agentcl.retrieval.index import Index, Sized, Telling


@dataclass(frozen=True, slots=True)
class IndexState:
    """One index as it stands."""

    name: str
    watermark: int
    lag: int  # rows of the journal that it has not applied yet
    memory: int = 0  # bytes of this process that its vectors take; 0 where it does not say
    disk: int = 0  # bytes of its files; 0 likewise
    notes: tuple[str, ...] = ()  # how its files are, in words


def state_of(index: Index, last: int) -> IndexState:
    """Return how an index stands, where the journal ended at `last`; others may have written and applied more since."""
    mark = index.watermark()
    memory, disk = index.sizes() if isinstance(index, Sized) else (0, 0)
    notes = tuple(index.tell(last)) if isinstance(index, Telling) else ()
    return IndexState(index.name, mark, max(0, last - mark), memory, disk, notes)
