"""A file of an older schema is brought up to date, with all that it holds."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentcl.errors import StoreReadOnly
from agentcl.store.records import Document, ScopeView
from agentcl.store.rows import Counters
from agentcl.store.sqlite.database import Database
from agentcl.store.sqlite.schema import MIGRATIONS
from agentcl.store.sqlite.store import FILE, SqliteStore

EVERYBODY = ScopeView(None, None, None, None)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder whose file has schema 1: one document that was used three times."""
    (tmp_path / "new").mkdir()
    with closing(SqliteStore(tmp_path / "new")) as journal:
        with journal.writing() as writing:
            id = writing.create(Document(id="", text="The ferry leaves at seven.")).id
        (row,) = journal.versions(id)
    Database(tmp_path / FILE, migrations=MIGRATIONS[:1]).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as file, file:
        file.execute("INSERT INTO scope VALUES (1, '', '', '', '')")
        file.execute(
            "INSERT INTO record VALUES (1, ?, ?, ?, ?, 1, ?, NULL, NULL, NULL, ?, ?, ?, NULL, ?)",
            (*row[1:5], row.created_at, row.sources, row.body, row.metadata, row.checksum),
        )
        file.execute("INSERT INTO counter VALUES (?, 3, 2, 1, NULL)", (id,))
    return tmp_path


def test_a_file_of_schema_1_keeps_its_records_and_counters(old: Path) -> None:
    with closing(SqliteStore(old)) as journal:
        (row,) = journal.live(view=EVERYBODY)
        assert row.record().search_text() is None
        assert journal.counters(row.id) == Counters(uses=3, wins=2, losses=1, repeats=0)
        with journal.writing() as writing:
            writing.credit(row.id, repeats=2)
        assert journal.counters(row.id) == Counters(uses=3, wins=2, losses=1, repeats=2)
    with closing(SqliteStore(old, read_only=True)) as journal:
        assert journal.counters(row.id).repeats == 2


def test_a_file_of_schema_1_is_not_changed_by_a_reader_who_is_told_why(old: Path) -> None:
    before = (old / FILE).read_bytes()
    with pytest.raises(StoreReadOnly, match="open it once without read_only to migrate it"):
        SqliteStore(old, read_only=True)
    assert (old / FILE).read_bytes() == before


@pytest.mark.parametrize("first", [(), MIGRATIONS[:1]], ids=["new", "old"])
def test_a_file_that_another_process_makes_meanwhile_is_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[object, ...]
) -> None:
    """All that is looked at before a file is opened is of one moment."""
    if first:
        Database(tmp_path / FILE, migrations=MIGRATIONS[:1]).close()
    others: list[Callable[[], None]] = [lambda: Database(tmp_path / FILE).close()]

    class Between(sqlite3.Connection):
        """Somebody else is faster once the version was read."""

        def execute(self, sql: str, /, *values: object) -> sqlite3.Cursor:
            found = super().execute(sql, *values)  # type: ignore[arg-type]
            if sql == "PRAGMA user_version" and others:
                others.pop()()
            return found

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Between)
    )
    with closing(Database(tmp_path / FILE)) as opened:
        assert opened.read("PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert not others
