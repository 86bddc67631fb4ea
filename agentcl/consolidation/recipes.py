"""How an adapter is trained, as values that can be read without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from agentcl.errors import InvalidInput

Objective = Literal["supervised", "distillation"]
Precision = Literal["float32", "bfloat16"]
Schedule = Literal["constant", "cosine"]
MOST_RANK: Final = 64  # that vLLM is asked to serve


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an adapter is trained. The rates suit models of some hundred million weights."""

    rank: int = 16
    alpha: int = 32
    targets: str | Sequence[str] = "all-linear"
    learning_rate: float = 1e-3
    steps: int = 200
    batch: int = 8
    seed: int = 0
    objective: Objective = "supervised"
    general: float = 0.0  # share of rows that the base answers, on which it is to stay as it is
    schedule: Schedule = "constant"  # of the rate; "cosine" lets it fall to 0 with the last step
    precision: Precision = "float32"  # of the forward pass; the adapter itself stays float32
    budget_s: float | None = None  # of this run; then it ends with the steps that are done
    checkpoint_every: int = 20  # steps
    most_tokens: int = 1024  # of a row; longer ones are left out and counted
    methods: tuple[Mapping[str, Any], ...] = ()
    shards: int = 1  # parts that are trained apart, and share the steps; the ranks add up

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, which is counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2

    def of_shard(self) -> Recipe:
        """Return how one of the shards is trained: with its share of the steps and the seconds."""
        if self.shards == 1:
            return self
        budget = None if self.budget_s is None else self.budget_s / self.shards
        return replace(self, shards=1, steps=math.ceil(self.steps / self.shards), budget_s=budget)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained or served. Raises InvalidInput."""
        if not 1 <= self.rank <= MOST_RANK:
            raise InvalidInput(
                f"a rank of {self.rank}: vLLM is asked to serve ranks up to {MOST_RANK}, so train within that"
            )
        if self.shards < 1 or self.rank * self.shards > MOST_RANK:
            raise InvalidInput(
                f"{self.shards} shards of rank {self.rank}: there is at least one, and their ranks add up to at most "
                f"{MOST_RANK}, which vLLM is asked to serve"
            )
        if self.shards > 1 and self.methods:
            raise InvalidInput(
                "shards learn nothing but their own records, so that each can be trained anew alone: leave out "
                "`methods`, or the shards"
            )
        for name in ("alpha", "steps", "batch", "checkpoint_every", "most_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is at least 1, and not {getattr(self, name)}")
        if not 0 <= self.general < 1:
            raise InvalidInput(
                f"a share of general rows is from 0 to below 1, and not {self.general}"
            )
        if self.schedule not in ("constant", "cosine"):
            raise InvalidInput(f"there is no schedule {self.schedule!r}; known: constant, cosine")
        if self.precision not in ("float32", "bfloat16"):
            raise InvalidInput(
                f"there is no precision {self.precision!r}; known: float32, bfloat16"
            )
        if not self.learning_rate > 0:
            raise InvalidInput(f"a learning rate of {self.learning_rate}; it is above 0")
        if self.objective not in ("supervised", "distillation"):
            raise InvalidInput(
                f"there is no objective {self.objective!r}; known: supervised, distillation"
            )
