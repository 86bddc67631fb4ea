"""What vectors take of memory and disk, in the indexes "exact" and "usearch".

    pip install 'agentcl[usearch]'
    python benchmarks/ann_sizes.py

Each row of the table is a process of its own, which reads /proc (Linux). Ids have 26 letters, as those of records, and
there is no metadata: that takes what it is long. What is mapped from files the system gives back when others need it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from parts.results import machine, save, table

from agentcl.retrieval.index import Change, Entry, Query
from agentcl.retrieval.vectors import row_files
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.retrieval.vectors.usearch import WRITE_FROM, UsearchIndex
from agentcl.store.records import Scope, ScopeView

EVERYTHING = ScopeView(None, None, None, None)
HEAPS, BATCH, QUESTIONS = 500, 1_000, 100


def changes(rows: int, dim: int) -> Iterator[Change]:
    """Yield what the journal of so many vectors would give an index."""
    rng = np.random.default_rng(0)
    heaps = rng.normal(size=(HEAPS, dim))
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        vectors = heaps[rng.integers(HEAPS, size=count)] + 0.5 * rng.normal(size=(count, dim))
        for n, vector in enumerate(vectors.astype("<f4"), start=start + 1):
            entry = Entry(
                n, f"{n:026}", "passage", Scope(user="ada"), "", vector.tobytes(), n, None, None, {}
            )
            yield Change(n, entry.id, n, entry)


def said(name: str) -> int:
    """Return bytes of this process's memory: "RssAnon" is its own, "RssFile" is mapped."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise SystemExit("this system does not say what memory is of files; run it on Linux")


def asked(index: ExactIndex | UsearchIndex, dim: int) -> None:
    """Ask an index some questions."""
    rng = np.random.default_rng(1)
    for _ in range(QUESTIONS):
        vector = rng.normal(size=dim).astype("<f4").tobytes()
        assert len(index.search(Query(view=EVERYTHING, vector=vector), limit=10)) == 10


class Peak:
    """The most memory of its own that this process had within a block."""

    def __enter__(self) -> Peak:
        self.bytes, self._is_over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.02):
            self.bytes = max(self.bytes, said("RssAnon"))


def measured(what: str, folder: Path, rows: int, dim: int) -> dict[str, int]:
    """Do one thing in this process, and return what it took."""
    before = said("RssAnon")
    if what == "exact":
        exact = ExactIndex()
        exact.rebuild(changes(rows, dim), watermark=rows)
        asked(exact, dim)
        return {"memory": said("RssAnon") - before}
    index = UsearchIndex("sizes", folder, write_from=min(WRITE_FROM, rows), piece=rows)
    if what == "write":
        index.rebuild(changes(rows, dim), watermark=rows)
        held = said("RssAnon") - before
        with Peak() as peak:
            index.keep()
            index.finish()
        builder = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        head = row_files.read_head(folder)
        sizes = {part: head.path(folder, part).stat().st_size for part in row_files.PARTS}
        return {"memory": held, "peak": peak.bytes - before, "builder": builder, **sizes}
    assert index.watermark() == rows
    asked(index, dim)
    return {"memory": said("RssAnon") - before, "mapped": said("RssFile")}


def in_a_process(what: str, folder: str, rows: int, dim: int) -> dict[str, int]:
    """Measure one thing in a process of its own."""
    command = [sys.executable, __file__, "--rows", str(rows), "--dim", str(dim), "--only", what]
    found = subprocess.run([*command, "--folder", folder], check=True, stdout=subprocess.PIPE)
    cell: dict[str, int] = json.loads(found.stdout)
    return cell


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--only", help="Measure this in this process.")
    parser.add_argument("--folder", type=Path, help="Where its files are.")
    arguments = parser.parse_args()
    rows, dim = arguments.rows, arguments.dim
    if arguments.only:
        print(json.dumps(measured(arguments.only, arguments.folder, rows, dim)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            what: in_a_process(what, folder, rows, dim) for what in ("exact", "write", "open")
        }
    names = sorted({name for cell in found.values() for name in cell})
    lines = [
        [what, *(f"{cell[name] / 1e6:,.0f}" if name in cell else "" for name in names)]
        for what, cell in found.items()
    ]
    table(["MB", *names], lines)
    save("ann_sizes", {"machine": machine("numpy", "usearch"), "vectors": rows, "dim": dim, "sizes": found})  # fmt: skip


if __name__ == "__main__":
    main()
