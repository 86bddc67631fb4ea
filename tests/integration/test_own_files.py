"""Only what is ours is deleted or written over: links are not followed, and foreign files stay."""

import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcl import Memory, StoreUnavailable
from agentcl.lessons import Lesson
from agentcl.retrieval.folders import MARKER
from agentcl.store.sqlite.store import FILE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and modes are POSIX's")
FOLDERS = ["fulltext", "graph", "guidance", "episodes", "chroma", "usearch"]


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Return a folder of somebody's, with files under any name."""
    folder = tmp_path / "precious"
    for name in (
        "thesis/ch1.txt",
        "fulltext/fulltext.db",
        "graph/graph.npz",
        "notes.json",
        "fulltext.db",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("years of work")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def use(folder: Path, *, forgets: bool = True) -> list[str]:
    """Do everything that touches indexes, then forget; return what was cleared."""
    with Memory(folder, encoder="hashing:16") as memory:
        note = memory.add("Zwirbelkatz drives the ferry Aurora.")
        memory.search("Aurora", mode="graph")
        with memory.episode("t", application="ops") as episode:
            episode.recall("a queue is slow")
            episode.step("a queue is slow", "drain it", "it runs")
            played = episode.finish(1.0)
        memory.lessons.reflect([Lesson("a queue is slow", "do", "drain it")], episode=played)
        memory.episodes.search("t")
        memory.store.retriever.rebuild()
        return list(memory.forget(note.id).cleared) if forgets else []


def is_left(folder: Path, word: bytes = b"zwirbelkatz") -> bool:
    return any(word in data.lower() for data in contents(folder).values())


def link_indexes(folder: Path, precious: Path) -> None:
    (folder / "indexes").symlink_to(precious)


def link_one(name: str) -> Callable[[Path, Path], None]:
    def link(folder: Path, precious: Path) -> None:
        (folder / "indexes").mkdir()
        (folder / "indexes" / name).symlink_to(precious)

    return link


def link_a_file(folder: Path, precious: Path) -> None:
    (folder / "indexes/fulltext").mkdir(parents=True)
    (folder / "indexes/fulltext/fulltext.db").symlink_to(precious / "fulltext.db")


def link_a_foreign_name(folder: Path, precious: Path) -> None:
    (folder / "indexes").mkdir()
    (folder / "indexes/zz").symlink_to(precious)


def link_within_ours(folder: Path, precious: Path) -> None:
    use(folder, forgets=False)
    (folder / "indexes/graph/11111111-1111-1111-1111-111111111111").symlink_to(precious)


LINKS = [
    link_indexes,
    *map(link_one, FOLDERS),
    link_a_file,
    link_a_foreign_name,
    link_within_ours,
]


@pytest.mark.parametrize("link", LINKS)
def test_nothing_behind_a_link_is_changed(
    tmp_path: Path, precious: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "m").mkdir()
    link(tmp_path / "m", precious)
    before = contents(precious)
    use(tmp_path / "m")
    assert contents(precious) == before
    assert not is_left(tmp_path / "m")
    with Memory(tmp_path / "m") as memory:
        assert any("link" in one.message for one in memory.store.examine().problems)
        assert len(memory.search("ferry")) == 0


@pytest.mark.parametrize("name", ["other-project", *FOLDERS])
def test_folders_and_files_of_somebody_stay(tmp_path: Path, name: str) -> None:
    own = tmp_path / "m/indexes" / name
    own.mkdir(parents=True)
    (own / "thesis.txt").write_text("years of work")
    (own / "graph.npz").write_text("years of work")
    before = contents(own)
    use(tmp_path / "m")
    assert contents(own) == before
    with Memory(tmp_path / "m") as memory:
        found = [one.message for one in memory.store.examine().problems]
    assert any(name in message and "does not belong" in message for message in found)


@pytest.mark.parametrize("name", ["fulltext", "graph", "guidance"])
def test_a_file_of_somebody_in_a_folder_of_ours_stays(tmp_path: Path, name: str) -> None:
    use(tmp_path / "m", forgets=False)
    (tmp_path / "m/indexes" / name).mkdir(exist_ok=True)
    (tmp_path / "m/indexes" / name / MARKER).touch()
    (tmp_path / "m/indexes" / name / "thesis.txt").write_text("years of work")
    use(tmp_path / "m")
    assert (tmp_path / "m/indexes" / name / "thesis.txt").read_text() == "years of work"
    with Memory(tmp_path / "m") as memory:
        (problem,) = memory.store.examine().problems
    assert f"indexes/{name}/thesis.txt" in problem.message


def test_a_folder_of_an_earlier_version_is_cleared(tmp_path: Path) -> None:
    use(tmp_path / "m", forgets=False)
    for marker in tmp_path.rglob(MARKER):
        marker.unlink()
    (tmp_path / "m/indexes/graph").mkdir(exist_ok=True)
    (tmp_path / "m/indexes/graph/graph.npz").write_text("zwirbelkatz")
    with Memory(tmp_path / "m") as memory:
        cleared = memory.forget(*(one.id for one in memory.list())).cleared
    assert "graph (unused, deleted)" in cleared
    assert not is_left(tmp_path / "m")


def test_what_a_killed_process_left_of_writing_is_cleared(tmp_path: Path) -> None:
    use(tmp_path / "m", forgets=False)
    (tmp_path / "m/indexes/graph/.agentcl-0123456789abcdef.partial").write_text("zwirbelkatz")
    use(tmp_path / "m")
    assert not is_left(tmp_path / "m")


def test_locks_are_not_held_behind_a_link(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/locks").symlink_to(precious)
    before = contents(precious)
    with (
        Memory(tmp_path / "m", encoder="hashing:16") as memory,
        pytest.raises(StoreUnavailable, match="link"),
    ):
        memory.store.reembed("hashing:32")
    assert contents(precious) == before


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    os.umask(old := os.umask(0o022))
    use(tmp_path / "new/m")
    os.umask(old)
    folders = [tmp_path / "new", *(p for p in (tmp_path / "new").rglob("*") if p.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_files_take_the_mode_of_the_journal(tmp_path: Path, mode: int) -> None:
    use(tmp_path, forgets=False)
    (tmp_path / FILE).chmod(mode)
    shutil.rmtree(tmp_path / "indexes")
    with Memory(tmp_path) as memory:
        memory.search("Aurora", mode="graph")
        memory.episodes.search("t")
        memory.store.reembed("hashing:32")
        memory.store.export(tmp_path.parent / f"{tmp_path.name}.jsonl")
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    files.append(tmp_path.parent / f"{tmp_path.name}.jsonl")
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in files} == {
        file.name: mode for file in files
    }


def test_a_mode_that_changed_is_followed(tmp_path: Path) -> None:
    use(tmp_path, forgets=False)
    (tmp_path / FILE).chmod(0o600)
    with Memory(tmp_path) as memory:
        memory.search("Aurora")
    assert stat.S_IMODE((tmp_path / "indexes/fulltext/fulltext.db").stat().st_mode) == 0o600


def test_links_are_said_in_the_log(
    tmp_path: Path, precious: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m").mkdir()
    link_indexes(tmp_path / "m", precious)
    with caplog.at_level(logging.WARNING):
        use(tmp_path / "m")
    assert "is a link" in caplog.text


def test_who_uses_no_index_is_told_nothing_of_a_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "m").mkdir()
    (tmp_path / "m/indexes").symlink_to(tmp_path / "elsewhere")
    with Memory(tmp_path / "m", encoder="hashing:16") as memory:
        memory.add("A ferry sails.")
        memory.list()
        assert "is a link" not in caplog.text
        memory.search("ferry")
        assert caplog.text.count("is a link") == 1
