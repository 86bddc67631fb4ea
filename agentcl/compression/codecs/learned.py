"""What every codec does, whatever runs its base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentcl.compression.base import Vectors
from agentcl.compression.codecs.folder import CODE_SLOTS, CodecFolder, checked, chosen
from agentcl.errors import InvalidInput


class Engine(Protocol):
    """Runs a frozen base to which a codec's LoRA is added."""

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text; what is spelled like a special token is none."""

    def special(self, mark: str) -> int:
        """Return a special token."""

    def embed(self, tokens: Sequence[int]) -> Vectors:
        """Return what the first layer reads, (tokens, width)."""

    def states(self, x: Vectors, positions: NDArray[np.intp]) -> Vectors:
        """Return the last layer's normed state of each of `x`, which sees those before it, (tokens, width)."""


class LearnedCodec:
    """A `Codec`: LoRA on the frozen base and memory slots behind the passage make soft tokens.

    CMT (arXiv 2412.07393) in the form of ICAE (arXiv 2307.06945). A slot begins as what it has learned and the mean
    embedding of its part of the passage, and stands at the end of that part.

    Args:
        learned: the codec's folder, read.
        engine: of its base.
    """

    def __init__(self, learned: CodecFolder, engine: Engine) -> None:
        self._learned, self._engine = learned, engine

    @property
    def name(self) -> str:
        """How people name it."""
        return self._learned.about.name

    @property
    def base(self) -> str:
        """The fingerprint of the frozen model that reads its memories."""
        return self._learned.about.base

    @property
    def fingerprint(self) -> str:
        """What its vectors hang on."""
        return self._learned.fingerprint

    @property
    def width(self) -> int:
        """The length of one soft token."""
        return int(self._learned.slots.shape[1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many soft tokens a passage may become, ascending."""
        return self._learned.about.sizes

    @property
    def limit(self) -> int:
        """The longest passage, in tokens of the base."""
        return self._learned.about.limit

    @property
    def made(self) -> Mapping[str, Any]:
        """How it was trained."""
        return self._learned.about.made

    def count(self, text: str) -> int:
        """Return how many tokens of the base a text is."""
        return len(self._engine.tokens(text))

    def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
        """Return the memories of passages, (texts, slots, width); by default with all slots.

        Raises:
            InvalidInput: if a text is empty or longer than `limit`, or `slots` is none of `sizes`.
        """
        number = chosen(slots, self.sizes)
        rows = []
        for text in texts:
            checked(self.count(text), text, self.limit)
            tokens = self._tokens(self._learned.about.before + text)
            rows.append(self._compressed(tokens, number))
        return np.stack(rows) if rows else np.empty((0, number, self.width), np.float32)

    def codes(self, memories: Vectors) -> Vectors:
        """Return what memories are found by, (memories, any width), rows of length 1."""
        return self._learned.codes(memories)

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return what to look with for memories that answer, of the same width as `codes`, rows of length 1.

        Of a question longer than twice `limit` the end is read.

        Raises:
            InvalidInput: if a question is empty.
        """
        rows = [np.empty((0, CODE_SLOTS, self.width), np.float32)]
        for text in texts:
            if not text.strip():
                raise InvalidInput("a question is empty: there is nothing to look for")
            tokens = self._tokens(self._learned.about.asked + text.strip())
            rows.append(self._compressed(tokens, CODE_SLOTS)[None])
        return self._learned.question_codes(np.concatenate(rows))

    def _tokens(self, text: str) -> list[int]:
        """Return what the compressor reads; what a text spells is never a special token."""
        mark = self._learned.about.mark
        marks = [self._engine.special(mark)] if mark else []
        return [*marks, *self._engine.tokens(text)[-2 * self.limit :]]

    def _compressed(self, tokens: Sequence[int], slots: int) -> Vectors:
        """Return the soft tokens of a passage or question, (slots, width)."""
        learned = self._learned
        text = self._engine.embed(tokens)
        bounds = learned.parts(len(tokens), slots)
        parts = np.stack([text[begin:end].sum(axis=0) for begin, end in bounds])
        parts = self._scaled(parts)
        x = np.concatenate([text, learned.slots[:slots] + parts])
        positions = np.concatenate([np.arange(len(tokens)), bounds[:, 1]])
        hidden = self._engine.states(x, positions)[-slots:]
        return self._scaled(hidden @ learned.projection.T + parts @ learned.skip.T)

    def _scaled(self, x: Vectors) -> Vectors:
        """Return vectors as large as the base's embeddings."""
        size = np.mean(x * x, axis=-1, keepdims=True)
        scaled: Vectors = x * (
            np.float32(self._learned.about.scale) / np.sqrt(size + np.float32(1e-6))
        )
        return scaled
