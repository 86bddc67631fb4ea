"""What runs of STATE-Bench came to, without and with learnings, task by task."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentcl.bench.metrics.intervals import Interval, paired_interval
from agentcl.bench.state_bench.reading import leads_out, read_text
from agentcl.errors import LoadError
from agentcl.text.paths import check_path

Runs = Mapping[str, Sequence[bool]]  # by task, whether it was completed in each run


@dataclass(frozen=True, slots=True)
class ComparedTasks:
    """Two sets of runs over the same tasks."""

    tasks: int
    runs: int  # of each task
    without: tuple[float, float]  # pass@1, and the share of tasks completed in every run
    with_: tuple[float, float]
    gain: Interval | None  # of pass@1, paired by task; None for fewer than two tasks
    left_out: tuple[str, ...]  # tasks that one of the two lacks, or has fewer runs of


def compare_tasks(without: str | os.PathLike[str], with_: str | os.PathLike[str]) -> ComparedTasks:
    """Return how tasks were completed without and with learnings.

    Whether simulator and judge were those that the benchmark locks is not written in these files. So a number from here
    is not official by itself.

    Args:
        without: an output folder of the benchmark's `run_batch`, with `run1`, `run2` and so on in it.
        with_: likewise, of an agent that has learnings.

    Raises:
        LoadError: if a folder holds no scored run, if a file cannot be read, or if no task is in both.
        InvalidInput: if one of the two is no path.
    """
    before, after = _runs(check_path(without, "without")), _runs(check_path(with_, "with_"))
    runs = max(map(len, (*before.values(), *after.values())))
    both = [
        task for task in before if task in after and len(before[task]) == len(after[task]) == runs
    ]
    if not both:
        raise LoadError(f"no task has {runs} scored runs in both {without} and {with_}")
    gain = paired_interval(
        [statistics.fmean(after[task]) for task in both],
        [statistics.fmean(before[task]) for task in both],
    )
    left_out = tuple(sorted({*before, *after} - {*both}))
    return ComparedTasks(
        len(both), runs, _shares(before, both), _shares(after, both), gain, left_out
    )


def _shares(runs: Runs, tasks: Sequence[str]) -> tuple[float, float]:
    return (
        statistics.fmean(statistics.fmean(runs[task]) for task in tasks),
        statistics.fmean(all(runs[task]) for task in tasks),
    )


def _runs(folder: Path) -> Runs:
    """Return what is scored; a trajectory without a score was not judged yet, and counts as not there."""
    found: dict[str, list[bool]] = {}
    for file in sorted(folder.glob("run*/*.json")):
        try:
            if leads_out(file, folder):
                raise LoadError(f"{file} is a link out of {folder}; it is not read")
            held = json.loads(read_text(file))
            task, passed = held["task_id"], held.get("task_completion_pass")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise LoadError(f"{file} is no scored trajectory of STATE-Bench: {error!r}") from error
        if passed is not None:
            found.setdefault(str(task), []).append(bool(passed))
    if not found:
        raise LoadError(
            f"{folder} holds no scored run; expected run1/TASK.json and so on, as run_batch --output-dir writes them"
        )
    return found
