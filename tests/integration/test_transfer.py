"""Exports that were cut, changed or made elsewhere: taken whole or refused with the line."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from agentcl import (
    Counters,
    Document,
    EncoderMismatch,
    InvalidInput,
    Memory,
    NotFound,
    TransferError,
)
from agentcl.store import Store
from agentcl.store.checks import canonical_json
from agentcl.store.transfer import export as export_lines


@pytest.fixture
def export(tmp_path: Path) -> Path:
    with Memory(tmp_path / "from", encoder="hashing:64") as memory:
        note = memory.add("The ferry leaves at seven.", user="ada")
        memory.add("Rye bread.", user="ada")
        memory.update(note.id, text="The ferry leaves at eight.", user="ada")
        memory.store.credit(note.id, uses=3, wins=2, user="ada")
        memory.store.export(tmp_path / "export.jsonl")
    return tmp_path / "export.jsonl"


def without_last_line(lines: list[str]) -> list[str]:
    return lines[:-1]


def without_a_row(lines: list[str]) -> list[str]:
    return [*lines[:2], *lines[3:]]


def with_a_changed_word(lines: list[str]) -> list[str]:
    return [line.replace("seven", "nine") for line in lines]


def with_rubbish(lines: list[str]) -> list[str]:
    return [*lines[:2], "{rubbish", *lines[2:]]


def with_another_format(lines: list[str]) -> list[str]:
    return [json.dumps({**json.loads(lines[0]), "agentcl_export": 99}), *lines[1:]]


def with_lines_after_the_end(lines: list[str]) -> list[str]:
    return [*lines, lines[1]]


def of_something_else(lines: list[str]) -> list[str]:
    return ['{"text": "a row of some other file"}']


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_last_line, "cut short"),
        (without_a_row, "nothing was imported"),
        (with_a_changed_word, "nothing was imported"),
        (with_rubbish, "line 3 is not part of an agentcl export"),
        (with_another_format, "format 99"),
        (with_lines_after_the_end, "nothing was imported"),
        (of_something_else, "line 1"),
        (lambda lines: [], "cut short"),
    ],
)
def test_a_damaged_export_is_refused_whole(
    tmp_path: Path, export: Path, damage: Callable[[list[str]], list[str]], words: str
) -> None:
    lines = damage(export.read_text("utf-8").splitlines())
    (tmp_path / "damaged.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        with pytest.raises(TransferError, match=words):
            memory.store.import_(tmp_path / "damaged.jsonl")
        assert memory.store.journal.last_seq() == 0


def test_a_second_import_changes_nothing(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        first = memory.store.import_(export)
        second = memory.store.import_(export)
        assert (first.added, first.present) == (second.present, 0)
        assert second.added == 0
        (note, *_) = memory.search("ferry eight", user="ada")
        assert memory.store.journal.counters(note.document_id).uses == 3
        assert memory.store.examine().is_healthy


def test_an_export_of_a_whole_import_has_the_same_lines(tmp_path: Path) -> None:
    with Memory(tmp_path / "from", encoder="hashing:64") as memory:
        memory.forget(memory.add("Gone for good.").id)
        lesson = memory.lessons.add("When a queue is slow, drain it.")
        with memory.episode("clear the queue") as episode:
            episode.step("a queue", "drain", "empty")
            episode.finish(1.0)
        memory.lessons.retire(lesson.id)
        memory.store.export(tmp_path / "from.jsonl")
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(tmp_path / "from.jsonl", trusted=True, erasures=True)
        memory.store.export(tmp_path / "to.jsonl")
    exports = [(tmp_path / f"{name}.jsonl").read_text("utf-8") for name in ("from", "to")]
    assert sorted(exports[0].splitlines()) == sorted(exports[1].splitlines())


def test_what_was_forgotten_here_stays_forgotten(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(export)
        (hit, *_) = memory.search("ferry", user="ada")
        memory.forget(hit.document_id, user="ada")
        again = memory.store.import_(export)
        assert again.added == 0
        assert again.forgotten > 0
        assert len(memory.search("ferry", user="ada", mode="text")) == 0


def test_an_erasure_elsewhere_is_carried_over(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(export)
    with Memory(tmp_path / "from") as memory:
        (hit, *_) = memory.search("ferry", user="ada")
        memory.forget(hit.document_id, user="ada")
        memory.store.export(tmp_path / "later.jsonl")
    with Memory(tmp_path / "to") as memory:
        assert memory.store.import_(tmp_path / "later.jsonl", erasures=True).erased > 0
        with pytest.raises(NotFound):
            memory.get(hit.document_id, user="ada")
        assert memory.store.examine().is_healthy


def test_of_two_contents_of_one_version_the_newer_is_in_force(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(export)
        (hit, *_) = memory.search("rye bread", user="ada")
        memory.update(hit.document_id, text="White bread.", user="ada")
    with Memory(tmp_path / "from") as memory:
        memory.update(hit.document_id, text="Black bread.", user="ada")
        memory.store.export(tmp_path / "other.jsonl")
    with Memory(tmp_path / "to") as memory:
        (conflict,) = memory.store.import_(tmp_path / "other.jsonl").conflicts
        assert conflict.kept == hit.document_id
        assert memory.search("bread", user="ada").hits[0].text == "Black bread."
        told = [version.record for version in memory.history(hit.document_id, user="ada")]
        assert [one.text for one in told if isinstance(one, Document)] == [
            "Rye bread.",
            "White bread.",
            "Black bread.",
        ]
        assert memory.store.examine().problems == ()


def test_vectors_of_another_encoder_are_refused(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:32") as memory:
        memory.add("something")
        with pytest.raises(EncoderMismatch, match="hashing:64"):
            memory.store.import_(export)


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_import_into_a_memory_of_another_named_encoder_changes_nothing(
    tmp_path: Path, export: Path, dry_run: bool
) -> None:
    with Memory(tmp_path / "to", encoder="hashing:32") as memory:
        with pytest.raises(EncoderMismatch, match="hashing:64"):
            memory.store.import_(export, dry_run=dry_run)
        assert memory.list() == []
        memory.add("The ferry leaves at seven.")
        assert memory.store.encoder.name == "hashing:32"
        assert memory.store.examine().is_healthy


def test_a_snapshot_never_overwrites(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "from") as memory:
        memory.store.snapshot(tmp_path / "copy")
        with pytest.raises(InvalidInput, match="already holds a memory"):
            memory.store.snapshot(tmp_path / "copy")


def test_an_open_memory_notices_that_another_process_embedded_anew(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing:64") as one:
        one.add("The ferry leaves at seven.")
        assert len(one.search("ferry", mode="dense")) == 1
        with Memory(tmp_path / "m", encoder="hashing:64") as two:
            two.store.reembed("hashing:32")
        with pytest.raises(EncoderMismatch, match="hashing:32"):
            one.search("ferry", mode="dense")
        assert len(one.search("ferry", mode="text")) == 1
        with pytest.raises(EncoderMismatch):
            one.add("vectors of two encoders never mix")
    with Memory(tmp_path / "m") as memory:
        assert memory.store.encoder.dim == 32
        assert memory.store.examine().is_healthy


class Counted:
    """A store that counts how often it is asked."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, 0

    def __getattr__(self, name: str) -> object:
        self.asked += 1
        return getattr(self._store, name)


def test_an_export_asks_the_store_for_many_at_once(tmp_path: Path) -> None:
    """A database may be far away: asked for each row, the export of a large memory would take hours."""
    with Memory(tmp_path / "m", encoder="hashing:64") as memory:
        ids = [one.id for one in memory.add_many(f"note {n}" for n in range(400))]
        memory.store.credit(ids[-1], uses=3, wins=2)
        counted = Counted(memory.store.journal)
        lines = list(export_lines(cast(Store, counted)))
        assert lines == list(export_lines(memory.store.journal, salvage=True))
    assert json.loads(lines[-1])["end"] == 801
    assert json.loads(lines[-2])["counter"] == ids[-1]
    assert sum(json.loads(line).get("vector") is not None for line in lines) == 400
    assert counted.asked < 20


def test_a_second_import_counts_nothing_twice(tmp_path: Path) -> None:
    with Memory(tmp_path / "from", encoder="hashing:64") as memory:
        note = memory.add("The ferry leaves at seven.")
        memory.store.credit(note.id, wins=2)
        with memory.store.journal.writing() as writing:
            writing.credit(note.id, repeats=3)
        memory.store.export(tmp_path / "export.jsonl")
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        for _ in range(2):
            memory.store.import_(tmp_path / "export.jsonl")
            counters = memory.store.journal.counters(note.id)
            assert (counters.uses, counters.wins, counters.repeats) == (0, 2, 3)


def test_an_export_from_before_repeats_were_counted_is_read(tmp_path: Path, export: Path) -> None:
    header, *rows = export.read_text("utf-8").splitlines()[:-1]
    old = [{k: v for k, v in json.loads(row).items() if k != "repeats"} for row in rows]
    lines = [header, *(canonical_json(row) for row in old)]
    whole = "".join(f"{line}\n" for line in lines)
    digest = hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()
    end = canonical_json({"end": len(rows), "digest": digest})
    (tmp_path / "old.jsonl").write_text(f"{whole}{end}\n", "utf-8")
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(tmp_path / "old.jsonl")
        (note, *_) = memory.search("ferry eight", user="ada")
        assert memory.store.journal.counters(note.document_id).uses == 3


def test_what_was_forgotten_here_gets_no_counters_back(tmp_path: Path, export: Path) -> None:
    with Memory(tmp_path / "to", encoder="hashing:64") as memory:
        memory.store.import_(export)
        (hit, *_) = memory.search("ferry", user="ada")
        memory.forget(hit.document_id, user="ada")
        memory.store.import_(export)
        assert memory.store.journal.counters(hit.document_id) == Counters()


def test_what_cannot_be_read_is_told_without_words_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"{\xd2")
    for path, told in (
        (tmp_path / "bytes", "bytes is not an agentcl export: it is not UTF-8, byte 1"),
        (tmp_path, f"cannot read {tmp_path}: Is a directory"),
    ):
        with Memory(tmp_path / "m", encoder="hashing:16") as memory:
            with pytest.raises(TransferError) as raised:
                memory.store.import_(path)
            assert str(raised.value).endswith(told)


def test_a_packed_export_is_told_to_be_one(tmp_path: Path, export: Path) -> None:
    packed = tmp_path / "export.jsonl.gz"
    packed.write_bytes(gzip.compress(export.read_bytes()))
    with (
        Memory(tmp_path / "to", encoder="hashing:64") as memory,
        pytest.raises(TransferError, match="it is packed; unpack it first, with gunzip"),
    ):
        memory.store.import_(packed)
