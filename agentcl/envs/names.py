"""Invented names: words that no model can have read, drawn from a grammar of syllables."""

from __future__ import annotations

import random
from typing import Final

from agentcl.errors import InvalidInput

_ONSETS: Final = (
    "b br c d dr f g gr h j k kr l m n p pr r s st t tr v w z".split()  # noqa: SIM905
)
_VOWELS: Final = "aeiou"
_CODAS: Final = ("n", "r", "l", "s", "m")
_FIRST: Final = tuple((onset + vowel).capitalize() for onset in _ONSETS for vowel in _VOWELS)
_LAST: Final = tuple(
    onset + vowel + _CODAS[(i + j) % len(_CODAS)]
    for i, onset in enumerate("bdfgklmnprstvz")
    for j, vowel in enumerate(_VOWELS)
)
_FOLDS: Final = 5  # one fold of the names is held out


class Names:
    """A source of names in which none comes twice.

    A name is a first and a last syllable: 8,750 in all. One in five is held out by the sum of its
    syllables' numbers, so that a model trained on the others has met every syllable and never the name.

    Args:
        rng: where chance comes from.
        held_out: draw only the names that training never draws, or only the others.
    """

    def __init__(self, rng: random.Random, *, held_out: bool = False) -> None:
        self._rng = rng
        self._held_out = held_out
        self._drawn: set[str] = set()

    def fresh(self) -> str:
        """Return a name that this source has not given before. Raises InvalidInput when none is left."""
        rng = self._rng
        for _ in range(1000):
            first, last = int(rng.random() * len(_FIRST)), int(rng.random() * len(_LAST))
            if ((first + 2 * last) % _FOLDS == 0) != self._held_out:
                continue
            name = _FIRST[first] + _LAST[last]
            if name not in self._drawn:
                self._drawn.add(name)
                return name
        raise InvalidInput(f"one source gave {len(self._drawn)} names: begin a new one")
