"""Runs of the benchmark runner, kept between calls: a benchmark that was stopped goes on where it was."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentcl.bench.folder import RunFolder
from agentcl.bench.metrics.intervals import student_interval
from agentcl.bench.report.pairs import difference, pairs_of
from agentcl.bench.rows import ResultRow
from agentcl.bench.run import begin, go_on, progress
from agentcl.bench.settings import from_mapping
from parts.results import CACHE


def finished(name: str, tables: Mapping[str, Any]) -> RunFolder:
    """Return the run of these settings, begun, gone on with or done already.

    Other settings begin anew; if only the baselines, the seeds or the number of workers are others, what was played is kept.
    """
    path = CACHE / "runs" / name
    settings = from_mapping({"name": name, **tables}, where=name)
    kept = path / "asked.json"
    asked = kept.read_text("utf-8") if kept.exists() else ""
    if asked != settings.to_json():
        before = path.with_name(f"{name}.before")
        shutil.rmtree(before, ignore_errors=True)
        if asked:
            path.rename(before)
        else:
            shutil.rmtree(path, ignore_errors=True)
        begin(path, settings)
        if asked and _tasks(asked) == _tasks(settings.to_json()):
            _keep(before, path)
        kept.write_text(settings.to_json(), "utf-8")
        shutil.rmtree(before, ignore_errors=True)
    folder = RunFolder(path)
    far = progress(folder)
    done = far.done

    def on_row(row: ResultRow) -> None:
        nonlocal done
        done += 1
        if done % max(1, far.total // 10) == 0 or done == far.total:
            print(f"{name}: {done}/{far.total}", flush=True)

    if far.done < far.total:
        ended = go_on(folder, on_row=on_row)
        if ended.state != "complete":
            raise SystemExit(f"{name} ended as {ended.state}: {json.dumps(folder.about)}")
    return RunFolder(path)


def _tasks(settings: str) -> dict[str, Any]:
    """Return what rows depend on, of settings as JSON; baselines and seeds do not depend on each other."""
    found: dict[str, Any] = json.loads(settings)
    memory = {key: value for key, value in found["memory"].items() if key != "baselines"}
    return {**found, "seeds": (), "workers": 0, "memory": memory}


def _keep(before: Path, path: Path) -> None:
    """Take over what was played, if it was the same model that played it."""
    if RunFolder(before).about["fingerprint before"] != RunFolder(path).about["fingerprint before"]:
        return
    for part in ("episodes", "memories"):
        if (before / part).is_dir():
            shutil.copytree(before / part, path / part, dirs_exist_ok=True)


def over_seeds(
    ours: Sequence[float], theirs: Sequence[float], seeds: Sequence[int]
) -> list[float] | None:
    """Return a paired mean difference with its 95 % interval over seeds; None for fewer than two."""
    found = student_interval(ours, theirs, clusters=seeds)
    return None if found is None else [found.estimate, found.low, found.high]


def mean(rows: Sequence[ResultRow]) -> float | None:
    """Return the mean score of what was scored."""
    scores = [row.score for row in rows if row.score is not None]
    return statistics.fmean(scores) if scores else None


def gain(folder: RunFolder, baseline: str, against: str) -> dict[str, Any] | None:
    """Return the paired difference of two baselines with its 95 % interval, as a report has it."""
    are_questions = bool(folder.settings.questions.source)
    pairs = pairs_of(list(folder.rows(baseline)), list(folder.rows(against)))
    found = difference(baseline, against, pairs, are_questions=are_questions).score
    if found is None:
        return None
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n,
            "units": found.units, "unit": found.unit}  # fmt: skip
