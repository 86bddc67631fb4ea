"""Identifiers are looked up as they stand: the passage that holds the one asked for comes first."""

import sqlite3
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.retrieval.modes import Mode

TEXTS = {
    "reset": "Incident 41: ERR_CONN_RESET was raised by the gateway.",
    "conn": "What about ERR_RESET_CONN? An err on conn: reset the router, reset the conn, then reset it.",
    "may": "The council met on 2024-05-03 at noon for its long session.",
    "march": "The council met on 2024-03-05.",
    "1.10": "Release 1.10 of tidelib removes the harbour table, which some had asked for.",
    "1.1": "Release 1.1 of tidelib.",
    "1.1.0": "Release 1.1.0 of tidelib, release by release.",
    "10": "Address 10.0.0.1 is the printer, as everybody in the house knows by now.",
    "101": "Address 10.0.0.101, address 1.0.0.10.",
    "by": "getUserById returns the account record.",
    "name": "getUserByName returns the id of the user by its name.",
    "snake": "get_user_by_id is its older spelling, and get user by id how it is said.",
    "part": "AB-1203 is a valve.",
    "longer": "AB-1203-X is a valve, part AB-1203-X of AB.",
    "plain": "Number 1203 was called while everybody was waiting in the long hall.",
    "flag": "Use --dry-run to see what would happen before anything is written.",
    "no": "Use --no-dry-run, or a dry run.",
    "cpp": "The C++ build, and no other build of it, took nine minutes.",
    "c": "The C build, the C# build.",
}
ASKED = [
    ("ERR_CONN_RESET", "reset"),
    ("what about ERR_CONN_RESET?", "reset"),
    ("2024-05-03", "may"),
    ("When did they meet, 2024-05-03?", "may"),
    ("5 March 2024", "march"),
    ("release 1.10", "1.10"),
    ("release 1.1", "1.1"),
    ("1.1", "1.1"),
    ("address 10.0.0.1", "10"),
    ("getUserById", "by"),
    ("get_user_by_id", "snake"),
    ("AB-1203", "part"),
    ("1203", "plain"),
    ("how to use --dry-run", "flag"),
    ("C++ build", "cpp"),
]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    memory = Memory(tmp_path_factory.mktemp("identifiers") / "memory", encoder="hashing")
    memory.add_many(TEXTS.values())
    return memory


@pytest.mark.parametrize("mode", ["text", "hybrid", "graph"])
@pytest.mark.parametrize(("query", "wanted"), ASKED)
def test_the_exact_one_comes_first(memory: Memory, query: str, wanted: str, mode: Mode) -> None:
    hit = memory.search(query, limit=1, mode=mode).hits[0]
    assert hit.text == TEXTS[wanted]
    assert "identifiers" in hit.why()


@pytest.mark.parametrize(("query", "wanted"), [("user by id", "by"), ("getuserbyid", "by")])
def test_names_of_code_are_found_by_their_parts(memory: Memory, query: str, wanted: str) -> None:
    found = [hit.text for hit in memory.search(query, limit=3, mode="text").hits]
    assert TEXTS[wanted] in found


def test_a_scope_sees_its_own_identifiers_alone(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add("Ada's router is 10.0.0.7.", user="ada")
        memory.add("Bo's routers are 10.0.0.8 and 10.0.0.9.", user="bo")
        assert [hit.text for hit in memory.search("10.0.0.8", user="ada").hits] == [
            "Ada's router is 10.0.0.7."
        ]


def test_an_index_made_before_identifiers_were_known_is_made_anew(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add_many(TEXTS.values())
        memory.search("anything")
    with sqlite3.connect(tmp_path / "memory/indexes/fulltext/fulltext.db") as file:
        file.execute("DROP TABLE identifier")
        file.execute("PRAGMA user_version = 2")
    file.close()
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        assert memory.search("AB-1203").hits[0].text == TEXTS["part"]


def test_nothing_of_a_forgotten_identifier_is_kept(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add(TEXTS["part"])
        kept = memory.add(TEXTS["10"])
        memory.search("AB-1203")
        memory.forget(memory.search("AB-1203").hits[0].document_id)
        assert [hit.document_id for hit in memory.search("AB-1203 10.0.0.1").hits] == [kept.id]
    with sqlite3.connect(tmp_path / "memory/indexes/fulltext/fulltext.db") as file:
        assert file.execute("SELECT count(DISTINCT seq) FROM identifier").fetchone() == (1,)
    file.close()
