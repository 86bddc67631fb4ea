"""Personalized PageRank: where a walk is found that starts at some nodes and returns there at random.

The walk follows an edge with probability `damping`, in proportion to the edges' weights, and otherwise
begins anew at a seed: x = (1 - damping) r + damping T x, with the restart r and the transitions T. A walk
that is at a node without edges ends.

Two ways to x. *Push* moves mass from node to node only where enough of it waits (forward push: Andersen,
Chung and Lang 2006; Berkhin 2006), so it touches what lies near the seeds and never the whole graph.
*Sweeps* visit every edge, for restarts that are spread wide, by Chebyshev semi-iteration (Golub and Varga
1961): T is similar to a symmetric matrix, so its eigenvalues are real, and an error shrinks by 0.27 a
sweep at damping 0.5 where plain iteration has 0.5.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import InvalidInput
from agentcl.retrieval.graph.adjacency import Adjacency, Arrays, Ints
from agentcl.retrieval.graph.settings import DAMPING, TOLERANCE

SWEEPS: Final = 16  # errors below 1e-8 at damping 0.5
_UNTOUCHED: Final = -1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Visits:
    """How often a walk is found where: nodes, in any order, with their probability. Others have none."""

    nodes: Ints
    shares: Floats
    way: str  # "push, compiled", "push, numpy", "sweeps, compiled", "sweeps, numpy"

    def of(self) -> dict[int, float]:
        """Return the probability of each node."""
        return dict(zip(self.nodes.tolist(), self.shares.tolist(), strict=True))


@cache
def kernels() -> ModuleType | None:
    """Return the compiled loops, or None where numba is not installed."""
    found: list[ModuleType | None] = []

    def load() -> None:
        try:
            from agentcl.retrieval.graph import kernels as compiled
        except ImportError:
            found.append(None)
        else:
            found.append(compiled)

    # In a thread, which Ctrl-C does not reach: numba cannot be imported again after half an import.
    importing = threading.Thread(target=load, name="agentcl-numba", daemon=True)
    importing.start()
    importing.join()
    return found[0]


class Walker:
    """Walks on one graph. Threads may share it, as long as nobody changes the graph meanwhile.

    Args:
        graph: what is walked on; it may change between two walks.
        is_compiled: use numba; default: if it is installed.
    """

    def __init__(self, graph: Adjacency, *, is_compiled: bool | None = None) -> None:
        self._graph = graph
        self._kernels = kernels() if is_compiled is not False else None
        if is_compiled and self._kernels is None:
            raise InvalidInput("the compiled walk needs numba: pip install 'agentcl[graph]'")
        self._spaces: list[_Space] = []
        self._lock = threading.Lock()

    def push(
        self, seeds: Mapping[int, float], *, damping: float = DAMPING, tolerance: float = TOLERANCE
    ) -> Visits:
        """Return the visits of a walk from a few seeds.

        Args:
            seeds: nodes with their share of the restarts, above 0; they are made to sum to 1.
            damping: the probability of following an edge, from 0 to below 1.
            tolerance: the smaller, the more exact: less than this times its degree is left at a node.

        Raises:
            InvalidInput: if a seed is no node, or a number is out of its range.
        """
        nodes, masses = self._seeds(seeds)
        _check(damping)
        if not tolerance > 0:
            raise InvalidInput(f"tolerance must be above 0, and is {tolerance}")
        if self._kernels is None:
            self._graph.merge()
            return _push(self._graph.arrays(), nodes, masses, damping, tolerance)
        space = self._take(self._graph.nodes)
        count = self._kernels.push(
            self._graph.arrays(),
            nodes,
            masses,
            damping,
            tolerance,
            space.state,
            space.queue,
            space.touched,
        )
        reached, shares = np.empty(count, np.int32), np.empty(count, np.float64)
        # A walk that waits somewhere is there now, and restarts from there with 1 - damping.
        self._kernels.collect(space.state, space.touched, count, 1 - damping, reached, shares)
        with self._lock:
            self._spaces.append(space)
        return Visits(reached, shares, "push, compiled")

    def sweep(self, restarts: Floats, *, damping: float = DAMPING, sweeps: int = SWEEPS) -> Floats:
        """Return the visits of walks whose restarts may be anywhere.

        Args:
            restarts: shape (nodes, walks), not negative; each column is made to sum to 1.
            damping: the probability of following an edge, from 0 to below 1.
            sweeps: how often every edge is visited.

        Returns:
            Probabilities, shape (nodes, walks).

        Raises:
            InvalidInput: if the shape is wrong, or a column has nothing or something negative.
        """
        _check(damping)
        self._graph.merge()
        arrays = self._graph.arrays()
        if restarts.ndim != 2 or len(restarts) != self._graph.nodes:
            raise InvalidInput(
                f"restarts must have shape ({self._graph.nodes}, walks), and have {restarts.shape}"
            )
        sums = restarts.sum(axis=0)
        if bool((restarts < 0).any()) or bool((sums <= 0).any()):
            raise InvalidInput("every column of restarts needs a share above 0, and none below")
        begin = (1 - damping) * np.ascontiguousarray(restarts, np.float64) / sums
        before, now = np.zeros_like(begin), begin
        factor = 2.0
        for _ in range(sweeps):
            factor = 1 / (1 - damping * damping * factor / 4)
            moved = damping * self._step(arrays, now) + begin
            before, now = now, factor * (moved - before) + before
        visits: Floats = np.maximum(now, 0.0)
        return visits

    @property
    def sweeping(self) -> str:
        """How sweeps are computed here, in words."""
        return "sweeps, numpy" if self._kernels is None else "sweeps, compiled"

    def _step(self, arrays: Arrays, x: Floats) -> Floats:
        if self._kernels is not None:
            out = np.empty_like(x)
            self._kernels.step(arrays, x, out)
            return out
        shares = x / np.maximum(arrays.degrees, 1e-300)[:, None]
        out = np.zeros_like(x)
        has_edges = np.flatnonzero(np.diff(arrays.offsets))
        if len(has_edges):
            for column in range(x.shape[1]):
                terms = arrays.weights * shares[arrays.targets, column]
                out[has_edges, column] = np.add.reduceat(terms, arrays.offsets[has_edges])
        return out

    def _seeds(self, seeds: Mapping[int, float]) -> tuple[Ints, Floats]:
        nodes = np.fromiter(seeds.keys(), np.int32, len(seeds))
        masses = np.fromiter(seeds.values(), np.float64, len(seeds))
        if not len(nodes) or not bool((masses > 0).all()) or not np.isfinite(masses).all():
            raise InvalidInput("a walk needs at least one seed, each with a share above 0")
        if int(nodes.min()) < 0 or int(nodes.max()) >= self._graph.nodes:
            raise InvalidInput(f"a seed is not among the nodes 0 to {self._graph.nodes - 1}")
        return nodes, masses / masses.sum()

    def _take(self, nodes: int) -> _Space:
        with self._lock:
            space = self._spaces.pop() if self._spaces else None
        return space if space is not None and len(space.queue) >= nodes else _Space(nodes)


_BLANK: Final = np.array([0.0, 0.0, _UNTOUCHED, 0.0])


class _Space:
    """Room for one walk at a time; clean again after each, so that a walk costs what it touches."""

    def __init__(self, nodes: int) -> None:
        room = nodes + nodes // 4 + 16
        self.state = np.tile(_BLANK, (room, 1))
        self.queue = np.empty(room, np.int32)
        self.touched = np.empty(room, np.int32)


def _push(arrays: Arrays, seeds: Ints, masses: Floats, damping: float, tolerance: float) -> Visits:
    """Push from all nodes at once where enough waits, round by round."""
    waiting = np.zeros(len(arrays.degrees))
    settled = np.zeros(len(arrays.degrees))
    np.add.at(waiting, seeds, masses)
    active = np.unique(seeds)
    reached = active
    while len(active):
        mass = waiting[active]
        waiting[active] = 0.0
        settled[active] += (1 - damping) * mass
        degrees = arrays.degrees[active]
        goes_on = degrees > 0
        active, share = active[goes_on], damping * mass[goes_on] / degrees[goes_on]
        begins = arrays.offsets[active]
        counts = arrays.offsets[active + 1] - begins
        entries = np.repeat(begins - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(
            counts.sum()
        )
        targets = arrays.targets[entries]
        met, places = np.unique(targets, return_inverse=True)
        waiting[met] += np.bincount(
            places, weights=np.repeat(share, counts) * arrays.weights[entries]
        )
        reached = np.union1d(reached, met)
        active = met[waiting[met] > tolerance * arrays.degrees[met]]
    shares = settled[reached] + (1 - damping) * waiting[reached]
    return Visits(reached.astype(np.int32), shares, "push, numpy")


def _check(damping: float) -> None:
    if not 0 <= damping < 1:
        raise InvalidInput(f"damping must be from 0 to below 1, and is {damping}")
