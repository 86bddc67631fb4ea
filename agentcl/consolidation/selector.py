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

from agentcl.consolidation.rows.building import TrainingRow
from agentcl.errors import NotFound
from agentcl.memory.adapters.ridge import ExactRidge, Real, features_of
from agentcl.store.vectors import unpack

if TYPE_CHECKING:
    from agentcl.retrieval import Encoder

BARE: Final = ""  # the model without an adapter


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
        return [max(one, key=lambda label: one[label]) for one in self.scores(prompts)]

    def scores(self, prompts: Sequence[str]) -> list[dict[str, float]]:
        """Return for each prompt the score of each adapter and of `BARE`; 1 is wanted of the right one, 0 of the others.

        Raises:
            NotFound: if nothing was learned.
        """
        if not self._learned:
            raise NotFound("the selector knows no adapter; let it `learn` the rows of one")
        if not prompts:
            return []
        labels = self._ridge.labels
        found = self._ridge.scores(self._features(prompts))
        return [dict(zip(labels, map(float, row), strict=True)) for row in found]

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
        return features_of(np.stack(found))
