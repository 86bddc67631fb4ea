"""A folder that a memory follows: what changed there is changed here, and nothing else is."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentcl import Draft, InvalidInput, LoadError, Memory, Scope
from agentcl.store import pack

Write = Callable[[str, str], Path]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


def texts(memory: Memory, **scope: str) -> set[str]:
    return {record.text for record in memory.list(**scope)}  # type: ignore[attr-defined, arg-type]


def test_what_changed_in_a_folder_is_changed_in_the_memory(
    memory: Memory, folder: Path, write: Write
) -> None:
    write("same.txt", "stays")
    write("changed.txt", "before")
    write("gone.txt", "goes")
    write("deep/renamed.txt", "moves as it is")
    first = memory.sync(folder)
    assert len(first.added) == 4
    same = memory.get(uri=(folder / "same.txt").as_posix())
    moved = memory.get(uri=(folder / "deep/renamed.txt").as_posix())
    write("changed.txt", "after")
    write("new.txt", "is new")
    (folder / "gone.txt").unlink()
    (folder / "deep/renamed.txt").rename(folder / "other.md")
    second = memory.sync(folder)
    assert [Path(uri).name for uri in second.added] == ["new.txt"]
    assert [Path(uri).name for uri in second.updated] == ["changed.txt"]
    assert [[Path(uri).name for uri in pair] for pair in second.moved] == [
        ["renamed.txt", "other.md"]
    ]
    assert [Path(uri).name for uri in second.removed] == ["gone.txt"]
    assert second.unchanged == 1
    assert texts(memory) == {"stays", "after", "is new", "moves as it is"}
    assert memory.get(uri=(folder / "same.txt").as_posix()) == same
    assert memory.get(uri=(folder / "other.md").as_posix()).id == moved.id
    assert not [hit for hit in memory.search("goes", mode="text") if hit.text == "goes"]
    again = memory.sync(folder)
    assert (again.unchanged, again.added, again.updated, again.moved, again.removed) == (
        4, (), (), (), (),
    )  # fmt: skip
    assert memory.store.examine().is_healthy


def test_what_is_gone_keeps_its_history(memory: Memory, folder: Path, write: Write) -> None:
    write("kept.txt", "kept")
    path = write("gone.txt", "goes")
    memory.sync(folder)
    record = memory.get(uri=path.as_posix())
    path.unlink()
    memory.sync(folder)
    assert [version.op for version in memory.history(record.id)] == ["put", "delete"]


def test_a_dry_run_says_it_and_does_nothing(memory: Memory, folder: Path, write: Write) -> None:
    write("a.txt", "a")
    write("b.txt", "b")
    said = memory.sync(folder, dry_run=True)
    assert len(said.added) == 2
    assert not memory.list()
    memory.sync(folder)
    before = memory.store.journal.last_seq()
    write("a.txt", "changed")
    (folder / "b.txt").rename(folder / "c.txt")
    said = memory.sync(folder, dry_run=True)
    assert (len(said.updated), len(said.moved), len(said.added)) == (1, 1, 0)
    assert memory.store.journal.last_seq() == before


def test_hidden_and_ignored_files_are_left_out_and_counted(
    memory: Memory, folder: Path, write: Write
) -> None:
    (folder / ".git").mkdir()
    write(".gitignore", "build/\n*.log.txt\n!kept.log.txt\n/top.txt\n")
    write("deep/.gitignore", "local.txt\n")
    write("build/made.txt", "made")
    write("a.log.txt", "log")
    write("kept.log.txt", "kept log")
    write("top.txt", "ignored here")
    write("deep/top.txt", "not there")
    write("deep/local.txt", "ignored below")
    write(".secret.txt", "hidden")
    synced = memory.sync(folder)
    assert texts(memory) == {"kept log", "not there"}
    sorts = [one.sort for one in synced.skipped]
    assert (sorts.count("ignored"), sorts.count("hidden")) == (4, 4)
    write(".gitignore", "*.txt\n!deep/\n")
    (folder / "stays.md").write_text("stays")
    assert len(memory.sync(folder).removed) == 2
    assert texts(memory) == {"stays"}


def test_a_repository_is_ignored_by_from_its_top(
    memory: Memory, folder: Path, write: Write
) -> None:
    (folder / ".git").mkdir()
    write(".gitignore", "/docs/draft.txt\n")
    write("docs/draft.txt", "a draft")
    write("docs/page.txt", "a page")
    memory.sync(folder / "docs")
    assert texts(memory) == {"a page"}


def test_a_pattern_that_would_take_long_is_passed_over_and_said(
    memory: Memory, folder: Path, write: Write
) -> None:
    write(".gitignore", "*a*a*a*a*a*a*a*a*a*b\nplain.txt\n")
    write("a" * 200 + ".txt", "long name")
    write("plain.txt", "ignored")
    synced = memory.sync(folder)
    assert texts(memory) == {"long name"}
    assert ["too many stars" in one.reason for one in synced.skipped if one.sort == "unread"] == [
        True
    ]


def test_a_list_of_patterns_that_is_none_is_named(
    memory: Memory, folder: Path, write: Write
) -> None:
    write("a.txt", "a")
    write(".gitignore", "x" * 1_000_001)
    with pytest.raises(LoadError, match=r"\.gitignore has more than"):
        memory.sync(folder)
    assert not memory.list()


def test_a_file_that_cannot_be_read_now_keeps_what_is_stored(
    memory: Memory, folder: Path, write: Write
) -> None:
    path = write("a.txt", "was text")
    write("b.txt", "b")
    memory.sync(folder)
    path.write_bytes(b"\xff\xfe\xff")
    synced = memory.sync(folder)
    assert (synced.removed, synced.unchanged) == ((), 1)
    assert texts(memory) == {"was text", "b"}


def test_a_disk_that_is_not_mounted_empties_nothing(
    memory: Memory, folder: Path, write: Write
) -> None:
    path = write("a.txt", "a")
    memory.sync(folder)
    path.unlink()
    with pytest.raises(InvalidInput, match="1 documents came from it"):
        memory.sync(folder)
    folder.rmdir()
    with pytest.raises(InvalidInput, match="does not exist"):
        memory.sync(folder)
    assert texts(memory) == {"a"}


def test_another_spelling_of_a_path_is_the_same_folder(
    memory: Memory, folder: Path, write: Write, tmp_path: Path
) -> None:
    write("a.txt", "a")
    memory.sync(folder)
    (tmp_path / "link").symlink_to(folder)
    for spelling in (folder / ".." / "notes", tmp_path / "link", f"{folder}/"):
        assert memory.sync(spelling).unchanged == 1
    assert len(memory.list()) == 1


@pytest.mark.parametrize("name", ["loop.txt", "loop"])
def test_a_link_that_leads_to_itself_is_told_and_loses_nothing(
    memory: Memory, folder: Path, write: Write, name: str
) -> None:
    write("a.txt", "a")
    kept = write("loop.txt", "kept")
    memory.sync(folder)
    kept.unlink()
    (folder / name).symlink_to(name)
    if name != "loop.txt":
        (folder / "loop.txt").symlink_to("loop")
    write("a.txt", "changed")
    done = memory.sync(folder)
    assert str(folder / "loop.txt") in {one.path for one in done.skipped}
    assert texts(memory) == {"changed", "kept"}


class Interrupting:
    """An encoder in whose first call somebody else does something with the same memory."""

    name, dim, is_lexical = "interrupting", 8, True

    def __init__(self) -> None:
        self.act: Callable[[], object] = lambda: None

    def encode(self, texts: Sequence[str], *, role: str) -> list[bytes]:
        act, self.act = self.act, lambda: None
        act()
        return [pack([1.0] * self.dim)] * len(texts)


@pytest.fixture
def followers(tmp_path: Path) -> Iterator[tuple[Memory, Memory, Interrupting]]:
    """One memory, opened twice, and who interrupts the first."""
    encoder = Interrupting()
    with (
        Memory(tmp_path / "m", encoder=encoder) as memory,
        Memory(tmp_path / "m", encoder=Interrupting()) as second,
    ):
        yield memory, second, encoder


@pytest.mark.parametrize("other", ["sync", "add", "move", "delete", "forget"])
def test_two_that_follow_a_folder_at_once_lose_nothing_and_double_nothing(
    followers: tuple[Memory, Memory, Interrupting], folder: Path, write: Write, other: str
) -> None:
    memory, second, encoder = followers
    write("a.txt", "a")
    write("n.txt", "the same under another name")
    write("s.txt", "stays")
    gone, kept = write("z.txt", "gone"), (folder / "s.txt").as_posix()
    memory.sync(folder)
    before, after = (folder / "n.txt"), (folder / "r.txt")
    acts: dict[str, Callable[[], object]] = {
        "sync": lambda: second.sync(folder),
        "add": lambda: second.add_many([Draft(text=after.read_text(), uri=after.as_posix())]),
        "move": lambda: second.move(before.as_posix(), after.as_posix()),
        "delete": lambda: (second.delete(uri=kept), second.delete(uri=gone.as_posix())),
        "forget": lambda: second.forget(second.get(uri=kept).id, second.get(uri=before.as_posix()).id),
    }  # fmt: skip
    write("a.txt", "changed")  # read first, and encoded at once
    before.rename(after)
    gone.unlink()
    encoder.act = acts[other]
    memory.sync(folder)
    uris = sorted(record.uri for record in memory.list(kind="document"))  # type: ignore[attr-defined]
    assert uris == [(folder / name).as_posix() for name in ("a.txt", "r.txt", "s.txt")]
    assert texts(memory) == {"changed", "the same under another name", "stays"}
    assert memory.store.examine().is_healthy
    assert memory.sync(folder).unchanged == 3


def test_what_is_under_another_name_by_now_is_not_deleted(
    followers: tuple[Memory, Memory, Interrupting], folder: Path, write: Write
) -> None:
    memory, second, encoder = followers
    write("a.txt", "a")
    gone = write("z.txt", "z")
    memory.sync(folder)
    write("a.txt", "changed")
    gone.unlink()
    encoder.act = lambda: second.move(gone.as_posix(), "elsewhere")
    memory.sync(folder)
    assert texts(memory) == {"changed", "z"}


def test_a_file_and_a_link_to_it_are_one_document(
    memory: Memory, folder: Path, write: Write
) -> None:
    write("a.txt", "a")
    (folder / "link.txt").symlink_to("a.txt")
    assert len(memory.sync(folder).added) == 1
    assert memory.sync(folder).unchanged == 1


def test_only_this_scope_and_this_folder_are_touched(
    memory: Memory, folder: Path, write: Write, tmp_path: Path
) -> None:
    write("a.txt", "a")
    beside = tmp_path / "notes-2"
    beside.mkdir()
    (beside / "b.txt").write_text("b")
    memory.sync(beside)
    memory.sync(folder, user="ada")
    memory.sync(folder, user="bob")
    write("a.txt", "changed")
    memory.sync(folder, user="ada")
    assert texts(memory) == {"b"}
    assert texts(memory, user="ada") == {"b", "changed"}
    assert texts(memory, user="bob") == {"b", "a"}
    noted = memory.scoped(user="ada").sync(folder)
    assert noted.unchanged == 1
    assert memory.get(uri=(folder / "a.txt").as_posix(), user="ada").scope == Scope(user="ada")


def test_rows_of_a_table_come_go_and_change(memory: Memory, folder: Path, write: Write) -> None:
    write("t.jsonl", '{"id": "x", "text": "one"}\n{"id": "y", "text": "two"}\n')
    memory.sync(folder)
    write("t.jsonl", '{"id": "y", "text": "2"}\n{"id": "z", "text": "three"}\n')
    synced = memory.sync(folder)
    assert (len(synced.added), len(synced.updated), len(synced.removed)) == (1, 1, 1)
    assert texts(memory) == {"2", "three"}


def test_what_was_said_of_a_document_here_stays(memory: Memory, folder: Path, write: Write) -> None:
    path = write("a.txt", "a")
    memory.sync(folder)
    until = datetime(2030, 1, 1, tzinfo=UTC)
    memory.update(uri=path.as_posix(), metadata={"mine": True}, valid_to=until)
    assert memory.sync(folder).unchanged == 1
    write("a.txt", "b")
    memory.sync(folder)
    record = memory.get(uri=path.as_posix())
    assert (record.metadata, record.valid_to) == ({"mine": True}, until)


def test_a_memory_in_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with Memory(tmp_path / "agentcl-memory", encoder="hashing") as memory:
        memory.sync(tmp_path)
        assert memory.sync(tmp_path).unchanged == 1
        assert len(memory.list()) == 1


def test_a_file_is_no_folder(memory: Memory, write: Write) -> None:
    with pytest.raises(InvalidInput, match="no folder"):
        memory.sync(write("a.txt", "a"))
