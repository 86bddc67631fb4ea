"""The file of a kept graph may be somebody else's: it is read within its bytes, or made anew."""

import json
import tracemalloc
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentcl import Memory
from agentcl.retrieval.graph import snapshot
from agentcl.retrieval.graph.names import NameExtractor
from agentcl.retrieval.modes import Mode

Arrays = dict[str, Any]
Change = Callable[[Arrays], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph")
    with Memory(path / "m", encoder="hashing:16") as memory:
        note = memory.add("Zwirbelkatz drives the ferry Aurora.", user="u")
        memory.add("Aurora is a ferry of Tessary.", user="u")
        (passage,) = memory.store.passages(note.id, user="u")
        memory.facts.add(passage.id, [("Zwirbelkatz", "drives", "Aurora")], user="u")
        memory.search("Aurora", mode="graph", user="u")
        graph = memory.store.retriever.graph.index
        snapshot.save(path / "graph.npz", graph.contents, graph.watermark())
    return path


def head(**changes: Any) -> Change:
    def change(arrays: Arrays) -> None:
        held = json.loads(arrays["head"].tobytes())
        arrays["head"] = np.frombuffer(json.dumps({**held, **changes}).encode(), np.uint8)

    return change


def moved(name: str, by: int) -> Change:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name] + arrays[name].dtype.type(by)

    return change


def other(name: str, array: Any) -> Change:
    return lambda arrays: arrays.update({name: array})


CHANGES: dict[str, Change] = {
    "nodes 10**12": head(nodes=10**12),
    "nodes 2**63": head(nodes=2**63),
    "nodes text": head(nodes="x"),
    "nodes true": head(nodes=True),
    "watermark text": head(watermark="x"),
    "tenants list": head(tenants=["a"]),
    "tenants twice": head(tenants={"": 0, "x": 0}),
    "scopes of five": head(scopes=[["a"] * 5]),
    "scopes of numbers": head(scopes=[[1, 2, 3, 4]]),
    "no scopes": head(scopes=[]),
    "head list": other("head", np.frombuffer(b"[]", np.uint8)),
    "head deep": other("head", np.frombuffer(b"[" * 100_000, np.uint8)),
    "head empty": other("head", np.empty(0, np.uint8)),
    "id number": other("id", np.arange(3)),
    "id twice": lambda arrays: arrays.update(id=np.concatenate([arrays["id"]] * 2)),
    "a pickle": other("id", np.array([{}], dtype=object)),
    "two dimensions": lambda arrays: arrays.update(seq=arrays["seq"].reshape(1, -1)),
    "an array more": other("more", np.arange(3)),
    "an array less": lambda arrays: arrays.pop("seq"),
    **{f"{name} high": moved(name, 10**8) for name in ("phrases", "nodes", "spelled", "subjects", "objects", "tenant_of", "scope", "passages")},
    **{f"{name} low": moved(name, -5) for name in ("phrases", "nodes", "spelled", "subjects", "objects", "tenant_of", "scope", "passages")},
    "kind 7": moved("kind", 7),
    "rows that are not there yet": moved("seq", 10**9),
    "rows twice": lambda arrays: arrays.update(seq=arrays["seq"] * 0 + 1),
    "ends beyond": moved("phrases_ends", 1),
    "ends backwards": lambda arrays: arrays.update(phrases_ends=arrays["phrases_ends"][::-1].copy()),
    "texts number": other("unread", np.frombuffer(b"[1, 2]", np.uint8)),
    "texts fewer": other("unread", np.frombuffer(b"[]", np.uint8)),
    "words of no bytes": other("spelling", np.frombuffer(b"\xff\xfe", np.uint8)),
    "others": other("other", np.frombuffer(b'[["x", 1]]', np.uint8)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_does_not_fit_together_is_made_anew(folder: Path, tmp_path: Path, name: str) -> None:
    with np.load(folder / "graph.npz") as columns:
        arrays = dict(columns)
    CHANGES[name](arrays)
    np.savez(tmp_path / "graph.npz", **arrays)
    assert snapshot.load(folder / "graph.npz", NameExtractor()) is not None
    assert snapshot.load(tmp_path / "graph.npz", NameExtractor()) is None


def claiming(path: Path, shape: tuple[int, ...], packed: int, data: bytes = b"") -> None:
    """Write an archive whose first array claims a shape."""
    with np.load(path) as columns:
        arrays = dict(columns)
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, array in arrays.items():
            buffer = BytesIO()
            if name == "spelling":
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(buffer, header)
                buffer.write(data)
            else:
                np.save(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue())


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62,), (-1,), (3, 1 << 30), ()])
@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_claim_takes_no_memory(
    folder: Path, tmp_path: Path, shape: tuple[int, ...], packed: int
) -> None:
    (tmp_path / "graph.npz").write_bytes((folder / "graph.npz").read_bytes())
    claiming(tmp_path / "graph.npz", shape, packed, b"a" * (1 << 24))
    tracemalloc.start()
    try:
        assert snapshot.load(tmp_path / "graph.npz", NameExtractor()) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 << 20


def test_a_packed_file_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    with np.load(folder / "graph.npz") as columns:
        arrays = dict(columns)
    arrays["spelling"] = np.zeros(1 << 26, np.uint8)
    np.savez_compressed(tmp_path / "graph.npz", **arrays)
    tracemalloc.start()
    try:
        assert snapshot.load(tmp_path / "graph.npz", NameExtractor()) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 16 << 20


def test_a_file_that_lies_about_scopes_shows_nothing(folder: Path, tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        memory.store.import_(_exported(folder, tmp_path))
        memory.search("Aurora", mode="graph", user="u")
        graph = memory.store.retriever.graph.index
        snapshot.save(tmp_path / "m/indexes/graph/graph.npz", graph.contents, graph.watermark())
    with np.load(tmp_path / "m/indexes/graph/graph.npz") as columns:
        arrays = dict(columns)
    head(scopes=[["", "eve", "", ""]])(arrays)
    np.savez(tmp_path / "m/indexes/graph/graph.npz", **arrays)
    with Memory(tmp_path / "m") as memory:
        assert len(memory.search("Aurora", mode="graph", user="eve")) == 0


@pytest.mark.parametrize("mode", ["graph", "hybrid"])
def test_a_file_that_lies_about_rows_stands_in_nobodys_way(
    folder: Path, tmp_path: Path, mode: Mode
) -> None:
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        memory.store.import_(_exported(folder, tmp_path))
        memory.search("Aurora", mode="graph", user="u")
        graph = memory.store.retriever.graph.index
        snapshot.save(tmp_path / "m/indexes/graph/graph.npz", graph.contents, graph.watermark())
    with np.load(tmp_path / "m/indexes/graph/graph.npz") as columns:
        arrays = dict(columns)
    arrays["seq"][0] -= 1
    np.savez(tmp_path / "m/indexes/graph/graph.npz", **arrays)
    with Memory(tmp_path / "m") as memory:
        assert memory.search("Aurora", mode=mode, user="u")


def _exported(folder: Path, tmp_path: Path) -> Path:
    with Memory(folder / "m") as memory:
        memory.store.export(tmp_path / "e.jsonl")
    return tmp_path / "e.jsonl"
