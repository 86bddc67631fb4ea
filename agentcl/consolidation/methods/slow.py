"""Methods that hold weights back: a slow copy, a mean of before and after, steps of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agentcl.consolidation.methods.hooks import Method, Run, drawn, positive
from agentcl.consolidation.rows.building import TrainingRow
from agentcl.errors import InvalidInput, needs

if TYPE_CHECKING:
    from torch import Tensor

with needs("training adapters", "train"):
    import torch


class SlowCopy(Method):
    """I-LoRA's slow copy (Ren et al. 2024): slow <- d * slow + (1 - d) * fast after each step; the slow one is kept.

    With rows of earlier rounds a consistency term is added, as in the paper: weight * the mean squared difference of
    the last layer's states, fast and slow, on the answers of some of them. Without rows it is the offline module of LAE
    (Gao et al. 2023), an exponential mean of the weights.

    Args:
        rows: of earlier rounds; may be empty.
        decay: d, from 0 to below 1.
        weight: of the consistency term.
        batch: old rows of a step.
    """

    name = "slow"

    def __init__(
        self,
        rows: Sequence[TrainingRow] = (),
        *,
        decay: float = 0.99,
        weight: float = 1.0,
        batch: int = 4,
    ) -> None:
        self._decay = _share(decay, "a decay")
        self._rows = [row for row in rows if row.split == "train"]
        self._weight, self._batch = positive(weight), batch
        self._slow: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Begin the slow copy at the start."""
        self._slow = _copied(run)

    def loss(self, run: Run) -> Tensor | None:
        """Return the consistency term; None without old rows."""
        if not self._rows:
            return None
        rows = drawn(self._rows, self._batch, run.step)
        with _exchanged(run, self._slow), torch.no_grad():
            wanted = run.states_on(rows)
        return self._weight * (run.states_on(rows) - wanted).square().mean()

    def after_step(self, run: Run) -> None:
        """Move the slow copy a little."""
        for name, one in run.weights.items():
            self._slow[name].mul_(self._decay).add_(one.detach(), alpha=1 - self._decay)

    def finish(self, run: Run) -> None:
        """Keep the slow copy."""
        _set(run, self._slow)

    def state(self) -> Mapping[str, Any]:
        """Return the slow copy."""
        return self._slow

    def restore(self, held: Mapping[str, Any]) -> None:
        """Take over a slow copy."""
        self._slow = dict(held)


class Interpolation(Method):
    """Momentum interpolation of weights (Wortsman et al. 2022, WiSE-FT): w <- (1 - a) * w0 + a * w in the end.

    Args:
        share: a, from 0 to 1: how much of what was learned stays.
    """

    name = "interpolation"

    def __init__(self, *, share: float = 0.5) -> None:
        if not 0 <= share <= 1:
            raise InvalidInput(f"a share of what was learned is from 0 to 1, and not {share}")
        self._kept = share
        self._start: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Keep the weights at the start."""
        self._start = _copied(run)

    def finish(self, run: Run) -> None:
        """Go back a part of the way."""
        _set(run, _between(self._start, run, self._kept))


class Reptile(Method):
    """MER's outer step (Riemer et al. 2019, by Reptile): after every k steps w <- w' + b * (w - w').

    w' are the weights k steps before. MER mixes old rows in: use it with `ExperienceReplay`.

    Args:
        every: k.
        rate: b, from 0 to 1.
    """

    name = "reptile"

    def __init__(self, *, every: int = 10, rate: float = 0.3) -> None:
        if every < 1 or not 0 <= rate <= 1:
            raise InvalidInput(
                f"Reptile steps after 1 or more steps, at a rate from 0 to 1; not {every} and {rate}"
            )
        self._every, self._rate = every, rate
        self._start: dict[str, Tensor] = {}

    def prepare(self, run: Run) -> None:
        """Keep the weights at the start."""
        self._start = _copied(run)

    def after_step(self, run: Run) -> None:
        """Go back a part of the way that the last steps took."""
        if (run.step + 1) % self._every == 0:
            _set(run, _between(self._start, run, self._rate))
            self._start = _copied(run)

    def state(self) -> Mapping[str, Any]:
        """Return the weights at the last outer step."""
        return self._start

    def restore(self, held: Mapping[str, Any]) -> None:
        """Take over such weights."""
        self._start = dict(held)


def _share(value: float, what: str) -> float:
    if not 0 <= value < 1:
        raise InvalidInput(f"{what} is from 0 to below 1, and not {value}")
    return value


def _copied(run: Run) -> dict[str, Tensor]:
    return {name: one.detach().clone() for name, one in run.weights.items()}


def _between(start: Mapping[str, Tensor], run: Run, share: float) -> dict[str, Tensor]:
    return {
        name: start[name] + share * (one.detach() - start[name])
        for name, one in run.weights.items()
    }


def _set(run: Run, wanted: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, one in run.weights.items():
            one.copy_(wanted[name])


@contextmanager
def _exchanged(run: Run, other: Mapping[str, Tensor]) -> Iterator[None]:
    """Let other weights stand in the model for a moment. The storage is exchanged, so that no gradient notices."""
    own = {name: one.data for name, one in run.weights.items()}
    try:
        for name, one in run.weights.items():
            one.data = other[name]
        yield
    finally:
        for name, one in run.weights.items():
            one.data = own[name]
