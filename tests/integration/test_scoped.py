"""A handle that is bound to a scope: the same verbs and rooms, nothing repeated, nothing widened."""

import asyncio
import inspect
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentcl import (
    ANY,
    Agent,
    AsyncMemory,
    InvalidInput,
    Lesson,
    Memory,
    NotFound,
    TransferError,
)
from agentcl.memory.facts.extraction import ModelExtractor
from agentcl.models import ScriptedModel
from agentcl.statements import RuleDigester
from tests.hashed_codec import HashedCodec


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def test_a_handle_names_its_scope_in_every_verb(memory: Memory) -> None:
    ada = memory.scoped(user="ada")
    noted = ada.add("Ada is allergic to nuts.", uri="notes/1")
    assert noted.scope.user == "ada"
    assert ada.get(noted.id) == ada.get(uri="notes/1") == noted
    assert ada.update(noted.id, title="Allergies").version == 2
    assert [hit.document_id for hit in ada.search("nuts")] == [noted.id]
    assert [record.id for record in ada.list()] == [noted.id]
    assert len(ada.history(noted.id)) == 2
    ada.delete(noted.id)
    assert ada.forget(noted.id).removed[0].id == noted.id


def test_a_handle_tells_its_scope(memory: Memory) -> None:
    assert memory.scope == {}
    ada = memory.scoped(tenant="acme").scoped(user="ada")
    assert ada.scope == {"tenant": "acme", "user": "ada"}
    ada.scope["user"] = "bob"
    assert ada.scope == {"tenant": "acme", "user": "ada"}


def test_what_a_handle_wrote_others_do_not_see(memory: Memory) -> None:
    ada, bob = memory.scoped(user="ada"), memory.scoped(user="bob")
    noted = ada.add("Ada is allergic to nuts.")
    shared = memory.add("Nuts are sold on the square.")
    assert [hit.document_id for hit in bob.search("nuts")] == [shared.id]
    assert {hit.document_id for hit in ada.search("nuts")} == {noted.id, shared.id}
    with pytest.raises(NotFound):
        bob.get(noted.id)
    with pytest.raises(NotFound, match="does not belong"):
        bob.delete(shared.id)


def test_a_handle_can_be_narrowed_and_never_widened(memory: Memory) -> None:
    acme = memory.scoped(tenant="acme")
    ada = acme.scoped(user="ada")
    assert ada.add("x", session="s1").scope.session == "s1"
    assert ada.add("y", tenant="acme", user="ada").scope.user == "ada"
    for wider in ({"user": "bob"}, {"tenant": "other"}, {"user": ANY}):
        with pytest.raises(InvalidInput, match="bound to"):
            ada.search("x", **wider)
    with pytest.raises(InvalidInput, match="bound to"):
        ada.scoped(user="bob")
    with pytest.raises(InvalidInput, match="bound to"):
        ada.forget(everything=True, tenant="other")
    with pytest.raises(InvalidInput, match="ANY"):
        memory.scoped(user=ANY)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="user"):
        memory.scoped(usr="ada")  # type: ignore[call-arg]


def test_forgetting_everything_takes_what_the_handle_names(memory: Memory) -> None:
    ada = memory.scoped(user="ada")
    ada.add("hers")
    kept = memory.add("everybody's")
    ada.forget(everything=True)
    assert [record.id for record in memory.list(user=ANY)] == [kept.id]


def test_rooms_are_bound_too(memory: Memory) -> None:
    ada = memory.scoped(user="ada")
    noted = ada.add("Ada lives in Tessary.")
    assert ada.facts.add(noted.id, [("Ada", "lives in", "Tessary")]) == 1
    assert ada.graph.stats().facts == 1
    assert memory.graph.stats().facts == 0
    said = ada.remember(["I moved to Oslo.", "It rains."], session="s")
    assert {turn.scope.user for turn in said.turns} == {"ada"}
    assert [one.key for one in ada.conversations.list()] == ["s"]
    assert ada.conversations.get(session="s").id == said.conversation
    assert ada.conversations.turns(session="s") == [*said.turns]
    assert len(ada.conversations.around(said.turns[0].id)) == 2
    assert memory.conversations.list() == []
    assert "Oslo" in ada.context("Where is Oslo?").text
    assert memory.context("Where is Oslo?").text == ""
    assert ada.profile().text == ""
    told = ada.lessons.add("When a queue is slow, drain it.")
    assert told.scope.user == "ada"
    assert [one.guidance.id for one in ada.lessons.list()] == [told.id]
    assert memory.lessons.list() == []
    with ada.episode("clear it") as episode:
        episode.finish(1.0)
    assert [one.scope.user for one in ada.episodes.list()] == ["ada"]
    assert list(memory.episodes.list()) == []
    assert ada.store.stats().records["document"] == 1
    bob = memory.scoped(user="bob").store
    assert (bob.stats().records, bob.stats().indexes, bob.stats().bytes) == ({}, (), {})
    with pytest.raises(InvalidInput, match="examination"):
        bob.examine()


def test_a_handle_is_woken_by_what_its_scope_sees(memory: Memory) -> None:
    ada = memory.scoped(user="ada")
    hers = ada.add("hers")
    seen = memory.store.wait(timeout_s=0)
    assert ada.store.wait(0) == seen == memory.store.wait(0)
    his = memory.add("his", user="bob")
    assert memory.store.wait(seen) > seen
    assert memory.store.wait(seen, user="bob") > seen
    last = ada.store.wait(seen, timeout_s=0)
    assert last == memory.store.wait(last, timeout_s=0)
    writing = threading.Thread(
        target=lambda: (memory.delete(his.id, user="bob"), ada.delete(hers.id))
    )
    writing.start()
    woken = ada.store.wait(last, timeout_s=600)
    writing.join()
    (row,) = memory.store.journal.rows([woken]).values()
    assert row.id != his.id
    for wrong in (-1.0, float("nan"), float("inf"), "1"):
        with pytest.raises(InvalidInput, match="timeout_s"):
            memory.store.wait(timeout_s=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="after"):
        memory.store.wait(-1)


def test_a_handle_learns_from_no_others_episode(memory: Memory) -> None:
    with memory.episode("clear it", user="bob") as episode:
        episode.finish(0.0)
    lessons = [Lesson("a queue is slow", "do", "drain it")]
    ada = memory.scoped(user="ada")
    with pytest.raises(InvalidInput, match="belongs to"):
        ada.lessons.reflect(lessons, episode=episode.record)
    with pytest.raises(InvalidInput, match="belongs to"):
        ada.lessons.reflect(lessons, episode=episode.record, user="ada")


def test_a_sentence_may_lack_its_full_stop(memory: Memory) -> None:
    told = memory.lessons.add("When a queue is slow, drain it")
    assert memory.lessons.add("When a queue is slow, drain it.") == told
    with pytest.raises(InvalidInput, match="is no lesson"):
        memory.lessons.add("Drain slow queues.")


def test_what_concerns_everybody_is_not_done_through_a_handle(
    memory: Memory, tmp_path: Path
) -> None:
    ada = memory.scoped(tenant="acme", user="ada")
    since = ada.add("x").created_at
    for act in (
        lambda: ada.store.snapshot(tmp_path / "copy"),
        lambda: ada.store.reembed("hashing:64"),
        lambda: ada.lessons.rollback(since),
    ):
        with pytest.raises(InvalidInput, match="reaches beyond"):
            act()
    assert not (tmp_path / "copy").exists()
    assert memory.scoped(tenant="acme").lessons.rollback(since).scope.tenant == "acme"


def test_closing_a_handle_closes_nothing(memory: Memory) -> None:
    with memory.scoped(user="ada") as ada:
        ada.add("x")
    assert len(memory.list(user="ada")) == 1
    assert repr(memory.scoped(user="ada")).endswith("user='ada': 1 document, hashing)")


def test_a_representation_is_one_line_whatever_the_state(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m", encoder="hashing")
    assert repr(memory) == f"Memory({str(tmp_path / 'm')!r}: 0 documents, hashing)"
    memory.add("x")
    assert repr(memory).endswith(": 1 document, hashing)")
    awaited = AsyncMemory(tmp_path / "m").scoped(user="ada")
    assert repr(awaited) == f"Async{awaited.memory!r}"
    memory.close()
    assert repr(memory).endswith(": closed)")


# What each verb that takes a scope needs beside it, by room; "" is the memory itself.
NEEDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "": {
        "add": ("text",), "add_many": (["text"],), "update": ("id",), "move": ("a", "b"), "sync": (".",),
        "delete": ("id",), "forget": ("id",), "search": ("words",), "get": ("id",), "list": (),
        "history": ("id",), "scoped": (), "remember": ("x",), "context": ("x",), "profile": (),
    },
    "conversations": {"list": (), "get": (), "turns": (), "around": ("id",), "correct": ("id", "a")},
    "facts": {
        "add": ("id", [("a", "b", "c")]), "import_": ("no such file",),
        "extract": (ModelExtractor(ScriptedModel([])),), "state": ("model:x",),
    },
    "graph": {
        "view": (), "stats": (), "near": ("a",), "path": ("a", "b"), "networkx": (),
        "export": ("x.json",), "draw": ("x.svg",),
    },
    "aliases": {"add": ("a", "b"), "list": (), "names": ("a",), "remove": ("a", "b")},
    "episodes": {
        "begin": ("task",), "each_call": (), "score": ("id", 1.0), "list": (), "steps": ("id",),
        "replay": ("id",), "search": ("words",), "skills": (),
    },
    "lessons": {
        "add": ("When a, b.",), "retire": ("id",), "restore": ("id",),
        "rollback": (datetime(2026, 1, 1, tzinfo=UTC),), "list": (), "get": ("id",), "why": ("id",),
        "changed": (datetime(2026, 1, 1, tzinfo=UTC),), "export": ("x.md",), "import_": ("x.md",),
        "adopt": (None,), "reflect": ([],), "outlook": (), "changes": (), "matching": ("a",), "why_not": ("id", "a"),
        "report": ("id", "a", True),
    },
    "statements": {
        "add": ("user", "home", "Gent"), "digest": (RuleDigester(),), "tidy": (), "summaries": (), "list": (), "get": ("id",),
        "history": ("user / home",), "why": ("id",), "search": ("words",), "contradictions": (),
        "proposals": (), "accept": ("id",), "refuse": ("id",), "undo": ("id",), "settle": (),
    },
    "compressed": {
        "compress": (HashedCodec(),), "state": (), "list": (), "get": ("id",), "explain": ("id",),
    },
    "adapters": {"list": (), "answering": (), "allows": ("a",), "rollback": (), "settle": ()},
    "store": {
        "stats": (), "export": ("x.jsonl",), "import_": ("x.jsonl",), "passages": ("id",), "credit": ("id",), "page": (),
        "counters": ("id",), "wait": (),
    },
    "jobs": {"list": (), "price": ("extract", {}), "enqueue": ("extract", {})},
}  # fmt: skip


def scoped_verbs(room: object) -> set[str]:
    """Return the verbs of a room that take a scope."""
    return {
        name
        for name, verb in inspect.getmembers(type(room), inspect.isfunction)
        if not name.startswith("_") and "scope" in inspect.signature(verb).parameters
    }


@pytest.mark.parametrize("name", NEEDS)
def test_nobody_is_refused_by_every_verb_and_never_everybody(
    memory: Memory, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    memory.add("shared")
    before = memory.store.journal.last_seq()
    for handle in (memory, memory.scoped(tenant="acme"), memory.scoped(user="ada")):
        room = getattr(handle, name) if name else handle
        assert scoped_verbs(room) == set(NEEDS[name])
        for verb, needed in NEEDS[name].items():
            for field in ("tenant", "user", "agent", "session"):
                with pytest.raises(InvalidInput, match=f"{field}=None .* leave {field} out"):
                    getattr(room, verb)(*needed, **{field: None})
    assert memory.store.journal.last_seq() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_nobody_is_refused_where_a_scope_comes_in_otherwise(memory: Memory, tmp_path: Path) -> None:
    nobody: Any = {"user": None}
    with pytest.raises(InvalidInput, match="leave user out"):
        memory.episode("task", **nobody)
    with pytest.raises(InvalidInput, match="leave user out"):
        Agent(memory, ScriptedModel([]), **nobody)  # type: ignore[arg-type]  # it is not asked
    with pytest.raises(InvalidInput, match="leave user out"):
        memory.forget(everything=True, **nobody)
    for state in (memory.lessons.state, memory.scoped(user="ada").lessons.state):
        with pytest.raises(InvalidInput, match="leave tenant out"):
            state(None)  # type: ignore[arg-type]

    async def awaited() -> None:
        async with AsyncMemory(tmp_path / "a", encoder="hashing") as other:
            for call in (
                lambda: other.add("x", **nobody),
                lambda: other.search("x", **nobody),
                lambda: other.facts.state("model:x", **nobody),
                lambda: other.episode("task", **nobody).__aenter__(),
                lambda: other.episodes.list(**nobody),
            ):
                with pytest.raises(InvalidInput, match="leave user out"):
                    await call()
            with pytest.raises(InvalidInput, match="leave user out"):
                other.scoped(**nobody)
            assert await other.list(user=ANY) == []

    asyncio.run(awaited())


def test_an_export_that_names_nobody_is_not_imported(memory: Memory, tmp_path: Path) -> None:
    memory.add("hers", user="ada")
    memory.store.export(tmp_path / "x.jsonl")
    head, first, *rest = (tmp_path / "x.jsonl").read_text().splitlines()
    row = json.loads(first)
    row["scope"]["user"] = None
    changed = [head, json.dumps(row), *rest]
    (tmp_path / "y.jsonl").write_text("".join(f"{line}\n" for line in changed))
    with (
        Memory(tmp_path / "other", encoder="hashing") as other,
        pytest.raises(TransferError, match="user=None names nobody"),
    ):
        other.store.import_(tmp_path / "y.jsonl")


def test_forgetting_everything_of_anybody_is_refused(memory: Memory) -> None:
    memory.add("hers", user="ada")
    with pytest.raises(InvalidInput, match="ANY"):
        memory.forget(everything=True, user=ANY)  # type: ignore[arg-type]
    assert len(memory.list(user=ANY)) == 1


def test_an_import_through_a_handle_comes_to_its_scope(memory: Memory, tmp_path: Path) -> None:
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.add("Nuts are sold on the square.", user="bob")
        other.store.export(tmp_path / "all.jsonl")
    ada = memory.scoped(user="ada")
    ada.store.import_(tmp_path / "all.jsonl")
    assert [hit.scope.user for hit in ada.search("nuts")] == ["ada"]
    assert len(memory.search("nuts", user="bob")) == 0
    with pytest.raises(InvalidInput, match="bound to"):
        ada.store.import_(tmp_path / "all.jsonl", into={"user": "bob"})
    assert memory.store.examine().problems == ()
