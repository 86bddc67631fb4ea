"""`memory.graph`: what passages name and state, to be looked at: size, neighbours, ways, pictures."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack

from agentcl.errors import InvalidInput, MissingExtra, NotFound, StoreUnavailable
from agentcl.memory.bound import UNBOUND, Bound
from agentcl.memory.facts.drawing import for_graphml, net_of
from agentcl.memory.facts.explanations import Explanation, explain
from agentcl.memory.opened import Opened
from agentcl.memory.outside import check_outside
from agentcl.retrieval.graph.names import NameExtractor
from agentcl.retrieval.index import Query
from agentcl.retrieval.recall import Recall
from agentcl.store.base import Store
from agentcl.store.checks import (
    ReadScope,
    check_a,
    check_count,
    check_micros,
    check_unicode,
)
from agentcl.store.records import Fact, Passage
from agentcl.store.rows import readable
from agentcl.text.paths import check_path
from agentcl.text.saving import is_stream, save_text, saving
from agentcl.text.suggesting import nearest
from agentcl.text.visible import for_json

if TYPE_CHECKING:
    import networkx as nx

    from agentcl.retrieval.graph.contents import HeldPassage
    from agentcl.retrieval.graph.index import GraphIndex
    from agentcl.retrieval.graph.settings import Edges

_DRAWN: Final = 60  # nodes of a picture; more is a cloud
_SUGGESTED: Final = 100_000  # phrases among which a misspelt one is looked for


@dataclass(frozen=True, slots=True)
class GraphStats:
    """The size of a graph."""

    passages: int
    phrases: int  # that some passage names
    shared_phrases: int  # that several name: they hold the graph together
    facts: int  # stored ones
    context_edges: int  # a passage names a phrase
    fact_edges: int  # pairs of phrases that a stored fact joins
    bytes_per_edge: float  # of the arrays that are walked on
    hubs: tuple[tuple[str, int], ...]  # phrases that most passages name, with how many do


@dataclass(frozen=True, slots=True)
class Near:
    """What is one step from a phrase."""

    phrase: str
    passages: tuple[tuple[str, str], ...]  # id and title of those that name it
    facts: tuple[tuple[str, str, str, str], ...]  # subject, predicate, object, id of the passage
    phrases: tuple[tuple[str, int], ...]  # named in the same passages, most often first
    named: tuple[
        tuple[str, str], ...
    ] = ()  # of these: the id of a passage, and a phrase that it names
    same: tuple[str, ...] = ()  # its other names, by `memory.aliases`


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a way: a phrase, or a passage by id and title."""

    kind: str  # "phrase" or "passage"
    name: str  # the phrase, or the passage's title or beginning
    id: str = ""  # the passage's


class Graph:
    """The graph of a memory. Made by `Memory.graph`.

    Each verb looks at the graph as it is now. `view` keeps one moment and one scope for several looks.
    """

    def __init__(self, opened: Opened, bound: Bound = UNBOUND) -> None:
        self._opened = opened
        self._bound = bound

    def view(self, *, as_of: datetime | None = None, **scope: Unpack[ReadScope]) -> GraphView:
        """Return the graph that a scope sees, to be looked at.

        Args:
            as_of: as recorded at this moment.
            scope: `tenant`, `user`, `agent`, `session`; see `Memory`.
        """
        at = check_micros(as_of, "as_of")
        self._opened.retriever.catch_up(mode="graph")
        view = self._bound.view(scope)
        same = self._opened.retriever.aliases.same(view, at)
        query = Query(view=view, at=at, same=same)
        edges = self._opened.graph_settings.edges
        return GraphView(self._opened.retriever.graph.index, self._opened.journal, query, edges)

    def stats(self, *, hubs: int = 10, **scope: Unpack[ReadScope]) -> GraphStats:
        """Return its size, and the phrases that most passages name."""
        return self.view(**scope).stats(hubs=hubs)

    def near(self, phrase: str, *, limit: int = 20, **scope: Unpack[ReadScope]) -> Near:
        """Return what is one step from a phrase. Raises NotFound."""
        return self.view(**scope).near(phrase, limit=limit)

    def path(self, start: str, end: str, **scope: Unpack[ReadScope]) -> tuple[Node, ...]:
        """Return a shortest way from one phrase to another. Raises NotFound."""
        return self.view(**scope).path(start, end)

    def networkx(self, **scope: Unpack[ReadScope]) -> nx.MultiGraph[str]:
        """Return the graph for networkx; see `GraphView.networkx`. Raises MissingExtra."""
        return self.view(**scope).networkx()

    def export(self, path: str | os.PathLike[str], **scope: Unpack[ReadScope]) -> int:
        """Write the graph to a .graphml or .json file; return how many edges it has."""
        return self.view(**scope).export(path)

    def draw(
        self,
        path: str | os.PathLike[str],
        *,
        phrase: str | None = None,
        recall: Recall | None = None,
        **scope: Unpack[ReadScope],
    ) -> int:
        """Write a picture of what is near a phrase, or of how a search came to its hits.

        `GraphView.draw` says more.
        """
        return self.view(**scope).draw(path, phrase=phrase, recall=recall)

    def explain(self, recall: Recall) -> Sequence[Explanation]:
        """Return for each hit the chain that led to it: the question, facts, phrases, passages.

        A passage that the question itself found begins its own chain. Between two passages stands the
        phrase that both name, with the fact of each that says it, if one does.

        Args:
            recall: the result of a search with `mode="graph"`.
        """
        return explain(check_a(recall, Recall, "recall"), self._opened.journal, NameExtractor())


class GraphView:
    """The graph that one scope sees at one moment. Made by `Graph.view`.

    Args:
        index: the graph, up to date.
        journal: where texts and facts are.
        query: which scope looks, at which moment.
        edges: which edges it has.
    """

    def __init__(self, index: GraphIndex, journal: Store, query: Query, edges: Edges) -> None:
        self._index = index
        self._journal = journal
        self._query = query
        self._edges = edges

    def stats(self, *, hubs: int = 10) -> GraphStats:
        """Return its size, and the phrases that most passages name."""
        with self._index.lock:
            view = self._index.view(self._query, self._edges)
            counts = {n: view.passages_naming(n) for n in self._index.contents.spelling}
            named = {node: count for node, count in counts.items() if count}
            hubs = check_count(hubs, "hubs", least=0)
            best = sorted(named, key=lambda n: (-named[n], self._index.contents.spelling[n]))[:hubs]
            pairs = {tuple(sorted(pair)) for _, pair in self._fact_pairs() if len(set(pair)) == 2}
            return GraphStats(
                passages=sum(1 for _ in self._passages()),
                phrases=len(named),
                shared_phrases=sum(count > 1 for count in named.values()),
                facts=sum(1 for _ in self._fact_pairs()),
                context_edges=sum(named.values()),
                fact_edges=len(pairs),
                bytes_per_edge=view.graph.bytes / max(1, view.graph.edge_count),
                hubs=tuple((self._index.contents.spelling[n], named[n]) for n in best),
            )

    def near(self, phrase: str, *, limit: int = 20) -> Near:
        """Return what is one step from a phrase.

        Raises:
            NotFound: if no passage names it; with the phrases that are spelt like it.
        """
        limit = check_count(limit, "limit", least=0)
        with self._index.lock:
            nodes = set(self._nodes(phrase))
            passages: list[tuple[str, str]] = []
            others: dict[str, list[str]] = {}  # by phrase, the passages that name it too
            facts: list[int] = []
            for passage in self._passages():
                view = self._index.view(self._query, self._edges)
                phrases = view.phrases_of(passage.node)
                if nodes.isdisjoint(phrases):
                    continue
                passages.append((passage.entry.id, str(passage.entry.fields["title"])))
                for other in phrases:
                    if other not in nodes:
                        name = self._index.contents.spelling[other]
                        others.setdefault(name, []).append(passage.entry.id)
                facts += [
                    fact.seq
                    for fact in self._index.contents.facts.of(passage.entry.id, self._query.at)
                    if {view.one(fact.subject), view.one(fact.object)} & nodes
                ]
            spelt = self._index.contents.spelling[min(nodes)]
            same = sorted({n for _, names in self._query.same if spelt in names for n in names})
        best = sorted(others, key=lambda name: (-len(others[name]), name))[:limit]
        shown = passages[:limit]
        ids = {id for id, _ in shown}
        return Near(
            spelt,
            tuple(shown),
            tuple(self._stated(facts[:limit])),
            tuple((name, len(others[name])) for name in best),
            tuple((id, name) for name in best for id in others[name] if id in ids),
            tuple(name for name in same if name != spelt),
        )

    def path(self, start: str, end: str) -> tuple[Node, ...]:
        """Return a shortest way from one phrase to another, over the passages that name both ends.

        Raises:
            NotFound: if a phrase is unknown, or nothing leads from one to the other.
        """
        with self._index.lock:
            view = self._index.view(self._query, self._edges)
            targets = set(self._nodes(end))
            before: dict[int, int | None] = dict.fromkeys(self._nodes(start))
            # A phrase that one passage names has no edge to it, so ways go over what passages name.
            coming = deque(before)
            while coming:
                node = coming.popleft()
                if node in targets:
                    return self._way(before, node)
                only = view.only_passage_naming(node)
                near = [*view.phrases_of(node), *view.graph.arrays().neighbours(node)]
                for other in near if only is None else [*near, only]:
                    if other not in before:
                        before[other] = node
                        coming.append(other)
        raise NotFound(f"nothing leads from {start!r} to {end!r} in this scope")

    def networkx(self, *, passages: Iterable[str] | None = None) -> nx.MultiGraph[str]:
        """Return the graph for networkx, for every kind of analysis and exchange.

        Nodes are passage ids and phrases, with `kind` and `name`; edges have `kind` ("context" or
        "fact"), `weight`, `passages` (ids, comma-separated, of those that support it) and facts also
        `predicate`.

        Args:
            passages: only what these passages (by id) name and state.

        Raises:
            MissingExtra: if networkx is not installed.
        """
        try:
            import networkx as nx
        except ImportError as error:
            raise MissingExtra("graph exports and pictures", "graph") from error
        wanted = None if passages is None else set(passages)
        graph: nx.MultiGraph[str] = nx.MultiGraph()
        facts: dict[tuple[str, str, str], list[str]] = {}
        with self._index.lock:
            view = self._index.view(self._query, self._edges)
            contents = self._index.contents
            chosen = [p for p in self._passages() if wanted is None or p.entry.id in wanted]
            normal: dict[int, tuple[str, str]] = {}  # by the fact's seq
            for passage in chosen:
                id = passage.entry.id
                graph.add_node(id, kind="passage", name=str(passage.entry.fields["title"]) or id)
                for node in view.phrases_of(passage.node):
                    phrase = contents.spelling[node]
                    graph.add_node(f"phrase:{phrase}", kind="phrase", name=phrase)
                    graph.add_edge(id, f"phrase:{phrase}", kind="context", weight=1.0, passages=id)
                for fact in contents.facts.of(id, self._query.at):
                    subject, object_ = contents.spelled(map(view.one, (fact.subject, fact.object)))
                    normal[fact.seq] = subject, object_
        stated = self._stated(list(normal))
        for (subject, object_), (_, predicate, _, id) in zip(normal.values(), stated, strict=True):
            facts.setdefault((subject, predicate, object_), []).append(id)
        for (subject, predicate, object_), ids in facts.items():
            for phrase in (subject, object_):
                graph.add_node(f"phrase:{phrase}", kind="phrase", name=phrase)
            graph.add_edge(
                f"phrase:{subject}",
                f"phrase:{object_}",
                kind="fact",
                predicate=predicate,
                weight=float(len(ids)),
                passages=",".join(ids),
            )
        return graph

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write the graph to a .graphml or .json file (node-link); return how many edges it has.

        A pipe or device without such a name gets JSON.
        GraphML is XML, which cannot hold control characters. Their pictures stand for them there (U+2400).

        Raises:
            InvalidInput: if the file's name ends otherwise, or it would lie in the memory's own folder.
            StoreUnavailable: if it cannot be written.
        """
        target = check_path(path)
        suffix = _suffix(target, stream=".json")
        if suffix not in (".graphml", ".json"):
            raise InvalidInput(f"{target.name}: a graph is exported as .graphml or .json")
        check_outside(target, self._journal.folder)
        graph = self.networkx()
        import networkx as nx

        try:
            with saving(target) as file:
                if suffix == ".graphml":
                    nx.write_graphml(for_graphml(graph), file)
                else:
                    data = nx.node_link_data(graph, edges="edges")
                    file.write(for_json(json.dumps(data, ensure_ascii=False)).encode())
        except OSError as error:
            raise StoreUnavailable(f"cannot write {target}: {error.strerror or error}") from error
        return int(graph.number_of_edges())

    def draw(
        self,
        path: str | os.PathLike[str],
        *,
        phrase: str | None = None,
        recall: Recall | None = None,
    ) -> int:
        """Write a picture of what is near a phrase, or of how a search came to its hits.

        Args:
            path: an .html file (it needs nothing else to be looked at) or .svg. A pipe or device without
                such a name gets SVG.
            phrase: the middle of the picture.
            recall: the result of a search with `mode="graph"`.

        Returns:
            How many nodes it shows; at most 60, the best connected.

        Raises:
            InvalidInput: if neither or both are given, or the file's name ends otherwise.
            NotFound: if no passage names the phrase.
            MissingExtra: if networkx is not installed.
            StoreUnavailable: if the file cannot be written.
        """
        target = check_path(path)
        suffix = _suffix(target, stream=".svg")
        if suffix not in (".html", ".svg"):
            raise InvalidInput(f"{target.name}: a picture is an .html or .svg file")
        if (phrase is None) == (recall is None):
            raise InvalidInput(
                "a picture shows either a phrase or what a search found; give one of them (--phrase or --query, phrase= or recall=)"
            )
        check_outside(target, self._journal.folder)
        hits: set[str] = set()
        if recall is not None:
            hits = {hit.id for hit in check_a(recall, Recall, "recall")}
            links = [part.link for hit in recall for part in hit.parts if part.link]
            ids = [*hits, *(id for link in links for id, _ in link.steps)]
            kept = {f"phrase:{name}" for link in links for _, name in link.steps}
            title = recall.query
        else:
            assert phrase is not None
            near = self.near(phrase)
            ids = [id for id, _ in near.passages]
            kept = {f"phrase:{near.phrase}"}
            title = near.phrase
        graph = self.networkx(passages=ids)
        degree = dict(graph.degree())
        best = sorted(
            graph, key=lambda n: (n not in hits, n not in kept, n not in ids, -degree[n], n)
        )
        # A phrase of one of these passages alone joins nothing.
        shown = [n for n in best if n in ids or n in kept or degree[n] > 1][:_DRAWN]
        picture = net_of(graph.subgraph(shown), hits, title)
        try:
            save_text(target, picture.page() if suffix == ".html" else picture.file())
        except OSError as error:
            raise StoreUnavailable(f"cannot write {target}: {error.strerror or error}") from error
        return len(shown)

    def _passages(self) -> Iterator[HeldPassage]:
        at, sees = self._query.at, self._query.view.sees
        for passage in self._index.contents.passages.values():
            if passage.is_live(at) and sees(passage.entry.scope):
                yield passage

    def _fact_pairs(self) -> Iterator[tuple[int, tuple[int, int]]]:
        view = self._index.view(self._query, self._edges)
        for passage in self._passages():
            for fact in self._index.contents.facts.of(passage.entry.id, self._query.at):
                yield fact.seq, (view.one(fact.subject), view.one(fact.object))

    def _stated(self, seqs: Sequence[int]) -> list[tuple[str, str, str, str]]:
        rows = self._journal.rows(seqs)
        found = []
        for seq in seqs:
            for fact in readable([rows[seq]] if seq in rows else ()):
                assert isinstance(fact, Fact)
                found.append((fact.subject, fact.predicate, fact.object, fact.passage_id))
        return found

    def _nodes(self, phrase: str) -> list[int]:
        check_unicode(phrase, "a phrase")
        contents = self._index.contents
        view = self._index.view(self._query, self._edges)
        tenants = {scope.tenant for scope in contents.scopes if self._query.view.sees(scope)}
        found = contents.find(phrase, tenants, self._query.same)
        nodes = dict.fromkeys(n for n in map(view.one, found) if view.passages_naming(n))
        if nodes:
            return [*nodes]
        seen = [s for n, s in contents.spelling.items() if view.passages_naming(n)][:_SUGGESTED]
        near = nearest(phrase.casefold(), seen, most=3)
        meant = f"; spelt like it: {', '.join(near)}" if near else ""
        raise NotFound(f"no passage that this scope sees names {phrase!r}{meant}")

    def _way(self, before: dict[int, int | None], node: int) -> tuple[Node, ...]:
        way: list[int] = []
        place: int | None = node
        while place is not None:
            way.append(place)
            place = before[place]
        return tuple(self._node(n) for n in reversed(way))

    def _node(self, node: int) -> Node:
        passage = self._index.contents.by_node.get(node)
        if passage is None:
            return Node("phrase", self._index.contents.spelling[node])
        name = str(passage.entry.fields["title"])
        if not name:
            rows = self._journal.rows([passage.entry.seq]).values()
            names = (one.text[:60] for one in readable(rows) if isinstance(one, Passage))
            name = next(names, passage.entry.id)
        return Node("passage", name, passage.entry.id)


def _suffix(path: Path, *, stream: str) -> str:
    """Return how a file's name ends, which says what it is; a stream that has no such name is `stream`."""
    return path.suffix or (stream if is_stream(path) else "")
