"""Examples as token batches: whole conversations of like length, with the loss on the answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.examples import Example
from training.mix import Stage, draw
from training.tokenizer import END, PAD, role_token

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IGNORED = -100  # no loss on this token


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids and labels, both (conversations, tokens); labels are IGNORED but on answers."""

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]


class Encoder:
    """Turns examples into conversations of tokens, just as the chat template does."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Take a `PreTrainedTokenizerFast` as `train_tokenizer` makes it."""
        self._encode = tokenizer.backend_tokenizer.encode_batch
        self._ids = {
            token: tokenizer.vocab[token]
            for token in (PAD, END, *(role_token(r) for r in ("system", "user", "assistant")))
        }

    @property
    def pad(self) -> int:
        """The id that fills short rows."""
        return self._ids[PAD]

    @property
    def listing(self) -> int:
        """The token with which every JSON answer begins."""
        return int(self._encode(['{"'], add_special_tokens=False)[0].ids[0])

    def conversations(
        self, examples: Sequence[tuple[Example, bool]]
    ) -> list[tuple[list[int], list[int]]]:
        """Return (ids, labels) for each example, all of its turns asked one after the other.

        Args:
            examples: each with whether its context is the system's message.
        """
        messages = [_messages(example, is_system) for example, is_system in examples]
        texts = [text for conversation in messages for _, text in conversation]
        encoded = iter(self._encode(texts, add_special_tokens=False))
        rows = []
        for conversation in messages:
            ids: list[int] = []
            labels: list[int] = []
            for role, _ in conversation:
                piece = [*next(encoded).ids, self._ids[END]]
                ids += [self._ids[role_token(role)], *piece]
                labels += [IGNORED, *(piece if role == "assistant" else [IGNORED] * len(piece))]
            rows.append((ids, labels))
        return rows


def make_batches(
    encoder: Encoder, stage: Stage, seed: str, *, tokens: int, batches: int, longest: int
) -> list[Batch]:
    """Return about `batches` batches of `tokens` tokens each, in random order.

    Rows of like length stand together, so little is padding and no mask is needed.

    Args:
        encoder: for the tokenizer.
        stage: what to draw.
        seed: decides everything drawn.
        tokens: in a batch, padding included.
        batches: how many, about.
        longest: rows above this are dropped.
    """
    rng = random.Random(seed)
    rows: list[tuple[list[int], list[int]]] = []
    drawn = 0
    while drawn < tokens * batches:
        examples = []
        for _ in range(64):
            example = draw(rng, stage)
            turns = list(example.turns)
            rng.shuffle(turns)
            is_system = bool(example.context) and rng.random() < 0.3
            examples.append((Example(example.context, tuple(turns)), is_system))
        new = [row for row in encoder.conversations(examples) if len(row[0]) <= longest]
        drawn += sum(len(row[0]) for row in new)
        rows += new
    rows.sort(key=lambda row: len(row[0]))
    made = []
    start = 0
    while start < len(rows):
        end = start + 1
        while end < len(rows) and (end + 1 - start) * len(rows[end][0]) <= tokens:
            end += 1
        made.append(pad_rows(rows[start:end], encoder.pad))
        start = end
    rng.shuffle(made)
    return made


def _messages(example: Example, is_system: bool) -> list[tuple[str, str]]:
    messages = [("system", example.context)] if is_system else []
    for number, turn in enumerate(example.turns):
        is_first = number == 0 and not is_system and example.context
        messages.append(("user", f"{example.context}\n{turn.ask}" if is_first else turn.ask))
        messages.append(("assistant", turn.answer))
    return messages


def pad_rows(rows: Sequence[tuple[list[int], list[int]]], pad: int) -> Batch:
    """Return rows of (ids, labels) as one batch, short ones filled with `pad`."""
    longest = max(len(ids) for ids, _ in rows)
    ids = np.full((len(rows), longest), pad)
    labels = np.full((len(rows), longest), IGNORED)
    for number, (row_ids, row_labels) in enumerate(rows):
        ids[number, : len(row_ids)] = row_ids
        labels[number, : len(row_labels)] = row_labels
    return Batch(ids, labels)
