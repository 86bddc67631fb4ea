"""The torture: threads of several processes write, forget and search in one folder, and are killed at random.

Run by the suite (`test_torture.py`), and for longer by `benchmarks/torture.py`. A worker writes down what
it is about to do and, once the verb has returned, that it was done. Afterwards every acknowledged
change must be there; one that was cut off may be there or not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from itertools import count
from pathlib import Path
from typing import TextIO

from agentcl import Document, Memory, NotFound

THREADS = 2  # of each worker
_PATIENCE_S = 300.0  # with a machine that is busy with something else


def work(folder: Path, log: Path, seed: int) -> None:
    """Write and search in several threads until killed."""
    with Memory(folder, encoder="hashing:64", busy_timeout_s=_PATIENCE_S) as memory:
        threads = [
            threading.Thread(target=_work, args=(memory, log, seed, number))
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _work(memory: Memory, log: Path, seed: int, number: int) -> None:
    """Write and search for ever; whatever a thread fails with ends its process, and is told."""
    try:
        with log.with_name(f"{log.name}-{number}").open("a", buffering=1) as file:
            _act(memory, file, f"{seed}-{number}", f"u{seed % 3}")
    except BaseException:  # noqa: BLE001  # told, and the process ends
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _act(memory: Memory, file: TextIO, worker: str, scope: str) -> None:
    rng = random.Random(worker)
    mine: list[str] = []
    for number in count():
        text = f"worker-{worker}-note-{number}-{rng.getrandbits(64):016x} about nothing"
        choice = rng.random()
        if choice < 0.70 or not mine:
            file.write(f"begin add - {text}\n")
            mine.append(memory.add(text, user=scope).id)
            file.write(f"done add {mine[-1]} {text}\n")
            continue
        if choice < 0.90:
            memory.search(f"note {number}", user=scope, limit=3)
            continue
        id = rng.choice(mine)
        if choice < 0.94:
            file.write(f"begin update {id} {text}\n")
            memory.update(id, text=text, user=scope)
            file.write(f"done update {id} {text}\n")
            continue
        mine.remove(id)
        verb = "delete" if choice < 0.96 else "forget"
        file.write(f"begin {verb} {id} -\n")
        getattr(memory, verb)(id, user=scope)
        file.write(f"done {verb} {id} -\n")


def run(folder: Path, *, workers: int, rounds: int, seed: int) -> tuple[int, int]:
    """Kill and restart workers; return how many changes were acknowledged and how many checked.

    Raises:
        AssertionError: if an acknowledged change is lost, or the doctor finds a problem.
    """
    rng = random.Random(seed)
    memory_folder = folder / "memory"
    logs: list[Path] = []
    starts = 0

    def start() -> subprocess.Popen[bytes]:
        nonlocal starts
        starts += 1
        log = folder / f"log-{starts}"
        logs.extend(log.with_name(f"{log.name}-{number}") for number in range(THREADS))
        arguments = [str(memory_folder), str(log), str(starts)]
        with (folder / "errors").open("ab") as errors:
            return subprocess.Popen([sys.executable, __file__, *arguments], stderr=errors)

    running = [start() for _ in range(workers)]
    try:
        for _ in range(rounds):
            time.sleep(rng.uniform(0.05, 0.5))
            victim = rng.randrange(workers)
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            running[victim] = start()
        # On a busy machine most are killed before they have begun, so the last ones are given time.
        patient_until = time.monotonic() + _PATIENCE_S
        while _done(logs) <= 2 * rounds and time.monotonic() < patient_until:
            time.sleep(0.2)
    finally:
        for process in running:
            process.kill()
            process.wait()
    return _check(memory_folder, logs, folder / "errors")


def _done(logs: list[Path]) -> int:
    written = (log.read_text() for log in logs if log.exists())
    return sum(line.startswith("done ") for text in written for line in text.splitlines())


def _check(folder: Path, logs: list[Path], errors: Path) -> tuple[int, int]:
    faults = errors.read_text()
    assert not faults, f"a worker failed by itself: {faults[-3_000:]}"
    expected: dict[str, str | None] = {}  # id: its text, or None when it is gone
    open_ids: set[str] = set()  # a change of these was cut off
    said: dict[str, list[str]] = {}  # id: all that it ever said
    forgotten: set[str] = set()
    acknowledged = 0
    for log in logs:
        pending: str | None = None
        for line in log.read_text().splitlines(keepends=True) if log.exists() else ():
            if not line.endswith("\n"):
                continue  # the line itself was cut off
            state, verb, id, text = line.rstrip("\n").split(" ", 3)
            if state == "begin":
                pending = id
                continue
            pending = None
            acknowledged += 1
            if verb == "forget":
                forgotten.add(id)
            expected[id] = text if verb in ("add", "update") else None
            said.setdefault(id, []).append(text)
        if pending is not None:
            open_ids.add(pending)
    with Memory(folder, encoder="hashing:64") as memory:
        report = memory.store.examine()
        assert report.is_healthy, report.problems
        checked = 0
        for id in open_ids - {"-"}:  # what was cut off is done wholly or not at all
            if [row.op for row in memory.store.journal.versions(id)] == ["erase"]:
                forgotten.add(id)
        for id, wanted in expected.items():
            if id in open_ids:
                continue
            checked += 1
            found = [_get(memory, id, f"u{n}") for n in range(3)]
            texts = [document.text for document in found if document is not None]
            assert texts == ([] if wanted is None else [wanted]), (id, texts, wanted)
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    for text in (text for id in forgotten for text in said.get(id, ()) if text != "-"):
        assert text.split(" ")[0].encode() not in content, f"forgotten, but on disk: {text}"
    return acknowledged, checked


def _get(memory: Memory, id: str, user: str) -> Document | None:
    try:
        record = memory.get(id, user=user)
    except NotFound:
        return None
    assert isinstance(record, Document)
    return record


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
