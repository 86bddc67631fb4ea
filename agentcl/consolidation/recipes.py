"""How an adapter is trained, as values that can be read without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from agentcl.errors import InvalidInput

Objective = Literal["supervised", "distillation"]
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
    budget_s: float | None = None  # of this run; then it ends with the steps that are done
    checkpoint_every: int = 20  # steps
    most_tokens: int = 1024  # of a row; longer ones are left out and counted
    methods: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained or served. Raises InvalidInput."""
        if not 1 <= self.rank <= MOST_RANK:
            raise InvalidInput(
                f"a rank of {self.rank}: vLLM is asked to serve ranks up to {MOST_RANK}, so train within that"
            )
        for name in ("alpha", "steps", "batch", "checkpoint_every", "most_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is at least 1, and not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InvalidInput(f"a learning rate of {self.learning_rate}; it is above 0")
        if self.objective not in ("supervised", "distillation"):
            raise InvalidInput(
                f"there is no objective {self.objective!r}; known: supervised, distillation"
            )
