"""The demo's picture: the corpus as a net of linked documents, one recall lit up in it, and the scores."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from agentcl import Recall
from agentcl.text import svg

COLOURS = {"text": 6, "dense": 0, "hybrid": 1}
NAMES = {"text": "by words", "dense": "by vector", "hybrid": "hybrid"}
_LINK = re.compile(r"\]\(([a-z0-9-]+)\.md\)")
_LIT, _PALE = COLOURS["hybrid"], 6


def draw(corpus: Path, recall: Recall, scores: Mapping[str, Mapping[str, float]]) -> str:
    """Return the picture as SVG."""
    parts = [_net(corpus, recall), _answers(recall, scores)]
    return svg.beside(parts, title="A memory, and what one question finds in it").file()


def _net(corpus: Path, recall: Recall) -> svg.Picture:
    """Return the documents and their links. Those that were found are lit, the best largest and with names."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted(corpus.glob("*.md"))}
    number = {name: place for place, name in enumerate(texts)}
    links = {(n, number[other]) for n, text in enumerate(texts.values())
             for other in _LINK.findall(text) if other in number}  # fmt: skip
    ranks: dict[str, int] = {}
    for place, hit in enumerate(recall.hits, start=1):
        ranks.setdefault(str(hit.uri), place)
    nodes = []
    for name, at in zip(number, svg.spring(len(number), sorted(links)), strict=True):
        rank = ranks.get(name)
        if rank is None:
            nodes.append(svg.NetNode(name, at, _PALE, radius=4))
        else:
            label = f"{rank}. {name}" if rank <= 5 else ""
            nodes.append(svg.NetNode(name, at, _LIT, label, radius=15 - min(rank, 10)))
    found = {number[name] for name in ranks if name in number}
    edges = [svg.NetEdge(a, b, place=_LIT if {a, b} <= found else None) for a, b in sorted(links)]
    title = f"{len(nodes)} documents and their links"
    return svg.net(nodes, edges, title=title, desc=recall.query, size=(760, 720))


def _answers(recall: Recall, scores: Mapping[str, Mapping[str, float]]) -> svg.Picture:
    """Return the best hits of the question, and how often each mode found what was asked for."""
    parts, y = [], 10
    for line in textwrap.wrap(recall.query, 44):
        parts.append(svg.text(8, y := y + 20, line))
    y += 10
    for rank, hit in enumerate(recall.hits[:5], start=1):
        why = " + ".join(f"{part.source} {part.contribution:.2f}" for part in hit.parts)
        parts.append(svg.text(8, y := y + 24, f"{rank}. {hit.title}"))
        parts.append(svg.text(24, y := y + 16, why, "small soft"))
    parts.append(svg.text(8, y := y + 50, "Found among the first five", "head"))
    for kind in next(iter(scores.values())):
        parts.append(svg.text(8, y := y + 30, f"{kind} questions"))
        for mode, shares in scores.items():
            y, width = y + 22, max(1.0, 200 * shares[kind])
            parts.append(
                f'<rect class="mark s{COLOURS[mode]}" x="8" y="{y - 12}" width="{width:.0f}" height="15"/>'
            )
            parts.append(svg.text(width + 16, y, f"{shares[kind]:.0%} {NAMES[mode]}", "small soft"))
    return svg.Picture("One question", recall.query, (380, y + 20), "".join(parts))
