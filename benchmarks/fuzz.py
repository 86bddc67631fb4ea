"""The fuzzing of the test-suite, for as long as you like.

    python benchmarks/fuzz.py --cases 20000

Exports, folders, index files, pamphlets, kept graphs and settings are mutated and then used as everybody uses
them. What comes out must be a value or an error of ours, within ten seconds of processor time and a bounded memory. A run that
was ended goes on where it was: done cases are counted in the result. What went wrong, and was mended, is run again
with `--again`.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
from parts.results import FOLDER, machine, save

from tests.fuzzing import KINDS, Fuzzing, bound_memory

_SHARES = {"export": 6, "folder": 5, "index": 2, "pamphlet": 4, "npz": 2, "toml": 1}
_KEPT_EVERY_S = 30.0


def main() -> None:
    """Run what is left of the cases; exit status 1 if any went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind")
    parser.add_argument("--case", type=int, help="run this one case of each kind, and nothing else")
    parser.add_argument("--again", action="store_true", help="run what went wrong once more")
    parser.add_argument("--result", default="fuzz", help="name of the result's file")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    kinds = arguments.kind or list(KINDS)
    with tempfile.TemporaryDirectory() as folder:
        fuzzing = Fuzzing(Path(folder), seed=arguments.seed)
        if arguments.case is not None:
            for kind in kinds:
                print(kind, fuzzing.run(kind, arguments.case, is_told=True))
            return
        bound_memory()
        state = _state(arguments.result, arguments.seed)
        if arguments.again:
            wrong, state["faults"] = state["faults"], []
            for kind, number, what in wrong:
                fault = fuzzing.run(kind, number)
                state["faults" if fault else "mended"].append([kind, number, what])
        wanted = {kind: arguments.cases * _SHARES[kind] // sum(_SHARES.values()) for kind in kinds}
        kept = time.perf_counter()
        done = state["cases"]
        while left := [kind for kind in kinds if done.get(kind, 0) < wanted[kind]]:
            kind = min(left, key=lambda kind: done.get(kind, 0) / wanted[kind])
            number = done.get(kind, 0)
            state["cases"][kind] = number + 1
            started = time.process_time()
            fault = fuzzing.run(kind, number)
            took = time.process_time() - started
            state["seconds"] += took
            state["longest_s"] = max(state["longest_s"], took)
            state["peak_mb"] = max(state["peak_mb"], _peak_mb())
            if fault:
                print(f"{fault.kind} {fault.number}: {fault.what}", flush=True)
                state["faults"].append([fault.kind, fault.number, fault.what])
            if time.perf_counter() - kept > _KEPT_EVERY_S:
                save(arguments.result, state)
                kept = time.perf_counter()
        save(arguments.result, state)
    sys.exit(bool(state["faults"]))


def _state(name: str, seed: int) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if path.exists():
        held: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if held["seed"] == seed:
            return held
    return {
        "machine": machine(),
        "seed": seed,
        "cases": {},
        "faults": [],
        "mended": [],
        "longest_s": 0.0,
        "peak_mb": 0,
        "seconds": 0.0,
    }


def _peak_mb() -> int:
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
