"""What the compressor is trained for. Each objective has its paper's name, and a weight; 0 leaves it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from agentcl.compression.codecs.folder import CODE_SLOTS

if TYPE_CHECKING:
    from training.compressor.frames import Batch
    from training.compressor.model import Compressor

_TEMPERATURE = 0.05


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each objective counts.

    Attributes:
        answering: cross-entropy of the answers through the frozen base (the base objective of CMT, arXiv 2412.07393).
        memory_aware: the alpha of CMT: an answer's logits are (1 + alpha) times those with the memory less
            alpha times those without, so that the loss credits what the memory adds.
        matching: CMT's self-matching. A question is pulled to its own document's memory and pushed from the others
            of the batch, as InfoNCE (arXiv 1807.03748).
        spread: CMT's lambda: memories of different documents are pushed apart.
        distilling: the distance from what the base says with the whole text before it (PISCO, arXiv 2501.16075).
        whole: all of the document is asked for, too (auto-encoding, as ICAE does, arXiv 2307.06945).
    """

    answering: float = 1.0
    memory_aware: float = 0.0
    matching: float = 0.1
    spread: float = 0.02
    distilling: float = 0.0
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a batch, and how well it was answered."""

    total: Tensor
    answering: float
    right: float  # share of the answers' tokens
    matched: float  # share of questions that find their own memory among those of the batch


def loss_of(
    model: Compressor,
    batch: Batch,
    weights: Weights,
    *,
    memories: Tensor,
    before: list[Tensor],
    without: Tensor | None,
    is_matching: bool,
) -> Loss:
    """Return the loss of a batch.

    Args:
        model: the compressor and its base.
        batch: documents, and what is asked.
        weights: of the objectives.
        memories: of the documents, (documents, slots, width).
        before: embeddings that stand before what is asked, the memories among them.
        is_matching: whether questions have to find their memories, too.
        without: the base's logits for the answers without a memory, where `memory_aware` asks for them.
    """
    wanted = model.labels(batch.talk)
    logits = model.read(before, batch.talk)
    answered = logits
    if without is not None:
        alpha = weights.memory_aware
        answered = (1 + alpha) * logits - alpha * without
    answering = functional.cross_entropy(answered, wanted)
    total = weights.answering * answering
    if weights.distilling:
        teacher = model.read_text(batch.passages, batch.talk).log_softmax(-1)
        distance = functional.kl_div(
            logits.log_softmax(-1), teacher, reduction="batchmean", log_target=True
        )
        total = total + weights.distilling * distance
    matched = 0.0
    if weights.matching and is_matching:
        matching, matched = _matching(model, batch, memories, weights.spread)
        total = total + weights.matching * matching
    right = (logits.argmax(-1) == wanted).float().mean().item()
    return Loss(total, answering.item(), right, matched)


def _matching(
    model: Compressor, batch: Batch, memories: Tensor, spread: float
) -> tuple[Tensor, float]:
    codes = model.codes(memories)
    asked = model.codes(model.memories(batch.questions, CODE_SLOTS), is_question=True)
    own = torch.arange(len(codes), device=codes.device)
    likeness = asked @ codes.T
    matching = functional.cross_entropy(likeness / _TEMPERATURE, own)
    if spread and len(codes) > 1:
        distances = torch.cdist(codes, codes).pow(2) + torch.diag(torch.full_like(own, 1e4).float())
        matching = matching + spread * torch.logsumexp(-distances, dim=1).mean()
    return matching, (likeness.argmax(1) == own).float().mean().item()
