"""The graph of what passages name, kept beside the journal, and the walk from some passages to others.

Passages and phrases are its nodes; an edge says that a passage names a phrase. A phrase that one passage
names alone leads nowhere, so it has no edge until a second passage names it. Phrases of two tenants are
never one node, and a reader walks only on what its scope sees: each set of visible scopes has a graph
of its own, made when it is first asked for and kept up to date from then on.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agentcl.memory.records import Scope
from agentcl.retrieval.graph.adjacency import Adjacency, Ints
from agentcl.retrieval.graph.extraction import Extractor, NameExtractor
from agentcl.retrieval.graph.pagerank import DAMPING, Visits, Walker
from agentcl.retrieval.graph.phrases import normalise
from agentcl.retrieval.index import Change, Entry, Match, Query

_VIEWS: Final = 32  # graphs kept at once, the least used is dropped
_NOBODY: Final = -1
_SEED_SHARE: Final = 0.3  # of a seed's own restarts that count as visits


@dataclass(frozen=True, slots=True)
class Association:
    """One passage that the walk came to."""

    seq: int
    id: str
    share: float  # of the walk's time
    source: int  # seq of the seed that most of it came from directly; its own when it is a seed
    phrase: str  # what both name, as this passage writes it; empty when it came by a longer way


@dataclass(slots=True)
class _Passage:
    """A version of a passage, with the phrases that it names."""

    entry: Entry
    node: int
    phrases: Ints
    ended_at: int | None = None

    def is_live(self, at: int | None) -> bool:
        if at is None:
            return self.ended_at is None
        return self.entry.created_at <= at and (self.ended_at is None or at < self.ended_at)


class _View:
    """The graph of the passages that one set of scopes holds."""

    def __init__(self) -> None:
        self.graph = Adjacency()
        self.walker = Walker(self.graph)
        self._counts = array("i")  # passages that name a phrase, by the phrase's node
        self._alone = array("i")  # the one that does, while it is the only one

    def add(self, passage: _Passage) -> None:
        self._make_room(passage)
        for phrase in passage.phrases.tolist():
            count = self._counts[phrase]
            if count == 0:
                self._alone[phrase] = passage.node
            else:
                if count == 1:
                    self.graph.change(self._alone[phrase], phrase, 1.0)
                self.graph.change(passage.node, phrase, 1.0)
            self._counts[phrase] = count + 1

    def remove(self, passage: _Passage) -> None:
        for phrase in passage.phrases.tolist():
            count = self._counts[phrase]
            if count > 1:
                self.graph.change(passage.node, phrase, -1.0)
            if count == 2:
                (left,) = self.graph.arrays().neighbours(phrase)
                self.graph.change(left, phrase, -1.0)
                self._alone[phrase] = left
            self._counts[phrase] = count - 1

    def build(self, passages: Iterable[_Passage]) -> None:
        """Fill an empty view at once; the same as adding one by one, and faster."""
        held = list(passages)
        for passage in held:
            self._make_room(passage)
        if not held:
            return
        phrases = np.concatenate([passage.phrases for passage in held])
        sizes = [len(passage.phrases) for passage in held]
        nodes = np.repeat(np.array([passage.node for passage in held], np.int32), sizes)
        counts = np.bincount(phrases, minlength=len(self._counts))
        alone = np.full(len(counts), _NOBODY, np.int32)
        alone[phrases] = nodes
        self._counts = array("i", counts.astype(np.int32).tobytes())
        self._alone = array("i", alone.tobytes())
        shared = counts[phrases] > 1
        self.graph = Adjacency.of_edges(
            nodes[shared],
            phrases[shared],
            np.ones(int(shared.sum()), np.float32),
            nodes=len(counts),
        )
        self.walker = Walker(self.graph)

    def _make_room(self, passage: _Passage) -> None:
        last = max(passage.node, int(passage.phrases.max(initial=0)))
        self.graph.reserve(last + 1)
        missing = last + 1 - len(self._counts)
        if missing > 0:
            self._counts.extend([0] * missing)
            self._alone.extend([_NOBODY] * missing)


class GraphIndex:
    """Follows the journal like every index, in this process's memory. Safe for threads.

    Args:
        extractor: finds what a passage names; default: `NameExtractor`, which needs no model.
    """

    name = "graph"

    def __init__(self, extractor: Extractor | None = None) -> None:
        self.extractor = extractor or NameExtractor()
        self._lock = threading.RLock()
        self._watermark = 0
        self._clear()

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            for change in changes:
                if change.seq > self._watermark:
                    self._change(change)
            self._watermark = max(self._watermark, watermark)

    def remove(self, ids: Collection[str]) -> None:
        """Forget every version of these records, and the phrases that nothing else names."""
        with self._lock:
            gone = set(ids)
            if gone.isdisjoint(passage.entry.id for passage in self._passages.values()):
                return
            # Phrases are text of the erased: what is left is built anew, without them.
            kept = [p for p in self._passages.values() if p.entry.id not in gone]
            texts = [(p.entry, p.ended_at, self._named(p)) for p in kept]
            watermark = self._watermark
            self._clear()
            for entry, ended_at, named in texts:
                passage = self._take(entry, named)
                passage.ended_at = ended_at
                if ended_at is None:
                    self._live[entry.id] = passage
            self._watermark = watermark

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live passages."""
        with self._lock:
            return [passage.entry.seq for passage in self._live.values()]

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        with self._lock:
            self._clear()
            for change in changes:
                self._change(change)
            self._watermark = watermark

    def close(self) -> None:
        """Release the graph."""
        with self._lock:
            self._clear()

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the passages that a walk from the names in the query's text visits most."""
        with self._lock:
            view = self._view(query)
            named = {normalise(name) for name in self.extractor.extract("", query.text).phrases}
            tenants = {scope.tenant for scope in self._scopes if query.view.sees(scope)}
            nodes = {
                node: 1.0
                for name in sorted(named)
                for tenant in sorted(tenants)
                if (node := self._words.get((tenant, name), _NOBODY)) >= 0
                and node < view.graph.nodes
            }
            if not nodes:
                return []
            found = self._ranked(query, view.walker.push(nodes), {})
            return [Match(p.entry.seq, p.entry.id, share) for share, p in found[:limit]]

    def associate(
        self, query: Query, seeds: Mapping[int, float], *, limit: int
    ) -> tuple[list[Association], str]:
        """Walk from passages to passages; return those it came to, most visited first.

        Args:
            query: whose scope is walked in, at which moment, and what may be returned. What its
                conditions keep out of the result may still be walked through.
            seeds: seq of the passages where the walk begins, with their shares.
            limit: how many to return.

        Returns:
            The associations, and which way the walk was computed.
        """
        with self._lock:
            known = {
                passage.node: share
                for seq, share in seeds.items()
                if (passage := self._passages.get(seq)) and passage.is_live(query.at)
            }
            view = self._view(query)
            begin = {node: share for node, share in known.items() if node < view.graph.nodes}
            if not begin:
                return [], "no seed"
            visits = view.walker.push(begin)
            total = sum(begin.values())
            restarts = {
                node: (1 - _SEED_SHARE) * (1 - DAMPING) * share / total
                for node, share in begin.items()
            }
            return self._best(query, view, visits, restarts, begin, limit), visits.way

    def edges(self, query: Query) -> Iterable[tuple[int, str, float]]:
        """Return the edges that a query's scope and moment see: seq of a passage, phrase, weight."""
        with self._lock:
            view = self._view(query)
            columns = (column.tolist() for column in view.graph.edges())
            found = []
            for u, v, weight in zip(*columns, strict=True):
                passage, phrase = (u, v) if u in self._by_node else (v, u)
                found.append((self._by_node[passage].entry.seq, self._spelling[phrase], weight))
            return found

    def phrases(self, seq: int) -> list[str]:
        """Return what a passage names, in the form that all spellings share."""
        with self._lock:
            passage = self._passages.get(seq)
            return [] if passage is None else self._named(passage)

    def _clear(self) -> None:
        self._watermark = 0
        self._nodes = 0
        self._words: dict[tuple[str, str], int] = {}  # (tenant, phrase) -> node
        self._spelling: dict[int, str] = {}  # node -> phrase
        self._passages: dict[int, _Passage] = {}  # by seq
        self._by_node: dict[int, _Passage] = {}
        self._live: dict[str, _Passage] = {}  # by id
        self._scopes: dict[Scope, int] = {}
        self._views: OrderedDict[frozenset[int], _View] = OrderedDict()

    def _change(self, change: Change) -> None:
        ended = self._live.pop(change.id, None)
        if ended is not None:
            ended.ended_at = change.at
            for scopes, view in self._views.items():
                if self._scopes[ended.entry.scope] in scopes:
                    view.remove(ended)
        if change.added is not None and change.added.kind == "passage":
            entry = change.added
            title, _, text = entry.text.partition("\n")
            found = self.extractor.extract(*((title, text) if text else ("", title)))
            normal = dict.fromkeys(normalise(phrase) for phrase in found.phrases)
            normal.pop("", None)
            passage = self._take(entry, list(normal))
            self._live[entry.id] = passage
            for scopes, view in self._views.items():
                if self._scopes[entry.scope] in scopes:
                    view.add(passage)

    def _take(self, entry: Entry, named: Sequence[str]) -> _Passage:
        number = self._scopes.setdefault(entry.scope, len(self._scopes))
        if number == len(self._scopes) - 1:
            self._views.clear()  # a scope that views did not know of
        nodes = [self._node(entry.scope.tenant, phrase) for phrase in named]
        passage = _Passage(entry, self._nodes, np.array(nodes, np.int32))
        self._nodes += 1
        self._passages[entry.seq] = passage
        self._by_node[passage.node] = passage
        return passage

    def _node(self, tenant: str, phrase: str) -> int:
        node = self._words.get((tenant, phrase))
        if node is None:
            node = self._nodes
            self._nodes += 1
            self._words[tenant, phrase] = node
            self._spelling[node] = phrase
        return node

    def _named(self, passage: _Passage) -> list[str]:
        return [self._spelling[node] for node in passage.phrases.tolist()]

    def _view(self, query: Query) -> _View:
        scopes = frozenset(n for scope, n in self._scopes.items() if query.view.sees(scope))
        if query.at is None:
            return self._held_view(scopes)
        view = _View()
        view.build(
            passage
            for passage in self._passages.values()
            if passage.is_live(query.at) and self._scopes[passage.entry.scope] in scopes
        )
        return view

    def _held_view(self, scopes: frozenset[int]) -> _View:
        view = self._views.get(scopes)
        if view is None:
            view = _View()
            live = self._live.values()
            view.build(p for p in live if self._scopes[p.entry.scope] in scopes)
            self._views[scopes] = view
            if len(self._views) > _VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(scopes)
        return view

    def _best(
        self,
        query: Query,
        view: _View,
        visits: Visits,
        restarts: Mapping[int, float],
        seeds: Mapping[int, float],
        limit: int,
    ) -> list[Association]:
        found = self._ranked(query, visits, restarts)[:limit]
        degrees = view.graph.arrays().degrees
        direct: dict[int, tuple[float, int]] = {}  # phrase -> the seed that gives it most
        for node, share in seeds.items():
            for phrase in self._by_node[node].phrases.tolist():
                if degrees[phrase] > 0:
                    flow = share / degrees[node] / degrees[phrase]
                    direct[phrase] = max(direct.get(phrase, (0.0, 0)), (flow, node))
        return [self._association(passage, share, direct, seeds) for share, passage in found]

    def _ranked(
        self, query: Query, visits: Visits, restarts: Mapping[int, float]
    ) -> list[tuple[float, _Passage]]:
        """Return what the query lets through, most visited first, `restarts` not counted."""
        found: list[tuple[float, _Passage]] = []
        for node, share in zip(visits.nodes.tolist(), visits.shares.tolist(), strict=True):
            passage = self._by_node.get(node)
            if passage is not None and query.admits(passage.entry):
                share -= restarts.get(node, 0.0)
                if share > 0:
                    found.append((share, passage))
        return sorted(found, key=lambda item: (-item[0], item[1].entry.seq))

    def _association(
        self,
        passage: _Passage,
        share: float,
        direct: Mapping[int, tuple[float, int]],
        seeds: Mapping[int, float],
    ) -> Association:
        seq, phrase = passage.entry.seq, ""
        source = seq if passage.node in seeds else _NOBODY
        ways = [
            (direct[node], node)
            for node in passage.phrases.tolist()
            if node in direct and direct[node][1] != passage.node
        ]
        if ways:
            (_, seed), node = max(ways)
            source, phrase = self._by_node[seed].entry.seq, self._spelling[node]
        return Association(seq, passage.entry.id, share, source, phrase)
