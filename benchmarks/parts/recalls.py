"""Recall of a search over a corpus, and intervals around its mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from agentcl import Memory
from agentcl.retrieval.modes import Mode, SearchMode

DEPTHS: Final = (1, 2, 5, 10, 20)
SEED: Final = 0
Shares = NDArray[np.float64]  # recalls by question and depth
Interval = tuple[float, float, float]


def documents_of(
    memory: Memory, question: str, mode: Mode | SearchMode, position: Mapping[str, int]
) -> list[int]:
    """Return the documents that a search finds, best first, by their positions."""
    hits = memory.search(question, limit=50, mode=mode)
    return list(dict.fromkeys(position[hit.document_id] for hit in hits))[: max(DEPTHS)]


def recalls(gold: Sequence[frozenset[int]], found: Sequence[Sequence[int]]) -> Shares:
    """Return which share of its gold documents each question has among the first, by depth."""
    return np.array(
        [
            [len(wanted & set(ranking[:depth])) / len(wanted) for depth in DEPTHS]
            for wanted, ranking in zip(gold, found, strict=True)
        ]
    )


def interval(sample: NDArray[np.float64]) -> Interval:
    """Return the mean in percent with the ends of its 95% bootstrap interval."""
    rng = np.random.default_rng(SEED)
    means = rng.choice(sample, (2_000, len(sample))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return cast(Interval, tuple(100 * float(value) for value in (sample.mean(), low, high)))
