"""Encoding and extraction on a Ray cluster of this machine, by one worker and by two.

    python benchmarks/ray_jobs.py

Each round re-embeds a memory of N passages, and lets a model read them, once by one worker and once by two, in turns. The
model is one that takes a fixed time for an answer, as a server does that has room for all. Told are the passages a second from
the first that is kept to the last, and the efficiency: the rate of two workers over twice that of one. What it takes until
the first is kept, the start of the workers included, is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from parts.results import CACHE, machine, table

from agentcl import Memory
from agentcl.jobs import Ray
from agentcl.memory import ModelExtractor
from agentcl.models import Message, ScriptedModel

Told = Callable[[int, int], None]
_STORE_BYTES = 200_000_000  # the cluster's shared memory


def text(number: int) -> str:
    """Return a passage like those of a log: a hundred words, of which no two are alike."""
    lines = [
        f"On day {number % 365} the boat number {number}-{part} left the harbour of Tessary for the island {part}, steered by "
        f"Ilka Renn {number}, with {part * number % 90} crates of rye on deck."
        for part in range(4)
    ]
    return " ".join(lines)


class Clock:
    """When things were kept, as a job tells its progress."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._kept: list[tuple[float, int]] = []

    def __call__(self, done: int, total: int) -> None:
        """Note that so many are done."""
        self._kept.append((time.perf_counter(), done))

    def rate(self) -> float:
        """Return how many were kept in a second, after the first."""
        (first_at, first), (last_at, last) = self._kept[0], self._kept[-1]
        return (last - first) / (last_at - first_at)

    def first_s(self) -> float:
        """Return how long it took until the first was kept."""
        return self._kept[0][0] - self._begun


def extract(memory: Memory, on: Ray, told: Told, answer_s: float, turn: int) -> None:
    """Have all passages read, each time by a model of another name."""

    def say(messages: Sequence[Message]) -> str:
        time.sleep(answer_s)
        return '{"facts": [["Ilka Renn", "steers", "the boat"]], "names": []}'

    model = ScriptedModel(say, name=f"steady-{turn}")
    memory.facts.extract(ModelExtractor(model), on=on, workers=1, progress=told)


def main() -> None:
    """Measure, print, and keep the numbers in `.bench`."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--passages", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--answer-s", type=float, default=0.05, help="of the model")
    options.add_argument("--encoder", default="minilm", help="that is measured")
    options.add_argument("--parts", nargs="+", default=["encoding", "extraction"])
    given = options.parse_args()
    import ray

    ray.init(
        num_cpus=2, object_store_memory=_STORE_BYTES, include_dashboard=False, log_to_driver=False
    )
    found: dict[str, dict[int, list[Clock]]] = {}
    load: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing:64") as memory:
        memory.add_many(text(number) for number in range(given.passages))
        for turn in range(given.rounds):
            for workers in (1, 2) if turn % 2 == 0 else (2, 1):
                on = Ray(workers=workers)
                for part in given.parts:
                    clock = Clock()
                    if part == "encoding":
                        memory.store.reembed(given.encoder, on=on, progress=clock)
                        memory.store.reembed("hashing:64")
                    else:
                        extract(memory, on, clock, given.answer_s, 2 * turn + workers)
                    found.setdefault(part, {}).setdefault(workers, []).append(clock)
                    load.append(os.getloadavg()[0])
                    print(f"{part} by {workers}: {clock.rate():.1f} a second", flush=True)
    rows = []
    result: dict[str, Any] = {
        "machine": machine("ray", "sentence-transformers", "torch"),
        "load": [round(one, 1) for one in load],
        "passages": given.passages,
        "answer_s": given.answer_s,
        "encoder": given.encoder,
        "parts": {},
    }
    for part, by_workers in found.items():
        rates = {n: statistics.median(one.rate() for one in by_workers[n]) for n in (1, 2)}
        first = statistics.median(one.first_s() for some in by_workers.values() for one in some)
        efficiency = rates[2] / rates[1] / 2
        result["parts"][part] = {"rates": rates, "efficiency": efficiency, "first_s": first}
        rows.append(
            [part, f"{rates[1]:.1f}", f"{rates[2]:.1f}", f"{efficiency:.2f}", f"{first:.1f}"]
        )
    about = result["machine"]
    print(
        f"\n{about['processors']} processors ({about['architecture']}), Python {about['python']}, Ray {about['packages']['ray']}; "
        f"load of the machine meanwhile {min(load):.1f} to {max(load):.1f}; {given.passages:,} passages, {given.rounds} rounds\n"
    )
    table(["", "1 worker, a second", "2 workers", "efficiency", "until the first, s"], rows)
    if max(load) > (os.cpu_count() or 1) + 1:
        print("\nothers used this machine meanwhile, so these are no figures for a page")
    CACHE.mkdir(exist_ok=True)
    (CACHE / "ray_jobs.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
