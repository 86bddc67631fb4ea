"""What turns passages into soft tokens of one frozen model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Codec(Protocol):
    """A compressor that was trained once for one frozen base model (CMT, Li et al. 2024, section 3).

    It never trains while it works: a passage becomes vectors by one forward pass.
    """

    @property
    def name(self) -> str:
        """How people name it, e.g. `reference-1`."""

    @property
    def base(self) -> str:
        """The fingerprint of the frozen model whose embedding space the vectors lie in."""

    @property
    def fingerprint(self) -> str:
        """What the vectors hang on: the base, the codec's own weights, its template and version."""

    @property
    def width(self) -> int:
        """The length of one soft token."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many soft tokens a passage may become, ascending.

        Slots are nested: the first k of a larger memory are the memory of k.
        """

    @property
    def limit(self) -> int:
        """The longest passage, in tokens of the base."""

    def count(self, text: str) -> int:
        """Return how many tokens of the base a text is."""

    def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
        """Return the memories of passages, of shape (texts, slots, width); by default with all slots.

        Raises:
            InvalidInput: if a text is empty or longer than `limit`, or `slots` is none of `sizes`.
        """

    def codes(self, memories: Vectors) -> Vectors:
        """Return what memories are found by, of shape (memories, any width), rows of length 1."""

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return what to look with for memories that answer, of the same width as `codes`, rows of length 1."""
