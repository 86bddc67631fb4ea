"""What every baseline does alike: it checks items and questions, and holds the items by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agentcl.bench.baselines.base import Item
from agentcl.errors import InvalidInput
from agentcl.store.checks import check_label, check_text, check_time, check_unicode


def searched(item: Item) -> str:
    """Return what every baseline searches of an item: its title and its text."""
    return f"{item.title}\n{item.text}" if item.title else item.text


class ItemsById:
    """The items of one baseline by id, in the order in which they came.

    One that comes again takes the place of the older one, and counts as the newest. Where a title or text
    cannot be kept by a memory, no baseline takes it: all compare on the same items.
    """

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, id: str) -> bool:
        return id in self._items

    def __getitem__(self, id: str) -> Item:
        return self._items[id]

    def newest(self) -> Iterator[Item]:
        """Yield the items, newest first."""
        return reversed(self._items.values())

    def check(self, items: Iterable[Item]) -> list[Item]:
        """Return the items to be added, of several with one id the last; nothing is held yet.

        Raises:
            InvalidInput: if one of them has no id, or a text that cannot be remembered.
        """
        self.check_open()
        fresh: dict[str, Item] = {}
        for item in items:
            if not check_label(item.id, "the id of an item"):
                raise InvalidInput("an item has an empty id; give each an id of its own")
            check_text(item.text, f"the text of item {item.id[:80]!r}")
            check_label(item.title, f"the title of item {item.id[:80]!r}")
            check_time(item.said_at, f"said_at of item {item.id[:80]!r}")
            fresh.pop(item.id, None)
            fresh[item.id] = item
        return list(fresh.values())

    def keep(self, items: Sequence[Item]) -> None:
        """Hold what `check` returned."""
        for item in items:
            self._items.pop(item.id, None)
            self._items[item.id] = item

    def ask(self, query: str, limit: int) -> int:
        """Check a question; return how many items it can get, 0 where there are none.

        Raises:
            InvalidInput: if the query is blank or no Unicode, or the limit is below 1.
        """
        self.check_open()
        if not check_unicode(query, "the query").strip():
            raise InvalidInput("the query is empty; ask something")
        if limit < 1:
            raise InvalidInput(f"limit must be at least 1, and is {limit}")
        return min(limit, len(self._items))

    def check_open(self) -> None:
        """Raise InvalidInput after `close`."""
        if self._is_closed:
            raise InvalidInput("this baseline is closed; open another")

    def close(self) -> None:
        """Let the items go; calling it twice is allowed."""
        self._is_closed = True
        self._items = {}
