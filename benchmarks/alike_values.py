"""Which values are the same in other words: how surely words and an encoder tell.

    python benchmarks/alike_values.py [--people 300] [--encoder minilm]

Pairs of values of one attribute come from the made conversations. Two *differ* if their gold statements do. Two are the
*same* if rules read them from turns of one gold statement, or one is the gold value and the other one what rules or a
question have for it. The threshold has to lie above every pair that differs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from parts.kept_vectors import KeptVectors
from parts.results import machine, save

from agentcl import ANY, Memory
from agentcl.envs import holding_histories
from agentcl.envs.questions.histories import History
from agentcl.statements import RuleDigester
from agentcl.statements.alike import is_same_by_words, may_be_same
from agentcl.statements.slots import attribute_key, value_key

AT = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def pairs_of(history: History, memory: Memory) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return pairs of values of one attribute of a person that are the same, and that differ."""
    of_slot: dict[str, list[Any]] = defaultdict(list)
    for gold in history.statements:
        if gold.kind != "event":
            of_slot[f"{gold.subject} {attribute_key(gold.attribute)}"].append(gold)
    differ = {
        (one.value, other.value)
        for held in of_slot.values()
        for one, other in combinations(held, 2)
        if value_key(one.value) != value_key(other.value)
    }
    same = set()
    messages = {
        turn.id: turn.message for turn in (
            turn for one in memory.conversations.list(user=history.id, limit=1000)
            for turn in memory.conversations.turns(one.id, user=history.id)
        )
    }  # fmt: skip
    for one in memory.statements.list(user=history.id, valid_at=ANY):
        turns = {messages[source] for source in one.sources}
        for gold in history.statements:
            said = turns & set(gold.turns)
            is_value = value_key(gold.value) in value_key(one.value) or value_key(
                one.value
            ) in value_key(gold.value)
            if said and is_value and value_key(gold.value) != value_key(one.value):
                same.add((gold.value, one.value))
    for asked in history.questions:
        for gold in history.statements:
            if asked.kind == "instruction" and gold.value.endswith(asked.answer):
                same.add((gold.value, asked.answer))
    return same, differ


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--encoder", default="minilm")
    arguments = parser.parse_args()
    same: set[tuple[str, str]] = set()
    differ: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory() as scratch, Memory(
        Path(scratch) / "m", encoder="hashing", durability="normal"
    ) as memory:  # fmt: skip
        for history in holding_histories(arguments.people, seed=0):
            for session in history.sessions:
                said = [
                    {"role": t.role, "content": t.content, "time": t.time, "id": t.id}
                    for t in session.turns
                ]
                memory.remember(said, user=history.id, session=session.id)
            memory.statements.digest(RuleDigester(), user=history.id)
            found = pairs_of(history, memory)
            same |= found[0]
            differ |= found[1]
    encoder = KeptVectors(arguments.encoder)
    values = sorted({value for pair in same | differ for value in pair})
    packed = encoder.encode(values, role="passage")
    vectors = dict(
        zip(values, np.frombuffer(b"".join(packed), "<f4").reshape(len(values), -1), strict=True)
    )
    rows = {}
    for name, pairs in (("same", same), ("differ", differ)):
        by_words = [is_same_by_words(*pair) for pair in pairs]
        rest = [pair for pair, is_same in zip(pairs, by_words, strict=True) if not is_same]
        cosines = [(_cosine(vectors, pair), pair) for pair in rest]
        may_be = [cosine for cosine, pair in cosines if may_be_same(*pair)]
        rows[name] = {
            "pairs": len(pairs), "by words": sum(by_words), "only add words": len(may_be),
            "by cosine alone": {f">= {at}": sum(one >= at for one, _ in cosines) for at in AT},
            "that only add words": {f">= {at}": sum(one >= at for one in may_be) for at in AT},
            "nearest": [(round(cosine, 3), *pair) for cosine, pair in sorted(cosines, reverse=True)[:12]],
        }  # fmt: skip
        print(name, rows[name])
    save("alike_values", {"machine": machine(), "encoder": encoder.name, **rows})


def _cosine(vectors: dict[str, Any], pair: tuple[str, str]) -> float:
    one, other = (vectors[value] for value in pair)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


if __name__ == "__main__":
    main()
