"""What becomes of a memory when its server, a client or an address is not as it should be."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import (
    ConfigError,
    MemoryClosed,
    SchemaTooNew,
    StoreBusy,
    StoreCorrupt,
    StoreReadOnly,
    StoreUnavailable,
)
from agentcl.testing.store import EVERYBODY, document

pytest.importorskip("psycopg")

from agentcl.store.postgres.address import parse
from agentcl.store.postgres.connecting import Connector
from agentcl.store.postgres.database import Turn
from agentcl.store.postgres.opening import WHOLE, WHOLE_SQL
from agentcl.store.postgres.store import PostgresStore
from tests.postgres import LOCKED, PASSWORD, NoServer, running

if TYPE_CHECKING:
    from tests.postgres import Cluster

Opener = Callable[..., PostgresStore]


def texts(store: PostgresStore) -> list[str]:
    return [row.record().text for row in store.live(view=EVERYBODY)]  # type: ignore[attr-defined]  # documents


def add(store: PostgresStore, text: str) -> None:
    with store.writing() as writing:
        writing.create(document(text))


@pytest.mark.parametrize(
    ("text", "shown", "schema"),
    [
        ("postgresql://ada:pw@db:5433/memories", "postgresql://ada@db:5433/memories", "agentcl"),
        ("postgres://db/memories?schema=b", "postgresql://db/memories?schema=b", "b"),
        ("postgresql:///memories", "postgresql:///memories", "agentcl"),
        ("postgresql://u@/m?password=pw&sslmode=require", "postgresql://u@/m?sslmode=require", "agentcl"),
        ("postgresql://db/m?user=a@b&password=pw@x", "postgresql://db/m?user=a%40b", "agentcl"),
        ("postgresql://u:pw@[::1]:1/m", "postgresql://u@[::1]:1/m", "agentcl"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_password(text: str, shown: str, schema: str) -> None:
    address = parse(text)
    assert (str(address), address.schema) == (shown, schema)
    assert "pw" not in repr(address)
    assert "schema" not in address.url
    assert parse(str(address)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hid/den@h/d", "postgresql://u:hid@den@h:x/d", "postgresql://u:hid#den@h/d",
        "postgresql://h/d?schema=A-b", "postgresql://h/d?schema=pg_x", "postgresql://[h/d",
        "postgresql://u:12?hidden@h/d", "postgresql://u:hidden?x@h/d",
        "postgresql://u:1/2?hidden@h/d", "postgresql://u:1/2?x=hidden@h/d",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_read_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "hid" not in str(caught.value)
    assert "den" not in str(caught.value)


def test_a_wrong_password_is_never_printed(cluster: "Cluster", tmp_path: Path) -> None:
    for password in ("wr0ng-w0rd", ""):
        url = cluster.url(LOCKED).replace(f"{LOCKED}@", f"{LOCKED}:{password}@")
        with pytest.raises(StoreUnavailable, match="password") as caught:
            PostgresStore(parse(url), tmp_path)
        assert "wr0ng" not in str(caught.value)
    url = cluster.url(LOCKED, password=PASSWORD, schema="locked")
    with closing(PostgresStore(parse(url), tmp_path)) as store:
        add(store, "one")


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    address = parse(f"postgresql://u:pw@/d?host={tmp_path}")
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        PostgresStore(address, tmp_path, busy_timeout_s=0.1)
    assert "pw" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(cluster: "Cluster", tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere.*database's name"):
        PostgresStore(parse(cluster.url(database="nowhere")), tmp_path)


def test_a_database_that_cannot_hold_every_text_is_refused(
    cluster: "Cluster", tmp_path: Path
) -> None:
    cluster.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreUnavailable, match="encoding LATIN1"):
        PostgresStore(parse(cluster.url(database="latin")), tmp_path)


def test_a_schema_of_somebody_else_is_left_alone(
    cluster: "Cluster", schema: str, opened: Opener
) -> None:
    cluster.execute(f"CREATE SCHEMA {schema}", f"CREATE TABLE {schema}.orders (id int)",
                    f"GRANT ALL ON SCHEMA {schema} TO owner")  # fmt: skip
    with pytest.raises(StoreCorrupt, match="not agentcl's alone"):
        opened()


def test_a_table_of_another_program_is_not_taken_for_ours(
    cluster: "Cluster", schema: str, opened: Opener
) -> None:
    cluster.execute(f"CREATE SCHEMA {schema}", f"CREATE TABLE {schema}.head (id int)",
                    f"GRANT ALL ON SCHEMA {schema} TO owner", f"GRANT ALL ON {schema}.head TO owner")  # fmt: skip
    with pytest.raises(StoreCorrupt, match="not agentcl's alone"):
        opened()


def test_what_is_not_there_is_not_made_to_be_read(opened: Opener) -> None:
    with pytest.raises(StoreUnavailable, match="there is no memory"):
        opened(read_only=True)
    opened()
    with pytest.raises(StoreReadOnly), opened(read_only=True).writing():
        pass


def test_tables_of_a_newer_agentcl_are_refused_and_left(opened: Opener) -> None:
    store, old = opened(), opened()
    add(old, "before")
    with store.server.lent() as link, link.transaction():
        link.execute(WHOLE_SQL, WHOLE)
        link.execute("UPDATE head SET version = 99")
        link.execute("CREATE TABLE of_tomorrow (id int)")
    with pytest.raises(SchemaTooNew, match="Upgrade"):
        opened()
    with pytest.raises(SchemaTooNew, match="Upgrade"):  # also of who had it open before
        add(old, "after")
    assert texts(old) == ["before"]


def test_an_older_server_is_refused(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentcl.store.postgres.connecting.OLDEST", 99)
    with pytest.raises(StoreUnavailable, match="needs 99 or newer"):
        opened()


def test_who_may_not_read_the_tables_is_told_whose_they_are(
    cluster: "Cluster", opened: Opener
) -> None:
    opened()
    cluster.execute("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    with pytest.raises(StoreUnavailable, match="belongs to another role"):
        opened("stranger")


def test_many_may_make_the_tables_at_once(opened: Opener) -> None:
    stores: list[PostgresStore] = []
    threads = [threading.Thread(target=lambda: stores.append(opened())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.meta("id") for store in stores}) == 1
    assert len(stores) == 6


def test_who_waits_too_long_for_the_turn_is_told(opened: Opener) -> None:
    one, two = opened(), opened(busy_timeout_s=0.1)
    with one.writing(), pytest.raises(StoreBusy, match="busy_timeout_s"), two.writing():
        pass
    add(two, "afterwards")


def test_waiting_for_the_turn_is_no_statement_that_takes_too_long(
    cluster: "Cluster", schema: str, opened: Opener, tmp_path: Path
) -> None:
    url = cluster.url(schema=schema, options="-c statement_timeout=2s")
    with closing(PostgresStore(parse(url), tmp_path, busy_timeout_s=3.0)) as hasty:
        with opened().writing(), pytest.raises(StoreBusy, match="busy_timeout_s"), hasty.writing():
            pass
        with pytest.raises(StoreBusy, match="time-out"), hasty.writing():
            hasty.server.connection.execute("SELECT pg_sleep(9)").fetchall()
        add(hasty, "afterwards")


def test_a_clock_that_is_behind_goes_on_from_the_newest_record(opened: Opener) -> None:
    ahead, behind = opened(clock=lambda: 2_000_000), opened(clock=lambda: 1_000_000)
    for store in (ahead, behind, ahead, behind):
        add(store, "text")
    times = [row.created_at for row in behind.since(0)]
    assert times == [2_000_000, 2_000_001, 2_000_002, 2_000_003]


def test_who_waited_while_records_of_the_future_were_imported_writes_after_them(
    opened: Opener,
) -> None:
    importer, waiter = opened(clock=lambda: 1_000_000), opened(clock=lambda: 1_000_000)
    add(importer, "before")
    waiting = threading.Thread(target=add, args=(waiter, "after"))
    with importer.writing() as writing:
        waiting.start()
        with importer.server.lent() as link:  # until the other one waits for the turn
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while link.execute(asked).fetchall() == [(0,)]:
                pass
        writing.set_meta("clock", "9000000")  # as an import does
    waiting.join()
    assert [row.created_at for row in waiter.since(0)] == [1_000_000, 9_000_001]


def test_a_reader_never_passes_over_a_number_that_is_committed_later(opened: Opener) -> None:
    stores = [opened() for _ in range(3)]
    reader, seen, is_over = opened(), list[int](), threading.Event()

    def write(store: PostgresStore) -> None:
        for n in range(20):
            try:
                with store.writing() as writing:
                    writing.create(document("text"))
                    if n % 3 == 0:
                        raise ZeroDivisionError  # its number is not given away
                    writing.create(document("text"))
            except ZeroDivisionError:
                pass

    def follow() -> None:
        while not is_over.is_set():
            seen.extend(row.seq for row in reader.since(seen[-1] if seen else 0))

    follower = threading.Thread(target=follow)
    follower.start()
    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    follower.join()
    seen += [row.seq for row in reader.since(seen[-1] if seen else 0)]
    assert seen == list(range(1, 3 * 13 * 2 + 1))


def test_a_connection_that_is_cut_undoes_its_transaction_and_comes_back(opened: Opener) -> None:
    store, other = opened(), opened()
    add(store, "kept")

    def write_and_be_cut() -> None:
        with store.writing() as writing, other.server.lent() as link:
            writing.create(document("lost"))
            pid = store.server.connection.link.info.backend_pid
            link.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            writing.create(document("lost, too"))

    with pytest.raises(StoreUnavailable, match="What was acknowledged is kept"):
        write_and_be_cut()
    assert texts(store) == ["kept"]
    add(store, "afterwards")
    assert texts(other) == ["kept", "afterwards"]


def test_who_waits_for_rows_goes_on_when_connections_are_cut_and_the_server_is_restarted(
    cluster: "Cluster", opened: Opener
) -> None:
    waiter, writer = opened(), opened()
    add(writer, "before")
    listens = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query LIKE 'UNLISTEN%'"
    )
    woken: list[int] = []
    waiting = threading.Thread(target=lambda: woken.append(waiter.wait(1, timeout_s=600)))
    waiting.start()
    with writer.server.lent() as link:
        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        while not link.execute(listens).fetchall():
            pass
        link.execute(f"{cut} AND usename = current_user")
    cluster.restart()
    add(writer, "afterwards")
    waiting.join()
    assert woken == [2]


def test_who_lost_the_answer_to_a_commit_does_not_take_anothers_transaction_for_his_own(
    opened: Opener,
) -> None:
    store, other = opened(), opened()
    turns: list[Turn] = []

    def lose(*texts: str) -> None:
        """Write something that is undone, as if the server had crashed before it was on the disk."""
        with suppress(ZeroDivisionError), store.writing() as writing:
            for text in texts:
                writing.create(document(text))
            writing.credit("somebody", uses=1)
            turns.append(store.server.connection)
            raise ZeroDivisionError

    lose("lost")
    lose()
    with other.writing() as writing:
        writing.create(document("another"))
        turns.append(other.server.connection)
    lost, without_rows, stored = turns
    with closing(Connector(other.server.address, read_only=False).connect()) as link:
        for one in turns:
            (state,) = (
                link.execute("SELECT pg_xact_status(%s::xid8)", (one.number,)).fetchone() or ()
            )
            assert state == ("committed" if one is stored else "aborted")
    assert [store.server.was_committed(one) for one in turns] == [False, False, True]
    lost.number = without_rows.number = stored.number  # which a server that crashed may give again
    assert not store.server.was_committed(lost)
    with pytest.raises(StoreUnavailable, match="does not know"):
        store.server.was_committed(without_rows)
    add(other, "later")
    assert store.server.was_committed(stored)
    stored.number = "9999999"  # of the future
    assert not store.server.was_committed(stored)


def test_tables_of_an_older_agentcl_are_brought_up_to_date(opened: Opener, schema: str) -> None:
    old = opened()
    add(old, "before")
    with old.server.lent() as link, link.transaction():
        link.execute(WHOLE_SQL, WHOLE)
        link.execute("DROP TABLE access_key, rate")
        link.execute("ALTER TABLE head DROP COLUMN turn")
        link.execute("UPDATE head SET version = 1")
    with pytest.raises(StoreReadOnly, match="has schema 1"):
        opened(read_only=True)
    add(opened(), "after")
    assert texts(old) == ["before", "after"]


def test_idle_connections_that_were_cut_are_not_noticed(opened: Opener) -> None:
    store, other = opened(), opened()
    add(store, "one")
    with other.server.lent() as link:
        cut = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
        link.execute(cut)
        add(store, "two")
        link.execute(cut)
        assert texts(store) == ["one", "two"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_forked_process_leaves_its_parents_connections_alone(opened: Opener) -> None:
    store = opened()
    add(store, "parent")
    child = os.fork()
    if child == 0:
        try:
            add(store, "child")
            os._exit(0 if texts(store) == ["parent", "child"] else 2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    add(store, "again")
    assert texts(store) == ["parent", "child", "again"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_nothing_acknowledged_is_lost_when_clients_are_killed_and_the_server_is_restarted(
    tmp_path: Path,
) -> None:
    try:
        with running(is_durable=True) as cluster:
            address = parse(cluster.url())
            with closing(PostgresStore(address, tmp_path)) as store:
                store.last_seq()
            writers = [_writer(cluster, tmp_path / str(n), n) for n in range(3)]
            for kill in (False, True):
                _wait_for_more(tmp_path)
                os.kill(writers[0], signal.SIGKILL)
                os.waitpid(writers[0], 0)
                cluster.restart(kill=kill)
                writers = [*writers[1:], _writer(cluster, tmp_path / f"k{kill}", 9 - kill)]
            _wait_for_more(tmp_path)
            for writer in writers:
                os.kill(writer, signal.SIGKILL)
                os.waitpid(writer, 0)
            said = {line for file in tmp_path.iterdir() for line in file.read_text().split()}
            with closing(PostgresStore(address, tmp_path)) as store:
                held = texts(store)
            assert len(said) >= 30
            assert said <= set(held)
            assert len(held) == len(set(held))
            with closing(Connector(address, read_only=True).connect()) as link:
                assert link.execute("SELECT count(*) FROM record").fetchall() == [(0,)]
    except NoServer as error:
        pytest.skip(str(error))


def _wait_for_more(folder: Path) -> None:
    """Wait until ten more texts are said to be stored."""
    deadline, begun = time.monotonic() + 120, None
    while begun is None or sum(map(_lines, folder.iterdir())) < begun + 10:
        begun = sum(map(_lines, folder.iterdir())) if begun is None else begun
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lines(file: Path) -> int:
    return file.read_text().count("\n")


def _writer(cluster: "Cluster", acknowledged: Path, number: int) -> int:
    """Start a process that writes, and says of each text that it is stored; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        store = PostgresStore(parse(cluster.url()), acknowledged.parent)
        with acknowledged.open("w", buffering=1) as file:
            for n in range(1_000_000):
                add(store, f"{number}-{n}")
                file.write(f"{number}-{n}\n")
    finally:
        os._exit(1)


@pytest.fixture
def reader(cluster: "Cluster", schema: str) -> str:
    """Return the address of a memory with a record, for a role that may only read it."""
    with Memory(cluster.url(schema=schema), encoder="hashing") as memory:
        memory.add("The ferry leaves at seven.")
    cluster.execute(
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT USAGE ON SCHEMA {schema} TO reader",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader",
    )
    return cluster.url("reader", schema=schema)


def test_who_may_only_read_has_to_say_so(reader: str, tmp_path: Path) -> None:
    with pytest.raises(
        StoreReadOnly, match=r"may only be read by this user; open it with read_only=True"
    ):
        PostgresStore(parse(reader), tmp_path)
    with closing(PostgresStore(parse(reader), tmp_path, read_only=True)) as store:
        assert "The ferry leaves at seven." in texts(store)


def test_a_server_that_takes_no_writes_is_named(
    opened: Opener, cluster: "Cluster", schema: str, tmp_path: Path
) -> None:
    opened()
    url = cluster.url(schema=schema, options="-c default_transaction_read_only=on")
    with pytest.raises(StoreReadOnly, match="takes no writes"):
        PostgresStore(parse(url), tmp_path)


def test_commands_read_and_copy_what_may_only_be_read(reader: str, tmp_path: Path) -> None:
    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(main, [*map(str, words)])

    for command in ("list", "stats", "doctor"):
        assert run(command, "--path", reader).exit_code == 0, command
    for words in (
        ("export", tmp_path / "all.jsonl", "--path", reader),
        ("snapshot", tmp_path / "snapshot", "--path", reader),
        ("copy", reader, tmp_path / "copied"),
    ):
        assert run(*words).exit_code == 0, words
    for folder in ("snapshot", "copied"):
        assert "ferry" in run("search", "ferry", "--path", tmp_path / folder).output
    for writes in (
        ("import", tmp_path / "all.jsonl"),
        ("add", tmp_path / "all.jsonl"),
        ("digest",),
    ):
        refused = run(*writes, "--path", reader)
        assert refused.exit_code == 1
        assert "may only be read by this user, and this command writes" in refused.output


def test_who_may_make_no_schema_is_told_which_right_it_takes(
    cluster: "Cluster", tmp_path: Path
) -> None:
    cluster.execute("CREATE DATABASE barred")
    with pytest.raises(StoreUnavailable, match="GRANT CREATE ON DATABASE"):
        PostgresStore(parse(cluster.url(database="barred")), tmp_path)


@pytest.mark.parametrize("wrong", ["hots=x", "sslmode=perhaps", "port=many"])
def test_what_an_address_cannot_say_is_named(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be used: .*invalid.*Write postgresql://"):
        PostgresStore(parse(f"postgresql://u@127.0.0.1/d?{wrong}"), tmp_path, busy_timeout_s=0.1)


def test_what_the_server_says_comes_without_our_statement(
    cluster: "Cluster", opened: Opener
) -> None:
    opened()
    cluster.execute("DROP ROLE IF EXISTS outsider", "CREATE ROLE outsider LOGIN")
    with pytest.raises(StoreUnavailable, match="belongs to another role") as caught:
        opened("outsider")
    assert "SELECT" not in str(caught.value)


def test_a_snapshot_that_failed_leaves_no_folder(opened: Opener, tmp_path: Path) -> None:
    store = opened()
    add(store, "one")
    store.server.close()
    with pytest.raises(MemoryClosed):
        store.snapshot(tmp_path / "copied")
    assert not (tmp_path / "copied").exists()
