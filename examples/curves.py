"""The demo's learning curves, written as SVG by hand, so that no drawing library is needed."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

WIDTH: Final = 860
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 60, 200, 60, 50
COLOURS: Final = {"guidance": "#0072b2", "none": "#d55e00"}
NAMES: Final = {"guidance": "with memory", "none": "without memory"}


def draw(curves: Mapping[str, Sequence[float]], *, title: str, subtitle: str) -> str:
    """Return curves of shares, from 0 to 1, as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fbfaf7"/>',
        f'<text x="{LEFT}" y="26" font-size="17" font-weight="bold">{html.escape(title)}</text>',
        f'<text x="{LEFT}" y="46" fill="#666">{html.escape(subtitle)}</text>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd8cc"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{share:.0%}</text>'
        )
    most = max(map(len, curves.values()))
    for episode in range(0, most + 1, max(1, most // 6)):
        x = _x(episode / most)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#555">{episode}</text>'
        )
    for baseline, shares in curves.items():
        points = " ".join(
            f"{_x(n / most):.1f},{_y(share):.1f}" for n, share in enumerate(shares, start=1)
        )
        colour = COLOURS[baseline]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            f'<text x="{_x(1) + 10:.1f}" y="{_y(shares[-1]) + 4:.1f}" fill="{colour}">'
            f"{NAMES[baseline]}: {shares[-1]:.0%}</text>"
        )
    parts.append(f'<text x="{_x(0.5):.1f}" y="{HEIGHT - 10}" text-anchor="middle">episode</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
