"""Fit the decision: boosted trees over `agentcl.guidance.features`, for a reader that is trained.

    python -m training.matching.decide --domains bank,cars,kitchen,travel,vet

The domains are those that the reader was trained without: what it says of texts it knows is too sure. Each text is seen
among the lessons of its own domain and among those of all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from agentcl.guidance.decision import FILE
from agentcl.guidance.features import NAMES, features, sentences
from agentcl.retrieval.conditions import ConditionReader, Pair, ReadAlone
from training.matching.situations import FOLDER, Situations, domains, load

CANDIDATES: Final = 16  # as many as are read for one situation
TREES: Final = {
    "max_iter": 150,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 30,
    "l2_regularization": 5.0,
    "random_state": 0,
}


class Seen:
    """Reads each text once."""

    def __init__(self) -> None:
        self.reader = ConditionReader()
        self._held: dict[str, ReadAlone] = {}

    def alone(self, texts: Sequence[str]) -> list[ReadAlone]:
        """Return texts as they are read alone."""
        new = [text for text in dict.fromkeys(texts) if text not in self._held]
        if new:
            self._held.update(zip(new, self.reader.alone(new), strict=True))
        return [self._held[text] for text in texts]


def rows_of(seen: Seen, found: Situations) -> Iterator[tuple[NDArray[np.float32], list[bool]]]:
    """Yield for each text the features of the lessons that are most like it, and which of them are right."""
    conditions = seen.alone([one.when for one in found.lessons])
    whens = np.stack([one.vector for one in conditions])
    for text in found.texts:
        whole, *parts = seen.alone([text.text, *sentences(text.text)])
        cosines = whens @ np.stack([whole.vector, *(one.vector for one in parts)]).T
        best = cosines[:, 1:].max(1)
        some = np.argsort(-cosines.max(1))[:CANDIDATES]
        pairs = [Pair(conditions[one], whole, float(best[one])) for one in some]
        yield (
            features(
                [found.lessons[one].when for one in some],
                text.text,
                whole=cosines[some, 0],
                parts=cosines[some, 1:],
                read=np.asarray(seen.reader.together(pairs), np.float32),
            ),
            [found.lessons[one].id in text.right for one in some],
        )


def model() -> HistGradientBoostingClassifier:
    """Return the trees, unfitted."""
    return HistGradientBoostingClassifier(**TREES)


def best_threshold(
    rows: NDArray[np.float32], right: NDArray[np.bool_], of: NDArray[np.int64]
) -> float:
    """Return the threshold with the best F1 where each domain is judged by trees of the others."""
    chances = np.zeros(len(right))
    for domain in set(of.tolist()):
        own = of == domain
        fitted = model().fit(rows[~own], right[~own])
        chances[own] = fitted.predict_proba(rows[own])[:, 1]
    tried = np.arange(0.1, 0.8, 0.02)
    f1 = [2 * right[chances >= one].sum() / ((chances >= one).sum() + right.sum()) for one in tried]
    print(f"F1 {max(f1):.3f} at {tried[int(np.argmax(f1))]:.2f}, domains left out in turn")
    return round(float(tried[int(np.argmax(f1))]), 2)


def fit(rows: NDArray[np.float32], right: NDArray[np.bool_], least: float) -> dict[str, Any]:
    """Return the trees as `agentcl.guidance.decision` reads them."""
    fitted = model().fit(rows, right)
    trees = []
    for (predictor,) in fitted._predictors:  # there is no public door to the nodes
        nodes, own = predictor.nodes, range(len(predictor.nodes))
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            {
                "feature": nodes["feature_idx"].tolist(),
                "at_most": nodes["num_threshold"].tolist(),
                "left": np.where(leaf, own, nodes["left"]).tolist(),
                "right": np.where(leaf, own, nodes["right"]).tolist(),
                "value": [round(float(value), 6) for value in np.where(leaf, nodes["value"], 0)],
            }
        )
    start = float(np.ravel(fitted._baseline_prediction)[0])
    depth = max(int(tree.nodes["depth"].max()) for (tree,) in fitted._predictors)
    told = {"features": NAMES, "threshold": least, "background": background()}
    return {**told, "start": start, "depth": depth, "trees": trees}


def background() -> list[str]:
    """Return a condition of each domain, beside which those of a small memory are weighed as among many."""
    return [load([file]).lessons[0].when for file in domains()]


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--domains", required=True)
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args()
    files = [FOLDER / f"{name}.json" for name in asked.domains.split(",")]
    seen = Seen()
    rows, right, of = list[NDArray[np.float32]](), list[bool](), list[int]()
    for some in (*([one] for one in files), files):
        found = load(some)
        for text, (made, is_right) in zip(found.texts, rows_of(seen, found), strict=True):
            rows.append(made)
            right += is_right
            domain = [file.stem for file in files].index(text.lesson.partition(":")[0])
            of += [domain] * len(is_right)
    all_rows, all_right = np.concatenate(rows), np.asarray(right)
    least = best_threshold(all_rows, all_right, np.asarray(of))
    asked.out.parent.mkdir(exist_ok=True)
    fitted = fit(all_rows, all_right, least)
    asked.out.write_text(json.dumps(fitted, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
