"""Is an agent with guidance anywhere worse than one without?

    python benchmarks/elsewhere.py [--seeds 5] [--episodes 40] [--workers 2] [--only needs,control] [--url URL]

The frozen reference model plays what `guidance.py` leaves out: the other families of incidents, of which `needs` and
`diagnose` are like its training, and in `control` nothing can be learned. It learns from its own episodes, with every part
of the method, or remembers nothing. Worlds in other words are left out: in BabyAI the model says nothing that is an action.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from typing import Any, Final

from results import FOLDER, machine, save, table
from runs import finished, over_seeds

from agentcl.bench.folder import RunFolder

ARMS: Final = ("none", "guidance")
FAMILIES: Final = ("needs", "diagnose", "control")


def main() -> None:
    """Measure and save; what was measured already is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=40, help="of a seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--only", help=f"some of {','.join(FAMILIES)}")
    parser.add_argument("--url", default="", help="of an endpoint that serves the reference model")
    asked = parser.parse_args()
    path = FOLDER / "elsewhere.json"
    result: dict[str, Any] = (
        json.loads(path.read_text("utf-8")) if path.exists() else {"worlds": {}}
    )
    result["machine"] = machine()
    for name in (asked.only or ",".join(FAMILIES)).split(","):
        folder = finished(
            f"elsewhere-{name}",
            {
                "seeds": list(range(asked.seeds)),
                "workers": asked.workers,
                "tasks": {"world": "incidents", "families": [name], "episodes": asked.episodes},
                "agent": {"url": asked.url},
                "memory": {"arms": list(ARMS), "encoder": "hashing"},
            },
        )
        result["worlds"][name] = _measured(folder)
    _show(result["worlds"])
    save("elsewhere", result)


def _measured(folder: RunFolder) -> dict[str, Any]:
    none, guided = (list(folder.rows(arm)) for arm in ARMS)
    beside = {(row.seed, row.number): row.score for row in none}
    pairs = [(row, row.score, beside[row.seed, row.number]) for row in guided]
    # An episode that failed has no score, which is not a score of zero.
    scored = [
        (row, ours, theirs) for row, ours, theirs in pairs if not (ours is None or theirs is None)
    ]
    ours, theirs = [ours for _, ours, _ in scored], [theirs for *_, theirs in scored]
    return {
        "model": folder.about["model"],
        "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
        "episodes": len(pairs),
        "failed": len(pairs) - len(scored),
        "score": {"none": statistics.fmean(theirs), "guidance": statistics.fmean(ours)},
        "gain in score": over_seeds(ours, theirs, [row.seed for row, *_ in scored]),
        "lessons shown": statistics.fmean(len(row.shown) for row in guided),
    }


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
