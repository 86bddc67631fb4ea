"""Which adapter a prompt is for, chosen by a linear selector, and what is left of a record that it unlearns.

    python benchmarks/choosing.py                      # with words and letter groups alone, seconds
    python benchmarks/choosing.py --encoder minilm     # a minute

Two adapters of a made-up company, one of 60 facts and one of 40 lessons, and their general rows, which are the bare
model's. Asked are the held-out wordings of both, 24 plain general questions, and questions about a passage of SQuAD. No
adapter is trained: what is measured is the choice alone. Then ten records are forgotten, and the selector is compared
with one that never saw them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from consolidation import reading_probes
from parts import company
from parts.results import machine, save, table, wilson

from agentcl import Memory
from agentcl.consolidation import (
    BARE,
    GENERAL,
    AdapterSelector,
    TrainingRow,
    rows_of,
    select,
)
from agentcl.consolidation.rows.rehearsing import general_prompts
from agentcl.memory.adapters.choosing import best_of
from agentcl.retrieval import Encoder, open_encoder
from agentcl.store import Statement

_SHARE: Final = 0.25
_FORGOTTEN: Final = 10
_READING: Final = 200


def main() -> None:
    """Learn, choose, forget, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="hashing")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="with squad/ in it"
    )
    given = parser.parse_args()
    result = measured(given.encoder, given.data)
    table(
        ["asked", "right", "of"],
        [[name, *map(str, one[:2])] for name, one in result["chosen"].items()],
    )
    print(result["forgotten"])
    save(f"choosing-{given.encoder}", result)


def measured(encoder: str, data: Path) -> dict[str, Any]:
    """Return what was chosen, and what forgetting left."""
    rows = _rows()
    opened = open_encoder(encoder)
    selector = _learned(opened, rows)
    asked = {
        **{
            f"held-out wordings of {name}": (
                name,
                [row.prompt for row in own if row.split == "held"],
            )
            for name, own in rows.items()
        },
        "general questions": (BARE, [one.prompt for one in GENERAL]),
        "questions about a passage": (
            BARE,
            [
                one.prompt
                for one in reading_probes(data / "squad" / "squad2-dev-A.json.gz", _READING)
            ],
        ),
    }
    chosen = {
        name: _share([one == wanted for one in selector.choose(prompts)])
        for name, (wanted, prompts) in asked.items()
    }
    return {
        "machine": machine("numpy"),
        "encoder": encoder,
        "rows": {name: sum(row.split == "train" for row in own) for name, own in rows.items()},
        "chosen": chosen,
        "rule": _by_rule(opened, rows, asked),
        "forgotten": _forgotten(opened, selector, rows),
    }


def _by_rule(
    encoder: Encoder,
    rows: Mapping[str, Sequence[TrainingRow]],
    asked: Mapping[str, tuple[str, Sequence[str]]],
) -> dict[str, Any]:
    """Return how often the right one answers as the proxy and `Agent` choose: from the narrowest scope's only by a margin."""
    kept = {
        name: [row for row in own if row.part in ("recall", "use", "act", "general")]
        for name, own in rows.items()
    }
    selector = _learned(encoder, kept)
    scores = {name: selector.scores(prompts) for name, (_, prompts) in asked.items()}
    return {
        narrowest: {
            name: _share([best_of(one, narrowest) == wanted for one in scores[name]])
            for name, (wanted, _) in asked.items()
        }
        for narrowest in rows
    }


def _rows() -> dict[str, list[TrainingRow]]:
    """Return the rows of both adapters, with general ones: none is drawn for both."""
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
        company.live(memory, company.facts(60), company.lessons(40))
        selection = select(memory)
        rows = rows_of(memory, selection)
        facts = {one.record.id for one in selection.chosen if isinstance(one.record, Statement)}
    found = {
        "facts": [row for row in rows if row.records[0] in facts],
        "lessons": [row for row in rows if row.records[0] not in facts],
    }
    prompts = iter(general_prompts(1000))
    for own in found.values():
        learned = sum(row.split == "train" for row in own)
        own += [
            TrainingRow((), "general", "train", next(prompts), "")
            for _ in range(round(learned * _SHARE / (1 - _SHARE)))
        ]
    return found


def _learned(encoder: Encoder, rows: Mapping[str, Sequence[TrainingRow]]) -> AdapterSelector:
    selector = AdapterSelector(encoder)
    for name, own in rows.items():
        selector.learn(name, own)
    return selector


def _forgotten(
    encoder: Encoder, selector: AdapterSelector, rows: Mapping[str, Sequence[TrainingRow]]
) -> dict[str, Any]:
    """Forget some records; compare with a selector that never saw them."""
    gone = sorted({id for row in rows["facts"] for id in row.records})[:_FORGOTTEN]
    began = time.perf_counter()
    out = sum(selector.forget(id) for id in gone)
    after = selector.weights()
    spent = time.perf_counter() - began
    left = {
        name: [row for row in own if not set(row.records) & set(gone)] for name, own in rows.items()
    }
    began = time.perf_counter()
    never = _learned(encoder, left).weights()
    return {
        "records": len(gone),
        "rows": out,
        "difference": float(np.abs(after - never).max()),
        "forget_s": spent,
        "anew_s": time.perf_counter() - began,
    }


def _share(right: Sequence[bool]) -> list[float]:
    """Return right, cases, and the interval in percent."""
    low, high = wilson(sum(right), len(right))
    return [sum(right), len(right), 100 * low, 100 * high]


if __name__ == "__main__":
    main()
