"""Recall on real corpora through `Memory.search`: BM25, dense, fused and graph, side by side.

    python benchmarks/retrieval.py --data ../shared/data/multihop

Each corpus is added to a memory of its own, each question asked in the four modes; hits are passages,
counted by their document. Intervals are 95% by bootstrap over the questions.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from agentcl import Draft, Memory
from agentcl.retrieval.recall import Mode

sys.path.insert(0, str(Path(__file__).parent))
from corpora import Corpus, load
from results import machine, save, table

DEPTHS = (1, 2, 5, 10, 20)
MODES: tuple[Mode, ...] = ("text", "dense", "fused", "graph")
NAMES = {"text": "BM25", "dense": "dense", "fused": "fused", "graph": "graph"}
SEED = 0


def measure(corpus: Corpus, encoder: str, folder: Path) -> list[dict[str, Any]]:
    """Fill a memory with a corpus and return one row for each mode."""
    rows = []
    with Memory(folder, encoder=encoder) as memory:
        started = time.perf_counter()
        stored = memory.add_many(Draft(text=text, title=title) for title, text in corpus.documents)
        filled_s = time.perf_counter() - started
        position = {document.id: number for number, document in enumerate(stored)}
        for mode in MODES:
            memory.search(corpus.questions[0], mode=mode)  # indexes catch up with what was added
            started = time.perf_counter()
            found = [_documents(memory, question, mode, position) for question in corpus.questions]
            asked_s = time.perf_counter() - started
            row: dict[str, Any] = {
                "corpus": corpus.name,
                "documents": len(corpus.documents),
                "questions": len(corpus.questions),
                "mode": NAMES[mode],
                "encoder": memory.encoder.name if mode != "text" else "none",
                "fill_s": filled_s,
                "ms_per_question": asked_s / len(found) * 1e3,
            }
            for depth in DEPTHS:
                shares = [
                    len(gold & set(ranking[:depth])) / len(gold)
                    for gold, ranking in zip(corpus.gold, found, strict=True)
                ]
                row[f"recall@{depth}"] = _interval(shares)
            complete = [
                float(gold <= set(ranking[:5]))
                for gold, ranking in zip(corpus.gold, found, strict=True)
            ]
            row["all_gold_in_5"] = _interval(complete)
            rows.append(row)
    return rows


def _documents(memory: Memory, question: str, mode: Mode, position: dict[str, int]) -> list[int]:
    hits = memory.search(question, limit=50, mode=mode)
    return list(dict.fromkeys(position[hit.document_id] for hit in hits))[: max(DEPTHS)]


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean in percent with the ends of its 95% bootstrap interval."""
    rng = np.random.default_rng(SEED)
    sample = np.array(values)
    means = rng.choice(sample, (2_000, len(sample))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return cast(
        tuple[float, float, float], tuple(100 * float(v) for v in (sample.mean(), low, high))
    )


def _cell(interval: tuple[float, float, float]) -> str:
    return f"{interval[0]:5.1f} [{interval[1]:.0f}, {interval[2]:.0f}]"


def main() -> None:
    """Measure, print, save, and fail if fused or graph is worse than the better of BM25 and dense."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--encoder", default="minilm")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        parser.error(f"there is no folder {arguments.data}; --data must name the multihop data")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(load(arguments.data)):
            rows += measure(corpus, arguments.encoder, Path(folder) / str(number))
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
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nencoder {arguments.encoder}, seed {SEED}, peak memory {peak_mb:,.0f} MB")
    for row in rows[:: len(MODES)]:
        print(f"{row['corpus']}: filled in {row['fill_s']:.1f} s, {row['questions']} questions")
    worse = []
    for first in range(0, len(rows), len(MODES)):
        at_five = {row["mode"]: row["recall@5"][0] for row in rows[first : first + len(MODES)]}
        better_part = max(at_five["BM25"], at_five["dense"])
        worse += [
            f"{mode} on {rows[first]['corpus']}"
            for mode in ("fused", "graph")
            if at_five[mode] < better_part
        ]
    print("fused and graph at least as good as the better part at recall@5: "
          + ("yes" if not worse else "no: " + ", ".join(worse)))  # fmt: skip
    name = (
        "retrieval"
        if arguments.encoder == "minilm"
        else "retrieval-" + arguments.encoder.replace(":", "-")
    )
    save(name, {"machine": machine("numpy", "torch", "sentence-transformers"), "seed": SEED,
                "encoder": arguments.encoder, "peak_mb": peak_mb, "rows": rows})  # fmt: skip
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
