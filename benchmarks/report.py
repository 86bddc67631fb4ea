"""Write the measured tables into the README and the pages of results, from `results/*.json` alone.

    python benchmarks/report.py

Text between `<!-- measured: NAME -->` and `<!-- end -->` is replaced; the suite checks that the pages are
up to date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tables import (
    asking,
    compression,
    consolidation,
    graph,
    guidance,
    holding,
    joining,
    postgres,
    proxy,
    runs,
)
from tables.cells import result, table

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "results").glob("*.md")))
_IN_README = ("spoken", "solved", "wrong", "locomo", "facts", "install", "add", "torture")
_MARKED = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def retrieval() -> str:
    """Recall on the real corpora."""
    rows = []
    for row in result("retrieval")["rows"]:
        cells = [f"{row[f'recall@{depth}'][0]:.1f}" for depth in (1, 2, 5, 10, 20)]
        low, high = row["recall@5"][1:]
        cells[2] = f"**{cells[2]}** [{low:.0f}, {high:.0f}]"
        rows.append(
            [f"{row['corpus']} ({row['documents']:,})", row["mode"], *cells, f"{row['all_gold_in_5'][0]:.1f}"]
        )  # fmt: skip
    depths = ["recall@1", "recall@2", "recall@5 [95%]", "recall@10", "recall@20"]
    return table(["corpus (documents)", "ranking", *depths, "all gold in 5"], rows)


def startup() -> str:
    """What an install costs."""
    found = result("startup")
    ours = found["rows"]["agentcl"]["import_s"]
    rows = [
        [name, str(row["packages"]), f"{row['mb']:.0f}", f"{row['import_s'] / ours:.1f}"]
        for name, row in found["rows"].items()
        if name != "empty"
    ]
    return table(["", "packages", "MB of the environment", "import time, agentcl = 1"], rows)


def editors() -> str:
    """The door for editors."""
    found = result("mcp_clients")
    cold, crowd, here = found["cold"], found["crowd"], found["recall"]["in process"]
    rows = [
        [
            name,
            *(f"{row[cut]:.1f}" for cut in ("p5_ms", "p50_ms", "p95_ms")),
            *(f"{row[cut] - here[cut]:+.1f}" for cut in ("p5_ms", "p50_ms")),
        ]
        for name, row in found["recall"].items()
    ]
    header = ["a recall", "p5, ms", "p50, ms", "p95, ms", "more than in process, p5", "p50"]
    return (
        f"{table(header, rows)}\n"
        f"From a cold start the list of tools takes {cold['tools_s']:.1f} s, and a first recall {cold['recall_s']:.1f} s (the "
        f"fastest {cold['fastest_recall_s']:.1f} s).\n\n"
        f"{crowd['clients']} clients wrote into one folder, and {crowd['kills']} servers were killed: {crowd['acknowledged']} "
        f"notes acknowledged, {crowd['stored']} stored, {crowd['lost']} lost, {crowd['refused']} refused.\n\n"
        f"The machine had {found['machine']['processors']} processors and other work: a load of {found['load']:.0f} when it began.\n"
    )


def writes() -> str:
    """Adding one by one."""
    found = result("writes")
    rows = [
        [name, f"{found['mean_ms'][name]:.2f}", f"{ratio:.1f}"]
        for name, ratio in found["ratio"].items()
    ]
    return table(["", "mean ms of one durable add", "agentcl = 1"], rows)


def vector_search() -> str:
    """Dense search beside Chroma and brute force."""
    rows = []
    for label, race in result("vector_search")["races"].items():
        for name, row in race.items():
            rows.append([label, name, f"{row['p50_ms']:.2f}", f"{row['recall@10']:.4f}"])
    return table(["vectors", "", "p50 ms", "recall@10"], rows)


def fulltext() -> str:
    """FTS5 and tantivy."""
    found = result("fulltext")
    names = list(next(iter(found["rows"].values()))["recall@5"])
    rows = [
        [
            engine,
            *(f"{row['recall@5'][name]:.1f} ({row['ms'][name]:.2f} ms)" for name in names),
            f"{row['ms']['many']:.2f} ms",
        ]
        for engine, row in found["rows"].items()
    ]
    return table(["", *(f"recall@5 {name}" for name in names), f"{found['texts']:,} texts"], rows)


def blocks() -> str:
    """Tokens of a prompt's block, beside those of its texts alone."""
    rows = result("prompt_block")["rows"]
    counters = list(dict.fromkeys(row["counter"] for row in rows))
    shapes: dict[str, list[str]] = {}
    for row in rows:
        shapes.setdefault(row["shape"], []).append(f"{row['block']:,} ({row['ratio']:.2f})")
    return table(["", *counters], [[shape, *cells] for shape, cells in shapes.items()])


def torture() -> str:
    """The long torture."""
    row = result("torture")
    return (
        f"{row['workers']} processes of {row['threads']} threads, {row['kills']} kills, {row['acknowledged']:,} acknowledged changes, "
        f"{row['records_checked']:,} records checked afterwards: {row['lost']} lost.\n"
    )


def forgetting() -> str:
    """How long `forget` takes, and how long it holds up others."""
    rows = [
        [
            f"{one['megabytes']:.0f} MB",
            name,
            f"{row['seconds']:.1f}",
            f"{row['add_ms']:.0f}",
            f"{row['search_ms']:.0f}",
        ]
        for one in result("forget")["sizes"]
        for name, row in one["spans"].items()
    ]
    header = ["folder", "beside it", "s", "longest add, ms", "longest search, ms"]
    return table(header, rows)


def gates() -> str:
    """The reference model's gates."""
    rows = []
    for score in result("reference_model")["scores"]:
        limit = "" if score["limit"] is None else f"{100 * score['limit']:.0f}"
        if score["name"] in ("action, no guidance", "action, misleading guidance"):
            limit = "chance"
        rows.append(
            [
                score["name"],
                f"{100 * score['value']:.1f}",
                f"{100 * score['low']:.1f} to {100 * score['high']:.1f}",
                str(score["count"]),
                limit,
                f"{100 * score['without_context']:.1f}",
                ("yes" if score["is_passed"] else "**no**") if limit else "",
            ]
        )
    return table(["", "%", "95 %", "n", "gate", "without context, or chance", "passed"], rows)


def _trained(training: Mapping[str, Any]) -> str:
    run, before = training["progress"], training.get("before")
    part = f"{run['tokens'] / 1e6:.1f} million tokens in {run['seconds'] / 60:.0f} minutes"
    if before:
        return f"{_trained(before)}, then {part}"
    return f"{part}, on {training['machine']}"


def made() -> str:
    """What the shipped weights are."""
    found = result("reference_model")
    training = found["training"]
    preset = training["preset"]
    parts = [
        f"{found['parameters'] / 1e6:.1f} million parameters: {preset['layers']} layers, "
        f"{preset['width']} wide, {preset['heads']} heads, {preset['vocabulary']:,} tokens of vocabulary",
        f"{found['mib']:.1f} MiB in bfloat16, loaded in {found['load_s']:.2f} s, numpy included",
        f"made by the preset `{training['name']}`: {_trained(training)}",
        f"context {preset['context']:,} tokens; trained on conversations of up to "
        f"{preset['longest']:,} tokens",
        f"fingerprint equal before and after the gates: {'yes' if found['is_frozen'] else 'NO'}",
    ]
    return "".join(f"- {part}\n" for part in parts)


def summary() -> str:
    """The README's table: the few claims that say most."""
    claims = _claims()
    chosen = [claims[name] for name in _IN_README]
    linked = [[*row[:3], f"[{row[3]}](benchmarks/{row[3]})"] for row in chosen]
    return table(["measured", "agentcl", "compared with", "script"], linked)


def overview() -> str:
    """All claims, one line each."""
    rows = [[*row[:3], f"`{row[3]}`"] for row in _claims().values()]
    return table(["measured", "agentcl", "compared with", "script"], rows)


def _claims() -> dict[str, list[str]]:
    """Return by name what was measured, ours, what it is compared with, and the script."""
    start, write, vectors = result("startup"), result("writes"), result("vector_search")
    full, torn = result("fulltext"), result("torture")
    races = list(vectors["races"].values())
    published, walks = result("graph_published"), result("pagerank")["sizes"][:2]
    hybrid = {row["corpus"]: row for row in result("retrieval")["rows"] if row["mode"] == "hybrid"}
    parts = {
        name: max(
            row["recall@5"][0]
            for row in result("retrieval")["rows"]
            if row["corpus"] == name and row["mode"] in ("BM25", "dense")
        )
        for name in hybrid
    }
    walked = {row["corpus"]: row for row in result("retrieval")["rows"] if row["mode"] == "graph"}
    import_ratio = start["import_ratio"]

    def times(race: dict[str, Any], ours: str, theirs: str) -> str:
        return f"{race[theirs]['p50_ms'] / race[ours]['p50_ms']:.1f}"

    return {
        "install": [
            "base install",
            f"{start['rows']['agentcl']['packages']} packages, {start['rows']['agentcl']['mb']:.0f} MB",
            "; ".join(
                f"{name}: {start['rows'][name]['packages']} packages, {start['rows'][name]['mb']:.0f} MB, "
                f"import {ratio:.0f} times slower"
                for name, ratio in import_ratio.items()
            ),
            "startup.py",
        ],
        "hybrid": [
            "recall@5, hybrid search (BM25 and MiniLM)",
            "; ".join(f"{name}: {row['recall@5'][0]:.1f}" for name, row in hybrid.items()),
            "the better of the two alone: "
            + ", ".join(f"{parts[name]:.1f}" for name in hybrid),
            "retrieval.py",
        ],
        "graph": [
            'recall@5, with `mode="graph"`, no model but MiniLM',
            "; ".join(f"{name}: {row['recall@5'][0]:.1f}" for name, row in walked.items()),
            "hybrid: " + ", ".join(f"{hybrid[name]['recall@5'][0]:.1f}" for name in walked),
            "retrieval.py",
        ],
        "facts": [
            "recall@5, GPT-3.5 facts imported",
            f"MuSiQue-train dev50: {published['recall']['agentcl, graph']['5']:.1f}",
            f"HippoRAG 2's published code: {published['recall']['HippoRAG 2, published']['5']:.1f}",
            "graph_published.py",
        ],
        **runs.highlights(),
        **guidance.highlights(),
        **asking.highlights(),
        **consolidation.highlights(),
        "index": [
            "indexing, adding one passage, nothing encoded",
            "1",
            f"HippoRAG 2's published code: {published['ratio']['index']:.1f} and "
            f"{published['ratio']['one more passage']:.0f} times the processor time",
            "graph_published.py",
        ],
        "pagerank": [
            "Personalized PageRank at " + " and ".join(f"{w['nodes']:,}" for w in walks) + " nodes",
            " and ".join(f"{w['contenders']['agentcl, compiled']['ms']:.2f}" for w in walks) + " ms",
            "igraph PRPACK "
            + " and ".join(
                f"{w['contenders']['igraph PRPACK']['ms'] / w['contenders']['agentcl, compiled']['ms']:,.0f}"
                for w in walks
            )
            + " times slower",
            "pagerank.py",
        ],
        "add": [
            "durable add, one by one",
            f"{write['mean_ms']['agentcl']:.2f} ms",
            ", ".join(f"{name} {write['ratio'][name]:.1f} times slower" for name in ("Chroma", "mem0"))
            + f"; a bare SQLite commit {write['mean_ms']['bare commit']:.2f} ms",
            "writes.py",
        ],
        "dense": [
            "dense search of 10,000",
            f"{races[0]['agentcl']['p50_ms']:.2f} ms with text and reasons, "
            f"{races[0]['agentcl, ids only']['p50_ms']:.2f} ms ids only",
            f"Chroma {times(races[0], 'agentcl', 'Chroma')} and "
            f"{times(races[0], 'agentcl, ids only', 'Chroma, ids only')} times slower; with a filter "
            f"{times(races[1], 'agentcl', 'Chroma')} and "
            f"{times(races[1], 'agentcl, ids only', 'Chroma, ids only')}",
            "vector_search.py",
        ],
        "many": [
            "dense search of 100,000, ids only",
            f"{races[2]['agentcl, ids only']['p50_ms']:.2f} ms at recall@10 "
            f"{races[2]['agentcl, ids only']['recall@10']:.3f}",
            f"numpy brute force {times(races[2], 'agentcl, ids only', 'numpy brute force')} times slower",
            "vector_search.py",
        ],
        "text": [
            "full text of 100,000",
            f"{full['rows']['FTS5, frequent-term cut']['ms']['many']:.1f} ms",
            f"without the cut {full['rows']['FTS5, every term']['ms']['many']:.0f} ms; "
            f"tantivy {full['rows']['tantivy, our terms']['ms']['many']:.1f} ms",
            "fulltext.py",
        ],
        "torture": [
            "`kill -9` while writing",
            f"{torn['lost']} of {torn['acknowledged']:,} acknowledged changes lost",
            f"{torn['kills']} kills",
            "torture.py",
        ],
    }  # fmt: skip


PARTS: dict[str, Callable[[], str]] = {
    **graph.PARTS,
    "summary": summary,
    "overview": overview,
    "retrieval": retrieval,
    "joining": joining.joining,
    "joining_paired": joining.joining_paired,
    "joining_depths": joining.joining_depths,
    "joining_halves": joining.joining_halves,
    "joining_graph": joining.joining_graph,
    "identifiers": joining.identifiers,
    "extraction": joining.extraction,
    "extraction_contexts": joining.extraction_contexts,
    "extraction_read": joining.extraction_read,
    "startup": startup,
    "editors": editors,
    "writes": writes,
    "vectors": vector_search,
    "libraries": joining.libraries,
    "ann_sizes": joining.ann_sizes,
    "shared": postgres.shared_writes,
    "walls": postgres.walls,
    "fulltext": fulltext,
    "torture": torture,
    "blocks": blocks,
    "forgetting": forgetting,
    "gates": gates,
    "made": made,
    "holding": holding.holding,
    "holding_kinds": holding.holding_kinds,
    "holding_statements": holding.holding_statements,
    "holding_parts": holding.holding_parts,
    "aims": holding.aims,
    "locomo_turns": holding.locomo_turns,
    "second_look": holding.second_look,
    "conversing": holding.conversing,
    "tidying": holding.tidying,
    "learning": runs.learning,
    "leak": runs.leak,
    "practice": runs.practice,
    "consolidation": runs.consolidation,
    "locomo": runs.locomo,
    "locomo_paired": runs.locomo_paired,
    "overhead": runs.overhead,
    "domains": runs.domains,
    "points": runs.points,
    "excytin": runs.excytin,
    "credit": runs.credit,
    "sharing": runs.sharing,
    "following": asking.following,
    "tuned": asking.tuned,
    "written": asking.written,
    "edited": asking.edited,
    "outcomes": asking.outcomes,
    "serving": asking.serving,
    "desk": asking.desk,
    "clin": asking.clin,
    "consolidation_gates": consolidation.gates,
    "demonstrations": asking.demonstrations,
    "state_bench": asking.state_bench,
    "other_probes": asking.other_probes,
    "fuzz": runs.fuzz,
    "guidance": guidance.guidance,
    "matching": guidance.matching,
    "alike": guidance.alike,
    "nearest": guidance.as_nearest,
    "sameness": guidance.sameness,
    "alarms": guidance.alarms,
    "checking": guidance.checking,
    "guidance_bars": guidance.guidance_bars,
    "transfer": guidance.transfer,
    "signs": guidance.signs,
    "ablations": guidance.ablations,
    "supervision": guidance.supervision,
    "elsewhere": guidance.elsewhere,
    "hostile": guidance.hostile,
    "shifts": guidance.shifts,
    "engine": guidance.engine,
    **compression.PARTS,
    **consolidation.PARTS,
    **proxy.PARTS,
}


def filled(text: str) -> str:
    """Return a page with its measured parts replaced."""
    return _MARKED.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def main() -> None:
    """Rewrite the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")
        print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
