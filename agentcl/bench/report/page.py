"""A report as one page: no script, nothing from elsewhere, readable on a phone and in the dark."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from agentcl.bench.report.charts import COLOURS, cost_chart, learning_chart, legend
from agentcl.bench.report.episodes import MOST_BYTES, MOST_EPISODES, Chosen, drill_down
from agentcl.bench.report.summary import Summary
from agentcl.bench.report.tables import Section, Table, sections_of
from agentcl.bench.report.words import name

_DARK: Final = ("#5aa9e6", "#ff8a4c", "#3ecf9b", "#e08ccb", "#f2b43c", "#8fd0f5", "#b0b0b0")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #5a6370; --rule: #d5dae0; --raised: #f5f7f9;
  --warn: #a33a00; --heat: 0, 114, 178; LIGHT }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e6e9ec; --soft: #a3acb6; --rule: #363d45;
  --raised: #1d2226; --warn: #ffae7a; DARK } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--rule) }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem }
p { max-width: 46rem; margin: .5rem 0 }
a { color: inherit }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0; font-size: .95rem }
.verdict { padding: .6rem .8rem; border-left: 4px solid var(--s2); background: var(--raised) }
.verdict.bad { border-color: var(--warn); color: var(--warn); font-weight: 600 }
.scroll { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal }
th, td { padding: .3rem .65rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left }
.texts th, .texts td { text-align: left }
.texts td { overflow-wrap: anywhere }
td:not(:first-child) { white-space: nowrap }
.texts td:not(:first-child) { white-space: normal; min-width: 4.5rem }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom }
th:first-child, td:first-child { min-width: 7rem; position: sticky; left: 0; background: var(--back) }
.texts td:first-child { min-width: 11rem }
thead th { white-space: nowrap }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; margin: 1rem 0 }
figure { margin: 0 } figcaption { font-weight: 600; margin-bottom: .3rem }
.chart { width: 100%; max-width: 36rem; height: auto; display: block; background: var(--back) }
svg text { font: 14px system-ui, sans-serif; fill: var(--text) }
svg text.note { font-size: 12px; fill: var(--soft); paint-order: stroke; stroke: var(--back); stroke-width: 3px }
.axis { stroke: var(--text); fill: none } .grid { stroke: var(--rule); fill: none }
.bound { stroke: var(--soft); fill: none; stroke-dasharray: 1 3; stroke-width: 1.5 }
.line { fill: none; stroke-width: 2 } .whisker { fill: none; stroke-width: 1.5 }
.mark { stroke: var(--back); stroke-width: 1 }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: .5rem 0 }
.legend li { display: flex; align-items: center; gap: .4rem }
details { margin: .2rem 0 } details details { margin-left: .8rem }
summary { cursor: pointer; padding: .2rem 0 } small { color: var(--soft); font-size: .85rem }
dl { margin: .3rem 0 .8rem; padding: .5rem .8rem; background: var(--raised); border-radius: 4px }
dt { color: var(--soft); font-size: .85rem; margin-top: .5rem } dt:first-child { margin-top: 0 }
dd { margin: 0 0 .25rem; white-space: pre-wrap; unicode-bidi: isolate; font-size: .92rem }
footer { margin: 2.5rem 0 1rem; color: var(--soft); font-size: .85rem }
SERIES
"""


def report_page(summary: Summary, chosen: Chosen, *, note: str = "") -> str:
    """Return a report of a run as a page of its own.

    Args:
        summary: of the run.
        chosen: its episodes that the page holds.
        note: what else is to be said at its end.
    """
    sections = sections_of(summary)
    links = [(section.id, section.title) for section in sections] + [("episodes", "Episodes")]
    nav = "".join(f'<a href="#{id_}">{html.escape(title)}</a>' for id_, title in links)
    body = [
        f"<h1>{html.escape(name(summary.name))}</h1>",
        f"<p>{html.escape(_subtitle(summary))}</p><nav>{nav}</nav>",
        *(_section(section, summary) for section in sections),
        _episodes(chosen),
        f"<footer>{html.escape(note)}</footer>" if note else "",
    ]
    return _document(f"Benchmark run {name(summary.name)}", "\n".join(body))


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_style()}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _style() -> str:
    def variables(colours: Sequence[str]) -> str:
        return " ".join(f"--s{place}: {colour};" for place, colour in enumerate(colours))

    series = "\n".join(
        f".line.s{place}, .whisker.s{place} {{ stroke: var(--s{place}) }} "
        f".mark.s{place} {{ fill: var(--s{place}) }}"
        for place in range(len(COLOURS))
    )
    filled = _STYLE.replace("LIGHT", variables(COLOURS)).replace("DARK", variables(_DARK))
    return filled.replace("SERIES", series)


def _subtitle(summary: Summary) -> str:
    about = summary.about
    what = about.get("world") or ", ".join(about.get("streams", ())[:3])
    encoder = about.get("encoder")
    seeds = f"{len(summary.seeds)} seed{'s' if len(summary.seeds) > 1 else ''}"
    parts = [what, about.get("model") or "nobody reads", f"encoder {encoder}" if encoder else "", seeds,
             f"{summary.state}, {summary.done:,} of {summary.total:,} episodes"]  # fmt: skip
    return name("; ".join(part for part in parts if part))


def _section(section: Section, summary: Summary) -> str:
    paragraphs = [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
    if section.id == "result":
        bad = " bad" if summary.leakage.is_suspect else ""
        paragraphs[0] = f'<p class="verdict{bad}">{html.escape(section.paragraphs[0])}</p>'
    tables = [_table(table) for table in section.tables]
    return "\n".join(
        [
            f'<section id="{section.id}"><h2>{html.escape(section.title)}</h2>',
            *paragraphs,
            *([tables.pop(0), _charts(summary)] if section.id == "result" else []),
            *tables,
            "</section>",
        ]
    )


def _charts(summary: Summary) -> str:
    window = next((curve.window for curve in summary.curves), 0)
    drawn = [
        (
            f"Learning curves: mean of the last {window} episodes and of the seeds",
            learning_chart(summary),
        ),
        ("Cost against success", cost_chart(summary, what="success")),
        ("Cost against score", cost_chart(summary, what="score")),
    ]
    figures = [
        f"<figure><figcaption>{caption}</figcaption>{chart}</figure>"
        for caption, chart in drawn
        if chart
    ]
    if not figures:
        return ""
    return f'{legend(summary)}<div class="charts">{"".join(figures)}</div>'


def _table(table: Table) -> str:
    title = f"<h3>{html.escape(name(table.title))}</h3>" if table.title else ""
    head = "".join(f'<th scope="col">{html.escape(name(cell))}</th>' for cell in table.columns)
    rows = "".join(
        f"<tr>{''.join(_cell(table, row, place, cell) for place, cell in enumerate(cells))}</tr>"
        for row, cells in enumerate(table.rows)
    )
    kind = ' class="texts"' if table.are_texts else ""
    return f'{title}<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(table: Table, row: int, place: int, cell: str) -> str:
    heat = table.heat[row][place - 1] if table.heat and place else None
    style = (
        ""
        if heat is None
        else f' style="background:rgba(var(--heat),{min(1.0, max(0.0, heat)) * 0.6:.2f})"'
    )
    return f"<td{style}>{html.escape(name(cell))}</td>"


def _episodes(chosen: Chosen) -> str:
    shown = len(chosen.episodes)
    said = (
        f"{shown:,} of {chosen.of:,} episodes, at most {MOST_EPISODES} of each arm and {MOST_BYTES // 1_000_000} MB "
        "in all: those that failed, and an even choice of the rest. Long texts are cut, and say so. All of "
        "it stands in the folder's episodes/ARM.SEED.jsonl."
    )
    return (
        f'<section id="episodes"><h2>Episodes</h2><p>{html.escape(said)}</p>'
        f"{drill_down(chosen)}</section>"
    )
