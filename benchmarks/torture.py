"""The torture of the test-suite, for as long as you like.

    python benchmarks/torture.py --rounds 1000 --workers 4

Threads of several processes add, update, delete, forget and search in one folder while the processes are
killed (`kill -9`) at random moments. Afterwards no acknowledged change may be missing, no forgotten byte may be on disk, and the
doctor must find nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "e2e"))
sys.path.insert(0, str(Path(__file__).parent))
from killing import THREADS, run
from parts.results import machine, save


def main() -> None:
    """Run rounds in batches with seeds of their own; stop at the first loss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    acknowledged = checked = 0
    started = time.perf_counter()
    for number, done in enumerate(range(0, arguments.rounds, arguments.batch)):
        rounds = min(arguments.batch, arguments.rounds - done)
        with tempfile.TemporaryDirectory() as folder:
            some, of_them = run(
                Path(folder),
                workers=arguments.workers,
                rounds=rounds,
                seed=arguments.seed + number,
            )
        acknowledged, checked = acknowledged + some, checked + of_them
        print(
            f"{done + rounds} kills, {acknowledged:,} acknowledged changes, none lost", flush=True
        )
    result = {
        "kills": arguments.rounds,
        "workers": arguments.workers,
        "threads": THREADS,
        "seed": arguments.seed,
        "acknowledged": acknowledged,
        "records_checked": checked,
        "lost": 0,
        "seconds": time.perf_counter() - started,
    }
    save("torture", {"machine": machine(), **result})


if __name__ == "__main__":
    main()
