"""What learning costs beside the model: a step of an episode, its end, and a prompt packed from many lessons.

    python benchmarks/guidance_engine.py

A memory is filled with 10,000 episodes and 5,000 lessons through its own verbs, every write durable. Then, for
episodes like those: the time of recalling lessons and recording a step together, and of ending an episode. The
floor beside it is one durable row of the same size in a bare SQLite file. A prompt is packed from 10,000
lessons that each speak of another situation, and from 10,000 that all speak of the same. The limits that have to
be kept are 10 ms a step and 20 ms for packing.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from parts.results import machine, save, table

from agentcl import Memory
from agentcl.guidance.selection import Place, choose
from agentcl.guidance.state import KINDS, GuidanceState
from agentcl.lessons import Lesson
from agentcl.store.records import Scope

STEP_LIMIT_MS = 10.0
PACKING_LIMIT_MS = 20.0
BUDGET_TOKENS = 400
MEASURED = 500  # episodes after filling
PACKED = 10_000  # lessons


def main() -> None:
    """Fill, measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--lessons", type=int, default=5_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch)
        with Memory(path / "memory", encoder="hashing") as memory:
            _fill(memory, chosen.episodes, chosen.lessons)
            step, end = _measure(memory, chosen.lessons)
        with Memory(path / "memory", encoder="hashing") as memory:
            started = time.perf_counter()
            state = memory.lessons.state()
            fold_s = time.perf_counter() - started
            again = GuidanceState.of(memory.store.journal.since(0, kinds=KINDS))
        floor = _floor(path / "floor.db")
        packing = {name: _packing(path / name, when) for name, when in WHENS.items()}
    result = {
        "machine": machine(),
        "episodes": chosen.episodes,
        "lessons": len(state.lessons),
        "step_ms": step,
        "end_ms": end,
        "floor_ms": floor,
        "fold_s": fold_s,
        "is_replayed_equal": state.digest() == again.digest(),
        "packing_ms": packing,
        "step_limit_ms": STEP_LIMIT_MS,
        "packing_limit_ms": PACKING_LIMIT_MS,
    }
    rows = [
        ["a step: recall and record", f"{step['p50']:.2f}", f"{step['p95']:.2f}", f"{STEP_LIMIT_MS:g}"],
        ["the end of an episode", f"{end['p50']:.2f}", f"{end['p95']:.2f}", ""],
        ["one durable row of bare SQLite", f"{floor['p50']:.2f}", f"{floor['p95']:.2f}", ""],
        *(
            [f"packing, {name}", f"{one['p50']:.2f}", f"{one['p95']:.2f}", f"{PACKING_LIMIT_MS:g}"]
            for name, one in packing.items()
        ),
    ]  # fmt: skip
    table(["", "p50 ms", "p95 ms", "limit ms"], rows)
    print(f"\nfolding everything anew: {fold_s:.2f} s, equal: {result['is_replayed_equal']}")
    save("guidance_engine", result)


def _situation(number: int) -> tuple[str, str]:
    """Return when a lesson applies, and an observation that it applies to."""
    service, sign = f"service{number % 71}", f"sign{number // 71}"
    return f"a {service} is {sign}", f"The {service} Tavon is {sign}."


def _fill(memory: Memory, episodes: int, lessons: int) -> None:
    rng = random.Random(0)
    written = 0
    for number in range(episodes):
        known = rng.randrange(max(1, written))
        played = _play(memory, number, _situation(known)[1], rng)[2]
        while written * episodes < lessons * (number + 1):
            few = range(written, min(lessons, written + 4))
            taught = [Lesson(_situation(n)[0], "do", f"act{rng.randrange(20)} it") for n in few]
            memory.lessons.reflect(taught, episode=played)  # type: ignore[arg-type]
            written += len(few)
        if number % 1_000 == 999:
            print(f"  {number + 1:,} episodes, {written:,} lessons", flush=True)


def _play(
    memory: Memory, number: int, seen: str, rng: random.Random
) -> tuple[float, float, object]:
    episode = memory.episode(
        "clear the alert", application="ops", family=f"f{number % 5}", seed=number
    )
    started = time.perf_counter()
    episode.recall(seen, actions=[f"act{k} Tavon" for k in range(5)])
    episode.step(seen, "act1 Tavon", "nothing changes", thought="No guidance applies.")
    stepped = time.perf_counter()
    played = episode.finish(rng.random())
    return stepped - started, time.perf_counter() - stepped, played


def _measure(memory: Memory, lessons: int) -> tuple[dict[str, float], dict[str, float]]:
    rng = random.Random(1)
    measured = [
        _play(memory, number, _situation(rng.randrange(lessons))[1], rng)[:2]
        for number in range(MEASURED)
    ]
    return _spread([one[0] for one in measured]), _spread([one[1] for one in measured])


def _floor(path: Path) -> dict[str, float]:
    """Time one row of a step's size, written as the journal writes: in WAL mode, synchronised."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE row (text TEXT)")

    def write() -> None:
        connection.execute("INSERT INTO row VALUES (?)", ("x" * 500,))

    times = [_timed(write) for _ in range(MEASURED)]
    connection.close()
    return _spread(times)


WHENS: dict[str, Callable[[int], str]] = {
    "each of another situation": lambda number: _situation(number)[0],
    "all of one situation": lambda number: _situation(7)[0],
}


def _packing(path: Path, when: Callable[[int], str]) -> dict[str, float]:
    """Time the choice of lessons for a prompt, and make sure of its budget."""
    with Memory(path, encoder="hashing", durability="normal") as memory:
        for start in range(0, PACKED, 50):
            taught = [Lesson(when(n), "avoid", f"act{n} it") for n in range(start, start + 50)]
            with memory.episode("clear the alert", application="ops", seed=start) as episode:
                played = episode.finish(1.0)
            memory.lessons.reflect(taught, episode=played)
        state = memory.lessons.state()
    place = Place(_situation(7)[1], "ops", "ops/", "", Scope().view())
    times = []
    for seed in range(50):
        rng = random.Random(seed)
        started = time.perf_counter()
        packed = choose(state, place, rng, budget_tokens=BUDGET_TOKENS)
        times.append(time.perf_counter() - started)
        assert packed.tokens <= BUDGET_TOKENS
        assert packed.exposures
    return _spread(times)


def _timed(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _spread(times_s: list[float]) -> dict[str, float]:
    ordered = sorted(times_s)
    return {
        "p50": 1e3 * statistics.median(ordered),
        "p95": 1e3 * ordered[int(0.95 * len(ordered))],
    }


if __name__ == "__main__":
    main()
