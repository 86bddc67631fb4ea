"""Continual learning of adapters by the field's own protocol: tasks one after another, by every method.

    python benchmarks/models.py smollm2-135m
    python benchmarks/continual.py --data ../shared/data/cl_benchmark --tasks agnews,amazon,sst2,boolqa,mnli
    python benchmarks/continual.py --tasks sst2,copa --methods sequential,replay --train 8 --held 8 --steps 2    # a rehearsal

The 5-task order of the field is AG News, Amazon, Yelp, DBpedia and Yahoo; Yelp may not be passed on, and of two others
the data here have one split only. So name the tasks that are there. All methods share the first task's adapter, which is
trained plainly. *Retrain* trains on everything so far from the base, with as many steps as all others together: the
ceiling. A task is answered by the label whose first token is the likeliest. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from parts.results import CACHE, machine, save, table
from parts.talking import Talker

from agentcl.bench import ScoreMatrix, transfer
from agentcl.consolidation import (
    EWC,
    EarlierSelf,
    ExperienceReplay,
    GeneralStates,
    HalfMask,
    IncrementalLora,
    Interpolation,
    L2ToStart,
    LearnedTask,
    MagnitudeGate,
    Method,
    OrthogonalLora,
    Recipe,
    Reptile,
    SelectedLayers,
    SlowCopy,
    TrainingRow,
    load_task,
    task_names,
)
from agentcl.consolidation.base import folder_of
from agentcl.consolidation.training import train

Rows = Sequence[TrainingRow]
# For each method what it uses, given the rows of earlier tasks, the adapter before, and the number of the task.
METHODS: Final[dict[str, Callable[[Rows, Path, int], list[Method]]]] = {
    "sequential": lambda old, before, stage: [],
    "replay": lambda old, before, stage: [ExperienceReplay(old)],
    "l2": lambda old, before, stage: [L2ToStart()],
    "ewc": lambda old, before, stage: [EWC(old)],
    "i-lora": lambda old, before, stage: [ExperienceReplay(old), SlowCopy(old, decay=0.9)],
    "lae": lambda old, before, stage: [SlowCopy(decay=0.9)],
    "interpolation": lambda old, before, stage: [Interpolation()],
    "mer": lambda old, before, stage: [ExperienceReplay(old), Reptile(every=5)],
    "migu": lambda old, before, stage: [MagnitudeGate()],
    "half": lambda old, before, stage: [HalfMask(seed=stage)],
    "fpf": lambda old, before, stage: [SelectedLayers(old)],
    "lwf": lambda old, before, stage: [EarlierSelf(old)],
    "gere": lambda old, before, stage: [GeneralStates(old)],
    "incremental": lambda old, before, stage: [IncrementalLora([before])],
    "o-lora": lambda old, before, stage: [OrthogonalLora([before])],
    "retrain": lambda old, before, stage: [],
}
_STACKED: Final = ("incremental", "o-lora")


def main() -> None:
    """Learn every order by every method, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cl_benchmark"))
    parser.add_argument("--tasks", default="agnews,amazon,sst2,boolqa,mnli", help="in their order")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--train", type=int, default=200, help="rows of a task")
    parser.add_argument("--held", type=int, default=100, help="rows of a task that are asked")
    parser.add_argument("--steps", type=int, default=50, help="of a task")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    names, chosen = given.tasks.split(","), given.methods.split(",")
    if missing := [one for one in names if one not in task_names(given.data)]:
        parser.error(f"{given.data} has not both splits of {', '.join(missing)}")
    if unknown := [one for one in chosen if one not in METHODS]:
        parser.error(f"there is no method {', '.join(unknown)}; known: {', '.join(METHODS)}")
    size = f"{Path(given.base).name}-{'-'.join(names)}-{given.train}-{given.held}-{given.steps}"
    found: dict[str, list[dict[str, Any]]] = {one: [] for one in chosen}
    for seed in range(given.seeds):
        tasks = [
            load_task(given.data, one, train=given.train, held=given.held, seed=seed)
            for one in names
        ]
        recipe = Recipe(rank=8, alpha=16, steps=given.steps, batch=4, learning_rate=5e-4, seed=seed)
        for method in chosen:
            folder = CACHE / "continual" / size / str(seed)
            found[method].append(_learned(folder, given.base, tasks, method, recipe))
    result = {
        "machine": machine("torch", "transformers", "peft"),
        "base": given.base,
        "tasks": names,
        "rows": {"train": given.train, "held": given.held},
        "recipe": asdict(recipe),
        "methods": found,
    }
    _show(result)
    save("continual", result)


def _learned(
    folder: Path, base: str, tasks: Sequence[LearnedTask], method: str, recipe: Recipe
) -> dict[str, Any]:
    """Return the matrix of scores of one method, what follows from it, and the seconds of its training."""
    matrix = [_scores(folder / "base.json", base, None, tasks)]
    seconds, before = 0.0, folder / "first"
    for stage in range(len(tasks)):
        own = folder / "first" if stage == 0 else folder / method / str(stage)
        seconds += _stage(own, base, tasks, stage, method, recipe, before)
        matrix.append(_scores(own / "scores.json", base, own, tasks))
        before = own
    print(method, [[round(one, 2) for one in row] for row in matrix], flush=True)
    measures = asdict(transfer(ScoreMatrix.of(matrix)))
    learning = sum(matrix[n + 1][n] for n in range(len(tasks))) / len(tasks)
    return {"matrix": matrix, "seconds": seconds, "learning_accuracy": learning, **measures}


def _stage(
    own: Path,
    base: str,
    tasks: Sequence[LearnedTask],
    stage: int,
    method: str,
    recipe: Recipe,
    before: Path,
) -> float:
    """Train on one task, if that is not done; return the seconds that it took, in all its runs' last one."""
    file = own / "seconds.json"
    if not file.exists():
        old = [row for task in tasks[:stage] for row in task.of("train")]
        rows = tasks[stage].of("train")
        is_whole = method == "retrain"
        how = replace(recipe, steps=recipe.steps * (stage + 1) if is_whole else recipe.steps)
        is_from_base = stage == 0 or is_whole or method in _STACKED
        used = METHODS[method](old, before, stage) if stage else []
        began = time.monotonic()
        train(
            folder_of(base), [*old, *rows] if is_whole else rows, own, how,
            parent=None if is_from_base else before, methods=used,
        )  # fmt: skip
        file.write_text(json.dumps(time.monotonic() - began), "utf-8")
    return float(json.loads(file.read_text("utf-8")))


def _scores(
    file: Path, base: str, adapter: Path | None, tasks: Sequence[LearnedTask]
) -> list[float]:
    """Return for each task which share of its held rows is answered right."""
    if not file.exists():
        talker, found = Talker(base, adapter), []
        for task in tasks:
            asked = task.of("held")
            right = [talker.choose(row.prompt, task.labels) == row.answer for row in asked]
            found.append(sum(right) / len(right))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found), "utf-8")
    return list(map(float, json.loads(file.read_text("utf-8"))))


def _show(result: dict[str, Any]) -> None:
    table(
        ["method", "AA", "BWT", "FWT", "learning", "seconds"],
        [
            [
                name,
                *(
                    f"{sum(run[key] for run in runs) / len(runs):.3f}"
                    for key in ("average_accuracy", "backward_transfer", "forward_transfer", "learning_accuracy")
                ),
                f"{sum(run['seconds'] for run in runs) / len(runs):.0f}",
            ]
            for name, runs in result["methods"].items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
