"""Whether an adapter forgets: records are forgotten, and it is trained anew without them.

    python benchmarks/models.py smollm2-135m
    OMP_NUM_THREADS=1 python benchmarks/unlearning.py          # some 10 minutes of one processor

Each fact is asked for in held-out wordings, and as a choice between its value and three others of the same attribute,
where chance is a quarter: the mean log-probability of their tokens decides. *Forgotten* are some facts, *neighbours* the
others about the same people and services, and *others* the rest. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from consolidation import consolidated, kept, paired
from parts import company
from parts.results import CACHE, machine, save, table, wilson
from parts.talking import Talker

from agentcl import Memory
from agentcl.consolidation import Probe, Recipe
from agentcl.consolidation.general import is_said
from agentcl.consolidation.rows.phrasing import questions_of, train_and_held

_CHOICES: Final = 4
_GROUPS: Final = ("forgotten", "neighbours", "others")


def main() -> None:
    """Train, forget, train anew, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--facts", type=int, default=16, help="a multiple of 4, up to 60")
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()
    folder = CACHE / "unlearning" / f"{Path(given.base).name}-{given.facts}-{given.steps}"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(steps=given.steps, batch=4, learning_rate=2e-3)
    with Memory(folder / "memory", encoder="hashing") as memory:
        result = measured(memory, given.base, company.facts(given.facts), recipe, folder)
    _show(result)
    save("unlearning", result)


def measured(
    memory: Memory, base: str, said: Sequence[company.SaidFact], recipe: Recipe, folder: Path
) -> dict[str, Any]:
    """Return what was known before and after, from what is kept where it is there."""
    kept(folder / "wanted.json", lambda: company.live(memory, list(said), []))
    # One in four facts is forgotten: the first of every other subject.
    forgotten = [n for n in range(len(said)) if n % 8 in (0, 1)]
    of = [_group(n, forgotten, said) for n in range(len(said))]
    known = {"base": kept(folder / "base.json", lambda: _asked(Talker(base), said))}
    seconds: dict[str, float] = {}
    gone: dict[str, Any] = {}
    for name in ("all", "without"):
        if name == "without":
            gone = kept(
                folder / "receipt.json", lambda: _forget(memory, [said[n] for n in forgotten])
            )
        file, spent = folder / f"{name}.json", folder / f"{name}-seconds.json"
        if not file.exists():
            began = time.monotonic()
            adapter = consolidated(memory, base, recipe, is_anew=name == "without")
            took = time.monotonic() - began
            kept(spent, partial(float, took))
            weights = memory.adapters.folder(adapter.name)
            kept(file, partial(_asked, Talker(base, weights), said))
        known[name], seconds[name] = kept(file, dict), kept(spent, float)
    return {
        "machine": machine("torch", "transformers", "peft"),
        "base": base,
        "facts": len(said),
        "steps": recipe.steps,
        "batch": recipe.batch,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "chance": 100 / _CHOICES,
        "groups": {name: of.count(name) for name in _GROUPS},
        "known": {arm: _by_group(found, of) for arm, found in known.items()},
        "unchanged": {
            name: {
                how: paired(
                    _only(known["all"][how], of, name), _only(known["without"][how], of, name)
                )
                for how in ("chosen", "told")
            }
            for name in ("neighbours", "others")
        },
        "seconds": seconds,
        "receipt": gone,
    }


def _group(place: int, forgotten: Sequence[int], said: Sequence[company.SaidFact]) -> str:
    if place in forgotten:
        return "forgotten"
    subjects = {said[n].subject for n in forgotten}
    return "neighbours" if said[place].subject in subjects else "others"


def _asked(talker: Talker, said: Sequence[company.SaidFact]) -> dict[str, list[list[bool]]]:
    """Return for each fact and each held-out wording whether it is chosen, and whether it is told."""
    probes = [
        Probe(question, one.value, tuple(_others(one, said)))
        for one in said
        for question in train_and_held(questions_of(one.subject, one.attribute))[1]
    ]
    replies = talker.say([one.prompt for one in probes])
    told = [is_said(one.answer, reply) for one, reply in zip(probes, replies, strict=True)]
    chosen = talker.prefers(probes)
    size = len(probes) // len(said)
    cut = range(0, len(probes), size)
    return {
        "chosen": [chosen[at : at + size] for at in cut],
        "told": [told[at : at + size] for at in cut],
    }


def _others(one: company.SaidFact, said: Sequence[company.SaidFact]) -> list[str]:
    """Return other values of the same attribute: of the whole company, so that there are enough."""
    values = {
        other.value
        for other in company.facts(60)
        if other.attribute == one.attribute and other.value != one.value
    }
    return Random(f"{one}").sample(sorted(values), _CHOICES - 1)


def _forget(memory: Memory, said: Sequence[company.SaidFact]) -> dict[str, Any]:
    """Forget facts; return what the receipt and the disk say of it."""
    adapters = memory.adapters
    (before,) = [one for one in adapters.list() if one.state != "revoked"]
    began = time.monotonic()
    for one in said:
        for held in memory.statements.list(subject=one.subject, all=True):
            if held.attribute == one.attribute:
                memory.forget(held.id)
    spent = time.monotonic() - began
    return {
        "records": len(said),
        "state": adapters.get(before.name).state,
        "is_on_disk": adapters.folder(before.name).exists(),
        "seconds": spent,
    }


def _only(found: Sequence[Sequence[bool]], of: Sequence[str], group: str) -> list[bool]:
    return [one for asked, name in zip(found, of, strict=True) if name == group for one in asked]


def _by_group(found: Mapping[str, Any], of: Sequence[str]) -> dict[str, Any]:
    """Return by group and way of asking: right, cases, and Wilson's interval in percent."""
    shares: dict[str, Any] = {}
    for group in _GROUPS:
        shares[group] = {}
        for how in ("chosen", "told"):
            right = _only(found[how], of, group)
            low, high = wilson(sum(right), len(right))
            shares[group][how] = [sum(right), len(right), 100 * low, 100 * high]
    return shares


def _show(result: dict[str, Any]) -> None:
    table(
        ["adapter", *(f"{group}, {how}" for group in _GROUPS for how in ("chosen", "told"))],
        [
            [
                arm,
                *(
                    f"{by[g][how][0]}/{by[g][how][1]}"
                    for g in _GROUPS
                    for how in ("chosen", "told")
                ),
            ]
            for arm, by in result["known"].items()
        ],
    )
    print(f"unchanged: {result['unchanged']}\nseconds: {result['seconds']}\n{result['receipt']}")


if __name__ == "__main__":
    main()
