"""Methods that let only a part of the weights move in a step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.methods.hooks import Method, Run
from agentcl.errors import InvalidInput, needs

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch

_PAIR: Final = re.compile(r"\.lora_[AB]\.")
_LAYER: Final = re.compile(r"\.layers\.(\d+)\.")


class MagnitudeGate(Method):
    """MIGU (Du et al. 2024): only units whose output is large in this step are learned.

    Of each matrix of the adapter the outputs are averaged over tokens by magnitude and normalised to a sum of 1. The
    gradient stays on the rows of the largest share of units, and is 0 on the others. Where all outputs are equal, as
    those of B at the start, all rows stay.

    Args:
        keep: the share of units, above 0 up to 1.
    """

    name = "magnitude"

    def __init__(self, *, keep: float = 0.5) -> None:
        self._kept = _part(keep)
        self._seen: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Look at what each matrix puts out from now on."""
        for name in run.weights:
            module = run.model.get_submodule(name.rpartition(".")[0])
            module.register_forward_hook(self._watch(name))

    def before_step(self, run: Run) -> None:
        """Take the gradient off the rows of small units."""
        for name, one in run.weights.items():
            if one.grad is not None and name in self._seen:
                one.grad *= magnitude_mask(self._seen[name], self._kept).unsqueeze(1)
        self._seen = {}

    def _watch(self, name: str) -> Any:  # noqa: ANN401  # a hook of torch
        def seen(module: Any, given: Any, out: Tensor) -> None:  # noqa: ANN401
            if torch.is_grad_enabled():
                size = out.detach().abs().flatten(0, -2).mean(0)
                self._seen[name] = self._seen.get(name, 0) + size

        return seen


def magnitude_mask(sizes: Tensor, keep: float) -> Tensor:
    """Return 1 for the largest share of some magnitudes and 0 for the others; equal ones share a fate."""
    shares = sizes / sizes.sum().clamp(min=torch.finfo(sizes.dtype).tiny)
    count = max(1, round(keep * len(shares)))
    least = shares.topk(count).values[-1]
    return (shares >= least).to(sizes.dtype)


class HalfMask(Method):
    """Half fine-tuning (Hui et al. 2024): in each round a random half of the blocks is frozen.

    A block is the pair A and B of one linear layer; half of the blocks of each transformer layer are learned. The
    draw is by `seed`: take another one for each round.

    Args:
        keep: the share of blocks that are learned, above 0 up to 1.
        seed: of the draw.
    """

    name = "half"

    def __init__(self, *, keep: float = 0.5, seed: int = 0) -> None:
        self._kept, self._seed = _part(keep), seed
        self._frozen: frozenset[str] = frozenset()

    @property
    def frozen(self) -> frozenset[str]:
        """Names of the weights that stay as they are; after `prepare`."""
        return self._frozen

    def prepare(self, run: Run) -> None:
        """Draw the blocks."""
        by_layer: dict[str, dict[str, list[str]]] = {}
        for name in run.weights:
            found = _LAYER.search(name)
            block = _PAIR.split(name)[0]
            by_layer.setdefault(found[1] if found else "", {}).setdefault(block, []).append(name)
        self._frozen = frozenset(_frozen_of(by_layer, self._kept, self._seed))

    def before_step(self, run: Run) -> None:
        """Take away the gradients of frozen blocks."""
        for name in self._frozen:
            run.weights[name].grad = None  # Adam then leaves a weight as it is


def _frozen_of(
    by_layer: Mapping[str, Mapping[str, list[str]]], keep: float, seed: int
) -> list[str]:
    found: list[str] = []
    for layer, blocks in sorted(by_layer.items()):
        count = len(blocks) - max(1, round(keep * len(blocks)))
        for block in Random(f"{seed} {layer}").sample(sorted(blocks), count):
            found += blocks[block]
    return found


def _part(keep: float) -> float:
    if not 0 < keep <= 1:
        raise InvalidInput(f"the share that is learned is above 0 up to 1, and not {keep}")
    return keep
