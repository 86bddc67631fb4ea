"""From the rows of a run to everything that a report says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from agentcl.bench.build import open_task_domain
from agentcl.bench.folder import RunFolder
from agentcl.bench.report.leaks import bound_lines, leakage
from agentcl.bench.report.lessons import LessonLine, lesson_lines
from agentcl.bench.report.pairs import NO_MEMORY, compared_with, differences_of
from agentcl.bench.report.protocols import Parts, change_lines, passes_lines, transfer_lines
from agentcl.bench.report.records import (
    BaselineLine,
    BoundLine,
    ChangeLine,
    Curve,
    Difference,
    GroupLine,
    Leakage,
    MeasureLine,
    PassesLine,
    TransferLine,
)
from agentcl.bench.report.scores import baseline_line, curve, group_lines, measure_lines
from agentcl.bench.rows import Part, ResultRow, StepRow
from agentcl.bench.streams import build_stream
from agentcl.errors import AgentclError
from agentcl.models.ledger import Prices

_FORMAT: Final = 1
FEW_SEEDS: Final = 5
_BLANK: Final = StepRow("", "")


@dataclass(frozen=True, slots=True)
class Summary:
    """All that a report says of a run."""

    name: str
    are_questions: bool
    state: str  # complete, stopped, budget, unfinished
    done: int  # episodes of all baselines and seeds
    total: int
    against: str  # the baseline that the others are compared with
    seeds: tuple[int, ...]
    about: Mapping[str, Any]  # what the run's folder says: versions, domain, model, encoder ...
    settings: Mapping[str, Any]
    baselines: tuple[BaselineLine, ...]
    groups: tuple[GroupLine, ...]
    measures: tuple[MeasureLine, ...]
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    transfer: tuple[TransferLine, ...]
    passes: tuple[PassesLine, ...]
    changes: tuple[ChangeLine, ...]
    bounds: tuple[BoundLine, ...]
    leakage: Leakage
    lessons: tuple[LessonLine, ...]  # of agents that learn by guidance
    notes: tuple[str, ...]  # what a reader must know before believing a number

    def to_json(self) -> str:
        """Return the summary as JSON; what is undefined is null."""
        found = {"format": _FORMAT, **asdict(self)}
        found["leakage"]["is_suspect"] = self.leakage.is_suspect
        return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summarise(folder: RunFolder, *, prices: Prices | None = None) -> Summary:
    """Return the summary of a run, finished or not.

    Args:
        folder: of the run.
        prices: what tokens of its model cost; without them no price is told.

    Raises:
        InvalidInput: if a row is damaged.
    """
    settings, about = folder.settings, folder.about
    are_questions = bool(settings.questions.source)
    rows = read_rows(folder)
    against = compared_with(settings.memory.baselines)
    parts, notes = _parts(folder, rows)
    bounds = bound_lines(about, rows[against])
    episodes = {} if are_questions else rows
    checks = leakage(rows, bounds, about)
    sizes, experts = folder.parts(), _expert_rows(folder)
    total = sum(sizes.values())
    done = sum(map(len, (*rows.values(), *experts.values())))
    trained = {part: its for part, its in experts.items() if len(its) == sizes[part]}
    return Summary(
        name=settings.name,
        are_questions=are_questions,
        state=about.get("state", "unfinished") if done < total or not total else "complete",
        done=done,
        total=total,
        against=against,
        seeds=settings.seeds,
        about=about,
        settings=asdict(settings),
        baselines=tuple(
            baseline_line(baseline, its, about.get("baselines", {}).get(baseline, {}), are_questions=are_questions,
                     model=str(about.get("model", "")), prices=prices)
            for baseline, its in rows.items()
        ),
        groups=(*group_lines("family", rows, are_questions=are_questions),
                *group_lines("phase", rows, are_questions=are_questions)),
        measures=tuple(measure_lines(rows)),
        differences=tuple(differences_of(rows, against=against, are_questions=are_questions)),
        curves=() if are_questions else tuple(curve(baseline, its) for baseline, its in rows.items() if its),
        transfer=tuple(transfer_lines(episodes, trained)),
        passes=tuple(passes_lines(episodes, without_memory=NO_MEMORY, parts=parts)),
        changes=tuple(change_lines(episodes)),
        bounds=tuple(bounds),
        leakage=checks,
        lessons=tuple(lesson_lines(folder)),
        notes=(*_notes(settings.seeds, are_questions, done, total, rows), *_expert_notes(experts, trained), *notes),
    )  # fmt: skip


def read_rows(folder: RunFolder) -> dict[str, list[ResultRow]]:
    """Return the rows of each baseline without their texts, which may be large. Raises InvalidInput."""
    return {
        baseline: [_without_texts(row) for row in folder.rows(baseline)]
        for baseline in folder.settings.memory.baselines
    }


def _expert_rows(folder: RunFolder) -> dict[Part, list[ResultRow]]:
    return {
        part: [*map(_without_texts, folder.row_file(part.baseline, part.seed, part.alone).rows())]
        for part in folder.parts()
        if part.alone
    }


def _expert_notes(
    experts: Mapping[Part, Sequence[ResultRow]], trained: Mapping[Part, Sequence[ResultRow]]
) -> list[str]:
    notes = []
    if left := len(experts) - len(trained):
        notes.append(
            f"{left:,} of {len(experts):,} experts have not ended: nothing is compared with those."
        )
    failed = sum(row.end == "failed" for its in trained.values() for row in its)
    if failed:
        notes.append(f"{failed:,} episodes of experts failed; they are in no measure.")
    return notes


def _without_texts(row: ResultRow) -> ResultRow:
    """Return a row of which the number of steps is left, and no text but the leaks."""
    return replace(row, goal="", first="", error="", recalled=(), shown=(), learned=(),
                   steps=(_BLANK,) * len(row.steps))  # fmt: skip


def _parts(folder: RunFolder, rows: Mapping[str, Sequence[ResultRow]]) -> tuple[Parts, list[str]]:
    """Return the sub-solutions of a stream of reused solutions, and what is to be said of it."""
    tasks = folder.settings.tasks
    if tasks.stream != "reuse" and not tasks.file:
        return {}, []
    try:
        domain = open_task_domain(tasks)
        streams = {seed: build_stream(tasks, domain, seed=seed) for seed in folder.settings.seeds}
    except AgentclError as error:
        return {}, [
            f"The stream cannot be built again ({error}): each task counts as its own part."
        ]
    for its in rows.values():
        for row in its:
            stream = streams[row.seed].items
            item = stream[row.number] if row.number < len(stream) else None
            if item is None or (item.task.id, item.seed) != (row.task, row.episode_seed):
                return {}, ["The stream is not what it was: each task counts as its own part."]
    parts = {
        seed: [frozenset(item.sub_solutions) for item in stream] for seed, stream in streams.items()
    }
    return (parts, []) if all(all(its) for its in parts.values()) else ({}, [])


def _notes(
    seeds: Sequence[int],
    are_questions: bool,
    done: int,
    total: int,
    rows: Mapping[str, Sequence[ResultRow]],
) -> list[str]:
    notes = []
    if not done:
        notes.append("No episode has ended yet: there is nothing to measure.")
    elif done < total:
        notes.append(
            f"{done:,} of {total:,} episodes are done: a baseline may have been played longer than another. "
            "The paired differences hold for the episodes that both have."
        )
    if done and not are_questions and len(seeds) == 1:
        notes.append(
            "One seed: intervals are over its episodes, which share one memory, and so are too narrow."
        )
    elif done and not are_questions and len(seeds) < FEW_SEEDS:
        notes.append(
            f"{len(seeds)} seeds: intervals over so few are too narrow, and say little; run at least "
            f"{FEW_SEEDS}."
        )
    failed = sum(row.end == "failed" for its in rows.values() for row in its)
    if failed:
        notes.append(f"{failed:,} episodes failed. They are counted apart and are in no score.")
    return notes
