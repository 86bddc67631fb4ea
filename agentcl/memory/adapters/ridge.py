"""Ridge regression on whole numbers, from which samples can be taken out again without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentcl.errors import InvalidInput

_STEPS: Final = 2**16  # to 1, in which numbers are kept
_MOST: Final = 8.0  # of a number; 2**24 rows of such numbers fit into the sums
_AT_ONCE: Final = (
    2**14
)  # rows: the sum of so many products of the largest numbers, 2**52, is exact as a float

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
        for at in range(0, len(found), _AT_ONCE):
            part = found[at : at + _AT_ONCE].astype(
                np.float64
            )  # multiplied much faster, and without rounding
            self._gram += sign * (part.T @ part).astype(np.int64)
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


def features_of(vectors: NDArray[np.floating] | Sequence[Sequence[float]]) -> Real:
    """Return vectors (count, width) at length 1, and a column of ones."""
    wide = np.asarray(vectors, np.float64)
    lengths = np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return np.hstack([wide / lengths, np.ones((len(wide), 1))])
