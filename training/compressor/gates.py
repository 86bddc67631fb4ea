"""What is tried while a codec trains: held-out questions, answered whole or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.compressor.data import Document
from training.compressor.frames import Batch, Framer
from training.compressor.model import Compressor


class Gates:
    """One question of each of some documents.

    Greedy decoding writes an answer if and only if each of its tokens is the likeliest after those before it.
    So one forward pass over the right answer tells, and nothing has to be generated.

    Args:
        framer: of the base.
        documents: that training never draws.
        sizes: how many slots are tried.
    """

    def __init__(self, framer: Framer, documents: Sequence[Document], sizes: Sequence[int]) -> None:
        single = [replace(one, asked=one.asked[:1]) for one in documents]
        self._batch: Batch = framer.batch(single, is_whole=False)
        self._before = framer.ids([framer.frame.before])[0]
        self._sizes = tuple(sizes)

    def shares(self, model: Compressor) -> dict[str, float]:
        """Return the share of answers that are wholly right, by what the base reads."""
        with torch.no_grad():
            found = {
                "text": self._right(model, model.read_text(self._batch.passages, self._batch.talk))
            }
            memories = model.memories(self._batch.passages, max(self._sizes))
            for size in self._sizes:
                found[str(size)] = self._read(model, memories[:, :size])
            found["other"] = self._read(model, memories.roll(1, dims=0))
            found["none"] = self._read(model, memories[:, :0])
            asked = model.codes(model.memories(self._batch.questions, 4), is_question=True)
            nearest = (asked @ model.codes(memories).T).argmax(1)
            own = torch.arange(len(nearest), device=nearest.device)
            found["found"] = (nearest == own).float().mean().item()
        return {name: round(share, 3) for name, share in found.items()}

    def _read(self, model: Compressor, memories: Tensor) -> float:
        ids = torch.tensor(self._before, device=model.device)
        before = model.embed(ids).expand(len(memories), -1, -1)
        return self._right(model, model.read([before, memories], self._batch.talk))

    def _right(self, model: Compressor, logits: Tensor) -> float:
        wanted = model.labels(self._batch.talk)
        is_answer = torch.from_numpy(self._batch.talk.labels[:, 1:] >= 0).to(model.device)
        row = is_answer.nonzero()[:, 0]
        wrong = torch.zeros(len(is_answer), device=model.device)
        wrong.index_add_(0, row, (logits.argmax(-1) != wanted).float())
        return (wrong == 0).float().mean().item()
