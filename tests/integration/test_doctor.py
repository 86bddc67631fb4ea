"""The doctor notices every way in which a folder can be wrong; each is done to it here."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.memory.upkeep.doctor import Report
from agentcl.memory.upkeep.storage import sizes_in
from agentcl.store.sqlite.store import FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Memory(tmp_path / "m", encoder="hashing:64", passage_limit=60) as memory:
        memory.add("The ferry leaves at seven.\n\n" + "It carries sheep and post. " * 4, uri="a")
        memory.add("Rye bread is baked on Saturdays.", uri="b", tenant="bakery")
        memory.search("ferry")
    return tmp_path / "m"


def change(folder: Path, sql: str, *parameters: object) -> None:
    """Change the journal behind agentcl's back, with checksums that fit."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(sql, parameters)
    connection.close()
    with Memory(folder) as memory:
        rows = [row for row in memory.store.journal.since(0) if row.digest() != row.checksum]
    with sqlite3.connect(folder / FILE) as connection:
        connection.executemany(
            "UPDATE record SET checksum = ? WHERE seq = ?", [(r.digest(), r.seq) for r in rows]
        )
    connection.close()


def report(folder: Path) -> Report:
    with Memory(folder) as memory:
        return memory.store.examine()


def messages(folder: Path) -> str:
    return "\n".join(problem.message for problem in report(folder).problems)


def test_a_sound_folder_has_no_problems(folder: Path) -> None:
    found = report(folder)
    assert found.is_healthy
    assert found.rows == 6
    assert len(found.checks) == 15


def test_a_row_with_a_wrong_checksum(folder: Path) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("UPDATE record SET metadata = '{\"x\":1}' WHERE seq = 1")
    connection.close()
    assert "does not match its checksum" in messages(folder)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE record SET version = 3 WHERE seq = 1", "begins with version 3"),
        ("UPDATE record SET sources = '[\"nobody\"]' WHERE seq = 2", "nobody, which does not exist"),
        (
            "UPDATE record SET sources = (SELECT json_array(id) FROM record WHERE key = 'b')"
            " WHERE seq = 2",
            "of another tenant",
        ),
        ("UPDATE record SET body = json_set(body, '$.text', 'x') WHERE seq = 2", "do not add up"),
        ("UPDATE record SET scope = 2 WHERE seq = 2", "in another scope"),
        ("UPDATE record SET key = 'a', scope = 1 WHERE key = 'b'", "have the key 'a'"),
        ("UPDATE record SET op = 'delete' WHERE seq = 1", "which is not live"),
        ("DELETE FROM vector WHERE seq = 2", "has no vector"),
        ("UPDATE vector SET data = substr(data, 1, 40) WHERE seq = 2", "vector"),
        ("UPDATE vector SET crc = crc + 1 WHERE seq = 2", "vector"),
        ("UPDATE meta SET value = json_set(value, '$.dim', 65) WHERE key = 'encoder'", "not hashing:64"),
        ("UPDATE record SET scope = 99 WHERE seq = 1", "missing row of scope"),
    ],
)  # fmt: skip
def test_a_broken_invariant_is_named(folder: Path, sql: str, words: str) -> None:
    change(folder, sql)
    assert words in messages(folder)


def test_a_gap_between_versions_and_life_after_death(folder: Path) -> None:
    with Memory(folder) as memory:
        (document,) = memory.list()
        memory.update(document.id, title="Times")
        memory.update(document.id, title="Timetable")
    change(folder, "UPDATE record SET version = 9 WHERE id = ? AND version = 3", document.id)
    assert "from version 2 to 9" in messages(folder)
    change(folder, "UPDATE record SET op = 'delete' WHERE id = ? AND version = 2", document.id)
    assert "came back after it was deleted" in messages(folder)
    change(folder, "UPDATE record SET op = 'erase' WHERE id = ? AND version = 2", document.id)
    assert "written to after it was forgotten" in messages(folder)


def test_an_index_that_lost_rows_is_found_and_rebuilt(folder: Path) -> None:
    file = folder / "indexes" / "fulltext" / "fulltext.db"
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM words WHERE rowid = 2")
    connection.close()
    assert "index fulltext lacks 1 live rows" in messages(folder)
    with Memory(folder) as memory:
        memory.store.retriever.rebuild()
    assert report(folder).is_healthy


def test_a_foreign_file_is_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert "notes.txt does not belong to agentcl" in messages(folder)


def test_a_read_only_look_says_that_bytes_wait_to_be_cleared(folder: Path) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute("INSERT INTO meta VALUES ('erasure_due', '1')")
    connection.close()
    with Memory(folder, read_only=True) as memory:
        assert "open it without read_only" in memory.store.examine().problems[0].message
    assert report(folder).is_healthy


def test_an_index_that_merely_lags_is_a_note(folder: Path) -> None:
    with Memory(folder) as memory:
        memory.search("ferry", mode="graph")
        memory.add_many([f"Note {number} of Ilka Renn." for number in range(5)])
        found = memory.store.examine()
        assert found.is_healthy
        assert any("graph is 10 rows behind" in note for note in found.notes)
        memory.search("ferry", mode="graph")
        assert memory.store.examine().notes == ()


def test_what_others_write_meanwhile_is_no_fault(folder: Path) -> None:
    with Memory(folder) as memory, Memory(folder) as other:
        memory.search("ferry")
        journal, count = memory.store.journal, 0
        live = journal.live

        def interrupted(**given: Any) -> Any:
            nonlocal count
            if given.get("kinds") == ("passage",) and count < 4:
                count += 1
                other.add(f"Note {count}, written while the doctor looks.")
            return live(**given)

        journal.live = interrupted  # type: ignore[method-assign]  # somebody else's turn, at the worst moment
        assert memory.store.examine().problems == ()
        assert count == 4


class Listed(type(Path())):  # type: ignore[misc]  # the class of this system's paths
    """A folder that still lists a file which somebody took away."""

    def rglob(self, pattern: str) -> Iterator[Path]:
        yield from (*super().rglob(pattern), Path(self) / "fulltext.db-wal")


def test_a_file_that_goes_while_sizes_are_counted_is_none(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_text("four")
    (tmp_path / "loose").symlink_to(tmp_path / "nowhere")
    assert sizes_in(Listed(tmp_path)) == {"deep/a": 4}
