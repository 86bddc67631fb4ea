"""Which lessons are shown where they apply, and only there: hand-written situations in real language.

    python benchmarks/situations.py                  (the set beside the checkout; any of its form: --file FILE)
    python benchmarks/situations.py --scale 5000     (how long it takes among so many lessons)
    agentcl model serve qwen2.5-coder-1.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096
    python benchmarks/situations.py --check-by NAME --url URL    (beside the kept arms: a model checks what is in doubt)

All lessons stand in one memory. Each text is given on its own, and what speaks of it is what was shown:

- nothing: shows none.
- words: four fifths of the words of "when" are in the text; what agentcl does with an encoder that compares spelling.
- bm25, cosine: whatever scores above a threshold, the best one for this very set. That flatters both.
- agentcl: what `memory.lessons.matching` says, with the encoder MiniLM. Neither its weights nor its threshold saw this set.
- agentcl, of 5, 10 or 20 lessons: the same, where a memory holds half a domain, one, or two, and is asked only of the texts
  that were written for its lessons.
- agentcl, checked: as agentcl, and a model is asked about the few lessons that are in doubt (`ModelChecker`). Its answers are kept in
  `.bench`, so that a run which was cut off asks nothing twice.

F1 is over all texts and lessons. Intervals are 95 % by bootstrap over lessons, with all of their texts.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from parts.results import CACHE, machine, save, table, with_earlier

from agentcl import Lesson, Memory, OpenAIChat
from agentcl.guidance.meaning.relevance import Situations, words_of
from agentcl.memory import ModelChecker
from agentcl.memory.lessons import matching
from agentcl.models import CachedModel
from agentcl.retrieval import open_encoder
from agentcl.retrieval.conditions import Pair, ReadAlone, condition_reader
from agentcl.text.terms import terms

SETS: Final = Path("../shared/data/situations/lessons-dev.json")
KINDS: Final = (
    "close",
    "close",
    "far",
    "far",
    "long",
    "messy",
)  # of the texts to which a lesson applies
SMALL: Final = (5, 10, 20)  # lessons of a small memory
SEED: Final = 7
AT_ONCE: Final = 8  # texts that a model is asked about
RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Text:
    """One text, and which lessons should be shown."""

    text: str
    lesson: str  # that it was written for
    right: frozenset[str]
    kind: str


@dataclass(frozen=True, slots=True)
class Told:
    """One lesson, as the set has it."""

    id: str
    domain: str
    lesson: Lesson


Shown = Sequence[frozenset[str]]  # by text
Scores = Sequence[Mapping[str, float]]  # by text: of lessons


def main() -> None:
    """Measure, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=SETS)
    parser.add_argument(
        "--scale", type=int, default=0, help="time it among so many lessons instead"
    )
    parser.add_argument("--check-by", metavar="MODEL", help="measure only what it adds")
    parser.add_argument("--url", help="where that model is served")
    asked = parser.parse_args()
    if (asked.check_by is None) != (asked.url is None):
        sys.exit("error: --check-by and --url go together")
    if not asked.file.exists():
        sys.exit(f"error: there is no {asked.file}; name a set of situations with --file")
    lessons, texts = load(asked.file)
    if asked.scale:
        scale(lessons, texts, asked.scale)
        return
    if asked.check_by:
        arms = {"agentcl": by_memory(lessons, texts)}
        checker = ModelChecker(
            CachedModel(OpenAIChat(asked.check_by, base_url=asked.url), CACHE / "situations.db")
        )
        arms[f"agentcl, checked by {asked.check_by}"] = by_memory(lessons, texts, checker)
        found = {name: measured(texts, shown) for name, shown in arms.items()}
        taken = checker.usage
        found[f"agentcl, checked by {asked.check_by}"] |= {
            "questions": taken.calls / len(texts),
            "tokens": taken.tokens / len(texts),
            "gain": gain(texts, *arms.values()),
        }
        show(found)
        print(f"questions a text: {taken.calls / len(texts):.2f}")
        print(f"tokens a text: {taken.tokens / len(texts):.0f}")
        keep(lessons, texts, found)
        return
    arms = {
        "nothing": [frozenset[str]()] * len(texts),
        "words": by_words(lessons, texts),
        "bm25": at_best(by_bm25(lessons, texts), texts),
        "cosine": at_best(by_cosine(lessons, texts), texts),
        "agentcl": by_memory(lessons, texts),
    }
    found = {name: measured(texts, shown) for name, shown in arms.items()}
    for count in SMALL:
        found[f"agentcl, of {count} lessons"] = measured(*in_small_memories(lessons, texts, count))
    show(found)
    keep(lessons, texts, found)


def show(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print how right each arm is."""
    table(
        [
            "shown by",
            "precision",
            "recall",
            "F1",
            "95 %",
            *dict.fromkeys(KINDS),
            "false alarms",
            "others",
        ],
        [
            [
                name,
                *(f"{100 * one[key]:.0f}" for key in ("precision", "recall", "f1")),
                f"{100 * one['interval'][0]:.0f} to {100 * one['interval'][1]:.0f}",
                *(f"{100 * one['recall by kind'][kind]:.0f}" for kind in dict.fromkeys(KINDS)),
                f"{100 * one['false alarms']:.0f}",
                f"{one['others']:.2f}",
            ]
            for name, one in found.items()
        ],
    )


def keep(lessons: Sequence[Told], texts: Sequence[Text], found: Mapping[str, Any]) -> None:
    """Save what was found beside what earlier runs found with the same."""
    result = {
        "machine": machine("torch", "sentence-transformers"),
        "lessons": len(lessons),
        "texts": len(texts),
        "shown by": dict(found),
    }
    save("situations", with_earlier("situations", result, "shown by"))


def load(file: Path) -> tuple[list[Told], list[Text]]:
    """Return the lessons and texts of a set."""
    lessons, texts = [], []
    for one in json.loads(file.read_text("utf-8")):
        id = one["id"]
        lessons.append(Told(id, one["domain"], Lesson(one["when"], one["claim"], one["what"])))
        for at, text in enumerate(one["applies"]):
            right = frozenset({id, *one["also"].get(str(at), [])})
            texts.append(Text(text, id, right, KINDS[at]))
        for at, (text, kind) in enumerate(zip(one["not"], one["not_kinds"], strict=True)):
            texts.append(
                Text(text, id, frozenset(one["not_also"].get(str(at), [])), f"not: {kind}")
            )
    return lessons, texts


# Who shows


def by_words(lessons: Sequence[Told], texts: Sequence[Text]) -> Shown:
    """Return the lessons of whose "when" most words are in the text."""
    situations = Situations()
    for one in lessons:
        situations.add(one.id, one.lesson.when)
    return [frozenset(situations.covering(words_of(one.text))) for one in texts]


def by_bm25(lessons: Sequence[Told], texts: Sequence[Text]) -> Scores:
    """Return what each lesson's "when" scores as a document (Robertson and Zaragoza 2009, k1 1.2, b 0.75)."""
    held = {one.id: Counter(terms(one.lesson.when)) for one in lessons}
    among = Counter(term for counts in held.values() for term in counts)
    mean = sum(map(Counter.total, held.values())) / len(held)

    def score(counts: Counter[str], asked: frozenset[str]) -> float:
        length = 1.2 * (0.25 + 0.75 * counts.total() / mean)
        return sum(
            math.log(1 + (len(held) - among[term] + 0.5) / (among[term] + 0.5))
            * 2.2
            * counts[term]
            / (counts[term] + length)
            for term in asked & counts.keys()
        )

    asked = [frozenset(terms(one.text)) for one in texts]
    return [{id: score(counts, words) for id, counts in held.items()} for words in asked]


def by_cosine(lessons: Sequence[Told], texts: Sequence[Text]) -> Scores:
    """Return the cosine of each lesson's "when" with the whole text."""
    encoder = open_encoder("minilm")

    def encoded(some: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([np.frombuffer(one, "<f4") for one in encoder.encode(some, role="passage")])

    likeness = (
        encoded([one.text for one in texts]) @ encoded([one.lesson.when for one in lessons]).T
    )
    ids = [one.id for one in lessons]
    return [dict(zip(ids, row.tolist(), strict=True)) for row in likeness]


def by_memory(
    lessons: Sequence[Told], texts: Sequence[Text], checker: ModelChecker | None = None
) -> Shown:
    """Return what a memory with all lessons says."""
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="minilm") as memory:
        ids = fill(memory, lessons)
        memory.lessons.checker = checker

        def shown(text: Text) -> frozenset[str]:
            return frozenset(ids[one.lesson.id] for one in memory.lessons.matching(text.text))

        with ThreadPoolExecutor(1 if checker is None else AT_ONCE) as pool:
            return [*pool.map(shown, texts)]


def in_small_memories(
    lessons: Sequence[Told], texts: Sequence[Text], count: int
) -> tuple[list[Text], list[frozenset[str]]]:
    """Return the texts, and what memories of so many lessons each say of those written for one of theirs."""
    asked, shown = list[Text](), list[frozenset[str]]()
    for start in range(0, len(lessons), count):  # they stand by domain
        some = lessons[start : start + count]
        ids = {one.id for one in some}
        made = [replace(one, right=one.right & ids) for one in texts if one.lesson in ids]
        asked += made
        shown += by_memory(some, made)
    return asked, shown


def fill(memory: Memory, lessons: Sequence[Told]) -> dict[str, str]:
    """Tell a memory lessons; return their ids in the set by those in the memory."""
    return {memory.lessons.add(one.lesson).id: one.id for one in lessons}


def at_best(scores: Scores, texts: Sequence[Text]) -> Shown:
    """Return what scores above the threshold that is best for these texts."""
    some = sorted({value for row in scores for value in row.values() if value > 0})
    thresholds = some[:: max(1, len(some) // 500)]

    def shown(threshold: float) -> Shown:
        return [frozenset(id for id, value in row.items() if value >= threshold) for row in scores]

    return max(map(shown, thresholds), key=lambda one: figures(texts, one)[2])


# How right


def figures(texts: Sequence[Text], shown: Shown) -> tuple[float, float, float]:
    """Return precision, recall and their harmonic mean, over all texts and lessons."""
    good = sum(len(one.right & some) for one, some in zip(texts, shown, strict=True))
    all_shown, right = sum(map(len, shown)), sum(len(one.right) for one in texts)
    precision, recall = good / max(1, all_shown), good / max(1, right)
    return precision, recall, 2 * good / max(1, all_shown + right)


def measured(texts: Sequence[Text], shown: Shown) -> dict[str, Any]:
    """Return how right what was shown is."""
    precision, recall, f1 = figures(texts, shown)
    pairs = [*zip(texts, shown, strict=True)]

    def share(kind: str) -> float:
        some = [(one, ids) for one, ids in pairs if one.kind == kind]
        right = sum(len(one.right) for one, _ in some)
        return sum(len(one.right & ids) for one, ids in some) / max(1, right)

    def alarms(kind: str) -> float:
        some = [one.lesson in ids for one, ids in pairs if one.kind.startswith(kind)]
        return sum(some) / max(1, len(some))

    negatives = sorted({one.kind for one in texts if one.kind.startswith("not")})
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "interval": interval(pairs),
        "recall by kind": {kind: share(kind) for kind in dict.fromkeys(KINDS)},
        "false alarms": alarms("not"),
        "false alarms by kind": {kind.removeprefix("not: "): alarms(kind) for kind in negatives},
        "others": sum(len(ids - one.right - {one.lesson}) for one, ids in pairs) / len(pairs),
        "shown": sum(map(len, shown)) / len(shown),
    }


def interval(pairs: Sequence[tuple[Text, frozenset[str]]]) -> tuple[float, float]:
    """Return the 95 % interval of F1 by bootstrap over lessons."""
    by_lesson: dict[str, list[int]] = {}
    for one, ids in pairs:
        counts = by_lesson.setdefault(one.lesson, [0, 0])
        counts[0] += 2 * len(one.right & ids)
        counts[1] += len(ids) + len(one.right)
    held, rng = np.array([*by_lesson.values()]), np.random.default_rng(SEED)
    drawn = held[rng.integers(0, len(held), (RESAMPLES, len(held)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(1, drawn[:, 1]), (0.025, 0.975))
    return float(low), float(high)


def gain(texts: Sequence[Text], before: Shown, after: Shown) -> tuple[float, float, float]:
    """Return how much higher F1 is, and its 95 % interval, paired by lesson."""
    by_lesson: dict[str, list[int]] = {}
    for one, *ids in zip(texts, before, after, strict=True):
        counts = by_lesson.setdefault(one.lesson, [0, 0, 0, 0])
        for at, some in enumerate(ids):
            counts[2 * at] += 2 * len(one.right & some)
            counts[2 * at + 1] += len(some) + len(one.right)
    held, rng = np.array([*by_lesson.values()]), np.random.default_rng(SEED)
    drawn = held[rng.integers(0, len(held), (RESAMPLES, len(held)))].sum(1)

    def of(sums: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(sums[..., 2] / sums[..., 3] - sums[..., 0] / sums[..., 1])

    low, high = np.quantile(of(drawn), (0.025, 0.975))
    return float(of(held.sum(0))), float(low), float(high)


# How long


class KeptReader:
    """Reads nothing twice: what matching takes the second time is what it takes beside reading."""

    def __init__(self) -> None:
        self._alone: dict[tuple[str, ...], list[ReadAlone]] = {}
        self._together: dict[tuple[int, ...], list[float]] = {}

    def alone(self, texts: Sequence[str]) -> list[ReadAlone]:
        """Return what the reader does."""
        if (key := tuple(texts)) not in self._alone:
            self._alone[key] = condition_reader().alone(texts)
        return self._alone[key]

    def together(self, pairs: Sequence[Pair]) -> list[float]:
        """Return what the reader does."""
        key = tuple(id(part) for one in pairs for part in (one.condition, one.text))
        if key not in self._together:
            self._together[key] = condition_reader().together(pairs)
        return self._together[key]


def scale(lessons: Sequence[Told], texts: Sequence[Text], count: int) -> None:
    """Print how long matching takes among many lessons, beside what reading the texts takes."""
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="minilm") as memory:
        fill(memory, lessons)
        for at in range(count - len(lessons)):  # the same conditions, with other names in them
            one = rng.choice(lessons).lesson
            memory.lessons.add(Lesson(f"{one.when} at site {at}", one.claim, one.what))
        some = rng.sample([one.text for one in texts], 50)
        memory.lessons.matching(some[0])
        rows, reader = [], KeptReader()
        for name, verb in (
            ("the encoder alone", lambda text: memory.search(text, limit=1, mode="dense")),
            ("matching", memory.lessons.matching),
            ("matching, beside reading", memory.lessons.matching),
        ):
            if name.endswith("reading"):
                matching.condition_reader = lambda: reader  # type: ignore[assignment, attr-defined]
                for text in some:
                    memory.lessons.matching(f"{text} ")
            times = []
            for text in some:
                started = time.perf_counter(), time.process_time()
                verb(f"{text} ")
                ended = time.perf_counter(), time.process_time()
                times.append(
                    [1_000 * (end - start) for start, end in zip(started, ended, strict=True)]
                )
            taken, worked = np.array(times).T
            rows.append(
                [
                    name,
                    *(f"{one:.1f}" for one in (np.median(taken), taken.max(), np.median(worked))),
                ]
            )
        table(["what", "ms, median", "longest", "of the processor"], rows)


if __name__ == "__main__":
    main()
