"""Graph search as a memory grows to 100,000 real texts: time to fill, to ask, to add one more; memory, disk.

    python benchmarks/graph_scale.py --data ../shared/data/multihop        # some minutes, embeddings not counted

Texts and their MiniLM vectors are those of `embeddings.py` and are given, so nothing is encoded; names are
found without a model. Each question is asked in turn, at most ten hits, in the modes that it passes through.
The first search after a start is timed twice: with the graph kept on disk, and without.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import numpy as np

from agentcl import Draft, Memory
from agentcl.retrieval.encoders.base import GivenVectors
from agentcl.retrieval.modes import Mode

sys.path.insert(0, str(Path(__file__).parent))
import embeddings
from parts.corpora import load
from parts.results import machine, save, table

SIZES: Final = (100, 2_000, 10_000, 100_000)
MODES: Final[tuple[Mode, ...]] = ("dense", "text", "hybrid", "graph")
QUESTIONS: Final = 200
SINGLE: Final = 30  # texts added one by one at each size


def main() -> None:
    """Grow a memory, measure at each size, print the table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    given = parser.parse_args()
    texts = embeddings.texts(given.data, SIZES[-1])
    vectors = embeddings.vectors(given.data, SIZES[-1])
    asked = [question for corpus in load(given.data) for question in corpus.questions]
    order = np.random.default_rng(0).permutation(len(asked))[:QUESTIONS]
    questions = [(asked[n], embeddings.questions(given.data)[n]) for n in order]
    drafts = (
        Draft(title=title, text=text, vector=vector)
        for (title, _, text), vector in zip(
            (t.partition("\n") for t in texts), vectors, strict=True
        )
    )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "memory"
        encoder = GivenVectors(vectors.shape[1])
        size = 0
        with Memory(folder, encoder=encoder, durability="normal") as memory:
            for goal in given.sizes:
                batch = [next(drafts) for _ in range(goal - size - SINGLE)]
                row: dict[str, Any] = {"passages": goal}
                row["fill_s"] = _timed(partial(memory.add_many, batch))
                row["graph_s"] = _timed(lambda: memory.store.retriever.catch_up(mode="graph"))
                memory.search(questions[0][0], vector=questions[0][1], mode="graph")
                row["texts_per_s"] = len(batch) / (row["fill_s"] + row["graph_s"])
                row["one_more_ms"], row["one_more_graph_ms"] = _one_by_one(memory, drafts)
                size = goal
                for mode in MODES:
                    row[mode] = _ask(memory, questions, mode)
                row["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                row["disk_mb"] = {
                    name: count / 2**20 for name, count in memory.store.stats().bytes.items()
                }
                stats = memory.graph.view().stats(hubs=1)
                row["edges"], row["bytes_per_edge"] = stats.context_edges, stats.bytes_per_edge
                rows.append(row)
                print(
                    f"{goal:,} passages: {row['graph']['p50_ms']:.2f} ms a question",
                    file=sys.stderr,
                )
        rows[-1]["start_kept_s"] = _start(folder, encoder, questions)
        rmtree(folder / "indexes" / "graph")
        rows[-1]["start_anew_s"] = _start(folder, encoder, questions)
    _print(rows)
    save("graph_scale", {"machine": machine("numpy", "numba"), "rows": rows})


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _one_by_one(memory: Memory, drafts: Iterator[Draft]) -> tuple[float, float]:
    """Return median milliseconds of adding one text, and of the graph's part of it."""
    whole, graph = [], []
    for _ in range(SINGLE):
        draft = next(drafts)
        whole.append(_timed(partial(memory.add_many, [draft])))
        graph.append(_timed(lambda: memory.store.retriever.catch_up(mode="graph")))
    return 1_000 * statistics.median(whole), 1_000 * statistics.median(graph)


def _ask(memory: Memory, questions: list[tuple[str, Any]], mode: Mode) -> dict[str, float]:
    memory.search(questions[0][0], vector=questions[0][1], mode=mode)
    spent = [_timed(partial(memory.search, q, vector=v, mode=mode, limit=10)) for q, v in questions]
    return {
        "p50_ms": 1_000 * float(np.percentile(spent, 50)),
        "p95_ms": 1_000 * float(np.percentile(spent, 95)),
    }


def _start(folder: Path, encoder: GivenVectors, questions: list[tuple[str, Any]]) -> float:
    """Return how much longer the first graph search of a process takes than a first hybrid one."""
    with Memory(folder, encoder=encoder) as memory:
        memory.search(questions[0][0], vector=questions[0][1])
        return _timed(lambda: memory.search(questions[0][0], vector=questions[0][1], mode="graph"))


def _print(rows: list[dict[str, Any]]) -> None:
    table(
        ["passages", "texts/s", *(f"{mode}, p50 ms" for mode in MODES), "graph, p95", "one more, ms",
         "of that graph", "memory MB", "disk MB", "edges", "bytes an edge"],
        [
            [
                f"{row['passages']:,}",
                f"{row['texts_per_s']:,.0f}",
                *(f"{row[mode]['p50_ms']:.2f}" for mode in MODES),
                f"{row['graph']['p95_ms']:.2f}",
                f"{row['one_more_ms']:.2f}",
                f"{row['one_more_graph_ms']:.2f}",
                f"{row['memory_mb']:,.0f}",
                f"{sum(row['disk_mb'].values()):,.0f}",
                f"{row['edges']:,}",
                f"{row['bytes_per_edge']:.1f}",
            ]
            for row in rows
        ],
    )  # fmt: skip
    last = rows[-1]
    print(f"\nfirst graph search after a start at {last['passages']:,}: {last['start_kept_s']:.2f} s "
          f"with the graph kept on disk, {last['start_anew_s']:.2f} s without")  # fmt: skip


if __name__ == "__main__":
    main()
