"""A file that was renamed or moved is one document, and its history goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.files import load
from agentcl.memory.documents.renaming import Renamed
from agentcl.store import Document, Scope

Run = Callable[..., Result]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "ferry.txt").write_text("The ferry leaves at seven.")
    (folder / "deep" / "bread.txt").write_text("Bread is baked at five.")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def call(*arguments: str) -> Result:
        options = ["--path", str(tmp_path / "m"), "--encoder", "hashing"]
        result = runner.invoke(main, [*arguments, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return call


def names(memory: Memory) -> dict[str, str]:
    """Return the ids of documents by their files' names."""
    found = [one for one in memory.list(limit=1000) if isinstance(one, Document)]
    assert len({one.uri for one in found}) == len(found)
    return {Path(one.uri).name: one.id for one in found}


def test_a_file_that_was_renamed_is_moved_when_it_is_added_again(
    run: Run, notes: Path, tmp_path: Path
) -> None:
    run("add", "notes")
    with Memory(tmp_path / "m") as memory:
        before = names(memory)
    (notes / "ferry.txt").rename(notes / "boat.md")
    again = run("add", "notes")
    assert again.stdout == "1 moved, 1 unchanged\n"
    assert "moved notes/ferry.txt to notes/boat.md\n" in again.stderr
    with Memory(tmp_path / "m") as memory:
        after = names(memory)
        assert after == {"bread.txt": before["bread.txt"], "boat.md": before["ferry.txt"]}
        held = memory.get(after["boat.md"])
        assert isinstance(held, Document)
        assert (held.title, held.media_type) == ("boat", "text/markdown")
        assert memory.history(held.id)[0].record.uri.endswith("ferry.txt")  # type: ignore[union-attr]
        assert len(memory.search("ferry", mode="text").hits) == 1
        assert memory.store.examine().is_healthy
    assert run("add", "notes").stdout == "2 unchanged\n"


def test_a_file_that_is_named_by_itself_too(run: Run, notes: Path) -> None:
    run("add", "notes")
    (notes / "ferry.txt").rename(notes / "deep" / "boat.txt")
    told = json.loads(run("add", "notes/deep/boat.txt", "--json").stdout)
    assert (told["added"], told["updated"], told["moved"]) == (0, 0, 1)
    assert told["moved_files"] == [
        [(notes / "ferry.txt").as_posix(), (notes / "deep/boat.txt").as_posix()]
    ]


def test_a_copy_is_another_document(run: Run, notes: Path, tmp_path: Path) -> None:
    run("add", "notes")
    shutil.copy(notes / "ferry.txt", notes / "copy.txt")
    assert run("add", "notes").stdout == "1 added, 2 unchanged\n"
    (notes / "copy.txt").unlink()
    (notes / "ferry.txt").unlink()
    (notes / "one.txt").write_text("The ferry leaves at seven.")
    (notes / "two.txt").write_text("The ferry leaves at seven.")
    (notes / "three.txt").write_text("The ferry leaves at seven.")
    assert run("add", "notes").stdout == "1 added, 2 moved, 1 unchanged\n"
    with Memory(tmp_path / "m") as memory:
        assert {*names(memory)} == {"one.txt", "two.txt", "three.txt", "bread.txt"}


def test_a_folder_that_was_renamed_is_followed(memory: Memory, notes: Path, tmp_path: Path) -> None:
    memory.sync(notes)
    before = names(memory)
    notes.rename(tmp_path / "papers")
    would = memory.sync(tmp_path / "papers", dry_run=True)
    done = memory.sync(tmp_path / "papers")
    assert would == done
    assert len(done.moved) == 2
    assert (done.added, done.removed) == ((), ())
    assert names(memory) == before
    assert memory.sync(tmp_path / "papers").unchanged == 2


def test_a_file_that_went_to_another_folder_is_followed(
    memory: Memory, notes: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    memory.sync(notes)
    before = names(memory)
    (notes / "ferry.txt").rename(other / "ferry.txt")
    assert len(memory.sync(other).moved) == 1
    assert memory.sync(notes).removed == ()
    assert names(memory) == before


def test_a_rename_over_another_file_leaves_one(run: Run, notes: Path, tmp_path: Path) -> None:
    run("add", "notes")
    (notes / "ferry.txt").rename(notes / "deep" / "bread.txt")
    run("add", "notes")
    assert run("add", "notes", "--sync").stdout == "1 removed, 1 unchanged\n"
    with Memory(tmp_path / "m") as memory:
        assert [*names(memory)] == ["bread.txt"]


def test_only_the_same_scope_is_looked_in(run: Run, notes: Path, tmp_path: Path) -> None:
    run("add", "notes", "--user", "ada")
    (notes / "ferry.txt").rename(notes / "boat.txt")
    assert run("add", "notes").stdout == "2 added\n"
    with Memory(tmp_path / "m") as memory:
        assert len(memory.list(user="ada")) == 4


def test_what_is_on_no_disk_of_now_was_not_renamed(memory: Memory, tmp_path: Path) -> None:
    """Another machine's folder, an address: what they have in common is too little."""
    text, here = "The same licence everywhere.", tmp_path / "LICENSE"
    here.write_text(text)
    for uri in (
        "/LICENSE",
        "/mnt/gone/LICENSE",
        f"{Path(*tmp_path.parts[:2])}/gone/LICENSE",
        "https://x.org/LICENSE",
    ):
        memory.add(text, uri=uri)
    (source,) = load(here)
    assert Renamed(memory.store.journal, Scope()).before(source) == ""
    gone = (tmp_path / "deep" / "gone" / "LICENSE").as_posix()
    memory.add(text, uri=gone)
    renamed = Renamed(memory.store.journal, Scope())
    assert [renamed.before(source), renamed.before(source)] == [gone, ""]


def test_rows_of_a_table_that_was_renamed_move(run: Run, notes: Path, tmp_path: Path) -> None:
    (notes / "t.jsonl").write_text('{"text": "one row"}\n{"text": "another row"}\n')
    run("add", "notes")
    (notes / "t.jsonl").rename(notes / "u.jsonl")
    assert run("add", "notes", "--sync").stdout == "2 moved, 2 unchanged\n"


def test_within_a_folder_that_is_followed_every_file_is_near(
    memory: Memory, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the folder lies right below the root."""
    monkeypatch.setattr("agentcl.memory.documents.renaming._LEAST_PARTS", 99)
    memory.sync(notes)
    before = names(memory)
    (notes / "other").mkdir()
    (notes / "deep" / "bread.txt").rename(notes / "other" / "loaf.txt")
    synced = memory.sync(notes)
    assert (len(synced.moved), synced.added, synced.removed) == (1, (), ())
    assert names(memory)["loaf.txt"] == before["bread.txt"]


def test_what_went_within_the_folder_comes_before_what_went_elsewhere(
    memory: Memory, notes: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "boat.txt").write_text("The ferry leaves at seven.")
    memory.sync(other)
    memory.sync(notes)
    before = names(memory)
    (other / "boat.txt").unlink()
    (notes / "ferry.txt").rename(notes / "boat.txt")
    memory.sync(notes)
    found = {one.uri: one.id for one in memory.list() if isinstance(one, Document)}
    assert found[str(notes / "boat.txt")] == before["ferry.txt"]
    assert str(other / "boat.txt") in found


NFC, NFD = "caf\u00e9.txt", "cafe\u0301.txt"  # one name to a Mac, and two to Linux


@pytest.mark.parametrize("is_followed", [True, False])
def test_a_name_that_is_spelled_otherwise_is_the_same_file(
    memory: Memory, notes: Path, run: Run, is_followed: bool
) -> None:
    add = ("add", "notes", "--sync") if is_followed else ("add", "notes")
    (notes / NFD).write_text("Coffee is brewed at six.")
    run(*add)
    before = names(memory)
    (notes / NFD).unlink()
    (notes / NFC).write_text("Coffee is brewed at nine.")  # and says something else by now
    run(*add)
    assert names(memory) == {**{k: v for k, v in before.items() if k != NFD}, NFC: before[NFD]}
    assert memory.get(before[NFD]).version > 1


def test_two_files_whose_names_look_alike_are_two_documents(
    memory: Memory, notes: Path, run: Run
) -> None:
    (notes / NFD).write_text("Coffee is brewed at six.")
    run("add", "notes", "--sync")
    (notes / NFC).write_text("Tea is brewed at nine.")
    if len([*notes.glob("caf*")]) == 1:
        pytest.skip("this disk takes both spellings for one")
    run("add", "notes", "--sync")
    assert {NFC, NFD} <= names(memory).keys()


def test_a_disk_that_takes_both_spellings_has_one_document(
    memory: Memory, notes: Path, run: Run
) -> None:
    """Two links to one file stand for such a disk."""
    (notes / NFD).write_text("Coffee is brewed at six.")
    run("add", f"notes/{NFD}")
    if not (notes / NFC).exists():
        (notes / NFC).hardlink_to(notes / NFD)
    run("add", f"notes/{NFC}")
    assert len(names(memory)) == 1
    run("add", "notes", "--sync")
    assert len({NFC, NFD} & names(memory).keys()) == 1
