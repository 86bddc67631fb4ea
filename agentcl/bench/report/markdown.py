"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agentcl.bench.report.summary import Summary
from agentcl.bench.report.tables import Section, Table, sections_of
from agentcl.bench.report.words import clean, name

_MEANS_SOMETHING: Final = re.compile(r"([\\`*|~$]|\](?=[(\[:]))")


def report_markdown(summary: Summary, *, pictures: Sequence[str] = (), note: str = "") -> str:
    """Return a report of a run.

    Args:
        summary: of the run.
        pictures: names of files beside the report.
        note: what else is to be said at its end.
    """
    shown = [f"![{picture.removesuffix('.png')}]({picture})" for picture in pictures]
    return document(
        f"Benchmark run {summary.name}", sections_of(summary), [*shown, *([note] if note else [])]
    )


def document(title: str, sections: Iterable[Section], last: Sequence[str] = ()) -> str:
    """Return sections as a document; `last` are finished paragraphs."""
    parts = [f"# {escaped(title)}"]
    for section in sections:
        parts += [f"## {escaped(section.title)}", *map(_paragraph, section.paragraphs)]
        for table in section.tables:
            if table.title:
                parts.append(f"### {escaped(table.title)}")
            parts.append(_table(table))
    return "\n\n".join([*parts, *last]) + "\n"


def escaped(text: str) -> str:
    """Return a text on one line that Markdown and the HTML in it take as it stands."""
    return _safe(name(text))


def _paragraph(text: str) -> str:
    return _safe(" ".join(clean(text, len(text)).split()))


def _safe(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MEANS_SOMETHING.sub(r"\\\1", safe)


def _table(table: Table) -> str:
    rules = ["---", *["---" if table.are_texts else "---:"] * (len(table.columns) - 1)]
    lines = [_line(map(escaped, table.columns)), _line(rules)]
    return "\n".join([*lines, *(_line(map(escaped, row)) for row in table.rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
