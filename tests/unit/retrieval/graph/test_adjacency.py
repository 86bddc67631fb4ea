"""Edges come and go one by one; what is held equals a graph built at once from what is left."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.retrieval.graph import adjacency
from agentcl.retrieval.graph.adjacency import Adjacency

EDGES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 3)).filter(
        lambda edge: edge[0] != edge[1]
    ),
    max_size=40,
)


def built(weights: dict[tuple[int, int], float], nodes: int) -> Adjacency:
    u, v = (np.array([pair[i] for pair in weights], np.int32) for i in (0, 1))
    return Adjacency.of_edges(u, v, np.array(list(weights.values()), np.float32), nodes=nodes)


def plain(graph: Adjacency) -> list[list[Any]]:
    return [column.tolist() for column in graph.edges()]


@given(EDGES, st.randoms(use_true_random=False), st.booleans())
def test_any_sequence_of_changes_equals_the_graph_built_from_what_is_left(
    edges: list[tuple[int, int, int]], rng: random.Random, merges: bool
) -> None:
    graph = Adjacency()
    graph.reserve(13)
    left: dict[tuple[int, int], float] = {}
    for u, v, weight in edges:
        pair = (min(u, v), max(u, v))
        if pair in left and rng.random() < 0.5:
            graph.change(v, u, -left.pop(pair))
        else:
            graph.change(u, v, weight)
            left[pair] = left.get(pair, 0) + weight
        if merges and rng.random() < 0.2:
            graph.merge()
        arrays = graph.arrays()
        for node in range(13):
            wanted = {(b if a == node else a): w for (a, b), w in left.items() if node in (a, b)}
            assert arrays.neighbours(node) == wanted
            assert arrays.degrees[node] == sum(wanted.values())
    assert plain(graph) == plain(built(left, 13))
    assert graph.edge_count == len(left)


def test_merging_goes_on_beside_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjacency, "_BACKGROUND_FROM", 0)
    monkeypatch.setattr(adjacency, "_MERGE_FROM", 3)
    monkeypatch.setattr(adjacency, "_MERGE_SHARE", 0.0)
    rng = random.Random(1)
    graph = Adjacency()
    left: dict[tuple[int, int], float] = {}
    merged = set()
    for step in range(3_000):
        u, v = sorted(rng.sample(range(60), 2))
        by = -left[u, v] if (u, v) in left and rng.random() < 0.5 else float(rng.randint(1, 3))
        left[u, v] = left.get((u, v), 0.0) + by
        left = {pair: weight for pair, weight in left.items() if weight}
        graph.change(u, v, by)
        merged.add(len(graph.arrays().targets))
        if step % 50 == 0:
            node = rng.randrange(60)
            wanted = {(b if a == node else a): w for (a, b), w in left.items() if node in (a, b)}
            assert graph.arrays().neighbours(node) == dict(sorted(wanted.items()))
            assert graph.arrays().degrees[node] == sum(wanted.values())
    assert len(merged) > 2  # how often depends on when the other thread has its turn
    assert plain(graph) == plain(built(dict(sorted(left.items())), 60))


def test_an_edge_named_twice_adds_up() -> None:
    graph = Adjacency.of_edges(
        np.array([0, 1, 2], np.int32),
        np.array([1, 0, 0], np.int32),
        np.array([1, 2, 1], np.float32),
        nodes=4,
    )
    assert graph.arrays().neighbours(0) == {1: 3.0, 2: 1.0}
    assert graph.arrays().neighbours(3) == {}


def test_a_node_that_came_after_the_last_merge_has_its_edges() -> None:
    graph = built({(0, 1): 1.0}, 2)
    graph.change(1, 7, 2.0)
    assert graph.arrays().neighbours(7) == {1: 2.0}
    assert graph.nodes == 8


def test_many_changes_are_merged_by_themselves() -> None:
    graph = Adjacency()
    for node in range(1, 21_000):
        graph.change(0, node, 1.0)
    assert len(graph.arrays().links) < 20_000
    assert graph.arrays().degrees[0] == 20_999


def test_a_large_graph_takes_little_room() -> None:
    rng = np.random.default_rng(1)
    u = rng.integers(0, 40_000, 400_000).astype(np.int32)
    v = (u + rng.integers(1, 40_000, 400_000)).astype(np.int32) % 40_000
    graph = Adjacency.of_edges(u, v, np.ones(400_000, np.float32), nodes=40_000)
    assert graph.bytes / graph.edge_count < 25


@pytest.mark.parametrize(
    ("u", "v", "said"), [(1, 1, "to itself"), (0, 9, "outside"), (-1, 0, "outside")]
)
def test_an_edge_that_cannot_be_is_refused(u: int, v: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        built({(u, v): 1.0}, 3)


def test_a_node_is_not_its_own_neighbour() -> None:
    with pytest.raises(InvalidInput, match="to itself"):
        Adjacency().change(2, 2, 1.0)
