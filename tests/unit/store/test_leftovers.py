"""Pages of a database file hold nothing of what was deleted, and everything of what was not."""

import io
import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.errors import StoreBusy, StoreCorrupt, StoreUnavailable
from agentcl.store.sqlite.database import Database
from agentcl.store.sqlite.leftovers import Leftovers

_TABLES = (
    "CREATE TABLE noted (number INTEGER PRIMARY KEY, body TEXT)",
    "CREATE INDEX by_body ON noted (body)",
    "CREATE TABLE named (name TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID",
)
_LENGTHS = st.sampled_from([10, 60, 400, 900, 3_000, 20_000])
_STEPS = st.lists(
    st.tuples(st.sampled_from(["insert", "insert", "insert", "delete", "change"]), st.integers(0, 999), _LENGTHS),
    min_size=1, max_size=150,
)  # fmt: skip


def _migrate(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


@contextmanager
def _database(page: int = 4_096, *, vacuum: int = 0) -> Iterator[Database]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA page_size = {page}")
            connection.execute(f"PRAGMA auto_vacuum = {vacuum}")
            connection.execute("VACUUM")
        database = Database(path, migrations=(_migrate,), durability="normal", busy_timeout_s=0.2)
        try:
            yield database
        finally:
            database.close()


def _secret(number: int, turn: int) -> str:
    return f"{(number * 7919 + turn) % 1000:03}secret{number:04}x{turn:04}|"


def _content(database: Database) -> bytes:
    return b"".join(file.read_bytes() for file in database.path.parent.iterdir())


@given(
    steps=_STEPS,
    page=st.sampled_from([512, 4_096, 65_536]),
    vacuum=st.sampled_from([0, 1, 2]),
    is_secure=st.booleans(),
    per_turn=st.sampled_from([1, 7, 50]),
)
def test_nothing_of_what_was_deleted_is_left_and_all_else_is(
    steps: list[tuple[str, int, int]], page: int, vacuum: int, is_secure: bool, per_turn: int
) -> None:
    live: dict[int, str] = {}
    gone: set[str] = set()
    with _database(page, vacuum=vacuum) as database:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as writer:
            writer.execute(f"PRAGMA secure_delete = {'ON' if is_secure else 'OFF'}")
            writer.execute("PRAGMA synchronous = OFF")
            for turn, (verb, number, length) in enumerate(steps):
                if turn % per_turn == 0:
                    writer.execute("BEGIN")
                if number in live:
                    old = live.pop(number)
                    gone.add(old[: old.index("|")])
                    writer.execute("DELETE FROM named WHERE name = ?", (old,))
                if verb == "delete":
                    writer.execute("DELETE FROM noted WHERE number = ?", (number,))
                else:
                    live[number] = _secret(number, turn) * (1 + length // 20)
                    held = (number, live[number])
                    writer.execute("INSERT OR REPLACE INTO noted VALUES (?, ?)", held)
                    writer.execute("INSERT INTO named VALUES (?2, ?2 || ?1)", held)
                if turn % per_turn == per_turn - 1 or turn == len(steps) - 1:
                    writer.execute("COMMIT")
        database.clear_leftovers()
        content = _content(database)
        assert [secret for secret in gone if secret.encode() in content] == []
        assert database.read("SELECT number, body FROM noted") == sorted(live.items())
        assert len(database.read("SELECT body FROM named")) == len(live)
        assert database.read("PRAGMA integrity_check") == [("ok",)]


def test_a_plain_deletion_leaves_copies_behind() -> None:
    """What the property above guards against does happen, with `secure_delete` too."""
    with _database() as database:
        for turn in range(400):
            with database.write() as connection:
                held = (turn, _secret(turn, 0) * (1 + turn % 13))
                connection.execute("INSERT INTO noted VALUES (?, ?)", held)
        with database.write() as connection:
            connection.execute("DELETE FROM noted WHERE number % 2")
        database.empty_log()
        gone = [_secret(turn, 0).encode() for turn in range(1, 400, 2)]
        content = _content(database)
        assert any(secret in content for secret in gone)
        database.clear_leftovers()
        content = _content(database)
        assert not any(secret in content for secret in gone)


def _leave_behind(database: Database, other: sqlite3.Connection) -> None:
    """Delete the rows with odd numbers, and leave every byte of them in the pages."""
    for turn in range(300):
        with database.write() as connection:
            held = (turn, _secret(turn, 0) * (1 + turn % 13))
            connection.execute("INSERT INTO noted VALUES (?, ?)", held)
    other.execute("PRAGMA secure_delete = OFF")
    with other:
        other.execute("DELETE FROM noted WHERE number % 2")


def test_another_connection_brings_no_leftover_back() -> None:
    with _database() as database, closing(sqlite3.connect(database.path)) as other:
        _leave_behind(database, other)
        # It has every page in memory, with what is left over there, and changes each of them.
        other.execute("SELECT sum(length(body)) FROM noted ORDER BY body").fetchone()
        database.read("SELECT sum(length(body)) FROM noted")
        database.clear_leftovers()
        with other:
            other.execute("UPDATE noted SET body = upper(body)")
        with database.write() as connection:
            connection.execute("UPDATE noted SET body = body || 'x'")
        content = _content(database)
        assert not any(_secret(turn, 0).encode() in content for turn in range(1, 300, 2))


def test_a_clearing_that_was_killed_lets_no_leftover_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One who was killed between clearing and its commit told nobody that pages in memory are old."""
    with _database() as database, closing(sqlite3.connect(database.path)) as other:
        _leave_behind(database, other)
        database.empty_log()
        other.execute("SELECT sum(length(body)) FROM noted").fetchone()
        with database.path.open("r+b", buffering=0) as file:
            found = Leftovers(file)
            assert found.clear(1, found.pages)

        def write_with_old_pages() -> None:
            with other:
                other.execute("UPDATE noted SET body = upper(body)")
            monkeypatch.undo()
            database.empty_log()

        monkeypatch.setattr(database, "empty_log", write_with_old_pages)
        database.clear_leftovers()
        content = _content(database)
        assert not any(_secret(turn, 0).encode() in content for turn in range(1, 300, 2))


def test_who_keeps_an_old_state_open_is_not_cleared_under() -> None:
    with _database() as database, closing(sqlite3.connect(database.path)) as reader:
        with database.write() as connection:
            connection.execute("INSERT INTO noted VALUES (1, 'a secret')")
        reader.execute("BEGIN")
        assert reader.execute("SELECT body FROM noted").fetchall() == [("a secret",)]
        with database.write() as connection:
            connection.execute("DELETE FROM noted")
        with pytest.raises(StoreBusy):
            database.clear_leftovers()
        assert reader.execute("SELECT body FROM noted").fetchall() == [("a secret",)]
        reader.rollback()
        database.clear_leftovers()
        assert b"a secret" not in _content(database)


def test_a_damaged_page_is_left_as_it_is() -> None:
    with _database() as database:
        with database.write() as connection:
            connection.executemany(
                "INSERT INTO noted VALUES (?, ?)", [(n, f"body {n}" * 20) for n in range(100)]
            )
        database.empty_log()
        ((root,),) = database.read("SELECT rootpage FROM sqlite_schema WHERE name = 'by_body'")
        assert isinstance(root, int)
        content = bytearray(database.path.read_bytes())
        content[(root - 1) * 4_096 + 5 : (root - 1) * 4_096 + 7] = b"\xff\xff"
        database.path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match=f"page {root}"):
            database.clear_leftovers(is_derived=True)
        assert database.path.read_bytes()[(root - 1) * 4_096 :][:4_096] == bytes(
            content[(root - 1) * 4_096 :][:4_096]
        )


def test_where_an_index_with_short_entries_overflows_nothing_is_left() -> None:
    """In pages of 512 bytes, an entry of 103 bytes overflows, and its length is still a single byte."""
    with _database(512) as database, closing(sqlite3.connect(database.path)) as writer:
        writer.execute("PRAGMA secure_delete = OFF")
        with writer:
            writer.execute("INSERT INTO noted VALUES (0, ?)", (_secret(0, 0) * 3_000,))
        with writer:
            writer.execute("DELETE FROM noted")
            bodies = [(turn, f"{turn:03}".ljust(112)) for turn in range(1, 60)]
            writer.executemany("INSERT INTO noted VALUES (?, ?)", bodies)
        database.clear_leftovers()
        assert b"secret" not in _content(database)
        assert database.read("SELECT number, body FROM noted ORDER BY body") == bodies
        assert database.read("PRAGMA integrity_check") == [("ok",)]


def test_a_page_of_pointers_behind_the_page_of_the_lock_is_left_as_it_is(tmp_path: Path) -> None:
    """Pages of pointers stand at equal distances. With pages of 1,024 bytes one would be where the lock is."""
    path = tmp_path / "file.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA auto_vacuum = FULL")
        connection.execute("CREATE TABLE noted (body TEXT)")
    pointers = b"".join(bytes((5, 0, 0, 0, n)) for n in range(1, 205)) + bytes(4)
    with path.open("r+b", buffering=0) as file:
        file.seek((1 << 30) + 1_024)
        file.write(pointers)
        found = Leftovers(file)
        assert found.clear(found.pages, 1) == 0
        file.seek((1 << 30) + 1_024)
        assert file.read() == pointers


def test_a_free_block_that_reaches_into_a_row_is_not_believed() -> None:
    with _database() as database, closing(sqlite3.connect(database.path)) as writer:
        writer.execute("PRAGMA secure_delete = OFF")
        with writer:
            bodies = [(n, f"body {n}" * 20) for n in range(20)]
            writer.executemany("INSERT INTO noted VALUES (?, ?)", bodies)
        with writer:
            writer.execute("DELETE FROM noted WHERE number = 7")
        database.empty_log()
        ((root,),) = database.read("SELECT rootpage FROM sqlite_schema WHERE name = 'noted'")
        assert isinstance(root, int)
        at = (root - 1) * 4_096
        content = bytearray(database.path.read_bytes())
        block = at + int.from_bytes(content[at + 1 : at + 3], "big")
        assert block > at
        content[block + 2] += 1  # 256 bytes longer
        database.path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match=f"page {root}"):
            database.clear_leftovers(is_derived=True)
        assert database.path.read_bytes()[at : at + 4_096] == content[at : at + 4_096]


def test_a_chain_that_goes_on_behind_the_end_of_its_row_is_not_believed() -> None:
    with _database() as database:
        with database.write() as connection:
            connection.execute("INSERT INTO named VALUES ('long', ?)", ("text " * 4_000,))
            connection.execute("INSERT INTO named VALUES ('short', ?)", ("word " * 1_500,))
        database.empty_log()
        content = bytearray(database.path.read_bytes())
        # The short row's chain leads into the long one's.
        pages = range(0, len(content), 4_096)
        middle = next(
            n for n, at in enumerate(pages, 1) if content[at + 4 : at + 4_096].count(b"text ") > 800
        )
        ((root,),) = database.read("SELECT rootpage FROM sqlite_schema WHERE name = 'named'")
        assert isinstance(root, int)
        tail = next(
            n
            for n, at in enumerate(pages, 1)
            if n != root and content[at + 4 : at + 4_096].count(b"word ") > 10
        )
        at = (root - 1) * 4_096
        pointer = content.index(tail.to_bytes(4, "big"), at, at + 4_096)
        content[pointer : pointer + 4] = middle.to_bytes(4, "big")
        database.path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match=f"page {root}"):
            database.clear_leftovers(is_derived=True)
        assert database.path.read_bytes()[4_096:] == content[4_096:]


def _last_page(content: bytes, word: bytes) -> int:
    """Return the number of the page in which the chain of a row full of a word ends."""
    pages = (content[at : at + 4_096] for at in range(0, len(content), 4_096))
    return next(n for n, page in enumerate(pages, 1) if not any(page[:4]) and page.count(word) > 10)


def test_a_page_that_the_chains_of_two_rows_end_in_is_not_believed() -> None:
    """Seen alone, the chain of either is as long as it should be, and the shorter row leaves more room."""
    with _database() as database:
        with database.write() as connection:
            connection.execute("INSERT INTO named VALUES ('long', ?)", ("text " * 4_000,))
            connection.execute("INSERT INTO named VALUES ('short', ?)", ("word " * 300,))
        database.empty_log()
        content = bytearray(database.path.read_bytes())
        fuller, emptier = _last_page(bytes(content), b"text "), _last_page(bytes(content), b"word ")
        ((root,),) = database.read("SELECT rootpage FROM sqlite_schema WHERE name = 'named'")
        assert isinstance(root, int)
        at = content.index(emptier.to_bytes(4, "big"), (root - 1) * 4_096, root * 4_096)
        content[at : at + 4] = fuller.to_bytes(4, "big")
        database.path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match="reference to page"):
            database.clear_leftovers()
        assert database.path.read_bytes()[4_096:] == content[4_096:]
        ((body,),) = database.read("SELECT body FROM named WHERE name = 'long'")
        assert body == "text " * 4_000


def test_a_row_that_says_what_it_may_not_keeps_nothing_from_being_cleared(tmp_path: Path) -> None:
    def migrate(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE noted (body TEXT CHECK (body <> 'odd'))")

    database = Database(tmp_path / "file.db", migrations=(migrate,))
    with closing(database), closing(sqlite3.connect(database.path)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("PRAGMA secure_delete = OFF")
        with other:
            other.execute("INSERT INTO noted VALUES ('odd'), ('a secret')")
        with other:
            other.execute("DELETE FROM noted WHERE body = 'a secret'")
        ((verdict,),) = database.read("PRAGMA quick_check")
        assert "CHECK" in str(verdict)
        assert b"a secret" in _content(database)
        database.clear_leftovers()
        assert b"a secret" not in _content(database)


def test_a_list_of_free_pages_that_is_not_as_long_as_it_should_be_is_not_believed() -> None:
    with _database() as database:
        with database.write() as connection:
            connection.execute("INSERT INTO noted VALUES (1, ?)", ("long " * 9_000,))
        with database.write() as connection:
            connection.execute("DELETE FROM noted")
        database.empty_log()
        content = bytearray(database.path.read_bytes())
        trunk = int.from_bytes(content[32:36], "big")
        assert trunk
        content[39] += 1
        database.path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match="free pages"):
            database.clear_leftovers(is_derived=True)
        assert database.path.read_bytes()[40:] == bytes(content[40:])


class _Full(io.FileIO):
    """A file on a disk that takes only a part of what is written."""

    def write(self, given: bytes, /) -> int:  # type: ignore[override]  # it is given nothing else
        return super().write(given[:-1])


def test_a_disk_that_takes_only_a_part_is_told() -> None:
    with _database() as database, closing(sqlite3.connect(database.path)) as other:
        _leave_behind(database, other)
        database.empty_log()
        with _Full(database.path, "r+") as file:
            found = Leftovers(file)
            with pytest.raises(StoreUnavailable, match="only a part"):
                found.clear(1, found.pages)


def test_who_is_in_the_way_late_in_a_long_clearing_is_waited_for_as_long_as_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, turns = itertools.count(), 0
    with _database() as database, closing(sqlite3.connect(database.path)) as other:
        _leave_behind(database, other)
        with database.write() as connection:
            for number in range(1_000, 1_600):
                connection.execute("INSERT INTO noted VALUES (?, ?)", (number, "text " * 1_000))

        def sleep(seconds: float) -> None:
            """Let others have their turn: in the eighth an old state is opened, and closed when it is waited for."""
            nonlocal turns
            turns += 1
            if other.in_transaction:
                other.rollback()
            elif turns == 8:
                other.execute("BEGIN")
                other.execute("SELECT count(*) FROM noted").fetchone()
                with database.write() as connection:
                    connection.execute("UPDATE noted SET body = 'new' WHERE number = 1000")

        # Each look at the clock takes a second, so that each step clears what it reads at once; a turn takes some.
        monkeypatch.setattr(database, "_busy_timeout_s", 20)
        monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(time, "sleep", sleep)
        database.clear_leftovers()
        assert turns > 8
        assert next(clock) > 20
        content = _content(database)
        assert not any(_secret(turn, 0).encode() in content for turn in range(1, 300, 2))
