"""What an adapter keeps of a memory: a made-up company's lessons and facts, consolidated into a real model.

    python benchmarks/models.py smollm2-135m
    OMP_NUM_THREADS=1 python benchmarks/consolidation.py --preset few      # some 10 minutes of one processor
    OMP_NUM_THREADS=1 python benchmarks/consolidation.py --preset small    # some 40 minutes of one processor
    OMP_NUM_THREADS=2 python benchmarks/consolidation.py                   # some 90 minutes of two processors
    python benchmarks/consolidation.py --preset smoke                      # two minutes
    python benchmarks/consolidation.py --preset gpu                        # the 0.5B, some minutes of one large GPU
    python benchmarks/consolidation.py --preset gpu --dry-run              # what that would do; loads and trains nothing

Arms: the base; told (the right record alone in the prompt); memory (what a search finds in the prompt); plain (an adapter
that learned no general rows); the adapter; the adapter with what a search finds. They answer held-out wordings. Then a
newer memory in the prompt says something else, and must win. General: 24 plain questions, whether the right answer is
said, and which of two is the more probable; the same choice in questions about a passage.

Everything is kept in `.bench/consolidation`: a run that was stopped goes on, in training too. The adapter goes the
product's way: chosen, built, trained, judged by the gate.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from parts import company
from parts.results import CACHE, machine, save, table, wilson
from parts.talking import Talker

from agentcl import Memory
from agentcl.consolidation import (
    GENERAL,
    Consolidate,
    ConsolidationWish,
    Probe,
    Recipe,
    TrainingRow,
    rows_of,
    select,
    unfinished,
)
from agentcl.consolidation.general import is_said
from agentcl.consolidation.rows.phrasing import UNKNOWN
from agentcl.guidance.evidence.belief import lesson_of
from agentcl.store import Adapter, Scope

_REMEMBERED: Final = "What is remembered:\n{memory}\n\n{question}"
_SHOWN: Final = (
    3  # statements that a search puts into a prompt, beside the lesson that speaks of it
)
_DRAWS: Final = 2000
_ARMS: Final = ("base", "told", "memory", "plain", "adapter", "adapter+memory")
_CHANGED: Final = ("spoken", "general", "reading")
_ALONE: Final = ("base", "plain", "adapter")


_LEARNED: Final = Recipe(general=0.25, schedule="cosine", precision="bfloat16", checkpoint_every=10)


@dataclass(frozen=True, slots=True)
class Preset:
    """How much is consolidated, and how."""

    base: str
    facts: int
    lessons: int
    reading: int  # general questions about a passage
    recipe: Recipe
    minutes: float  # that it takes, for the dry run
    hardware: str


PRESETS: Final = {
    "smoke": Preset(
        "smollm2-135m", 4, 2, 4, replace(_LEARNED, steps=12, batch=4, checkpoint_every=5), 3, "one processor"
    ),
    "few": Preset("smollm2-135m", 6, 4, 16, replace(_LEARNED, steps=60), 10, "one processor"),
    "small": Preset("smollm2-135m", 24, 16, 40, replace(_LEARNED, steps=160), 40, "one processor"),
    "cpu": Preset("smollm2-135m", 60, 40, 100, replace(_LEARNED, steps=440), 90, "two processors"),
    "gpu": Preset(
        "qwen2.5-coder-0.5b", 60, 40, 300, replace(_LEARNED, steps=330, batch=16, learning_rate=5e-4), 12,
        "one large GPU",
    ),
}  # fmt: skip


def main() -> None:
    """Live, train, ask, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    parser.add_argument("--base", help="another model than the preset's")
    parser.add_argument("--steps", type=int, help="another number of training steps")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="with squad/ in it"
    )
    parser.add_argument(
        "--gates", action="store_true", help="train, and say what the gate measured; ask no more"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    given = parser.parse_args()
    preset = PRESETS[given.preset]
    preset = replace(
        preset,
        base=given.base or preset.base,
        recipe=replace(preset.recipe, steps=given.steps or preset.recipe.steps),
    )
    name = given.preset if not given.base else f"{given.preset}-{Path(given.base).name}"
    folder = CACHE / "consolidation" / name
    if given.dry_run:
        _tell(preset, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with Memory(folder / "memory", encoder="hashing") as memory:
        if given.gates:
            save(f"consolidation-gates-{name}", gates(memory, preset, folder))
            return
        result = measured(memory, preset, folder, given.data)
    _show(result)
    if given.preset != "smoke":  # which learns nothing
        save(f"consolidation-{name}", result)


def gates(memory: Memory, preset: Preset, folder: Path) -> dict[str, Any]:
    """Return what the gate measured of an adapter with general rows, and of one without."""
    kept(folder / "wanted.json", partial(_lived, memory, preset))
    recipes = {"adapter": preset.recipe, "plain": replace(preset.recipe, general=0.0)}
    found = {arm: consolidated(memory, preset.base, recipe).gate for arm, recipe in recipes.items()}
    for arm, gate in found.items():
        print(f"{arm}: {gate['failed'] or 'passed'}: {gate['measured']}")
    return {
        "machine": machine("torch", "transformers", "peft"),
        "base": preset.base,
        "facts": preset.facts,
        "lessons": preset.lessons,
        "recipe": asdict(preset.recipe),
        "gates": found,
    }


def _lived(memory: Memory, preset: Preset) -> dict[str, str]:
    return company.live(memory, company.facts(preset.facts), company.lessons(preset.lessons))


def measured(memory: Memory, preset: Preset, folder: Path, data: Path) -> dict[str, Any]:
    """Return everything that was measured, from what is kept where it is there."""
    wanted = kept(folder / "wanted.json", partial(_lived, memory, preset))
    selection = select(memory)
    rows = [row for row in rows_of(memory, selection) if row.split == "held"]
    reading = reading_probes(data / "squad" / "squad2-dev-A.json.gz", preset.reading)
    base = kept(folder / "base.json", lambda: _before(preset, memory, rows, reading))
    began = time.monotonic()
    adapter = consolidated(memory, preset.base, preset.recipe)
    spent = kept(folder / "seconds.json", lambda: time.monotonic() - began)
    plain = consolidated(memory, preset.base, replace(preset.recipe, general=0.0))
    after, without = (
        kept(folder / f"{arm}.json", partial(_after, preset, memory, rows, reading, one, arm))
        for arm, one in (("adapter", adapter), ("plain", plain))
    )
    replies = {**base["replies"], **without["replies"], **after["replies"]}
    sets = _judged(rows, wanted, replies)
    return {
        "machine": machine("torch", "transformers", "peft"),
        "base": preset.base,
        "facts": preset.facts,
        "lessons": preset.lessons,
        "recipe": asdict(preset.recipe),
        "rows": {"trained": len(rows_of(memory, selection)) - len(rows), "held out": len(rows)},
        "training_s": spent,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "gate": adapter.gate,
        "sets": sets,
        "kept": _gain_kept(rows, wanted, replies),
        "tokens": {**base["tokens"], **without["tokens"], **after["tokens"]},
        "found": _found_share(memory, rows),
        **{name: paired(base[name], after[name]) for name in _CHANGED},
        "plain": {
            "gate": plain.gate,
            **{name: paired(base[name], without[name]) for name in _CHANGED},
        },
    }


def _before(
    preset: Preset, memory: Memory, rows: Sequence[TrainingRow], reading: Sequence[Probe]
) -> dict[str, Any]:
    talker = Talker(preset.base)
    recall = [row for row in rows if row.part == "recall"]
    return {
        "replies": {
            "base": talker.say([row.prompt for row in recall]),
            "told": talker.say([_with(row.prompt, [row.memory]) for row in recall]),
            "memory": talker.say([_with(row.prompt, _found(memory, row.prompt)) for row in recall]),
            **{
                f"base, {part}": talker.say([row.prompt for row in rows if row.part == part])
                for part in ("context", "unknown")
            },
        },
        "tokens": {
            "base": 0.0,
            "told": _extra(talker, recall, lambda row: [row.memory]),
            "memory": _extra(talker, recall, lambda row: _found(memory, row.prompt)),
        },
        **_general(talker, reading),
    }


def _after(
    preset: Preset,
    memory: Memory,
    rows: Sequence[TrainingRow],
    reading: Sequence[Probe],
    adapter: Adapter,
    arm: str,
) -> dict[str, Any]:
    """Ask an adapter; the one that learned no general rows is not asked with a memory in its prompt."""
    talker = Talker(preset.base, memory.adapters.folder(adapter.name))
    recall = [row for row in rows if row.part == "recall"]
    replies = {
        arm: talker.say([row.prompt for row in recall]),
        **{
            f"{arm}, {part}": talker.say([row.prompt for row in rows if row.part == part])
            for part in ("context", "unknown")
        },
    }
    tokens = {arm: 0.0}
    if arm == "adapter":
        found = [_with(row.prompt, _found(memory, row.prompt)) for row in recall]
        replies["adapter+memory"] = talker.say(found)
        tokens["adapter+memory"] = _extra(talker, recall, lambda row: _found(memory, row.prompt))
    return {"replies": replies, "tokens": tokens, **_general(talker, reading)}


def _general(talker: Talker, reading: Sequence[Probe]) -> dict[str, list[bool]]:
    said = talker.say([one.prompt for one in GENERAL])
    return {
        "spoken": [is_said(one.answer, reply) for one, reply in zip(GENERAL, said, strict=True)],
        "general": talker.prefers(GENERAL),
        "reading": talker.prefers(reading),
    }


def consolidated(memory: Memory, base: str, recipe: Recipe, *, is_anew: bool = False) -> Adapter:
    """Return the adapter of a finished job, of one that is gone on with, or of a new one.

    Args:
        memory: whose records it holds.
        base: the name of the model.
        recipe: how it is trained.
        is_anew: not the one of a finished job.
    """
    doer = Consolidate(memory)
    memory.jobs.add_kind(doer)
    wish = ConsolidationWish(base=base, recipe=recipe)
    done = [one for one in memory.jobs.list(states=["done"]) if one.spec == wish.spec()]
    job = done[-1] if done and not is_anew else unfinished(memory, wish, Scope())
    job = job or memory.jobs.enqueue(Consolidate.name, wish.spec())
    if job.state != "done":
        memory.jobs.run(job.id, progress=_progress)
    held = doer.result(job.id)
    assert held is not None
    return held


def _progress(done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        print(f"step {done} of {total}", file=sys.stderr)


def _found(memory: Memory, question: str) -> list[str]:
    """Return what a search puts into the prompt: statements, and the lesson that speaks of the situation."""
    said = [one.statement.text for one in memory.statements.search(question, limit=_SHOWN)]
    learned = [lesson_of(one.lesson).sentence() for one in memory.lessons.matching(question)[:1]]
    return [*learned, *said]


def _found_share(memory: Memory, rows: Sequence[TrainingRow]) -> float:
    recall = [row for row in rows if row.part == "recall"]
    return sum(row.memory in _found(memory, row.prompt) for row in recall) / len(recall)


def _with(question: str, lines: Sequence[str]) -> str:
    return _REMEMBERED.format(memory="\n".join(lines), question=question) if lines else question


def _extra(
    talker: Talker, rows: Sequence[TrainingRow], lines: Callable[[TrainingRow], Sequence[str]]
) -> float:
    """Return how many tokens of a prompt the memory takes, on average."""
    more = [
        talker.tokens(_with(row.prompt, lines(row))) - talker.tokens(row.prompt) for row in rows
    ]
    return sum(more) / len(more)


def _judged(
    rows: Sequence[TrainingRow], wanted: dict[str, str], replies: dict[str, list[str]]
) -> dict[str, Any]:
    """Return by set and arm how many of how many were right, with Wilson's interval."""
    recall = [row for row in rows if row.part == "recall"]
    is_lesson = [row.answer != wanted[row.records[0]] for row in recall]
    found: dict[str, Any] = {"facts": {}, "lessons": {}, "context": {}, "unknown": {}}
    for arm in _ARMS:
        right = _right(recall, wanted, replies[arm])
        for name, sort in (("facts", False), ("lessons", True)):
            found[name][arm] = _share(
                [one for one, is_one in zip(right, is_lesson, strict=True) if is_one is sort]
            )
    for arm in _ALONE:
        for part in ("context", "unknown"):
            asked = [row for row in rows if row.part == part]
            said = replies[f"{arm}, {part}"]
            found[part][arm] = _share(
                [
                    is_said(UNKNOWN if part == "unknown" else _gist(row.answer), reply)
                    for row, reply in zip(asked, said, strict=True)
                ]
            )
    return found


def _right(
    recall: Sequence[TrainingRow], wanted: dict[str, str], replies: Sequence[str]
) -> list[bool]:
    return [
        is_said(wanted[row.records[0]], reply) for row, reply in zip(recall, replies, strict=True)
    ]


def _gist(answer: str) -> str:
    """Return what must be said of a newer memory: of a lesson its advice, else the value."""
    return answer.split(", ", 1)[1] if answer.startswith("When ") else answer


def _share(right: Sequence[bool]) -> list[float]:
    """Return right, cases, and the interval in percent."""
    low, high = wilson(sum(right), len(right))
    return [sum(right), len(right), 100 * low, 100 * high]


def _gain_kept(
    rows: Sequence[TrainingRow], wanted: dict[str, str], replies: dict[str, list[str]]
) -> dict[str, list[float]]:
    """Return which share of the gain of memory in the prompt the adapter alone has: (adapter - base) / (memory - base).

    In percent, with a 95 % bootstrap interval over records, since two wordings ask for the same one.
    """
    recall = [row for row in rows if row.part == "recall"]
    scores = {arm: _right(recall, wanted, replies[arm]) for arm in _ARMS}
    by_record: dict[str, list[int]] = {}
    for place, row in enumerate(recall):
        by_record.setdefault(row.records[0], []).append(place)
    rng, ids = random.Random(0), sorted(by_record)
    found = {}
    for against in ("memory", "told"):

        def share(drawn: Sequence[str], against: str = against) -> float:
            base, best, own = (
                sum(scores[arm][place] for one in drawn for place in by_record[one])
                for arm in ("base", against, "adapter")
            )
            return 100 * (own - base) / (best - base) if best > base else float("nan")

        draws = sorted(share(rng.choices(ids, k=len(ids))) for _ in range(_DRAWS))
        cut = int(0.025 * _DRAWS)
        found[against] = [share(ids), draws[cut], draws[-cut - 1]]
    return found


def paired(before: Sequence[bool], after: Sequence[bool]) -> dict[str, Any]:
    """Return both shares in percent, and the difference with a 95 % bootstrap interval over questions."""
    rng, places = random.Random(0), range(len(before))
    each = [int(after[n]) - int(before[n]) for n in places]
    draws = sorted(sum(rng.choices(each, k=len(each))) for _ in range(_DRAWS))
    cut, scale = int(0.025 * _DRAWS), 100 / len(each)
    return {
        "questions": len(each),
        "base": scale * sum(before),
        "adapter": scale * sum(after),
        "difference": [scale * sum(each), scale * draws[cut], scale * draws[-cut - 1]],
    }


def reading_probes(file: Path, count: int) -> list[Probe]:
    """Return questions about a passage, whose other answer is that of another question about the same passage."""
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        held = json.load(opened)
    passages = [part for article in held["data"] for part in article["paragraphs"]]
    rng, found = random.Random(0), []
    for part in rng.sample(passages, len(passages)):
        asked = [one for one in part["qas"] if one["answers"]]
        answers = [one["answers"][0]["text"] for one in asked]
        if len(set(answers)) > 1 and len(part["context"]) < 700:
            other = next(text for text in answers[1:] if text != answers[0])
            prompt = f"{part['context']}\n\n{asked[0]['question']}"
            found.append(Probe(prompt, answers[0], (other,)))
        if len(found) == count:
            break
    return found


def kept(file: Path, make: Callable[[], Any]) -> Any:  # noqa: ANN401  # JSON
    """Return what a file holds, or make it and keep it there."""
    if not file.exists():
        text = json.dumps(make(), indent=1)
        file.write_text(text, "utf-8")
    return json.loads(file.read_text("utf-8"))


def _tell(preset: Preset, folder: Path) -> None:
    rows = 4 * (preset.facts + preset.lessons)
    print(
        f"{preset.facts} facts and {preset.lessons} lessons into {preset.base}: {preset.recipe.steps} steps of "
        f"{preset.recipe.batch} rows at rank {preset.recipe.rank}, twice: a share of {preset.recipe.general:.0%} general rows, "
        f"and none; about {rows} held-out answers and "
        f"{2 * (preset.reading + len(GENERAL))} general questions; some {preset.minutes:.0f} minutes of "
        f"{preset.hardware}. Kept in {folder}; the same command goes on."
    )


def _show(result: dict[str, Any]) -> None:
    table(
        ["set", *_ARMS],
        [
            [name, *(f"{by[arm][0]:.0f}/{by[arm][1]:.0f}" if arm in by else "" for arm in _ARMS)]
            for name, by in result["sets"].items()
        ],
    )
    for name in ("kept", "tokens", "found"):
        print(f"{name}: {result[name]}")
    for arm, found in (("adapter", result), ("plain", result["plain"])):
        for name in _CHANGED:
            print(f"{arm}, {name}: {found[name]}")
        print(f"{arm}, gate: {found['gate']['failed'] or 'passed'}")
    print(f"trained in {result['training_s']:.0f} s")


if __name__ == "__main__":
    main()
