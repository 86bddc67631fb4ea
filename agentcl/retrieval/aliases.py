"""Names of which somebody said that they are one thing's: those that a reader sees, and a question's words with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agentcl.retrieval.graph.phrases import normalise
from agentcl.retrieval.index import Query, Same
from agentcl.store.base import Store
from agentcl.store.records import Alias, ScopeView
from agentcl.store.rows import readable
from agentcl.text.terms import terms

_PREFIX: Final = "names: "  # of every key, by which the journal finds them without reading the rest
_EVERYBODY: Final = ScopeView(None, None, None, None)


def alias_key(name: str, other: str) -> str:
    """Return the natural key of two names that are one; the same in either order."""
    return _PREFIX + " = ".join(sorted((normalise(name), normalise(other))))


class KnownAliases:
    """The aliases of a journal, read again when some of them changed. Safe for threads.

    Args:
        journal: where they are.
    """

    def __init__(self, journal: Store) -> None:
        self._journal = journal
        self._mark = 0
        self._live: tuple[Alias, ...] = ()

    def follow(self, last: int) -> None:
        """Take up what the journal says of them until its row `last`."""
        mark = self._mark
        if mark == last:
            return
        if not 0 < mark < last or any(self._journal.since(mark, kinds=(Alias.kind,))):
            self._live = tuple(self._journal.records(Alias, view=_EVERYBODY, prefix=_PREFIX))
        self._mark = last

    def same(self, view: ScopeView, at: int | None = None) -> Same:
        """Return which names are one for a reader, at a moment (microseconds since 1970); None: now."""
        if at is None:
            return joined(one for one in self._live if view.sees(one.scope))
        rows = self._journal.live(view=view, kinds=(Alias.kind,), at=at, prefix=_PREFIX)
        return joined(one for one in readable(rows) if isinstance(one, Alias))


def joined(aliases: Iterable[Alias]) -> Same:
    """Return the names of each thing: what is one with a third is one with each other too, within a tenant."""
    groups: dict[tuple[str, str], set[str]] = {}
    for one in aliases:
        tenant, names = one.scope.tenant, {normalise(one.name), normalise(one.other)}
        for name in tuple(names):
            names |= groups.get((tenant, name), set())
        groups.update(((tenant, name), names) for name in names)
    return tuple(sorted({(tenant, tuple(sorted(names))) for (tenant, _), names in groups.items()}))


def worded(query: Query) -> str:
    """Return a question's text, and behind it the other names of what it names."""
    if not query.same:
        return query.text
    asked = _spaced(query.text)
    more: dict[str, None] = {}
    for _, names in query.same:
        found = [name for name in names if (words := _spaced(name)).strip() and words in asked]
        if found:
            more.update((name, None) for name in names if name not in found)
    return " ".join((query.text, *more))


def _spaced(text: str) -> str:
    return f" {' '.join(terms(text))} "
