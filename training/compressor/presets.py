"""How long a codec is trained, on what, and for which objectives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from training.compressor.data import Size
from training.compressor.objectives import Weights


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training; it ends early when enough is right.

    Attributes:
        share: of the training, at most.
        passed_at: the share of the answers' tokens that has to be right.
        size: of the documents.
        slots: how many of each memory are read, each with its chance.
        questions: about each document.
        is_matching: whether questions have to find their memories.
        several: the share of batches in which two or three memories stand in a row.
    """

    share: float
    passed_at: float
    size: Size
    slots: dict[int, float]
    questions: int
    is_matching: bool = False
    several: float = 0.0


# Few facts and many slots first: how to write what the base can read is learned there, how to write it small later.
STAGES: Final = (
    Stage(0.20, 0.97, Size(2, 3), {16: 1.0}, 1),
    Stage(0.35, 0.95, Size(2, 7), {16: 2.0, 8: 1.0}, 2),
    Stage(
        1.00,
        2.00,
        Size(2, 10),
        {32: 1.0, 16: 3.0, 8: 2.0, 4: 0.7},
        2,
        is_matching=True,
        several=0.2,
    ),
)


@dataclass(frozen=True, slots=True)
class Preset:
    """How much is trained, for how long at most."""

    minutes: float  # the learning rate ends at zero then, wherever the steps are
    steps: int
    documents: int  # in a batch
    rank: int  # of LoRA
    slots: int  # the most of a memory
    learning_rate: float
    longest: int  # tokens of a passage
    gates: int = 12  # how often held-out questions are tried
    gate_size: int = 32  # documents of a gate
    stages: tuple[Stage, ...] = STAGES
    weights: Weights = field(default_factory=Weights)


PRESETS: Final = {
    "smoke": Preset(1, 6, 4, 4, 32, 3e-3, 128, 2, 4),
    "cpu": Preset(60, 100_000, 16, 32, 32, 4e-3, 128),
    "gpu": Preset(11, 100_000, 256, 64, 32, 3e-3, 128, gate_size=256),
}
# A real base has passages of prose, which no number of facts measures.
PROSE: Final = (
    Stage(0.3, 2.0, Size(0, 0), {64: 1.0}, 2),
    Stage(
        1.0,
        2.0,
        Size(0, 0),
        {64: 1.0, 32: 1.0, 16: 1.0, 8: 0.5, 4: 0.5},
        4,
        is_matching=True,
        several=0.2,
    ),
)
REAL_PRESETS: Final = {
    "smoke": Preset(5, 3, 2, 8, 64, 1e-3, 512, 1, 4, PROSE),
    "cpu": Preset(240, 100_000, 4, 32, 64, 1e-3, 512, 20, 64, PROSE),
    "gpu": Preset(11, 100_000, 64, 64, 64, 1e-3, 512, 20, 256, PROSE, Weights(distilling=1.0)),
}
