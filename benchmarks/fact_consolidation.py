"""Facts that override each other, after MemoryAgentBench's FactConsolidation: the split where memories fail.

    python benchmarks/fact_consolidation.py [--peer mem0=PYTHON] [--bm25-model FOLDER]

Numbered facts arrive, some of which override earlier ones; afterwards questions over one, two and three
facts are asked. Every baseline finds five facts for a question, the reader is shown those of them that no later
one among them overrides, and the reference model reads. It cannot do three hops, whatever it is shown:
there only what was recalled says something.
"""

from __future__ import annotations

import argparse
from typing import Any

from parts.results import machine, save, table
from parts.runs import finished, gain, mean

from agentcl.bench.folder import RunFolder
from agentcl.bench.rows import ResultRow

BASELINES = ("none", "last-5", "bm25", "dense", "ours", "graph")
CATEGORIES = ("unchanged", "single-hop", "two-hop", "three-hop")


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=200)
    parser.add_argument("--questions", type=int, default=25, help="of each kind")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="BASELINE=PYTHON",
        help="mem0, langmem, lightrag, hipporag",
    )
    parser.add_argument("--bm25-model", help='a folder with the files of "Qdrant/bm25", for mem0')
    arguments = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    baselines = [*BASELINES, *peers]
    options = {peer: {"python": python} for peer, python in peers.items()}
    if "mem0" in peers and arguments.bm25_model:
        options["mem0"]["bm25_model"] = arguments.bm25_model
    folder = finished(
        "fact-consolidation",
        {
            "seeds": list(range(arguments.seeds)),
            "questions": {
                "source": "fact-consolidation",
                "options": {"facts": arguments.facts, "questions": arguments.questions},
                "is_newest_shown": True,
            },
            "agent": {"name": "model"},
            "memory": {"baselines": baselines, "encoder": "minilm", "options": options},
        },
    )
    rows = {baseline: _measured(folder, baseline) for baseline in baselines}
    for measure in ("exact", "recall"):
        print(f"\n{'exactly right' if measure == 'exact' else 'evidence among five'}, %")
        table(
            ["baseline", *CATEGORIES],
            [
                [baseline, *(f"{100 * one[c][measure]:.1f}" for c in CATEGORIES)]
                for baseline, one in rows.items()
            ],
        )
    save(
        "fact_consolidation",
        {
            "machine": machine("torch", "transformers", "sentence-transformers"),
            "settings": {"facts": arguments.facts, "questions": arguments.questions, "seeds": arguments.seeds},
            "model": folder.about["model"],
            "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
            "baselines": rows,
            "ours against": {baseline: gain(folder, "ours", baseline) for baseline in baselines if baseline != "ours"},
            "baselines as they were": folder.about["baselines"],
        },
    )  # fmt: skip


def _measured(folder: RunFolder, baseline: str) -> dict[str, Any]:
    kinds: dict[str, list[ResultRow]] = {category: [] for category in CATEGORIES}
    for row in folder.rows(baseline):
        kinds[row.family].append(row)
    return {
        kind: {
            "n": len(rows),
            "exact": sum(row.is_success or False for row in rows) / len(rows),
            "f1": mean(rows),
            "recall": sum(row.measures["recall"] for row in rows) / len(rows),
        }
        for kind, rows in kinds.items()
    }


if __name__ == "__main__":
    main()
