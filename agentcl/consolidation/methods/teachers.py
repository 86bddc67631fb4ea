"""Methods that compare with the model as it was: its answers, its states, and a last lesson on old rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentcl.consolidation.methods.hooks import Method, Run, drawn, positive, trained
from agentcl.consolidation.rows.building import TrainingRow
from agentcl.errors import InvalidInput, needs

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch
    from torch.nn import functional


class EarlierSelf(Method):
    """Distillation from the model at the start (Li and Hoiem 2017, learning without forgetting), on old rows.

    Added is weight * KL(start || now), mean over the tokens of their answers, at a temperature of 1.

    Args:
        rows: of earlier rounds.
        weight: of the term.
        batch: rows of a step.
        most: rows whose answers by the start are kept, tokens times vocabulary numbers each.
    """

    name = "earlier"

    def __init__(
        self, rows: Sequence[TrainingRow], *, weight: float = 1.0, batch: int = 4, most: int = 32
    ) -> None:
        self._rows = trained(rows, "distillation")[:most]
        self._weight, self._batch = positive(weight), batch
        self._wanted: dict[TrainingRow, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Keep what the start says to each row."""
        with torch.no_grad():
            self._wanted = {row: run.logits_on([row]) for row in self._rows}

    def loss(self, run: Run) -> Tensor:
        """Return the term."""
        parts = []
        for row in drawn(self._rows, self._batch, run.step):
            before = functional.log_softmax(self._wanted[row], dim=-1)
            now = functional.log_softmax(run.logits_on([row]), dim=-1)
            parts.append((before.exp() * (before - now)).sum(-1))
        return self._weight * torch.cat(parts).mean()


class GeneralStates(Method):
    """GeRe's term (Zhang et al. 2025): on general rows the last layer's states stay on their side of two thresholds.

    The thresholds are mean +- k * deviation of all states of the start on all rows. A state that was above the upper
    one is wanted above it, one below the lower one below it, one between them between them. Added is weight * the mean
    of by how much they miss.

    Args:
        rows: general ones, or of earlier rounds.
        weight: of the term.
        spread: k.
        batch: rows of a step.
        most: rows whose states at the start are kept.
    """

    name = "general"

    def __init__(
        self,
        rows: Sequence[TrainingRow],
        *,
        weight: float = 1.0,
        spread: float = 1.0,
        batch: int = 4,
        most: int = 256,
    ) -> None:
        self._rows = trained(rows, "the term on general states")[:most]
        self._weight, self._spread, self._batch = positive(weight), positive(spread), batch
        self._was: dict[TrainingRow, Tensor] = {}
        self._low = self._high = 0.0

    def prepare(self, run: Run) -> None:
        """Keep the states of the start, and the thresholds."""
        with torch.no_grad():
            self._was = {row: run.states_on([row]) for row in self._rows}
        every = torch.cat(list(self._was.values()))
        middle, width = float(every.mean()), self._spread * float(every.std())
        self._low, self._high = middle - width, middle + width

    def loss(self, run: Run) -> Tensor:
        """Return the term."""
        parts = [
            margin_loss(self._was[row], run.states_on([row]), self._low, self._high).flatten()
            for row in drawn(self._rows, self._batch, run.step)
        ]
        return self._weight * torch.cat(parts).mean()


def margin_loss(was: Tensor, now: Tensor, low: float, high: float) -> Tensor:
    """Return by how much each state misses the side of two thresholds that it was on."""
    over, under = functional.relu(now - high), functional.relu(low - now)
    is_high, is_low = was > high, was < low
    between = over + under
    return torch.where(
        is_high,
        functional.relu(high - now),
        torch.where(is_low, functional.relu(now - low), between),
    )


class SelectedLayers(Method):
    """FPF (Zhao et al. 2023): after the plain steps the parameters that forget most are tuned on old rows, alone.

    In the paper these are found by their sensitivity, in networks for pictures. Here they are named: by default the
    last layers, as the paper found for theirs.

    Args:
        rows: of earlier rounds.
        steps: on them, in the end.
        layers: the last so many transformer layers.
        learning_rate: of these steps.
        batch: rows of a step.
    """

    name = "selected"

    def __init__(
        self,
        rows: Sequence[TrainingRow],
        *,
        steps: int = 10,
        layers: int = 2,
        learning_rate: float = 1e-3,
        batch: int = 4,
    ) -> None:
        if steps < 0 or layers < 1 or batch < 1:
            raise InvalidInput(
                f"{steps} steps on {batch} rows in {layers} layers: steps begin at 0, the others at 1"
            )
        self._rows = trained(rows, "tuning on old rows")
        self._steps, self._layers, self._batch = steps, layers, batch
        self._rate = positive(learning_rate)

    def finish(self, run: Run) -> None:
        """Tune the last layers on old rows."""
        chosen = last_layers(list(run.weights), self._layers)
        weights = [run.weights[name] for name in chosen]
        optimizer = torch.optim.AdamW(weights, lr=self._rate, weight_decay=0.0)
        for step in range(self._steps):
            run.step += 1
            grads = torch.autograd.grad(run.loss_on(drawn(self._rows, self._batch, step)), weights)
            for one, grad in zip(weights, grads, strict=True):
                one.grad = grad
            optimizer.step()


def last_layers(names: Sequence[str], count: int) -> list[str]:
    """Return the names of weights in the last transformer layers; all, where none is in a layer."""
    layer = {
        name: int(found[1]) for name in names if (found := re.search(r"\.layers\.(\d+)\.", name))
    }
    kept = sorted(set(layer.values()))[-count:]
    return [name for name in names if layer.get(name, -1) in kept] or list(names)
