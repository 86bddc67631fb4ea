"""A memory in PostgreSQL, as its users meet it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import (
    ConfigError,
    EncoderMismatch,
    EraseIncomplete,
    NotFound,
    NotTrusted,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from tests.postgres import Cluster

TEXTS = [
    "The ferry to Tessary leaves at seven.",
    "The night train to Leuven has a dining car.",
    "Rye bread is baked on Saturdays, rolls every day.",
    "Ilka Renn steers the evening ferry; error E-4711 stops its engine.",
    "In Tessary the harbour master sells tickets for the train.",
]
ASKED = ["when does the ferry leave?", "E-4711", "Tessary train tickets", "bread", "Ilka Renn"]


@pytest.fixture
def address(cluster: "Cluster", tmp_path: Path) -> str:
    return cluster.url(schema="t" + hashlib.md5(str(tmp_path).encode()).hexdigest())


@pytest.fixture
def filled(address: str) -> str:
    with Memory(address, encoder="hashing:64") as memory:
        memory.add_many(TEXTS, user="ada")
    return address


def agentcl(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize("mode", ["text", "dense", "hybrid", "graph"])
def test_searches_rank_as_in_a_folder(filled: str, tmp_path: Path, mode: str) -> None:
    with Memory(tmp_path / "folder", encoder="hashing:64") as one, Memory(filled) as other:
        one.add_many(TEXTS, user="ada")
        for query in ASKED:
            found = [
                [(hit.text, hit.score) for hit in memory.search(query, mode=mode, user="ada").hits]  # type: ignore[arg-type]  # one of the modes
                for memory in (one, other)
            ]
            assert found[0] == found[1]


def test_another_process_sees_what_was_written_before_its_search_began(filled: str) -> None:
    with Memory(filled) as one, Memory(filled) as other:
        assert other.search("ferry", user="ada").hits
        (added,) = one.add_many(["A second ferry leaves at noon."], user="ada")
        assert added.id in {
            hit.document_id for hit in other.search("second ferry noon", user="ada").hits
        }
        one.forget(added.id, user="ada")
        assert added.id not in {
            hit.document_id for hit in other.search("ferry noon", user="ada").hits
        }
        with pytest.raises(NotFound):
            other.get(added.id, user="ada")


def test_the_past_and_lessons_are_kept(filled: str) -> None:
    with Memory(filled) as memory:
        note = memory.add("The code is 1.", uri="code")
        memory.update(note.id, text="The code is 2.")
        lesson = memory.lessons.add("When the sea is rough, take the train.")
        with memory.episode("go to Tessary when the sea is rough") as episode:
            episode.finish(1.0)
    with Memory(filled) as memory:
        first, second = memory.history(note.id)
        assert memory.get(note.id, as_of=first.at).text == "The code is 1."  # type: ignore[attr-defined]  # a document
        assert memory.get(note.id, as_of=second.at).text == "The code is 2."  # type: ignore[attr-defined]  # a document
        assert lesson.id in {one.guidance.id for one in memory.lessons.list()}
        assert len(list(memory.episodes.list())) == 1


def test_a_receipt_names_what_only_the_administrator_can_clear(filled: str) -> None:
    with Memory(filled) as memory:
        receipt = memory.forget(memory.add("zyzzyva").id)
        assert len(receipt.removed) == 2
        assert "journal" not in receipt.cleared
        assert any("backups" in place for place in receipt.beyond)
        assert memory.store.examine().problems == ()


def test_while_somebody_reads_an_old_state_an_erasure_stays_due(filled: str) -> None:
    from contextlib import closing

    from agentcl.store.postgres.address import parse
    from agentcl.store.postgres.connecting import Connector

    with Memory(filled, busy_timeout_s=0.3) as memory:
        note = memory.add("zyzzyva")
        with closing(Connector(parse(filled), read_only=True).connect()) as link:
            link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            link.execute("SELECT 1 FROM record")
            with pytest.raises(EraseIncomplete, match="keeps reading an old state"):
                memory.forget(note.id)
        with pytest.raises(NotFound):
            memory.get(note.id)
        assert memory.store.journal.is_erasure_due()
    with Memory(filled) as memory:
        assert not memory.store.journal.is_erasure_due()


def test_the_command_line_takes_an_address(address: str, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text(TEXTS[0])
    assert "there is no memory at postgresql://" in agentcl("stats", "--path", address).stderr
    assert agentcl("add", str(note), "--path", address, "--encoder", "hashing").exit_code == 0
    assert TEXTS[0] in agentcl("search", "ferry", "--path", address).stdout
    told = json.loads(agentcl("stats", "--path", address, "--json").stdout)
    assert told["place"].startswith("postgresql://owner@/")
    assert told["records"]["document"] == 1
    doctor = agentcl("doctor", "--path", address)
    assert (doctor.exit_code, doctor.stderr) == (0, "")
    assert "postgresql://owner@/" in agentcl("stats", "--path", address).stdout
    (listed,) = json.loads(agentcl("list", "--path", address, "--json").stdout)
    gone = agentcl("forget", listed["id"], "--path", address, "--yes")
    assert "for the database's administrator to clear: backups of the database" in gone.stdout


def test_the_password_is_never_shown(cluster: "Cluster", monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.postgres import LOCKED, PASSWORD

    secret = cluster.url(LOCKED, password=PASSWORD, schema="shown")
    with Memory(secret, encoder="hashing") as memory:
        memory.add("text")
        shown = [repr(memory), str(memory.place)]
        shown += [str(memory.store.stats()), str(memory.store.examine())]
    monkeypatch.setenv("AGENTCL_PATH", secret)
    for words in (["doctor"], ["doctor", "--json"], ["stats", "--json"], ["search", "text"]):
        done = agentcl(*words)
        shown += [done.stdout, done.stderr]
        assert done.exit_code == 0
    monkeypatch.setenv("AGENTCL_PATH", secret.replace("s3cret", "wr0ng"))
    done = agentcl("stats")
    assert done.exit_code == 1
    assert "does not let you in" in done.stderr
    shown.append(done.stderr)
    for text in shown:
        assert "s3cret" not in text
        assert "wr0ng" not in text


def test_servers_of_one_memory_share_keys_and_rates(address: str) -> None:
    from starlette.testclient import TestClient

    from agentcl.server.app import create_app
    from agentcl.server.settings import ServerSettings
    from agentcl.server.shared import keys_of

    settings = ServerSettings(rate_per_second=1e-6, burst=4)
    with Memory(address, encoder="hashing:64") as one, Memory(address) as two:
        servers = [create_app(memory, settings=settings) for memory in (one, two)]
        clients = [TestClient(server, base_url="http://localhost") for server in servers]

        def asked(key: str = "") -> list[int]:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return [client.get("/metrics", headers=headers).status_code for client in clients]

        assert asked() == [200, 200]
        (first, made), (second, _) = (keys_of(memory).add(name="k") for memory in (one, two))
        assert keys_of(one).all() == keys_of(two).all()
        assert asked() == [401, 401]
        assert asked("agentcl-" + "x" * 40) == [401, 401]
        assert [asked(first) for _ in range(3)] == [[200, 200], [200, 200], [429, 429]]
        keys_of(two).remove(made.id)
        assert asked(first) == [401, 401]
        assert asked(second) == [200, 200]
        with pytest.raises(NotFound, match="agentcl key list"):
            keys_of(one).remove(made.id)
        written = one.store.journal.server.aside("SELECT * FROM access_key")  # type: ignore[attr-defined]  # in PostgreSQL
        assert second not in str(written)


def test_a_key_is_made_and_listed_on_any_machine(address: str) -> None:
    with Memory(address, encoder="hashing:64"):
        pass
    made = json.loads(agentcl("key", "add", "--path", address, "--user", "ada", "--json").stdout)
    assert made["key"].startswith("agentcl-")
    (listed,) = json.loads(agentcl("key", "list", "--path", address, "--json").stdout)
    assert listed["scope"] == {"user": "ada"}
    assert agentcl("key", "remove", made["id"], "--path", address).exit_code == 0
    assert json.loads(agentcl("key", "list", "--path", address, "--json").stdout) == []


@pytest.fixture
def with_pgvector(cluster: "Cluster", filled: str) -> str:
    cluster.execute("CREATE EXTENSION IF NOT EXISTS vector")
    return filled


def kept_vectors(cluster: "Cluster", address: str) -> int:
    """Return how many vectors the index of a memory has in the database."""
    import psycopg

    schema = address.rpartition("schema=")[2]
    with psycopg.connect(cluster.url("postgres")) as link:
        found = link.execute(f"SELECT count(*) FROM {schema}_pgvector.entry_0".encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_machines_share_one_index_of_vectors(
    cluster: "Cluster", with_pgvector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(with_pgvector, index="pgvector") as one, Memory(with_pgvector) as exact:
        for query in ASKED:
            wanted = exact.search(query, mode="dense", user="ada").hits
            found = one.search(query, mode="dense", user="ada").hits
            assert [hit.text for hit in found] == [hit.text for hit in wanted]
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in wanted])
        assert not one.search("ferry", mode="dense", user="bob").hits
        assert kept_vectors(cluster, with_pgvector) == len(TEXTS)
        monkeypatch.setenv("AGENTCL_INDEX", "pgvector")
        with Memory(with_pgvector) as other:  # on another machine
            other.add("The mill is closed on Mondays.", user="ada", metadata={"n": 1})
            (hit,) = other.search("mill", mode="dense", user="ada", filters={"n": 1}).hits
            assert one.search("mill", mode="dense", user="ada", limit=1).hits == (hit,)
            assert one.store.examine().problems == ()
            other.store.reembed("hashing:32")
    with Memory(with_pgvector) as later:
        assert later.search("mill is closed", mode="dense", user="ada").hits[0].text == hit.text
    monkeypatch.delenv("AGENTCL_INDEX")
    with Memory(with_pgvector, read_only=True, index="pgvector") as reader:  # its index is its own
        assert reader.search("mill is closed", mode="dense", user="ada").hits[0].text == hit.text


def test_what_is_forgotten_goes_out_of_an_index_that_nobody_has_open(
    cluster: "Cluster", with_pgvector: str
) -> None:
    with Memory(with_pgvector, index="pgvector") as memory:
        assert memory.search("ferry", mode="dense", user="ada").hits
        noted = memory.add("The mill is closed on Mondays.", user="ada")
        assert memory.search("mill", mode="dense", user="ada").hits
    with Memory(with_pgvector) as memory:
        memory.forget(noted.id, user="ada")
    assert kept_vectors(cluster, with_pgvector) == len(TEXTS)
    with Memory(with_pgvector, index="pgvector") as memory:
        texts = [hit.text for hit in memory.search("mill", mode="dense", user="ada").hits]
        assert sorted(texts) == sorted(TEXTS)
        memory.forget(everything=True, user="ada")
        assert kept_vectors(cluster, with_pgvector) == 0


def test_a_database_without_the_extension_is_told_what_to_do(
    cluster: "Cluster", tmp_path: Path
) -> None:
    cluster.execute("CREATE DATABASE plain OWNER owner")
    place = cluster.url(database="plain")
    with Memory(place, encoder="hashing:64", index="pgvector") as memory:
        memory.add("The ferry leaves at seven.")
        with pytest.raises(ConfigError, match="CREATE EXTENSION vector"):
            memory.search("ferry")
    with Memory(tmp_path, encoder="hashing:64", index="pgvector") as memory:
        memory.add("The ferry leaves at seven.")
        with pytest.raises(ConfigError, match="this memory is a folder"):
            memory.search("ferry")


def test_vectors_of_two_encoders_are_not_mixed(filled: str) -> None:
    with pytest.raises(EncoderMismatch, match="postgresql://"):
        Memory(filled, encoder="hashing:32")


def test_a_settings_file_names_a_server_only_once_it_is_confirmed(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agentcl.toml").write_text(f'path = "{filled}"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotTrusted, match="postgresql://"):
        Memory()
    assert agentcl("trust", ".", "--yes").exit_code == 0
    with Memory() as memory:
        assert memory.search("ferry", user="ada").hits


def test_an_index_that_was_deleted_is_built_again(filled: str) -> None:
    import shutil

    with Memory(filled) as memory:
        folder = memory.path
        assert memory.search("ferry", user="ada", mode="text").hits
    shutil.rmtree(folder)
    with Memory(filled) as memory:
        assert memory.path == folder
        assert memory.search("ferry", user="ada", mode="text").hits
    assert folder.stat().st_mode & 0o077 == 0


def test_without_the_extra_its_install_line_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from agentcl import Memory, MissingExtra\n"
        "try: Memory('postgresql://h/d')\n"
        "except MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())})  # fmt: skip
    assert "pip install 'agentcl[postgres]'" in done.stdout


def test_what_is_no_address_is_said_without_repeating_it() -> None:
    with pytest.raises(ConfigError, match="%40") as caught:
        Memory("postgresql://u:hid/den@h/d")
    assert "hid" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        Memory(f"postgresql://u@/d?host={tmp_path}", busy_timeout_s=0.1)
