"""Three libraries for nearest neighbours beside comparing all: usearch, faiss and hnswlib.

    pip install usearch faiss-cpu hnswlib
    python benchmarks/ann_libraries.py --data ../shared/data/multihop

Vectors are MiniLM embeddings of real texts (`embeddings.py` says of what), as many as `--real` says; the rest are made
from these: each is the mean of a real one and one of its 20 nearest, in random shares, with noise, as texts are that
share sentences. Questions are the corpora's own. All graphs have 16 links a node (32 at the base) and look at 128
neighbours when one is put in, 256 when one is looked for (agentcl's 512). Each question is asked of all in turn, on one thread; what is kept in few bits gives 100
candidates, which are compared in full. Then a fifth is deleted, one filter lets one row in a hundred through, and a
vector is deleted and looked for in the file that is written after that.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from embeddings import augmented, questions
from parts.results import machine, save, table

from agentcl.retrieval.index import Change, Entry, Index, Query
from agentcl.retrieval.vectors.exact import ExactIndex, to_units
from agentcl.retrieval.vectors.usearch import WRITE_FROM, UsearchIndex
from agentcl.store.records import Scope, ScopeView

Floats = NDArray[np.float32]
Search = Callable[[Floats], Sequence[int]]
LIMIT = 10
CANDIDATES = 100
LINKS, LOOKED_AT, WIDTH = 16, 128, 256
EVERYTHING = ScopeView(None, None, None, None)
EVE = ScopeView(None, frozenset({"eve"}), None, None)


@dataclass
class Built:
    """One contender, filled: how it is asked, and what it does with deletions and files."""

    search: Search
    filtered: Search | None = None  # lets one row in a hundred through
    delete: Callable[[Sequence[int]], object] | None = None
    write: Callable[[Path], object] | None = None
    read: Callable[[Path], object] | None = None
    held: Callable[[int], bytes] = lambda n: b""  # the bytes of a vector, as the file has them
    measured: dict[str, Any] = field(default_factory=dict)


def is_eve(n: int) -> bool:
    """Return whether the filter lets a row through."""
    return n % 100 == 7


def best(rows: Floats, question: Floats, among: NDArray[np.intp]) -> list[int]:
    """Return the nearest of some rows, compared in full."""
    scores = rows[among] @ question
    return [int(n) for n in among[np.argsort(-scores)[:LIMIT]]]


def brute_force(rows: Floats) -> Built:
    """Return an exact search in float32."""
    few = np.flatnonzero([is_eve(n) for n in range(len(rows))])

    def search(question: Floats) -> Sequence[int]:
        scores = rows @ question
        nearest = np.argpartition(scores, -LIMIT)[-LIMIT:]
        return [int(n) for n in nearest[np.argsort(-scores[nearest])]]

    return Built(search, lambda question: best(rows, question, few))


def asked_of(index: Index, view: ScopeView) -> Search:
    """Return a search of an index of agentcl's."""

    def search(question: Floats) -> Sequence[int]:
        found = index.search(Query(view=view, vector=question.tobytes()), limit=LIMIT)
        return [match.seq - 1 for match in found]

    return search


def ours(index: Index, rows: Floats) -> Built:
    """Return an index of agentcl, filled."""
    index.rebuild(changes(rows), watermark=len(rows))
    if isinstance(index, UsearchIndex):
        index.keep()
        index.finish()
    return Built(
        asked_of(index, EVERYTHING),
        asked_of(index, EVE),
        delete=lambda gone: index.remove([f"id{n}" for n in gone]),
    )


def in_files(rows: Floats, folder: Path) -> Built:
    """Return agentcl's index "usearch", and what its files cost."""
    built = ours(
        UsearchIndex("rows", folder, write_from=min(WRITE_FROM, len(rows)), piece=len(rows)), rows
    )
    files = [path for path in folder.iterdir() if path.is_file()]
    started = time.perf_counter()
    other = UsearchIndex("rows", folder)
    last = other.watermark()
    other.apply(changes(rows[last:], first=last), watermark=len(rows))
    asked_of(other, EVERYTHING)(rows[0])
    built.measured = {
        "file_bytes": sum(path.stat().st_size for path in files),
        "open_s": time.perf_counter() - started,
    }
    unit = np.empty((1, rows.shape[1]), np.float32)
    to_units(rows[3:4], unit)
    held = unit.tobytes()
    assert any(held in path.read_bytes() for path in folder.iterdir())
    started = time.perf_counter()
    other.remove(["id3"])
    other.clear()
    built.measured["forget_s"] = time.perf_counter() - started
    built.measured["deleted_is_in_file"] = any(
        held in path.read_bytes() for path in folder.iterdir()
    )
    return built


def changes(rows: Floats, *, first: int = 0) -> Sequence[Change]:
    """Return what the journal of these vectors would give an index; Eve has one row in a hundred."""
    return [
        Change(n + 1, f"id{n}", n + 1, Entry(
            n + 1, f"id{n}", "passage", Scope(user="eve" if is_eve(n) else "ada"), "", row.tobytes(), n + 1, None, None, {}
        ))
        for n, row in enumerate(rows, start=first)
    ]  # fmt: skip


def usearch(rows: Floats, bits: str) -> Built:
    """Return usearch: its Python package has no filter, so more is asked for and then sorted out."""
    library: Any = importlib.import_module("usearch.index")
    index = library.Index(
        ndim=rows.shape[1], metric="cos", dtype=bits, connectivity=LINKS,
        expansion_add=LOOKED_AT, expansion_search=WIDTH,
    )  # fmt: skip
    index.add(np.arange(len(rows), dtype=np.uint64), rows, threads=1)

    def asked(count: int, wanted: Callable[[int], bool] = lambda n: True) -> Search:
        def search(question: Floats) -> Sequence[int]:
            keys = index.search(question, count, threads=1).keys
            among = [int(n) for n in keys if wanted(int(n))]
            return best(rows, question, np.array(among, np.intp))

        return search

    return Built(
        asked(CANDIDATES),
        asked(20 * CANDIDATES, is_eve),
        delete=lambda gone: index.remove(np.array(gone, np.uint64)),
        write=lambda path: index.save(str(path)),
        read=lambda path: library.Index.restore(str(path), view=True),
        held=lambda n: np.asarray(index.get(n)).tobytes(),
    )


def faiss(rows: Floats, bits: str) -> Built:
    """Return faiss's HNSW: it deletes nothing, and takes a filter while it walks."""
    library: Any = importlib.import_module("faiss")
    library.omp_set_num_threads(1)
    dim, product = rows.shape[1], library.METRIC_INNER_PRODUCT
    index: Any = library.IndexHNSWFlat(dim, LINKS, product)
    if bits == "i8":
        index = library.IndexHNSWSQ(dim, library.ScalarQuantizer.QT_8bit, LINKS, product)
        index.train(rows)
    index.hnsw.efConstruction = LOOKED_AT
    index.add(rows)
    is_live = np.ones(len(rows), bool)
    few = np.array([is_eve(n) for n in range(len(rows))])

    def asked(mask: NDArray[np.bool_] | None) -> Search:
        def search(question: Floats) -> Sequence[int]:
            wanted = is_live if mask is None else mask & is_live
            sel = None if wanted.all() else library.IDSelectorBitmap(np.packbits(wanted, bitorder="little"))  # fmt: skip
            found = index.search(
                question[None], CANDIDATES,
                params=library.SearchParametersHNSW(efSearch=WIDTH, sel=sel),
            )[1][0]  # fmt: skip
            return best(rows, question, found[found >= 0])

        return search

    def held(n: int) -> bytes:
        if bits == "f32":
            return bytes(rows[n].tobytes())
        codes = library.vector_to_array(library.downcast_index(index.storage).codes)
        return bytes(codes[n * dim : (n + 1) * dim])

    def delete(gone: Sequence[int]) -> None:
        is_live[np.asarray(gone)] = False

    return Built(
        asked(None),
        asked(few),
        delete=delete,
        write=lambda path: library.write_index(index, str(path)),
        read=lambda path: library.read_index(str(path), library.IO_FLAG_MMAP_IFC),
        held=held,
    )


def hnswlib(rows: Floats) -> Built:
    """Return hnswlib: a filter is a call of Python for each vector that is met, and a file is read as a whole."""
    library: Any = importlib.import_module("hnswlib")
    dim = rows.shape[1]
    index = library.Index(space="ip", dim=dim)
    index.init_index(len(rows), M=LINKS, ef_construction=LOOKED_AT)
    index.add_items(rows, num_threads=1)
    index.set_ef(WIDTH)

    def asked(wanted: Callable[[int], bool] | None) -> Search:
        def search(question: Floats) -> Sequence[int]:
            found = index.knn_query(question, k=LIMIT, num_threads=1, filter=wanted)[0][0]
            return [int(n) for n in found]

        return search

    def delete(gone: Sequence[int]) -> None:
        for n in gone:
            index.mark_deleted(n)

    def read(path: Path) -> object:
        opened = library.Index(space="ip", dim=dim)
        opened.load_index(str(path))
        return opened

    return Built(
        asked(None), asked(is_eve), delete=delete, write=lambda path: index.save_index(str(path)),
        read=read, held=lambda n: rows[n].tobytes(),
    )  # fmt: skip


CONTENDERS: dict[str, Callable[[Floats], Built]] = {
    "numpy brute force": brute_force,
    "agentcl, exact": lambda rows: ours(ExactIndex(), rows),
    "usearch, int8": lambda rows: usearch(rows, "i8"),
    "usearch, float32": lambda rows: usearch(rows, "f32"),
    "faiss HNSW, int8": lambda rows: faiss(rows, "i8"),
    "faiss HNSW, float32": lambda rows: faiss(rows, "f32"),
    "hnswlib, float32": hnswlib,
}


def race(
    searches: dict[str, Search], rows: Floats, asked: Floats, seen: NDArray[np.bool_]
) -> dict[str, tuple[float, float]]:
    """Return median milliseconds and recall@10 of each; what ties with the last true one is as good."""
    took: dict[str, list[float]] = {name: [] for name in searches}
    found: dict[str, int] = dict.fromkeys(searches, 0)
    for search in searches.values():
        search(asked[0])
    for question in asked:
        scores = np.where(seen, rows @ question, -2.0)
        worst = np.partition(scores, -LIMIT)[-LIMIT] - 1e-6
        for name, search in searches.items():
            started = time.perf_counter()
            got = search(question)
            took[name].append((time.perf_counter() - started) * 1e3)
            found[name] += sum(bool(scores[n] >= worst) for n in got)
    return {
        name: (statistics.median(took[name]), found[name] / (LIMIT * len(asked)))
        for name in searches
    }


def measured(
    rows: Floats, asked: Floats, folder: Path, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Fill all, ask all, delete, ask again, write and read."""
    built: dict[str, Built] = {}
    result: dict[str, dict[str, Any]] = {}
    own: Callable[[Floats], Built] = lambda rows: in_files(rows, folder / "own")  # noqa: E731
    makers = {**CONTENDERS, "agentcl, usearch": own}
    for name in names:
        started = time.process_time()
        built[name] = makers[name](rows)
        result[name] = {"build_cpu_s": time.process_time() - started, **built[name].measured}
        print(f"{name}: built in {result[name]['build_cpu_s']:.0f} s of CPU", file=sys.stderr)
    every = np.ones(len(rows), bool)
    few = np.array([is_eve(n) for n in range(len(rows))])
    for name, cell in race({n: b.search for n, b in built.items()}, rows, asked, every).items():
        result[name]["all"] = cell
    searches = {n: b.filtered for n, b in built.items() if b.filtered}
    for name, cell in race(searches, rows, asked, few).items():
        result[name]["1 %"] = cell
    for name, one in built.items():
        if one.write and one.read:
            path = folder / "file"
            held = one.held(3)
            one.write(path)
            result[name]["file_bytes"] = path.stat().st_size
            started = time.perf_counter()
            opened = one.read(path)
            result[name]["open_s"] = time.perf_counter() - started
            del opened
            assert held in path.read_bytes()
            if one.delete:
                one.delete([3])
            one.write(path)
            result[name]["deleted_is_in_file"] = held in path.read_bytes()
            path.unlink()
    gone = [n for n in range(len(rows)) if n % 5 == 0]
    for one in built.values():
        if one.delete:
            one.delete(gone)
    seen = every.copy()
    seen[[3, *gone]] = False
    searches = {n: b.search for n, b in built.items() if b.delete}
    for name, cell in race(searches, rows, asked, seen).items():
        result[name]["without a fifth"] = cell
    return result


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=5_000, help="Embeddings of real texts.")
    parser.add_argument("--only", nargs="+", default=[*CONTENDERS, "agentcl, usearch"])
    parser.add_argument("--questions", type=int, default=300)
    arguments = parser.parse_args()
    rows = augmented(arguments.data, arguments.rows, real=arguments.real)
    every = questions(arguments.data)
    asked = every[:: max(1, len(every) // arguments.questions)]
    with tempfile.TemporaryDirectory() as folder:
        result = measured(rows, asked, Path(folder), arguments.only)
    lines = [
        [
            name,
            f"{cells['build_cpu_s']:.0f}",
            *(
                f"{cells[what][0]:.2f} / {cells[what][1]:.3f}" if what in cells else ""
                for what in ("all", "1 %", "without a fifth")
            ),
            f"{cells['file_bytes'] / 1e6:.0f}" if "file_bytes" in cells else "",
            f"{cells['open_s'] * 1e3:.0f}" if "open_s" in cells else "",
            {True: "yes", False: "no"}.get(cells.get("deleted_is_in_file", ""), ""),
        ]
        for name, cells in result.items()
    ]
    table(
        ["", "build, CPU s", "all, ms / recall@10", "1 %", "without a fifth", "file, MB", "open, ms", "deleted is in file"],
        lines,
    )  # fmt: skip
    save(
        "ann_libraries",
        {
            "machine": machine("numpy", "usearch", "faiss-cpu", "hnswlib"),
            "load": os.getloadavg()[0],
            "vectors": len(rows),
            "real": arguments.real,
            "questions": len(asked),
            "contenders": result,
        },
    )


if __name__ == "__main__":
    main()
