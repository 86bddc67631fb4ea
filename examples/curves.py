"""The demo's learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from agentcl.text import svg

NAMES: Final = {"guidance": "with memory", "none": "without memory"}


def draw(curves: Mapping[str, Sequence[float]], *, title: str, subtitle: str) -> str:
    """Return curves of shares, from 0 to 1, as SVG."""
    picture = svg.chart(
        [
            svg.Series(
                f"{NAMES[baseline]}: {shares[-1]:.0%}", list(enumerate(shares, start=1)), place
            )
            for place, (baseline, shares) in enumerate(curves.items())
        ],
        title=title,
        across=svg.Axis("episode", max(map(len, curves.values()))),
        up=svg.Axis("solved (0 to 1)"),
        size=(860, 360),
    )
    return replace(picture, note=subtitle).file()
