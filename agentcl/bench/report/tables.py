"""A summary as sections of tables: what the Markdown and the page both show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentcl.bench.report.estimates import Estimate
from agentcl.bench.report.records import Difference, GroupLine, Measures
from agentcl.bench.report.summary import Summary
from agentcl.bench.report.words import (
    UNDEFINED,
    count,
    interval,
    milliseconds,
    name,
    number,
    price,
)

_MOST_LESSONS: Final = 40  # of an arm, in a report


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    are_texts: bool = False  # the cells are words rather than numbers
    heat: tuple[
        tuple[float | None, ...], ...
    ] = ()  # a value from 0 to 1 for each cell but the first


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


def sections_of(summary: Summary) -> list[Section]:
    """Return the sections of a report, those with nothing to say left out."""
    found = [
        _result(summary),
        _differences(summary),
        _learning(summary),
        _lessons(summary),
        _questions(summary),
        _transfer(summary),
        _passes(summary),
        _changes(summary),
        _groups(summary),
        _costs(summary),
        _checks(summary),
        _setting(summary),
    ]
    return [section for section in found if section is not None]


def key_bounds(summary: Summary) -> tuple[float, float] | None:
    """Return the best scores without memory and with knowledge, over the run's mix of families.

    None if the bounds of a family that was played are not known.
    """
    episodes = sum(line.episodes for line in summary.bounds)
    baseline = next(line for line in summary.arms if line.arm == summary.baseline)
    if not episodes or episodes != baseline.scored + baseline.failed + baseline.unscored:
        return None
    without = sum(line.without_memory * line.episodes for line in summary.bounds) / episodes
    knowing = sum(line.with_knowledge * line.episodes for line in summary.bounds) / episodes
    return without, knowing


def _result(summary: Summary) -> Section:
    unit = next((line.score.unit for line in summary.arms if line.score), "seeds")
    what = "questions" if summary.are_questions else "episodes"
    steps = () if summary.are_questions else ("steps",)
    columns = ("arm", "score", "success", what, "failed", *steps, "tokens", "memory tokens",
               "time, ms")  # fmt: skip
    rows = [
        (line.arm, interval(line.score), interval(line.success), count(line.scored), count(line.failed),
         *(number(line.steps.mean if line.steps else None, digits=1) for _ in steps),
         count(line.tokens), count(line.memory_tokens),
         milliseconds(line.wall_s.median if line.wall_s else None))
        for line in summary.arms
    ]  # fmt: skip
    bounds = key_bounds(summary)
    if bounds is not None:
        for label, value in zip(BOUNDS, bounds, strict=True):
            rows.append((label, number(value), *[""] * (len(columns) - 2)))
    unscored = sum(line.unscored for line in summary.arms)
    said = [
        _verdict(summary),
        f"Means with 95% intervals over {unit}. Tokens are of the model, memory tokens what memory put "
        "into the prompt (estimated), both for each episode; the time is the median of one.",
        *summary.notes,
        *([f"{unscored:,} questions have no score: nobody answers, and no evidence is named."]
          if unscored else []),
    ]  # fmt: skip
    return Section("result", "Result", tuple(said), (Table(columns, tuple(rows)),))


BOUNDS: Final = ("best possible without memory", "best possible with knowledge")


def _verdict(summary: Summary) -> str:
    if summary.leakage.is_suspect:
        return "A check failed: do not believe these results before reading the section on checks."
    return "The checks found nothing: no leak, no test that was learned from."


def _differences(summary: Summary) -> Section | None:
    if not summary.differences:
        return None
    unit = next((line.score.unit for line in summary.differences if line.score), "seeds")
    columns = ("arm", "pairs", "score", "success", "better / worse", "sign test p", f"{unit} needed",
               f"{unit} needed for 0.05")  # fmt: skip
    tables = [Table(columns, tuple(difference_row(line) for line in summary.differences))]
    if any(line.adaptive_efficiency is not None or line.break_even for line in summary.differences):
        tables.append(_paid(summary))
    said = (
        f"Each arm less {name(summary.baseline)!r}, on the episodes that both have a score for. Needed: how "
        f"many {unit} would show a difference of this size, or of 0.05, with power 0.8 at alpha 0.05. Gain: "
        "in score, for 1,000 tokens that memory cost."
    )
    return Section("differences", "Paired differences", (said,), tuple(tables))


def difference_row(line: Difference) -> tuple[str, ...]:
    """Return what is said of a difference."""
    return (
        line.arm,
        count(line.pairs),
        interval(line.score, is_signed=True),
        interval(line.success, is_signed=True),
        f"{line.better:,} / {line.worse:,}",
        number(line.sign_p, digits=3) if line.sign_p >= 0.001 else "< 0.001",
        count(line.needed),
        count(line.needed_for_small),
    )


def _paid(summary: Summary) -> Table:
    columns = ["arm", "gain for 1,000 tokens"]
    if not summary.are_questions:
        columns += ["ahead in score from", "ahead in tokens from"]
    rows = []
    for line in summary.differences:
        starts = [
            f"episode {found.episode} (to the end, {found.held_for} episodes)"
            if found
            else UNDEFINED
            for found in (line.break_even, line.break_even_tokens)
        ]
        cells = [line.arm, number(line.adaptive_efficiency), *starts]
        rows.append(tuple(cells[: len(columns)]))
    return Table(tuple(columns), tuple(rows), "When memory has paid")


def _learning(summary: Summary) -> Section | None:
    if summary.are_questions or not summary.curves:
        return None
    rows = tuple(
        (line.arm, interval(line.learning_curve_area), interval(line.first), interval(line.last))
        for line in summary.arms
    )
    columns = ("arm", "area under the curve", "first fifth", "last fifth")
    said = "Over the episodes that are learned from, for each seed; intervals over seeds."
    return Section("learning", "Learning", (said,), (Table(columns, rows),))


def _lessons(summary: Summary) -> Section | None:
    if not summary.lessons:
        return None
    stages = list(dict.fromkeys(line.stage for line in summary.lessons))
    arms = list(dict.fromkeys(line.arm for line in summary.lessons))
    placed = [(line.arm, line.stage) for line in summary.lessons]
    counts = tuple((arm, *(count(placed.count((arm, stage))) for stage in stages)) for arm in arms)
    shown = [
        line
        for arm in arms
        for line in [one for one in summary.lessons if one.arm == arm][:_MOST_LESSONS]
    ]
    rows = tuple(
        (name(line.sentence), f"{name(line.arm)}, {line.seed}", line.stage, number(line.trust),
         f"{number(line.uplift, is_signed=True)} [{number(line.low)}, {number(line.high)}]",
         count(line.uses), count(line.withheld), f"{line.confirmed} / {line.refuted}", line.why)
        for line in shown
    )  # fmt: skip
    columns = ("lesson", "arm, seed", "stage", "holds", "uplift [95 %]", "shown", "withheld", "for / against",
               "why")  # fmt: skip
    said = (
        "What was learned, those lessons first that earned their place. A coin decides whether a lesson is shown, "
        "so the episodes that it was withheld from are its controls; uplift is the score that showing it "
        "gains. For and against: later episodes that stated the same, or the opposite, in the same situation. "
        f"At most {_MOST_LESSONS} of each arm stand here; all of them are in the run's folder, under memories/."
    )
    return Section(
        "lessons",
        "Lessons",
        (said,),
        (
            Table(("arm", *stages), counts, "Lessons by stage"),
            Table(columns, rows, "Lessons and their evidence", are_texts=True),
        ),
    )


def _questions(summary: Summary) -> Section | None:
    if not summary.measures:
        return None
    tables = []
    for category in dict.fromkeys(line.category for line in summary.measures):
        its = [line for line in summary.measures if line.category == category]
        names = list(its[0].measures)
        rows = tuple(
            (line.arm, count(line.questions), *(interval(line.measures[n]) for n in names))
            for line in its
        )
        tables.append(Table(("arm", "questions", *names), rows, category or "All questions"))
    return Section("questions", "Questions", (), tuple(tables))


def _transfer(summary: Summary) -> Section | None:
    if not summary.transfer:
        return None
    tables = [
        Table(
            ("tested on", *line.families),
            tuple(
                (f"after {line.families[stage - 1]}" if stage else "before any training",
                 *map(number, scores))
                for stage, scores in enumerate(line.matrix)
            ),
            f"Scores of {line.arm}: rows are stages of training, columns tests",
            heat=line.matrix,
        )
        for line in summary.transfer
    ]  # fmt: skip
    pivot = _pivot(
        {line.arm: line.measures for line in summary.transfer}, "Transfer and lifelong learning"
    )
    said = (
        "Formulas, sources and traps of the measures: docs/metrics.md. A dash: undefined, or it "
        "needs other runs (references, experts). Intervals over seeds."
    )
    return Section("transfer", "Transfer", (said,), (*tables, pivot))


def _passes(summary: Summary) -> Section | None:
    if not summary.passes:
        return None
    table = _pivot({line.arm: line.measures for line in summary.passes})
    known = (
        "Parts of tasks are those that the stream names."
        if summary.passes[0].are_parts_known
        else "The stream names no parts of its tasks: each task counts as its own only part."
    )
    said = f"Gains are against no memory on the same episodes. {known} Intervals over seeds."
    return Section("passes", "Two passes", (said,), (table,))


def _changes(summary: Summary) -> Section | None:
    if not summary.changes:
        return None
    rows = tuple(
        (line.arm, line.phase, interval(line.before), interval(line.after), interval(line.end),
         interval(line.recovery, digits=0), f"{line.recovered} of {line.seeds}")
        for line in summary.changes
    )  # fmt: skip
    columns = ("arm", "from", "last 10 before", "first 5 after", "last 10 after", "recovered after, episodes",
               "seeds recovered")  # fmt: skip
    said = (
        "The rules change at moments that the agent is not told. Recovered: five episodes in a row are, on "
        "average, as good as the last ten before; the mean is of the seeds that recovered."
    )
    return Section("changes", "Changes of the rules", (said,), (Table(columns, rows),))


def _groups(summary: Summary) -> Section | None:
    tables: list[Table] = []
    for by in ("family", "phase"):
        its = [line for line in summary.groups if line.by == by]
        if its:
            label = "category" if by == "family" and summary.are_questions else by
            tables.append(_group_table(summary, its, label, "Score", lambda line: line.score))
            tables.append(_group_table(summary, its, label, "Success", lambda line: line.success))
    return Section("groups", "Families and phases", (), tuple(tables)) if tables else None


def _group_table(
    summary: Summary,
    lines: Sequence[GroupLine],
    label: str,
    what: str,
    value: Callable[[GroupLine], Estimate | None],
) -> Table:
    cells = {(line.group, line.arm): line for line in lines}
    arms = [line.arm for line in summary.arms]
    bounds = {line.family: (line.without_memory, line.with_knowledge) for line in summary.bounds}
    has_bounds = bool(bounds) and label == "family" and what == "Score"
    rows = []
    for group in dict.fromkeys(line.group for line in lines):
        known = [number(end) for end in bounds.get(group, (None, None))] if has_bounds else []
        its = [cells[group, arm] for arm in arms]
        failed = [f" ({line.failed:,} failed)" if line.failed else "" for line in its]
        texts = [interval(value(line)) + more for line, more in zip(its, failed, strict=True)]
        episodes = max(line.scored + line.failed for line in its)
        rows.append((group or "(none)", count(episodes), *known, *texts))
    columns = (label, "questions" if summary.are_questions else "episodes",
               *(("best without memory", "best with knowledge") if has_bounds else ()), *arms)  # fmt: skip
    return Table(columns, tuple(rows), f"{what} by {label}")


def _costs(summary: Summary) -> Section | None:
    rows = [
        (line.arm, cost.role, count(cost.calls), count(cost.prompt_tokens), count(cost.completion_tokens),
         number(cost.duration_s, digits=1), price(cost.price))
        for line in summary.arms
        for cost in line.costs
    ]  # fmt: skip
    if not rows:
        return None
    columns = ("arm", "role", "calls", "prompt tokens", "completion tokens", "seconds", "price")
    successes = tuple(
        (line.arm, count(line.tokens_per_success), price(line.price_per_success))
        for line in summary.arms
    )
    said = "Of the whole run, failed episodes included; prices are those of the price table, if one is given."
    return Section(
        "costs",
        "Costs",
        (said,),
        (Table(columns, tuple(rows), "By role"),
         Table(("arm", "tokens", "price"), successes, "For each success")),
    )  # fmt: skip


_FROZEN: Final = {
    "same": "The model is frozen: its fingerprint is the same before and after.",
    "changed": "The model changed during the run: its fingerprint after is another one than before.",
    "not checked": "Whether the model stayed frozen is not checked yet: the run has not ended.",
    "no model": "No model was asked.",
}


def _checks(summary: Summary) -> Section:
    checks = summary.leakage
    rows = tuple(
        (line.arm, count(line.episodes), count(line.tests),
         count(line.tests_seen) if line.tests else UNDEFINED, "; ".join(line.examples))
        for line in checks.arms
    )  # fmt: skip
    columns = ("arm", "episodes with a leak", "tests", "tests learned from before", "examples")
    tables = [Table(columns, rows, "Leaks", are_texts=True)]
    if checks.above:
        above = tuple(
            (
                line.family,
                interval(line.score),
                number(line.bound),
                "LEAK" if line.is_leak else "no",
            )
            for line in checks.above
        )
        tables.append(Table(("family", "score without memory [99%]", "best possible", "above it"), above,
                            "Is the arm without memory better than it can be?"))  # fmt: skip
    said = (
        _FROZEN[checks.frozen],
        "A leak is an item that was recalled and never remembered, an answer in the instructions, or an arm "
        "without memory whose interval lies above the best that is possible without one.",
    )
    return Section("checks", "Checks", said, tuple(tables))


def _setting(summary: Summary) -> Section:
    about = {key: value for key, value in summary.about.items() if key not in ("bounds", "arms")}
    arms = {line.arm: line.settings for line in summary.arms if line.settings}
    said = f"{summary.done:,} of {summary.total:,} episodes, state: {name(summary.state)}."
    return Section("setting", "Setting", (said,), (
        Table(("what", "value"), tuple(_flat(about)), "The run", are_texts=True),
        Table(("setting", "value"), tuple(_flat(summary.settings)), "Settings", are_texts=True),
        *([Table(("arm", "value"), tuple(_flat(arms)), "Arms", are_texts=True)] if arms else []),
    ))  # fmt: skip


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
    """Return a row for each measure and a column for each arm."""
    names = dict.fromkeys(measure for its in measures.values() for measure in its)
    rows = tuple(
        (measure.replace("_", " "), *(interval(its.get(measure)) for its in measures.values()))
        for measure in names
    )
    return Table(("measure", *measures), rows, title)
