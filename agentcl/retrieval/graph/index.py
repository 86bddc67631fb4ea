"""The graph of what passages name and state, kept beside the journal, and the walk on it.

Passages and phrases are its nodes. A context edge says that a passage names a phrase; fact edges join
the two phrases of a fact, synonym edges those that mean the same, where the settings ask for them.
Phrases of two tenants are never one node, and a reader walks only on what its scope sees: each set of
visible scopes has a graph of its own, made when it is first asked for and kept up to date from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from agentcl.retrieval.graph import snapshot
from agentcl.retrieval.graph.contents import Contents
from agentcl.retrieval.graph.names import Extractor, NameExtractor
from agentcl.retrieval.graph.pagerank import Visits
from agentcl.retrieval.graph.routes import Routes
from agentcl.retrieval.graph.settings import Edges, GraphSettings
from agentcl.retrieval.graph.synonyms import Encode
from agentcl.retrieval.graph.view import View
from agentcl.retrieval.graph.views import Views
from agentcl.retrieval.index import Change, Match, Query

_BATCH: Final = 200  # changes after which a graph that is being filled is brought up to date
_KEEP_FROM: Final = 500  # rows of the journal: to read so few again takes no time
_KEEP_SHARE: Final = 0.02  # of all
_SEED_SHARE: Final = 0.3  # of a seed's own restarts that count as visits


class Association(NamedTuple):
    """One passage that the walk came to."""

    seq: int
    id: str
    share: float  # of the walk's time
    rank: int  # 1 for the passage that is visited most


# The shortest way from a seed to a passage: the id of a passage, and the phrase that it shares with the next
# one, at last with the passage itself. Empty for a seed that no other leads to.
Steps = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk came to, most visited first, and how it was computed."""

    found: tuple[Association, ...]
    way: str  # "push, compiled", "sweeps, numpy", ...; "no seed" when there was nowhere to begin
    steps_to: Callable[[int], Steps] = lambda seq: ()  # the way to a passage, by its seq


class GraphIndex:
    """Follows the journal like every index, in this process's memory. Safe for threads.

    Args:
        extractor: finds what a passage's text names; default: `NameExtractor`, which needs no model.
        encode: gives vectors of phrases; asked only where synonym edges are.
        folder: where the graph is kept between two runs; default: nowhere.
        mode: of its file there; default: as the umask leaves it.
    """

    name = "graph"

    def __init__(
        self,
        extractor: Extractor | None = None,
        encode: Encode | None = None,
        folder: Path | None = None,
        mode: int | None = None,
    ) -> None:
        self._mode = mode
        self.extractor = extractor or NameExtractor()
        self._encode = encode
        self._file = None if folder is None else folder / snapshot.FILE
        self._lock = threading.RLock()
        self._watermark = 0
        self._clear()
        kept = None if self._file is None else snapshot.load(self._file, self.extractor)
        if kept is not None:
            self.contents, self._watermark = kept
            self._views = Views(self.contents, encode)
        self._kept_at = self._watermark

    def watermark(self) -> int:
        """Return the number of the last change applied."""
        return self._watermark

    def apply(self, changes: Sequence[Change], *, watermark: int, since: int = 0) -> None:
        """Apply changes and move the watermark."""
        with self._lock:
            if since <= self._watermark:
                self._apply(change for change in changes if change.seq > self._watermark)
                self._watermark = max(self._watermark, watermark)

    def remove(self, ids: Collection[str]) -> None:
        """Forget everything if it knows one of these records: phrases are text of the erased.

        The watermark is 0 then, by which the owner sees that the graph must be built anew.
        """
        with self._lock:
            self.discard()
            self._views.drop_joined()
            if self.contents.knows(ids):
                self._clear()

    def clear(self) -> None:
        """Do nothing: `remove` took the file away."""

    def live_seqs(self) -> Iterable[int]:
        """Return the numbers of all live passages, facts and readings."""
        with self._lock:
            held = [held.entry.seq for held in self.contents.live.values()]
            return [*held, *self.contents.facts.live_seqs()]

    def rebuild(self, changes: Iterable[Change], *, watermark: int) -> None:
        """Forget everything, then apply `changes`."""
        with self._lock:
            self._clear()
            self._apply(changes)
            self._watermark = watermark
            self._kept_at = 0

    def close(self) -> None:
        """Release the graph; calling it twice is allowed."""
        with self._lock:
            self._clear()

    def keep(self) -> bool:
        """Write the graph to its file if much of it is new; return whether that was done."""
        with self._lock:
            new = self._watermark - self._kept_at
            if self._file is None or new <= max(_KEEP_FROM, _KEEP_SHARE * self._watermark):
                return False
            snapshot.save(self._file, self.contents, self._watermark, mode=self._mode)
            self._kept_at = self._watermark
            return True

    def read_names(self, progress: Callable[[float], None]) -> None:
        """Find what all texts name, which is otherwise done when it is asked for."""
        with self._lock:
            self.contents.read_texts(progress)

    def discard(self) -> None:
        """Take the file away."""
        if self._file is not None:
            snapshot.delete(self._file)
        self._kept_at = 0

    def search(self, query: Query, *, limit: int) -> list[Match]:
        """Return the passages that a walk from the names in the query's text visits most."""
        with self._lock:
            view = self.view(query, Edges())
            tenants = {s.tenant for s in self.contents.scopes if query.view.sees(s)}
            named = self.extractor.extract("", query.text).phrases
            nodes = {
                node: 1.0
                for name in sorted(named)
                for node in map(view.one, self.contents.find(name, tenants, query.same))
                if view.passages_naming(node)
            }
            seeds = self._rooted(view, nodes)
            if not seeds:
                return []
            found = self._ranked(query, view.walker.push(seeds), {}, limit)
            return [Match(one.seq, one.id, one.share) for one in found]

    def associate(
        self,
        query: Query,
        seeds: Mapping[int, float],
        *,
        limit: int,
        among: Collection[int] = (),
        facts: Mapping[int, float] | None = None,
        settings: GraphSettings | None = None,
    ) -> Walk:
        """Walk from passages, and from the phrases of facts, to passages.

        Args:
            query: whose scope is walked in, at which moment, and what may be returned. What its
                conditions keep out of the result may still be walked through.
            seeds: seq of the passages where the walk begins, with their shares.
            limit: how many to return besides.
            among: seq of passages that are returned in any case, if the walk came there; they are known
                to be admitted.
            facts: seq of the facts that the question is linked to, with their shares.
            settings: how to walk.
        """
        settings = settings or GraphSettings()
        with self._lock:
            view = self.view(query, settings.edges)
            begin = self._passage_seeds(query, view, seeds)
            phrases = self._phrase_seeds(query, view, facts or {})
            mixed = _mixed(begin, phrases, settings.phrase_share)
            if not mixed:
                return Walk((), "no seed")
            visits = view.walker.push(mixed, damping=settings.damping, tolerance=settings.tolerance)
            restarts = {
                node: (1 - _SEED_SHARE) * (1 - settings.damping) * share
                for node, share in mixed.items()
                if node in begin
            }
            return self._walked(query, view, visits, restarts, begin, limit, among)

    def walk_everywhere(
        self,
        query: Query,
        passages: Mapping[int, float],
        facts: Mapping[int, float],
        *,
        settings: GraphSettings,
        limit: int,
        phrases_kept: int,
    ) -> Walk:
        """Walk as HippoRAG 2 does: restarts at every passage and at the phrases of linked facts.

        A phrase is given the mean share of its facts, divided by the number of passages that name it,
        and the best few phrases are kept (arXiv 2502.14802, section 3.4, with the constants of its
        published code). Passages and phrases are not brought to a common scale.
        """
        with self._lock:
            view = self.view(query, settings.edges)
            restarts = np.zeros((view.graph.nodes, 1))
            for node, share in self._passage_seeds(query, view, passages).items():
                restarts[node, 0] = share
            given: dict[int, list[float]] = {}
            for seq, share in facts.items():
                fact = self.contents.facts.get(seq, query.at)
                for node in map(view.one, (fact.subject, fact.object) if fact else ()):
                    given.setdefault(node, []).append(share / max(1, view.passages_naming(node)))
            means = {node: sum(shares) / len(shares) for node, shares in given.items()}
            best = sorted(means, key=lambda node: (-means[node], node))[:phrases_kept]
            for node in best:
                restarts[node, 0] += means[node]
            if not restarts.any():
                return Walk((), "no seed")
            shares = view.walker.sweep(restarts, damping=settings.damping)[:, 0]
            reached = np.flatnonzero(shares).astype(np.int32)
            visits = Visits(reached, shares[reached], view.walker.sweeping)
            return self._walked(query, view, visits, {}, {}, limit)

    def edges(self, query: Query, edges: Edges | None = None) -> Iterable[tuple[str, str, float]]:
        """Return the edges that a query's scope and moment see: two nodes and the weight.

        A passage is named "#" and its number in the journal, a phrase by itself.
        """
        with self._lock:
            columns = (
                column.tolist() for column in self.view(query, edges or Edges()).graph.edges()
            )
            found = [
                (*sorted((self._named(u), self._named(v))), weight)
                for u, v, weight in zip(*columns, strict=True)
            ]
            return [(u, v, weight) for u, v, weight in found]

    def phrases(self, seq: int, edges: Edges | None = None) -> list[str]:
        """Return what a passage names now, in the form that all spellings share."""
        with self._lock:
            passage = self.contents.passages.get(seq)
            if passage is None:
                return []
            return self.contents.spelled(
                self.contents.part(passage, edges or Edges(), None).phrases.tolist()
            )

    def view(self, query: Query, edges: Edges) -> View:
        """Return the graph that a query's scope and moment see. The caller holds the lock."""
        return self._views.of(query, edges)

    @property
    def lock(self) -> threading.RLock:
        """Held by whoever reads `contents` or a view."""
        return self._lock

    def _clear(self) -> None:
        self._watermark = 0
        self.contents = Contents(self.extractor)
        self._views = Views(self.contents, self._encode)

    def _apply(self, changes: Iterable[Change]) -> None:
        iterator = iter(changes)
        while some := list(islice(iterator, _BATCH)):
            self._views.drop_past()  # what is erased, or ends later than it was recorded, changes it
            scopes = len(self.contents.scopes)
            concerned: dict[str, None] = {}
            for change in some:
                for id in self.contents.change(change):
                    concerned[id] = None
            if len(self.contents.scopes) > scopes:
                self._views.drop()  # a scope that they did not know of
            self._views.refresh(concerned)

    def _passage_seeds(
        self, query: Query, view: View, seeds: Mapping[int, float]
    ) -> dict[int, float]:
        found: dict[int, float] = {}
        for seq, share in seeds.items():
            passage = self.contents.passages.get(seq)
            if passage and passage.is_live(query.at) and passage.node < view.graph.nodes:
                found[passage.node] = share
        return found

    def _phrase_seeds(
        self, query: Query, view: View, facts: Mapping[int, float]
    ) -> dict[int, float]:
        given: dict[int, float] = {}
        for seq, share in facts.items():
            fact = self.contents.facts.get(seq, query.at)
            if fact is None:
                continue
            for node in {view.one(fact.subject), view.one(fact.object)}:
                if count := view.passages_naming(node):
                    given[node] = given.get(node, 0.0) + share / count
        return self._rooted(view, given)

    def _rooted(self, view: View, phrases: Mapping[int, float]) -> dict[int, float]:
        """Give the share of a phrase without edges to the one passage that names it."""
        found: dict[int, float] = {}
        degrees = view.graph.arrays().degrees
        for phrase, share in phrases.items():
            only = view.only_passage_naming(phrase) if degrees[phrase] <= 0 else None
            node = phrase if only is None else only
            found[node] = found.get(node, 0.0) + share
        return found

    def _named(self, node: int) -> str:
        passage = self.contents.by_node.get(node)
        return self.contents.spelling[node] if passage is None else f"#{passage.entry.seq}"

    def _walked(
        self,
        query: Query,
        view: View,
        visits: Visits,
        restarts: Mapping[int, float],
        seeds: Mapping[int, float],
        limit: int,
        among: Collection[int] = (),
    ) -> Walk:
        found = tuple(self._ranked(query, visits, restarts, limit, among))
        routes = Routes(view, seeds)
        mark = self._watermark

        def steps_to(seq: int) -> Steps:
            with self._lock:
                if self._watermark != mark:
                    return ()  # the graph is another one by now
                contents = self.contents
                passage = contents.passages.get(seq)
                if passage is None:
                    return ()  # it was found otherwise
                return tuple(
                    (contents.by_node[node].entry.id, contents.spelling[phrase])
                    for node, phrase in routes.to(passage.node)
                )

        return Walk(found, visits.way, steps_to)

    def _ranked(
        self,
        query: Query,
        visits: Visits,
        restarts: Mapping[int, float],
        limit: int,
        among: Collection[int] = (),
    ) -> list[Association]:
        """Return what the query lets through, most visited first, `restarts` not counted.

        Besides the passages `among`, wherever they rank, that is the best `limit`.
        """
        contents = self.contents
        seq_of = np.frombuffer(contents.seq_of, np.int64)
        seqs = seq_of[visits.nodes]
        passages = np.flatnonzero(seqs)
        passages = passages[np.argsort(seqs[passages])]
        seqs, shares = seqs[passages], visits.shares[passages]
        if restarts:
            origins = np.searchsorted(seqs, seq_of[[*restarts]])
            shares[origins] -= np.array([*restarts.values()])
        # Ties break by seq, as in every ranking. Rounded, since sums over the same edges in another order
        # differ in their last digits.
        shares = np.round(shares, 13)
        order = np.argsort(-shares, kind="stable")
        order = order[: int(np.count_nonzero(shares > 0))]
        is_wanted = np.isin(seqs, [*among])[order]
        seqs, shares = seqs[order], shares[order]
        places = np.flatnonzero(is_wanted).tolist()
        left = limit
        for place in np.flatnonzero(~is_wanted):
            if not left:
                break
            if query.admits(contents.passages[int(seqs[place])].entry):
                places.append(int(place))
                left -= 1
        places.sort()
        return [
            Association(seq, contents.passages[seq].entry.id, share, place + 1)
            for place, seq, share in zip(
                places, seqs[places].tolist(), shares[places].tolist(), strict=True
            )
        ]


def _mixed(
    passages: Mapping[int, float], phrases: Mapping[int, float], phrase_share: float
) -> dict[int, float]:
    """Return both as one distribution, of which phrases have their share whenever there are any."""
    if not passages or not phrases:
        phrase_share = 0.0 if passages else 1.0
    mixed: dict[int, float] = {}
    for part, share in ((passages, 1 - phrase_share), (phrases, phrase_share)):
        total = sum(part.values())
        for node, mass in part.items():
            if share > 0 and mass > 0:
                mixed[node] = mixed.get(node, 0.0) + share * mass / total
    return mixed
