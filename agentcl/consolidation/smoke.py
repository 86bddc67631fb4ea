"""Probes by which a server is compared with the trainer: log-probabilities with the adapter, and with the base alone.

They lie in the adapter's folder as numbers of tokens, so that they hold what the rows hold and go with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.rows.building import TrainingRow, write
from agentcl.errors import LoadError, needs
from agentcl.text.parsing import parsed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

SMOKE: Final = "smoke.json"
_LOOKED_AT: Final = 16  # rows, of which those on which the adapter differs most are kept
_KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class SmokeProbe:
    """One answer, and the log-probability of each of its tokens, in nats."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    adapter: tuple[float, ...]
    base: tuple[float, ...]

    @property
    def difference(self) -> float:
        """How far the adapter is from its base: the mean of the absolute differences, in nats a token."""
        return distance(self.adapter, self.base)


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the mean absolute difference of two rows of log-probabilities."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def write_smoke(base: Path, adapter: Path, rows: Sequence[TrainingRow]) -> None:
    """Write the probes of an adapter into its folder: the learned rows on which it differs most from its base.

    Args:
        base: the folder of the frozen model.
        adapter: the folder of the adapter.
        rows: that it was trained on.

    Raises:
        StorageFull: if the disk is full.
    """
    with needs("training adapters", "train"):
        from peft import PeftModel
    from agentcl.consolidation.base import encode, load_base
    from agentcl.consolidation.training import log_probabilities

    model, tokenizer = load_base(base)
    tuned: Any = PeftModel.from_pretrained(model, str(adapter)).eval()
    learned = [row for row in rows if row.split == "train" and row.part != "context"]
    probes = []
    for row in learned[:_LOOKED_AT]:
        one = encode(tokenizer, row)
        own = log_probabilities(tuned, one.prompt, one.answer)
        with tuned.disable_adapter():
            alone = log_probabilities(tuned, one.prompt, one.answer)
        probes.append(SmokeProbe(one.prompt, one.answer, own, alone))
    probes.sort(key=lambda probe: -probe.difference)
    told = {"probes": [asdict(one) for one in probes[:_KEPT]]}
    write(adapter / SMOKE, json.dumps(told) + "\n")


def read_smoke(folder: Path) -> list[SmokeProbe]:
    """Read the probes of an adapter. Raises LoadError."""
    try:
        told: Mapping[str, Any] = parsed_json((folder / SMOKE).read_text("utf-8"))
        found = [
            SmokeProbe(
                tuple(one["prompt"]),
                tuple(one["answer"]),
                tuple(one["adapter"]),
                tuple(one["base"]),
            )
            for one in told["probes"]
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoadError(
            f"{folder} has no probes to compare a server with ({error}); train anew with `agentcl consolidate`"
        ) from error
    if not found:
        raise LoadError(f"{folder / SMOKE} holds no probe; train anew with `agentcl consolidate`")
    return found
