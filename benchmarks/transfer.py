"""Does what was learned carry over, is it kept, and which part of the method pays?

    python benchmarks/transfer.py [--seeds 5] [--workers 2] [--only adapt,gen-env] [--agent responder]

CLIN's settings (Majumder et al. 2023) in incidents, with the frozen reference model:

- `adapt`: the tasks of one deployment, in three trials.
- `gen-env`: four deployments of an estate are learned from, then first attempts in a fifth one, with a frozen
  memory. A third of what is tried there is not as in the others, and nothing tells which.
- `gen-task`: the family `remedy` is learned, then first attempts at `diagnose` in the same deployment, with a
  frozen memory.
- `revisited`: five deployments of different estates, visited twice one after the other (A B C D E A B C D E). Kept
  is the share solved of the first episodes of the second visit, less that of the last ones of the first.
- `ablations`: the guidance baseline without one part of the method each, over deployments of one estate that are
  visited one after the other, their rules changing in each; and as `gen-env`.

An episode is solved if it has the score 1.0: the alert cleared without a wasted step.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from parts.results import FOLDER, machine, save, table
from parts.runs import finished, over_seeds

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.writing import write_report
from agentcl.bench.rows import ResultRow
from agentcl.envs.domains.incidents.domain import IncidentDomain, draw_incident
from agentcl.guidance.rules import GuidanceRules

BASELINES: Final = ("none", "transcripts-5", "episodes", "notes-3", "ours", "guidance", "oracle")
ABLATIONS: Final = (
    "none",
    "guidance",
    *(f"guidance-no-{part.name}" for part in fields(GuidanceRules)),
)
ENDS: Final = (
    9  # first and last episodes of a visit that are compared; a deployment has nine situations
)
ESTATE: Final = {"domain": "incidents", "options": {"estates": "10"}, "families": ["remedy"]}
PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "adapt": {
        "baselines": BASELINES,
        "tasks": {"domain": "incidents", "families": ["remedy"], "stream": "adapt", "episodes": 18, "trials": 3},
    },
    "gen-env": {
        "baselines": BASELINES,
        "tasks": {**ESTATE, "stream": "gen-env", "split": "train", "episodes": 30, "places": 4, "test_episodes": 9},
    },
    "gen-task": {
        "baselines": BASELINES,
        "tasks": {"domain": "incidents", "families": ["remedy", "diagnose"], "stream": "gen-task",
                  "episodes": 60, "test_episodes": 9},
    },
    "revisited": {
        "baselines": BASELINES,
        "tasks": {"domain": "incidents", "families": ["remedy"], "stream": "revisited", "episodes": 27, "places": 5},
    },
    "ablations": {
        "baselines": ABLATIONS,
        "tasks": {"domain": "incidents", "families": ["remedy"], "stream": "changing", "episodes": 100},
    },
    "ablations-gen-env": {
        "baselines": ABLATIONS,
        "tasks": {**ESTATE, "stream": "gen-env", "split": "train", "episodes": 30, "places": 4, "test_episodes": 9},
    },
}  # fmt: skip


def main() -> None:
    """Measure and save; what was measured already is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--agent", choices=("model", "responder"), default="model")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    asked = parser.parse_args()
    name = "transfer" if asked.agent == "model" else f"transfer_{asked.agent}"
    path = FOLDER / f"{name}.json"
    result: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"parts": {}}
    result["machine"] = machine("torch", "transformers")
    for part in (asked.only or ",".join(PARTS)).split(","):
        folder = finished(
            f"transfer-{asked.agent}-{part}",
            {
                "seeds": list(range(asked.seeds)),
                "workers": asked.workers,
                "tasks": dict(PARTS[part]["tasks"]),
                "agent": {"name": asked.agent},
                "memory": {"baselines": list(PARTS[part]["baselines"]), "encoder": "hashing"},
            },
        )
        result["parts"][part] = found = _measured(part, folder)
        _show(part, found)
        write_report(folder)
    save(name, result)


def _measured(part: str, folder: RunFolder) -> dict[str, Any]:
    rows = {baseline: list(folder.rows(baseline)) for baseline in folder.settings.memory.baselines}
    counted = _COUNTED.get(part, _every)
    none = {(row.seed, row.number): row for row in rows["none"]}
    found: dict[str, Any] = {
        "model": folder.about["model"],
        "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
        "seeds": len(folder.settings.seeds),
        "baselines": {},
    }
    for baseline, its in rows.items():
        chosen = [row for row in its if counted(row)]
        pairs = [(row, none[row.seed, row.number]) for row in chosen]
        found["baselines"][baseline] = {
            "episodes": len(chosen),
            "solved": statistics.fmean(_is_solved(row) for row in chosen),
            "score": statistics.fmean(_true(row) for row in chosen),
            "gain in solved": None if baseline == "none" else _interval(pairs, _is_solved),
            "gain in score": None if baseline == "none" else _interval(pairs, _true),
            "by phase": _by_phase(its),
        }
        if part == "revisited":
            found["baselines"][baseline]["kept"] = _kept(its)
        if part == "gen-task":
            found["baselines"][baseline]["solved by sign"] = _by_sign(chosen)
    return found


def _every(row: ResultRow) -> bool:
    return True


# Where only some episodes count; elsewhere all do.
_COUNTED: Final[Mapping[str, Callable[[ResultRow], bool]]] = {
    "adapt": lambda row: row.phase != "trial 1",
    "gen-env": lambda row: row.phase == "held-out",
    "gen-task": lambda row: row.phase == "held-out",
    "ablations-gen-env": lambda row: row.phase == "held-out",
}


def _is_solved(row: ResultRow) -> float:
    return float(row.raw == 1)


def _true(row: ResultRow) -> float:
    return float(row.raw or 0.0)


def _by_phase(rows: Sequence[ResultRow]) -> dict[str, float]:
    phases: dict[str, list[float]] = {}
    for row in rows:
        phases.setdefault(row.phase, []).append(_is_solved(row))
    return {phase: statistics.fmean(solved) for phase, solved in phases.items()}


def _by_sign(rows: Sequence[ResultRow]) -> dict[str, list[int]]:
    """Return how many episodes were solved, and of how many, whose sign is a state, or an alert with a made-up name."""
    tasks = {task.id: task for task in IncidentDomain().tasks("test", family="diagnose")}
    counts = {"state": [0, 0], "name": [0, 0]}
    for row in rows:
        sign = draw_incident(tasks[row.task], row.episode_seed).sign
        count = counts["name" if sign.startswith("raises ") else "state"]
        count[0] += row.raw == 1
        count[1] += 1
    return counts


def _kept(rows: Sequence[ResultRow]) -> list[float] | None:
    """Return what a second visit's first episodes have over the first visit's last, over places and seeds."""
    lives: dict[tuple[int, str, str], list[float]] = {}
    for row in rows:
        visit, _, place = row.phase.partition(", ")
        lives.setdefault((row.seed, place, visit), []).append(_is_solved(row))
    gains, seeds = [], []
    for (seed, place, visit), solved in lives.items():
        if visit == "visit 1":
            again = lives[seed, place, "visit 2"]
            gains.append(statistics.fmean(again[:ENDS]) - statistics.fmean(solved[-ENDS:]))
            seeds.append(seed)
    return over_seeds(gains, [0.0] * len(gains), seeds)


def _interval(
    pairs: Sequence[tuple[ResultRow, ResultRow]], value: Callable[[ResultRow], float]
) -> list[float] | None:
    return over_seeds(
        [value(ours) for ours, _ in pairs],
        [value(theirs) for _, theirs in pairs],
        [ours.seed for ours, _ in pairs],
    )


def _show(part: str, found: Mapping[str, Any]) -> None:
    frozen = "" if found["is_frozen"] else ", NOT FROZEN"
    print(f"\n{part}: {found['model']}, {found['seeds']} seeds{frozen}")
    table(
        ["baseline", "episodes", "solved", "score", "solved against none", "score against none", "kept"],
        [
            [baseline, str(row["episodes"]), f"{row['solved']:.3f}", f"{row['score']:.3f}",
             _shown(row["gain in solved"]), _shown(row["gain in score"]), _shown(row.get("kept"))]
            for baseline, row in found["baselines"].items()
        ],
    )  # fmt: skip


def _shown(interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    return f"{interval[0]:+.3f} [{interval[1]:+.3f}, {interval[2]:+.3f}]"


if __name__ == "__main__":
    main()
