"""The codec of the reference model, with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentcl.compression.base import Vectors
from agentcl.compression.codecs.folder import CODE_SLOTS, Learned, checked, chosen
from agentcl.errors import InvalidInput, ModelUnavailable
from agentcl.models.reference.byte_pairs import BytePairs
from agentcl.models.reference.chat import fingerprint_of
from agentcl.models.reference.inference import PromptReading, Weights


class ReferenceCodec:
    """A `Codec` for the reference model, or another checkpoint of its kind.

    LoRA on the frozen base and memory slots behind the passage make soft tokens (CMT, arXiv 2412.07393, in the
    form of ICAE, arXiv 2307.06945). A slot begins as what it has learned and the mean embedding of its part of the
    passage, and stands at the end of that part.

    Args:
        folder: of the codec.
        base: the folder of the model that it was trained for.

    Raises:
        ModelUnavailable: if a folder does not hold what it should.
        ModelChanged: if the model is another one.
    """

    def __init__(self, folder: Path, base: Path) -> None:
        self._learned = Learned(folder)
        try:
            self._learned.check_base(fingerprint_of(base))
            self._weights = Weights(base, self._learned.changes())
            self._tokenizer = BytePairs(base)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"{base} holds no checkpoint of the reference model: {error}"
            ) from error

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
        return self._learned.slots.shape[1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many soft tokens a passage may become, ascending."""
        return self._learned.about.sizes

    @property
    def limit(self) -> int:
        """The longest passage, in tokens of the base."""
        return self._learned.about.limit

    def count(self, text: str) -> int:
        """Return how many tokens of the base a text is."""
        return len(self._tokenizer.encode(text, is_plain=True))

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
        tokens = self._tokenizer.encode(text, is_plain=True)[-2 * self.limit :]
        return [*self._tokenizer.encode(self._learned.about.mark), *tokens]

    def _compressed(self, tokens: Sequence[int], slots: int) -> Vectors:
        """Return the soft tokens of a passage or question, (slots, width)."""
        learned = self._learned
        text = self._weights.embed(tokens)
        bounds = learned.parts(len(tokens), slots)
        parts = np.stack([text[begin:end].sum(axis=0) for begin, end in bounds])
        parts = self._scaled(parts)
        x = np.concatenate([text, learned.slots[:slots] + parts])
        positions = np.concatenate([np.arange(len(tokens)), bounds[:, 1]])
        hidden = PromptReading(self._weights).states(x, positions)[-slots:]
        return self._scaled(hidden @ learned.projection.T + parts @ learned.skip.T)

    def _scaled(self, x: Vectors) -> Vectors:
        """Return vectors as large as the base's embeddings."""
        size = np.mean(x * x, axis=-1, keepdims=True)
        scaled: Vectors = x * (
            np.float32(self._learned.about.scale) / np.sqrt(size + np.float32(1e-6))
        )
        return scaled
