"""What a training would cost, counted before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.compressor.frames import Batch
from training.compressor.objectives import Weights
from training.compressor.presets import Preset

# What is reached, not what is advertised: 40 % of an H200, 35 % of a card of 24 GB, one processor with AMX.
_MACHINES: Final = (
    ("H200", 350e12, 4.0),
    ("card of 24 GB", 55e12, 0.5),
    ("one processor", 0.06e12, 0.05),
)


@dataclass(frozen=True, slots=True)
class Count:
    """What one document costs on average.

    Attributes:
        parameters: of the base.
        read: tokens of a passage and its slots.
        asked: tokens of what the base then reads.
        flops: of one document, both directions.
    """

    parameters: int
    read: float
    asked: float
    flops: float


def parameters_of(folder: Path) -> int:
    """Return how many parameters a model has, without loading it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    opening: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = opening.from_config(AutoConfig.from_pretrained(str(folder)))
    return sum(weight.numel() for weight in model.parameters())


def count(parameters: int, batches: Sequence[Batch], weights: Weights, *, slots: int) -> Count:
    """Return what documents of these batches cost.

    A frozen weight takes 2 operations a token forward and 2 more backward; its own gradient is never made.
    """
    documents = sum(len(one.talk.ids) for one in batches)
    read = sum(one.passages.ids.size for one in batches) / documents + slots
    asked = sum(one.talk.ids.size for one in batches) / documents + slots
    flops = 4.0 * parameters * (read + asked)
    if weights.distilling:
        flops += 2.0 * parameters * (read + asked)
    if weights.memory_aware:
        flops += 2.0 * parameters * asked
    return Count(parameters, read, asked, flops)


def described(found: Count, preset: Preset, *, documents: int) -> str:
    """Return the count in words, with the time and the money for a number of documents."""
    lines = [
        f"{found.parameters / 1e6:,.1f}M parameters; a document: {found.read:.0f} tokens compressed, "
        f"{found.asked:.0f} read, {found.flops / 1e9:,.0f} GFLOP",
        f"{documents:,} documents: {documents * (found.read + found.asked) / 1e6:,.0f}M tokens, "
        f"{documents * found.flops:.1e} FLOP",
    ]
    for name, speed, price in _MACHINES:
        hours = documents * found.flops / speed / 3600
        within = preset.minutes * 60 * speed / found.flops
        lines.append(
            f"  {name} (at {speed / 1e12:g} TFLOP/s, {price:g} dollars an hour): {hours * 60:,.1f} minutes, "
            f"{hours * price:,.2f} dollars; {within:,.0f} documents in the preset's {preset.minutes:g} minutes"
        )
    return "\n".join(lines)
