"""Adding ready-embedded short records one by one, each durable when `add` returns: agentcl, Chroma, mem0.

    python benchmarks/writes.py --data ../shared/data/multihop

All three write to the same disk, with real MiniLM vectors, in one run and in rounds that take turns.
agentcl runs as it is installed (`durability="full"`: one fsync for each add); the bare cost of such an
fsync through SQLite is printed as the limit that no durable store can beat.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentcl import Memory

sys.path.insert(0, str(Path(__file__).parent))
from embeddings import vectors
from parts.peers import kept
from parts.results import machine, save, table

Floats = NDArray[np.float32]
TIMES_CHROMA = 5
TIMES_MEM0 = 10


def agentcl(rows: Floats, folder: Path) -> list[float]:
    """Return the milliseconds of each `Memory.add`."""
    with Memory(folder, encoder="minilm") as memory:
        return _time(lambda n: memory.add(_text(n), vector=rows[n], user="ada"), len(rows))


def chroma(rows: Floats, folder: Path) -> list[float]:
    """Return the milliseconds of each `Collection.add` of an embedded Chroma."""
    import chromadb

    client = chromadb.PersistentClient(folder)
    collection = client.create_collection("notes")

    def add(n: int) -> None:
        collection.add(
            ids=[str(n)],
            embeddings=rows[n : n + 1],
            documents=[_text(n)],
            metadatas=[{"user": "ada"}],
        )

    return _time(add, len(rows))


def mem0(rows: Floats, folder: Path) -> list[float]:
    """Return the milliseconds of each raw add of mem0, in its own environment."""
    folder.mkdir()
    file = folder / "vectors.npy"
    np.save(file, rows)
    command = [
        kept("mem0", "mem0ai"),
        Path(__file__).with_name("parts") / "mem0_add.py",
        file,
        folder,
    ]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def commit(rows: Floats, folder: Path) -> list[float]:
    """Return the milliseconds of a bare SQLite commit of the same bytes with one fsync."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE note (text, vector)")
    took = _time(
        lambda n: connection.execute("INSERT INTO note VALUES (?, ?)", (_text(n), rows[n].tobytes())),
        len(rows),
    )  # fmt: skip
    connection.close()
    return took


def _text(number: int) -> str:
    return f"note {number} about the harbour"


def _time(act: Callable[[int], object], count: int) -> list[float]:
    took = []
    for number in range(count):
        started = time.perf_counter()
        act(number)
        took.append((time.perf_counter() - started) * 1e3)
    return took


def main() -> None:
    """Measure in rounds, print, save, and fail if a ratio is not reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = vectors(arguments.data, arguments.count)
    contenders = {"agentcl": agentcl, "Chroma": chroma, "mem0": mem0, "bare commit": commit}
    took: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.rounds):
            for name, add in contenders.items():
                took[name] += add(rows, Path(scratch) / f"{name}-{number}")
    means = {name: statistics.fmean(values) for name, values in took.items()}
    ratios = {name: mean / means["agentcl"] for name, mean in means.items()}
    table(
        ["", "mean ms", "p50 ms", "p99 ms", "mean, agentcl = 1"],
        [
            [
                name,
                f"{means[name]:.2f}",
                f"{statistics.median(values):.2f}",
                f"{statistics.quantiles(values, n=100)[98]:.2f}",
                f"{ratios[name]:.1f}",
            ]
            for name, values in took.items()
        ],
    )
    wanted = {"Chroma": TIMES_CHROMA, "mem0": TIMES_MEM0}
    missed = [f"{name} {ratios[name]:.1f} of {times}" for name, times in wanted.items()
              if ratios[name] < times]  # fmt: skip
    print("\nwanted: " + ", ".join(f"{times} times {name}" for name, times in wanted.items())
          + (f"; missed: {', '.join(missed)}" if missed else "; reached"))  # fmt: skip
    result: dict[str, Any] = {"count": arguments.count, "rounds": arguments.rounds,
                              "mean_ms": means, "ratio": ratios}  # fmt: skip
    save("writes", {"machine": machine("chromadb", "numpy"), **result})
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
