"""Pictures of small graphs: as SVG, as a page of HTML around it, or as PNG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.errors import MissingExtra, StoreUnavailable

if TYPE_CHECKING:
    import networkx as nx

_WIDTH: Final = 1_000
_HEIGHT: Final = 700
_MARGIN: Final = 70
_LABEL: Final = 28  # characters
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px system-ui,sans-serif;margin:1rem}}svg{{max-width:100%;height:auto}}</style>
<h1>{title}</h1>
<p>Blue: passages; green: hits; brown: phrases. Rest the pointer on a node or an edge to read it whole.</p>
{svg}
</html>
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A node with its place, from 0 to 1 in both directions."""

    id: str
    name: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """An edge between two marks."""

    start: str
    end: str
    name: str = ""


def layout(graph: nx.MultiGraph[str]) -> dict[str, tuple[float, float]]:
    """Return places from 0 to 1, the same for the same graph."""
    import networkx as nx

    if not len(graph):
        return {}
    places = nx.spring_layout(nx.Graph(graph), seed=1, k=1.6 / max(1, len(graph)) ** 0.5)
    spans = []
    for axis in (0, 1):
        values = [float(place[axis]) for place in places.values()]
        spans.append((min(values), max(max(values) - min(values), 1e-9)))
    return {
        node: (
            (float(place[0]) - spans[0][0]) / spans[0][1],
            (float(place[1]) - spans[1][0]) / spans[1][1],
        )
        for node, place in places.items()
    }


def write(path: Path, title: str, marks: Sequence[Mark], lines: Sequence[Line]) -> None:
    """Write a picture in the format that the file's name ends with.

    Raises:
        MissingExtra: if matplotlib is not installed, for a .png.
        StoreUnavailable: if the file cannot be written.
    """
    try:
        if path.suffix == ".png":
            _png(path, title, marks, lines)
            return
        picture = svg(marks, lines)
        if path.suffix == ".html":
            picture = _PAGE.format(title=html.escape(title), svg=picture)
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error}") from error


def svg(marks: Sequence[Mark], lines: Sequence[Line]) -> str:
    """Return marks and lines as one SVG element."""
    at = {mark.id: _place(mark) for mark in marks}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12">'
    ]
    for line in lines:
        (x1, y1), (x2, y2) = at[line.start], at[line.end]
        parts.append(
            f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" stroke="#999">'
            f"<title>{html.escape(line.name)}</title></line>"
        )
        if line.name:
            parts.append(
                f'<text x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2:.0f}" fill="#777" font-size="10"'
                f' text-anchor="middle">{html.escape(_short(line.name))}</text>'
            )
    for mark in marks:
        x, y = at[mark.id]
        parts.append(
            f'<g><title>{html.escape(mark.name)}</title><circle cx="{x:.0f}" cy="{y:.0f}" r="7"'
            f' fill="{mark.colour}"/><text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">'
            f"{html.escape(_short(mark.name))}</text></g>"
        )
    return "\n".join([*parts, "</svg>"])


def _png(path: Path, title: str, marks: Sequence[Mark], lines: Sequence[Line]) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("pictures as .png (.svg and .html need no more)", "bench") from error
    figure = Figure(figsize=(12, 8))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(title)
    at = {mark.id: (mark.x, 1 - mark.y) for mark in marks}
    for line in lines:
        (x1, y1), (x2, y2) = at[line.start], at[line.end]
        axes.plot([x1, x2], [y1, y2], color="#999999", linewidth=0.8, zorder=1)
    for mark in marks:
        x, y = at[mark.id]
        axes.scatter([x], [y], s=40, color=mark.colour, zorder=2)
        axes.annotate(_short(mark.name), (x, y), xytext=(0, 6), textcoords="offset points",
                      ha="center", fontsize=8)  # fmt: skip
    figure.savefig(path, dpi=120)


def _place(mark: Mark) -> tuple[float, float]:
    return (
        _MARGIN + mark.x * (_WIDTH - 2 * _MARGIN),
        _MARGIN + mark.y * (_HEIGHT - 2 * _MARGIN),
    )


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
