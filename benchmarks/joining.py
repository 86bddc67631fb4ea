"""How hybrid joins words and vectors, cross-validated over all sets at hand.

    python benchmarks/joining.py --data ../shared/data

Each set is asked for its dense and its text ranking once; then every rule joins the same rankings. Constants are
chosen on all sets but one, by their mean recall@5, and measured on the one left out; and chosen on one half of
the questions of each set and measured on the other half. What is built is measured through `Memory.search`.
Graph search is measured beside it, with its two constants halved and doubled. Sets are HotpotQA, MuSiQue,
PopQA, paragraphs of SQuAD, and turns of conversations (LoCoMo, Holding); intervals are 95% by bootstrap over the
questions, differences are paired. Vectors are kept in `.bench`, since encoding takes most of the time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from parts.kept_vectors import KeptVectors

from agentcl import Draft, Memory
from agentcl.retrieval import fusion
from agentcl.retrieval.fusion import Fusion
from agentcl.retrieval.graph import search as graph_search
from agentcl.retrieval.index import Match
from agentcl.retrieval.modes import Mode

sys.path.insert(0, str(Path(__file__).parent))
from locomo_recall import conversations
from parts.corpora import Corpus, load
from parts.recalls import DEPTHS, SEED, Shares, documents_of, interval, recalls
from parts.results import machine, save, table

DEPTH: Final = 200  # of each ranking, as the retriever asks
AT: Final = DEPTHS.index(5)
BUILT: Final[tuple[Mode, ...]] = ("hybrid", "graph")
HALVES: Final = 200
FEW: Final = 50  # questions, as a small set has
ASKED_OF_GRAPH: Final = (
    100  # questions of a corpus at most, where the graph's constants are changed
)
Ranking = list[tuple[int, float]]  # document, score
Rule = Callable[[Ranking, Ranking], list[int]]
WEIGHTS: Final = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


@dataclass(slots=True)
class Asked:
    """The questions of a set, and what each part found."""

    gold: list[frozenset[int]]
    dense: list[Ranking]
    text: list[Ranking]
    built: dict[str, list[Shares]]  # by mode, of each of its corpora
    few: list[int]  # the questions that graph search with other constants is asked


def corpora(data: Path) -> Iterator[tuple[str, Corpus]]:
    """Yield corpora, each with the name of its set."""
    for corpus in load(data / "multihop"):
        yield corpus.name.split()[0].removesuffix("-train"), corpus
    with gzip.open(data / "squad" / "squad2-dev-A.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    paragraphs = [(a["title"].replace("_", " "), p) for a in articles for p in a["paragraphs"]]
    asked = [
        (question["question"], frozenset([number]))
        for number, (_, paragraph) in enumerate(paragraphs)
        for question in paragraph["qas"]
        if not question["is_impossible"]
    ]
    yield "SQuAD", _corpus("SQuAD", [(title, p["context"]) for title, p in paragraphs], asked)
    for items, questions in conversations(data / "locomo", without_faults=False):
        place = {item.id: number for number, item in enumerate(items)}
        found = [(q.text, frozenset(place[e] for e in q.evidence if e in place)) for q in questions]
        yield "LoCoMo", _corpus("LoCoMo", [("", item.text) for item in items], found)
    for person in json.loads((data / "holding" / "holding-dev.json").read_text("utf-8")):
        turns = [turn for session in person["sessions"] for turn in session["turns"]]
        place = {turn["id"]: number for number, turn in enumerate(turns)}
        found = [
            (q["q"], frozenset(place[e] for e in q["evidence"] if e in place))
            for q in person["questions"]
        ]
        texts = [("", f"{turn['role']}: {turn['content']}") for turn in turns]
        yield "Holding", _corpus("Holding", texts, found)


def _corpus(
    name: str, documents: list[tuple[str, str]], asked: list[tuple[str, frozenset[int]]]
) -> Corpus:
    kept = [(question, gold) for question, gold in asked if gold]
    questions, gold = zip(*kept, strict=True)
    return Corpus(name, tuple(documents), questions, gold)


def ask(corpus: Corpus, memory: Memory, position: Mapping[str, int], asked: Asked) -> None:
    """Ask every question of a corpus of each part, and in the modes as they are built."""
    some = min(ASKED_OF_GRAPH, len(corpus.gold))
    asked.few += range(len(asked.gold), len(asked.gold) + some)
    asked.gold += corpus.gold
    parts: tuple[tuple[Mode, list[Ranking]], ...] = (("dense", asked.dense), ("text", asked.text))
    for mode, rankings in parts:
        for question in corpus.questions:
            hits = memory.search(question, mode=mode, limit=DEPTH, distinct=False).hits
            rankings.append(
                [
                    (position[hit.document_id], part.score)
                    for hit in hits
                    for part in hit.parts
                    if part.source == mode
                ]
            )
    for mode in BUILT:
        asked.built.setdefault(mode, []).append(searched(corpus, memory, position, mode))


def searched(
    corpus: Corpus, memory: Memory, position: Mapping[str, int], mode: Mode, most: int | None = None
) -> Shares:
    """Return the recalls of a mode, of a corpus's first questions."""
    found = [documents_of(memory, q, mode, position) for q in corpus.questions[:most]]
    return recalls(corpus.gold[:most], found)


def by_rank(dense: Ranking, text: Ranking) -> list[int]:
    """Join by reciprocal ranks (Cormack et al. 2009), with its usual constant."""
    scores: dict[int, float] = {}
    for ranking in (dense, text):
        for place, (document, _) in enumerate(_best(ranking)):
            scores[document] = scores.get(document, 0.0) + 1 / (61 + place)
    return sorted(scores, key=lambda document: (-scores[document], document))


def by_scores(weight: float, first: int) -> Rule:
    """Join as `Fusion` does with other constants; with `first` 1 no ranking is trusted more for its spread."""

    def joined(dense: Ranking, text: Ranking) -> list[int]:
        rankings = {
            name: [Match(document, str(document), score) for document, score in _best(ranking)]
            for name, ranking in (("dense", dense), ("text", text))
        }
        with tried(DENSE_WEIGHT=weight, FIRST=first):
            return Fusion(rankings).ordered()

    return joined


def _best(ranking: Ranking) -> Ranking:
    """Return the best passage of each document."""
    held: dict[int, float] = {}
    for document, score in ranking:
        held.setdefault(document, score)
    return list(held.items())


@contextmanager
def tried(**constants: float) -> Iterator[None]:
    """Let constants of the retriever have other values for a while."""
    places = [
        (module, name)
        for name in constants
        for module in (fusion, graph_search)
        if hasattr(module, name)
    ]
    built = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, constants[name])
    try:
        yield
    finally:
        for (module, name), value in zip(places, built, strict=True):
            setattr(module, name, value)


PLAIN: Final = {f"weight {w}": by_scores(w, 1) for w in WEIGHTS}
SPREAD: Final = {
    f"weight {w}, first {n}": by_scores(w, n) for w, n in product(WEIGHTS, (5, 10, 20))
}
RULES: Final[dict[str, Rule]] = {
    "dense": lambda dense, text: [document for document, _ in dense],
    "BM25": lambda dense, text: [document for document, _ in text],
    "RRF": by_rank,
    **PLAIN,
    **SPREAD,
}
# Weight of the walk, and sharpness: as they are, and each halved and doubled.
GRAPHS: Final = ((0.1, 25.0), (0.05, 25.0), (0.2, 25.0), (0.1, 12.5), (0.1, 50.0))


def ruled(asked: Asked, rule: Rule) -> Shares:
    """Return the recalls of a rule."""
    found = [
        list(dict.fromkeys(rule(dense, text)))[: max(DEPTHS)]
        for dense, text in zip(asked.dense, asked.text, strict=True)
    ]
    return recalls(asked.gold, found)


def chosen(
    measured: Mapping[str, Mapping[str, Shares]], names: Sequence[str], sets: Sequence[str]
) -> str:
    """Return which of some rules has the best mean recall@5 over sets."""
    return max(
        names, key=lambda name: float(np.mean([measured[name][s][:, AT].mean() for s in sets]))
    )


def left_out(measured: Mapping[str, Mapping[str, Shares]], family: Sequence[str]) -> dict[str, str]:
    """Return for each set the rule that the other sets choose."""
    sets = list(measured["dense"])
    return {s: chosen(measured, family, [other for other in sets if other != s]) for s in sets}


def halved(
    measured: Mapping[str, Mapping[str, Shares]], family: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return by set how much a rule chosen on one half gains over the better part on the other, and how often it loses."""
    rng = np.random.default_rng(SEED)
    sets = list(measured["dense"])
    gains: dict[str, list[float]] = {name: [] for name in sets}
    for _ in range(HALVES):
        halves = {s: rng.permutation(len(measured["dense"][s])) for s in sets}
        seen = {n: {s: measured[n][s][halves[s][::2]] for s in sets} for n in family}
        best = chosen(seen, family, sets)
        for s in sets:
            gains[s].append(_gain(measured, best, s, halves[s][1::2]))
    return {
        s: (100 * float(np.mean(g)), 100 * float(np.mean(np.array(g) < -1e-9)))
        for s, g in gains.items()
    }


def falls_below(measured: Mapping[str, Mapping[str, Shares]], name: str, s: str) -> float:
    """Return in how many of 100 samples of a few questions a rule is worse than the better part."""
    rng = np.random.default_rng(SEED)
    samples = rng.integers(0, len(measured["dense"][s]), (2_000, FEW))
    return 100 * float(np.mean([_gain(measured, name, s, some) < -1e-9 for some in samples]))


def _gain(
    measured: Mapping[str, Mapping[str, Shares]], name: str, s: str, some: NDArray[np.int64]
) -> float:
    parts = max(float(measured[part][s][some, AT].mean()) for part in ("dense", "BM25"))
    return float(measured[name][s][some, AT].mean()) - parts


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--encoder", default="minilm")
    arguments = parser.parse_args()
    encoder = KeptVectors(arguments.encoder)
    sets: dict[str, Asked] = {}
    walked: dict[str, dict[str, list[Shares]]] = {}
    for name, corpus in corpora(arguments.data):
        print(name, len(corpus.documents), len(corpus.questions), file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder=encoder) as memory:
            drafts = [Draft(text=text, title=title) for title, text in corpus.documents]
            stored = memory.add_many(drafts, duplicates="keep")
            position = {document.id: number for number, document in enumerate(stored)}
            ask(corpus, memory, position, sets.setdefault(name, Asked([], [], [], {}, [])))
            for walk, sharpness in GRAPHS:
                with tried(WALK_WEIGHT=walk, SHARPNESS=sharpness):
                    some = searched(corpus, memory, position, "graph", ASKED_OF_GRAPH)
                of_set = walked.setdefault(f"walk {walk}, sharpness {sharpness:g}", {})
                of_set.setdefault(name, []).append(some)
    measured: dict[str, dict[str, Shares]] = {
        rule: {name: ruled(asked, joins) for name, asked in sets.items()}
        for rule, joins in RULES.items()
    }
    for mode in BUILT:
        measured[mode] = {name: np.concatenate(a.built[mode]) for name, a in sets.items()}
    save("joining" if arguments.encoder == "minilm" else f"joining-{arguments.encoder}",
         {"machine": machine("numpy", "torch", "sentence-transformers"), "seed": SEED, "encoder": arguments.encoder,
          "few": FEW, "halves": HALVES, "asked_of_graph": ASKED_OF_GRAPH,
          **report(measured, {n: {s: np.concatenate(x) for s, x in w.items()} for n, w in walked.items()},
                   {s: asked.few for s, asked in sets.items()})})  # fmt: skip


def report(
    measured: Mapping[str, dict[str, Shares]],
    walked: Mapping[str, dict[str, Shares]],
    few: Mapping[str, list[int]],
) -> dict[str, Any]:
    """Print what was found and return it."""
    plain, spread = left_out(measured, list(PLAIN)), left_out(measured, list(SPREAD))
    plain_halves, spread_halves = halved(measured, list(PLAIN)), halved(measured, list(SPREAD))
    fixed = ("dense", "BM25", "RRF", "weight 0.55", "hybrid", "graph")
    rows: list[dict[str, Any]] = []
    for s in measured["dense"]:
        at = {name: measured[name][s][:, AT] for name in measured}
        better = max(("dense", "BM25"), key=lambda name: float(at[name].mean()))
        named = {
            **{n: n for n in fixed},
            "left out, weight alone": plain[s],
            "left out, by spread": spread[s],
        }
        rows.append(
            {
                "set": s, "questions": len(at["dense"]), "better part": better,
                "recall@5": {n: interval(at[rule]) for n, rule in named.items()},
                "against better part": {n: interval(at[rule] - at[better]) for n, rule in named.items() if n != better},
                "hybrid against dense": interval(at["hybrid"] - at["dense"]),
                "graph against dense": interval(at["graph"] - at["dense"]),
                "chosen": {"weight alone": plain[s], "by spread": spread[s]},
                "halves": {"weight alone": plain_halves[s], "by spread": spread_halves[s]},
                "below on few": {n: falls_below(measured, named[n], s) for n in named if n not in ("dense", "BM25")},
                "all depths": {n: (100 * measured[rule][s].mean(axis=0)).tolist() for n, rule in named.items()},
            }
        )  # fmt: skip
    names = list(rows[0]["recall@5"])
    table(
        ["recall@5", *names],
        [[f"{r['set']} ({r['questions']})", *(f"{r['recall@5'][n][0]:.1f}" for n in names)] for r in rows],
    )  # fmt: skip
    print()
    table(
        ["against the better part", *names[2:]],
        [[r["set"], *(_cell(r["against better part"][n]) for n in names[2:])] for r in rows],
    )
    print()
    table(
        ["set", "chosen by the others", "halves, weight alone", "halves, by spread", *(f"below on {FEW}: {n}" for n in names[2:])],
        [
            [
                r["set"], f"{r['chosen']['weight alone']} / {r['chosen']['by spread']}",
                *("{:+.1f}, worse in {:.0f}%".format(*r["halves"][n]) for n in ("weight alone", "by spread")),
                *(f"{r['below on few'][n]:.0f}%" for n in names[2:]),
            ]
            for r in rows
        ],
    )  # fmt: skip
    print()
    graphs: list[dict[str, Any]] = [
        {
            "constants": name,
            "recall@5": {s: interval(found[s][:, AT]) for s in found},
            "all depths": {s: (100 * found[s].mean(axis=0)).tolist() for s in found},
        }
        for name, found in walked.items()
    ]
    table(
        ["graph, recall@5", *walked[next(iter(walked))]],
        [[g["constants"], *(f"{x[0]:.1f}" for x in g["recall@5"].values())] for g in graphs],
    )
    graph_left_out = _graph_left_out(measured, walked, few)
    for s, (name, found) in graph_left_out.items():
        print(f"graph on {s}, constants of the others ({name}), against dense: {_cell(found)}")
    everything = {
        name: {s: (100 * x.mean(axis=0)).tolist() for s, x in measured[name].items()}
        for name in measured
    }
    return {"rows": rows, "graphs": graphs, "rules": everything,
            "graph left out": {s: {"constants": n, "against dense": f} for s, (n, f) in graph_left_out.items()}}  # fmt: skip


def _graph_left_out(
    measured: Mapping[str, dict[str, Shares]],
    walked: Mapping[str, dict[str, Shares]],
    few: Mapping[str, list[int]],
) -> dict[str, tuple[str, Any]]:
    """Return for each set the constants that the other sets choose, and the gain over dense there."""
    found = {}
    for s in few:
        best = chosen(walked, list(walked), [other for other in few if other != s])
        found[s] = (best, interval(walked[best][s][:, AT] - measured["dense"][s][few[s], AT]))
    return found


def _cell(found: tuple[float, float, float]) -> str:
    return f"{found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]"


if __name__ == "__main__":
    main()
