"""Charts for the page, as SVG that follows the page's light and dark colours."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agentcl.bench.report.estimates import Estimate
from agentcl.bench.report.records import ArmLine
from agentcl.bench.report.scores import evenly
from agentcl.bench.report.summary import Summary
from agentcl.bench.report.tables import BOUNDS, key_bounds
from agentcl.bench.report.words import name

# Okabe and Ito's colours, which colour-blind readers tell apart; yellow, too pale on white, is left out.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#e69f00", "#56b4e9", "#6b6b6b")
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "14 4")
# Shapes around (0, 0), as paths.
_SHAPES: Final = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0",
    "M-4-4H4V4H-4Z",
    "M0-5.2L5 3.8H-5Z",
    "M0-5.6L5 0L0 5.6L-5 0Z",
    "M0 5.2L5-3.8H-5Z",
    "M-4.6-2.2L-2.2-4.6L0-2.4L2.2-4.6L4.6-2.2L2.4 0L4.6 2.2L2.2 4.6L0 2.4L-2.2 4.6L-4.6 2.2L-2.4 0Z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
)
_WIDTH: Final = 460
_HEIGHT: Final = 310
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 48
_MARKS: Final = 8  # of a curve
_LINE: Final = 14  # between two labels
_WIDE: Final = (
    30  # from this ratio of the greatest to the least cost on, their scale is logarithmic
)


@dataclass(frozen=True, slots=True)
class Dot:
    """An arm by what it cost and what it reached."""

    arm: str
    cost: float
    reached: Estimate


def learning_chart(summary: Summary) -> str:
    """Return the learning curves, or nothing without episodes."""
    curves = [line for line in summary.curves if line.scores]
    if not curves:
        return ""
    most = max(line.numbers[-1] for line in curves) + 1
    ticks = _ticks(most)
    parts = [_frame(ticks, "episode of the stream", "score", lambda tick: tick / most)]
    parts += [
        f'<path class="bound" d="M{_LEFT} {_y(value):.1f}H{_WIDTH - _RIGHT}"/>'
        for value in key_bounds(summary) or ()
    ]
    places = {line.arm: place for place, line in enumerate(summary.arms)}
    for line in curves:
        place = places[line.arm]
        points = [
            (_x((n + 1) / most), _y(score))
            for n, score in zip(line.numbers, line.scores, strict=True)
        ]
        path = _path(line.numbers, points)
        parts.append(f'<path class="line s{place % 7}" {_dash(place)} d="{path}"/>')
        # Where curves lie on each other, marks at other places show that there are several.
        shift = place * len(points) // (_MARKS * max(1, len(curves)))
        marked = [points[min(p + shift, len(points) - 1)] for p in evenly(len(points), _MARKS)]
        parts += [_mark(place, x, y) for x, y in marked]
    return _svg("Learning curves: score over the episodes of the stream", parts)


def cost_chart(summary: Summary, *, what: str) -> str:
    """Return cost against success or score ("success", "score"), or nothing if no cost is known."""
    label, dots = dots_of(summary, what=what)
    if not any(dot.cost for dot in dots):
        return ""
    most = max(dot.cost for dot in dots)
    is_wide = is_wide_scale(dots)
    end = most * 1.05
    powers = [0.0, *(10.0**power for power in range(math.floor(math.log10(end)) + 1))]
    ticks = powers if is_wide else _ticks(end)

    def place_of(cost: float) -> float:
        return math.log10(1 + cost) / math.log10(1 + end) if is_wide else cost / end

    across = f"{label}, logarithmic" if is_wide else label
    parts = [_frame(ticks, across, what, place_of)]
    labelled: list[tuple[float, float]] = []
    for dot in sorted(dots, key=lambda dot: -dot.reached.mean):
        place = next(p for p, line in enumerate(summary.arms) if line.arm == dot.arm)
        x, y = _x(place_of(dot.cost)), _y(dot.reached.mean)
        if dot.reached.low is not None and dot.reached.high is not None:
            low, high = _y(dot.reached.low), _y(dot.reached.high)
            parts.append(f'<path class="whisker s{place % 7}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(_mark(place, x, y))
        parts.append(_label(dot.arm, x, y, labelled))
    return _svg(f"Cost against {what}: {label}", parts)


def dots_of(summary: Summary, *, what: str) -> tuple[str, list[Dot]]:
    """Return what the cost is, and a dot for each arm.

    The cost is the model's tokens; where no model was asked, what memory put into the prompt; the time
    where there is neither.
    """
    lines = summary.arms
    choices: list[tuple[str, list[float | None]]] = [
        ("tokens of the model, each", [line.tokens for line in lines]),
        ("memory tokens in the prompt, each", [line.memory_tokens for line in lines]),
        ("milliseconds, each", [line.wall_s.mean * 1000 if line.wall_s else None for line in lines]),
    ]  # fmt: skip
    noun = "question" if summary.are_questions else "episode"
    for label, costs in choices:
        if any(costs):
            dots = [
                Dot(line.arm, cost, reached)
                for line, cost in zip(lines, costs, strict=True)
                if cost is not None and (reached := _reached(line, what)) is not None
            ]
            return label.replace("each", f"for each {noun}"), dots
    return "", []


def is_wide_scale(dots: Sequence[Dot]) -> bool:
    """Return whether costs need a logarithmic scale."""
    positive = [dot.cost for dot in dots if dot.cost > 0]
    return bool(positive) and max(positive) > max(10, _WIDE * min(positive))


def _label(arm: str, x: float, y: float, labelled: list[tuple[float, float]]) -> str:
    """Return a dot's name beside it, below those of dots that lie in its place."""
    is_right = x > _WIDTH * 0.7
    at = y + 5
    while any(abs(at - other) < _LINE and abs(x - left) < _WIDTH / 4 for left, other in labelled):
        at += 1
    labelled.append((x, at))
    return (
        f'<text class="note" x="{x - 9 if is_right else x + 9:.1f}" y="{at:.1f}" '
        f'text-anchor="{"end" if is_right else "start"}">{html.escape(name(arm)[:24])}</text>'
    )


def legend(summary: Summary) -> str:
    """Return the legend of every chart, in HTML, so that its text wraps and never shrinks."""
    arms = [line.arm for line in summary.arms]
    items = "".join(
        f'<li><svg viewBox="-20 -8 40 16" width="40" height="16" aria-hidden="true">'
        f'<path class="line s{place % 7}" {_dash(place)} d="M-19 0H19"/>{_mark(place, 0, 0)}</svg>'
        f"{html.escape(name(arm))}</li>"
        for place, arm in enumerate(arms)
    )
    for label, value in zip(BOUNDS, key_bounds(summary) or (), strict=False):
        items += (
            '<li><svg viewBox="-20 -8 40 16" width="40" height="16" aria-hidden="true">'
            f'<path class="bound" d="M-19 0H19"/></svg>{label}: {value:.2f}</li>'
        )
    return f'<ul class="legend">{items}</ul>'


def _reached(line: ArmLine, what: str) -> Estimate | None:
    return line.success if what == "success" else line.score


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(title)}">{"".join(parts)}</svg>'
    )


def _frame(ticks: Sequence[float], across: str, up: str, place_of: Callable[[float], float]) -> str:
    """Return the axes: scores from 0 to 1 upwards, and the ticks across."""
    bottom, middle = _HEIGHT - _BOTTOM, (_LEFT + _WIDTH - _RIGHT) / 2
    parts = []
    for score in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(score)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4.5:.1f}" text-anchor="end">{score:g}</text>')
    for tick in ticks:
        x = _x(place_of(tick))
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom}v5"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{_tick(tick)}</text>'
        )
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>')
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{across}</text>')
    place = f"translate(14 {(_TOP + bottom) / 2}) rotate(-90)"
    parts.append(f'<text transform="{place}" text-anchor="middle">{up} (0 to 1)</text>')
    return "".join(parts)


def gaps(numbers: Sequence[int]) -> list[int]:
    """Return the places before which episodes are left out, such as tests; lines are broken there."""
    steps = [after - before for before, after in pairwise(numbers)]
    usual = min(steps, default=1)
    # Where a curve is thinned out, its steps differ by one; and an episode may have failed.
    return [place for place, step in enumerate(steps, start=1) if step > 2 * usual + 1]


def _path(numbers: Sequence[int], points: Sequence[tuple[float, float]]) -> str:
    starts = {0, *gaps(numbers)}
    return "".join(
        f"{'M' if place in starts else 'L'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(points)
    )


def _mark(place: int, x: float, y: float) -> str:
    shape = _SHAPES[place % len(_SHAPES)]
    return f'<path class="mark s{place % 7}" transform="translate({x:.1f} {y:.1f})" d="{shape}"/>'


def _dash(place: int) -> str:
    dash = DASHES[place % len(DASHES)]
    return f'stroke-dasharray="{dash}"' if dash else ""


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(score: float) -> float:
    return _HEIGHT - _BOTTOM - score * (_HEIGHT - _TOP - _BOTTOM)


def _tick(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _ticks(most: float) -> list[float]:
    """Return some four round numbers from 0 to at most `most`."""
    step = 10 ** math.floor(math.log10(most / 4)) if most > 0 else 1.0
    step = next(step * factor for factor in (1, 2, 5, 10) if step * factor * 5 >= most)
    return [step * number for number in range(int(most / step) + 1)]
