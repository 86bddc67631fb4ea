"""Methods that leave the adapters of earlier rounds as they are, and learn a new one beside them.

What is written is one adapter again: the ranks add up (`cat`), which is the exact sum of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.consolidation.methods.hooks import Method, Run, positive
from agentcl.consolidation.recipes import MOST_RANK
from agentcl.errors import InvalidInput, LoadError, needs
from agentcl.store.checks import check_each
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch

_OWN: Final = "default"  # PEFT's name of the adapter that is trained
_WHOLE: Final = "whole"


class IncrementalLora(Method):
    """Incremental LoRA (the baseline of Wang et al. 2023): frozen adapters of earlier rounds, and a new pair on top.

    Args:
        adapters: their folders. What this method wrote in the round before holds all rounds before: name that alone.
    """

    name = "incremental"

    def __init__(self, adapters: Sequence[str | os.PathLike[str]]) -> None:
        self._folders = [
            check_path(one, "an adapter") for one in check_each(adapters, "adapters", "paths")
        ]
        if not self._folders:
            raise InvalidInput("incremental LoRA needs the adapters of earlier rounds")

    @property
    def held(self) -> list[str]:
        """What PEFT calls the frozen adapters."""
        return [f"held{place}" for place in range(len(self._folders))]

    def prepare(self, run: Run) -> None:
        """Load the earlier adapters, frozen.

        Raises:
            InvalidInput: if the ranks add up to more than a server takes.
            LoadError: if a folder holds no adapter.
        """
        own = run.model.peft_config[_OWN].r
        ranks = [own, *(rank_of(folder) for folder in self._folders)]
        if sum(ranks) > MOST_RANK:
            raise InvalidInput(
                f"ranks of {' + '.join(map(str, ranks))} are above {MOST_RANK}; train from the base, or merge the "
                "earlier adapters into a lower rank"
            )
        for name, folder in zip(self.held, self._folders, strict=True):
            run.model.load_adapter(str(folder), adapter_name=name, is_trainable=False)
        run.model.base_model.set_adapter([_OWN, *self.held])
        for name, one in run.model.named_parameters():
            one.requires_grad_(name in run.weights)  # set_adapter lets all of them be trained

    def finish(self, run: Run) -> None:
        """Join all of them into one."""
        every = [_OWN, *self.held]
        run.model.add_weighted_adapter(every, [1.0] * len(every), _WHOLE, combination_type="cat")
        run.served = _WHOLE


class OrthogonalLora(IncrementalLora):
    """O-LoRA (Wang et al. 2023): incremental LoRA whose new A is pushed out of the span of the earlier ones.

    Added is l1 * sum over modules of |A_old A_new^T|, all entries, + l2 * sum of squares of the new weights.

    Args:
        adapters: the folders of earlier ones.
        weight: l1.
        size_weight: l2.
    """

    name = "orthogonal"

    def __init__(
        self,
        adapters: Sequence[str | os.PathLike[str]],
        *,
        weight: float = 0.5,
        size_weight: float = 0.0,
    ) -> None:
        super().__init__(adapters)
        self._weight, self._size = positive(weight), positive(size_weight)

    def loss(self, run: Run) -> Tensor:
        """Return the penalty."""
        overlaps = [(old @ new.transpose(0, 1)).abs().sum() for old, new in self._pairs(run)]
        penalty = self._weight * torch.stack(overlaps).sum()
        if self._size:
            squares = torch.stack([one.square().sum() for one in run.weights.values()])
            penalty = penalty + self._size * squares.sum()
        return penalty

    def _pairs(self, run: Run) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each earlier A with the new one of the same module."""
        weights = dict(run.model.named_parameters())
        for name, new in run.weights.items():
            if f".lora_A.{_OWN}." in name:
                for held in self.held:
                    old = weights.get(name.replace(f".lora_A.{_OWN}.", f".lora_A.{held}."))
                    if old is not None:
                        yield old.detach(), new


def rank_of(folder: Path) -> int:
    """Return the rank of an adapter. Raises LoadError if a folder holds none."""
    try:
        return int(parsed_json((folder / "adapter_config.json").read_text("utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"{folder} holds no adapter: {error}") from error
