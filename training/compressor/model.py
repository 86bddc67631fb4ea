"""The compressor: LoRA on the frozen base, memory slots behind the passage, and what makes soft tokens of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional

from agentcl.compression.codecs.folder import CODE_SLOTS, slot_parts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from training.compressor.frames import Rows

CODE_WIDTH: Final = 128
_SPOKEN: Final = 0.3  # how much of a soft token comes from the hidden state at first
_MATRICES: Final = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_SHORT: Final = (
    192  # tokens; on fewer the fused kernel's backward pass is slower than plain products
)


class Compressor(nn.Module):
    """A frozen causal language model, and what is learned to write memories for it.

    One copy of the base serves both ends: with LoRA it compresses, without it reads.
    """

    _parts: Tensor

    def __init__(self, base: PreTrainedModel, *, slots: int, rank: int) -> None:
        super().__init__()
        about = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_MATRICES, bias="none")
        self.lora = get_peft_model(base, about)
        inside: Any = base
        table = inside.get_input_embeddings().weight.detach().float()
        width = table.shape[1]
        self.scale = float(table.pow(2).mean().sqrt())  # what the base is used to read
        norm = inside.get_decoder().norm.weight.detach().float()
        self.slots = nn.Parameter(torch.randn(slots, width) * self.scale / 2)
        self.projection = nn.Parameter(
            torch.eye(width) * (_SPOKEN * self.scale * norm.pow(2).mean().rsqrt())
        )
        self.skip = nn.Parameter(torch.eye(width))
        self.memory_code = nn.Parameter(torch.randn(CODE_WIDTH, CODE_SLOTS * width) * width**-0.5)
        self.question_code = nn.Parameter(self.memory_code.detach().clone())
        self.register_buffer("_parts", torch.tensor(slot_parts(slots)), persistent=False)
        self._is_short = False

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.slots.device

    def learned(self) -> list[tuple[str, nn.Parameter]]:
        """Return what is trained, by name."""
        return [(name, p) for name, p in self.named_parameters() if p.requires_grad]

    def embed(self, ids: Tensor) -> Tensor:
        """Return the base's embeddings of token ids."""
        embedded: Tensor = self.lora.get_input_embeddings()(ids)
        return embedded

    def memories(self, rows: Rows, slots: int) -> Tensor:
        """Return the soft tokens of passages or questions: (rows, slots, width)."""
        lengths = self._tensor(rows.lengths)
        text = self.embed(self._tensor(rows.ids))
        begin, end = torch.ceil(lengths[:, None, None] * self._parts[:slots].float()).unbind(-1)
        parts = self._means(text, begin, end)
        x = functional.pad(text, (0, 0, 0, slots))
        row = torch.arange(len(x), device=self.device)[:, None]
        place = lengths[:, None] + torch.arange(slots, device=self.device)
        x = x.index_put((row, place), self.slots[:slots] + parts)
        positions = torch.arange(x.shape[1], device=self.device).repeat(len(x), 1)
        positions[row, place] = end.long()
        hidden = self._hidden(x, positions)[row, place]
        said = (hidden @ self.projection.T + parts @ self.skip.T).float()
        scale = self.scale * torch.rsqrt(said.pow(2).mean(-1, keepdim=True) + 1e-6)
        return (said * scale).to(x.dtype)

    def _means(self, text: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        """Return the mean embedding of each slot's part, as large as an embedding."""
        place = torch.arange(text.shape[1], device=self.device)
        is_in = (begin[..., None] <= place) & (place < end[..., None])
        total = is_in.to(text.dtype) @ text
        size = total.float().pow(2).mean(-1, keepdim=True)
        return (total.float() * self.scale * torch.rsqrt(size + 1e-6)).to(text.dtype)

    def codes(self, memories: Tensor, *, is_question: bool = False) -> Tensor:
        """Return what memories are found by, or what a question looks with: (memories, CODE_WIDTH)."""
        head = self.question_code if is_question else self.memory_code
        joined = memories[:, :CODE_SLOTS].flatten(1).float() / self.scale
        return functional.normalize(joined @ head.float().T, dim=-1)

    def read(self, before: Sequence[Tensor], after: Rows) -> Tensor:
        """Return the frozen base's logits where an answer's token comes next.

        Args:
            before: embeddings in a row that every row of `after` begins with, each (rows, tokens, width).
            after: what follows.
        """
        x = torch.cat([*before, self.embed(self._tensor(after.ids))], dim=1)
        with self.lora.disable_adapter():
            hidden = self._hidden(x)
            width = after.ids.shape[1]
            # The last token before `after` has no answer after it; the last of `after` nothing at all.
            return self._logits(hidden[:, -width:][:, :-1], after)

    def read_text(self, passages: Rows, after: Rows) -> Tensor:
        """Return the frozen base's logits for the same answers after the whole text, row by row."""
        ids, labels = _joined(
            self._tensor(passages.ids), self._tensor(passages.lengths), after, self
        )
        with torch.no_grad(), self.lora.disable_adapter():
            hidden = self._hidden(self.embed(ids))
            return self._head(hidden[:, :-1][labels[:, 1:]])

    def labels(self, rows: Rows) -> Tensor:
        """Return the answers' tokens in the order of the logits."""
        labels = self._tensor(rows.labels)[:, 1:]
        return labels[labels >= 0]

    def _logits(self, hidden: Tensor, rows: Rows) -> Tensor:
        return self._head(hidden[self._tensor(rows.labels)[:, 1:] >= 0])

    def _head(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.lora.get_output_embeddings()(hidden)
        return logits.float()

    def _hidden(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        inner: Any = self.lora.get_base_model()
        is_short = x.shape[1] <= _SHORT
        if self.device.type == "cpu" and is_short != self._is_short:
            inner.set_attn_implementation("eager" if is_short else "sdpa")
            self._is_short = is_short
        # With positions and no mask, transformers takes a row for several packed ones.
        mask = None if positions is None else torch.ones(x.shape[:2], device=self.device)
        hidden: Tensor = inner.model(
            inputs_embeds=x, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        return hidden

    def _tensor(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _joined(ids: Tensor, lengths: Tensor, after: Rows, model: Compressor) -> tuple[Tensor, Tensor]:
    """Return passages with what follows them right behind each, and where answers' tokens stand."""
    more = model._tensor(after.ids)
    joined = functional.pad(ids, (0, more.shape[1]))
    row = torch.arange(len(ids), device=ids.device)[:, None]
    place = lengths[:, None] + torch.arange(more.shape[1], device=ids.device)
    joined[row, place] = more
    is_answer = torch.zeros_like(joined, dtype=torch.bool)
    is_answer[row, place] = model._tensor(after.labels) >= 0
    return joined, is_answer
