"""Documents with questions, their answers, and the sentences that support these: SQuAD, MuSiQue and HotpotQA."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentcl.text.sentences import sentences


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what answers it, and the sentences that support the answer."""

    text: str
    answers: tuple[str, ...]
    support: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """Documents, as title and text, and questions."""

    name: str
    documents: list[tuple[str, str]]
    questions: list[Asked] = field(default_factory=list)


def load(folder: Path) -> list[Data]:
    """Return SQuAD part A, MuSiQue-train dev50 and HotpotQA distractor."""
    return [squad(folder / "squad"), _musique(folder / "multihop"), _hotpotqa(folder / "multihop")]


def _read(path: Path) -> Any:  # noqa: ANN401  # JSON
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def squad(folder: Path) -> Data:
    """Return SQuAD part A; the sentence with the answer is the support."""
    found = Data("SQuAD part A", [])
    for article in _read(folder / "squad2-dev-A.json.gz")["data"]:
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            found.documents.append((article["title"].replace("_", " "), text))
            for row in paragraph["qas"]:
                if row["is_impossible"]:
                    continue
                first = min(one["answer_start"] for one in row["answers"])
                holding = [
                    text[s.start : s.end] for s in sentences(text) if s.start <= first < s.end
                ]
                answers = tuple(one["text"] for one in row["answers"])
                found.questions.append(
                    Asked(row["question"], answers, tuple(holding), article["title"])
                )
    return found


def _musique(folder: Path) -> Data:
    found = Data("MuSiQue-train dev50", [])
    rows = _read(folder / "musique_train_corpus.json.gz")
    found.documents.extend((row["title"], row["text"]) for row in rows)
    for row in _read(folder / "musique_train_dev50.json.gz"):
        answers = (row["answer"], *row["answer_aliases"])
        found.questions.append(Asked(row["question"], answers, group=row["id"]))
    return found


def _hotpotqa(folder: Path) -> Data:
    """Questions that are answered by yes or no are left out: no passage says that."""
    found = Data("HotpotQA distractor", [])
    for row in _read(folder / "hotpotqa_distractor_100.json.gz"):
        context = dict(zip(row["context"]["title"], row["context"]["sentences"], strict=True))
        found.documents.extend((title, "".join(said)) for title, said in context.items())
        if row["answer"].casefold() in ("yes", "no"):
            continue
        facts = row["supporting_facts"]
        support = tuple(
            context[title][number].strip()
            for title, number in zip(facts["title"], facts["sent_id"], strict=True)
            if number < len(context.get(title, []))
        )
        found.questions.append(Asked(row["question"], (row["answer"],), support, row["id"]))
    return found
