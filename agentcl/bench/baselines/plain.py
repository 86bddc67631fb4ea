"""Baselines that do not search: nothing, everything, the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.items import ItemsById, searched
from agentcl.errors import InvalidInput

BUDGET_CHARACTERS: Final = 100_000  # some 25,000 tokens of English


class NoMemory:
    """Remembers nothing: what every other baseline has to beat."""

    name = "none"

    def __init__(self) -> None:
        self._items = ItemsById()

    def add(self, items: Sequence[Item]) -> None:
        """Check the items as every baseline does, and forget them."""
        self._items.check(items)

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return nothing."""
        self._items.ask(query, limit)
        return []

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return nothing: there is nothing to set."""
        return {}

    def close(self) -> None:
        """Refuse further calls; calling it twice is allowed."""
        self._items.close()


class FullContext:
    """Everything, as far as it fits: what long context does without a memory.

    An item that does not fit even alone is left out; otherwise the newest are taken as far as the budget goes.
    `limit` holds here too: who wants everything asks for as many items as there are.

    Args:
        budget_characters: of titles and texts together.
        name: of the baseline.
    """

    def __init__(self, *, budget_characters: int = BUDGET_CHARACTERS, name: str = "full") -> None:
        if budget_characters < 1:
            raise InvalidInput(f"budget_characters must be at least 1, and is {budget_characters}")
        self.name = name
        self._items = ItemsById()
        self._budget = budget_characters

    def add(self, items: Sequence[Item]) -> None:
        """Remember."""
        self._items.keep(self._items.check(items))

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return the newest items that fit, newest first, whatever is asked."""
        most = self._items.ask(query, limit)
        found: list[Item] = []
        left = self._budget
        for item in self._items.newest():
            size = len(searched(item))
            if size > self._budget:
                continue
            if size > left or len(found) == most:
                break
            left -= size
            found.append(item)
        return found

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return the budget."""
        return {"budget_characters": self._budget}

    def close(self) -> None:
        """Let the items go; calling it twice is allowed."""
        self._items.close()


class LastItems:
    """The last ones, as an agent has them that carries a short history along.

    Args:
        count: how many.
        name: of the baseline; default: last-COUNT.
    """

    def __init__(self, count: int, *, name: str = "") -> None:
        if count < 1:
            raise InvalidInput(f"last-K needs a K of at least 1, and has {count}")
        self.name = name or f"last-{count}"
        self._items = ItemsById()
        self._count = count

    def add(self, items: Sequence[Item]) -> None:
        """Remember."""
        self._items.keep(self._items.check(items))

    def recall(self, query: str, *, limit: int) -> list[Item]:
        """Return the last items, newest first, whatever is asked."""
        most = min(self._items.ask(query, limit), self._count)
        return [item for item, _ in zip(self._items.newest(), range(most), strict=False)]

    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Return how many."""
        return {"count": self._count}

    def close(self) -> None:
        """Let the items go; calling it twice is allowed."""
        self._items.close()
