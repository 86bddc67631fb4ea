"""How a base is asked: the text around a passage or its memory, and the batches made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from training.batches import IGNORED
from training.compressor.data import Asked, Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """The text around what is read and asked. `{}` is the question."""

    mark: str  # a special token before everything, if there is one
    before: str  # the passage
    beside: tuple[str, ...]  # each of several passages
    first: str  # from the passage to the first answer
    later: str  # from one answer to the next
    close: str  # an answer
    alone: str  # a question that looks for a memory


FRAMES: Final = {
    "reference": Frame(
        mark="<|user|>",
        before="<|user|>Passage: ",
        beside=("<|user|>Passages:\n[1] ", "\n[2] ", "\n[3] "),
        first="\n{}<|end|><|assistant|>",
        later="<|user|>{}<|end|><|assistant|>",
        close="<|end|>",
        alone="<|user|>{}",
    ),
    # A base that was never tuned to follow: text that goes on.
    "plain": Frame(
        mark="",
        before="Passage: ",
        beside=("Passages:\n[1] ", "\n[2] ", "\n[3] "),
        first="\n{}\nAnswer: ",
        later="\n{}\nAnswer: ",
        close="\n",
        alone="{}",
    ),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Token ids of several rows, filled on the right; causal attention never looks there.

    Attributes:
        ids: (rows, tokens).
        lengths: how many of each row are real.
        labels: (rows, tokens), IGNORED but on answers.
    """

    ids: Ids
    lengths: Ids
    labels: Ids


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents of like length.

    Attributes:
        passages: what the compressor reads before its slots.
        questions: one question of each document, for what is looked for.
        talk: what follows a passage or its memory: questions and answers.
    """

    passages: Rows
    questions: Rows
    talk: Rows


class Framer:
    """Makes batches in the frame of a base."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, frame: Frame) -> None:
        self.frame = frame
        self._tokenizer = tokenizer
        self._encode = tokenizer.backend_tokenizer.encode_batch
        self.pad = int(tokenizer.pad_token_id or 0)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts; the frame's marks are single ones."""
        return [found.ids for found in self._encode(list(texts), add_special_tokens=False)]

    def batch(self, documents: Sequence[Document], *, is_whole: bool = True) -> Batch:
        """Return documents as a batch.

        Args:
            documents: at least one.
            is_whole: ask for all of each document at the end. After the questions: they could be answered from it.
        """
        frame = self.frame
        talks = [(*d.asked, d.whole) if is_whole else d.asked for d in documents]
        return Batch(
            self._rows([[(frame.before + d.text, False)] for d in documents]),
            self._rows([[(frame.alone.format(d.asked[0].ask), False)] for d in documents]),
            self._rows([self._talk(asked) for asked in talks]),
        )

    def _talk(self, asked: Sequence[Asked]) -> list[tuple[str, bool]]:
        pieces = []
        for number, one in enumerate(asked):
            form = self.frame.later if number else self.frame.first
            pieces.append((form.format(one.ask), False))
            pieces.append((one.answer + self.frame.close, True))
        return pieces

    def _rows(self, rows: Sequence[Sequence[tuple[str, bool]]]) -> Rows:
        """Return rows of pieces, each with whether its tokens are an answer."""
        encoded = iter(self.ids([text for row in rows for text, _ in row]))
        joined = []
        for row in rows:
            ids: list[int] = []
            labels: list[int] = []
            for _, is_answer in row:
                piece = next(encoded)
                ids += piece
                labels += piece if is_answer else [IGNORED] * len(piece)
            joined.append((ids, labels))
        return filled(joined, self.pad)


def filled(rows: Sequence[tuple[list[int], list[int]]], pad: int) -> Rows:
    """Return rows of (ids, labels) as arrays."""
    lengths = np.array([len(ids) for ids, _ in rows])
    shape = (len(rows), int(lengths.max()))
    all_ids, all_labels = np.full(shape, pad), np.full(shape, IGNORED)
    for number, (ids, labels) in enumerate(rows):
        all_ids[number, : len(ids)] = ids
        all_labels[number, : len(labels)] = labels
    return Rows(all_ids, lengths, all_labels)
