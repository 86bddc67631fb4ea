"""The graph of the passages that one set of scopes holds, kept up to date passage by passage."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval.graph.adjacency import Adjacency, Ints, Weights
from agentcl.retrieval.graph.pagerank import Walker
from agentcl.retrieval.graph.settings import Edges
from agentcl.retrieval.graph.synonyms import Synonyms

_NOBODY: Final = -1
_STEPS: Final = 1_024  # of a synonym's weight, to 1
NO_PAIRS: Final[Ints] = np.empty((0, 2), np.int32)


class PassagePart(NamedTuple):
    """What one passage brings to a graph."""

    phrases: Ints  # nodes that it names, each once, with those of its facts
    pairs: Ints  # shape (facts, 2): nodes of subject and object; once for each fact


class View:
    """A graph that equals the one built from what it holds, whatever was added and removed before.

    Args:
        edges: which edges it has.
        partners: the synonyms, where it has edges between them.
        same: of phrases that are another one's name, the node of that one.
    """

    def __init__(
        self,
        edges: Edges,
        partners: Synonyms | None = None,
        same: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self.edges = edges
        self.same = same
        self.graph = Adjacency()
        self.walker = Walker(self.graph)
        self.node_of: dict[str, int] = {}  # a passage's id -> its node
        self._held: dict[int, PassagePart] = {}  # by the passage's node
        self._partners = partners
        self._counts = array("i")  # passages that name a phrase, by the phrase's node
        self._alone = array("i")  # the one that does, while it is the only one
        self._synonyms = array("i")  # partners of a phrase that some passage names

    def holds(self, node: int, part: PassagePart) -> bool:
        """Return whether a passage is here with exactly this."""
        held, part = self._held[node], self._joined(part)
        return held is part or all(map(np.array_equal, held, part))

    def one(self, phrase: int) -> int:
        """Return the node by which a phrase stands here."""
        return self.same.get(phrase, phrase)

    def phrases_of(self, node: int) -> list[int]:
        """Return the phrases that a passage names."""
        part = self._held.get(node)
        return [] if part is None else part.phrases.tolist()

    def add(self, id: str, node: int, part: PassagePart) -> None:
        """Take up a passage."""
        part = self._joined(part)
        self._make_room(node, part)
        self.node_of[id] = node
        self._held[node] = part
        for phrase in part.phrases.tolist():
            was_linked = self._is_linked(phrase)
            self._counts[phrase] += 1
            if self._counts[phrase] == 1:
                self._alone[phrase] = node
                self._appear(phrase)
                if self._is_linked(phrase):
                    self.graph.change(node, phrase, 1.0)
                continue
            if not was_linked:
                self.graph.change(self._alone[phrase], phrase, 1.0)
            self.graph.change(node, phrase, 1.0)
        self._relate(part, self.edges.fact_weight)

    def remove(self, id: str) -> None:
        """Let go of a passage."""
        node = self.node_of.pop(id)
        part = self._held.pop(node)
        self._relate(part, -self.edges.fact_weight)
        for phrase in part.phrases.tolist():
            if self._is_linked(phrase):
                self.graph.change(node, phrase, -1.0)
            self._counts[phrase] -= 1
            if self._counts[phrase] == 1:
                near = self.graph.arrays().neighbours(phrase)
                (left,) = (other for other in near if other in self._held)
                self._alone[phrase] = left
                if not self._is_linked(phrase):
                    self.graph.change(left, phrase, -1.0)
            elif self._counts[phrase] == 0:
                self._disappear(phrase)

    def build(self, parts: Iterable[tuple[str, int, PassagePart]]) -> None:
        """Fill an empty view at once; the same as adding one by one, and faster."""
        for id, node, part in parts:
            self.node_of[id] = node
            self._held[node] = self._joined(part)
        if not self._held:
            return
        held = self._held.values()
        phrases = np.concatenate([part.phrases for part in held])
        sizes = [len(part.phrases) for part in held]
        nodes = np.repeat(np.array(list(self._held), np.int32), sizes)
        room = int(max(nodes.max(initial=0), phrases.max(initial=0), max(self._held))) + 1
        counts = np.bincount(phrases, minlength=room)
        alone = np.full(room, _NOBODY, np.int32)
        alone[phrases] = nodes
        u, v, weights = self._synonym_edges(counts)
        synonyms = np.bincount(np.concatenate([u, v]), minlength=room)
        linked = (
            np.ones(len(phrases), bool)
            if self.edges.has_leaves
            else (counts + synonyms)[phrases] > 1
        )
        begins = [nodes[linked], u]
        ends = [phrases[linked], v]
        masses = [np.ones(int(linked.sum()), np.float32), weights]
        if self.edges.fact_weight:
            pairs = np.concatenate([part.pairs for part in held])
            begins.append(pairs[:, 0])
            ends.append(pairs[:, 1])
            masses.append(np.full(len(pairs), self.edges.fact_weight, np.float32))
        self._counts = array("i", counts.astype(np.int32).tobytes())
        self._alone = array("i", alone.tobytes())
        self._synonyms = array("i", synonyms.astype(np.int32).tobytes())
        self.graph = Adjacency.of_edges(
            np.concatenate(begins), np.concatenate(ends), np.concatenate(masses), nodes=room
        )
        self.walker = Walker(self.graph)

    def passages_naming(self, phrase: int) -> int:
        """Return how many passages name a phrase."""
        return self._counts[phrase] if phrase < len(self._counts) else 0

    def only_passage_naming(self, phrase: int) -> int | None:
        """Return the passage that alone names a phrase, if that is so."""
        return self._alone[phrase] if self.passages_naming(phrase) == 1 else None

    def _joined(self, part: PassagePart) -> PassagePart:
        """Return a part in which each thing has one node, however it is named."""
        if self.same.keys().isdisjoint(part.phrases.tolist() if self.same else ()):
            return part
        phrases = np.array([self.one(phrase) for phrase in part.phrases.tolist()], np.int32)
        pairs = np.array([*map(self.one, part.pairs.ravel().tolist())], np.int32).reshape(-1, 2)
        return PassagePart(np.unique(phrases), pairs[pairs[:, 0] != pairs[:, 1]])

    def _is_linked(self, phrase: int) -> bool:
        """Whether the passages that name a phrase have edges to it."""
        return self.edges.has_leaves or self._counts[phrase] + self._synonyms[phrase] > 1

    def _relate(self, part: PassagePart, weight: float) -> None:
        if weight:
            for subject, object_ in part.pairs.tolist():
                self.graph.change(subject, object_, weight)

    def _appear(self, phrase: int) -> None:
        for other, weight in self._present_partners(phrase):
            self.graph.change(phrase, other, weight)
            self._synonyms[phrase] += 1
            was_linked = self._is_linked(other)
            self._synonyms[other] += 1
            if not was_linked and self._is_linked(other):
                self.graph.change(self._alone[other], other, 1.0)

    def _disappear(self, phrase: int) -> None:
        for other, weight in self._present_partners(phrase):
            self.graph.change(phrase, other, -weight)
            self._synonyms[phrase] -= 1
            self._synonyms[other] -= 1
            if not self._is_linked(other):
                self.graph.change(self._alone[other], other, -1.0)

    def _present_partners(self, phrase: int) -> Iterator[tuple[int, float]]:
        if self._partners is None:
            return
        for other, cosine in self._partners.of(phrase).items():
            if other < len(self._counts) and self._counts[other] > 0:
                yield other, float(_exact(self.edges.synonym_weight * cosine))

    def _synonym_edges(self, counts: NDArray[np.int64]) -> tuple[Ints, Ints, Weights]:
        if self._partners is None:
            return NO_PAIRS[:, 0], NO_PAIRS[:, 0], np.empty(0, np.float32)
        u, v, cosines = self._partners.pairs()
        inside = np.maximum(u, v) < len(counts)
        u, v, cosines = u[inside], v[inside], cosines[inside]
        present = (counts[u] > 0) & (counts[v] > 0)
        weights = _exact(self.edges.synonym_weight * cosines[present].astype(np.float64))
        return u[present], v[present], weights

    def _make_room(self, node: int, part: PassagePart) -> None:
        last = max(node, int(part.phrases.max(initial=0)))
        self.graph.reserve(last + 1)
        missing = last + 1 - len(self._counts)
        if missing > 0:
            self._counts.extend([0] * missing)
            self._alone.extend([_NOBODY] * missing)
            self._synonyms.extend([0] * missing)


def _exact(weights: float | NDArray[np.float64]) -> Weights:
    """Return weights in steps that float32 adds and takes away without a remainder."""
    return (np.rint(np.multiply(weights, _STEPS)) / _STEPS).astype(np.float32)
