"""Writing a run's report into its folder."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Final

from agentcl.bench.folder import RunFolder
from agentcl.bench.report.chart import cost_charts, learning_chart
from agentcl.bench.report.episodes import MOST_BYTES, MOST_EPISODES, Chosen, choose_episodes, means
from agentcl.bench.report.summary import Summary, summarise
from agentcl.bench.report.tables import BOUNDS, key_bounds, sections_of
from agentcl.bench.report.templates import fill
from agentcl.bench.report.verdict import title_of
from agentcl.errors import StoreUnavailable
from agentcl.models.ledger import Prices
from agentcl.text.saving import saving
from agentcl.text.svg import STYLE, beside

_COLUMNS: Final = (
    "baseline", "seed", "number", "task", "family", "phase", "episode_seed", "score", "raw", "is_success",
    "end", "memory_tokens", "wall_s",
)  # fmt: skip
_FORMULA: Final = "=+-@"


def write_report(folder: RunFolder, *, prices: Prices | None = None) -> list[Path]:
    """Write report.html, report.md, report.json, episodes.csv and charts beside a run's rows; return their paths.

    A run that has not ended is reported as far as it is.

    Args:
        folder: of the run.
        prices: what tokens of its model cost.

    Raises:
        InvalidInput: if a row is damaged.
        StoreUnavailable: if the folder cannot be written.
    """
    summary = summarise(folder, prices=prices)
    charts = chart_files(summary)
    texts = {
        "report.html": report_page(summary, choose_episodes(folder)),
        "report.md": report_markdown(summary, pictures=list(charts)),
        "report.json": summary.to_json(),
        "episodes.csv": episode_table(folder),
        **charts,
    }
    try:
        for file, text in texts.items():
            # A half of a pair of characters, which JSON may hold, cannot be encoded.
            with saving(folder.path / file) as page:
                page.write(text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise StoreUnavailable(
            f"the report in {folder.path} cannot be written: {error.strerror or error}"
        ) from error
    return [folder.path / file for file in texts]


def report_page(summary: Summary, chosen: Chosen) -> str:
    """Return a report of a run as a page of its own, with the chosen episodes."""
    curves = learning_chart(summary)
    return fill(
        "page.html.j2",
        summary=summary,
        title=title_of(summary),
        subtitle=_subtitle(summary),
        sections=sections_of(summary),
        charts=[*([curves] if curves else []), *cost_charts(summary)],
        bounds=list(zip(BOUNDS, key_bounds(summary) or (), strict=False)),
        chosen=chosen,
        means=means,
        most_episodes=MOST_EPISODES,
        most_bytes=MOST_BYTES,
        style=STYLE,
    )


def report_markdown(summary: Summary, *, pictures: list[str] | None = None) -> str:
    """Return a report of a run as Markdown; `pictures` are names of files beside it."""
    sections = sections_of(summary)
    return fill("report.md.j2", title=title_of(summary), sections=sections, pictures=pictures or [])


def episode_table(folder: RunFolder) -> str:
    """Return a row of comma-separated values for each episode, without what was said in it.

    A score is empty where the environment failed or nobody answered. Of questions the measures, such as
    recall, stand in columns of their own.
    """
    rows = list(folder.rows())
    measured = sorted({name for row in rows for name in row.measures})
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow([*_COLUMNS, "steps", "tokens", *map(_cell, measured)])
    for row in rows:
        values = [getattr(row, name) for name in _COLUMNS]
        found = [row.measures.get(name) for name in measured]
        table.writerow([*map(_cell, values), len(row.steps), row.tokens, *found])
    return written.getvalue()


def _cell(value: object) -> object:
    """Return a value for a spreadsheet, which takes a text that begins like a formula for one, and runs it."""
    is_formula = isinstance(value, str) and value.lstrip()[:1] in {*_FORMULA}
    return f"'{value}" if is_formula else value


def chart_files(summary: Summary) -> dict[str, str]:
    """Return the charts of a run as files of their own, by name."""
    curves, costs = learning_chart(summary, are_named=True), cost_charts(summary)
    files = {}
    if curves:
        bounds = zip(BOUNDS, key_bounds(summary) or (), strict=False)
        dotted = ", ".join(f"{label}: {value:.2f}" for label, value in bounds)
        notes = [f"Dotted: {dotted}" if dotted else "", curves.note]
        files["curves.svg"] = replace(curves, note="; ".join(filter(None, notes))).file()
    if costs:
        files["costs.svg"] = beside(costs, title="What memory cost, and what was reached").file()
    return files


def _subtitle(summary: Summary) -> str:
    about = summary.about
    encoder = about.get("encoder")
    parts = [
        about.get("domain") or ", ".join(about.get("streams", ())[:3]),
        about.get("model") or "nobody reads",
        f"encoder {encoder}" if encoder else "",
        f"{len(summary.seeds)} seed{'s' if len(summary.seeds) > 1 else ''}",
        f"{summary.state}, {summary.done:,} of {summary.total:,} episodes",
    ]
    return "; ".join(part for part in parts if part)
