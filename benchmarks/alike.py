"""Do texts that are like one in which a lesson applied tell that it applies? By hand-written situations in real language.

    python benchmarks/alike.py                  (the set beside the checkout, if it is there, and the domains of training/matching)

Each lesson has texts in which it applies, and as many that look alike and in which it does not. All pairs of texts of one
lesson are compared by the cosine of MiniLM:

- bands: given that a lesson applied in one text, or did not, how often it applies in another one, by how like both are.
- nearest: one text of each kind is kept aside, and judged as the most similar one of 3 or 10 others was. Half is chance.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from parts.results import machine, save, table
from situations import SETS, load

from agentcl.retrieval import open_encoder

OWN: Final = Path(__file__).parents[1] / "training" / "matching" / "situations"
EDGES: Final = (-1.0, 0.3, 0.5, 0.7, 0.8, 1.01)
USES: Final = (3, 10)
SEED: Final = 7
SPLITS: Final = 20


class Case(NamedTuple):
    """A text, and whether its lesson applies in it."""

    text: str
    applies: bool


class Lesson(NamedTuple):
    """The cases of a lesson, with the cosines between them."""

    cases: tuple[Case, ...]
    cosines: NDArray[np.float32]


def main() -> None:
    """Measure, show and save."""
    sets = {"own": own_cases()} | ({"kept aside": aside_cases()} if SETS.exists() else {})
    found = {name: measured(compared(cases)) for name, cases in sets.items()}
    for name, one in found.items():
        print(f"\n{name}: {one['lessons']} lessons")
        rows = [
            [band["cosine"], *(f"{band[kind]:.2f} of {band[f'{kind} pairs']}" for kind in ("applied", "did not apply"))]
            for band in one["bands"]
        ]  # fmt: skip
        table(["cosine", "where one applied, the other", "where one did not"], rows)
        print(
            "as the nearest was:", {uses: f"{share:.2f}" for uses, share in one["nearest"].items()}
        )
    save("alike", {"machine": machine("sentence-transformers"), "sets": found})


def own_cases() -> list[tuple[Case, ...]]:
    """Return the cases of each lesson of the domains in this repository."""
    every = [
        one for file in sorted(OWN.glob("*.json")) for one in json.loads(file.read_text("utf-8"))
    ]
    return [
        (
            *(Case(text, True) for text in one["applies"]),
            *(Case(text, False) for text in one["not"]),
        )
        for one in every
    ]


def aside_cases() -> list[tuple[Case, ...]]:
    """Return the cases of each lesson of the set beside the checkout."""
    by: dict[str, list[Case]] = {}
    for one in load(SETS)[1]:
        by.setdefault(one.lesson, []).append(Case(one.text, one.lesson in one.right))
    return [tuple(cases) for cases in by.values()]


def compared(every: Sequence[tuple[Case, ...]]) -> list[Lesson]:
    """Return lessons with the cosines of their texts."""
    encoder = open_encoder("minilm")
    lessons = []
    for cases in every:
        vectors = encoder.encode([one.text for one in cases], role="passage")
        held = np.stack([np.frombuffer(one, "<f4") for one in vectors])
        held = held / np.linalg.norm(held, axis=1, keepdims=True)
        lessons.append(Lesson(cases, held @ held.T))
    return lessons


def measured(lessons: Sequence[Lesson]) -> dict[str, Any]:
    """Return both measures."""
    return {
        "lessons": len(lessons),
        "bands": bands(lessons),
        "nearest": {str(uses): nearest(lessons, uses) for uses in USES},
    }


def bands(lessons: Sequence[Lesson]) -> list[dict[str, Any]]:
    """Return, by the cosine of two texts of a lesson, how often it applies in the one by what it did in the other."""
    pairs = np.array(
        [
            (one.cosines[at, beside], one.cases[at].applies, one.cases[beside].applies)
            for one in lessons
            for at in range(len(one.cases))
            for beside in range(len(one.cases))
            if at != beside
        ]
    )
    found = []
    for low, high in pairwise(EDGES):
        band: dict[str, Any] = {"cosine": f"from {low:.1f}" if low >= 0 else f"below {high:.1f}"}
        for kind, applied in (("applied", 1), ("did not apply", 0)):
            some = pairs[(pairs[:, 0] >= low) & (pairs[:, 0] < high) & (pairs[:, 1] == applied)]
            band |= {
                kind: float(some[:, 2].mean()) if len(some) else 0.0,
                f"{kind} pairs": len(some),
            }
        found.append(band)
    return found


def nearest(lessons: Sequence[Lesson], uses: int) -> float:
    """Return the share of texts kept aside that are as the most similar of so many used ones."""
    rng, right, judged = random.Random(SEED), 0, 0
    for one in lessons:
        for _ in range(SPLITS):
            kinds = [
                rng.sample(some, len(some))
                for applies in (True, False)
                if (some := [at for at, case in enumerate(one.cases) if case.applies is applies])
            ]
            if len(kinds) < 2:  # it applies in all
                continue
            aside = [some.pop() for some in kinds]
            half = (uses + rng.randrange(2)) // 2
            used = [*kinds[0][:half], *kinds[1][: uses - half]]
            for at in aside:
                like = max(used, key=lambda other: one.cosines[at, other])
                right += one.cases[like].applies is one.cases[at].applies
                judged += 1
    return right / judged


if __name__ == "__main__":
    main()
