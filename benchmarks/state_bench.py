"""Are the learnings that agentcl gives an agent of STATE-Bench about what it has to do?

    python benchmarks/state_bench.py --data ../shared/data/state_bench [--encoder minilm]

The benchmark's 200 training trajectories of two domains, each left out in turn: its opening asks a memory of all others of its domain
for three learnings. No simulator, judge or model takes part, so this is no score of the benchmark. It compares the calls of the left-out
trajectory with those that the three tell, each with the arguments that are choices, such as `process_return(reason=defective)`: recall,
precision, and their harmonic mean by trajectory (F1). Recall alone would be for the longest trajectories.

All ways find trajectories, and tell the same text of each (`case_of`):

- chance: any three.
- raw, bm25 / raw, dense: search over the conversations as they were said, without the system's message and results.
- cases, bm25 / cases, dense: search over what is told of them.
- openings, bm25 / openings, dense: search over what the customers wrote first.
- agentcl: `Learnings.retrieve`, which joins the last two.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from parts.results import machine, save, table

from agentcl import Memory
from agentcl.bench import Learnings, Trajectory, learn_cases, paired_interval, read_trajectories
from agentcl.bench.state_bench.cases import case_of, telling_of
from agentcl.retrieval.modes import Mode

TOP: Final = 3
Find = Callable[
    [Trajectory], Sequence[str]
]  # tasks, best first; the left-out one may be among them


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/state_bench"))
    parser.add_argument("--encoder", default="minilm")
    asked = parser.parse_args()
    every = [one for file in sorted(asked.data.glob("*.jsonl*")) for one in read_trajectories(file)]
    if not every:
        sys.exit(f"{asked.data} has no .jsonl file")
    scores: dict[str, list[tuple[float, float]]] = {}
    for domain in dict.fromkeys(one.domain for one in every):
        for name, found in of_domain(
            [one for one in every if one.domain == domain], asked.encoder
        ).items():
            scores.setdefault(name, []).extend(found)
    ours = [2 * r * p / (r + p or 1) for r, p in scores["agentcl"]]
    rows: dict[str, dict[str, Any]] = {}
    for name, found in scores.items():
        each = [2 * r * p / (r + p or 1) for r, p in found]
        gain = paired_interval(ours, each)
        rows[name] = {
            "recall": statistics.fmean(recall for recall, _ in found),
            "precision": statistics.fmean(precision for _, precision in found),
            "F1": statistics.fmean(each),
            "agentcl, more": [gain.estimate, gain.low, gain.high] if gain else None,
        }
    table(
        ["three learnings by", "recall", "precision", "F1", "agentcl, more F1"],
        [
            [name, *(f"{100 * row[part]:.1f}" for part in ("recall", "precision", "F1")),
             "" if name == "agentcl" else "{:+.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in row["agentcl, more"]))]
            for name, row in rows.items()
        ],
    )  # fmt: skip
    save(
        "state_bench",
        {"machine": machine(), "encoder": asked.encoder, "trajectories": len(every), "rows": rows},
    )


def of_domain(every: Sequence[Trajectory], encoder: str) -> dict[str, list[tuple[float, float]]]:
    """Return, by way of finding, what each left-out trajectory's three learnings tell of it."""
    telling = telling_of(every)
    done = {one.task: calls_of(one, telling) for one in every}
    by_task = {one.task: one for one in every}
    dice = random.Random(0)
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        learned = Path(folder, "learned")
        with Memory(learned, encoder=encoder) as memory:
            learn_cases(memory, every)
        texts: dict[str, Callable[[Trajectory], str]] = {
            "raw": conversation,
            "cases": lambda one: case_of(one, telling),
        }
        for name, text in texts.items():
            with Memory(Path(folder, name), encoder=encoder) as memory:
                for one in every:
                    memory.add(text(one), uri=one.task, agent=one.domain, duplicates="keep")
        with (
            Memory(Path(folder, "raw")) as of_raw,
            Memory(Path(folder, "cases")) as of_cases,
            Memory(learned) as of_openings,
            Learnings(learned, domain=every[0].domain) as ours,
        ):
            tasks = {case_of(one, telling): one.task for one in every}
            ways: dict[str, Find] = {
                "chance": lambda one: dice.sample(sorted(by_task), TOP + 1),
                "raw, bm25": lambda one: searched(of_raw, one, "text"),
                "raw, dense": lambda one: searched(of_raw, one, "dense"),
                "cases, bm25": lambda one: searched(of_cases, one, "text"),
                "cases, dense": lambda one: searched(of_cases, one, "dense"),
                "openings, bm25": lambda one: searched(of_openings, one, "text"),
                "openings, dense": lambda one: searched(of_openings, one, "dense"),
                "agentcl": lambda one: [
                    tasks[text] for text in ours.retrieve(one.opening, TOP + 1)
                ],
            }
            for name, way in ways.items():
                for one in every:
                    near = [task for task in dict.fromkeys(way(one)) if task != one.task][:TOP]
                    told = {call for task in near for call in done[task]}
                    both = len(done[one.task] & told)
                    found.setdefault(name, []).append(
                        (both / len(done[one.task]), both / len(told))
                    )
    return found


def calls_of(one: Trajectory, telling: frozenset[tuple[str, str, str]]) -> frozenset[str]:
    """Return the calls of a trajectory, each with one argument that is a choice, or alone."""
    found = set()
    for call in one.calls:
        chosen = [(tool, name, value) for tool, name, value in telling if tool == call.name
                  and name in call.arguments and str(call.arguments[name]).lower() == value.lower()]  # fmt: skip
        found.add(call.name)
        found |= {f"{tool}({name}={value})" for tool, name, value in chosen}
    return frozenset(found)


def conversation(one: Trajectory) -> str:
    """Return what was said, without the system's message."""
    return "\n".join(
        f"{turn.role}: {turn.text}" for turn in one.turns if turn.role != "system" and turn.text
    )


def searched(memory: Memory, one: Trajectory, mode: Mode) -> list[str]:
    """Return the tasks of what a search finds."""
    hits = memory.search(one.opening, mode=mode, limit=6 * TOP, agent=one.domain).hits
    return [*dict.fromkeys(hit.uri.rsplit("/", 1)[-1] for hit in hits)][: TOP + 1]


if __name__ == "__main__":
    main()
