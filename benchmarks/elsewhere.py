"""Is an agent with guidance anywhere worse than one without?

    python benchmarks/elsewhere.py [--seeds 5] [--episodes 40] [--workers 2] [--only babyai,needs] [--url URL]

The frozen reference model plays what it was not made for: BabyAI's levels and generated TextWorld games, told in words that it
never met, and the other families of incidents. It learns from its own episodes, with every part of the method, or
remembers nothing. Where a model can make nothing of a world there is nothing to learn, and the question is whether what it
believes to have learned does harm. The engines are extras of their names.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from results import FOLDER, machine, save, table
from runs import finished

from agentcl.bench.folder import RunFolder
from agentcl.bench.metrics.intervals import student_interval
from agentcl.bench.rows import Row

ARMS: Final = ("none", "guidance")
WORLDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "needs": {"world": "incidents", "families": ["needs"]},
    "diagnose": {"world": "incidents", "families": ["diagnose"]},
    "control": {"world": "incidents", "families": ["control"]},
    # Long episodes: few of them.
    "babyai": {"world": "babyai", "families": ["GoToLocal"], "episodes": 10},
    "textworld": {"world": "textworld", "episodes": 10},
}


def main() -> None:
    """Measure and save; what was measured already is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=40, help="of incidents")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--only", help=f"some of {','.join(WORLDS)}")
    parser.add_argument("--url", default="", help="of an endpoint that serves the reference model")
    asked = parser.parse_args()
    path = FOLDER / "elsewhere.json"
    result: dict[str, Any] = (
        json.loads(path.read_text("utf-8")) if path.exists() else {"worlds": {}}
    )
    result["machine"] = machine("minigrid", "textworld")
    for name in (asked.only or ",".join(WORLDS)).split(","):
        folder = finished(
            f"elsewhere-{name}",
            {
                "seeds": list(range(asked.seeds)),
                "workers": asked.workers,
                "tasks": {"episodes": asked.episodes, **WORLDS[name]},
                "agent": {"url": asked.url},
                "memory": {"arms": list(ARMS), "encoder": "hashing"},
            },
        )
        result["worlds"][name] = _measured(folder)
    _show(result["worlds"])
    save("elsewhere", result)


def _measured(folder: RunFolder) -> dict[str, Any]:
    none, guided = (list(folder.rows(arm)) for arm in ARMS)
    return {
        "model": folder.about["model"],
        "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
        "episodes": len(none),
        "failed": sum(row.score is None for row in (*none, *guided)),
        "score": {arm: _mean(rows, _score) for arm, rows in zip(ARMS, (none, guided), strict=True)},
        "success": {
            arm: _mean(rows, _success) for arm, rows in zip(ARMS, (none, guided), strict=True)
        },
        "gain in score": _gain(none, guided, _score),
        "gain in success": _gain(none, guided, _success),
        "lessons shown": statistics.fmean(len(row.shown) for row in guided),
    }


def _score(row: Row) -> float:
    return row.score or 0.0


def _success(row: Row) -> float:
    return float(bool(row.is_success))


def _mean(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    return statistics.fmean(map(value, rows))


def _gain(
    none: Sequence[Row], guided: Sequence[Row], value: Callable[[Row], float]
) -> list[float] | None:
    """Return the paired difference with its 95 % interval over seeds."""
    by_task = {(row.seed, row.number): row for row in none}
    found = student_interval(
        [value(row) for row in guided],
        [value(by_task[row.seed, row.number]) for row in guided],
        clusters=[row.seed for row in guided],
    )
    return None if found is None else [found.estimate, found.low, found.high]


def _show(worlds: Mapping[str, Mapping[str, Any]]) -> None:
    def cells(name: str, found: Mapping[str, Any]) -> list[str]:
        gain = found["gain in score"]
        return [
            name,
            str(found["episodes"]),
            *(f"{found['score'][arm]:.3f}" for arm in ARMS),
            "" if gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*gain),
            f"{found['lessons shown']:.1f}",
            str(found["failed"]),
        ]

    table(
        ["world", "episodes", *ARMS, "gain", "lessons shown", "failed"],
        [cells(name, found) for name, found in worlds.items()],
    )


if __name__ == "__main__":
    main()
