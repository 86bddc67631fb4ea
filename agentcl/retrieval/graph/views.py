"""The graphs of one memory that readers see: each made when it is first asked for, and kept up to date."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from agentcl.retrieval.graph.contents import Contents, HeldPassage
from agentcl.retrieval.graph.settings import Edges
from agentcl.retrieval.graph.synonyms import Encode, Synonyms
from agentcl.retrieval.graph.view import PassagePart, View
from agentcl.retrieval.index import Query, Same

_PAST_VIEWS: Final = 4
_VIEWS: Final = 32  # graphs kept at once, the least used is dropped
_Seen = tuple[
    frozenset[int], Edges, Same
]  # the numbers of scopes, the edges, and names that are one


class Views:
    """The views of some contents. Not safe for threads: the owner takes turns.

    Args:
        contents: what passages name and state.
        encode: gives vectors of phrases; asked only where synonym edges are.
    """

    def __init__(self, contents: Contents, encode: Encode | None) -> None:
        self._contents = contents
        self._encode = encode
        self._now: OrderedDict[_Seen, View] = OrderedDict()
        self._past: dict[tuple[_Seen, int], View] = {}
        self._synonyms: dict[float, tuple[Synonyms, int]] = {}  # by threshold; nodes seen

    def of(self, query: Query, edges: Edges) -> View:
        """Return the graph that a query's scope and moment see."""
        numbers = self._contents.scopes.items()
        scopes = frozenset(number for scope, number in numbers if query.view.sees(scope))
        seen = scopes, edges, query.same
        if query.at is None:
            return self._held(seen)
        past = seen, query.at
        if past not in self._past:
            while len(self._past) >= _PAST_VIEWS:
                self._past.pop(next(iter(self._past)))
            self._past[past] = self._built(seen, query.at)
        return self._past[past]

    def drop_past(self) -> None:
        """Let go of all past moments."""
        self._past.clear()

    def drop(self) -> None:
        """Let go of all views."""
        self._past.clear()
        self._now.clear()

    def drop_joined(self) -> None:
        """Let go of views in which some names are one: they hold these names."""
        self._now = OrderedDict((key, one) for key, one in self._now.items() if not one.same)
        self._past = {key: one for key, one in self._past.items() if not one.same}

    def refresh(self, ids: Iterable[str]) -> None:
        """Bring the graphs of now up to date with what passages name now."""
        # All parts before any synonym: a text that is read for its part brings phrases.
        parts = [(seen, id, self._part(seen, id)) for seen in self._now for id in ids]
        for threshold in self._synonyms:
            self._partners(threshold)
        for seen in [*self._now]:
            if seen[2] and self._contents.same(seen[2]) != self._now[seen].same:
                del self._now[seen]  # a name that no passage named before
        for seen, id, found in parts:
            view = self._now.get(seen)
            if view is None:
                continue
            node = view.node_of.get(id)
            if found is not None and node == found[0] and view.holds(*found):
                continue
            if node is not None:
                view.remove(id)
            if found is not None:
                view.add(id, *found)

    def _part(self, seen: _Seen, id: str) -> tuple[int, PassagePart] | None:
        """Return the node of a live passage and what it brings to a graph; None if it is not in it."""
        scopes, edges, _ = seen
        passage = self._contents.live.get(id)
        if not isinstance(passage, HeldPassage):
            return None
        if self._contents.scopes[passage.entry.scope] not in scopes:
            return None
        return passage.node, self._contents.part(passage, edges, None)

    def _held(self, seen: _Seen) -> View:
        view = self._now.get(seen)
        if view is None:
            view = self._now[seen] = self._built(seen, None)
            if len(self._now) > _VIEWS:
                self._now.popitem(last=False)
        self._now.move_to_end(seen)
        return view

    def _built(self, seen: _Seen, at: int | None) -> View:
        scopes, edges, same = seen
        parts = [
            (passage.entry.id, passage.node, self._contents.part(passage, edges, at))
            for passage in self._contents.passages.values()
            if passage.is_live(at) and self._contents.scopes[passage.entry.scope] in scopes
        ]
        threshold = edges.synonymy_threshold
        partners = None if threshold is None else self._partners(threshold)
        view = View(edges, partners, self._contents.same(same))
        view.build(parts)
        return view

    def _partners(self, threshold: float) -> Synonyms:
        """Return the synonyms at a threshold, every phrase compared."""
        if self._encode is None:
            raise ValueError("a graph with synonym edges needs a way to encode phrases")
        synonyms, seen = self._synonyms.get(threshold, (Synonyms(self._encode, threshold), 0))
        spelling = self._contents.spelling
        new = {n: spelling[n] for n in range(seen, self._contents.nodes) if n in spelling}
        synonyms.extend(new, self._contents.tenant_of)
        self._synonyms[threshold] = synonyms, self._contents.nodes
        return synonyms
