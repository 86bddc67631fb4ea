"""Facts that override each other, after MemoryAgentBench's FactConsolidation: the split where memories fail.

    python benchmarks/fact_consolidation.py [--peer mem0=PYTHON] [--bm25-model FOLDER]

Numbered facts arrive, some of which override earlier ones; afterwards questions over one, two and three
facts are asked. Every arm finds five facts for a question, the reader is shown those of them that no later
one among them overrides, and the reference model reads. It cannot do three hops, whatever it is shown:
there only what was recalled says something.
"""

from __future__ import annotations

import argparse
from typing import Any

from results import machine, save, table
from runs import finished, gain, mean

from agentcl.bench.folder import RunFolder
from agentcl.bench.rows import Row

ARMS = ("none", "last-5", "bm25", "dense", "ours", "graph")
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
        metavar="ARM=PYTHON",
        help="mem0, langmem, lightrag, hipporag",
    )
    parser.add_argument("--bm25-model", help='a folder with the files of "Qdrant/bm25", for mem0')
    arguments = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    arms = [*ARMS, *peers]
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
            "memory": {"arms": arms, "encoder": "minilm", "options": options},
        },
    )
    rows = {arm: _measured(folder, arm) for arm in arms}
    for measure in ("exact", "recall"):
        print(f"\n{'exactly right' if measure == 'exact' else 'evidence among five'}, %")
        table(
            ["arm", *CATEGORIES],
            [
                [arm, *(f"{100 * one[c][measure]:.1f}" for c in CATEGORIES)]
                for arm, one in rows.items()
            ],
        )
    save(
        "fact_consolidation",
        {
            "machine": machine("torch", "transformers", "sentence-transformers"),
            "settings": {"facts": arguments.facts, "questions": arguments.questions, "seeds": arguments.seeds},
            "model": folder.about["model"],
            "is_frozen": folder.about["fingerprint before"] == folder.about["fingerprint after"],
            "arms": rows,
            "ours against": {arm: gain(folder, "ours", arm) for arm in arms if arm != "ours"},
            "arms as they were": folder.about["arms"],
        },
    )  # fmt: skip


def _measured(folder: RunFolder, arm: str) -> dict[str, Any]:
    kinds: dict[str, list[Row]] = {category: [] for category in CATEGORIES}
    for row in folder.rows(arm):
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
