"""How much a model that checks doubtful lessons could add, and how much one does.

    python -m training.matching.check --domains bank,cars,kitchen pharmacy,airport,bikes [--model NAME --url URL] [--pairs 400]

The domains are named as for `decide`, and each is judged by trees that were fitted to the others. Printed is F1 over all texts and
lessons if a checker that is right so often decided alone, for several bands of what counts as doubtful. With a model, some doubtful
pairs are asked about, as `agentcl.memory.lessons.checking` does it, and its word is weighed with the trees.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from agentcl.guidance.meaning.decision import threshold
from agentcl.memory.lessons.checking import ModelChecker
from agentcl.memory.lessons.matching import DOUBTFUL
from agentcl.models import OpenAIChat
from training.matching.decide import Fitted, Reading, rows_of
from training.matching.situations import FOLDER, load

MOST: Final = 4  # questions a text
BANDS: Final = ((0.03, 0.8), DOUBTFUL, (0.1, 0.8), (0.05, 0.5))
RIGHT: Final = (1.0, 0.9, 0.8)  # how often a checker is
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Read:
    """A condition that was read with a text."""

    text: int
    when: str
    said: str
    is_right: bool
    chance: float  # by trees that were fitted to other domains


def read(groups: Sequence[Sequence[str]]) -> tuple[list[Read], int]:
    """Return all that is read of the texts of some domains, and how many lessons speak of these in all."""
    reading = Reading()
    whens, said, rows, right, text_of, domain_of = [], [], [], [], [], []
    speaking = texts = 0
    for group in groups:
        found = load([FOLDER / f"{name}.json" for name in group])
        for text, made in zip(found.texts, rows_of(reading, found), strict=True):
            count = len(made.right)
            whens += made.whens
            said += [text.text] * count
            rows.append(made.features)
            right += made.right
            text_of += [texts] * count
            domain_of += [text.lesson.partition(":")[0]] * count
            speaking += len(text.right)
            texts += 1
    of, all_rows, is_right = np.asarray(domain_of), np.concatenate(rows), np.asarray(right)
    chances = np.zeros(len(right))
    for name in dict.fromkeys(domain_of):
        own = of == name
        chances[own] = Fitted(all_rows[~own], is_right[~own]).chances(all_rows[own])
    pairs = zip(text_of, whens, said, right, chances.tolist(), strict=True)
    return [Read(*one) for one in pairs], speaking


def doubtful(pairs: Sequence[Read], band: tuple[float, float]) -> NDArray[np.int64]:
    """Return which pairs are asked about: of each text the likeliest ones within a band."""
    by_text: dict[int, list[int]] = {}
    for at in np.argsort([-one.chance for one in pairs], kind="stable").tolist():
        held = by_text.setdefault(pairs[at].text, [])
        if band[0] <= pairs[at].chance < band[1] and len(held) < MOST:
            held.append(at)
    return np.asarray(sorted(at for held in by_text.values() for at in held), np.int64)


def f1(shown: NDArray[np.bool_], right: NDArray[np.bool_], speaking: int) -> float:
    """Return F1, in percent."""
    return float(200 * (shown & right).sum() / (shown.sum() + speaking))


def main() -> None:
    """Print what a check could add, and what one does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--domains", nargs="+", required=True, help="one group for each memory")
    parser.add_argument("--model", help="who is asked")
    parser.add_argument("--url", help="where that model is served")
    parser.add_argument("--pairs", type=int, default=400, help="that it is asked about")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pairs, speaking = read([group.split(",") for group in asked.domains])
    right = np.asarray([one.is_right for one in pairs])
    decided = np.asarray([one.chance >= threshold() for one in pairs])
    texts = len({one.text for one in pairs})
    print(f"unchecked: F1 {f1(decided, right, speaking):.1f}, {texts} texts")
    rng = np.random.default_rng(SEED)
    for band in BANDS:
        some = doubtful(pairs, band)
        told = []
        for often in RIGHT:
            shown = decided.copy()
            shown[some] = right[some] == (rng.random(len(some)) < often)
            told.append(f"{f1(shown, right, speaking):.1f} if right in {often:.0%}")
        print(f"{band}, {len(some) / texts:.2f} questions a text: F1 {', '.join(told)}")
    if asked.model:
        ask(pairs, ModelChecker(OpenAIChat(asked.model, base_url=asked.url)), asked.pairs)


def ask(pairs: Sequence[Read], checker: ModelChecker, count: int) -> None:
    """Print what a model says of some doubtful pairs."""
    some = doubtful(pairs, DOUBTFUL).tolist()
    random.Random(SEED).shuffle(some)
    held, said, odds = [], [], []
    for at in some[:count]:
        one = pairs[at]
        if (found := checker.check(one.said, [one.when]).odds.get(one.when)) is not None:
            held.append(one.is_right)
            said.append(found)
            odds.append(np.log(one.chance / (1 - one.chance)))
    right, by_model, by_trees = np.asarray(held), np.asarray(said), np.asarray(odds)
    least = np.log(threshold() / (1 - threshold()))
    print(
        f"{len(right)} pairs, {right.mean():.0%} hold; the model is right in {((by_model > 0) == right).mean():.0%}, says yes to "
        f"{(by_model[right] > 0).mean():.0%} of those that hold and to {(by_model[~right] > 0).mean():.0%} of the others"
    )
    for name, values in (
        ("trees", by_trees), ("model", by_model), ("both", by_trees + by_model),
    ):  # fmt: skip
        shown = values >= (0 if name == "model" else least)
        among = f1(shown, right, int(right.sum()))
        print(f"{name}: area under the curve {roc_auc_score(right, values):.2f}, F1 {among:.1f}")


if __name__ == "__main__":
    main()
