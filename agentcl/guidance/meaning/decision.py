"""Whether a lesson speaks of a situation: boosted trees over `agentcl.guidance.meaning.features`.

They were fitted to hand-written situations of domains that the reading model had not seen (`training/matching`), so that
its log-odds are weighed as they come out for what is new.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from agentcl.guidance.meaning.features import NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE: Final = Path(__file__).parent / "weights" / "decision.json"


class _Trees(NamedTuple):
    """All trees as arrays, `[trees, nodes]`; a leaf is its own child."""

    feature: NDArray[np.int64]
    at_most: NDArray[np.float64]  # goes left
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    depth: int
    start: float
    threshold: float
    background: tuple[str, ...]


def decide(features: NDArray[np.float32]) -> list[float]:
    """Return for each row of features the probability that the lesson speaks of the situation.

    Args:
        features: `[n, len(NAMES)]`.
    """
    trees = _trees()
    rows = np.arange(len(features))[:, None]
    each = np.arange(len(trees.feature))[None]
    node = np.zeros((len(features), len(trees.feature)), np.int64)
    for _ in range(trees.depth):
        goes_left = features[rows, trees.feature[each, node]] <= trees.at_most[each, node]
        node = np.where(goes_left, trees.left[each, node], trees.right[each, node])
    odds = trees.start + trees.value[each, node].sum(1)
    found: list[float] = (1 / (1 + np.exp(-odds))).tolist()
    return found


def threshold() -> float:
    """Return the probability from which on a lesson speaks of a situation."""
    return _trees().threshold


def background() -> tuple[str, ...]:
    """Return conditions of all sorts, beside which those of a small memory are weighed as among many."""
    return _trees().background


@cache
def _trees() -> _Trees:
    held = json.loads(FILE.read_text("utf-8"))
    assert tuple(held["features"]) == NAMES, "the trees were fitted to other features"
    size = max(len(tree["value"]) for tree in held["trees"])

    def stacked(name: str, kind: type, *, own: bool = False) -> Any:  # noqa: ANN401  # of any kind
        rows = [
            tree[name]
            + ([*range(len(tree[name]), size)] if own else [0] * (size - len(tree[name])))
            for tree in held["trees"]
        ]
        return np.asarray(rows, kind)

    return _Trees(
        stacked("feature", np.int64),
        stacked("at_most", np.float64),
        stacked("left", np.int64, own=True),
        stacked("right", np.int64, own=True),
        stacked("value", np.float64),
        held["depth"],
        held["start"],
        held["threshold"],
        tuple(held["background"]),
    )
