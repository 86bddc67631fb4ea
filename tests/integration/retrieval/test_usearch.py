"""The index "usearch": what its files hold, who may read them, and what is left of what was forgotten."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentcl import Memory
from agentcl.retrieval import row_files
from agentcl.retrieval.exact import ExactIndex
from agentcl.retrieval.index import Change, Condition, Entry, Query
from agentcl.retrieval.indexes import clear_closed
from agentcl.store.records import Scope, ScopeView
from agentcl.testing import OPEN

pytest.importorskip("usearch")
from agentcl.retrieval.usearch import UsearchIndex

DIM, ROWS = 32, 3_000
EVE = ScopeView(None, frozenset({"eve"}), None, None)
ADA = ScopeView(None, frozenset({"ada"}), None, None)


def vector(n: int) -> bytes:
    """Return a vector in one of 60 heaps."""
    heap = np.random.default_rng(n % 60).normal(size=DIM)
    own = np.random.default_rng(10_000 + n).normal(size=DIM)
    return (heap + 0.4 * own).astype("<f4").tobytes()


def changes(numbers: Iterable[int], *, at: int = 0) -> list[Change]:
    return [
        Change(at + n + 1, f"id{n}", at + n + 1, Entry(
            at + n + 1, f"id{n}", "passage", Scope(user="eve" if n % 100 == 7 else "ada"), "", vector(at + n),
            at + n + 1, None, None, {"secret": f"zq{n}"},
        ))
        for n in numbers
    ]  # fmt: skip


def opened(folder: Path, *, collection: str = "c", write_from: int = 500) -> UsearchIndex:
    return UsearchIndex(collection, folder, write_from=write_from, exact_below=100)


def filled(folder: Path, rows: int = ROWS) -> UsearchIndex:
    index = opened(folder)
    index.rebuild(changes(range(rows)), watermark=rows)
    index.keep()
    return index


def ask(index: UsearchIndex | ExactIndex, n: int, limit: int = 10, **other: Any) -> list[int]:
    query = Query(**{"view": OPEN, "vector": vector(50_000 + n), **other})
    return [match.seq for match in index.search(query, limit=limit)]


def recall(index: UsearchIndex, exact: ExactIndex, **other: Any) -> float:
    shares = []
    for n in range(40):
        wanted = set(ask(exact, n, **other))
        shares.append(len(wanted & set(ask(index, n, **other))) / len(wanted))
    return sum(shares) / len(shares)


def content(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def kept_forms(folder: Path, id: str) -> list[bytes]:
    """Return the bytes in which the files hold a record's vector: whole, its signs, and in the graph."""
    head = row_files.read_head(folder)
    arrays = row_files.mapped(folder, head)
    (row,) = row_files.rows_of(arrays, [id])
    place = 8 + int(arrays["slots"][row]) * head.dim
    graph = head.path(folder, "graph").read_bytes()[place : place + head.dim]
    return [arrays["vectors"][row].tobytes(), graph]


def test_what_is_new_goes_to_files_and_another_process_begins_with_these(tmp_path: Path) -> None:
    exact = ExactIndex()
    exact.rebuild(changes(range(ROWS)), watermark=ROWS)
    index = filled(tmp_path)
    other = opened(tmp_path)
    assert other.watermark() >= ROWS - 500
    lacking = [change for change in changes(range(ROWS)) if change.seq > other.watermark()]
    other.apply(lacking, watermark=ROWS)
    for one in (index, other):
        assert one.watermark() == ROWS
        assert sorted(one.live_seqs()) == sorted(exact.live_seqs())
        assert recall(one, exact) >= 0.99
        assert recall(one, exact, view=ADA, limit=50) >= 0.99


def test_a_filter_that_lets_few_through_misses_none_of_them(tmp_path: Path) -> None:
    exact = ExactIndex()
    exact.rebuild(changes(range(ROWS)), watermark=ROWS)
    index = filled(tmp_path)
    few = Condition("secret", "in", [f"zq{n}" for n in range(0, ROWS, 300)])
    for n in range(20):
        others: tuple[dict[str, Any], ...] = ({"view": EVE}, {"conditions": (few,)}, {"at": 40})
        for other in others:
            assert ask(index, n, **other) == ask(exact, n, **other)
            assert ask(index, n, limit=1_000, **other) == ask(exact, n, limit=1_000, **other)


def test_updated_and_deleted_rows_are_seen_in_the_past_only(tmp_path: Path) -> None:
    exact, index = ExactIndex(), filled(tmp_path)
    exact.rebuild(changes(range(ROWS)), watermark=ROWS)
    last = ROWS
    for start in (0, 300, 600):  # each turn is written to files
        later = changes(range(start, start + 300), at=last - start)
        later += [Change(last + 301 + n, f"id{2_000 + start + n}", last, None) for n in range(300)]
        last += 600
        for one in (exact, index):
            one.apply(later, watermark=last)
        index.keep()
    assert sorted(index.live_seqs()) == sorted(exact.live_seqs())
    assert recall(index, exact) >= 0.99
    assert recall(index, exact, at=ROWS) >= 0.99


def test_of_what_was_removed_no_byte_is_left_and_nobody_finds_it(tmp_path: Path) -> None:
    index, other = filled(tmp_path), opened(tmp_path)
    other.watermark()
    gone = ["id3", "id407", "id1200"]
    held = [form for id in gone for form in kept_forms(tmp_path, id)]
    held += [f'zq{id[2:]}"'.encode() for id in gone]
    assert all(form in content(tmp_path) for form in held)
    asked = [Query(view=OPEN, vector=vector(int(id[2:]))) for id in gone]
    assert [index.search(one, limit=1)[0].id for one in asked] == gone
    index.remove(gone)
    index.clear()
    assert [form for form in held if form in content(tmp_path)] == []
    other.remove(gone)
    for one in (index, other, opened(tmp_path)):
        assert not {m.id for q in asked for m in one.search(q, limit=30)} & set(gone)
    # Files that are written later hold none of it either, and the graph still finds the rest.
    index.apply(changes(range(ROWS, ROWS + 600)), watermark=ROWS + 600)
    assert index.keep()
    assert [form for form in held if form in content(tmp_path)] == []
    assert ask(index, 1, limit=5) == ask(opened(tmp_path), 1, limit=5)


def test_the_names_of_a_scope_go_with_the_last_of_its_rows(tmp_path: Path) -> None:
    index = filled(tmp_path, rows=600)
    index.remove([f"id{n}" for n in range(7, 600, 100)])
    assert b"eve" not in content(tmp_path)
    assert ask(opened(tmp_path), 1, view=EVE) == []
    assert len(ask(opened(tmp_path), 1, view=ADA)) == 10


def test_where_most_was_removed_it_is_made_anew(tmp_path: Path) -> None:
    index = filled(tmp_path, rows=600)
    index.remove([f"id{n}" for n in range(400)])
    assert index.watermark() == 0
    assert not list(tmp_path.glob("*.vectors"))


def damage(path: Path, change: str) -> None:
    held = bytearray(path.read_bytes())
    if change == "cut off":
        path.write_bytes(held[: len(held) // 2])
    elif change == "turned":
        held[len(held) // 2] ^= 0xFF
        path.write_bytes(held)
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("graph", "turned"), ("graph", "cut off"), ("graph", "gone"), ("vectors", "cut off"), ("vectors", "gone"),
        ("rows", "cut off"), ("rows", "gone"), ("head", "turned"), ("head", "cut off"), ("head", "gone"),
    ],
)  # fmt: skip
def test_files_that_are_not_whole_are_not_read(tmp_path: Path, part: str, change: str) -> None:
    filled(tmp_path, rows=600).close()
    (path,) = tmp_path.glob("head.json" if part == "head" else f"*.{part}")
    damage(path, change)
    index = opened(tmp_path)
    assert index.watermark() == 0
    index.rebuild(changes(range(600)), watermark=600)
    assert len(ask(index, 1)) == 10


def test_files_of_another_encoder_are_not_read(tmp_path: Path) -> None:
    filled(tmp_path, rows=600).close()
    assert opened(tmp_path, collection="other").watermark() == 0
    assert opened(tmp_path).watermark() > 0


def test_files_that_somebody_else_wrote_are_not_read(
    tmp_path: Path, own_configuration: Path
) -> None:
    """The library trusts the graph that it is given, so a folder that was received brings none."""
    filled(tmp_path, rows=600).close()
    (secret,) = own_configuration.rglob("index-secret")
    secret.write_bytes(os.urandom(32))
    assert opened(tmp_path).watermark() == 0


def test_rows_that_name_what_there_is_not_are_not_read(tmp_path: Path) -> None:
    filled(tmp_path, rows=600).close()
    head = row_files.read_head(tmp_path)
    place, dtype, shape = head.sections["order"]
    with head.path(tmp_path, "rows").open("r+b") as file:
        file.seek(place)
        file.write(np.full(shape, 10_000, dtype).tobytes())
    assert opened(tmp_path).watermark() == 0


def test_a_place_that_cannot_be_written_leaves_all_in_memory(tmp_path: Path) -> None:
    index = opened(tmp_path / "i")
    for path in (tmp_path / "i").iterdir():
        path.unlink()
    (tmp_path / "i").rmdir()
    (tmp_path / "i").write_text("no folder")
    index.apply(changes(range(600)), watermark=600)
    assert not index.keep()
    assert len(ask(index, 1)) == 10


def _memory(folder: Path) -> Memory:
    index = UsearchIndex("m", folder / "indexes/usearch", write_from=20, exact_below=0)
    return Memory(folder, encoder="hashing:32", index=index)


def _forms(folder: Path, memory: Memory, ids: Sequence[str]) -> list[bytes]:
    passages = [passage.id for id in ids for passage in memory.store.passages(id, user="ada")]
    return [form for id in passages for form in kept_forms(folder / "indexes/usearch", id)]


@pytest.mark.parametrize("how", ["searched", "opened", "closed"])
def test_forgetting_clears_the_files_also_where_nobody_has_them_open(
    tmp_path: Path, how: str
) -> None:
    (tmp_path / "indexes/usearch").mkdir(parents=True)
    (tmp_path / "indexes/usearch/.agentcl-index").touch()
    with _memory(tmp_path) as memory:
        ids = [memory.add(f"note {n} of zyzzyva {n * n}", user="ada").id for n in range(60)]
        assert len(memory.search("zyzzyva", user="ada", mode="dense", limit=5)) == 5
        gone, kept = ids[::7], len(ids) - len(ids[::7])
        forms = _forms(tmp_path, memory, gone)
        assert all(form in content(tmp_path / "indexes") for form in forms)
        if how == "searched":
            for id in gone:
                memory.forget(id, user="ada")
        if how == "closed":
            memory.store.journal.erase(gone, view=ADA)
            assert clear_closed(memory.store.journal) == ["fulltext", "usearch"]
    if how == "opened":
        with _memory(tmp_path) as memory:
            for id in gone:
                assert "usearch" in memory.forget(id, user="ada").cleared
    assert [form for form in forms if form in content(tmp_path / "indexes")] == []
    with _memory(tmp_path) as memory:
        assert row_files.read_head(tmp_path / "indexes/usearch").rows >= 20
        assert len(memory.search("zyzzyva", user="ada", mode="dense", limit=100)) == kept
        assert memory.store.examine().problems == ()


def test_the_head_says_nothing_but_names_of_scopes_and_where_things_are(tmp_path: Path) -> None:
    filled(tmp_path, rows=600).close()
    _, _, text = (tmp_path / "head.json").read_bytes().partition(b"\n")
    assert set(json.loads(text)) == {
        "version", "generation", "collection", "watermark", "rows", "dim", "scopes", "kinds", "sections", "digest",
    }  # fmt: skip
