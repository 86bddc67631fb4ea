"""The walk against networkx, on graphs with everything that can go wrong in one."""

import math
import threading
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.retrieval.graph.adjacency import Adjacency
from agentcl.retrieval.graph.pagerank import Walker, kernels

COMPILED = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(kernels() is None, reason="no numba")),
]
NODES = 30


def random_graph(seed: int, *, nodes: int = NODES, edges: int = 70) -> Adjacency:
    rng = np.random.default_rng(seed)
    u = rng.integers(0, nodes, edges).astype(np.int32)
    v = ((u + rng.integers(1, nodes, edges)) % nodes).astype(np.int32)
    return Adjacency.of_edges(u, v, rng.integers(1, 4, edges).astype(np.float32), nodes=nodes)


def oracle(graph: Adjacency, seeds: dict[int, float], damping: float) -> Any:
    """What networkx says, brought to our rule that a walk ends where there is no edge.

    networkx lets such a walk begin anew, which multiplies all visits by the same number.
    """
    plain = networkx.Graph()
    plain.add_nodes_from(range(graph.nodes))
    plain.add_weighted_edges_from(zip(*(column.tolist() for column in graph.edges()), strict=True))
    found = networkx.pagerank(plain, alpha=damping, personalization=seeds, tol=1e-14, max_iter=500)
    return np.array([found[node] for node in range(graph.nodes)])


@pytest.mark.parametrize("is_compiled", COMPILED)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), damping=st.sampled_from([0.2, 0.5, 0.85]))
def test_push_and_sweeps_agree_with_networkx(is_compiled: bool, seed: int, damping: float) -> None:
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    for _ in range(5):  # changes that are not merged yet
        graph.change(0, int(rng.integers(1, NODES)), 2.0)
    seeds = {int(node): float(rng.random()) + 0.1 for node in rng.integers(0, NODES, 4)}
    walker = Walker(graph, is_compiled=is_compiled)
    pushed = np.zeros(NODES)
    visits = walker.push(seeds, damping=damping, tolerance=1e-12)
    pushed[visits.nodes] = visits.shares
    restarts = np.zeros((NODES, 2))
    for node, share in seeds.items():
        restarts[node] = share
    swept = walker.sweep(restarts, damping=damping, sweeps=120)
    wanted = oracle(graph, seeds, damping)
    assert pushed / pushed.sum() == pytest.approx(wanted, abs=1e-9)
    assert swept[:, 0] / swept[:, 0].sum() == pytest.approx(wanted, abs=1e-9)
    assert swept[:, 1] == pytest.approx(swept[:, 0], abs=1e-15)


@pytest.mark.parametrize("is_compiled", COMPILED)
def test_a_walk_at_a_node_without_edges_ends(is_compiled: bool) -> None:
    graph = Adjacency()
    graph.reserve(3)
    graph.change(0, 1, 1.0)
    visits = Walker(graph, is_compiled=is_compiled).push({2: 1.0})
    assert visits.of() == {2: 0.5}


@pytest.mark.parametrize("is_compiled", COMPILED)
def test_pushing_is_the_same_to_the_bit_every_time_and_in_threads(is_compiled: bool) -> None:
    graph = random_graph(3, nodes=2_000, edges=9_000)
    walker = Walker(graph, is_compiled=is_compiled)
    first = walker.push({5: 1.0, 9: 2.0})
    said: list[bool] = []

    def again() -> None:
        for _ in range(5):
            visits = walker.push({5: 1.0, 9: 2.0})
            same = visits.shares.tobytes() == first.shares.tobytes()
            said.append(same and bool((visits.nodes == first.nodes).all()))

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [True] * 20


@pytest.mark.parametrize("is_compiled", COMPILED)
def test_a_coarse_tolerance_touches_little_and_keeps_the_best(is_compiled: bool) -> None:
    graph = random_graph(4, nodes=20_000, edges=60_000)
    walker = Walker(graph, is_compiled=is_compiled)
    coarse = walker.push({7: 1.0}, tolerance=1e-4)
    exact = walker.push({7: 1.0}, tolerance=1e-10)
    assert len(coarse.nodes) < 2_000 < len(exact.nodes)
    best = [sorted(v.of(), key=lambda n: -v.of()[n])[:8] for v in (coarse, exact)]
    assert best[0] == best[1]


@pytest.mark.parametrize("is_compiled", COMPILED)
def test_a_hub_of_a_hundred_thousand_edges_is_walked_through(is_compiled: bool) -> None:
    ends = np.arange(1, 100_001, dtype=np.int32)
    graph = Adjacency.of_edges(
        np.zeros(100_000, np.int32), ends, np.ones(100_000, np.float32), nodes=100_001
    )
    visits = Walker(graph, is_compiled=is_compiled).push({1: 1.0}, tolerance=1e-9).of()
    # From a leaf to the hub and back to any leaf: x_hub = 1/2 x_leaves, x_1 nearly 1/2 + ...
    assert visits[0] == pytest.approx(1 / 3, rel=1e-3)
    assert math.fsum(visits.values()) == pytest.approx(1, rel=1e-3)


def test_growing_after_a_walk_is_seen_by_the_next() -> None:
    graph = random_graph(5)
    walker = Walker(graph)
    walker.push({0: 1.0})
    graph.change(0, 3_000, 50.0)
    assert walker.push({0: 1.0}).of()[3_000] > 0.1


@pytest.mark.parametrize(
    ("seeds", "options", "said"),
    [
        ({}, {}, "at least one seed"),
        ({1: 0.0}, {}, "above 0"),
        ({1: math.nan}, {}, "above 0"),
        ({99: 1.0}, {}, "not among the nodes"),
        ({1: 1.0}, {"damping": 1.0}, "damping"),
        ({1: 1.0}, {"tolerance": 0.0}, "tolerance"),
    ],
)
def test_a_walk_that_cannot_be_says_why(
    seeds: dict[int, float], options: dict[str, float], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        Walker(random_graph(6)).push(seeds, **options)


def test_restarts_of_a_wrong_shape_are_refused() -> None:
    walker = Walker(random_graph(6))
    for restarts in (np.ones(NODES), np.ones((3, 1)), np.zeros((NODES, 1)), -np.ones((NODES, 1))):
        with pytest.raises(InvalidInput):
            walker.sweep(restarts)
