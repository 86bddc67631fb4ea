"""What somebody put into a folder's files, and agentcl did not: refused in the journal, made anew in an index."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agentcl import Memory, StoreCorrupt
from agentcl.store.sqlite.store import FILE

FULLTEXT = Path("indexes/fulltext/fulltext.db")
ENDLESS = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)"
PUT_THERE = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON {0} BEGIN DELETE FROM {0}; END;",
    "table": "CREATE TABLE stash (x);",
    "view": f"CREATE VIEW stash AS {ENDLESS} SELECT n FROM x;",
    "index": "CREATE INDEX stash ON {0} ((1 + 1));",
    "virtual": "CREATE VIRTUAL TABLE stash USING fts5 (x);",
    "column": "ALTER TABLE {0} ADD COLUMN stash;",
    "less": "DROP TABLE {0};",
    "view instead": f"ALTER TABLE {{0}} RENAME TO stash; CREATE VIEW {{0}} AS {ENDLESS} SELECT n FROM x;",
}


def put(file: Path, statements: str, table: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(statements.format(table))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Memory(tmp_path / "m", encoder="hashing:64") as memory:
        memory.add("The ferry leaves at seven.", user="ada")
        memory.search("ferry", user="ada")
    return tmp_path / "m"


@pytest.mark.parametrize("what", PUT_THERE)
@pytest.mark.parametrize("table", ["record", "scope", "meta"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_with_it_is_not_opened(
    folder: Path, what: str, table: str, read_only: bool
) -> None:
    put(folder / FILE, PUT_THERE[what], table)
    before = (folder / FILE).read_bytes()
    with pytest.raises(StoreCorrupt, match=r"agentcl's|another shape|has no "):
        Memory(folder, read_only=read_only)
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize("what", PUT_THERE)
def test_an_index_with_it_is_made_anew(folder: Path, what: str) -> None:
    put(folder / FULLTEXT, PUT_THERE[what], "entry")
    with Memory(folder) as memory:
        assert len(memory.search("ferry", user="ada", mode="text")) == 1
        assert memory.store.examine().problems == ()
    with closing(sqlite3.connect(folder / FULLTEXT)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert not {"stash", "t"} & names


def test_what_sqlite_keeps_for_itself_is_no_stranger(folder: Path) -> None:
    put(folder / FILE, "ANALYZE;", "")
    with Memory(folder) as memory:
        assert len(memory.search("ferry", user="ada")) == 1
