"""Graph search beside HippoRAG 2's published package: same passages, facts, vectors, and no model asked.

    python benchmarks/graph_published.py --data ../shared/data/multihop

The package (PyPI `hipporag`) runs in an environment of its own, `hipporag_run.py` says how. Vectors are
made before anything is timed, and both are given them. Times are processor seconds. Of agentcl they hold
everything else that a user waits for: the journal, every index, and the answers as hits with reasons.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl import Draft, Memory
from agentcl.memory.records import Fact
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.recall import Mode

sys.path.insert(0, str(Path(__file__).parent))
from corpora import Corpus, load
from peers import kept
from recalls import DEPTHS, Shares, documents_of, interval, recalls
from results import machine, save, table

PACKAGE: Final = "hipporag==2.0.0a4"
NEEDS: Final = (
    "-c", "constraints.txt", "torch", "numpy", "pandas", "pyarrow", "igraph", "networkx", "tqdm",
    "openai", "pydantic", "tenacity", "httpx", "filelock", "packaging",
)  # fmt: skip
ADDED: Final = ("Ilka Renn", "Ilka Renn was born in Upper Mossling, and learned at sea in Tessary.")
ADDED_FACTS: Final = [
    ["Ilka Renn", "born in", "Upper Mossling"],
    ["Ilka Renn", "learned at", "Tessary"],
]


class Remembered:
    """An encoder which is asked for each text once."""

    def __init__(self, name: str = "minilm") -> None:
        self._encoder: Encoder = open_encoder(name)
        self._held: dict[tuple[str, str], bytes] = {}
        self.name, self.dim = self._encoder.name, self._encoder.dim
        self.is_lexical = self._encoder.is_lexical

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return the vectors of texts."""
        new = list(dict.fromkeys(text for text in texts if (role, text) not in self._held))
        for text, vector in zip(
            new, self._encoder.encode(new, role=role) if new else (), strict=True
        ):
            self._held[role, text] = vector
        return [self._held[role, text] for text in texts]


def published(
    corpus: Corpus, openie: list[Any], encoder: Remembered, folder: Path
) -> dict[str, Any]:
    """Run the package; return what it found and its seconds."""
    passages = [f"{title}\n{text}" for title, text in corpus.documents]
    added = "\n".join(ADDED)
    openie = [
        *openie,
        {"passage": added, "extracted_entities": [], "extracted_triples": ADDED_FACTS},
    ]
    triples = [
        normal(triple) for doc in openie for triple in doc["extracted_triples"] if len(triple) == 3
    ]
    phrases = {part for triple in triples for part in (triple[0], triple[2])}
    texts = [*passages, added, *sorted(phrases), *sorted({str(tuple(t)) for t in triples})]
    texts = list(dict.fromkeys(texts))
    packed = [
        *encoder.encode(texts, role="passage"),
        *encoder.encode(corpus.questions, role="query"),
    ]
    np.save(folder / "vectors.npy", np.array([np.frombuffer(one, "<f4") for one in packed]))
    task = {
        "passages": passages,
        "questions": corpus.questions,
        "added": added,
        "openie": openie,
        "encoded": [*texts, *corpus.questions],
    }
    (folder / "task.json").write_text(json.dumps(task), "utf-8")
    python = kept("hipporag", *NEEDS)
    bare = [str(python), "-m", "pip", "install", "-q", "--no-deps", PACKAGE]
    subprocess.run(bare, check=True)
    script = Path(__file__).with_name("hipporag_run.py")
    subprocess.run([str(python), str(script), str(folder)], check=True)
    found: dict[str, Any] = json.loads((folder / "published.json").read_text("utf-8"))
    return found


def normal(triple: Sequence[object]) -> list[str]:
    """Return a triple as the package compares it: lower case, and nothing but ASCII letters and digits."""
    return [re.sub("[^A-Za-z0-9 ]", " ", str(part).lower()).strip() for part in triple]


def ours(
    corpus: Corpus, encoder: Remembered, folder: Path
) -> tuple[dict[str, Shares], dict[str, float]]:
    """Return our recalls by ranking, and our seconds."""
    seconds: dict[str, float] = {}
    found: dict[str, Shares] = {}
    assert corpus.facts is not None
    drafts = [Draft(text=text, title=title) for title, text in corpus.documents]
    with Memory(folder / "warm", encoder=encoder) as memory:  # encodes everything
        memory.add_many(drafts)
        memory.import_facts(corpus.facts)
        memory.add(ADDED[1], title=ADDED[0])
        clauses = [
            f.search_text() for f in memory.list(kind="fact", limit=10**6) if isinstance(f, Fact)
        ]
        encoder.encode(corpus.questions, role="query")
        encoder.encode([*clauses, *(" ".join(fact) for fact in ADDED_FACTS)], role="passage")
        memory.search(corpus.questions[0], mode="graph")  # compiles what numba compiles

    def timed(name: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever it returns
        started = time.process_time()
        result = act()
        seconds[name] = time.process_time() - started
        return result

    def ask(memory: Memory, mode: Mode, position: dict[str, int]) -> list[list[int]]:
        return [documents_of(memory, question, mode, position) for question in corpus.questions]

    with Memory(folder / "ours", encoder=encoder) as memory:

        def index() -> list[str]:
            ids = [document.id for document in memory.add_many(drafts)]
            memory.import_facts(corpus.facts)  # type: ignore[arg-type]  # there is a file
            memory.retriever.catch_up(mode="graph")
            memory.search(corpus.questions[0], mode="graph")
            return ids

        ids = timed("index", index)
        position = {id: number for number, id in enumerate(ids)}
        modes: dict[str, Mode] = {
            "dense": "dense",
            "agentcl, graph": "graph",
            "agentcl, hipporag2": "hipporag2",
        }
        for name, mode in modes.items():
            memory.search(corpus.questions[0], mode=mode)
            rankings = timed(
                "questions" if mode == "graph" else name,
                partial(ask, memory, mode, position),
            )
            found[name] = recalls(corpus.gold, rankings)

        def add_one() -> None:
            document = memory.add(ADDED[1], title=ADDED[0])
            memory.add_facts(document.id, ADDED_FACTS)
            memory.retriever.catch_up(mode="graph")

        timed("one more passage", add_one)
    return found, seconds


def main() -> None:
    """Measure both, print the tables, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    corpus = load(parser.parse_args().data)[0]
    assert corpus.facts is not None
    with gzip.open(corpus.facts, "rt", encoding="utf-8") as file:
        openie = json.load(file)["docs"]
    for doc in openie:  # the package stops at entries that are no triple
        doc["extracted_triples"] = [t for t in doc["extracted_triples"] if len(t) == 3]
    encoder = Remembered()
    with tempfile.TemporaryDirectory() as scratch:
        theirs = published(corpus, openie, encoder, Path(scratch))
        found, seconds = ours(corpus, encoder, Path(scratch))
    place = {f"{title}\n{text}": number for number, (title, text) in enumerate(corpus.documents)}
    rankings = [[place[text] for text in ranking] for ranking in theirs["rankings"]]
    found["HippoRAG 2, published"] = recalls(corpus.gold, rankings)
    table(
        ["", *(f"recall@{depth}" for depth in DEPTHS)],
        [
            [name, *(f"{100 * value:.1f}" for value in of.mean(axis=0))]
            for name, of in found.items()
        ],
    )
    by = found["agentcl, graph"] - found["HippoRAG 2, published"]
    better = {depth: interval(by[:, n]) for n, depth in enumerate(DEPTHS)}
    print("\nagentcl, graph, against the published code, paired: " + ", ".join(
        f"@{depth} {mean:+.1f} [{low:+.1f}, {high:+.1f}]" for depth, (mean, low, high) in better.items()
    ))  # fmt: skip
    print()
    ratios = {name: theirs["seconds"][name] / seconds[name] for name in theirs["seconds"]}
    table(
        ["processor seconds", "HippoRAG 2", "agentcl", "ratio"],
        [
            [name, f"{theirs['seconds'][name]:.3f}", f"{seconds[name]:.3f}", f"{ratio:.1f}"]
            for name, ratio in ratios.items()
        ],
    )
    print(
        f"edges of the package's graph: {theirs['edges']:,}, after one more passage {theirs['edges_after']:,}"
    )
    save("graph_published", {
        "machine": machine("numpy", "numba"),
        "package": PACKAGE,
        "recall": {name: dict(zip(map(str, DEPTHS), (100 * of.mean(axis=0)).tolist(), strict=True))
                   for name, of in found.items()},
        "better": {str(depth): found for depth, found in better.items()},
        "seconds": {"HippoRAG 2": theirs["seconds"], "agentcl": seconds},
        "ratio": ratios,
        "edges": [theirs["edges"], theirs["edges_after"]],
    })  # fmt: skip


if __name__ == "__main__":
    main()
