"""Recall on real corpora through `Memory.search`: BM25, dense, hybrid, graph, HippoRAG 2's settings, side by side.

    python benchmarks/retrieval.py --data ../shared/data/multihop

Each corpus is added to a memory of its own, each question asked in every mode; hits are passages,
counted by their document. Where there are facts by a language model (GPT-3.5, imported), the graph is asked
again with these. Intervals are 95% by bootstrap over the questions, differences are paired.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from agentcl import Draft, Memory
from agentcl.retrieval.modes import PUBLISHED as AS_PUBLISHED
from agentcl.retrieval.modes import Mode, SearchMode

sys.path.insert(0, str(Path(__file__).parent))
from parts.corpora import Corpus, load
from parts.kept_vectors import KeptVectors
from parts.recalls import DEPTHS, SEED, Shares, documents_of, interval, recalls
from parts.results import machine, save, table

MODES: tuple[Mode, ...] = ("text", "dense", "hybrid", "graph")
NAMES = {"text": "BM25", "dense": "dense", "hybrid": "hybrid", "graph": "graph"}
WITH_FACTS = "graph, GPT-3.5 facts"
PUBLISHED = "HippoRAG 2, same facts"
Row = dict[str, Any]


def measure(
    corpus: Corpus, encoder: str | KeptVectors, folder: Path
) -> tuple[list[Row], dict[str, Shares]]:
    """Fill a memory with a corpus; return one row for each ranking, and the recalls of each question."""
    rows: list[Row] = []
    shares: dict[str, Shares] = {}
    with Memory(folder, encoder=encoder) as memory:
        started = time.perf_counter()
        stored = memory.add_many(Draft(text=text, title=title) for title, text in corpus.documents)
        filled_s = time.perf_counter() - started
        position = {document.id: number for number, document in enumerate(stored)}

        def ask(name: str, mode: Mode | SearchMode) -> None:
            memory.search(corpus.questions[0], mode=mode)  # indexes catch up with what was added
            started = time.perf_counter()
            found = [
                documents_of(memory, question, mode, position) for question in corpus.questions
            ]
            asked_s = time.perf_counter() - started
            row: Row = {
                "corpus": corpus.name,
                "documents": len(corpus.documents),
                "questions": len(corpus.questions),
                "mode": name,
                "encoder": memory.store.encoder.name if mode != "text" else "none",
                "fill_s": filled_s,
                "ms_per_question": asked_s / len(found) * 1e3,
            }
            shares[name] = recalls(corpus.gold, found)
            for place, depth in enumerate(DEPTHS):
                row[f"recall@{depth}"] = interval(shares[name][:, place])
            complete = np.array(
                [float(g <= set(r[:5])) for g, r in zip(corpus.gold, found, strict=True)]
            )
            row["all_gold_in_5"] = interval(complete)
            rows.append(row)

        for mode in MODES:
            ask(NAMES[mode], mode)
        if corpus.facts is not None:
            memory.facts.import_(corpus.facts)
            ask(WITH_FACTS, "graph")
            ask(PUBLISHED, AS_PUBLISHED)
    return rows, shares


def differences(corpus: str, shares: dict[str, Shares]) -> list[Row]:
    """Return by how much the graph is better than each other ranking, question by question."""
    found = []
    for name in ("graph", WITH_FACTS):
        for other in ("BM25", "dense", "hybrid", PUBLISHED):
            if name in shares and other in shares:
                by = shares[name] - shares[other]
                row: Row = {"corpus": corpus, "mode": name, "against": other}
                row |= {f"recall@{d}": interval(by[:, n]) for n, d in enumerate(DEPTHS)}
                found.append(row)
    return found


def _cell(interval: tuple[float, float, float]) -> str:
    return f"{interval[0]:5.1f} [{interval[1]:.0f}, {interval[2]:.0f}]"


def main() -> None:
    """Measure, print, save, and fail if hybrid or graph is worse than the better of BM25 and dense."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--keep-vectors", action="store_true",
                        help="use vectors kept in .bench; the time to fill is then without encoding")  # fmt: skip
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}; --data must name the multihop data")
    encoder = KeptVectors(arguments.encoder) if arguments.keep_vectors else arguments.encoder
    rows: list[Row] = []
    paired: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(load(arguments.data)):
            some, shares = measure(corpus, encoder, Path(folder) / str(number))
            rows += some
            paired += differences(corpus.name, shares)
    table(
        ["corpus", "mode", *(f"recall@{d}" for d in DEPTHS), "all gold in 5", "ms/question"],
        [
            [
                f"{row['corpus']} ({row['documents']:,})",
                row["mode"],
                *(_cell(row[f"recall@{depth}"]) for depth in DEPTHS),
                _cell(row["all_gold_in_5"]),
                f"{row['ms_per_question']:.1f}",
            ]
            for row in rows
        ],
    )
    print()
    table(
        ["corpus", "ranking", "against", *(f"recall@{d}" for d in DEPTHS)],
        [
            [
                row["corpus"],
                row["mode"],
                row["against"],
                *(_cell(row[f"recall@{d}"]) for d in DEPTHS),
            ]
            for row in paired
        ],
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nencoder {arguments.encoder}, seed {SEED}, peak memory {peak_mb:,.0f} MB")
    corpora = {row["corpus"]: row for row in rows}
    for name, row in corpora.items():
        print(f"{name}: filled in {row['fill_s']:.1f} s, {row['questions']} questions")
    at_five = {(row["corpus"], row["mode"]): row["recall@5"][0] for row in rows}
    worse = [
        f"{mode} on {name}"
        for name in corpora
        for mode in ("hybrid", "graph")
        if at_five[name, mode] < max(at_five[name, "BM25"], at_five[name, "dense"])
    ]
    print("hybrid and graph at least as good as the better part at recall@5: "
          + ("yes" if not worse else "no: " + ", ".join(worse)))  # fmt: skip
    name = (
        "retrieval"
        if arguments.encoder == "minilm"
        else "retrieval-" + arguments.encoder.replace(":", "-")
    )
    save(name, {"machine": machine("numpy", "torch", "sentence-transformers"), "seed": SEED,
                "encoder": arguments.encoder, "has_kept_vectors": arguments.keep_vectors, "peak_mb": peak_mb, "rows": rows, "paired": paired})  # fmt: skip
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
