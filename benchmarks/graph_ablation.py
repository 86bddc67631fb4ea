"""What each part of graph search is worth: MuSiQue-train dev50 with GPT-3.5 facts, one change at a time.

    python benchmarks/graph_ablation.py --data ../shared/data/multihop

Differences to the default are paired by question, with 95% bootstrap intervals. Fifty questions tell a
difference of some points at the best. The share of the restarts on facts, the tolerance and the weight of the
dense ranking were settled while looking at these questions, beside HotpotQA, PopQA and the walk's own accuracy.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from agentcl import Document, Draft, Memory
from agentcl.retrieval.graph.settings import Edges, GraphSettings

sys.path.insert(0, str(Path(__file__).parent))
from parts.corpora import Corpus, load
from parts.recalls import DEPTHS, Shares, documents_of, interval, recalls
from parts.results import machine, save, table

DEFAULT = "default"
VARIANTS = {
    DEFAULT: GraphSettings(),
    "not linked to facts": GraphSettings(linking_top_k=0),
    "half of the restarts on facts": GraphSettings(phrase_share=0.5),
    "all restarts on facts": GraphSettings(phrase_share=1.0),
    "names of facts alone": GraphSettings(Edges(names="facts")),
    "names of the text as well": GraphSettings(Edges(names="all")),
    "fact edges": GraphSettings(Edges(fact_weight=1.0)),
    "synonym edges from 0.8": GraphSettings(Edges(synonymy_threshold=0.8)),
    "synonym edges from 0.9": GraphSettings(Edges(synonymy_threshold=0.9)),
    "phrases of one passage kept": GraphSettings(Edges(has_leaves=True)),
    "damping 0.3": GraphSettings(damping=0.3),
    "damping 0.7": GraphSettings(damping=0.7),
    "tolerance 1e-6": GraphSettings(tolerance=1e-6),
}
WITHOUT_FACTS = "no model: names of the text"


def measure(memory: Memory, corpus: Corpus) -> Shares:
    """Return recall by question and depth."""
    position = {document: number for number, document in enumerate(corpus.documents)}
    held = {
        document.id: position[document.title, document.text]
        for document in memory.list(limit=len(corpus.documents))
        if isinstance(document, Document)
    }
    found = [documents_of(memory, question, "graph", held) for question in corpus.questions]
    return recalls(corpus.gold, found)


def main() -> None:
    """Measure each variant, print the table, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    arguments = parser.parse_args()
    corpus = load(arguments.data)[0]
    assert corpus.facts is not None
    measured: dict[str, Shares] = {}
    with tempfile.TemporaryDirectory() as folder:
        with Memory(folder, encoder="minilm") as memory:
            memory.add_many(Draft(text=text, title=title) for title, text in corpus.documents)
            measured[WITHOUT_FACTS] = measure(memory, corpus)
            memory.facts.import_(corpus.facts)
        for name, settings in VARIANTS.items():
            with Memory(folder, graph=settings) as memory:
                measured[name] = measure(memory, corpus)
    rows: list[dict[str, Any]] = []
    for name, found in measured.items():
        row: dict[str, Any] = {"variant": name}
        for place, depth in enumerate(DEPTHS):
            by = found[:, place] - measured[DEFAULT][:, place]
            row[f"recall@{depth}"] = 100 * float(found[:, place].mean())
            row[f"by@{depth}"] = interval(by)
        rows.append(row)
    rows.sort(key=lambda row: row["variant"] != DEFAULT)
    table(
        ["variant", *(f"recall@{depth}" for depth in DEPTHS)],
        [
            [
                row["variant"],
                *(
                    f"{row[f'recall@{d}']:.1f} ({row[f'by@{d}'][0]:+.1f} "
                    f"[{row[f'by@{d}'][1]:+.0f}, {row[f'by@{d}'][2]:+.0f}])"
                    for d in DEPTHS
                ),
            ]
            for row in rows
        ],
    )
    save("graph_ablation", {"machine": machine("numpy", "numba", "torch"), "rows": rows})


if __name__ == "__main__":
    main()
