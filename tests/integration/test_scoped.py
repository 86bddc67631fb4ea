"""A handle that is bound to a scope: the same verbs and rooms, nothing repeated, nothing widened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import ANY, AsyncMemory, InvalidInput, Lesson, Memory, NotFound


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
    assert ada.add("y", tenant="acme", user=None).scope.user == "ada"
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
    told = ada.lessons.add("When a queue is slow, drain it.")
    assert told.scope.user == "ada"
    assert [one.guidance.id for one in ada.lessons.list()] == [told.id]
    assert memory.lessons.list() == []
    with ada.episode("clear it") as episode:
        episode.finish(1.0)
    assert [one.scope.user for one in ada.episodes.list()] == ["ada"]
    assert list(memory.episodes.list()) == []
    assert ada.store.stats().records["document"] == 1
    assert memory.scoped(user="bob").store.stats().records == {}


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
