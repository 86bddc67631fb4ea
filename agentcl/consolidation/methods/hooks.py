"""Continual learning behind six hooks: what keeps an adapter from losing what it knew.

A method is an object with any of the hooks of `Method`. The trainer calls each at its place, and a method that does
nothing leaves the weights as they are without it, bit by bit. Where an adapter is trained from the base on everything
(the default), none is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from agentcl.consolidation.rows.building import TrainingRow
from agentcl.errors import InvalidInput, needs

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

with needs("training adapters", "train"):
    import torch


@dataclass(slots=True)
class Run:
    """One training, as methods see it."""

    model: Any  # PEFT's, with the adapter that is trained
    weights: Mapping[str, Tensor]  # what is trained, by name
    loss_on: Callable[[Sequence[TrainingRow]], Tensor]  # the objective's mean loss on some rows
    logits_on: Callable[[Sequence[TrainingRow]], Tensor]  # (tokens of their answers, vocabulary)
    states_on: Callable[
        [Sequence[TrainingRow]], Tensor
    ]  # (tokens of their answers, width): the last layer's
    step: int = 0
    served: str = "default"  # which of PEFT's adapters is written in the end


class Method:
    """A way of continual learning. Each hook does nothing by default."""

    name = "none"

    def mix(self, rows: Sequence[TrainingRow], rng: Random) -> Sequence[TrainingRow]:
        """Return the rows to train on; `rng` is seeded."""
        return rows

    def prepare(self, run: Run) -> None:
        """Look at the model before the first step."""

    def loss(self, run: Run) -> Tensor | None:
        """Return what is added to the loss of a step."""
        return None

    def before_step(self, run: Run) -> None:
        """Change gradients, after they were clipped."""

    def after_step(self, run: Run) -> None:
        """Change weights after a step."""

    def finish(self, run: Run) -> None:
        """Change weights after the last step."""

    def state(self) -> Mapping[str, Any]:
        """Return what changes from step to step, for a checkpoint: tensors, numbers and texts."""
        return {}

    def restore(self, held: Mapping[str, Any]) -> None:
        """Take over what `state` returned; called after `prepare`."""


class ExperienceReplay(Method):
    """Experience replay: rows of earlier rounds among the new ones (Rolnick et al. 2019; Chaudhry et al. 2019).

    Of n new rows and a share s, round(n s / (1 - s)) old ones are added, drawn without replacement; as many as there
    are.

    Args:
        rows: of earlier rounds.
        share: of all rows, from 0 to below 1.
    """

    name = "replay"

    def __init__(self, rows: Sequence[TrainingRow], *, share: float = 0.5) -> None:
        if not 0 <= share < 1:
            raise InvalidInput(f"a share of replay is from 0 to below 1, and not {share}")
        self._rows, self._share = [row for row in rows if row.split == "train"], share

    def mix(self, rows: Sequence[TrainingRow], rng: Random) -> Sequence[TrainingRow]:
        """Return the new rows with a sample of the old ones."""
        wanted = round(len(rows) * self._share / (1 - self._share))
        return [*rows, *rng.sample(self._rows, min(wanted, len(self._rows)))]


class L2ToStart(Method):
    """L2-SP: weights are drawn to where they started (Li, Grandvalet and Davoine 2018): a/2 * sum (w - w0)^2.

    Args:
        weight: a.
    """

    name = "l2"

    def __init__(self, *, weight: float = 0.01) -> None:
        self._weight = positive(weight)
        self._start: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Keep the weights at the start."""
        self._start = {name: one.detach().clone() for name, one in run.weights.items()}

    def loss(self, run: Run) -> Tensor:
        """Return the penalty."""
        squares = [(one - self._start[name]).square().sum() for name, one in run.weights.items()]
        return self._weight / 2 * torch.stack(squares).sum()


@dataclass(slots=True)
class _Anchor:
    start: dict[str, Tensor] = field(default_factory=dict)
    fisher: dict[str, Tensor] = field(default_factory=dict)


class EWC(Method):
    """Elastic weight consolidation (Kirkpatrick et al. 2017): l/2 * sum F_i (w_i - w0_i)^2.

    F is the diagonal of the empirical Fisher information at the start: the mean over old rows of the squared gradient
    of each row's loss. An adapter that begins at the base has B = 0, so that F of its A is 0: use it with a parent.

    Args:
        rows: of earlier rounds.
        weight: l.
        most: rows that F is measured on.
    """

    name = "ewc"

    def __init__(
        self, rows: Sequence[TrainingRow], *, weight: float = 100.0, most: int = 64
    ) -> None:
        self._rows = trained(rows, "EWC")[:most]
        self._weight, self._anchor = positive(weight), _Anchor()

    @property
    def fisher(self) -> Mapping[str, Tensor]:
        """The diagonal, by the names of weights; after `prepare`."""
        return self._anchor.fisher

    def prepare(self, run: Run) -> None:
        """Measure F, and keep the weights at the start."""
        self._anchor.start = {name: one.detach().clone() for name, one in run.weights.items()}
        sums = {name: torch.zeros_like(one) for name, one in run.weights.items()}
        for row in self._rows:
            grads = torch.autograd.grad(run.loss_on([row]), list(run.weights.values()))
            for name, grad in zip(run.weights, grads, strict=True):
                sums[name] += grad.square()
        self._anchor.fisher = {name: one / len(self._rows) for name, one in sums.items()}

    def loss(self, run: Run) -> Tensor:
        """Return the penalty."""
        start, fisher = self._anchor.start, self._anchor.fisher
        terms = [
            (fisher[name] * (one - start[name]).square()).sum() for name, one in run.weights.items()
        ]
        return self._weight / 2 * torch.stack(terms).sum()


def drawn(rows: Sequence[TrainingRow], count: int, step: int) -> list[TrainingRow]:
    """Return some rows of earlier rounds for a step; the same ones for the same step."""
    return Random(f"drawn {step}").sample(rows, min(count, len(rows)))


def trained(rows: Sequence[TrainingRow], whose: str) -> list[TrainingRow]:
    """Return the rows that are learned, for a method that cannot do without. Raises InvalidInput."""
    found = [row for row in rows if row.split == "train"]
    if not found:
        raise InvalidInput(
            f"{whose} needs rows of an earlier round to measure what matters to them"
        )
    return found


def positive(weight: float) -> float:
    """Return a weight of a penalty. Raises InvalidInput if it is below 0."""
    if not weight >= 0:
        raise InvalidInput(f"a penalty weighs from 0 on, and not {weight}")
    return weight
