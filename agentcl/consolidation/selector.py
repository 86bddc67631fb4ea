"""Which adapter answers a prompt, or none: a linear choice that can be unlearned exactly.

With several adapters (one a task) something has to choose before the model is asked, as ConPET's selector does (Song
et al. 2023) and SLM's retrieval with k = 1 (Peng et al. 2024). Here it is ridge regression from the vector of a prompt
to the adapters, so that what was learned can be taken out again without the rest: analytic continual unlearning (ACU,
Tang et al. 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from agentcl.consolidation.building import TrainingRow
from agentcl.errors import InvalidInput, NotFound
from agentcl.store.vectors import unpack

if TYPE_CHECKING:
    from agentcl.retrieval import Encoder

BARE: Final = ""  # the model without an adapter
_STEPS: Final = 2**16  # to 1, in which numbers are kept
_MOST: Final = 8.0  # of a number; 2**24 rows of such numbers fit into the sums

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


class ExactRidge:
    """Ridge regression whose samples can be taken out again, bit for bit: W = (X'X + r I)^-1 X'Y.

    X'X and X'Y are kept as sums of whole numbers: features are rounded to 1/65,536. Such sums do not depend on the order
    of samples, and a sample that is taken out leaves nothing behind. With sums of floats, or a down-date of the inverse
    by Woodbury's formula, roundings would stay.

    Args:
        width: how many features a sample has.
        ridge: r, above 0.
    """

    def __init__(self, width: int, *, ridge: float = 1.0) -> None:
        if width < 1 or not ridge > 0:
            raise InvalidInput(f"a ridge of {ridge} on {width} features: both are above 0")
        self._ridge = ridge
        self._gram: Whole = np.zeros((width, width), np.int64)
        self._moments: dict[str, Whole] = {}
        self._counts: dict[str, int] = {}
        self._weights: Real | None = None

    @property
    def labels(self) -> list[str]:
        """All labels that have a sample, sorted."""
        return sorted(self._counts)

    def add(self, features: Real, label: str) -> None:
        """Learn samples (count, width) of a label. Raises InvalidInput."""
        self._change(whole(features, len(self._gram)), label, 1)

    def remove(self, features: Real, label: str) -> None:
        """Unlearn samples that were added, with their label.

        Raises:
            InvalidInput: if the label has fewer samples, or they are no features.
        """
        found = whole(features, len(self._gram))
        if len(found) > self._counts.get(label, 0):
            raise InvalidInput(
                f"{len(found)} samples of {label!r} are to be unlearned, and {self._counts.get(label, 0)} were learned"
            )
        self._change(found, label, -1)

    def weights(self) -> Real:
        """Return W (width, labels), in the order of `labels`."""
        if self._weights is None:
            one = float(_STEPS) ** 2
            gram = self._gram / one + self._ridge * np.eye(len(self._gram))
            moments = np.stack([self._moments[label] for label in self.labels], axis=1)
            self._weights = np.asarray(np.linalg.solve(gram, moments / one), np.float64)
        return self._weights

    def scores(self, features: Real) -> Real:
        """Return the value (count, labels) of each label for some samples; 1 is wanted of the right one."""
        return whole(features, len(self._gram)) / _STEPS @ self.weights()

    def _change(self, found: Whole, label: str, sign: int) -> None:
        self._gram += sign * (found.T @ found)
        own = self._moments.setdefault(label, np.zeros(len(self._gram), np.int64))
        own += sign * _STEPS * found.sum(0)  # the target, 1, is as many steps
        self._counts[label] = self._counts.get(label, 0) + sign * len(found)
        if self._counts[label] == 0:  # as if it had never been
            del self._counts[label], self._moments[label]
        self._weights = None


def whole(features: Real, width: int) -> Whole:
    """Return features in whole steps. Raises InvalidInput if they are none, or too large."""
    if features.ndim != 2 or features.shape[1] != width:
        raise InvalidInput(f"features of shape {features.shape}, and a sample has {width}")
    if not bool((np.abs(features) <= _MOST).all()):
        raise InvalidInput(f"a feature is a number from {-_MOST:.0f} to {_MOST:.0f}")
    return np.rint(features * _STEPS).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Learned:
    adapter: str
    records: tuple[str, ...]
    label: str
    features: Real  # (1, width)


class AdapterSelector:
    """Chooses by a prompt which adapter answers, or the bare model.

    It learns from the rows that adapters were trained on. Their general rows are the bare model's. What a record gave can
    be unlearned: the selector is then, bit for bit, one that never saw it.

    Args:
        encoder: turns prompts into vectors.
        ridge: of the regression; a larger one follows single rows less.
    """

    def __init__(self, encoder: Encoder, *, ridge: float = 1.0) -> None:
        self._encoder = encoder
        self._ridge = ExactRidge(encoder.dim + 1, ridge=ridge)
        self._learned: list[_Learned] = []

    def learn(self, adapter: str, rows: Sequence[TrainingRow]) -> None:
        """Learn the rows of the split "train" that an adapter was trained on, its general rows with them."""
        kept = [row for row in rows if row.split == "train"]
        for row, features in zip(kept, self._features([row.prompt for row in kept]), strict=True):
            label = BARE if row.part == "general" else adapter
            self._ridge.add(features[None], label)
            self._learned.append(_Learned(adapter, row.records, label, features[None]))

    def forget(self, record: str) -> int:
        """Unlearn all rows that hold a record; return how many there were."""
        return self._take_out([one for one in self._learned if record in one.records])

    def drop(self, adapter: str) -> int:
        """Unlearn all rows of an adapter, as when it was revoked; return how many there were."""
        return self._take_out([one for one in self._learned if one.adapter == adapter])

    def choose(self, prompts: Sequence[str]) -> list[str]:
        """Return for each prompt the name of the adapter that answers, or `BARE`.

        Raises:
            NotFound: if nothing was learned.
        """
        if not self._learned:
            raise NotFound("the selector knows no adapter; let it `learn` the rows of one")
        labels = self._ridge.labels
        best = self._ridge.scores(self._features(prompts)).argmax(axis=1) if prompts else ()
        return [labels[place] for place in best]

    def weights(self) -> Real:
        """Return the weights (width + 1, adapters), by which two selectors can be compared."""
        return self._ridge.weights()

    def _take_out(self, gone: Sequence[_Learned]) -> int:
        for one in gone:
            self._ridge.remove(one.features, one.label)
        taken = {id(one) for one in gone}
        self._learned = [one for one in self._learned if id(one) not in taken]
        return len(gone)

    def _features(self, prompts: Sequence[str]) -> Real:
        """Return the vectors (count, width) of prompts at length 1, and a column of ones."""
        if not prompts:
            return np.zeros((0, self._encoder.dim + 1))
        found = [unpack(one) for one in self._encoder.encode(prompts, role="query")]
        vectors = np.stack(found).astype(np.float64)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.hstack([vectors / lengths, np.ones((len(vectors), 1))])
