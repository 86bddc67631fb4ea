"""The edges of an undirected weighted graph: compact arrays, and over them what changed since."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import InvalidInput

Ints = NDArray[np.int32]
Weights = NDArray[np.float32]
_Number = TypeVar("_Number", np.int32, np.float32, np.float64)

_MERGE_FROM: Final = 20_000  # changes; below that a merge is not worth its time
_BACKGROUND_FROM: Final = 500_000  # merged entries: to merge fewer takes no time
_MERGE_SHARE: Final = 0.1  # of the merged entries: then reading the changes costs a tenth more
_GROW: Final = 1.5
_END: Final = -1  # of a chain of changes


class Arrays(NamedTuple):
    """What a walk reads. The weight between u and v is the sum of all entries for (u, v).

    The entries of node u are `targets[offsets[u]:offsets[u + 1]]` with their `weights`, and the chain
    that begins at `heads[u]` and goes on through `links`, with `changed` and `changes`. A node from
    `len(offsets) - 1` on has a chain only.
    """

    offsets: NDArray[np.int64]
    targets: Ints
    weights: Weights
    heads: Ints
    links: Ints
    changed: Ints
    changes: Weights
    degrees: NDArray[np.float64]  # sum of the weights at each node

    def neighbours(self, node: int) -> dict[int, float]:
        """Return the neighbours of a node with the weights of its edges."""
        found: dict[int, float] = {}
        if node + 1 < len(self.offsets):
            span = slice(self.offsets[node], self.offsets[node + 1])
            pairs = zip(self.targets[span].tolist(), self.weights[span].tolist(), strict=True)
            for target, weight in pairs:
                found[target] = found.get(target, 0.0) + weight
        place = int(self.heads[node])
        while place != _END:
            target = int(self.changed[place])
            found[target] = found.get(target, 0.0) + float(self.changes[place])
            place = int(self.links[place])
        return {target: weight for target, weight in sorted(found.items()) if weight > 0}


class Adjacency:
    """An undirected weighted graph that grows and shrinks edge by edge.

    A change costs the same however large the graph is. Changes are merged into the compact arrays when
    they reach a tenth of these, so each is moved a bounded number of times; in a large graph that is
    done in a thread of its own, while changes and walks go on. Weights are held in float32, in which
    whole numbers up to 16 million are exact. Not safe for threads: the owner takes turns.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self._offsets = np.zeros(1, np.int64)
        self._targets: Ints = np.empty(0, np.int32)
        self._weights: Weights = np.empty(0, np.float32)
        self._degrees: NDArray[np.float64] = np.zeros(0, np.float64)
        self._heads: Ints = np.empty(0, np.int32)
        self._merging: _Merging | None = None
        self._clear_changes()

    @classmethod
    def of_edges(cls, u: Ints, v: Ints, weights: Weights, *, nodes: int) -> Adjacency:
        """Return the graph of edges (u[i], v[i]); weights of edges named twice add up.

        Raises:
            InvalidInput: if an edge leads from a node to itself or beyond `nodes`.
        """
        graph = cls()
        graph.reserve(nodes)
        if len(u):
            if min(int(u.min()), int(v.min())) < 0 or max(int(u.max()), int(v.max())) >= nodes:
                raise InvalidInput(f"an edge leads to a node outside 0 to {nodes - 1}")
            if bool((u == v).any()):
                raise InvalidInput("an edge leads from a node to itself")
        graph._merge_entries(np.concatenate([u, v]), np.concatenate([v, u]), np.tile(weights, 2))
        return graph

    def reserve(self, nodes: int) -> None:
        """Make room for nodes 0 to `nodes - 1`."""
        if nodes > len(self._heads):
            room = max(nodes, int(_GROW * len(self._heads)))
            self._heads = _grown(self._heads, room, _END)
            self._degrees = _grown(self._degrees, room, 0)
        self.nodes = max(self.nodes, nodes)

    def change(self, u: int, v: int, by: float) -> None:
        """Add `by` to the weight between u and v, below zero to take away; 0 means no edge.

        Raises:
            InvalidInput: if u is v.
        """
        if u == v:
            raise InvalidInput(f"an edge leads from node {u} to itself")
        self.reserve(max(u, v) + 1)
        self._change(u, v, by)
        self._change(v, u, by)
        if self._merging is not None:
            if self._merging.is_done():
                self._end_merging()
        elif self._count > max(_MERGE_FROM, _MERGE_SHARE * len(self._targets)):
            if len(self._targets) < _BACKGROUND_FROM:
                self.merge()
            else:
                self._begin_merging()

    def arrays(self) -> Arrays:
        """Return the graph as it is now, without copying: valid until the next change."""
        return Arrays(
            self._offsets,
            self._targets,
            self._weights,
            self._heads[: self.nodes],
            self._links,
            self._changed,
            self._changes,
            self._degrees[: self.nodes],
        )

    def edges(self) -> tuple[Ints, Ints, Weights]:
        """Return all edges as (u, v, weight) with u < v, ordered by u, then v."""
        self.merge()
        u = np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(self._offsets))
        is_first = u < self._targets
        return u[is_first], self._targets[is_first], self._weights[is_first]

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        self.merge()
        return len(self._targets) // 2

    @property
    def bytes(self) -> int:
        """What the arrays take in memory."""
        held = self.arrays()
        chains = held.links.nbytes + held.changed.nbytes + held.changes.nbytes
        return (
            held.offsets.nbytes
            + held.targets.nbytes
            + held.weights.nbytes
            + self._heads.nbytes
            + self._degrees.nbytes
            + chains
        )

    def merge(self) -> None:
        """Bring the changes into the compact arrays, now."""
        self._end_merging()
        if not self._count and len(self._offsets) == self.nodes + 1:
            return
        merged = np.arange(len(self._offsets) - 1, dtype=np.int32)
        sources = [np.repeat(merged, np.diff(self._offsets)), self._sources[: self._count]]
        self._merge_entries(
            np.concatenate(sources),
            np.concatenate([self._targets, self._changed[: self._count]]),
            np.concatenate([self._weights, self._changes[: self._count]]),
        )

    def _merge_entries(self, sources: Ints, targets: Ints, weights: Weights) -> None:
        self._offsets, self._targets, self._weights = _merged(sources, targets, weights, self.nodes)
        rows = np.repeat(np.arange(self.nodes), np.diff(self._offsets))
        self._degrees[: self.nodes] = np.bincount(
            rows, weights=self._weights.astype(np.float64), minlength=self.nodes
        )
        self._clear_changes()

    def _begin_merging(self) -> None:
        """Let a thread merge what has changed so far; walks read the changes until it is done."""
        count, nodes = self._count, self.nodes
        merged = np.arange(len(self._offsets) - 1, dtype=np.int32)
        offsets, sources = self._offsets, self._sources[:count].copy()
        targets, changed = self._targets, self._changed[:count].copy()
        weights, changes = self._weights, self._changes[:count].copy()
        self._place.clear()  # what changes from here on gets entries of its own

        def work() -> tuple[NDArray[np.int64], Ints, Weights]:
            before = np.repeat(merged, np.diff(offsets))
            return _merged(
                np.concatenate([before, sources]),
                np.concatenate([targets, changed]),
                np.concatenate([weights, changes]),
                nodes,
            )

        self._merging = _Merging(work, count)

    def _end_merging(self) -> None:
        """Take over what the thread merged, with the changes since over it."""
        merging, self._merging = self._merging, None
        found = None if merging is None else merging.result()
        if merging is None or found is None:
            return
        self._offsets, self._targets, self._weights = found
        since = slice(merging.count, self._count)
        rest = zip(
            self._sources[since].tolist(),
            self._changed[since].tolist(),
            self._changes[since].tolist(),
            strict=True,
        )
        degrees = self._degrees.copy()  # they hold every change already
        self._clear_changes()
        for source, target, by in rest:
            self._change(source, target, by)
        self._degrees = degrees

    def _clear_changes(self) -> None:
        self._heads[:] = _END
        self._count = 0
        self._place: dict[tuple[int, int], int] = {}
        self._links: Ints = np.empty(0, np.int32)
        self._sources: Ints = np.empty(0, np.int32)
        self._changed: Ints = np.empty(0, np.int32)
        self._changes: Weights = np.empty(0, np.float32)

    def _change(self, source: int, target: int, by: float) -> None:
        self._degrees[source] += by
        place = self._place.get((source, target))
        if place is not None:
            self._changes[place] += by
            return
        place = self._count
        if place == len(self._links):
            room = max(64, int(_GROW * place))
            self._links, self._sources = (
                _grown(self._links, room, _END),
                _grown(self._sources, room, 0),
            )
            self._changed, self._changes = (
                _grown(self._changed, room, 0),
                _grown(self._changes, room, 0),
            )
        self._place[source, target] = place
        self._links[place], self._heads[source] = self._heads[source], place
        self._sources[place], self._changed[place], self._changes[place] = source, target, by
        self._count = place + 1


class _Merging:
    """A merge that goes on in a thread."""

    def __init__(
        self, work: Callable[[], tuple[NDArray[np.int64], Ints, Weights]], count: int
    ) -> None:
        self.count = count  # changes that it takes up
        self._found: list[tuple[NDArray[np.int64], Ints, Weights]] = []
        self._thread = threading.Thread(
            target=lambda: self._found.append(work()), name="graph-merge", daemon=True
        )
        self._thread.start()

    def is_done(self) -> bool:
        """Return whether the result is there."""
        return not self._thread.is_alive()

    def result(self) -> tuple[NDArray[np.int64], Ints, Weights] | None:
        """Return offsets, targets and weights as soon as they are there; None if memory ran out."""
        self._thread.join()
        return self._found[0] if self._found else None


def _merged(
    sources: Ints, targets: Ints, weights: Weights, nodes: int
) -> tuple[NDArray[np.int64], Ints, Weights]:
    """Return compact arrays of entries in any order; those of one pair add up, 0 drops out."""
    keys = sources.astype(np.int64) * max(nodes, 1) + targets
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    if len(keys):
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        keys, weights = keys[starts], np.add.reduceat(weights, starts, dtype=np.float32)
    kept = weights > 0
    keys, weights = keys[kept], weights[kept].astype(np.float32)
    rows, columns = np.divmod(keys, max(nodes, 1))
    offsets = np.r_[0, np.cumsum(np.bincount(rows, minlength=nodes))].astype(np.int64)
    return offsets, columns.astype(np.int32), weights


def _grown(held: NDArray[_Number], room: int, filling: int) -> NDArray[_Number]:
    grown = np.full(room, filling, held.dtype)
    grown[: len(held)] = held
    return grown
