"""Does the answer stand in a prompt that has room for a part of what was found? Extraction beside its baselines.

    python benchmarks/extraction.py
    python benchmarks/extraction.py --fit
    python benchmarks/extraction.py --read http://127.0.0.1:8000/v1 --model NAME --questions 60

For each question ten passages are found (hybrid, MiniLM). A budget is a share of the tokens that all of them take in a
block, by agentcl's estimate. Each way of filling it uses the same block: passages whole from the best on, the last
cut at a word; the first sentences of each passage; sentences by BM25; sentences by the cosine of their MiniLM
vectors; and `Recall.pack`. An answer is held if its words stand in the block (SQuAD's normalisation). Of SQuAD the
sentence with the answer, and of HotpotQA the annotated ones, are the support. Intervals are 95 % by bootstrap over
questions, differences are paired. Times are of the processor, beside that of the search with its vector.

`--fit` fits the odds of `scoring` on SQuAD without one article, and asks that one. `--read` lets a model answer questions
of SQuAD from whole passages and from sentences at the same budget.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agentcl import Draft, Memory, Recall
from agentcl.envs import load_histories
from agentcl.memory import ContextForm
from agentcl.retrieval.encoders import open_encoder
from agentcl.retrieval.extracting import scoring
from agentcl.retrieval.extracting.extracts import extract_of
from agentcl.store.vectors import unpack
from agentcl.text import estimate_tokens
from agentcl.text.sentences import sentences
from agentcl.text.terms import terms

sys.path.insert(0, str(Path(__file__).parent))
from parts.kept_vectors import KeptVectors
from parts.recalls import SEED, interval
from parts.results import CACHE, machine, save, table
from parts.supported import Asked, Data, load, squad

SHARES: Final = (1 / 8, 1 / 4, 1 / 2, 1.0)
HITS: Final = 10
BUDGETS: Final = (150, 300, 800)  # tokens of a context
FORMS: Final[tuple[ContextForm, ...]] = ("whole", "auto")
UNSAID: Final = ("never", "hostile", "count")  # kinds whose answer no turn says
TIMED: Final = 40  # questions whose time is taken
OURS: Final = "ours"
WITH_VECTORS: Final = "ours, with MiniLM on sentences"
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
Row = dict[str, Any]


def normal(text: str) -> str:
    """Return a text as SQuAD's scorer compares it, between spaces."""
    bare = re.sub(r"[^\w\s]", " ", text.casefold())
    return f" {' '.join(_ARTICLES.sub(' ', bare).split())} "


def holds(block: str, some: Sequence[str]) -> list[bool]:
    """Return for each text whether its words stand in a block one behind the other."""
    whole = normal(block.replace("\n> ", "\n"))
    return [normal(one) in whole for one in some]


# A way to fill a budget: the block for a recall.
Way = Callable[[Recall, int], str]


def ways(encoder: KeptVectors) -> dict[str, Way]:
    """Return the ways that are compared."""
    return {
        "whole passages": lambda recall, budget: recall.prompt(budget_tokens=budget, form="whole"),
        "lead sentences": lambda recall, budget: in_order(recall, budget, _lead(recall)),
        "BM25 sentences": lambda recall, budget: in_order(recall, budget, _bm25(recall)),
        "MiniLM sentences": lambda recall, budget: in_order(
            recall, budget, _cosines(recall, encoder)
        ),
        OURS: lambda recall, budget: recall.prompt(budget_tokens=budget),
        WITH_VECTORS: lambda recall, budget: (
            recall.pack(budget_tokens=budget, encoder=encoder).text
        ),
    }


def _said(recall: Recall) -> Iterator[tuple[int, int, str]]:
    for number, hit in enumerate(recall):
        for place, one in enumerate(sentences(hit.text)):
            yield number, place, hit.text[one.start : one.end]


def _lead(recall: Recall) -> list[float]:
    return [-place - number / 100 for number, place, _ in _said(recall)]


def _bm25(recall: Recall) -> list[float]:
    """Return BM25 of each sentence, with the index's own idf (k1 = 1.2, b = 0.75)."""
    said = [terms(one) for *_, one in _said(recall)]
    mean = sum(map(len, said)) / max(len(said), 1)

    def score(one: list[str]) -> float:
        least = 1.2 * (0.25 + 0.75 * len(one) / mean)
        counts = {term: one.count(term) for term in recall.weights}
        return sum(recall.weights[t] * n * 2.2 / (n + least) for t, n in counts.items() if n)

    return [score(one) for one in said]


def _cosines(recall: Recall, encoder: KeptVectors) -> list[float]:
    (asked,) = encoder.encode([recall.query], role="query")
    vectors = encoder.encode([one for *_, one in _said(recall)], role="passage")
    query = np.array(unpack(asked))
    return [float(query @ np.array(unpack(one))) for one in vectors]


def in_order(recall: Recall, budget: int, scores: Sequence[float]) -> str:
    """Return a block of the best sentences, each taken where it still has room."""
    said = list(_said(recall))
    parts = [sentences(hit.text) for hit in recall]
    frames = [estimate_tokens(f'[{n}, "{hit.title}"] \n') for n, hit in enumerate(recall, 1)]
    left = budget - 8  # the head
    chosen: dict[int, list[int]] = {}
    for at in sorted(range(len(said)), key=lambda at: -scores[at]):
        number, place, one = said[at]
        cost = estimate_tokens(one) + 3 + (0 if number in chosen else frames[number])
        if cost <= left:
            left -= cost
            chosen.setdefault(number, []).append(place)
    hits = []
    for number, places in sorted(chosen.items()):
        hit = recall.hits[number]
        made = extract_of(hit.text, parts[number], sorted(places))
        hits.append(replace(hit, text=made.text if made else ""))
    return replace(recall, hits=tuple(hits)).prompt(budget_tokens=budget, form="whole")


def measure(found: Data, encoder: KeptVectors, folder: Path) -> list[Row]:
    """Fill a memory, and fill the budgets; return a row for each way and budget."""
    with Memory(folder, encoder=encoder) as memory:
        memory.add_many(
            Draft(text=text, title=title) for title, text in dict.fromkeys(found.documents)
        )
        recalls = [memory.search(one.text, limit=HITS) for one in found.questions]
        search_ms, encode_ms = _searching_ms(memory, found, recalls)
    whole = [recall.pack(budget_tokens=10**9) for recall in recalls]
    held = [any(holds(p.text, q.answers)) for p, q in zip(whole, found.questions, strict=True)]
    supported = [
        bool(q.support) and all(holds(p.text, q.support))
        for p, q in zip(whole, found.questions, strict=True)
    ]
    rows: list[Row] = []
    for share in SHARES:
        kept: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for name, way in ways(encoder).items():
            if share == 1 and name not in (OURS, "whole passages"):
                continue  # everything has room
            began = time.process_time()
            blocks = [
                way(recall, int(share * p.tokens)) for recall, p in zip(recalls, whole, strict=True)
            ]
            ms = (time.process_time() - began) / len(blocks) * 1e3
            ms += encode_ms if "MiniLM" in name else 0.0  # their vectors were kept
            tokens = np.mean(
                [estimate_tokens(b) / p.tokens for b, p in zip(blocks, whole, strict=True)]
            )
            answers = [
                float(any(holds(b, q.answers)))
                for b, q, is_held in zip(blocks, found.questions, held, strict=True)
                if is_held
            ]
            support = [
                float(all(holds(b, q.support)))
                for b, q, is_held in zip(blocks, found.questions, supported, strict=True)
                if is_held
            ]
            kept[name] = np.array(answers), np.array(support)
            rows.append({
                "set": found.name, "share": share, "way": name, "questions": sum(held), "supported": sum(supported),
                "answer": interval(kept[name][0]), "support": interval(kept[name][1]) if support else None,
                "tokens": float(tokens), "ms": ms, "search_ms": search_ms,
            })  # fmt: skip
            print(found.name, f"{share:.3f}", name, rows[-1]["answer"], rows[-1]["support"],
                  f"{tokens:.2f} of the tokens, {ms:.1f} ms", flush=True)  # fmt: skip
        for row in rows[-len(kept) :]:
            answers_by = kept[OURS][0] - kept[row["way"]][0]
            row["ours_better_by"] = interval(answers_by)
            if row["support"]:
                row["ours_supports_by"] = interval(kept[OURS][1] - kept[row["way"]][1])
    return rows


def _searching_ms(memory: Memory, found: Data, recalls: Sequence[Recall]) -> tuple[float, float]:
    """Return the ms of the processor that a search takes with the vector of its question, and the vectors of all sentences."""
    bare = open_encoder(memory.store.encoder.name)
    bare.encode(["warm"], role="query")
    some = found.questions[:TIMED]
    began = time.process_time()
    for one in some:
        (vector,) = bare.encode([one.text], role="query")
        memory.search(one.text, limit=HITS, vector=list(unpack(vector)))
    searched = time.process_time()
    for recall in recalls[: TIMED // 8]:
        bare.encode([one for *_, one in _said(recall)], role="passage")
    encoded = time.process_time()
    return (searched - began) / len(some) * 1e3, (encoded - searched) / (TIMED // 8) * 1e3


def contexts(path: Path, folder: Path) -> list[Row]:
    """Ask `Memory.context` what holds, whole and by itself; does an answer stand in the block?"""
    rows: list[Row] = []
    histories = load_histories(path)
    with Memory(folder, encoder="hashing") as memory:
        for one in histories:
            for session in one.sessions:
                messages = [
                    {"role": t.role, "content": t.content, "time": t.time, "id": t.id}
                    for t in session.turns
                ]
                memory.remember(messages, user=one.id, session=session.id)
        for budget in BUDGETS:
            held: dict[str, NDArray[np.float64]] = {}
            for form in FORMS:
                found: list[float] = []
                tokens: list[int] = []
                for one in histories:
                    for number, asked in enumerate(one.questions):
                        if asked.kind in UNSAID:
                            continue
                        shown = memory.context(asked.q, budget_tokens=budget, form=form, user=one.id,
                                               session=f"{budget} {form} {number}")  # fmt: skip
                        tokens.append(shown.tokens)
                        found.append(float(any(holds(shown.text, (asked.answer, *asked.accept)))))
                held[form] = np.array(found)
                rows.append({"budget": budget, "form": form, "questions": len(found),
                             "answer": interval(held[form]), "tokens": float(np.mean(tokens))})  # fmt: skip
            rows[-1]["better_by"] = interval(held["auto"] - held["whole"])
            print(rows[-2:], flush=True)
    return rows


def fit(found: Data, encoder: KeptVectors, folder: Path) -> Row:
    """Fit the odds on SQuAD without one article, and ask that one; return what a quarter of the tokens holds."""
    with Memory(folder, encoder=encoder) as memory:
        memory.add_many(
            Draft(text=text, title=title) for title, text in dict.fromkeys(found.documents)
        )
        recalls = [memory.search(one.text, limit=HITS) for one in found.questions]
    signs = [_signs(asked, recall) for asked, recall in zip(found.questions, recalls, strict=True)]
    groups = np.array([one.group for one in found.questions])
    shipped = scoring.BASE, dict(scoring.ODDS)
    held: dict[str, list[float]] = {"shipped": [], "left out": []}
    odds: dict[str, list[float]] = {}
    for group in sorted(set(groups)):
        others = np.array(
            [row for rows, own in zip(signs, groups, strict=True) if own != group for row in rows]
        )
        odds[group] = [float(x) for x in _logistic(others)]
        for name in held:
            if name == "left out":
                _set_odds(odds[group][0], dict(zip(scoring.ODDS, odds[group][1:], strict=True)))
            for asked, recall in zip(found.questions, recalls, strict=True):
                whole = recall.pack(budget_tokens=10**9)
                if asked.group == group and any(holds(whole.text, asked.answers)):
                    block = recall.prompt(budget_tokens=whole.tokens // 4)
                    held[name].append(float(any(holds(block, asked.answers))))
            _set_odds(*shipped)
        print(group, odds[group], {name: np.mean(some) for name, some in held.items()}, flush=True)
    by = np.array(held["left out"]) - np.array(held["shipped"])
    return {"odds": odds, "signs": list(scoring.ODDS), "shipped": interval(np.array(held["shipped"])),
            "left_out": interval(np.array(held["left out"])), "left_out_better_by": interval(by)}  # fmt: skip


def _set_odds(base: float, odds: Mapping[str, float]) -> None:
    scoring.BASE = base  # type: ignore[misc]
    scoring.ODDS.update(odds)


def _signs(asked: Asked, recall: Recall) -> list[tuple[float, ...]]:
    """Return the signs of each sentence of what was found, and last whether it is the one with the answer."""
    best = max((hit.score for hit in recall), default=0.0) or 1.0
    sources = [scoring.FoundText(hit.text, hit.title, hit.score / best) for hit in recall]
    parts = [scoring.parts_of(source) for source in sources]
    question = scoring.question_of(asked.text, recall.weights, parts)
    return [
        (*row, float(part.text in asked.support))
        for some, rows in zip(parts, scoring.signs(question, sources, parts), strict=True)
        for part, row in zip(some, rows, strict=True)
    ]


def _logistic(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the odds of signs by Newton's method; the last column says whether a sentence answers."""
    x = np.c_[np.ones(len(rows)), rows[:, :-1]]
    odds = np.zeros(x.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-x @ odds))
        slope = (x * (chance * (1 - chance))[:, None]).T @ x + np.eye(len(odds))
        odds += np.linalg.solve(slope, x.T @ (rows[:, -1] - chance) - odds)
    return odds


class Reader:
    """A chat model at an address, asked one question at a time; its answers are kept in the cache of the benchmarks."""

    def __init__(self, url: str, model: str) -> None:
        self._url, self._model = url.rstrip("/") + "/chat/completions", model
        CACHE.mkdir(exist_ok=True)
        self._file = CACHE / f"extraction-{model}.json"
        self._kept: dict[str, str] = (
            json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        )

    def answer(self, block: str, question: str) -> str:
        """Return what the model says, without the full stop at its end."""
        asked = f"{block}\nQuestion: {question}\nAnswer with a few words of the memory, and nothing else."
        if asked not in self._kept:
            body = {"model": self._model, "temperature": 0, "max_tokens": 24,
                    "messages": [{"role": "user", "content": asked}]}  # fmt: skip
            request = urllib.request.Request(  # the user names the address
                self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=600) as reply:
                told = json.load(reply)
            self._kept[asked] = told["choices"][0]["message"]["content"]
            self._file.write_text(json.dumps(self._kept, ensure_ascii=False), "utf-8")
        return self._kept[asked].strip().rstrip(".")


def read(found: Data, encoder: KeptVectors, folder: Path, reader: Reader, most: int) -> list[Row]:
    """Let a reader answer questions from whole passages and from extracts of the same budget; strict EM and token F1."""
    some = found.questions[:: max(len(found.questions) // most, 1)][:most]
    with Memory(folder, encoder=encoder) as memory:
        memory.add_many(
            Draft(text=text, title=title) for title, text in dict.fromkeys(found.documents)
        )
        recalls = [memory.search(one.text, limit=HITS) for one in some]
    chosen = {name: way for name, way in ways(encoder).items() if name in (OURS, "whole passages")}
    rows: list[Row] = []
    for share in (1 / 4, 1 / 8):
        scores: dict[str, NDArray[np.float64]] = {}
        for name, way in chosen.items():
            each: list[tuple[float, float, float]] = []
            for asked, recall in zip(some, recalls, strict=True):
                block = way(recall, int(share * recall.pack(budget_tokens=10**9).tokens))
                said = reader.answer(block, asked.text)
                each.append((*_scores(said, asked.answers), estimate_tokens(block)))
            scores[name] = np.array(each)
            rows.append({"share": share, "way": name, "questions": len(some), "em": interval(scores[name][:, 0]),
                         "f1": interval(scores[name][:, 1]), "tokens": float(scores[name][:, 2].mean())})  # fmt: skip
            print(rows[-1], flush=True)
        by = scores[OURS] - scores["whole passages"]
        rows[-1] |= {"em_better_by": interval(by[:, 0]), "f1_better_by": interval(by[:, 1])}
        print(rows[-1], flush=True)
    return rows


def _scores(said: str, answers: Sequence[str]) -> tuple[float, float]:
    """Return exact match and token F1 with the best of the answers, as SQuAD's scorer has them."""
    words = normal(said).split()

    def f1(answer: str) -> float:
        gold = normal(answer).split()
        same = sum((Counter(words) & Counter(gold)).values())
        return 2 * same / (len(words) + len(gold)) if same else 0.0

    return float(any(normal(said) == normal(one) for one in answers)), max(map(f1, answers))


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--fit", action="store_true")
    parser.add_argument(
        "--read", metavar="URL", help="only let the model there answer questions of SQuAD"
    )
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--questions", type=int, default=60)
    arguments = parser.parse_args()
    if not (arguments.data / "squad").is_dir():
        parser.error(f"there is no folder {arguments.data / 'squad'}; --data must name the data")
    encoder = KeptVectors("minilm")
    if arguments.read:
        reader = Reader(arguments.read, arguments.model)
        with tempfile.TemporaryDirectory() as folder:
            asked = squad(arguments.data / "squad")
            answered = read(asked, encoder, Path(folder), reader, arguments.questions)
        save(
            "extraction_read",
            {"machine": machine(), "model": arguments.model, "hits": HITS, "rows": answered},
        )
        return
    if arguments.fit:
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit(squad(arguments.data / "squad"), encoder, Path(folder))
        save("extraction_fit", {"machine": machine("numpy"), "seed": SEED, **fitted})
        return
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        held = contexts(arguments.data / "holding" / "holding-dev.json", Path(folder) / "held")
        for number, found in enumerate(load(arguments.data)):
            rows += measure(found, encoder, Path(folder) / str(number))
    table(
        ["set", "budget", "way", "answer held", "support held", "tokens", "ours better by", "ms", "of a search"],
        [
            [row["set"], f"1/{1 / row['share']:.0f}", row["way"], _cell(row["answer"]), _cell(row["support"]),
             f"{row['tokens']:.2f}", _cell(row["ours_better_by"], "+"), f"{row['ms']:.1f}", f"{row['ms'] / row['search_ms']:.2f}"]
            for row in rows
        ],
    )  # fmt: skip
    save("extraction", {"machine": machine("numpy", "torch", "sentence-transformers"), "seed": SEED, "hits": HITS,
                        "rows": rows, "contexts": held})  # fmt: skip


def _cell(found: Sequence[float] | None, sign: str = "") -> str:
    if found is None or any(map(math.isnan, found)):
        return ""
    return f"{found[0]:{sign}.1f} [{found[1]:{sign}.1f}, {found[2]:{sign}.1f}]"


if __name__ == "__main__":
    main()
