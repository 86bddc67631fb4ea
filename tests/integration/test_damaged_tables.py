"""What stands beside the rows of a journal may hold anything: nobody but who it is about meets it."""

import json
import math
import shutil
import sqlite3
import struct
import zlib
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentcl import AgentclError, Memory
from agentcl.cli.main import main
from agentcl.retrieval.encoders.hashing import HashingEncoder
from agentcl.retrieval.modes import Mode
from agentcl.statements import RuleDigester
from agentcl.store.sqlite.store import FILE
from tests.integration.test_damaged_rows import MODES, lived, serve

__all__ = ["lived"]
VALUES: list[object] = [
    "soon", b"\xff", -5, 2**63 - 1, math.inf, "NaN", "[5]", '{"name": 5, "dim": "x"}', "[" * 100_000, "9" * 10_000, "\0",
]  # fmt: skip
FEW: list[object] = ["soon", b"\xff", -5, 2**63 - 1, "[" * 100_000]
SINGULAR = {  # what the whole folder has once, with what is wrong in it
    "encoder": VALUES, "epoch": VALUES, "id": VALUES, "clock": VALUES, "encoder_next": VALUES, "encoder_probe": VALUES,
    "erasure_due-x": VALUES, "anything": VALUES,
}  # fmt: skip


def change(folder: Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute(sql, parameters)


def told(folder: Path) -> str:
    """Return what the doctor finds wrong."""
    with Memory(folder, encoder="hashing:16", durability="normal") as memory:
        return "\n".join(problem.message for problem in memory.store.examine().problems)


def live(folder: Path) -> None:
    """Do what everybody does; faults of ours alone are met."""
    with (
        suppress(AgentclError),
        Memory(folder, encoder="hashing:16", durability="normal") as memory,
    ):
        for act in (
            lambda: memory.search("ferry", tenant="B"),
            lambda: memory.search("ferry", tenant="B", mode="graph"),
            lambda: memory.add("A ferry of B again.", tenant="B"),
            lambda: memory.store.stats(),
            lambda: memory.store.reembed("hashing:32"),
            lambda: memory.lessons.state("B"),
            lambda: memory.store.export(folder.with_suffix(".jsonl"), salvage=True),
            lambda: memory.forget(everything=True, tenant="A"),
            lambda: memory.store.examine(),
        ):
            with suppress(AgentclError):
                act()


@pytest.mark.parametrize("key", SINGULAR)
def test_a_setting_of_the_folder_that_is_none_ends_in_faults_of_ours(
    lived: Path, tmp_path: Path, key: str
) -> None:
    for number, value in enumerate(SINGULAR[key]):
        folder = shutil.copytree(lived, tmp_path / str(number))
        change(folder, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
        live(folder)
        if value in FEW and key in ("clock", "encoder_next", "encoder_probe", "erasure_due-x"):
            folder = shutil.copytree(lived, tmp_path / f"{number} served")
            change(folder, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
            serve(folder)


@pytest.mark.parametrize("value", ["{", "[5]", b"\xff", '{"x": 1}', "soon"])
def test_a_note_of_what_is_to_be_forgotten_that_cannot_be_read_is_named(
    lived: Path, tmp_path: Path, value: object
) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    change(folder, "INSERT INTO meta VALUES ('erasure_due-x', ?)", value)
    assert "erasure_due-x" in told(folder)
    serve(folder)
    assert "erasure_due-x" in told(folder)


@pytest.mark.parametrize("key", ["encoder", "epoch"])
def test_a_setting_that_cannot_be_read_is_named(lived: Path, tmp_path: Path, key: str) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    change(folder, "INSERT OR REPLACE INTO meta VALUES (?, '{')", key)
    ran = CliRunner().invoke(main, ["doctor", "--path", str(folder)])
    assert ran.exit_code not in (0, None)
    assert {"encoder": "what its vectors are of", "epoch": "an epoch that is none"}[
        key
    ] in ran.output


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("scope", one) for one in ("tenant", "user", "agent", "session")),
        *(("source", one) for one in ("source_id", "record_id")),
        *(("copy", one) for one in ("path", "what", "made_at")),
        *(("counter", one) for one in ("id", "uses", "last_used_at")),
        *(("vector", one) for one in ("given", "crc", "data")),
        *(("vector_next", one) for one in ("given", "crc", "data")),
    ],
)
def test_an_odd_value_in_any_table_stands_in_nobodys_way(
    lived: Path, tmp_path: Path, table: str, column: str
) -> None:
    of_a = {
        "scope": "tenant = 'A'",
        "source": "record_id IN (SELECT r.id FROM record r JOIN scope s ON s.id = r.scope AND s.tenant = 'A')",
        "counter": "id IN (SELECT r.id FROM record r JOIN scope s ON s.id = r.scope AND s.tenant = 'A')",
        "vector": "seq IN (SELECT seq FROM record r JOIN scope s ON s.id = r.scope AND s.tenant = 'A')",
        "vector_next": "1",
        "copy": "1",
    }[table]
    for number, value in enumerate(FEW):
        folder = shutil.copytree(lived, tmp_path / str(number))
        change(folder, "INSERT INTO copy VALUES ('there', 'export', 5)")
        change(folder, "INSERT INTO vector_next SELECT * FROM vector")
        change(folder, f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {of_a}", value)
        serve(folder)
        told(folder)


@pytest.mark.parametrize("number", ["soon", None, -5, 0, b"\xff", 3])
def test_a_count_of_rows_that_is_none_keeps_nobody_from_writing(
    lived: Path, tmp_path: Path, number: object
) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    change(folder, "UPDATE sqlite_sequence SET seq = ?", number)
    serve(folder)
    with Memory(folder, durability="normal") as memory:
        memory.add_many(["one", "two"], tenant="C")
        assert memory.store.examine().problems == ()


def damaged_vectors() -> dict[str, bytes]:
    """Return vectors that none is, each with a checksum that may fit."""
    return {
        "nan": struct.pack("<16f", *[math.nan] * 16), "infinite": struct.pack("<16f", *[math.inf] * 16),
        "nothing": bytes(64), "short": bytes(12), "empty": b"",
    }  # fmt: skip


@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("what", damaged_vectors())
def test_a_vector_that_is_none_is_nobody_elses(
    lived: Path, tmp_path: Path, what: str, is_signed: bool
) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    made = damaged_vectors()[what]
    crc = zlib.crc32(made) ^ (not is_signed)
    text = "A ferry of A sails, number 0."
    where = "seq IN (SELECT seq FROM record WHERE kind = 'passage' AND body LIKE ?)"
    change(folder, f"UPDATE vector SET data = ?, crc = ? WHERE {where}", made, crc, f"%{text}%")
    with Memory(folder, encoder="hashing:16", durability="normal") as memory:
        for mode in MODES:
            found = memory.search("A ferry of B sails", tenant="B", mode=mode)
            assert [hit.text for hit in found] == ["A ferry of B sails, number 0."]
            assert all(math.isfinite(hit.score) for hit in found)
        assert len(found_of(memory, "A", "text")) == 5
        memory.add(text, tenant="C")  # its vector is not that of A's text
        for mode in MODES:
            (hit,) = memory.search(text, tenant="C", mode=mode)
            assert math.isfinite(hit.score)
            if mode == "dense":
                assert hit.score == pytest.approx(1.0, abs=1e-3)
    assert "vector" in told(folder)


def found_of(memory: Memory, tenant: str, mode: Mode) -> list[str]:
    return [hit.text for hit in memory.search("ferry sails", tenant=tenant, mode=mode)]


@pytest.mark.parametrize("column", ["uses", "wins", "losses", "last_used_at", "repeats"])
def test_a_count_that_is_none_is_named(lived: Path, tmp_path: Path, column: str) -> None:
    for number, value in enumerate(["soon", b"\xff", -5, 1.5]):
        folder = shutil.copytree(lived, tmp_path / str(number))
        ((id,),) = rows(folder, "SELECT id FROM counter LIMIT 1")
        change(folder, f"UPDATE counter SET {column} = ? WHERE id = ?", value, id)
        assert str(id) in told(folder)


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute(sql).fetchall()


def test_a_healthy_folder_has_no_problems(lived: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    assert told(folder) == ""
    assert json.loads(str(rows(folder, "SELECT value FROM meta WHERE key = 'encoder'")[0][0]))


class Meaning(HashingEncoder):
    """An encoder that says of itself that it compares meaning."""

    is_lexical = False


def test_a_statement_with_a_damaged_vector_is_found_by_its_words(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder=Meaning(16), durability="normal") as memory:
        memory.remember(
            [{"role": "user", "content": "I live in Gent. I'm allergic to nuts."}], user="ada"
        )
        ada = memory.scoped(user="ada")
        ada.statements.digest(RuleDigester())
        assert len(ada.statements.list()) == 2
        change(
            tmp_path / "m",
            "UPDATE vector SET crc = 0 WHERE seq IN (SELECT seq FROM record WHERE kind = 'statement' AND body LIKE ?)",
            "%Gent%",
        )
        for question, word in (("Gent", "Gent"), ("allergic to nuts", "nuts")):
            assert word in ada.statements.search(question)[0].statement.text
