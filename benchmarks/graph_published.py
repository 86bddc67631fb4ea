"""Graph search beside HippoRAG 2's published package: same passages, facts, vectors, and no model asked.

    python benchmarks/graph_published.py --data ../shared/data/multihop

The package (PyPI `hipporag`) runs in an environment of its own, `hipporag_run.py` says how. Vectors are
made before anything is timed, and both are given them. Times are processor seconds. Of agentcl they hold
everything else that a user waits for: the journal, every index, and the answers as hits with reasons. Each
works in a process of its own: the package loads torch, as it always does, agentcl (`agentcl_run.py`) does not,
since it needs none where vectors are given; what it takes beside torch is measured, too. They run in turn,
and what is told are the medians.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl import Draft, Memory
from agentcl.retrieval.encoders import Encoder, open_encoder
from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.graph.phrases import normalise
from agentcl.retrieval.modes import PUBLISHED, Mode, SearchMode
from agentcl.store.records import Fact

sys.path.insert(0, str(Path(__file__).parent))
from parts.corpora import Corpus, load
from parts.peers import kept
from parts.recalls import DEPTHS, interval, recalls
from parts.results import machine, save, table

PACKAGE: Final = "hipporag==2.0.0a4"
NEEDS: Final = (
    "-c", "constraints.txt", "torch", "numpy", "pandas", "pyarrow", "igraph", "networkx", "tqdm",
    "openai", "pydantic", "tenacity", "httpx", "filelock", "packaging",
)  # fmt: skip
ROUNDS: Final = 3  # all run in turn, since other work on the machine changes what a second is worth
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

    def held(self) -> tuple[list[tuple[str, str]], NDArray[np.float32]]:
        """Return all roles and texts that it was asked for, and their vectors as rows."""
        rows = [np.frombuffer(vector, "<f4") for vector in self._held.values()]
        return list(self._held), np.array(rows)


def prepare_published(corpus: Corpus, openie: list[Any], encoder: Remembered, folder: Path) -> None:
    """Encode all that the package encodes, and write the vectors and the task for `hipporag_run.py`."""
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


def published(folder: Path) -> dict[str, Any]:
    """Run the package from nothing; return what it found and its seconds."""
    rmtree(folder / "published", ignore_errors=True)
    python = kept("hipporag", *NEEDS)
    bare = [str(python), "-m", "pip", "install", "-q", "--no-deps", PACKAGE]
    subprocess.run(bare, check=True)
    script = Path(__file__).with_name("parts") / "hipporag_run.py"
    subprocess.run([str(python), str(script), str(folder)], check=True)
    found: dict[str, Any] = json.loads((folder / "published.json").read_text("utf-8"))
    return found


def normal(triple: Sequence[object]) -> list[str]:
    """Return a triple as the package compares it: lower case, and nothing but ASCII letters and digits."""
    return [re.sub("[^A-Za-z0-9 ]", " ", str(part).lower()).strip() for part in triple]


def prepare(corpus: Corpus, encoder: Remembered, folder: Path) -> None:
    """Encode all that agentcl encodes, and write the vectors and the task for `agentcl_run.py`."""
    assert corpus.facts is not None
    with Memory(folder / "encoding", encoder=encoder) as memory:
        memory.add_many([Draft(text=text, title=title) for title, text in corpus.documents])
        memory.facts.import_(corpus.facts)
        clauses = [
            f.search_text() for f in memory.list(kind="fact", limit=10**6) if isinstance(f, Fact)
        ]
        modes: tuple[Mode | SearchMode, ...] = (
            "graph",
            PUBLISHED,
        )  # the latter encodes the phrases of both
        for mode in modes:
            memory.search(corpus.questions[0], mode=mode)
    title, text = ADDED
    encoder.encode(corpus.questions, role="query")
    encoder.encode(
        [f"{title}\n{text}", *(" ".join(f) for f in ADDED_FACTS), *clauses], role="passage"
    )
    phrases = [normalise(part) for fact in ADDED_FACTS for part in (fact[0], fact[2])]
    encoder.encode(phrases, role="passage")
    texts, vectors = encoder.held()
    np.save(folder / "ours.npy", vectors)
    task = {
        "documents": corpus.documents,
        "questions": corpus.questions,
        "facts": str(corpus.facts),
        "added": ADDED,
        "added_facts": ADDED_FACTS,
        "encoded": texts,
    }
    (folder / "ours.json").write_text(json.dumps(task), "utf-8")


def ours(folder: Path, *options: str) -> dict[str, Any]:
    """Run agentcl from nothing in a process of its own; return what it found and its seconds."""
    name = "torch" if options else "bare"
    rmtree(folder / name, ignore_errors=True)
    script = Path(__file__).with_name("parts") / "agentcl_run.py"
    subprocess.run([sys.executable, str(script), str(folder), *options], check=True)
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return found


def medians(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median seconds of several runs."""
    return {
        name: statistics.median(run["seconds"][name] for run in runs) for name in runs[0]["seconds"]
    }


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
        folder = Path(scratch)
        prepare_published(corpus, openie, encoder, folder)
        prepare(corpus, encoder, folder)
        rounds = [(published(folder), ours(folder), ours(folder, "--torch")) for _ in range(ROUNDS)]
    theirs, bare, _ = rounds[0]
    theirs_s, seconds, beside_torch_s = (medians(runs) for runs in zip(*rounds, strict=True))
    found = {name: recalls(corpus.gold, ranking) for name, ranking in bare["rankings"].items()}
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
    ratios = {name: theirs_s[name] / seconds[name] for name in theirs_s}
    each = [one["seconds"]["index"] / other["seconds"]["index"] for one, other, _ in rounds]
    table(
        ["processor seconds", "HippoRAG 2", "agentcl", "ratio"],
        [
            [name, f"{theirs_s[name]:.3f}", f"{seconds[name]:.3f}", f"{ratio:.1f}"]
            for name, ratio in ratios.items()
        ],
    )
    print("index, ratio in each round: " + ", ".join(f"{ratio:.1f}" for ratio in each))
    print(f"index, where torch is loaded too: {beside_torch_s['index']:.3f}")
    print(
        f"edges of the package's graph: {theirs['edges']:,}, after one more passage {theirs['edges_after']:,}"
    )
    save("graph_published", {
        "machine": machine("numpy", "numba"),
        "package": PACKAGE,
        "recall": {name: dict(zip(map(str, DEPTHS), (100 * of.mean(axis=0)).tolist(), strict=True))
                   for name, of in found.items()},
        "better": {str(depth): found for depth, found in better.items()},
        "seconds": {"HippoRAG 2": theirs_s, "agentcl": seconds, "agentcl, beside torch": beside_torch_s},
        "ratio": ratios,
        "rounds": {"HippoRAG 2": [one["seconds"] for one, _, _ in rounds],
                   "agentcl": [one["seconds"] for _, one, _ in rounds],
                   "agentcl, beside torch": [one["seconds"] for _, _, one in rounds]},
        "edges": [theirs["edges"], theirs["edges_after"]],
    })  # fmt: skip


if __name__ == "__main__":
    main()
