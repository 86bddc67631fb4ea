"""The index "usearch": what its files hold, who may read them, and what is left of what was forgotten."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentcl import Memory
from agentcl.process import ChildProcess
from agentcl.retrieval.index import Change, Condition, Entry, Query
from agentcl.retrieval.indexes import clear_closed
from agentcl.retrieval.vectors import row_files
from agentcl.retrieval.vectors.exact import ExactIndex
from agentcl.store.records import Scope, ScopeView
from agentcl.testing import OPEN

pytest.importorskip("usearch")
from agentcl.retrieval.vectors.usearch import UsearchIndex

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
    assert written(index)
    return index


def written(index: UsearchIndex) -> bool:
    """Let an index write files; return whether it did."""
    before = row_files.stamp(index.folder)
    index.keep()
    index.finish()
    return row_files.stamp(index.folder) != before


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
    for start in (0, 500, 1_000):  # each turn is written to files
        later = changes(range(start, start + 500), at=last - start)
        later += [Change(last + 501 + n, f"id{1_500 + start + n}", last, None) for n in range(300)]
        last += 800
        for one in (exact, index):
            one.apply(later, watermark=last)
        assert written(index)
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
    assert written(index)
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


@contextmanager
def held_up(index: UsearchIndex) -> Iterator[None]:
    """Let an index begin to write files, and keep it from its first file until the block ends."""
    with row_files.turn(index.folder, "writing", mode=None, wait=True):
        index.keep()
        assert index.is_writing
        yield
        assert index.is_writing
    index.finish()


def test_while_files_are_written_all_is_found_and_what_changes_is_kept(tmp_path: Path) -> None:
    exact, index = ExactIndex(), opened(tmp_path)
    for one in (exact, index):
        one.rebuild(changes(range(900)), watermark=900)
    later = [
        *changes(range(900, 1_000)),  # new
        *changes(range(100), at=1_000),  # changed
        *(Change(1_101 + n, f"id{100 + n}", 1_101 + n, None) for n in range(100)),  # deleted
    ]

    def are_alike() -> bool:
        asked: tuple[dict[str, Any], ...] = ({}, {"view": EVE}, {"at": 950})
        return all(
            ask(index, n, **other) == ask(exact, n, **other) for n in range(20) for other in asked
        ) and sorted(index.live_seqs()) == sorted(exact.live_seqs())

    with held_up(index):
        assert are_alike()
        for one in (exact, index):
            one.apply(later, watermark=1_200)
            one.remove(["id300", "id950"])
        assert are_alike()
    head = row_files.read_head(tmp_path)
    assert (head.watermark, head.rows, len(index)) == (900, 900, len(exact))
    assert index.watermark() == 1_200
    assert sorted(index.live_seqs()) == sorted(exact.live_seqs())
    assert recall(index, exact) >= 0.99
    assert recall(index, exact, at=950) >= 0.99
    # Who opens the files reads what came after them, and comes to the same.
    other = opened(tmp_path)
    other.remove(["id300", "id950"])
    other.apply([one for one in later if one.id != "id950"], watermark=1_200)
    assert sorted(other.live_seqs()) == sorted(exact.live_seqs())


@pytest.mark.parametrize("rows", [600, 1_500])  # the graph of few is built in this process
def test_what_is_removed_while_files_are_written_never_comes_to_the_disk(
    tmp_path: Path, rows: int
) -> None:
    index = opened(tmp_path)
    index.rebuild(changes(range(rows)), watermark=rows)
    unit = np.frombuffer(vector(3), "<f4")
    forms = [(unit / np.linalg.norm(unit)).astype("<f4").tobytes(), b'zq3"', b"id3\0"]
    seen: list[int] = []

    def erased(since: int) -> list[str]:
        seen.append(since)
        return ["id8"]

    with row_files.turn(tmp_path, "writing", mode=None, wait=True):
        index.keep(erased)
        index.remove(["id3"])
    index.finish()
    assert [form for form in forms if form in content(tmp_path)] == []
    assert b'zq8"' not in content(tmp_path)
    assert b'zq9"' in content(tmp_path)
    assert set(seen) == {rows}
    arrays = row_files.mapped(tmp_path, head := row_files.read_head(tmp_path))
    assert not arrays["vectors"][[3, 8]].any()
    place = [8 + int(arrays["slots"][row]) * DIM for row in (3, 8)]
    graph = head.path(tmp_path, "graph").read_bytes()
    assert [graph[one : one + DIM] for one in place] == [bytes(DIM)] * 2
    assert not {3 + 1, 8 + 1} & set(opened(tmp_path).live_seqs())
    assert len(ask(index, 1)) == 10


def test_what_is_removed_while_somebody_writes_is_cleared_later(tmp_path: Path) -> None:
    index = filled(tmp_path, rows=600)
    with row_files.turn(tmp_path, "writing", mode=None, wait=True):
        index.remove(["id3"])
        assert 4 not in index.live_seqs()
    assert b'zq3"' in content(tmp_path)
    index.clear()
    assert b'zq3"' not in content(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_files_of_one_that_was_killed_while_it_wrote_are_not_read_and_go(
    tmp_path: Path, kept: int
) -> None:
    """The head is written last, so it was killed with so many other files there, or with a half of the next."""
    filled(tmp_path / "a", rows=600).close()
    filled(tmp_path / "b", rows=700).close()
    left = [path for part in row_files.PARTS for path in (tmp_path / "b").glob(f"*.{part}")]
    for path in left[:kept]:
        shutil.copy(path, tmp_path / "a")
    (tmp_path / "a" / ".agentcl-0123456789abcdef.partial").write_bytes(b"half")
    index = opened(tmp_path / "a")
    assert index.watermark() == 600
    index.apply(changes(range(600, 1_200)), watermark=1_200)
    assert written(index)
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {
        ".vectors", ".rows", ".graph", ".json", ".lock",
    }  # fmt: skip
    assert len([*(tmp_path / "a").glob("*.graph")]) == 1


def test_a_process_that_is_killed_while_it_writes_leaves_files_that_open(tmp_path: Path) -> None:
    filled(tmp_path, rows=600).close()
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.integration.retrieval.test_usearch import changes, opened\n"
        "index = opened(Path(sys.argv[1]))\n"
        "assert index.watermark() == 600\n"
        "index.apply(changes(range(600, 3_000)), watermark=3_000)\n"
        "index.keep()\n"
        "print('writing', flush=True)\n"
        "index.finish()\n"
    )
    root = Path(__file__).parents[3]
    with ChildProcess(
        [sys.executable, "-c", program, str(tmp_path), str(root)], is_piped=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n", child.tail()
        child.kill()
        child.stdin.close()
        child.stdout.close()
    index = opened(tmp_path)
    assert index.watermark() in (600, 3_000)
    index.apply(changes(range(index.watermark(), 3_000)), watermark=3_000)
    assert written(index)
    assert len(ask(index, 1)) == 10


def test_closing_waits_for_files_that_are_being_written_and_stopping_leaves_those_before(
    tmp_path: Path,
) -> None:
    index = filled(tmp_path, rows=600)
    index.apply(changes(range(600, 1_200)), watermark=1_200)
    with row_files.turn(tmp_path, "building", mode=None, wait=True):
        index.keep()
        index.stop()
    index.close()
    assert opened(tmp_path).watermark() == 600
    index.apply(changes(range(600, 1_200)), watermark=1_200)
    index.keep()
    index.close()
    assert opened(tmp_path).watermark() == 1_200


def test_much_that_is_new_is_written_in_pieces_and_whoever_comes_next_goes_on(
    tmp_path: Path,
) -> None:
    def fill(patience_s: float = 0) -> UsearchIndex:
        index = UsearchIndex(
            "c", tmp_path, write_from=400, exact_below=100, piece=500, patience_s=patience_s
        )
        for begin in range(index.watermark(), ROWS, 250):
            index.apply(changes(range(begin, begin + 250)), watermark=begin + 250)
        return index

    exact = ExactIndex()
    exact.apply(changes(range(ROWS)), watermark=ROWS)
    index = fill()
    index.keep()
    index.close()  # waits for one piece, since it has no patience
    assert opened(tmp_path).watermark() == 500
    index = fill()
    index.apply([Change(ROWS + 1, "id3", ROWS + 1, None)], watermark=ROWS + 1)
    assert written(index)
    index.keep()
    index.stop()  # as one that is killed: the pieces of before stay
    assert opened(tmp_path).watermark() == 1_000
    exact.apply([Change(ROWS + 1, "id3", ROWS + 1, None)], watermark=ROWS + 1)
    assert recall(index, exact) > 0.9
    assert sorted(index.live_seqs()) == sorted(exact.live_seqs())
    assert written(index)
    assert recall(index, exact) > 0.9
    index.close()
    assert opened(tmp_path).watermark() == 1_500
    index = fill(patience_s=3_600)
    index.apply([Change(ROWS + 1, "id3", ROWS + 1, None)], watermark=ROWS + 1)
    index.keep()
    index.close()
    index = opened(tmp_path)
    index.apply([Change(ROWS + 1, "id3", ROWS + 1, None)], watermark=ROWS + 1)
    assert recall(index, exact) > 0.9
    assert sorted(index.live_seqs()) == sorted(exact.live_seqs())
    assert opened(tmp_path).watermark() in (ROWS, ROWS + 1)


def test_one_process_at_a_time_builds_files_and_the_others_take_them(tmp_path: Path) -> None:
    exact = ExactIndex()
    one, other = opened(tmp_path), opened(tmp_path)
    for index in (exact, one, other):
        index.rebuild(changes(range(600)), watermark=600)
    other.apply(changes(range(600, 650)), watermark=650)
    with row_files.turn(tmp_path, "building", mode=None, wait=True):
        assert not written(other)
    assert written(one)
    other.apply(changes(range(650, 700)), watermark=700)
    assert not written(other)
    exact.apply(changes(range(600, 700)), watermark=700)
    assert other.watermark() == 700
    assert sorted(other.live_seqs()) == sorted(exact.live_seqs())
    assert recall(other, exact) >= 0.99
    other.apply(changes(range(700, 1_300)), watermark=1_300)
    assert row_files.read_head(tmp_path).rows == 600


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
    assert not written(index)
    assert len(ask(index, 1)) == 10


def _memory(folder: Path) -> Memory:
    index = UsearchIndex("m", folder / "indexes/usearch", write_from=20, exact_below=0)
    return Memory(folder, encoder="hashing:32", index=index)


def _finish(memory: Memory) -> None:
    index = memory.store.retriever.dense.index
    assert isinstance(index, UsearchIndex)
    index.finish()


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
        _finish(memory)
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


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, None])
def test_who_is_interrupted_does_not_wait_for_files(
    tmp_path: Path, interrupt: type[BaseException] | None
) -> None:
    folder = tmp_path / "indexes/usearch"
    with ExitStack() as locked, suppress(KeyboardInterrupt), _memory(tmp_path) as memory:
        memory.add("note of zyzzyva", user="ada")
        memory.search("zyzzyva", user="ada", mode="dense")
        if interrupt:
            locked.enter_context(row_files.turn(folder, "writing", mode=None, wait=True))
        memory.add_many([f"note {n} of zyzzyva {n * n}" for n in range(60)], user="ada")
        memory.search("zyzzyva", user="ada", mode="dense")
        if interrupt:
            raise interrupt
    assert (folder / "head.json").exists() == (interrupt is None)


def _notes(memory: Memory) -> list[str]:
    report = memory.store.examine()
    assert report.is_healthy
    return [note for note in report.notes if note.startswith("index usearch")]


def test_the_doctor_says_how_the_files_are(tmp_path: Path) -> None:
    with _memory(tmp_path) as memory:
        memory.add("note of zyzzyva", user="ada")
        assert _notes(memory) == [
            "index usearch: it has no files, and holds 1 vectors in memory; files are written when 20 vectors are new"
        ]
        with row_files.turn(tmp_path / "indexes/usearch", "writing", mode=None, wait=True):
            memory.add_many([f"note {n} of zyzzyva {n * n}" for n in range(39)], user="ada")
            (note,) = _notes(memory)
            assert note.endswith("holds 40 vectors in memory; new files are being written now")
        _finish(memory)
        (note,) = _notes(memory)
        assert note.startswith("index usearch: its files hold 40 vectors in 0.0 MB; files are")
        memory.add("one more zyzzyva", user="ada")
        (note,) = _notes(memory)
        assert " and lag by 2 records, which every process reads" in note
        state = memory.store.stats().indexes[0]
        files = [
            path for path in (tmp_path / "indexes/usearch").glob("*.*") if path.suffix != ".json"
        ]
        assert state.disk == sum(path.stat().st_size for path in files)
        assert state.memory > 0
    (path,) = (tmp_path / "indexes/usearch").glob("*.rows")
    damage(path, "cut off")
    with _memory(tmp_path) as memory:
        first = _notes(memory)[0]
        assert first == (
            "index usearch: its files could not be used (its rows are cut off); it is made anew from the journal, and there is "
            "nothing to do"
        )


def test_a_memory_that_is_only_read_maps_the_files_that_there_are(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:32") as memory:
        memory.add_many([f"note {n} of zyzzyva {n * n}" for n in range(60)])
        name = f"agentcl-{memory.store.journal.meta('id')}-{memory.store.journal.epoch()}"
    folder = tmp_path / "indexes/usearch"
    with Memory(tmp_path, index=UsearchIndex(name, folder, write_from=20)) as memory:
        wanted = [hit.id for hit in memory.search("zyzzyva 49", mode="dense")]
    (folder / ".agentcl-index").touch()
    held = {path: path.read_bytes() for path in folder.iterdir()}
    with Memory(tmp_path, index="usearch", read_only=True) as memory:
        assert [hit.id for hit in memory.search("zyzzyva 49", mode="dense")] == wanted
        state = memory.store.stats().indexes[0]
        assert (state.lag, state.disk > 0) == (0, True)
        (note,) = _notes(memory)
        assert note.endswith("; the folder is only read, so none are written")
        assert not [*memory.store.retriever.folder.glob("usearch")]
    damage(folder / "head.json", "turned")
    held[folder / "head.json"] = (folder / "head.json").read_bytes()
    with Memory(tmp_path, index="usearch", read_only=True) as memory:
        assert [hit.id for hit in memory.search("zyzzyva 49", mode="dense")] == wanted
        assert memory.store.stats().indexes[0].disk == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == held


def test_the_head_says_nothing_but_names_of_scopes_and_where_things_are(tmp_path: Path) -> None:
    filled(tmp_path, rows=600).close()
    _, _, text = (tmp_path / "head.json").read_bytes().partition(b"\n")
    assert set(json.loads(text)) == {
        "version", "generation", "collection", "watermark", "rows", "dim", "scopes", "kinds", "sections", "digest",
    }  # fmt: skip
