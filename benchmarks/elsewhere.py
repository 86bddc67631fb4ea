"""Does guidance pay in other kinds of tasks too, or is it anywhere worse than nothing?

    python benchmarks/elsewhere.py [--seeds 5] [--episodes 40] [--workers 2] [--only needs] [--url URL]

The frozen reference model plays the families of incidents that `guidance.py` leaves out, beside the same memories as
there. Domains that are told in other words than the model was trained on are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from parts.results import FOLDER, machine, save, table
from parts.runs import finished, over_seeds

from agentcl.bench.folder import RunFolder
from agentcl.bench.rows import ResultRow

BASELINES: Final = ("none", "transcripts-5", "episodes", "notes-3", "ours", "guidance", "oracle")
FAMILIES: Final = ("needs", "diagnose")


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
        json.loads(path.read_text("utf-8")) if path.exists() else {"domains": {}}
    )
    result["machine"] = machine()
    for name in (asked.only or ",".join(FAMILIES)).split(","):
        folder = finished(
            f"elsewhere-{name}",
            {
                "seeds": list(range(asked.seeds)),
                "workers": asked.workers,
                "tasks": {"domain": "incidents", "families": [name], "episodes": asked.episodes},
                "agent": {"url": asked.url},
                "memory": {"baselines": list(BASELINES), "encoder": "hashing"},
            },
        )
        result["domains"][name] = _measured(folder)
    _show(result["domains"])
    save("elsewhere", result)


def _measured(folder: RunFolder) -> dict[str, Any]:
    none = {(row.seed, row.number): row for row in folder.rows("none")}
    return {
        "model": folder.about["model"],
        "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
        "baselines": {
            baseline: _baseline(list(folder.rows(baseline)), none) for baseline in BASELINES
        },
    }


def _baseline(
    rows: Sequence[ResultRow], none: Mapping[tuple[int, int], ResultRow]
) -> dict[str, Any]:
    # An episode that failed has no score, which is not a score of zero.
    pairs = [
        (row.score, other.score, row.seed)
        for row in rows
        if row.score is not None and (other := none[row.seed, row.number]).score is not None
    ]
    ours, theirs, seeds = zip(*pairs, strict=True)
    return {
        "episodes": len(rows),
        "failed": sum(row.score is None for row in rows),
        "score": statistics.fmean(ours),
        "gain in score": None if rows[0].baseline == "none" else over_seeds(ours, theirs, seeds),
        "tokens an episode": statistics.fmean(row.tokens for row in rows),
    }


def _show(domains: Mapping[str, Mapping[str, Any]]) -> None:
    table(
        ["domain", "memory", "episodes", "score", "against none", "tokens", "failed"],
        [
            [name, baseline, str(row["episodes"]), f"{row['score']:.3f}",
             "" if row["gain in score"] is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*row["gain in score"]),
             f"{row['tokens an episode']:,.0f}", str(row["failed"])]
            for name, found in domains.items()
            for baseline, row in found["baselines"].items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
