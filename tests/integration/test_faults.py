"""A full disk, a folder that cannot be written, damaged files: clear errors, nothing acknowledged lost."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcl import (
    Memory,
    SchemaTooNew,
    StorageFull,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
)
from agentcl.errors import EraseIncomplete
from agentcl.store.sqlite.store import FILE, SqliteStore

FULLTEXT = Path("indexes/fulltext/fulltext.db")


def fill(folder: Path, count: int = 30) -> list[str]:
    with Memory(folder, encoder="hashing:64") as memory:
        ids = [memory.add(f"note {n} about harbours and mills").id for n in range(count)]
        memory.search("harbours")
    return ids


def limit_pages(memory: Memory, spare: int) -> None:
    """Let the database grow by a few pages only, as a full disk would."""
    assert isinstance(memory.store.journal, SqliteStore)
    database = memory.store.journal.database
    ((pages,),) = database.read("PRAGMA page_count")
    database.read(f"PRAGMA max_page_count = {int(str(pages)) + spare}")


def test_a_full_disk_is_said_and_costs_nothing_stored(tmp_path: Path) -> None:
    ids = fill(tmp_path)
    with Memory(tmp_path) as memory:
        limit_pages(memory, 4)
        with pytest.raises(StorageFull, match="no space left"):
            ids.extend(memory.add(f"more {n} " + "text " * 200).id for n in range(100))
        assert memory.search("harbours").hits
        limit_pages(memory, 1_000)
        ids.append(memory.add("there is room again").id)
        assert {record.id for record in memory.list(limit=1_000)} == set(ids)
        assert memory.store.examine().problems == ()


def test_a_file_size_limit_is_said_and_costs_nothing_stored(tmp_path: Path) -> None:
    """RLIMIT_FSIZE fails the operating system's write itself, in the middle of a transaction."""
    script = """
import resource, signal, sys
from agentcl import Memory, StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Memory(sys.argv[1], encoder="hashing:64") as memory:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    try:
        for n in range(1000):
            print(memory.add(f"note {n} " + "text " * 50).id, flush=True)
    except StoreUnavailable as error:
        print("refused:", type(error).__name__, flush=True)
        assert "disk" in str(error) or "space" in str(error), error
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    *ids, last = done.stdout.splitlines()
    assert last.startswith("refused:"), done
    with Memory(tmp_path) as memory:
        kept = {record.id for record in memory.list(limit=10_000)}
        assert set(ids) <= kept
        assert len(kept) <= len(ids) + 1
        assert memory.store.examine().problems == ()


def test_a_snapshot_that_does_not_fit_says_where_and_leaves_nothing(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from agentcl import Memory, StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Memory(sys.argv[1], encoder="hashing:64") as memory:
    memory.add_many(f"note {n} " + "text " * 50 for n in range(500))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        memory.store.snapshot(sys.argv[2])
    except StoreUnavailable as error:
        print(error)
"""
    places = [str(tmp_path / name) for name in ("memory", "copy")]
    done = subprocess.run(
        [sys.executable, "-c", script, *places], capture_output=True, text=True, check=False
    )
    assert f"cannot write a snapshot to {places[1]}: " in done.stdout, done
    assert [path.name for path in tmp_path.iterdir()] == ["memory"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_read_only_folder_can_be_read_and_says_why_it_is_not_written(tmp_path: Path) -> None:
    """Runs as another user where the suite runs as root, who may write anywhere."""
    folder = tmp_path / "m"
    fill(folder)
    shutil.rmtree(folder / "indexes")
    script = """
import os, sys
from agentcl import Memory, StoreReadOnly
with Memory(sys.argv[2], encoder="hashing:64") as memory:
    memory.search(memory.add("imports what is needed while it may be read").text)
with Memory(sys.argv[2], read_only=True) as memory:
    memory.search("imports")
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with Memory(sys.argv[1]) as memory:
        memory.add("must not work")
    print("written?!")
except StoreReadOnly as error:
    assert "read_only=True" in str(error), error
    print("refused")
with Memory(sys.argv[1], read_only=True) as memory:
    print(len(memory.search("harbours", limit=100)))
    try:
        memory.add("must not work")
    except StoreReadOnly:
        print("refused")
"""
    done = run_where_it_may_only_read(script, folder, str(tmp_path / "warm"))
    assert done.stdout.split() == ["refused", "30", "refused"], done.stderr


def run_where_it_may_only_read(
    script: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    for path in (folder.parent, *folder.parent.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    (folder / FILE).chmod(0o444)
    folder.chmod(0o555)
    try:
        return subprocess.run(
            [sys.executable, "-c", script, str(folder), *arguments],
            cwd=folder.parent,  # a checkout in root's home is no place for another user
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        folder.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_commands_that_read_work_where_nothing_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    ids = fill(folder)
    shutil.rmtree(folder / "indexes")
    shutil.copytree(folder, tmp_path / "warm")
    reading = (
        "search harbours", "list", "stats", "doctor", "export /dev/null", "guidance list", "statements list", "jobs list",
        "episodes list",
    )  # fmt: skip
    script = """
import os, sys
from click.testing import CliRunner
from agentcl.cli.main import main
def run(command, folder):
    done = CliRunner().invoke(main, [*command.split(), "--path", folder], input="text")
    return f"{done.exit_code} {done.stderr}" if done.exit_code else "0"
for command in sys.argv[3:]:  # imports what is needed while it may be read
    run(command, sys.argv[2])
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for command in sys.argv[3:]:
    print(command, run(command, sys.argv[1]).strip(), sep=": ")
"""
    done = run_where_it_may_only_read(
        script, folder, str(tmp_path / "warm"), *reading, "add -", "reindex", f"delete {ids[0]}"
    )
    told = done.stdout.splitlines()
    assert told[: len(reading)] == [f"{command}: 0" for command in reading], done.stderr
    assert len(told) == len(reading) + 3
    for line in told[len(reading) :]:
        assert "1 error: " in line
        assert "this command writes" in line
        assert f"agentcl copy {folder}" in line


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_the_commands_that_read_work_where_there_is_no_room(tmp_path: Path) -> None:
    (id, *_) = fill(tmp_path)
    script = """
import resource, signal, sys
from click.testing import CliRunner
from agentcl.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for command in sys.argv[2:]:
    done = CliRunner().invoke(main, [*command.split(), "--path", sys.argv[1]])
    print(done.exit_code, done.stderr.strip() if done.exit_code else "")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "list", "export /dev/null", f"delete {id}"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout.splitlines()
    assert [line[0] for line in told] == ["0", "0", "1"], done
    assert "no room for journal.db-shm" in told[2]


def test_writes_that_wait_in_a_folder_that_only_can_be_read_are_not_passed_over(
    tmp_path: Path,
) -> None:
    fill(tmp_path)
    (tmp_path / f"{FILE}-wal").write_bytes(b"what was not moved into the file yet")
    (tmp_path / f"{FILE}-shm").mkdir()  # so that nobody can join in reading them
    with pytest.raises(StoreReadOnly, match="copy the whole folder"):
        Memory(tmp_path, read_only=True)


def test_a_read_only_memory_changes_nothing(tmp_path: Path) -> None:
    """SQLite itself may leave its lock file and an empty log: another process may be writing."""
    fill(tmp_path)
    shutil.rmtree(tmp_path / "indexes")
    before = (tmp_path / FILE).read_bytes()
    with Memory(tmp_path, read_only=True) as memory:
        assert len(memory.search("harbours", limit=100)) == 30
        with pytest.raises(StoreReadOnly):
            memory.add("must not work")
    assert (tmp_path / FILE).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {FILE, f"{FILE}-wal", f"{FILE}-shm"}


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 100)


def overwrite_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"not a database at all")


def zero_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\0" * 8192)


@pytest.mark.parametrize("damage", [truncate, overwrite_head, zero_middle])
def test_a_damaged_journal_is_refused_or_reported_never_used_silently(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    fill(tmp_path / "m", 300)
    damage(tmp_path / "m" / FILE)
    before = (tmp_path / "m" / FILE).read_bytes()
    refusal = ""
    try:
        with Memory(tmp_path / "m") as memory:
            assert not memory.store.examine().is_healthy
    except StoreCorrupt as error:
        refusal = str(error)
    if refusal:
        assert "damaged" in refusal or "not a journal" in refusal
        assert (tmp_path / "m" / FILE).read_bytes() == before


def test_every_flipped_bit_in_a_record_is_noticed(tmp_path: Path) -> None:
    """SQLite has no checksums of its own: our rows carry them."""
    (id, *_) = fill(tmp_path / "m", 3)
    path = tmp_path / "m" / FILE
    raw = path.read_bytes()
    assert raw.count(b"note 0 about") == 2  # the document and its passage
    path.write_bytes(raw.replace(b"note 0 about", b"note 1 about"))
    with Memory(tmp_path / "m") as memory:
        with pytest.raises(StoreCorrupt, match="checksum"):
            memory.get(id)
        assert not memory.store.examine().is_healthy
        with pytest.raises(StoreCorrupt):
            memory.store.export(tmp_path / "export.jsonl")
        assert not (tmp_path / "export.jsonl").exists()
        assert memory.store.export(tmp_path / "saved.jsonl", salvage=True) == 4
    with Memory(tmp_path / "new") as rescued:
        assert rescued.store.import_(tmp_path / "saved.jsonl").added == 4


def test_salvage_reads_around_destroyed_pages(tmp_path: Path) -> None:
    fill(tmp_path / "m", 300)
    zero_middle(tmp_path / "m" / FILE)
    with Memory(tmp_path / "m") as memory:
        rows = memory.store.export(tmp_path / "saved.jsonl", salvage=True)
    assert rows > 200
    with Memory(tmp_path / "new") as rescued:
        assert rescued.store.import_(tmp_path / "saved.jsonl").added == rows


@pytest.mark.parametrize("damage", [truncate, overwrite_head, zero_middle, Path.unlink])
def test_a_damaged_index_is_rebuilt_from_the_journal(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    fill(tmp_path, 300)
    damage(tmp_path / FULLTEXT)
    with Memory(tmp_path) as memory:
        assert len(memory.search("harbours", limit=1_000, mode="text")) == 300
        for problem in memory.store.examine().problems:  # damage where no search has looked yet
            assert "agentcl reindex" in problem.message
        memory.store.retriever.rebuild()
        assert memory.store.examine().problems == ()
        assert len(memory.search("harbours", limit=1_000, mode="text")) == 300


def test_an_index_ahead_of_its_journal_betrays_lost_writes(tmp_path: Path) -> None:
    fill(tmp_path / "m", 3)
    shutil.copy(tmp_path / "m" / FILE, tmp_path / "old.db")
    with Memory(tmp_path / "m") as memory:
        memory.add("one more")
        memory.search("more")
    shutil.copy(tmp_path / "old.db", tmp_path / "m" / FILE)
    with Memory(tmp_path / "m") as memory:
        (problem,) = memory.store.examine().problems
        assert "acknowledged writes may be missing" in problem.message
    with Memory(tmp_path / "m") as memory:
        assert len(memory.search("harbours", limit=10)) == 3


def test_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(SchemaTooNew, match="pip install --upgrade agentcl"):
        Memory(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreCorrupt, match="another program"):
        Memory(tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match="is a file"):
        Memory(tmp_path / "file")
    with pytest.raises(StoreUnavailable, match="no memory"):
        Memory(tmp_path / "absent", read_only=True)


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path) -> None:
    with (
        Memory(tmp_path, encoder="hashing:64", busy_timeout_s=0.05) as one,
        Memory(tmp_path, encoder="hashing:64") as two,
    ):
        with two.store.journal.writing(), pytest.raises(StoreBusy, match="busy_timeout_s"):
            one.add("text")
        one.add("text")


def test_an_erasure_cut_off_before_its_bytes_were_cleared_is_finished(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing:64", busy_timeout_s=0.05) as memory:
        document = memory.add("zyzzyva secret")
        # Another process that keeps an old state of the file open.
        reader = sqlite3.connect(tmp_path / "m" / FILE, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM record").fetchone()
        with pytest.raises(EraseIncomplete, match="Opening the memory again"):
            memory.forget(document.id)
        assert len(memory.search("zyzzyva", mode="text")) == 0
        reader.execute("COMMIT")
        reader.close()
    with Memory(tmp_path / "m") as memory:
        memory.search("anything")
        assert memory.store.examine().problems == ()
    for file in (tmp_path / "m").rglob("*"):
        if file.is_file():
            assert b"zyzzyva" not in file.read_bytes(), file


def test_a_fork_after_opening_shares_nothing(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add("from the parent")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                memory.add("from the child")
                status = 0 if len(memory.search("from", limit=10)) == 2 else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(memory.search("from", limit=10)) == 2
        assert memory.store.examine().problems == ()


def test_a_crash_in_a_migration_leaves_the_old_schema(tmp_path: Path) -> None:
    from agentcl.store.sqlite.database import Database
    from agentcl.store.sqlite.schema import MIGRATIONS

    ids = fill(tmp_path, 3)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE record ADD COLUMN extra")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Database(tmp_path / FILE, migrations=(*MIGRATIONS, broken))
    with Memory(tmp_path) as memory:
        assert len(memory.list()) == len(ids)

    def good(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE record ADD COLUMN extra")

    Database(tmp_path / FILE, migrations=(*MIGRATIONS, good)).close()
    with pytest.raises(SchemaTooNew):
        Memory(tmp_path)
    with pytest.raises(StoreReadOnly, match="migrate"):
        Database(tmp_path / FILE, migrations=(*MIGRATIONS, good, good), read_only=True)
