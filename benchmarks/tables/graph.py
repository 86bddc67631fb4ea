"""The measured tables of graph search; `report.py` puts them into the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tables.cells import result, table


def graph_quality() -> str:
    """Recall of graph search beside the published code."""
    found = result("graph_published")
    depths = [str(depth) for depth in (1, 2, 5, 10, 20)]
    quality = table(
        ["MuSiQue-train dev50, GPT-3.5 facts", *(f"recall@{depth}" for depth in depths)],
        [[name, *(f"{row[d]:.1f}" for d in depths)] for name, row in found["recall"].items()],
    )
    better = ", ".join(
        f"@{depth} {mean:+.1f} [{low:+.1f}, {high:+.1f}]"
        for depth, (mean, low, high) in found["better"].items()
    )
    return (
        f"{quality}\nOur graph search against the published code, paired by question: {better}.\n"
    )


def graph_seconds() -> str:
    """Processor time of graph search beside the published code."""
    found = result("graph_published")
    theirs, ours = found["seconds"]["HippoRAG 2"], found["seconds"]["agentcl"]
    return table(
        ["processor seconds, nothing encoded", "HippoRAG 2, published", "agentcl", "ratio"],
        [[n, f"{theirs[n]:.2f}", f"{ours[n]:.3f}", f"{r:.1f}"] for n, r in found["ratio"].items()],
    )


def pagerank() -> str:
    """Personalized PageRank beside igraph."""
    return table(
        ["nodes", "edges", "agentcl, ms", "numpy alone, ms", "igraph PRPACK, ms", "igraph / agentcl",
         "best 20 that agree"],
        [
            [
                f"{row['nodes']:,}",
                f"{row['edges']:,}",
                *(f"{row['contenders'][n]['ms']:.2f}" for n in ("agentcl, compiled", "agentcl, numpy",
                                                                  "igraph PRPACK")),
                f"{row['contenders']['igraph PRPACK']['ms'] / row['contenders']['agentcl, compiled']['ms']:.0f}",
                f"{row['contenders']['agentcl, compiled']['overlap']:.3f}",
            ]
            for row in result("pagerank")["sizes"]
        ],
    )  # fmt: skip


def graph_scale() -> str:
    """How graph search grows with the memory."""
    grown = result("graph_scale")
    scale = table(
        ["passages", "texts/s", "hybrid, p50 ms", "graph, p50 ms", "one more, ms", "of that graph", "memory MB",
         "disk MB"],
        [
            [
                f"{row['passages']:,}",
                f"{row['texts_per_s']:,.0f}",
                f"{row['hybrid']['p50_ms']:.2f}",
                f"{row['graph']['p50_ms']:.2f}",
                f"{row['one_more_ms']:.1f}",
                f"{row['one_more_graph_ms']:.2f}",
                f"{row['memory_mb']:,.0f}",
                f"{sum(row['disk_mb'].values()):,.0f}",
            ]
            for row in grown["rows"]
        ],
    )  # fmt: skip
    last = grown["rows"][-1]
    return (
        f"{scale}\nThe first graph search after a start at {last['passages']:,} passages takes "
        f"{last['start_kept_s']:.1f} s with the graph kept on disk, {last['start_anew_s']:.1f} s without.\n\n"
        f"{_ten_million(grown['rows'])}"
    )


def _ten_million(rows: list[dict[str, Any]]) -> str:
    """What a hundred times the largest memory measured would need, by straight lines through the results."""
    before, last = rows[-2:]
    times = 10_000_000 / last["passages"]
    grown = last["passages"] - before["passages"]
    each_kb = 1024 * (last["memory_mb"] - before["memory_mb"]) / grown
    edges = times * last["edges"]
    return (
        f"Ten million passages were not measured. By straight lines through these results they would need:\n\n"
        f"- {edges / 1e6:,.0f} million edges, in {edges * last['bytes_per_edge'] / 2**30:.1f} GB of arrays\n"
        f"- {each_kb * 1e7 / 2**20:,.0f} GB of memory in all, or {each_kb:.1f} KB a passage: its vector, and what is known "
        "of it as Python objects, which would have to become columns\n"
        f"- {times * sum(last['disk_mb'].values()) / 1024:,.0f} GB of disk\n"
        f"- {1e7 / last['texts_per_s'] / 3600:.1f} hours to fill, and {times * last['start_kept_s'] / 60:.0f} minutes to start\n\n"
        "A walk costs the same there, and so does adding a passage.\n"
    )


def ablation() -> str:
    """What each part of graph search is worth."""
    depths = (1, 2, 5, 10, 20)
    rows = []
    for row in result("graph_ablation")["rows"]:
        cells = []
        for depth in depths:
            mean, low, high = row[f"by@{depth}"]
            by = "" if row["variant"] == "default" else f" ({mean:+.1f} [{low:+.0f}, {high:+.0f}])"
            cells.append(f"{row[f'recall@{depth}']:.1f}{by}")
        rows.append([row["variant"], *cells])
    return table(["", *(f"recall@{depth}" for depth in depths)], rows)


def paired() -> str:
    """By how much the graph is better than the other rankings."""
    rows = []
    for row in result("retrieval")["paired"]:
        cells = [
            f"{mean:+.1f} [{low:+.0f}, {high:+.0f}]"
            for mean, low, high in (row[f"recall@{depth}"] for depth in (1, 2, 5, 10, 20))
        ]
        rows.append([row["corpus"], row["mode"], row["against"], *cells])
    depths = ["@1", "@2", "@5", "@10", "@20"]
    return table(["corpus", "ranking", "against", *depths], rows)


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "graph_quality": graph_quality,
    "graph_seconds": graph_seconds,
    "pagerank": pagerank,
    "graph_scale": graph_scale,
    "ablation": ablation,
    "paired": paired,
}
