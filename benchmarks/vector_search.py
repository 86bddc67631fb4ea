"""Dense search: agentcl beside Chroma at 10,000 vectors, beside numpy brute force at 100,000.

    python benchmarks/vector_search.py --data ../shared/data/multihop

Vectors are real MiniLM embeddings (`embeddings.py` says of what), questions are the corpora's own. The
contenders answer each question in turn. "agentcl" is `Memory.search`, which returns passages with text,
metadata and reasons, as Chroma's `query` returns documents and metadata; "agentcl, ids only" is
`Index.search`, which returns ids and scores, as "Chroma, ids only" does. Brute force is `vectors @ question` in float32 with
`argpartition`, its result the truth that recall@10 is counted against.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentcl import Draft, Memory
from agentcl.retrieval.filters import parse_filters
from agentcl.retrieval.index import Query
from agentcl.store.records import ScopeView

sys.path.insert(0, str(Path(__file__).parent))
from embeddings import questions, vectors
from parts.results import machine, save, table

Floats = NDArray[np.float32]
Search = Callable[[Floats], Sequence[int]]
LIMIT = 10
HALF = {"half": 1}
EVERYTHING = ScopeView(None, None, None, None)


def brute_force(rows: Floats) -> Search:
    """Return an exact search in float32."""

    def search(question: Floats) -> Sequence[int]:
        scores = rows @ question
        best = np.argpartition(scores, -LIMIT)[-LIMIT:]
        return [int(n) for n in best[np.argsort(-scores[best])]]

    return search


def fill(memory: Memory, rows: Floats) -> None:
    """Add every vector with a short text of its own; every second one is in the half."""
    memory.add_many(
        Draft(text=f"note {n}", vector=row, metadata={"half": n % 2, "n": n})
        for n, row in enumerate(rows)
    )


def whole(memory: Memory, filters: dict[str, Any] | None) -> Search:
    """Return a search through the door that users take."""

    def search(question: Floats) -> Sequence[int]:
        found = memory.search("", vector=question, mode="dense", limit=LIMIT, filters=filters)
        return [int(str(hit.metadata["n"])) for hit in found]

    return search


def ids_only(memory: Memory, filters: dict[str, Any] | None) -> Search:
    """Return a search of the index behind it."""
    index = memory.store.retriever.dense.index
    conditions = parse_filters(filters)
    numbers = {
        passage.id: int(passage.metadata["n"])
        for passage in memory.list(kind="passage", limit=10_000_000)
    }

    def search(question: Floats) -> Sequence[int]:
        query = Query(view=EVERYTHING, vector=question.tobytes(), conditions=conditions)
        return [numbers[match.id] for match in index.search(query, limit=LIMIT)]

    return search


def chroma(rows: Floats, folder: Path) -> Callable[[dict[str, Any] | None, bool], Search]:
    """Fill an embedded Chroma collection; return a maker of searches."""
    import chromadb

    client = chromadb.PersistentClient(folder)
    space: Any = {"hnsw": {"space": "cosine"}}
    collection = client.create_collection("notes", configuration=space)
    for start in range(0, len(rows), 5_000):
        some = range(start, min(start + 5_000, len(rows)))
        collection.add(
            ids=[str(n) for n in some],
            embeddings=rows[some.start : some.stop],
            documents=[f"note {n}" for n in some],
            metadatas=[{"half": n % 2, "n": n} for n in some],
        )

    def make(filters: dict[str, Any] | None, is_whole: bool) -> Search:
        include: Any = ["documents", "metadatas", "distances"] if is_whole else ["distances"]

        def search(question: Floats) -> Sequence[int]:
            found = collection.query(
                query_embeddings=question[None], n_results=LIMIT, where=filters, include=include
            )
            return [int(id) for id in found["ids"][0]]

        return search

    return make


def race(
    searches: dict[str, Search], asked: Floats, exact: Search
) -> dict[str, tuple[float, float]]:
    """Return median milliseconds and recall@10 of each, all asked each question in turn."""
    took: dict[str, list[float]] = {name: [] for name in searches}
    found: dict[str, int] = dict.fromkeys(searches, 0)
    truth = [set(exact(question)) for question in asked]
    for search in searches.values():
        search(asked[0])
    for question, wanted in zip(asked, truth, strict=True):
        for name, search in searches.items():
            started = time.perf_counter()
            got = search(question)
            took[name].append((time.perf_counter() - started) * 1e3)
            found[name] += len(wanted & set(got))
    return {
        name: (statistics.median(took[name]), found[name] / (LIMIT * len(asked)))
        for name in searches
    }


def beside_chroma(rows: Floats, asked: Floats) -> dict[str, dict[str, tuple[float, float]]]:
    """Measure without a filter and with one that half of the rows match."""
    half = np.arange(1, len(rows), 2)
    exact_half = brute_force(rows[half])
    result = {}
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="minilm") as memory:
        fill(memory, rows)
        make_chroma = chroma(rows, Path(folder) / "chroma")
        for name, filters in {"no filter": None, "half match": HALF}.items():
            truth: Search = (
                brute_force(rows)
                if filters is None
                else lambda question: [int(half[n]) for n in exact_half(question)]
            )
            searches = {
                "agentcl": whole(memory, filters),
                "agentcl, ids only": ids_only(memory, filters),
                "Chroma": make_chroma(filters, True),
                "Chroma, ids only": make_chroma(filters, False),
            }
            result[name] = race(searches, asked, truth)
    return result


def beside_brute_force(rows: Floats, asked: Floats) -> dict[str, tuple[float, float]]:
    """Measure over many rows."""
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="minilm") as memory:
        fill(memory, rows)
        searches = {
            "agentcl": whole(memory, None),
            "agentcl, ids only": ids_only(memory, None),
            "numpy brute force": brute_force(rows),
        }
        return race(searches, asked, brute_force(rows))


def main() -> None:
    """Measure, print and save; each line says what was wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    arguments = parser.parse_args()
    rows, asked = vectors(arguments.data, arguments.many), questions(arguments.data)
    few = beside_chroma(rows[: arguments.few], asked)
    many = beside_brute_force(rows, asked)
    races = {
        f"{arguments.few:,}, no filter": (few["no filter"], 4),
        f"{arguments.few:,}, half match": (few["half match"], 20),
        f"{arguments.many:,}, no filter": (many, 20),
    }
    rivals = {"agentcl": "Chroma", "agentcl, ids only": "Chroma, ids only"}
    lines = []
    for label, (result, times) in races.items():
        for name, (ms, recall) in result.items():
            rival = rivals.get(name, "")
            if rival and rival not in result:
                rival = "numpy brute force"
            lines.append(
                [
                    label if name == "agentcl" else "",
                    name,
                    f"{ms:.2f}",
                    f"{recall:.4f}",
                    f"{result[rival][0] / ms:.1f} times" if rival else "",
                    f"{times} times {rival}" if rival else "",
                ]
            )
    table(["vectors", "", "p50 ms", "recall@10", "faster", "wanted"], lines)
    print(f"\n{len(asked)} questions")
    save(
        "vector_search",
        {
            "machine": machine("numpy", "chromadb"),
            "questions": len(asked),
            "races": {
                label: {name: {"p50_ms": ms, "recall@10": r} for name, (ms, r) in result.items()}
                for label, (result, _) in races.items()
            },
        },
    )


if __name__ == "__main__":
    main()
