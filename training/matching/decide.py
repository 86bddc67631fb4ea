"""Fit the decision: boosted trees over `agentcl.guidance.meaning.features`, for a reader that is trained.

    python -m training.matching.decide --domains bank,cars,kitchen,travel pharmacy,airport,bikes

The domains are those that the reader was trained without: what it says of texts it knows is too sure. Each text is seen
among the lessons of the domains that it is named with, as in one memory.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from agentcl.guidance.meaning.decision import FILE
from agentcl.guidance.meaning.features import NAMES, Seen, When, features, sentences
from agentcl.memory.lessons.matching import CANDIDATES, MOST_READ
from agentcl.retrieval.conditions import MEETING, WEIGHTS, ConditionReader, Pair, ReadAlone
from training.matching.situations import FOLDER, Situations, domains, load

WITHOUT_MEETING: Final = NAMES.index("met")  # signs that come first
FOLDS: Final = 3  # of domains: each is judged by trees of the others
TREES: Final = {
    "max_iter": 150,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 30,
    "l2_regularization": 5.0,
    "random_state": 0,
}


class Reading:
    """Reads each text, and each pair, once."""

    def __init__(self, weights: Path = WEIGHTS, meeting: Path = MEETING) -> None:
        self.reader = ConditionReader(weights, meeting)
        self._held: dict[str, ReadAlone] = {}
        self._odds: dict[tuple[str, str], float] = {}

    def alone(self, texts: Sequence[str]) -> list[ReadAlone]:
        """Return texts as they are read alone."""
        new = [text for text in dict.fromkeys(texts) if text not in self._held]
        if new:
            with _half():
                self._held.update(zip(new, self.reader.alone(new), strict=True))
        return [self._held[text] for text in texts]

    def together(self, pairs: Sequence[tuple[str, str, float]]) -> list[float]:
        """Return the log-odds that conditions hold in texts, of which a sentence is so much like the condition."""
        new = [one for one in pairs if one[:2] not in self._odds]
        conditions = self.alone([when for when, _, _ in new])
        texts = self.alone([text for _, text, _ in new])
        with _half():
            found = self.reader.together(
                [
                    Pair(condition, text, best)
                    for condition, text, (_, _, best) in zip(conditions, texts, new, strict=True)
                ]
            )
        self._odds.update((one[:2], odds) for one, odds in zip(new, found, strict=True))
        return [self._odds[one[:2]] for one in pairs]


def _half() -> torch.autocast:
    """Return what makes reading twice as fast; the odds differ by less than they do between two trainings."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


class Rows(NamedTuple):
    """What is read of one text: of the lessons that are most like it, `n`."""

    whens: list[str]
    features: NDArray[np.float32]  # [n, len(NAMES)]
    right: list[bool]


def rows_of(reading: Reading, found: Situations) -> list[Rows]:
    """Return what is read of each text."""
    whens = reading.alone([one.when for one in found.lessons])
    vectors = np.stack([one.vector for one in whens])
    meeting = np.stack([one.meeting for one in whens])
    told = [[text.text, *sentences(text.text)] for text in found.texts]
    reading.alone([one for parts in told for one in parts])
    cosines = [vectors @ np.stack([one.vector for one in reading.alone(parts)]).T for parts in told]
    near = [meeting @ np.stack([one.meeting for one in reading.alone(parts)]).T for parts in told]
    nearest = list(map(_nearest, cosines, near))
    read = iter(
        reading.together(
            [
                (found.lessons[at].when, text.text, float(alike[at, 1:].max()))
                for text, alike, some in zip(found.texts, cosines, nearest, strict=True)
                for at in some
            ]
        )
    )
    return [
        Rows(
            conditions := [found.lessons[at].when for at in some],
            features(
                [When.of(one) for one in conditions],
                Seen.of(text.text),
                whole=alike[some, 0],
                parts=alike[some, 1:],
                read=np.asarray([*islice(read, len(some))], np.float32),
                meeting=met[some],
            ),
            [found.lessons[at].id in text.right for at in some],
        )
        for text, alike, met, some in zip(found.texts, cosines, near, nearest, strict=True)
    ]


def _nearest(cosines: NDArray[np.float32], near: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the places of what is read, as `agentcl.memory.lessons.matching` finds it."""
    some = np.argsort(-cosines.max(1))[:CANDIDATES]
    return some[np.argsort(-(cosines[some].max(1) + near[some].max(1)))[:MOST_READ]]


class Fitted:
    """Two kinds of trees, whose log-odds are averaged: of all signs, and of those without the vectors that meet.

    Where conditions hold made-up names these vectors tell less than they promise; the mean relies less on them.
    """

    def __init__(self, rows: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
        self.models = [
            HistGradientBoostingClassifier(**TREES).fit(rows[:, :most], right)
            for most in (len(NAMES), WITHOUT_MEETING)
        ]

    def chances(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how likely each row is right."""
        odds = [model.decision_function(rows[:, : model.n_features_in_]) for model in self.models]
        found: NDArray[np.float64] = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
        return found


def best_threshold(
    rows: NDArray[np.float32], right: NDArray[np.bool_], of: NDArray[np.int64], speaking: int
) -> float:
    """Return the threshold with the best F1 where each domain is judged by trees that did not see it.

    Args:
        rows: features of all that is read.
        right: whether each speaks of its text.
        of: the domain of each, by number.
        speaking: how many speak of their texts in all, read or not.
    """
    chances = np.zeros(len(right))
    for fold in range(FOLDS):
        own = of % FOLDS == fold
        chances[own] = Fitted(rows[~own], right[~own]).chances(rows[own])
    tried = np.arange(0.1, 0.8, 0.02)
    f1 = [2 * right[chances >= one].sum() / ((chances >= one).sum() + speaking) for one in tried]
    print(f"F1 {max(f1):.3f} at {tried[int(np.argmax(f1))]:.2f}, domains left out in turn")
    return round(float(tried[int(np.argmax(f1))]), 2)


def fit(rows: NDArray[np.float32], right: NDArray[np.bool_], least: float) -> dict[str, Any]:
    """Return the trees as `agentcl.guidance.meaning.decision` reads them."""
    models = Fitted(rows, right).models
    trees, depth = [], 0
    # There is no public door to the nodes.
    for (predictor,) in chain.from_iterable(model._predictors for model in models):
        nodes, own = predictor.nodes, range(len(predictor.nodes))
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            {
                "feature": nodes["feature_idx"].tolist(),
                "at_most": nodes["num_threshold"].tolist(),
                "left": np.where(leaf, own, nodes["left"]).tolist(),
                "right": np.where(leaf, own, nodes["right"]).tolist(),
                "value": [
                    round(float(value) / len(models), 6)
                    for value in np.where(leaf, nodes["value"], 0)
                ],
            }
        )
        depth = max(depth, int(nodes["depth"].max()))
    start = float(np.mean([model._baseline_prediction for model in models]))
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
    parser.add_argument("--domains", nargs="+", required=True, help="one group for each memory")
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args()
    groups = [group.split(",") for group in asked.domains]
    names = [name for group in groups for name in group]
    reading = Reading()
    rows, right, of, speaking = list[NDArray[np.float32]](), list[bool](), list[int](), 0
    for group in groups:
        found = load([FOLDER / f"{name}.json" for name in group])
        for text, made in zip(found.texts, rows_of(reading, found), strict=True):
            rows.append(made.features)
            right += made.right
            speaking += len(text.right)
            of += [names.index(text.lesson.partition(":")[0])] * len(made.right)
    all_rows, all_right = np.concatenate(rows), np.asarray(right)
    least = best_threshold(all_rows, all_right, np.asarray(of), speaking)
    asked.out.parent.mkdir(exist_ok=True)
    fitted = fit(all_rows, all_right, least)
    asked.out.write_text(json.dumps(fitted, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
