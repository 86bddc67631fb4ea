"""A path that the system refuses, however it does, ends in an error of ours that names it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentcl import AgentclError, InvalidInput, Memory, StoreUnavailable
from agentcl.cli.main import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and limits of POSIX")

TOO_LONG, LOOP, BELOW_A_FILE = "x" * 300, "loop", "notes.txt/below"
PLACES = (TOO_LONG, f"{TOO_LONG}/below", LOOP, f"{LOOP}/below", BELOW_A_FILE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a memory, an export of it, a file, and a link that leads to itself."""
    monkeypatch.setenv("AGENTCL_ENCODER", "hashing")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "notes.txt").write_text("The ferry leaves at seven.")
    with Memory(tmp_path / "memory") as memory:
        memory.add("The ferry leaves at seven.", uri="u")
        memory.store.export(tmp_path / "export.jsonl")
    return tmp_path


@pytest.fixture
def memory(home: Path) -> Iterator[Memory]:
    with Memory(home / "memory") as memory:
        yield memory


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "verb",
    [
        lambda memory, place: Memory(place),
        lambda memory, place: Memory(place, read_only=True),
        lambda memory, place: memory.sync(place),
        lambda memory, place: memory.store.export(place),
        lambda memory, place: memory.store.import_(place),
        lambda memory, place: memory.store.snapshot(place),
        lambda memory, place: memory.facts.import_(place),
        lambda memory, place: memory.lessons.export(place),
        lambda memory, place: memory.lessons.import_(place),
        lambda memory, place: memory.graph.export(f"{place}/g.json"),
        lambda memory, place: memory.graph.draw(f"{place}/g.svg", phrase="ferry"),
    ],
    ids=[
        "open",
        "read",
        "sync",
        "export",
        "import",
        "snapshot",
        "facts",
        "lessons",
        "adopt",
        "graph",
        "draw",
    ],
)
def test_a_verb_says_what_is_wrong_with_a_path(
    memory: Memory, verb: Callable[[Memory, str], object], place: str
) -> None:
    with pytest.raises(AgentclError):
        verb(memory, place)


@pytest.mark.parametrize("place", [*PLACES, "~nobody-of-that-name/memory"])
@pytest.mark.parametrize(
    "command",
    [
        "search ferry --path {}", "add notes.txt --path {}", "doctor --path {}", "trust {}", "ledger {}",
        "import {}", "import export.jsonl --path {}", "copy {} new", "copy memory {}", "snapshot {}",
        "export --path {} out.jsonl", "add {}", "add --sync {}", "chat --model {}",
    ],
)  # fmt: skip
def test_a_command_says_what_is_wrong_with_a_path(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    monkeypatch.setenv("AGENTCL_PATH", "memory")
    if command == "snapshot {}" and place.startswith("~"):
        pytest.skip("a folder of that name is made")
    before = sorted(home.iterdir())
    ended = CliRunner().invoke(main, [part.format(place) for part in command.split()])
    assert (ended.exit_code, type(ended.exception)) == (1, SystemExit), ended.output
    assert ended.stderr.startswith("error: ")
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("name", ["journal.db", "new", "indexes/new"])
def test_nothing_is_written_into_the_memory_itself(memory: Memory, home: Path, name: str) -> None:
    memory.search("ferry", mode="graph")
    memory.lessons.add("When a queue is slow, drain it.")
    (home / "link.json").symlink_to(home / "memory" / name)
    (home / "link.svg").symlink_to(home / "memory" / name)
    before = sorted((home / "memory").rglob("*"))
    for write in (
        lambda: memory.store.export(home / "memory" / name),
        lambda: memory.store.snapshot(home / "memory" / name),
        lambda: memory.lessons.export(home / "memory" / name, with_candidates=True),
        lambda: memory.graph.export(home / "link.json"),
        lambda: memory.graph.draw(home / "link.svg", phrase="ferry"),
    ):
        with pytest.raises(InvalidInput, match="own folder"):
            write()
    assert sorted((home / "memory").rglob("*")) == before
    assert memory.store.examine().problems == ()


def test_a_copy_whose_name_is_not_unicode_is_written_and_noted(memory: Memory, home: Path) -> None:
    name = os.fsdecode(b"copy-\xff")
    assert memory.store.export(home / f"{name}.jsonl")
    assert memory.store.snapshot(home / name).is_file()
    noted = [Path(copy.path).name for copy in memory.store.journal.copies()]
    assert noted[-2:] == [r"copy-\udcff.jsonl", r"copy-\udcff"]


@pytest.mark.parametrize("follows", [False, True])
def test_a_file_that_cannot_be_looked_at_is_told_and_the_others_are_read(
    home: Path, follows: bool
) -> None:
    (home / "notes").mkdir()
    (home / "notes" / "a.txt").write_text("The ferry leaves at eight.")
    (home / "notes" / "b.txt").symlink_to(TOO_LONG)
    (home / "notes" / "c.txt").write_text("The train leaves at nine.")
    words = ["add", *(["--sync"] if follows else []), "notes", "--path", "memory"]
    ended = CliRunner().invoke(main, words)
    assert (ended.exit_code, ended.output.splitlines()[0]) == (0, "2 added, 1 skipped")
    assert "notes/b.txt: cannot be read: File name too long" in ended.output


@pytest.mark.parametrize("place", PLACES)
def test_without_a_temporary_folder_who_only_reads_is_told_what_is_missing(
    home: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home / place))
    with Memory(home / "memory", read_only=True) as memory:
        with pytest.raises(StoreUnavailable, match="TMPDIR"):
            memory.search("ferry")
        assert [one.key for one in memory.list()] == ["u"]
