"""Can lessons in other words be told from those that only look alike, so that no two are merged wrongly?

    python benchmarks/sameness.py

Each lesson of the domains in `training/matching` has the same one in other words, a near one and an opposite one. All pairs of
these four are judged, and pairs of one domain's lessons. Only two that say the same may be merged.

- words: what agentcl does: the same stems in the same order, and the same claim.
- cosine: of both sentences by MiniLM, above a threshold.
- learned: a logistic decision over the cosines of "when" and "what", their lesser one, shared words, negations and numbers.

Thresholds and weights come from the other four fifths of the domains, the threshold as the lowest one at which so much of
what would be merged there is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from parts.results import machine, save, table
from sklearn.linear_model import LogisticRegression

from agentcl import Lesson
from agentcl.guidance.meaning.same import content, key_of
from agentcl.retrieval import open_encoder

OWN: Final = Path(__file__).parents[1] / "training" / "matching" / "situations"
FOLDS: Final = 5
PRECISIONS: Final = (0.9, 0.95, 0.99)
_NOT: Final = re.compile(r"\b(?:not?|never|without|nor|none|nothing|nobody|cannot|\w+n't)\b", re.I)
_NUMBER: Final = re.compile(r"\d+")


class Pair(NamedTuple):
    """Two lessons, and whether they say the same."""

    one: Lesson
    other: Lesson
    is_same: bool
    kind: str


def main() -> None:
    """Measure, show and save."""
    pairs, folds = [], list[int]()
    for place, file in enumerate(sorted(OWN.glob("*.json"))):
        found = list(pairs_of(json.loads(file.read_text("utf-8"))))
        pairs += found
        folds += [place % FOLDS] * len(found)
    numbers, same, of = features(pairs), np.array([one.is_same for one in pairs]), np.array(folds)
    by_words = np.array([key_of(one.one) == key_of(one.other) for one in pairs])
    learned = np.zeros(len(pairs))
    for fold in range(FOLDS):
        own = of == fold
        model = LogisticRegression(C=10, max_iter=2_000).fit(numbers[~own], same[~own])
        learned[own] = model.predict_proba(numbers[own])[:, 1]
    arms: dict[str, dict[str, Any]] = {"words": figures(pairs, same, by_words)}
    for name, scores in (("cosine", numbers[:, 0]), ("learned", learned)):
        for least in PRECISIONS:
            merged = np.zeros(len(pairs), bool)
            for fold in range(FOLDS):
                own = of == fold
                merged[own] = scores[own] >= threshold(scores[~own], same[~own], least)
            arms[f"{name}, {least:.0%} right elsewhere"] = figures(pairs, same, merged)
    kinds = [kind for kind in dict.fromkeys(one.kind for one in pairs) if kind != "same"]
    table(
        ["merged by", "right", "of the same", *kinds],
        [
            [
                name,
                f"{one['precision']:.3f}",
                f"{one['recall']:.3f}",
                *(f"{one['wrong'][kind]:.3f}" for kind in kinds),
            ]
            for name, one in arms.items()
        ],
    )
    counts = {kind: sum(one.kind == kind for one in pairs) for kind in ("same", *kinds)}
    save(
        "sameness",
        {"machine": machine("sentence-transformers"), "pairs": counts, "merged by": arms},
    )


def pairs_of(lessons: Sequence[dict[str, Any]]) -> Iterator[Pair]:
    """Yield the pairs of a domain."""
    told = [Lesson(one["when"], one["claim"], one["what"]) for one in lessons]
    for one, lesson in zip(lessons, told, strict=True):
        said = {
            name: Lesson(one[name]["when"], one["claim"], one[name]["what"])
            for name in ("same", "near", "opposite")
        }
        for base, beside in ((lesson, "lesson"), (said["same"], "same")):
            for name, other in said.items():
                if name != beside:
                    yield Pair(base, other, name == "same", name)
    for first, second in combinations(told, 2):
        yield Pair(first, second, False, "another")


def features(pairs: Sequence[Pair]) -> NDArray[np.float64]:
    """Return what tells whether lessons are the same; the cosine of the sentences comes first."""
    encoder = open_encoder("minilm")
    texts = dict.fromkeys(
        text
        for pair in pairs
        for one in (pair.one, pair.other)
        for text in (one.sentence(), one.when, one.what)
    )
    vectors = encoder.encode([*texts], role="passage")
    held = {
        text: row / np.linalg.norm(row)
        for text, row in zip(texts, (np.frombuffer(one, "<f4") for one in vectors), strict=True)
    }
    rows = []
    for one, other, *_ in pairs:
        when, what = held[one.when] @ held[other.when], held[one.what] @ held[other.what]
        sentences = one.sentence(), other.sentence()
        words = [set(content(text)) for text in sentences]
        rows.append(
            [
                held[sentences[0]] @ held[sentences[1]],
                when,
                what,
                min(when, what),
                len(words[0] & words[1]) / max(1, len(words[0] | words[1])),
                len(_NOT.findall(one.what)) != len(_NOT.findall(other.what)),
                set(_NUMBER.findall(sentences[0])) != set(_NUMBER.findall(sentences[1])),
            ]
        )
    return np.asarray(rows, np.float64)


def threshold(scores: NDArray[np.float64], same: NDArray[np.bool_], least: float) -> float:
    """Return the lowest score from which on so many are the same; above all if there is none."""
    order = np.argsort(-scores)
    right = np.cumsum(same[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(right >= least)
    return float(scores[order][enough[-1]]) if len(enough) else float("inf")


def figures(
    pairs: Sequence[Pair], same: NDArray[np.bool_], merged: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return how much of what is merged is the same, how much of the same is merged, and what else is, by kind."""
    kinds = np.array([one.kind for one in pairs])
    return {
        "precision": float(same[merged].mean()) if merged.any() else 1.0,
        "recall": float(merged[same].mean()),
        "wrong": {
            str(kind): float(merged[kinds == kind].mean()) for kind in dict.fromkeys(kinds) if kind != "same"
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
