"""Personalized PageRank: our push beside igraph's PRPACK, in one process.

    python benchmarks/pagerank.py                 # 50,000, 500,000 and 1,500,000 nodes; some 15 minutes
    python benchmarks/pagerank.py --nodes 50000

The graphs are synthetic: one passage to four phrases, and for each passage ten mentions, nine relations
between phrases and eight synonyms drawn, phrases by a power law so that there are hubs. Each question
has 20 seeds. Each contender answers all questions in a row, as a service would; times are processor time of
one thread. The truth is our sweep at 30 iterations; overlap counts the best 20 passages that are no seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentcl.retrieval.graph.adjacency import Adjacency
from agentcl.retrieval.graph.pagerank import Walker
from agentcl.retrieval.graph.settings import DAMPING

sys.path.insert(0, str(Path(__file__).parent))
from parts.results import machine, save, table

Floats = NDArray[np.float64]
Answer = Callable[[dict[int, float]], tuple[Any, Any]]  # nodes, and how often they are visited
SIZES = (50_000, 500_000, 1_500_000)
SEEDS = 20
BEST = 20
EXACT_SWEEPS = 30  # errors of 1e-17


def synthetic(nodes: int, seed: int = 1) -> Adjacency:
    """Return a graph of `nodes` nodes; the first fifth are passages."""
    rng = np.random.default_rng(seed)
    passages = nodes // 5
    phrases = nodes - passages

    def some_phrases(count: int) -> NDArray[np.int32]:
        # Pareto ranks: a few phrases stand in a large share of the passages.
        ranks = np.minimum(phrases * rng.random(count) ** 2.2, phrases - 1).astype(np.int32)
        return (passages + ranks).astype(np.int32)

    mentions, relations, synonyms = 10 * passages, 9 * passages, 8 * passages
    u = np.concatenate(
        [
            np.repeat(np.arange(passages, dtype=np.int32), 10),
            some_phrases(relations),
            (passages + rng.integers(0, phrases, synonyms)).astype(np.int32),
        ]
    )
    v = np.concatenate(
        [
            some_phrases(mentions),
            some_phrases(relations),
            (passages + rng.integers(0, phrases, synonyms)).astype(np.int32),
        ]
    )
    weights = np.ones(len(u), np.float32)
    weights[-synonyms:] = rng.uniform(0.8, 1.0, synonyms)
    kept = u != v
    return Adjacency.of_edges(u[kept], v[kept], weights[kept], nodes=nodes)


def questions(nodes: int, count: int) -> list[dict[int, float]]:
    """Return seeds: fifteen phrases and five passages each."""
    rng = np.random.default_rng(2)
    passages = nodes // 5
    asked = []
    for _ in range(count):
        chosen = [*rng.integers(passages, nodes, SEEDS - 5), *rng.integers(0, passages, 5)]
        asked.append({int(node): float(rng.uniform(0.2, 1)) for node in chosen})
    return asked


def pushing(graph: Adjacency, *, is_compiled: bool) -> Answer:
    """Return our own engine."""
    walker = Walker(graph, is_compiled=is_compiled)

    def answer(seeds: dict[int, float]) -> tuple[Any, Any]:
        visits = walker.push(seeds)
        return visits.nodes, visits.shares

    return answer


def igraph_prpack(graph: Adjacency) -> Answer:
    """Return igraph's solver, as HippoRAG 2 calls it."""
    import igraph

    u, v, weights = graph.edges()
    other = igraph.Graph(n=graph.nodes, edges=np.stack([u, v], axis=1).tolist())
    other.es["weight"] = weights.tolist()
    everything = np.arange(graph.nodes)

    def answer(seeds: dict[int, float]) -> tuple[Any, Any]:
        reset = np.zeros(graph.nodes)
        reset[list(seeds)] = list(seeds.values())
        found = other.personalized_pagerank(
            damping=DAMPING,
            directed=False,
            weights="weight",
            reset=reset.tolist(),
            implementation="prpack",
        )
        return everything, found

    return answer


def best_passages(found: tuple[Any, Any], seeds: dict[int, float], nodes: int) -> set[int]:
    """Return the passages that the walk visits most, seeds left out."""
    shares = np.zeros(nodes)
    shares[found[0]] = found[1]
    of_passages = shares[: nodes // 5]
    of_passages[[node for node in seeds if node < nodes // 5]] = 0
    return set(np.argsort(-of_passages, kind="stable")[:BEST].tolist())


def measure(nodes: int, asked: int, asked_of_igraph: int) -> dict[str, Any]:
    """Return milliseconds and overlap of each contender on one graph."""
    started = time.process_time()
    graph = synthetic(nodes)
    built_s = time.process_time() - started
    contenders = {
        "agentcl, compiled": (pushing(graph, is_compiled=True), asked),
        "agentcl, numpy": (pushing(graph, is_compiled=False), asked),
        "igraph PRPACK": (igraph_prpack(graph), asked_of_igraph),
    }
    exact = Walker(graph)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    overlaps: dict[str, list[float]] = {name: [] for name in contenders}
    every = questions(nodes, asked)
    for answer, _ in contenders.values():
        answer(every[0])  # compiles and warms up
    truths = []
    for seeds in every:
        restarts = np.zeros((nodes, 1))
        restarts[list(seeds), 0] = list(seeds.values())
        swept = exact.sweep(restarts, sweeps=EXACT_SWEEPS)[:, 0]
        truths.append(best_passages((slice(None), swept), seeds, nodes))
    for name, (answer, limit) in contenders.items():
        for seeds, truth in list(zip(every, truths, strict=True))[:limit]:
            started = time.process_time()
            found = answer(seeds)
            seconds[name].append(time.process_time() - started)
            overlaps[name].append(len(best_passages(found, seeds, nodes) & truth) / BEST)
    return {
        "nodes": nodes,
        "edges": graph.edge_count,
        "bytes_per_edge": graph.bytes / graph.edge_count,
        "build_s": built_s,
        "contenders": {
            name: {
                "ms": 1000 * statistics.median(seconds[name]),
                "overlap": statistics.mean(overlaps[name]),
                "questions": len(seconds[name]),
            }
            for name in contenders
        },
    }


def main() -> None:
    """Measure each size, print the table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--questions", type=int, default=100)
    options = parser.parse_args()
    results = []
    for nodes in options.nodes:
        # To know the truth at the largest size takes seconds a question, and igraph longer.
        asked = options.questions if nodes <= 500_000 else max(3, options.questions // 5)
        of_igraph = options.questions if nodes <= 50_000 else max(3, options.questions // 20)
        results.append(measure(nodes, asked, of_igraph))
        save("pagerank", {"machine": machine("numpy", "numba", "igraph"), "sizes": results})
        held = results[-1]["contenders"]
        ours = held["agentcl, compiled"]["ms"]
        print(f"\n{nodes:,} nodes, {results[-1]['edges']:,} edges")
        table(
            ["", "ms a question", "agentcl = 1", "overlap of the best 20", "questions"],
            [
                [
                    name,
                    f"{row['ms']:.2f}",
                    f"{row['ms'] / ours:.1f}",
                    f"{row['overlap']:.3f}",
                    str(row["questions"]),
                ]
                for name, row in held.items()
            ],
        )


if __name__ == "__main__":
    main()
