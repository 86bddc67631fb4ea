"""The charts of a report: scores over the stream, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from agentcl.bench.report.summary import Summary
from agentcl.bench.report.tables import key_bounds
from agentcl.bench.report.words import name
from agentcl.text.svg import Axis, Picture, Series, chart

# From this ratio of the greatest to the least cost on, their scale is logarithmic.
_WIDE: Final = 30
BANDS: Final = "Bands: from the lowest to the highest seed"


def learning_chart(summary: Summary, *, are_named: bool = False) -> Picture | None:
    """Return the learning curves; None without episodes."""
    places = {line.baseline: place for place, line in enumerate(summary.baselines)}
    curves = [line for line in summary.curves if line.scores]
    if not curves:
        return None
    picture = chart(
        [
            Series(
                name(line.baseline),
                [(n + 1, score) for n, score in zip(line.numbers, line.scores, strict=True)],
                places[line.baseline],
                breaks=gaps(line.numbers),
                band=line.band,
            )
            for line in curves
        ],
        title=f"Learning curves: mean of the last {curves[0].window} episodes and of the seeds",
        across=Axis("episode of the stream", max(line.numbers[-1] for line in curves) + 1),
        up=Axis("score (0 to 1)"),
        rules=key_bounds(summary) or (),
        are_named=are_named,
        size=(620 if are_named else 460, 310),
    )
    has_bands = any(line.band for line in curves)
    return replace(picture, note=BANDS if has_bands else "")


def cost_charts(summary: Summary) -> list[Picture]:
    """Return cost against success and against score, as far as both are known.

    The cost is the model's tokens; where no model was asked, what memory put into the prompt; the time
    where there is neither.
    """
    lines = summary.baselines
    choices: list[tuple[str, list[float | None]]] = [
        ("tokens of the model", [line.tokens for line in lines]),
        ("memory tokens in the prompt", [line.memory_tokens for line in lines]),
        ("milliseconds", [line.wall_s.mean * 1000 if line.wall_s else None for line in lines]),
    ]
    label, costs = next(((label, costs) for label, costs in choices if any(costs)), ("", []))
    noun = "question" if summary.are_questions else "episode"
    pictures = []
    for what in ("success", "score"):
        dots = []
        for place, (line, cost) in enumerate(zip(lines, costs, strict=False)):
            reached = line.success if what == "success" else line.score
            if cost is None or reached is None:
                continue
            low, high = reached.low, reached.high
            intervals = [] if low is None or high is None else [(low, high)]
            dots.append(Series(name(line.baseline), [(cost, reached.mean)], place, intervals))
        known = [dot.points[0][0] for dot in dots if dot.points[0][0] > 0]
        if known:
            is_log = max(known) > max(10, _WIDE * min(known))
            across = f"{label}, for each {noun}{', logarithmic' if is_log else ''}"
            axis = Axis(across, max(known) * 1.05, is_log)
            title = f"Cost against {what}"
            pictures.append(chart(dots, title=title, across=axis, up=Axis(f"{what} (0 to 1)")))
    return pictures


def gaps(numbers: Sequence[int]) -> list[int]:
    """Return the places before which episodes are left out, such as tests; lines are broken there."""
    steps = [after - before for before, after in pairwise(numbers)]
    usual = min(steps, default=1)
    # Where a curve is thinned out, its steps differ by one; and an episode may have failed.
    return [place for place, step in enumerate(steps, start=1) if step > 2 * usual + 1]
