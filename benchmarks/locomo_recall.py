"""Evidence recall on conversations (LoCoMo): which of the turns that answer a question are found.

    python benchmarks/locomo_recall.py --data ../shared/data/locomo

Each conversation is a memory of its own, and each turn an item, with its speaker. Every baseline has the same
items, and where it has vectors, the same encoder; no model reads or answers. mem0's store takes the turns as
they are (`infer=False`), in an environment of its own; its keyword search needs the files of "Qdrant/bm25" and
its entities a model of spaCy, which it downloads; without the first it ranks by vectors alone, and the tables
say so. Recall is the share of a question's evidence among what is found first. Category 5, the adversarial
questions, is asked apart and not in "all". Intervals are 95% by bootstrap over questions, differences are
paired. LoCoMo's licence forbids commercial use.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl.bench.baselines.base import Item
from agentcl.bench.baselines.registry import Options, open_baseline
from agentcl.envs.questions.grading import has_all_at, recall_at
from agentcl.envs.questions.locomo import ADVERSARIAL, CATEGORIES, read_locomo
from agentcl.envs.questions.records import Question, QuestionStream

sys.path.insert(0, str(Path(__file__).parent))
from graph_published import Remembered
from parts.peers import kept
from parts.recalls import SEED, Interval, interval
from parts.results import machine, save, table

FILE: Final = "locomo10-dev5.json.gz"
FAULTS: Final = "answer-key-errors-dev5.json.gz"
BASELINES: Final = ("last-10", "bm25", "dense", "ours", "graph", "mem0")
OURS: Final = ("ours", "graph")
DEPTH: Final = 10
ALL: Final = "all (1 to 4)"
APART: Final = CATEGORIES[ADVERSARIAL]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what one baseline found of its evidence."""

    category: str
    recall: float
    is_complete: bool


@dataclass(slots=True)
class Run:
    """What one baseline found in all conversations, and what it took."""

    asked: list[Asked]
    settings: Mapping[str, str | int | float | bool]
    add_s: float = 0.0
    recall_s: float = 0.0

    def recalls(self, category: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the recalls of a category, or of all but the adversarial, in the order of the questions."""
        return np.array(
            [
                one.recall
                for one in self.asked
                if one.category == category or (category == ALL and one.category != APART)
            ]
        )


def conversations(
    data: Path, *, without_faults: bool
) -> Iterator[tuple[list[Item], list[Question]]]:
    """Yield each conversation's turns, and its questions that have evidence, the adversarial ones last."""
    faults = data / FAULTS if without_faults else None
    plain = read_locomo(data / FILE, faults=faults, faulty="leave out")
    apart = read_locomo(data / FILE, faults=faults, faulty="leave out", adversarial=True)
    for stream, adversarial in zip(plain.streams, apart.streams, strict=True):
        questions = [*stream.questions, *adversarial.questions]
        yield _items(stream), [question for question in questions if question.evidence]


def _items(stream: QuestionStream) -> list[Item]:
    return [
        Item(turn.id, f"{turn.speaker}: {turn.text}", said_at=turn.said_at)
        for turn in stream.arrivals
    ]


def measure(
    run: Run, name: str, items: Sequence[Item], questions: Sequence[Question], encoder: Remembered,
    folder: Path, options: Options,
) -> None:  # fmt: skip
    """Let one baseline remember one conversation and ask it every question."""
    baseline = open_baseline(name, encoder=encoder, folder=folder, options=options)
    try:
        started = time.perf_counter()
        baseline.add(items)
        run.add_s += time.perf_counter() - started
        baseline.recall(questions[0].text, limit=DEPTH)  # some compile or load when first asked
        for question in questions:
            started = time.perf_counter()
            found = [item.id for item in baseline.recall(question.text, limit=DEPTH)]
            run.recall_s += time.perf_counter() - started
            share = recall_at(found, question.evidence, DEPTH)
            is_complete = has_all_at(found, question.evidence, DEPTH)
            run.asked.append(Asked(question.category, share, is_complete))
        run.settings = dict(baseline.settings())
    finally:
        baseline.close()


def main() -> None:
    """Measure, print, and keep the result if it is of all conversations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/locomo"))
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--baselines", nargs="+", default=BASELINES)
    parser.add_argument("--conversations", type=int, help="only so many; the result is not kept")
    parser.add_argument("--without-faults", action="store_true",
                        help="leave out questions whose answer or evidence is known to be wrong")  # fmt: skip
    parser.add_argument("--bm25-model", type=Path,
                        help='for mem0: a folder with the files of "Qdrant/bm25", where none can be downloaded')  # fmt: skip
    arguments = parser.parse_args()
    if not (arguments.data / FILE).is_file():
        parser.error(f"there is no {FILE} in {arguments.data}; --data must name the LoCoMo data")
    chosen = list(conversations(arguments.data, without_faults=arguments.without_faults))
    total = len(chosen)
    chosen = chosen[: arguments.conversations]
    options: dict[str, Options] = {}
    if "mem0" in arguments.baselines:
        python = kept("mem0-hybrid", "mem0ai[nlp]", "fastembed")
        given = {"bm25_model": str(arguments.bm25_model.resolve())} if arguments.bm25_model else {}
        options["mem0"] = {"python": str(python), **given}
    encoder = Remembered(arguments.encoder)
    runs = {name: Run([], {}) for name in arguments.baselines}
    with tempfile.TemporaryDirectory() as scratch:
        for number, (items, questions) in enumerate(chosen):
            encoder.encode([item.text for item in items], role="passage")
            encoder.encode([question.text for question in questions], role="query")
            for name, run in runs.items():
                folder = Path(scratch) / f"{number}-{name}"
                measure(run, name, items, questions, encoder, folder, options.get(name, {}))
                print(f"conversation {number + 1} of {len(chosen)}: {name}", file=sys.stderr)
    runs = {_label(name, run): run for name, run in runs.items()}
    report(runs, items=sum(len(items) for items, _ in chosen))
    if len(chosen) == total:
        keep(runs, chosen, arguments.encoder, without_faults=arguments.without_faults)


def report(runs: Mapping[str, Run], *, items: int) -> None:
    """Print recall by category, the differences, and what each baseline took."""
    asked = len(next(iter(runs.values())).asked)
    table(
        ["category", "questions", *runs],
        [
            [category, str(len(next(iter(runs.values())).recalls(category))),
             *(_cell(interval(run.recalls(category))) for run in runs.values())]
            for category in _categories(runs)
        ],
    )  # fmt: skip
    print()
    table(
        ["recall@10", "against", *_categories(runs)],
        [
            [one, other, *(_cell(found) for found in differences.values())]
            for (one, other), differences in _paired(runs).items()
        ],
    )
    print()
    for name, run in runs.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in run.settings.items()))
    print()
    table(
        ["baseline", f"add, ms each of {items:,} turns", "recall, ms", "all evidence found, % of 1 to 4"],
        [
            [name, f"{run.add_s / items * 1e3:.2f}", f"{run.recall_s / asked * 1e3:.2f}", f"{_complete(run):.1f}"]
            for name, run in runs.items()
        ],
    )  # fmt: skip


def keep(
    runs: Mapping[str, Run], chosen: Sequence[tuple[list[Item], list[Question]]], encoder: str, *,
    without_faults: bool,
) -> None:  # fmt: skip
    """Write the result: numbers alone, and none of LoCoMo's text."""
    turns = sum(len(items) for items, _ in chosen)
    questions = sum(len(questions) for _, questions in chosen)
    save("locomo_recall" + ("-without-faults" if without_faults else ""), {
        "machine": machine("numpy", "torch", "sentence-transformers"),
        "seed": SEED,
        "encoder": encoder,
        "depth": DEPTH,
        "conversations": len(chosen),
        "turns": turns,
        "questions": {category: len(next(iter(runs.values())).recalls(category))
                      for category in _categories(runs)},
        "baselines": {
            name: {
                "settings": run.settings,
                "recall": {c: interval(run.recalls(c)) for c in _categories(runs)},
                "all_evidence_found": _complete(run),
                "add_ms_per_turn": run.add_s / turns * 1e3,
                "recall_ms_per_question": run.recall_s / questions * 1e3,
            }
            for name, run in runs.items()
        },
        "paired": [
            {"baseline": one, "against": other, "recall": differences}
            for (one, other), differences in _paired(runs).items()
        ],
    })  # fmt: skip


def _label(name: str, run: Run) -> str:
    return name if run.settings.get("has_keyword_search", True) else f"{name}, vectors only"


def _paired(runs: Mapping[str, Run]) -> dict[tuple[str, str], dict[str, Interval]]:
    """Return by how much ours is better than each other baseline, question by question."""
    return {
        (one, other): {
            category: interval(runs[one].recalls(category) - runs[other].recalls(category))
            for category in _categories(runs)
        }
        for one in OURS
        for other in runs
        if one in runs and other != one
    }


def _categories(runs: Mapping[str, Run]) -> list[str]:
    met = {one.category for run in runs.values() for one in run.asked}
    return [*sorted(met - {APART}), ALL, *sorted(met & {APART})]


def _complete(run: Run) -> float:
    return 100 * float(np.mean([one.is_complete for one in run.asked if one.category != APART]))


def _cell(found: Interval) -> str:
    return f"{found[0]:.1f} [{found[1]:.1f}, {found[2]:.1f}]"


if __name__ == "__main__":
    main()
