"""What a benchmark compares: one way of remembering, behind a small protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Item:
    """Something to remember: a document, a turn of a conversation, an experience, a lesson."""

    id: str
    text: str
    title: str = ""
    said_at: datetime | None = None  # aware; when it was said, where that is known


@runtime_checkable
class Baseline(Protocol):
    """One way of remembering. Not safe for threads.

    An item whose id is held already takes the place of the older one.

    Raises:
        InvalidInput: from `add` and `recall`, if an argument cannot be used, and after `close`.
    """

    name: str

    def add(self, items: Sequence[Item]) -> None:
        """Remember; searchable when it returns."""
        ...

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return at most `limit` items, best first; in which order a prompt shows them is the runner's.

        A baseline that does not search gives the newest first.
        """
        ...

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return what a result must say of it: encoder, mode, versions."""
        ...

    def close(self) -> None:
        """Release what it holds; calling it twice is allowed."""
        ...
