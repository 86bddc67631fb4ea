"""The demo's picture: the corpus as a net of linked documents, one recall lit up in it, and the scores.

Written as SVG by hand, so that the base install can draw it.
"""

from __future__ import annotations

import html
import math
import random
import re
from collections.abc import Mapping
from pathlib import Path

from agentcl import Recall

SIZE = 760  # pixels, of the net's square
ROUNDS = 150
COLOURS = {"text": "#9aa5b1", "dense": "#5b8def", "hybrid": "#e4572e"}
NAMES = {"text": "by words", "dense": "by vector", "hybrid": "hybrid"}
_LINK = re.compile(r"\]\(([a-z0-9-]+)\.md\)")


def draw(corpus: Path, recall: Recall, scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return the picture as SVG."""
    links = {path.stem: sorted(set(_LINK.findall(path.read_text("utf-8")))) for path in sorted(corpus.glob("*.md"))}  # fmt: skip
    places = _layout(links)
    found = {hit.uri: rank for rank, hit in reversed(list(enumerate(recall.hits, start=1)))}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE + 400} {SIZE}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fbfaf7"/>',
        *_net(links, places, found),
        *_legend(recall),
        *_bars(scores),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _layout(links: Mapping[str, list[str]]) -> dict[str, tuple[float, float]]:
    """Place linked documents near each other (Fruchterman and Reingold 1991), always in the same way."""
    rng = random.Random(0)
    names = list(links)
    x = [rng.random() for _ in names]
    y = [rng.random() for _ in names]
    position = {name: n for n, name in enumerate(names)}
    edges = [(position[a], position[b]) for a in names for b in links[a] if b in position]
    ideal = 0.9 / math.sqrt(len(names))
    for turn in range(ROUNDS):
        step = 0.1 * (1 - turn / ROUNDS) + 0.001
        dx, dy = [0.0] * len(names), [0.0] * len(names)
        for a in range(len(names)):
            for b in range(a):
                u, v = x[a] - x[b], y[a] - y[b]
                push = ideal * ideal / (u * u + v * v + 1e-9)
                dx[a] += u * push
                dy[a] += v * push
                dx[b] -= u * push
                dy[b] -= v * push
        for a, b in edges:
            u, v = x[a] - x[b], y[a] - y[b]
            pull = math.hypot(u, v) / ideal
            dx[a] -= u * pull
            dy[a] -= v * pull
            dx[b] += u * pull
            dy[b] += v * pull
        for n in range(len(names)):
            dx[n] -= (x[n] - 0.5) * 0.5
            dy[n] -= (y[n] - 0.5) * 0.5
            length = math.hypot(dx[n], dy[n]) or 1.0
            x[n] += dx[n] / length * min(length, step)
            y[n] += dy[n] / length * min(length, step)
    return dict(zip(names, zip(_spread(x), _spread(y), strict=True), strict=True))


def _spread(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    return [40 + (value - low) / (high - low) * (SIZE - 80) for value in values]


def _net(
    links: Mapping[str, list[str]],
    places: Mapping[str, tuple[float, float]],
    found: Mapping[str, int],
) -> list[str]:
    parts = []
    for name, targets in links.items():
        for target in targets:
            (x1, y1), (x2, y2) = places[name], places[target]
            is_lit = name in found and target in found
            colour, width = (COLOURS["hybrid"], 2) if is_lit else ("#d9d5cc", 1)
            parts.append(
                f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" stroke="{colour}" '
                f'stroke-width="{width}"/>'
            )
    for name, (x, y) in places.items():
        rank = found.get(name)
        colour = "#b8b2a6" if rank is None else COLOURS["hybrid"]
        radius = 4.0 if rank is None else 15 - min(rank, 10)
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="{colour}">'
            f"<title>{html.escape(name)}</title></circle>"
        )
    for name, rank in sorted(found.items(), key=lambda item: -item[1]):
        if rank <= 5:
            x, y = places[name]
            label = f"{rank}. {html.escape(name)}"
            for stroke in ('stroke="#fbfaf7" stroke-width="4"', 'stroke="none"'):  # a halo first
                parts.append(
                    f'<text x="{x + 16:.0f}" y="{y + 4:.0f}" fill="#222" {stroke}>{label}</text>'
                )
    return parts


def _legend(recall: Recall) -> list[str]:
    words, lines = recall.query.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 38:
            lines.append("")
        lines[-1] += word + " "
    parts = [f'<text x="{SIZE + 20}" y="40" font-size="16" font-weight="bold">One question</text>']
    for number, line in enumerate(lines):
        text = html.escape(line.strip())
        parts.append(f'<text x="{SIZE + 20}" y="{66 + 20 * number}">{text}</text>')
    y = 66 + 20 * len(lines) + 10
    for rank, hit in enumerate(recall.hits[:5], start=1):
        why = " + ".join(f"{part.source} {part.contribution:.2f}" for part in hit.parts)
        parts.append(
            f'<text x="{SIZE + 20}" y="{y + 22 * rank}">{rank}. {html.escape(hit.title)} '
            f'<tspan fill="#888">{html.escape(why)}</tspan></text>'
        )
    return parts


def _bars(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    left, top, width = SIZE + 20, 360, 200
    parts = [
        f'<text x="{left}" y="{top - 30}" font-size="16" font-weight="bold">Found among the first five</text>'
    ]
    y = top
    for kind in next(iter(scores.values())):
        parts.append(f'<text x="{left}" y="{y}">{html.escape(kind)} questions</text>')
        for mode, shares in scores.items():
            y += 22
            share = shares[kind]
            parts.append(
                f'<rect x="{left}" y="{y - 12}" width="{max(1.0, width * share):.0f}" height="15" '
                f'fill="{COLOURS[mode]}"/><text x="{left + width * share + 8:.0f}" y="{y}" '
                f'fill="#555">{100 * share:.0f}% {NAMES[mode]}</text>'
            )
        y += 34
    return parts
