"""One damaged row is one damaged row: it is left out and named, and everybody else is served."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path

import pytest

from agentcl import ANY, AgentclError, Document, Memory, StoreCorrupt
from agentcl.lessons import Lesson
from agentcl.retrieval.modes import Mode
from agentcl.statements import RuleDigester
from agentcl.store.records import KINDS, Scope
from agentcl.store.rows import Row
from agentcl.store.sqlite.store import FILE

Damage = Callable[[sqlite3.Connection, str], None]


def metadata_changed(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET metadata = '{{\"x\":1}}' WHERE {where}")


def metadata_broken(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET metadata = '{{' WHERE {where}")


def no_utf8(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET body = CAST(x'7bff' AS TEXT) WHERE {where}")


def time_changed(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET created_at = created_at + 1 WHERE {where}")


def time_is_text(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET created_at = 'soon' WHERE {where}")


def validity_is_text(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(f"UPDATE record SET valid_from = '' WHERE {where}")


def scope_changed(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(
        f"UPDATE record SET scope = (SELECT id FROM scope WHERE tenant = 'B') WHERE {where}"
    )


def vector_changed(connection: sqlite3.Connection, where: str) -> None:
    connection.execute(
        f"UPDATE vector SET data = zeroblob(9) WHERE seq IN (SELECT seq FROM record WHERE {where})"
    )


def resigned(connection: sqlite3.Connection, where: str) -> None:
    """Say something that agentcl would not, with a checksum that fits."""
    found = connection.execute(f"SELECT seq, body FROM record AS r WHERE {where}").fetchall()
    for seq, body in found:
        odd = json.dumps({**json.loads(body), "text": 5})
        connection.execute("UPDATE record SET body = ? WHERE seq = ?", (odd, seq))
        sign(connection, seq)


def sign(connection: sqlite3.Connection, seq: int) -> None:
    """Give a row the checksum that fits it, as far as it can have one."""
    columns = (
        "r.seq, r.id, r.version, r.op, r.kind, s.tenant, s.user, s.agent, s.session, r.created_at,"
        " r.valid_from, r.valid_to, r.key, r.sources, r.body, r.metadata, r.content_hash, r.checksum"
    )
    sql = f"SELECT {columns} FROM record AS r JOIN scope AS s ON s.id = r.scope WHERE r.seq = ?"
    for values in connection.execute(sql, (seq,)).fetchall():
        with suppress(TypeError):
            digest = Row(*values).digest()
            connection.execute("UPDATE record SET checksum = ? WHERE seq = ?", (digest, seq))


DAMAGES: list[Damage] = [
    metadata_changed,
    metadata_broken,
    no_utf8,
    time_changed,
    time_is_text,
    validity_is_text,
    scope_changed,
    vector_changed,
    resigned,
]


def damage(folder: Path, how: Damage, where: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        how(connection, where)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize("mode", ["hybrid", "graph", "dense", "text"])
def test_everybody_else_is_served(
    tmp_path: Path, how: Damage, is_indexed: bool, mode: Mode
) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add("The alpha ferry sails from Tessary.", tenant="A")
        memory.add("The beta ferry sails from Tessary.", tenant="A")
        memory.add("The gamma ferry sails from Tessary.", tenant="B")
        if is_indexed:
            memory.search("ferry", tenant="B", mode=mode)
    damage(tmp_path, how, "kind = 'passage' AND body LIKE '%alpha%'")
    with Memory(tmp_path) as memory:
        theirs = memory.search("ferry sails", tenant="B", mode=mode)
        assert [hit.text.split()[1] for hit in theirs] == ["gamma"]
        recall = memory.search("ferry sails", tenant="A", mode=mode)
        said = {hit.text.split()[1] for hit in recall}
        if how is vector_changed:  # its words are as they were
            assert "beta" in said
        else:
            assert said == {"beta"}
        assert len(memory.list(tenant=ANY)) == 3
        report = memory.store.examine()
        assert not report.is_healthy


@pytest.mark.parametrize("how", [metadata_changed, no_utf8, time_is_text, resigned])
def test_the_search_that_meets_it_says_so(tmp_path: Path, how: Damage) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add("The alpha ferry sails.")
        memory.add("The beta ferry sails.")
    damage(tmp_path, how, "kind = 'passage' AND body LIKE '%alpha%'")
    with Memory(tmp_path) as memory:
        (told,) = memory.search("ferry").damaged
        assert "agentcl doctor" in told or "record" in told
        assert memory.search("ferry", tenant="another").damaged == ()


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("mode", ["hybrid", "graph"])
def test_forgetting_gives_its_receipt_beside_damage(
    tmp_path: Path, how: Damage, mode: Mode
) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add("alpha of A", tenant="A")
        note = memory.add("zwirbelkatz of B", tenant="B")
        memory.search("zwirbelkatz", tenant="B", mode=mode)
    damage(tmp_path, how, "kind = 'passage' AND body LIKE '%alpha%'")
    with Memory(tmp_path) as memory:
        memory.search("zwirbelkatz", tenant="B", mode=mode)
        receipt = memory.forget(note.id, tenant="B")
        assert {"journal", "fulltext"} <= set(receipt.cleared)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"zwirbelkatz" not in file.read_bytes().lower()


def test_what_is_damaged_itself_can_be_forgotten(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        note = memory.add("alpha of A")
        memory.add("beta of A")
    damage(tmp_path, metadata_changed, "body LIKE '%alpha%'")
    with Memory(tmp_path) as memory:
        with pytest.raises(StoreCorrupt, match="checksum"):
            memory.get(note.id)
        assert [d.text for d in memory.list() if isinstance(d, Document)] == ["beta of A"]
        memory.forget(note.id)
        assert memory.store.examine().problems == ()


@pytest.mark.parametrize("kind", ["guidance", "episode", "reflection", "step", "decision"])
@pytest.mark.parametrize("how", [metadata_changed, no_utf8, time_is_text])
def test_learning_goes_on_beside_damage(tmp_path: Path, how: Damage, kind: str) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        for word in ("slow", "full"):
            with memory.episode("t", application="ops") as episode:
                episode.recall(f"a queue is {word}")
                episode.step(f"a queue is {word}", "drain it", "it runs")
                played = episode.finish(1.0)
            told = memory.lessons.reflect(
                [Lesson(f"a queue is {word}", "do", "drain it")], episode=played
            )
        memory.lessons.retire(told.stated[0].guidance)
    first = f"seq = (SELECT min(seq) FROM record WHERE kind = '{kind}')"
    damage(tmp_path, how, first)
    with Memory(tmp_path) as memory:
        assert len(memory.lessons.list()) == 2 - (kind == "guidance")
        with memory.episode("t", application="ops") as episode:
            episode.recall("a queue is full")
            episode.finish(1.0)
        assert len(list(memory.episodes.list())) >= 2
        memory.lessons.why(told.stated[0].guidance)
        assert not memory.store.examine().is_healthy


@pytest.mark.parametrize("kind", ["passage", "fact", "extraction", "document"])
def test_a_row_without_a_field_that_has_a_default_is_read_with_it(
    tmp_path: Path, kind: str
) -> None:
    with Memory(tmp_path / "m", encoder="hashing:64") as memory:
        note = memory.add("The alpha ferry sails to Tessary.", title="Ferries", user="ada")
        (passage,) = memory.store.passages(note.id, user="ada")
        memory.facts.add(passage.id, [("alpha", "sails to", "Tessary")], user="ada")
    with closing(sqlite3.connect(tmp_path / "m" / FILE)) as connection:
        where = f"kind = '{kind}' AND op = 'put'"
        seq, body = connection.execute(f"SELECT seq, body FROM record WHERE {where}").fetchone()
    has_default = {one.name for one in fields(KINDS[kind]) if one.default is not MISSING}
    optional = [name for name in json.loads(body) if name in has_default]
    assert optional
    for name in optional:
        folder = shutil.copytree(tmp_path / "m", tmp_path / name)
        less = {one: value for one, value in json.loads(body).items() if one != name}
        with closing(sqlite3.connect(folder / FILE)) as connection, connection:
            connection.execute("UPDATE record SET body = ? WHERE seq = ?", (json.dumps(less), seq))
            sign(connection, seq)
        with Memory(folder) as memory:
            for mode in MODES:
                (hit,) = memory.search("alpha ferry", mode=mode, user="ada")
                assert hit.text == note.text
            assert memory.graph.view(user="ada").stats().passages == 1
            memory.graph.networkx(user="ada")
            assert passage.id in str(memory.graph.near("alpha", user="ada"))


MODES: tuple[Mode, ...] = ("text", "dense", "hybrid", "graph")
ODD: list[object] = ["soon", b"\xff", -5, 2**63 - 1, 1.5]
RECORD = (
    "id", "version", "kind", "created_at", "valid_from", "valid_to", "key", "sources", "body", "metadata",
    "content_hash", "checksum",
)  # fmt: skip
COUNTER = ("uses", "wins", "losses", "last_used_at", "repeats")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a note of one tenant and some of another, each counted once."""
    folder = tmp_path_factory.mktemp("lived") / "m"
    with Memory(folder, encoder="hashing:16") as memory:
        for tenant, number in [("B", 0), *(("A", n) for n in range(len(ODD)))]:
            note = memory.add(f"A ferry of {tenant} sails, number {number}.", tenant=tenant)
            memory.store.credit(note.id, uses=1, tenant=tenant)
        memory.search("ferry", tenant="B")
    return folder


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("column", RECORD)
def test_a_column_of_another_type_is_damage_of_its_row_alone(
    lived: Path, tmp_path: Path, column: str, is_signed: bool
) -> None:
    def change(connection: sqlite3.Connection, where: str) -> None:
        found = connection.execute(f"SELECT seq FROM record WHERE {where}").fetchall()
        for (seq,), value in zip(found, ODD, strict=True):
            connection.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (value, seq))
            if is_signed:
                sign(connection, seq)

    folder = shutil.copytree(lived, tmp_path / "m")
    damage(folder, change, "kind = 'document' AND body LIKE '%ferry of A%'")
    serve(folder)


@pytest.mark.parametrize("column", COUNTER)
def test_a_count_that_is_none_stands_in_nobodys_way(
    lived: Path, tmp_path: Path, column: str
) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        for (id,), value in zip(
            connection.execute("SELECT id FROM counter").fetchall(), [5, *ODD], strict=True
        ):
            connection.execute(f"UPDATE counter SET {column} = ? WHERE id = ?", (value, id))
    serve(folder)


JOB = (
    "kind", "state", "spec", "tenant", "units", "tokens", "done", "total", "attempts", "error", "created_at",
    "started_at", "ended_at",
)  # fmt: skip


@pytest.mark.parametrize("column", JOB)
def test_a_job_that_cannot_be_read_is_left_out_and_named(
    lived: Path, tmp_path: Path, column: str
) -> None:
    folder = shutil.copytree(lived, tmp_path / "m")
    with Memory(folder, durability="normal") as memory, memory.store.journal.writing() as writing:
        for tenant in ("B", *("A" for _ in ODD)):
            writing.enqueue("extract", {"extractor": "x"}, scope=Scope(tenant))
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        for number, value in enumerate(ODD, start=2):
            connection.execute(
                f"UPDATE OR IGNORE job SET {column} = ? WHERE number = ?", (value, number)
            )
    with Memory(folder, durability="normal") as memory:
        assert len(memory.jobs.list(tenant="B")) == 1
        memory.jobs.list(tenant=ANY)
        told = str(memory.store.examine().problems)
        assert column in ("state", "kind", "tenant", "error") or "job" in told
    serve(folder)


def serve(folder: Path) -> None:
    """Do for one tenant what everybody does, beside the damage of another, who may meet faults of ours alone."""
    with Memory(folder, encoder="hashing:16", durability="normal") as memory:
        (note,) = memory.list(tenant="B")
        assert [hit.text for hit in memory.search("ferry", tenant="B")] == [
            "A ferry of B sails, number 0."
        ]
        memory.store.counters(note.id, tenant="B")
        memory.store.credit(note.id, wins=1, tenant="B")
        for one in ids(folder):
            theirs: list[Callable[[], object]] = [
                partial(memory.get, one, tenant="A"),
                partial(memory.history, one, tenant="A"),
                partial(memory.update, one, text="x", tenant="A"),
                partial(memory.store.credit, one, uses=1, tenant="A"),
            ]
            for act in theirs:
                with suppress(AgentclError):
                    act()
        memory.store.examine()
        memory.store.export(folder.with_suffix(".saved"), salvage=True)
        with suppress(AgentclError):
            memory.store.export(folder.with_suffix(".all"))
        assert memory.forget(note.id, tenant="B").cleared
        with suppress(AgentclError):
            memory.forget(everything=True, tenant="A")
        memory.add("A ferry of C sails.", tenant="C")


def ids(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return [str(id) for (id,) in connection.execute("SELECT DISTINCT id FROM record")]


TIMES = [
    "",
    "soon",
    "2025-03-29T10:00:00",
    "0001-01-01T00:00:00+23:59",
    "2025-03-29T10:00<|00+01:00",
]


@pytest.mark.parametrize(
    ("kind", "field", "odd"),
    [
        *(("turn", "said_at", odd) for odd in TIMES),
        *(("statement", "said_at", odd) for odd in TIMES),
        *(("statement", "since", odd) for odd in ("soon", "2025-02-30", "2025-13", "0000")),
        ("statement", "until", "20250329"),
    ],
)
def test_a_time_that_is_none_is_damage_of_its_row_alone(
    tmp_path: Path, kind: str, field: str, odd: str
) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        for place in ("Oslo", "Bergen"):
            memory.remember([{"role": "user", "content": f"I live in {place}."}], user="ada")
        memory.statements.digest(RuleDigester(), user="ada")
    where = f"kind = '{kind}' AND body LIKE '%Bergen%'"
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        sql = f"SELECT seq, body FROM record WHERE {where}"
        for seq, body in connection.execute(sql).fetchall():
            connection.execute(
                "UPDATE record SET body = ? WHERE seq = ?",
                (json.dumps({**json.loads(body), field: odd}), seq),
            )
            sign(connection, seq)
    with Memory(tmp_path) as memory:
        kept = {getattr(record, "text", "") for record in memory.list(kind=kind, user="ada")}
        assert any("Oslo" in text for text in kept)
        assert not any("Bergen" in text for text in kept)
        assert [hit.text for hit in memory.search("Oslo", user="ada")]
        memory.remember([{"role": "user", "content": "I moved to Turku."}], user="ada")
        memory.statements.digest(RuleDigester(), user="ada")
        assert memory.profile(user="ada")
        assert any(
            "is none that agentcl wrote" in one.message for one in memory.store.examine().problems
        )


@pytest.mark.parametrize(
    "since", ["", "2025", "٢٠٢٥", "2025-03", "2025-03-29", "2025-03-29T10", "2025-03-29T10:00:00Z"]
)
def test_what_may_be_said_of_a_time_is_no_damage(tmp_path: Path, since: str) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.statements.add("user", "home", "Oslo", since=since, user="ada")
        (held,) = memory.statements.list(user="ada", all=True)
        assert held.since == since
        assert memory.store.examine().is_healthy
