"""The reference model as the base of a codec, with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentcl.compression.base import Vectors
from agentcl.compression.codecs.folder import CodecFolder
from agentcl.errors import ModelUnavailable
from agentcl.models.reference.byte_pairs import BytePairs
from agentcl.models.reference.chat import fingerprint_of
from agentcl.models.reference.inference import PromptReading, Weights


class NumpyEngine:
    """An `Engine` for the reference model, or another checkpoint of its kind.

    Args:
        learned: the codec.
        base: the folder of the model that it was trained for.

    Raises:
        ModelUnavailable: if the folder holds no such model.
        ModelChanged: if the model is another one.
    """

    def __init__(self, learned: CodecFolder, base: Path) -> None:
        try:
            learned.check_base(fingerprint_of(base))
            self._weights = Weights(base, learned.changes())
            self._tokenizer = BytePairs(base)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"{base} holds no checkpoint of the reference model: {error}"
            ) from error

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text; what is spelled like a special token is none."""
        return self._tokenizer.encode(text, is_plain=True)

    def special(self, mark: str) -> int:
        """Return a special token."""
        return self._tokenizer.special[mark]

    def embed(self, tokens: Sequence[int]) -> Vectors:
        """Return what the first layer reads, (tokens, width)."""
        return self._weights.embed(tokens)

    def states(self, x: Vectors, positions: NDArray[np.intp]) -> Vectors:
        """Return the last layer's normed states, (tokens, width)."""
        return PromptReading(self._weights).states(x, positions)
