"""The charts as PNG pictures, through matplotlib."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentcl.bench.report.charts import COLOURS, dots_of, gaps, is_wide_scale
from agentcl.bench.report.summary import Summary
from agentcl.bench.report.tables import BOUNDS, key_bounds
from agentcl.bench.report.words import name
from agentcl.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES: Final = ("curves.png", "costs.png", "transfer.png")
_MARKERS: Final = ("o", "s", "^", "D", "v", "X", "P")
_LINES: Final = ("-", "--", ":", "-.", (0, (10, 3)))
_DPI: Final = 150


def write_pictures(folder: Path, summary: Summary) -> list[Path]:
    """Write the pictures that a run has something for, and return their paths.

    Raises:
        MissingExtra: if matplotlib is not installed.
        OSError: if the folder cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("pictures of a report", "bench") from error
    written = []
    for file, draw in zip(PICTURES, (_curves, _costs, _transfer), strict=True):
        figure = Figure(layout="constrained")
        if not draw(figure, summary):
            continue
        with warnings.catch_warnings():
            # A letter that its font lacks is drawn as a box.
            warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
            figure.savefig(folder / file, dpi=_DPI)
        written.append(folder / file)
    return written


def _curves(figure: Figure, summary: Summary) -> bool:
    curves = [line for line in summary.curves if line.scores]
    if not curves:
        return False
    figure.set_size_inches(7.5, 4.2)
    axes = figure.add_subplot()
    for line in curves:
        place = _place(summary, line.arm)
        starts = [0, *gaps(line.numbers), len(line.numbers)]
        for number, (start, stop) in enumerate(pairwise(starts)):
            axes.plot(
                [n + 1 for n in line.numbers[start:stop]], line.scores[start:stop], color=_colour(place),
                linestyle=_LINES[place % len(_LINES)], marker=_MARKERS[place % len(_MARKERS)],
                markevery=(place % (stop - start), max(1, len(line.scores) // 8)),
                label="_" if number else _label(line.arm),
            )  # fmt: skip
    for label, value, style in zip(BOUNDS, key_bounds(summary) or (), (":", "--"), strict=False):
        axes.axhline(value, color="#808080", linestyle=style, label=f"{label}: {value:.2f}")
    axes.set_xlabel("episode of the stream")
    axes.set_ylabel("score (0 to 1)")
    axes.set_title(f"Mean of the last {curves[0].window} episodes and of the seeds", fontsize=9)
    _finish(figure, axes)
    return True


def _costs(figure: Figure, summary: Summary) -> bool:
    label, dots = dots_of(summary, what="success")
    if not dots:
        return False
    figure.set_size_inches(9, 4)
    for column, what in enumerate(("success", "score"), start=1):
        axes = figure.add_subplot(1, 2, column)
        label, dots = dots_of(summary, what=what)
        for dot in dots:
            place = _place(summary, dot.arm)
            low, high = dot.reached.low, dot.reached.high
            reach = None
            if low is not None and high is not None:
                reach = [[dot.reached.mean - low], [high - dot.reached.mean]]
            axes.errorbar(dot.cost, dot.reached.mean, yerr=reach, color=_colour(place), linestyle="none",
                          marker=_MARKERS[place % len(_MARKERS)], capsize=3, label=_label(dot.arm))  # fmt: skip
        if dots and is_wide_scale(dots):
            axes.set_xscale("symlog", linthresh=1)
        axes.set_xlabel(label)
        axes.set_ylabel(f"{what} (0 to 1)")
        _scale(axes)
    _finish(figure, axes)
    return True


def _transfer(figure: Figure, summary: Summary) -> bool:
    lines = summary.transfer
    if not lines:
        return False
    columns = min(3, len(lines))
    rows = math.ceil(len(lines) / columns)
    figure.set_size_inches(4 * columns, 3.2 * rows)
    for place, line in enumerate(lines, start=1):
        axes = figure.add_subplot(rows, columns, place)
        scores = [[math.nan if s is None else s for s in row] for row in line.matrix]
        axes.imshow(scores, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        families = [name(family)[:20] for family in line.families]
        axes.set_xticks(range(len(families)), families, parse_math=False, fontsize=8, rotation=20)
        stages = ["none", *families]
        axes.set_yticks(range(len(stages)), stages, parse_math=False, fontsize=8)
        axes.set_title(name(line.arm), parse_math=False, fontsize=10)
        axes.set_xlabel("tested on", fontsize=9)
        axes.set_ylabel("after training on", fontsize=9)
        for stage, row in enumerate(line.matrix):
            for task, score in enumerate(row):
                if score is not None:
                    axes.text(task, stage, f"{score:.2f}", ha="center", va="center", fontsize=8,
                              color="white" if score > 0.6 else "black")  # fmt: skip
    return True


def _finish(figure: Figure, axes: Axes) -> None:
    _scale(axes)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
    )


def _scale(axes: Axes) -> None:
    axes.set_ylim(-0.03, 1.05)
    axes.grid(alpha=0.3)


def _place(summary: Summary, arm: str) -> int:
    return next(place for place, line in enumerate(summary.arms) if line.arm == arm)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _label(arm: str) -> str:
    return name(arm).replace("$", r"\$")
