"""A summary as sections of tables: what the Markdown and the page both show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from agentcl.bench.metrics.curves import BreakEven
from agentcl.bench.report.estimates import Estimate
from agentcl.bench.report.lessons import LessonLine
from agentcl.bench.report.records import Difference, GroupLine, LeakLine, Measures
from agentcl.bench.report.scores import FADING
from agentcl.bench.report.summary import Summary
from agentcl.bench.report.verdict import verdict
from agentcl.bench.report.words import UNDEFINED, count, interval, milliseconds, name, number, price

BOUNDS: Final = ("best possible without memory", "best possible with knowledge")
_MOST_LESSONS: Final = 40  # of a baseline, in a report
_FROZEN: Final = {
    "same": "The model is frozen: its fingerprint is the same before and after.",
    "changed": "The model changed during the run: its fingerprint after is another one than before.",
    "not checked": "Whether the model stayed frozen is not checked yet: the run has not ended.",
    "no model": "No model was asked.",
}
_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    are_texts: bool = False  # the cells are words rather than numbers
    heat: tuple[tuple[float | None, ...], ...] = ()  # of each cell, from 0 to 1


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


def sections_of(summary: Summary) -> list[Section]:
    """Return the sections of a report. A table without rows is left out, and a section without tables."""
    makers = (_result, _differences, _learning, _lessons, _questions, _transfer, _passes, _changes,
              _groups, _costs, _checks, _setting)  # fmt: skip
    sections = [make(summary) for make in makers]
    kept = [
        replace(one, tables=tuple(table for table in one.tables if table.rows)) for one in sections
    ]
    return [section for section in kept if section.tables]


def key_bounds(summary: Summary) -> tuple[float, float] | None:
    """Return the best scores without memory and with knowledge, over the run's mix of families.

    None if the bounds of a family that was played are not known.
    """
    episodes = sum(line.episodes for line in summary.bounds)
    against = next(line for line in summary.baselines if line.baseline == summary.against)
    if not episodes or episodes != against.scored + against.failed + against.unscored:
        return None
    without = sum(line.without_memory * line.episodes for line in summary.bounds) / episodes
    knowing = sum(line.with_knowledge * line.episodes for line in summary.bounds) / episodes
    return without, knowing


def difference_table(lines: Iterable[Difference], unit: str) -> Table:
    """Return what is said of differences; `unit` is what would be drawn to show them."""
    return _table(lines, {
        "baseline": lambda line: line.baseline,
        "pairs": lambda line: count(line.pairs),
        "score": lambda line: interval(line.score, is_signed=True),
        "success": lambda line: interval(line.success, is_signed=True),
        "better / worse": lambda line: f"{line.better:,} / {line.worse:,}",
        "sign test p": lambda line: number(line.sign_p, digits=3) if line.sign_p >= 0.001 else "< 0.001",
        f"{unit} needed": lambda line: count(line.needed),
        f"{unit} needed for 0.05": lambda line: count(line.needed_for_small),
    })  # fmt: skip


def _table(
    lines: Iterable[_Line],
    columns: Mapping[str, Callable[[_Line], str]],
    title: str = "",
    *,
    are_texts: bool = False,
) -> Table:
    """Return a table with a row for each line; a column is its name and what it says of a line."""
    rows = tuple(tuple(cell(line) for cell in columns.values()) for line in lines)
    return Table(tuple(columns), rows, title, are_texts)


def _result(summary: Summary) -> Section:
    unit = next((line.score.unit for line in summary.baselines if line.score), "seeds")
    table = _table(summary.baselines, {
        "baseline": lambda line: line.baseline,
        "score": lambda line: interval(line.score),
        "success": lambda line: interval(line.success),
        "questions" if summary.are_questions else "episodes": lambda line: count(line.scored),
        "failed": lambda line: count(line.failed),
        **({} if summary.are_questions else
           {"steps": lambda line: number(line.steps.mean if line.steps else None, digits=1)}),
        "tokens": lambda line: count(line.tokens),
        "memory tokens": lambda line: count(line.memory_tokens),
        "time, ms": lambda line: milliseconds(line.wall_s.median if line.wall_s else None),
    })  # fmt: skip
    blank = [""] * (len(table.columns) - 2)
    bounds = zip(BOUNDS, key_bounds(summary) or (), strict=False)
    rows = (*table.rows, *((label, number(value), *blank) for label, value in bounds))
    unscored = sum(line.unscored for line in summary.baselines)
    said = [
        "A check failed: do not believe these results before reading the section on checks."
        if summary.leakage.is_suspect
        else verdict(summary),
        *(
            ()
            if summary.leakage.is_suspect
            else ("The checks found nothing: no leak, no test that was learned from.",)
        ),
        f"Means with 95% intervals over {unit}. Tokens are of the model, memory tokens what memory put "
        "into the prompt (estimated), both for each episode; the time is the median of one.",
        *summary.notes,
    ]
    if unscored:
        said.append(
            f"{unscored:,} questions have no score: nobody answers, and no evidence is named."
        )
    return Section("result", "Result", tuple(said), (Table(table.columns, rows),))


def _differences(summary: Summary) -> Section:
    lines = summary.differences
    unit = next((line.score.unit for line in lines if line.score), "seeds")
    tables = [difference_table(lines, unit)]
    if any(line.adaptive_efficiency is not None or line.break_even for line in lines):
        tables.append(_paid(summary))
    said = (
        f"Each baseline less {name(summary.against)!r}, on the episodes that both have a score for. Needed: how "
        f"many {unit} would show a difference of this size, or of 0.05, with power 0.8 at alpha 0.05. Gain: "
        "in score, for 1,000 tokens that memory cost."
    )
    return Section("differences", "Paired differences", (said,), tuple(tables))


def _paid(summary: Summary) -> Table:
    columns: dict[str, Callable[[Difference], str]] = {
        "baseline": lambda line: line.baseline,
        "gain for 1,000 tokens": lambda line: number(line.adaptive_efficiency),
    }
    if not summary.are_questions:
        columns["ahead in score from"] = lambda line: _start(line.break_even)
        columns["ahead in tokens from"] = lambda line: _start(line.break_even_tokens)
    return _table(summary.differences, columns, "When memory has paid")


def _start(found: BreakEven | None) -> str:
    return (
        f"episode {found.episode} (to the end, {found.held_for} episodes)" if found else UNDEFINED
    )


def _learning(summary: Summary) -> Section:
    table = _table(summary.baselines if summary.curves else (), {
        "baseline": lambda line: line.baseline,
        "area under the curve": lambda line: interval(line.learning_curve_area),
        "prequential": lambda line: interval(line.prequential),
        f"prequential, fading {FADING}": lambda line: interval(line.prequential_faded),
        "first fifth": lambda line: interval(line.first),
        "last fifth": lambda line: interval(line.last),
    })  # fmt: skip
    said = (
        "Over the episodes that are learned from, for each seed; intervals over seeds. Prequential: each "
        "episode is a test first and learned from only then, first attempts only; with fading about the last "
        f"{round(1 / (1 - FADING))} count."
    )
    return Section("learning", "Learning", (said,), (table,))


def _lessons(summary: Summary) -> Section:
    by_baseline: dict[str, list[LessonLine]] = {}
    for line in summary.lessons:
        by_baseline.setdefault(line.baseline, []).append(line)
    stages = dict.fromkeys(line.stage for line in summary.lessons)
    counts = tuple(
        (baseline, *(count(sum(line.stage == stage for line in its)) for stage in stages))
        for baseline, its in by_baseline.items()
    )
    shown = [line for its in by_baseline.values() for line in its[:_MOST_LESSONS]]
    said = (
        "What was learned, those lessons first that earned their place. A coin decides whether a lesson is shown, "
        "so the episodes that it was withheld from are its controls; uplift is the score that showing it "
        "gains. For and against: later episodes that stated the same, or the opposite, in the same situation. "
        f"At most {_MOST_LESSONS} of each baseline stand here; all of them are in the run's folder, under memories/."
    )
    evidence = _table(shown, {
        "lesson": lambda line: name(line.sentence),
        "baseline, seed": lambda line: f"{name(line.baseline)}, {line.seed}",
        "stage": lambda line: line.stage,
        "holds": lambda line: number(line.trust),
        "uplift [95 %]": lambda line: f"{number(line.uplift, is_signed=True)} [{number(line.low)}, {number(line.high)}]",
        "shown": lambda line: count(line.uses),
        "withheld": lambda line: count(line.withheld),
        "for / against": lambda line: f"{line.confirmed} / {line.refuted}",
        "why": lambda line: line.why,
    }, "Lessons and their evidence", are_texts=True)  # fmt: skip
    tables = (Table(("baseline", *stages), counts, "Lessons by stage"), evidence)
    return Section("lessons", "Lessons", (said,), tables)


def _questions(summary: Summary) -> Section:
    tables = []
    for category in dict.fromkeys(line.category for line in summary.measures):
        its = [line for line in summary.measures if line.category == category]
        names = list(its[0].measures)
        rows = tuple(
            (line.baseline, count(line.questions), *(interval(line.measures[n]) for n in names))
            for line in its
        )
        tables.append(Table(("baseline", "questions", *names), rows, category or "All questions"))
    return Section("questions", "Questions", (), tuple(tables))


def _transfer(summary: Summary) -> Section:
    tables = []
    for line in summary.transfer:
        stages = ("before any training", *(f"after {family}" for family in line.families))
        rows = tuple(
            (stage, *map(number, scores))
            for stage, scores in zip(stages, line.matrix, strict=False)
        )
        title = f"Scores of {line.baseline}: rows are stages of training, columns tests"
        heat = tuple((None, *scores) for scores in line.matrix)
        tables.append(Table(("tested on", *line.families), rows, title, heat=heat))
    measures = {line.baseline: line.measures for line in summary.transfer}
    has_experts = bool(summary.about.get("experts"))
    said = (
        "Formulas, sources and traps of the measures stand on the page Metrics of the documentation. A dash: "
        "undefined. Intervals over seeds. Relative performance, sample efficiency and intransigence are beside "
        "experts: the same baseline, trained on one family alone. "
        + ("" if has_experts else "This run has none; begin it with --experts.")
    ).strip()
    pivot = _pivot(measures, "Transfer and lifelong learning")
    return Section("transfer", "Transfer", (said,), (*tables, pivot))


def _passes(summary: Summary) -> Section:
    known = (
        "Parts of tasks are those that the stream names."
        if all(line.are_parts_known for line in summary.passes)
        else "The stream names no parts of its tasks: each task counts as its own only part."
    )
    said = f"Gains are against no memory on the same episodes. {known} Intervals over seeds."
    table = _pivot({line.baseline: line.measures for line in summary.passes})
    return Section("passes", "Two passes", (said,), (table,))


def _changes(summary: Summary) -> Section:
    table = _table(summary.changes, {
        "baseline": lambda line: line.baseline,
        "from": lambda line: line.phase,
        "last 10 before": lambda line: interval(line.before),
        "first 5 after": lambda line: interval(line.after),
        "last 10 after": lambda line: interval(line.end),
        "recovered after, episodes": lambda line: interval(line.recovery, digits=0),
        "seeds recovered": lambda line: f"{line.recovered} of {line.seeds}",
    })  # fmt: skip
    said = (
        "The rules change at moments that the agent is not told. Recovered: five episodes in a row are, on "
        "average, as good as the last ten before; the mean is of the seeds that recovered."
    )
    return Section("changes", "Changes of the rules", (said,), (table,))


def _groups(summary: Summary) -> Section:
    tables: list[Table] = []
    for by in ("family", "phase"):
        its = [line for line in summary.groups if line.by == by]
        label = "category" if by == "family" and summary.are_questions else by
        tables.append(_group_table(summary, its, label, "Score", lambda line: line.score))
        tables.append(_group_table(summary, its, label, "Success", lambda line: line.success))
    return Section("groups", "Families and phases", (), tuple(tables))


def _group_table(
    summary: Summary,
    lines: Sequence[GroupLine],
    label: str,
    what: str,
    value: Callable[[GroupLine], Estimate | None],
) -> Table:
    cells = {(line.group, line.baseline): line for line in lines}
    baselines = [line.baseline for line in summary.baselines]
    bounds = {line.family: (line.without_memory, line.with_knowledge) for line in summary.bounds}
    has_bounds = bool(bounds) and label == "family" and what == "Score"
    rows = []
    for group in dict.fromkeys(line.group for line in lines):
        known = [number(end) for end in bounds.get(group, (None, None))] if has_bounds else []
        its = [cells[group, baseline] for baseline in baselines]
        failed = [f" ({line.failed:,} failed)" if line.failed else "" for line in its]
        texts = [interval(value(line)) + more for line, more in zip(its, failed, strict=True)]
        episodes = max(line.scored + line.failed for line in its)
        rows.append((group or "(none)", count(episodes), *known, *texts))
    columns = (label, "questions" if summary.are_questions else "episodes",
               *(("best without memory", "best with knowledge") if has_bounds else ()), *baselines)  # fmt: skip
    return Table(columns, tuple(rows), f"{what} by {label}")


def _costs(summary: Summary) -> Section:
    by_role = _table([(line.baseline, cost) for line in summary.baselines for cost in line.costs], {
        "baseline": lambda one: one[0],
        "role": lambda one: one[1].role,
        "calls": lambda one: count(one[1].usage.calls),
        "prompt tokens": lambda one: count(one[1].usage.prompt_tokens),
        "completion tokens": lambda one: count(one[1].usage.completion_tokens),
        "seconds": lambda one: number(one[1].usage.duration_s, digits=1),
        "price": lambda one: price(one[1].price),
    }, "By role")  # fmt: skip
    by_success = _table(summary.baselines if by_role.rows else (), {
        "baseline": lambda line: line.baseline,
        "tokens": lambda line: count(line.tokens_per_success),
        "price": lambda line: price(line.price_per_success),
    }, "For each success")  # fmt: skip
    said = "Of the whole run, failed episodes included; prices are those of the price table, if one is given."
    return Section("costs", "Costs", (said,), (by_role, by_success))


def _checks(summary: Summary) -> Section:
    def seen(line: LeakLine) -> str:
        return count(line.tests_seen) if line.tests else UNDEFINED

    checks = summary.leakage
    leaks = _table(checks.baselines, {
        "baseline": lambda line: line.baseline,
        "episodes with a leak": lambda line: count(line.episodes),
        "tests": lambda line: count(line.tests),
        "tests learned from before": seen,
        "examples": lambda line: "; ".join(line.examples),
    }, "Leaks", are_texts=True)  # fmt: skip
    above = _table(checks.above, {
        "family": lambda line: line.family,
        "score without memory [99%]": lambda line: interval(line.score),
        "best possible": lambda line: number(line.bound),
        "above it": lambda line: "LEAK" if line.is_leak else "no",
    }, "Is the baseline without memory better than it can be?")  # fmt: skip
    said = (
        _FROZEN[checks.frozen],
        "A leak is an item that was recalled and never remembered, an answer in the instructions, or a baseline "
        "without memory whose interval lies above the best that is possible without one.",
    )
    return Section("checks", "Checks", said, (leaks, above))


def _setting(summary: Summary) -> Section:
    about = {
        key: value for key, value in summary.about.items() if key not in ("bounds", "baselines")
    }
    baselines = {line.baseline: line.settings for line in summary.baselines if line.settings}
    said = f"{summary.done:,} of {summary.total:,} episodes, state: {name(summary.state)}."
    parts = (
        ("what", "The run", about),
        ("setting", "Settings", summary.settings),
        ("baseline", "Baselines", baselines),
    )
    tables = tuple(
        Table((column, "value"), tuple(_flat(values)), title, are_texts=True)
        for column, title, values in parts
    )
    return Section("setting", "Setting", (said,), tables)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield a row for each value that is set."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            if value:
                yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value not in (None, ""):
            yield f"{prefix}{key}", str(value)


def _pivot(measures: Mapping[str, Measures], title: str = "") -> Table:
    """Return a row for each measure and a column for each baseline."""
    names = dict.fromkeys(measure for its in measures.values() for measure in its)
    rows = tuple(
        (measure.replace("_", " "), *(interval(its.get(measure)) for its in measures.values()))
        for measure in names
    )
    return Table(("measure", *measures), rows, title)
