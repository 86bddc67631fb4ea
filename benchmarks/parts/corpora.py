"""The real corpora that the benchmarks measure on; see the README of the data folder for their sources."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents and questions; `gold[n]` are the positions of the documents that answer question n."""

    name: str
    documents: tuple[tuple[str, str], ...]  # (title, text)
    questions: tuple[str, ...]
    gold: tuple[frozenset[int], ...]
    facts: Path | None = None  # what a language model extracted from the documents


def load(data: Path) -> list[Corpus]:
    """Return MuSiQue-train dev50, HotpotQA distractor (pooled) and PopQA from a data folder."""
    return [_musique(data), _hotpotqa(data), _popqa(data)]


def _read(data: Path, name: str) -> Any:  # noqa: ANN401  # JSON
    with gzip.open(data / name, "rt", encoding="utf-8") as file:
        return json.load(file)


def _corpus(
    name: str,
    documents: list[tuple[str, str]],
    questions: list[str],
    gold: list[list[tuple[str, str]]],
) -> Corpus:
    unique = list(dict.fromkeys(documents))
    position = {document: number for number, document in enumerate(unique)}
    wanted = tuple(frozenset(position[document] for document in found) for found in gold)
    return Corpus(name, tuple(unique), tuple(questions), wanted)


def _musique(data: Path) -> Corpus:
    documents = [(row["title"], row["text"]) for row in _read(data, "musique_train_corpus.json.gz")]
    rows = _read(data, "musique_train_dev50.json.gz")
    gold = [
        [(p["title"], p["paragraph_text"]) for p in row["paragraphs"] if p["is_supporting"]]
        for row in rows
    ]
    corpus = _corpus("MuSiQue-train dev50", documents, [row["question"] for row in rows], gold)
    return replace(corpus, facts=data / "openie_musique_train_gpt-3.5-turbo-1106.json.gz")


def _hotpotqa(data: Path) -> Corpus:
    rows = _read(data, "hotpotqa_distractor_100.json.gz")
    documents: list[tuple[str, str]] = []
    gold: list[list[tuple[str, str]]] = []
    for row in rows:
        context = row["context"]
        own = [
            (title, "".join(sentences))
            for title, sentences in zip(context["title"], context["sentences"], strict=True)
        ]
        documents += own
        gold.append([d for d in own if d[0] in row["supporting_facts"]["title"]])
    return _corpus("HotpotQA distractor", documents, [row["question"] for row in rows], gold)


def _popqa(data: Path) -> Corpus:
    """The page of the question's subject is what a simple question asks for."""
    rows = _read(data, "popqa_dev500.json.gz")
    documents = [
        (row["title"], row["text"])
        for name in ("popqa_gold_corpus.json.gz", "2wikimultihopqa_corpus.json.gz")
        for row in _read(data, name)
    ]
    gold = [[(row["paragraphs"][0]["title"], row["paragraphs"][0]["text"])] for row in rows]
    return _corpus("PopQA subject page", documents, [row["question"] for row in rows], gold)
