"""How long `forget` takes, and how long it holds up another process that adds, and one that searches.

    python benchmarks/forget.py --megabytes 60 200

A folder is filled with notes and their vectors. Two processes add and search notes, one after another,
first while nothing else happens and then while one note, and later a whole user, is forgotten. What counts is
the longest single add and search, beside the longest without `forget` in the same run. Beside it stands how much of
it was no waiting for a processor, where the system tells (Linux): on a loaded machine that is most of it. In the end the file is
rewritten as a whole (SQLite's VACUUM), which is how bytes were cleared before.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from parts.results import machine, save, table

from agentcl import Draft, Memory

ENCODER = "hashing:384"
LIMIT_MS = 250
_WORDS = 30_000
_BATCH = 2_000
_PAUSE_S = 0.01  # of who adds or searches, between two calls


def fill(folder: Path, megabytes: int) -> str:
    """Fill a folder until its files have a size; return the id of a note in the middle."""
    rng = random.Random(megabytes)
    words = [f"{''.join(rng.choices('bcdfghklmnprst', k=3))}{n}" for n in range(_WORDS)]
    middle = ""
    with Memory(folder, encoder=ENCODER, durability="normal") as memory:
        while size(folder) < megabytes:
            drafts = [
                Draft(text=" ".join(words[int(_WORDS * rng.random() ** 3)] for _ in range(60)))
                for _ in range(_BATCH)
            ]
            for user, some in (("ada", drafts[: _BATCH // 10]), ("bob", drafts[_BATCH // 10 :])):
                stored = memory.add_many(some, user=user)
            if size(folder) < megabytes / 2 or not middle:
                middle = stored[0].id
        memory.search("anything", user="bob")
    return middle


def size(folder: Path) -> float:
    """Return the megabytes of all files of a folder but the logs."""
    return sum(file.stat().st_size for file in folder.rglob("*.db")) / 1e6


def work(folder: Path, verb: str) -> None:
    """Add or search one after another, and print when each began and how long it took."""
    rng = random.Random(verb)
    # Not "full", so that waiting for the disk, which others may keep busy, is no part of it.
    with Memory(folder, encoder=ENCODER, durability="normal") as memory:
        memory.search("warm up", user="cleo")
        while True:
            begun, queued = time.time(), queued_s()
            if verb == "add":
                memory.add(f"note {rng.getrandbits(64)} of another process", user="cleo")
            else:
                memory.search(f"note {rng.randrange(1000)}", user="bob")
            print(begun, time.time() - begun, queued_s() - queued, flush=True)
            time.sleep(_PAUSE_S)


def queued_s() -> float:
    """Return how long this thread has waited for a processor; 0 where nobody tells."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def longest(lines: list[str], begin: float, end: float) -> tuple[float, float]:
    """Return the milliseconds of the longest call that touches a span of time, and of the longest without its queueing."""
    calls = [tuple(map(float, line.split())) for line in lines]
    within = [one for one in calls if one[0] < end and one[0] + one[1] > begin]
    return 1_000 * max(one[1] for one in within), 1_000 * max(one[1] - one[2] for one in within)


def beside(folder: Path, spans: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Do things one after another beside two processes; return for each how long what took."""
    times: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        running = {}
        for verb in ("add", "search"):
            with (Path(place) / verb).open("w") as out:
                command = [sys.executable, __file__, "--work", verb, str(folder)]
                running[verb] = subprocess.Popen(command, stdout=out)
        try:
            while not all((Path(place) / verb).read_text().count("\n") > 3 for verb in running):
                time.sleep(0.1)
            for name, act in spans.items():
                begin = time.time()
                act()
                times[name] = begin, time.time()
                time.sleep(1)  # what waits for this is over then
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        lines = {verb: (Path(place) / verb).read_text().splitlines()[:-1] for verb in running}
    found: dict[str, dict[str, float]] = {}
    for name, (begin, end) in times.items():
        found[name] = {"seconds": end - begin}
        for verb in running:
            whole, own = longest(lines[verb], begin, end)
            found[name] |= {f"{verb}_ms": whole, f"{verb}_own_ms": own}
    return found


def rewrite(folder: Path) -> None:
    """Rewrite the journal's file as a whole."""
    with closing(sqlite3.connect(folder / "journal.db", timeout=60)) as connection:
        connection.execute("VACUUM")


def measure(folder: Path, megabytes: int) -> dict[str, Any]:
    """Measure one size."""
    id = fill(folder, megabytes)
    with Memory(folder, encoder=ENCODER, durability="normal") as memory:
        memory.search("warm up", user="bob")
        spans: dict[str, Callable[[], object]] = {
            "nothing else": lambda: time.sleep(10),
            "forget one note": lambda: memory.forget(id, user="bob"),
            "forget a user": lambda: memory.forget(everything=True, user="ada"),
            "rewrite the file": lambda: rewrite(folder),
        }
        return {"megabytes": size(folder), "spans": beside(folder, spans)}


def main() -> None:
    """Measure each size, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, nargs="+", default=[60, 200])
    parser.add_argument("--work", nargs=2, metavar=("VERB", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        verb, place = arguments.work
        work(Path(place), verb)
    sizes = []
    for megabytes in arguments.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            sizes.append(measure(Path(folder) / "memory", megabytes))
    rows = [
        [
            f"{one['megabytes']:.0f} MB",
            name,
            f"{row['seconds']:.1f}",
            f"{row['add_ms']:.0f}",
            f"{row['search_ms']:.0f}",
            f"{row['add_own_ms']:.0f}, {row['search_own_ms']:.0f}",
        ]
        for one in sizes
        for name, row in one["spans"].items()
    ]
    heads = [
        "folder",
        "beside it",
        "seconds",
        "longest add, ms",
        "longest search, ms",
        "without queueing, ms",
    ]
    table(heads, rows)
    save("forget", {"machine": machine(), "limit_ms": LIMIT_MS, "sizes": sizes})


if __name__ == "__main__":
    main()
