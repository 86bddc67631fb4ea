"""Pictures as SVG: charts of lines and points, and nets.

A picture follows the reader's light or dark theme. A page that holds pictures takes `STYLE` once; a picture in a
file of its own brings it along.
"""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

from agentcl.text.visible import shortened, visible

# Okabe and Ito's colours, which colour-blind readers tell apart; yellow, too pale on white, is left out.
_LIGHT: Final = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#e69f00", "#56b4e9", "#6b6b6b")
_DARK: Final = ("#5aa9e6", "#ff8a4c", "#3ecf9b", "#e08ccb", "#f2b43c", "#8fd0f5", "#b0b0b0")
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "14 4")
_SHAPES: Final = (  # around (0, 0)
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0",
    "M-4-4H4V4H-4Z",
    "M0-5.2L5 3.8H-5Z",
    "M0-5.6L5 0L0 5.6L-5 0Z",
    "M0 5.2L5-3.8H-5Z",
    "M-4.6-2.2L-2.2-4.6L0-2.4L2.2-4.6L4.6-2.2L2.4 0L4.6 2.2L2.2 4.6L0 2.4L-2.2 4.6L-4.6 2.2L-2.4 0Z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
)


def _theme(back: str, text: str, soft: str, grid: str, colours: Sequence[str]) -> str:
    series = "".join(f".s{place}{{color:{colour}}}" for place, colour in enumerate(colours))
    return (
        f".picture text{{fill:{text};stroke:{back}}}.picture .soft{{fill:{soft}}}.back{{fill:{back}}}"
        f".axis{{stroke:{text}}}.rule,.edge{{stroke:{soft}}}.grid{{stroke:{grid}}}.mark{{stroke:{back}}}{series}"
    )


STYLE: Final = (
    ".picture{font:14px system-ui,sans-serif}.picture text{stroke-width:3px;paint-order:stroke}"
    ".picture .small{font-size:12px}.picture .head{font-size:16px;font-weight:600}"
    ".axis,.grid,.rule,.edge,.line{fill:none}.edge{opacity:.55}.rule{stroke-dasharray:1 3;stroke-width:1.5}"
    ".line{stroke:currentColor;stroke-width:2}.strong{stroke-width:3.5}.faint{stroke-width:1;opacity:.45}"
    ".mark,.band{fill:currentColor}.band{opacity:.14}"
    + _theme("#fff", "#1b1f24", "#5a6370", "#d5dae0", _LIGHT)
    + f"@media(prefers-color-scheme:dark){{{_theme('#14171a', '#e6e9ec', '#a3acb6', '#363d45', _DARK)}}}"
)
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;margin:1rem;background:Canvas}}
h1{{font-size:1.4rem;overflow-wrap:anywhere}}div{{overflow-x:auto}}
div>.picture{{max-width:100%;min-width:42rem;height:auto}}{style}</style>
<h1>{title}</h1>
<p>{desc}</p>
<div>{element}</div>
</html>
"""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 48  # around what a chart shows
_MARKS: Final = 8  # of a line
_NAME: Final = 28  # characters that are shown of a name

Size = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, with what it says to those who cannot see it."""

    title: str
    desc: str
    size: Size
    body: str
    note: str = ""  # below the title

    def headed(self) -> Picture:
        """Return it with its title above it."""
        width, height = self.size
        down = 54 if self.note else 34
        title = shortened(self.title, int(width / 9))
        head = text(8, 20, title, "head") + text(8, 40, self.note, "small soft")
        body = f'{head}<g transform="translate(0 {down})">{self.body}</g>'
        return replace(self, size=(width, height + down), body=body)

    def element(self, *, inner: str = "") -> str:
        """Return it as an element of a page that has `STYLE`."""
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="img"><title>{_safe(self.title)}</title>'
            f"<desc>{_safe(self.desc)}</desc>{inner}{self.body}</svg>"
        )

    def file(self) -> str:
        """Return it as a file of its own, with its title, on a ground in the theme's colour."""
        ground = '<rect class="back" width="100%" height="100%"/>'
        return self.headed().element(inner=f"<style>{STYLE}</style>{ground}") + "\n"

    def page(self) -> str:
        """Return it as a page that needs nothing else."""
        title, desc = _safe(self.title), _safe(self.desc)
        return _PAGE.format(title=title, desc=desc, style=STYLE, element=self.element())


def beside(pictures: Sequence[Picture], *, title: str) -> Picture:
    """Return pictures as one, from left to right, each with its title."""
    parts, x, height = [], 0.0, 0.0
    for picture in (picture.headed() for picture in pictures):
        parts.append(f'<g transform="translate({x:g} 0)">{picture.body}</g>')
        x, height = x + picture.size[0] + 20, max(height, picture.size[1])
    desc = " ".join(f"{picture.title}: {picture.desc}" for picture in pictures)
    return Picture(title, desc, (x, height), "".join(parts))


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from 0 to `end`; a logarithmic one is of the value and 1, so that 0 has a place."""

    label: str
    end: float = 1.0
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, from 0 to 1."""
        return math.log1p(value) / math.log1p(self.end) if self.is_log else value / self.end

    def ticks(self) -> list[float]:
        """Return round numbers along the axis."""
        if self.is_log:
            return [0.0, *(10.0**power for power in range(math.floor(math.log10(self.end)) + 1))]
        step = 10 ** math.floor(math.log10(self.end / 4))
        step = next(step * factor for factor in (1, 2, 5, 10) if step * factor * 5 >= self.end)
        return [step * number for number in range(int(self.end / step) + 1)]


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart, or a point by itself."""

    name: str
    points: Sequence[tuple[float, float]]
    place: int  # among all series: its colour, dash and shape
    intervals: Sequence[tuple[float, float]] = ()  # upwards, of each point
    breaks: Collection[int] = ()  # places of points that no line leads to
    band: Sequence[tuple[float, float]] = ()  # around a line, at each point
    weight: Literal["plain", "strong", "faint"] = "plain"  # a faint one has no marks


def chart(
    series: Sequence[Series],
    *,
    title: str,
    across: Axis,
    up: Axis,
    rules: Sequence[float] = (),
    moments: Sequence[tuple[float, str]] = (),
    are_named: bool = True,
    size: Size = (460, 310),
) -> Picture:
    """Return a chart.

    Args:
        series: the lines and points.
        title: what it shows.
        across: the axis from left to right.
        up: the axis upwards.
        rules: heights with a dotted line across.
        moments: values with an upright dotted line, and its label.
        are_named: each series has its name at its end.
        size: in pixels.
    """
    lines = [one.name for one in series if len(one.points) > 1 and are_named]
    room = max((_wide(shortened(name, _NAME)) + 46 for name in lines), default=_RIGHT)
    plot = _Plot(across, up, size[0] - room, size[1] - _BOTTOM)
    parts, taken = plot.frame(), list[Box]()
    parts += [_path("rule", f"M{_LEFT} {plot.y(rule):.1f}H{plot.right}") for rule in rules]
    for value, label in moments:
        parts.append(_path("rule", f"M{plot.x(value):.1f} {_TOP}V{plot.bottom}"))
        parts.append(_label(label, plot.x(value), _TOP + 8, taken, size, away=4))
    parts += [plot.band(one) for one in series if one.band]  # below all lines
    for number, one in enumerate(series):
        parts += plot.drawn(one, number / len(series), taken)
    for one in sorted(series, key=lambda one: -one.points[-1][1]) if are_named else ():
        x, y = plot.x(one.points[-1][0]), plot.y(one.points[-1][1])
        is_line = len(one.points) > 1
        end, key = (plot.right, one.place) if is_line else (x, None)
        parts.append(_label(one.name, end, y, taken, size, key=key))
    ends = [(one.name, dict.fromkeys((one.points[0][1], one.points[-1][1]))) for one in series]
    said = "; ".join(f"{name}: {' to '.join(f'{y:.2f}' for y in ys)}" for name, ys in ends)
    return Picture(title, f"{up.label}, over {across.label}. {said}.", size, "".join(parts))


@dataclass(frozen=True, slots=True)
class NetNode:
    """A node of a net; its place is from 0 to 1 in both directions."""

    name: str
    at: tuple[float, float]
    place: int  # of its colour
    label: str = ""
    radius: float = 7


@dataclass(frozen=True, slots=True)
class NetEdge:
    """An edge between two nodes of a net, by their numbers."""

    start: int
    end: int
    name: str = ""
    place: int | None = None  # of its colour; None: a pale one


def net(
    nodes: Sequence[NetNode],
    edges: Sequence[NetEdge],
    *,
    title: str,
    desc: str,
    size: Size = (1000, 700),
) -> Picture:
    """Return a net. Labels stand where there is room; each name is read by resting the pointer on it."""
    at = [(50 + node.at[0] * (size[0] - 100), 30 + node.at[1] * (size[1] - 60)) for node in nodes]
    parts, taken, middles = list[str](), list[Box](), list[tuple[float, float]]()
    for edge in edges:
        (x1, y1), (x2, y2) = at[edge.start], at[edge.end]
        kind = "edge" if edge.place is None else f"line s{edge.place % 7}"
        parts.append(_path(kind, f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}", _hint(edge.name)))
        middles.append(((x1 + x2) / 2, (y1 + y2) / 2))
    for node, (x, y) in zip(nodes, at, strict=True):
        r = node.radius
        circle = f'<circle class="mark s{node.place % 7}" cx="{x:.0f}" cy="{y:.0f}" r="{r:g}">'
        parts.append(f"{circle}{_hint(node.name)}</circle>")
        taken.append((x - r, y - r, x + r, y + r))
    for node, (x, y) in zip(nodes, at, strict=True):
        parts.append(_label(node.label, x, y, taken, size, away=node.radius + 4))
    for edge, (x, y) in zip(edges, middles, strict=True):
        parts.append(_label(edge.name, x, y, taken, size, away=0, is_needed=False))
    return Picture(title, desc, size, "".join(parts))


def spring(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return places from 0 to 1, of nodes with an edge near each other; always the same.

    Fruchterman and Reingold 1991, with a weak pull to the middle.
    """
    import numpy as np

    rounds, ideal = 150, 0.9 / math.sqrt(max(1, count))
    at = np.random.default_rng(0).random((count, 2))
    ends = np.array(edges, dtype=int).reshape(-1, 2)
    for turn in range(rounds):
        apart = at[:, None] - at[None]
        push = ideal**2 / ((apart**2).sum(2) + 1e-9)
        move = (apart * push[:, :, None]).sum(1) - (at - 0.5) / 2
        reach = at[ends[:, 0]] - at[ends[:, 1]]
        pull = reach * np.linalg.norm(reach, axis=1, keepdims=True) / ideal
        np.subtract.at(move, ends[:, 0], pull)
        np.add.at(move, ends[:, 1], pull)
        length = np.linalg.norm(move, axis=1, keepdims=True) + 1e-9
        at += move / length * np.minimum(length, 0.1 * (1 - turn / rounds) + 0.001)
    least, span = at.min(axis=0, initial=1), np.maximum(np.ptp(at, axis=0), 1e-9) if count else 1
    return [(float(x), float(y)) for x, y in (at - least) / span]


def text(x: float, y: float, words: str, kind: str = "", *, anchor: str = "start") -> str:
    """Return words at a place; `kind` is of small, soft and head."""
    at = f'class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {at}>{_safe(words)}</text>" if words else ""


def legend_key(place: int | None) -> str:
    """Return what a page's legend shows of a series, or of a rule, as an element."""
    key = _path("rule", "M-19 0H19") if place is None else _sample(place, 0, 0, 19)
    return f'<svg class="picture" viewBox="-20 -8 40 16" width="40" height="16" aria-hidden="true">{key}</svg>'


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where values lie in a chart."""

    across: Axis
    up: Axis
    right: float
    bottom: float

    def x(self, value: float) -> float:
        return _LEFT + self.across.share(value) * (self.right - _LEFT)

    def y(self, value: float) -> float:
        return self.bottom - self.up.share(value) * (self.bottom - _TOP)

    def frame(self) -> list[str]:
        parts = [_path("axis", f"M{_LEFT} {_TOP}V{self.bottom}H{self.right}")]
        for tick in self.up.ticks():
            y = self.y(tick)
            parts.append(_path("grid", f"M{_LEFT} {y:.1f}H{self.right}"))
            parts.append(text(_LEFT - 6, y + 4.5, _tick(tick), anchor="end"))
        for tick in self.across.ticks():
            x = self.x(tick)
            parts.append(_path("axis", f"M{x:.1f} {self.bottom}v5"))
            parts.append(text(x, self.bottom + 19, _tick(tick), anchor="middle"))
        middle = (_LEFT + self.right) / 2
        parts.append(text(middle, self.bottom + 40, self.across.label, anchor="middle"))
        turned = f"translate(14 {(_TOP + self.bottom) / 2}) rotate(-90)"
        label = text(0, 0, self.up.label, anchor="middle")
        return [*parts, f'<g transform="{turned}">{label}</g>']

    def band(self, one: Series) -> str:
        """Return the band around a line, broken where that is."""
        places = [(self.x(x), self.y(low), self.y(high))
                  for (x, _), (low, high) in zip(one.points, one.band, strict=True)]  # fmt: skip
        starts = sorted({0, *one.breaks, len(places)})
        path = ""
        for start, end in pairwise(starts):
            its = places[start:end]
            ring = [(x, high) for x, _, high in its] + [(x, low) for x, low, _ in reversed(its)]
            path += "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z"
        return _path(f"band s{one.place % 7}", path)

    def drawn(self, one: Series, shift: float, taken: list[Box]) -> list[str]:
        """Return a series. Where lines lie on each other, marks shifted apart show that there are several."""
        points = [(self.x(x), self.y(y)) for x, y in one.points]
        parts = [_line(one, points)]
        for (x, _), (start, end) in zip(points, one.intervals, strict=False):
            low, high = self.y(start), self.y(end)
            parts.append(_path(f"line s{one.place % 7}", f"M{x:.1f} {low:.1f}V{high:.1f}"))
            taken.append((x - 2, high, x + 2, low))
        step = max(1, len(points) // _MARKS)
        marked = points[int(shift * step) :: step] if one.weight != "faint" else []
        if len(points) == 1:
            taken += [(x - 6, y - 6, x + 6, y + 6) for x, y in marked]
        return parts + [_mark(one.place, x, y) for x, y in marked]


def _line(series: Series, points: Sequence[tuple[float, float]]) -> str:
    starts = {0, *series.breaks}
    path = "".join(
        f"{'M' if n in starts else 'L'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points)
    )
    dash = "" if series.weight == "faint" else _DASHES[series.place % len(_DASHES)]
    return _path(f"line {series.weight} s{series.place % 7}", path, dash=dash)


def _sample(place: int, x: float, y: float, reach: float) -> str:
    """Return a short piece of a series, with one mark."""
    return _line(Series("", (), place), [(x - reach, y), (x + reach, y)]) + _mark(place, x, y)


def _path(kind: str, path: str, inner: str = "", *, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path class="{kind}"{dashes} d="{path}">{inner}</path>'


def _mark(place: int, x: float, y: float) -> str:
    shape = _SHAPES[place % len(_SHAPES)]
    return f'<path class="mark s{place % 7}" transform="translate({x:.1f} {y:.1f})" d="{shape}"/>'


def _label(
    words: str, x: float, y: float, taken: list[Box], size: Size,
    *, away: float = 9, key: int | None = None, is_needed: bool = True,
) -> str:  # fmt: skip
    """Return words near a point, and take their place: one where nothing lies yet, if there is one.

    Words that are not needed are left out where there is none. With the `key` of a line they stand to the
    right of it, behind a sample of it.
    """
    if not words:
        return ""
    words = shortened(words, _NAME)
    wide, indent = _wide(words), 0 if key is None else 34
    ends = {"start": x + away + indent, "middle": x, "end": x - away}
    if key is None:
        spots = [("start", 0), ("end", 0), ("middle", away + 8), ("middle", -away - 8)]
        spots += [(side, n) for n in (15, -15, 30, -30, 45, -45) for side in ("start", "end")]
    else:
        spots = [("start", sign * 15 * n) for n in range(20) for sign in (1, -1)]
    boxes: list[Box] = []
    for anchor, down in spots:
        left = ends[anchor] - wide * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        boxes.append((left - indent, y + down - 7, left + wide, y + down + 7))
    first = next((n for n, box in enumerate(boxes) if _is_free(box, taken, size)), None)
    if first is None and not is_needed:
        return ""
    box, anchor = boxes[first or 0], spots[first or 0][0]
    taken.append(box)
    sample = "" if key is None else _sample(key, box[0] + 14, box[1] + 7, 14)
    kind = "small" if is_needed else "small soft"
    return sample + text(ends[anchor], box[1] + 11, words, kind, anchor=anchor)


def _is_free(box: Box, taken: Sequence[Box], size: Size) -> bool:
    left, top, right, bottom = box
    return left >= 0 and top >= 0 and right <= size[0] and bottom <= size[1] and not any(
        left < other[2] and other[0] < right and top < other[3] and other[1] < bottom for other in taken
    )  # fmt: skip


def _wide(words: str) -> float:
    """Return about how wide small words are, in pixels."""
    return sum(7.6 if ord(letter) < 0x1100 else 12.5 for letter in words)


def _tick(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _hint(name: str) -> str:
    return f"<title>{_safe(name)}</title>" if name else ""


def _safe(words: str) -> str:
    return html.escape(visible(words))
