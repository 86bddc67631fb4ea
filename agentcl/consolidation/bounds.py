"""When an adapter passes its gate: decided from measurements alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from agentcl.errors import InvalidInput

_ONE_SIDED: Final = 1.645  # deviations below the mean, under which 5 % of a normal distribution lie


@dataclass(frozen=True, slots=True)
class GateBounds:
    """What an adapter must reach. Shares are from 0 to 1."""

    recall: float = 0.9  # of held-out wordings that are answered
    general_loss: float = (
        0.01  # of general questions, more than which may not be lost against the base
    )
    divergence: float = (
        0.5  # nats per token on general questions, from the base: mean KL(adapter || base)
    )
    context: float = 0.95  # of newer memories in the prompt that win; or as many as with the base
    forgotten: float = 0.1  # more than the base, of what must not be known
    old_loss: float = 0.1  # of what the stable adapter can do, against it: the lower bound

    def __post_init__(self) -> None:
        """Refuse a bound that means nothing. Raises InvalidInput."""
        for name, value in asdict(self).items():
            if not 0 <= value <= (1 if name != "divergence" else float("inf")):
                raise InvalidInput(f"the bound {name} is from 0 to 1, and not {value}")


@dataclass(frozen=True, slots=True)
class AdapterMeasures:
    """What was measured of an adapter and of its base, with the same prompts, greedily."""

    recall: float  # share of held-out wordings answered with the adapter ...
    recall_base: float  # ... and without it
    verbatim: float  # of these, how many have each token of the answer with a probability above 0.5
    general: float  # share of general questions whose right answer is the more probable one
    general_base: float
    divergence: float  # nats per token
    context: float  # share of newer memories that win
    context_base: float
    unknown: float  # share of questions about nobody that are answered so; told, and no bound
    is_base_off_exact: bool  # switched off, the logits are the base's, bit by bit
    is_different: bool  # switched on, they are not
    forgotten: float | None = (
        None  # share of what must not be known that is the most probable answer
    )
    forgotten_base: float | None = None
    old: float | None = None  # share answered of what the stable adapter is asked by ...
    old_stable: float | None = None  # ... and by that itself
    old_low: float | None = None  # lower bound (95 %) of the paired difference
    items: Mapping[str, int] | None = None  # how many were measured of each


def judge(
    measured: AdapterMeasures, bounds: GateBounds, *, served: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Return the report of a gate, as it stands in the adapter's record.

    `is_passed` says whether nothing failed; `failed` names what did. What was not measured does not pass.

    Args:
        measured: what was measured in the trainer's process.
        bounds: what has to be reached.
        served: what a server that serves the adapter was asked for, by the names of measures: it counts in their place.
    """
    asked = dict(served or {})
    measured = replace(measured, **asked)
    has_items = measured.items or {}
    checks = {
        "recall": has_items.get("recall", 0) > 0 and measured.recall >= bounds.recall,
        "general": measured.general >= measured.general_base - bounds.general_loss,
        "divergence": measured.divergence <= bounds.divergence,
        "context": has_items.get("context", 0) == 0
        or measured.context >= min(bounds.context, measured.context_base),
        "base off": measured.is_base_off_exact,
        "different": measured.is_different,
    }
    if measured.forgotten is not None and measured.forgotten_base is not None:
        checks["forgotten"] = measured.forgotten <= measured.forgotten_base + bounds.forgotten
    if measured.old_low is not None:
        checks["old"] = measured.old_low >= -bounds.old_loss
    # A comparison with NaN is false: what a broken model gives does not pass.
    failed = [name for name, is_held in checks.items() if not is_held]
    return {
        "is_passed": not failed,
        "failed": failed,
        "measured": {name: _finite(value) for name, value in asdict(measured).items()},
        "bounds": asdict(bounds),
        "engine": "transformers",
        # What the engine that serves was asked, and so is not the trainer's own word.
        "served": sorted(asked),
    }


def old_measures(stable: Sequence[bool], adapter: Sequence[bool]) -> dict[str, float]:
    """Return the measures of what two adapters answered of the same questions, one at least.

    The lower bound is that of the mean of what is gained, by a normal distribution.
    """
    gains = [int(b) - int(a) for a, b in zip(stable, adapter, strict=True)]
    mean = sum(gains) / len(gains)
    variance = sum((one - mean) ** 2 for one in gains) / max(1, len(gains) - 1)
    return {
        "old": sum(adapter) / len(adapter),
        "old_stable": sum(stable) / len(stable),
        "old_low": mean - _ONE_SIDED * math.sqrt(variance / len(gains)),
    }


def _finite(value: Any) -> Any:  # noqa: ANN401  # a measurement
    """Return a value as a record can keep it: JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
