"""A memory is copied between folders and databases, exactly."""

import hashlib
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import InvalidInput, StoreCorrupt
from agentcl.memory.compressed.carrying import BankCopy
from agentcl.memory.compressed.compressing import place_of as place_of_row
from agentcl.store.backends import Place, copy_store, open_store, place_of
from agentcl.store.base import Store
from agentcl.store.sql.mirroring import Mirroring
from agentcl.store.sqlite.store import FILE, SqliteStore
from agentcl.testing.store import EVERYBODY
from tests.hashed_codec import HashedCodec


@pytest.fixture(params=["folder to folder", "folder to database", "database to folder"])
def ways(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Place]:
    """Two empty places."""
    kinds = request.param.split(" to ")
    made: dict[str, Place] = {}
    for name, kind in zip(("one", "other"), kinds, strict=True):
        if kind == "folder":
            made[name] = tmp_path / name
        else:
            cluster = request.getfixturevalue("cluster")
            schema = "t" + hashlib.md5(f"{tmp_path}{name}".encode()).hexdigest()
            made[name] = place_of(cluster.url(schema=schema))
    return made


def fill(place: Place) -> None:
    """Let a memory hold something of each kind, with a past."""
    with Memory(place, encoder="hashing:16") as memory:
        one = memory.add("The ferry to Tessary leaves at seven.", uri="a", user="ada")
        memory.update(one.id, text="The ferry leaves at eight.", user="ada")
        memory.delete(memory.add("gone", tenant="acme").id, tenant="acme")
        memory.forget(memory.add("forgotten").id)
        memory.remember([{"role": "user", "content": "I moved to Leuven."}], session="s")
        memory.add("The ferry to Tessary leaves at seven.", user="bob", vector=[1.0] * 16)
        with memory.episode("take the ferry") as episode:
            episode.finish(1.0)
        memory.lessons.add("When the sea is rough, take the train.")
        memory.store.credit(one.id, uses=2, wins=1, user="ada")
        memory.jobs.enqueue("reembed", {"encoder": "hashing:16"})
        memory.search("ferry", user="ada")


def state(store: Store) -> dict[str, Any]:
    """Return all that a store holds but for its name."""
    rows = list(store.since(0))
    seqs = [row.seq for row in rows]
    return {
        "rows": rows,
        "vectors": store.given_vectors(seqs),
        "encodings": store.encodings([row.content_hash for row in rows if row.content_hash]),
        "derived": store.with_derived([row.id for row in rows]),
        "counters": {row.id: store.counters(row.id) for row in rows},
        "jobs": store.jobs(view=EVERYBODY),
        "copies": store.copies(),
        "encoder": (store.encoder(), store.epoch(), store.meta("clock")),
    }


def state_of(place: Place) -> dict[str, Any]:
    with closing(open_store(place, read_only=True)) as store:
        return state(store)


def test_a_copy_holds_all_that_its_source_holds_and_goes_on_by_itself(
    ways: dict[str, Place],
) -> None:
    fill(ways["one"])
    before = state_of(ways["one"])
    assert copy_store(ways["one"], ways["other"]) == len(before["rows"])
    assert state_of(ways["other"]) == before
    with Memory(ways["one"]) as one, Memory(ways["other"]) as other:
        asked = "when does the ferry leave?"
        found = [memory.search(asked, user="ada").hits for memory in (one, other)]
        scored = [[(hit.id, hit.score) for hit in hits] for hits in found]
        assert scored[0] == scored[1] != []
        assert one.store.journal.meta("id") != other.store.journal.meta("id")
        other.add("of the copy alone", user="ada")
        assert other.store.examine().problems == ()
        assert other.search("of the copy alone", user="ada").hits
    assert state_of(ways["one"]) == before


def test_what_was_cut_off_goes_on_where_it_was(
    ways: dict[str, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcl.store.sql.mirroring._BATCH", 3)
    fill(ways["one"])

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    done = 0
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            copy_store(ways["one"], ways["other"], stop)
        done += 3
        with closing(open_store(ways["other"])) as store:
            assert len(list(store.since(0))) == done
    with Memory(ways["one"]) as memory:  # meanwhile the source changes
        (document, *_) = memory.list(user="ada")
        memory.forget(document.id, user="ada")
    copy_store(ways["one"], ways["other"])
    assert state_of(ways["other"]) == state_of(ways["one"])
    with closing(open_store(ways["other"])) as store:
        assert list(store.faults()) == []


def test_a_place_that_holds_anything_is_not_copied_into(ways: dict[str, Place]) -> None:
    fill(ways["one"])
    copy_store(ways["one"], ways["other"])
    before = state_of(ways["other"])
    with pytest.raises(InvalidInput, match="holds a memory already"):
        copy_store(ways["one"], ways["other"])
    assert state_of(ways["other"]) == before


def test_a_copy_that_was_begun_is_not_mixed_with_another_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcl.store.sql.mirroring._BATCH", 3)
    for name in ("one", "two"):
        fill(tmp_path / name)
    (tmp_path / "copy").mkdir()
    with (
        closing(SqliteStore(tmp_path / "one")) as one,
        closing(SqliteStore(tmp_path / "copy")) as copy,
    ):
        Mirroring(one, copy)._append(list(one.since(0))[:3])
    with pytest.raises(InvalidInput, match="copied from elsewhere"):
        copy_store(tmp_path / "two", tmp_path / "copy")


def test_a_damaged_row_is_not_copied(tmp_path: Path) -> None:
    fill(tmp_path / "one")
    with closing(sqlite3.connect(tmp_path / "one" / FILE)) as file, file:
        file.execute("UPDATE record SET body = '{}' WHERE seq = 2")
    with pytest.raises(StoreCorrupt, match="checksum"):
        copy_store(tmp_path / "one", tmp_path / "other")


def test_the_command_copies_and_says_so(ways: dict[str, Place]) -> None:
    fill(ways["one"])
    asked = [str(ways[name]) for name in ("one", "other")]  # no password is asked for here
    done = CliRunner().invoke(main, ["copy", *asked])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "rows copied to" in done.stdout
    assert state_of(ways["other"]) == state_of(ways["one"])
    again = CliRunner().invoke(main, ["copy", *asked])
    assert again.exit_code == 1
    assert "holds a memory already" in again.stderr
    none = CliRunner().invoke(main, ["copy", "nowhere", "other"])
    assert "no memory at nowhere" in none.stderr
    assert not Path("other").exists()


def compressed(place: Place, *, count: int = 3) -> HashedCodec:
    """Let a memory hold soft tokens of passages."""
    codec = HashedCodec()
    with Memory(place, encoder="hashing:16") as memory:
        memory.add_many([f"Passage {n}: {' '.join(f'w{n}{k}' for k in range(12))}" for n in range(count)])  # fmt: skip
        memory.compressed.compress(codec)
    return codec


def soft(place: Place) -> dict[str, list[list[float]]]:
    """Return the soft tokens that a memory shows, by passage; what is damaged is left out."""
    with Memory(place) as memory:
        bank = memory._opened.bank()
        assert bank is not None
        found = {}
        for one in memory.compressed.list():
            with suppress(StoreCorrupt):
                found[one.passage_id] = bank.read(place_of_row(one)).tolist()
        return found


def test_soft_tokens_go_along_checked(ways: dict[str, Place]) -> None:
    codec = compressed(ways["one"])
    before = soft(ways["one"])
    done = CliRunner().invoke(main, ["copy", str(ways["one"]), str(ways["other"])])
    assert "soft tokens of 3 passages" in done.stdout, done.output
    assert soft(ways["other"]) == before
    assert len(before) == 3
    with Memory(ways["other"]) as other:
        assert other.store.examine().problems == ()
        assert other.compressed.compress(codec).compressed == 0


def test_what_is_damaged_is_named_and_not_copied(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    codec = compressed(one)
    (shard,) = (one / "indexes" / "compressed").glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1  # in the last row
    shard.write_bytes(content)
    done = CliRunner().invoke(main, ["copy", str(one), str(other)])
    assert "soft tokens of 2 passages" in done.stdout
    assert "soft tokens of 1 passages are missing or damaged" in done.stderr
    assert len(soft(other)) == 2
    with Memory(other) as memory:
        assert memory.compressed.compress(codec).compressed == 1
    shard.unlink()
    gone = CliRunner().invoke(main, ["copy", str(one), str(tmp_path / "third")])
    assert "soft tokens of 3 passages are missing or damaged" in gone.stderr


def test_soft_tokens_that_were_cut_off_go_on_and_what_was_forgotten_is_not_there(
    tmp_path: Path,
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    compressed(one)
    bank = BankCopy()

    def cut(source: Store, target: Store) -> None:
        bank(source, target)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(one, other, beside=cut)
    assert bank.copied == 3
    with Memory(one) as memory:
        gone = memory.list(kind="document")[0]
        held = memory.compressed.list()[0]
        memory.forget(gone.id)
    (shard,) = (other / "indexes" / "compressed").glob("*.safetensors")
    assert held.shard == shard.name
    again = BankCopy()
    copy_store(one, other, beside=again)
    assert (again.copied, again.lost) == (2, 0)
    assert shard.read_bytes() == (one / "indexes" / "compressed" / shard.name).read_bytes()
    assert len(soft(other)) == 2
