"""The gate, asked of the server that will serve the adapter: what counts is what users get.

A server tells answers and the log-probabilities of given tokens. It does not tell the whole distribution, so the
divergence from the base is measured in the trainer's process alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.consolidation.base import encode, load_tokenizer
from agentcl.consolidation.bounds import old_measures
from agentcl.consolidation.general import GENERAL, SAID, Probe, is_said
from agentcl.consolidation.rows.building import ROWS, Part, TrainingRow, load, old_rows
from agentcl.consolidation.serving import AdapterServer

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.store.adapters import Adapter

_AT_ONCE: Final = 8  # requests
_SURE: Final = math.log(0.5)


def measure_served(
    server: AdapterServer,
    memory: Memory,
    held: Adapter,
    *,
    base: Path,
    forgotten: Sequence[Probe] = (),
    stable: Path | None = None,
    still: Collection[str] = (),
) -> dict[str, Any]:
    """Load an adapter that is trained, ask the server what the gate asks, and unload it.

    Args:
        server: that will serve it.
        memory: that the adapters are of.
        held: the adapter; its rows and probes are in its folder.
        base: the folder of the frozen model, for its tokenizer.
        forgotten: what must not be known.
        stable: the folder of the adapter that answers now; loaded if it is not.
        still: ids of the records of that one which are as it learned them.

    Returns:
        Measures by their names in `AdapterMeasures`.

    Raises:
        InvalidInput: if the server refuses the adapter, for example for its rank.
        ModelChanged: if another base is served, or what is served is not what was trained.
        ModelUnavailable: if the server cannot be asked.
    """
    folder = memory.adapters.folder(held.name).resolve()
    rows = [row for row in load(folder / ROWS) if row.split == "held"]
    with server.trying(held, folder) as tried, ThreadPoolExecutor(_AT_ONCE) as threads:
        asking = _Asking(server, load_tokenizer(base), threads)
        own, bare = held.name, tried.served.base
        found: dict[str, Any] = {
            "recall": asking.share(own, rows, "recall"),
            "recall_base": asking.share(bare, rows, "recall"),
            "verbatim": asking.verbatim(own, rows),
            "general": asking.knows(own, GENERAL),
            "general_base": asking.knows(bare, GENERAL),
            "context": asking.share(own, rows, "context"),
            "context_base": asking.share(bare, rows, "context"),
            "unknown": asking.share(own, rows, "unknown"),
            "is_base_off_exact": tried.is_base_off_exact,
            "is_different": True,  # else `trying` had refused it
        }
        if forgotten:
            found["forgotten"] = asking.knows(own, forgotten)
            found["forgotten_base"] = asking.knows(bare, forgotten)
        if stable is not None and (old := old_rows(stable, still)):
            if stable.name not in server.names():
                server.load(memory, stable.name)
            found |= old_measures(asking.right(stable.name, old), asking.right(own, old))
    return found


class _Asking:
    """A server that is asked several things at once."""

    def __init__(self, server: AdapterServer, tokenizer: Any, threads: ThreadPoolExecutor) -> None:  # noqa: ANN401
        self._server, self._tokenizer, self._threads = server, tokenizer, threads

    def right(self, model: str, rows: Sequence[TrainingRow]) -> list[bool]:
        """Return which rows a model answers, greedily."""
        said = self._threads.map(
            lambda row: self._server.said(model, row.prompt, most_tokens=SAID), rows
        )
        return [is_said(row.answer, one) for row, one in zip(rows, said, strict=True)]

    def share(self, model: str, rows: Sequence[TrainingRow], part: Part) -> float:
        """Return which share of the rows of a kind is answered."""
        right = self.right(model, [row for row in rows if row.part == part])
        return sum(right) / len(right) if right else 0.0

    def verbatim(self, model: str, rows: Sequence[TrainingRow]) -> float:
        """Return which share of the answers has each token with a probability above a half."""
        asked = [row for row in rows if row.part == "recall"]
        scores = self._scores(model, [(row.prompt, row.answer) for row in asked])
        sure = [min(one) > _SURE for one in scores]
        return sum(sure) / len(sure) if sure else 0.0

    def knows(self, model: str, probes: Sequence[Probe]) -> float:
        """Return how often the answer is more probable, a token, than each other one."""
        pairs = [(one.prompt, text) for one in probes for text in (one.answer, *one.others)]
        # Without the end of the turn, as in the trainer's process.
        means = iter([sum(one[:-1]) / (len(one) - 1) for one in self._scores(model, pairs)])
        right = 0
        for one in probes:
            own, others = next(means), [next(means) for _ in one.others]
            right += own > max(others)
        return right / len(probes)

    def _scores(self, model: str, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, ...]]:
        found = []
        for pair in pairs:
            one = encode(self._tokenizer, TrainingRow((), "recall", "held", *pair))
            found.append(self._server.scores(model, one.prompt, one.answer))
        return found
