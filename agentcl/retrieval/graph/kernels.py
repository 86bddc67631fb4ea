"""The compiled loops of `agentcl.retrieval.graph.pagerank`; imported only where numba is installed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agentcl.retrieval.graph.adjacency import Arrays, Ints

# A node's row of the state: what waits there, what has settled, from where on it is worth pushing, is it
# queued. One row is half a cache line, and fetching that line is most of what visiting an edge costs.
WAITING: Final = 0
SETTLED: Final = 1
LIMIT: Final = 2
QUEUED: Final = 3
UNTOUCHED: Final = -1.0  # as LIMIT

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def push(
    arrays: Arrays,
    seeds: Ints,
    masses: Floats,
    damping: float,
    tolerance: float,
    state: Floats,
    queue: Ints,
    touched: Ints,
) -> int:
    """Push until nothing worth it waits; return how many nodes were touched.

    Args:
        arrays: the graph.
        seeds: nodes where the walk begins.
        masses: their shares.
        damping: the probability of following an edge.
        tolerance: times its degree: what may be left waiting at a node.
        state: shape (nodes or more, 4), every row 0, 0, UNTOUCHED, 0.
        queue: room for every node.
        touched: filled with the nodes whose rows of the state were written.
    """
    merged = len(arrays.offsets) - 1
    room = len(queue)
    first, length, count = 0, 0, 0
    for i in range(len(seeds)):
        node = seeds[i]
        if state[node, LIMIT] == UNTOUCHED:
            state[node, LIMIT] = tolerance * arrays.degrees[node]
            touched[count] = node
            count += 1
        state[node, WAITING] += masses[i]
        if state[node, QUEUED] == 0.0:
            state[node, QUEUED] = 1.0
            queue[length] = node
            length += 1
    while length:
        node = queue[first]
        first = first + 1 if first + 1 < room else 0
        length -= 1
        state[node, QUEUED] = 0.0
        mass = state[node, WAITING]
        state[node, WAITING] = 0.0
        state[node, SETTLED] += (1.0 - damping) * mass
        if arrays.degrees[node] <= 0.0:
            continue  # the walk ends here
        share = damping * mass / arrays.degrees[node]
        entry, end = 0, 0
        if node < merged:
            entry, end = arrays.offsets[node], arrays.offsets[node + 1]
        place = arrays.heads[node]
        while entry < end or place >= 0:
            if entry < end:
                target, weight = arrays.targets[entry], arrays.weights[entry]
                entry += 1
            else:
                target, weight = arrays.changed[place], arrays.changes[place]
                place = arrays.links[place]
            if state[target, LIMIT] == UNTOUCHED:
                state[target, LIMIT] = tolerance * arrays.degrees[target]
                touched[count] = target
                count += 1
            state[target, WAITING] += share * weight
            if state[target, WAITING] > state[target, LIMIT] and state[target, QUEUED] == 0.0:
                state[target, QUEUED] = 1.0
                last = first + length
                queue[last if last < room else last - room] = target
                length += 1
    return count


@njit(cache=True, nogil=True)
def collect(
    state: Floats, touched: Ints, count: int, restart: float, nodes: Ints, shares: Floats
) -> None:
    """Write out the nodes that a push touched with their visits, and clean the state behind it.

    Args:
        state: as `push` left it.
        touched: likewise.
        count: what `push` returned.
        restart: the share of what waits at a node that counts as visits there.
        nodes: filled with the nodes; room for `count`.
        shares: filled with their visits.
    """
    for i in range(count):
        node = touched[i]
        nodes[i] = node
        shares[i] = state[node, SETTLED] + restart * state[node, WAITING]
        state[node, WAITING] = 0.0
        state[node, SETTLED] = 0.0
        state[node, LIMIT] = UNTOUCHED


@njit(cache=True, nogil=True)
def step(arrays: Arrays, x: Floats, out: Floats) -> None:
    """Write to `out` where walks that are at `x` are one step later; both (nodes, walks)."""
    for node in range(len(arrays.offsets) - 1):
        out[node] = 0.0
        for entry in range(arrays.offsets[node], arrays.offsets[node + 1]):
            source = arrays.targets[entry]
            share = arrays.weights[entry] / arrays.degrees[source]
            for column in range(x.shape[1]):
                out[node, column] += share * x[source, column]
