"""Two names that somebody says are one thing's: one node of the graph, and found by each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput, Memory, NotFound
from agentcl.retrieval.aliases import joined
from agentcl.store import ANY, Alias, Scope

BOB, ROBERT, HALLIN = (
    "Bob Lindholm moved to Hallin.",
    "Robert Lindholm founded the Tide Club.",
    "Hallin lies by the Old Harbour.",
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add_many([BOB, ROBERT, HALLIN])
        yield memory


def test_the_graph_has_one_node_for_two_names(memory: Memory) -> None:
    (hit,) = memory.search("Tide Club", mode="text").hits
    memory.facts.add(hit.id, [("Robert Lindholm", "founded", "Tide Club")])
    before = memory.graph.stats()
    with pytest.raises(NotFound):
        memory.graph.path("Tide Club", "Old Harbour")
    memory.aliases.add("Bob Lindholm", "Robert Lindholm")
    after = memory.graph.stats()
    assert (after.phrases, after.shared_phrases) == (before.phrases - 1, before.shared_phrases + 1)
    for name in ("bob lindholm", "Robert  Lindholm"):
        near = memory.graph.near(name)
        assert len(near.passages) == 2
        assert {near.phrase, *near.same} == {"bob lindholm", "robert lindholm"}
        assert {other for other, _ in near.phrases} == {"hallin", "tide club"}
        assert len(near.facts) == 1
    way = memory.graph.path("Tide Club", "Old Harbour")
    assert [node.name for node in way if node.kind == "phrase"] == [
        "tide club", near.phrase, "hallin", "old harbour",
    ]  # fmt: skip


def test_what_is_said_of_one_name_is_found_by_the_other(memory: Memory) -> None:
    for number in range(20):  # more that says "moved" and "Lindholm" than a search returns
        memory.add(f"Lindholm number {number} moved somewhere, where nobody lives.")
    question = "Where did Robert Lindholm move?"
    memory.aliases.add("Robert Lindholm", "Bob Lindholm")
    for mode in ("text", "hybrid", "graph"):
        texts = [hit.text for hit in memory.search(question, mode=mode, limit=3)]
        assert BOB in texts, mode


def test_a_name_that_no_text_has_leads_to_those_that_have(memory: Memory) -> None:
    memory.aliases.add("Bobby", "Rob")
    memory.aliases.add("Bobby", "Bob Lindholm")
    assert memory.aliases.names("Rob") == ["bob lindholm", "bobby", "rob"]
    assert [title for title, _ in memory.graph.near("Rob").phrases] == ["hallin"]
    assert memory.search("Rob", mode="text").hits[0].text == BOB


def test_a_name_that_comes_later_is_one_of_them(memory: Memory) -> None:
    memory.aliases.add("Bob Lindholm", "Bobby Tables")
    assert len(memory.graph.near("Bob Lindholm").passages) == 1
    memory.add("Bobby Tables sails.")
    assert len(memory.graph.near("Bob Lindholm").passages) == 2
    assert len(memory.graph.near("Bobby Tables").passages) == 2


def test_saying_it_twice_stores_it_once_and_taking_it_back_parts_them(memory: Memory) -> None:
    one = memory.aliases.add("Bob Lindholm", "Robert Lindholm")
    assert memory.aliases.add("robert lindholm", " Bob  Lindholm.") == one
    assert memory.aliases.list() == [one]
    assert memory.aliases.list("ROBERT Lindholm") == [one]
    assert memory.aliases.list("Hallin") == []
    assert len(memory.graph.near("Bob Lindholm").passages) == 2
    moment = datetime.now(UTC)
    memory.aliases.remove("Robert Lindholm", "Bob Lindholm")
    assert memory.aliases.list() == []
    assert len(memory.graph.near("Bob Lindholm").passages) == 1
    assert [version.op for version in memory.history(one.id)] == ["put", "delete"]
    assert len(memory.graph.view(as_of=moment).near("Bob Lindholm").passages) == 2
    again = memory.aliases.add("Bob Lindholm", "Robert Lindholm")
    memory.delete(again.id)
    assert memory.aliases.names("Bob Lindholm") == ["bob lindholm"]


def test_what_nobody_said_cannot_be_taken_back(memory: Memory) -> None:
    memory.aliases.add("Bob Lindholm", "Robert Lindholm")
    with pytest.raises(NotFound, match="what was said: Bob Lindholm = Robert Lindholm"):
        memory.aliases.remove("Bob Lindholm", "Rob")


@pytest.mark.parametrize(
    "names", [("", "a"), ("a", " "), ("Bob", "bob"), ("Bob", "Bob's"), ("x" * 201, "a"), ("…", "a")]
)
def test_what_is_no_name_or_the_same_is_refused(memory: Memory, names: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput):
        memory.aliases.add(*names)
    assert memory.aliases.list() == []


def test_who_does_not_see_an_alias_sees_two(memory: Memory) -> None:
    memory.aliases.add("Bob Lindholm", "Robert Lindholm", user="ada")
    assert len(memory.graph.near("Bob Lindholm", user="ada").passages) == 2
    assert len(memory.graph.near("Bob Lindholm", user="eve").passages) == 1
    assert len(memory.graph.near("Bob Lindholm").passages) == 1
    assert len(memory.graph.near("Bob Lindholm", user=ANY).passages) == 2
    memory.add(BOB, tenant="other")
    memory.add(ROBERT, tenant="other")
    assert len(memory.graph.near("Bob Lindholm", tenant="other").passages) == 1
    with pytest.raises(NotFound):
        memory.aliases.remove("Bob Lindholm", "Robert Lindholm")


def test_it_is_known_after_opening_and_in_an_export(memory: Memory, tmp_path: Path) -> None:
    memory.aliases.add("Bob Lindholm", "Robert Lindholm")
    memory.store.export(tmp_path / "e.jsonl")
    with Memory(tmp_path / "m", encoder="hashing") as again:
        assert len(again.graph.near("Bob Lindholm").passages) == 2
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.aliases.add("Bob Lindholm", "Robert Lindholm")
        other.store.import_(tmp_path / "e.jsonl")
        other.store.import_(tmp_path / "e.jsonl")
        assert len(other.aliases.list()) == 1
        assert len(other.graph.near("Robert Lindholm").passages) == 2
        assert other.store.examine().is_healthy


def test_a_forgotten_alias_leaves_no_name(memory: Memory, tmp_path: Path) -> None:
    one = memory.aliases.add("Bob Lindholm", "Zebulon Quirk")
    assert memory.graph.near("Zebulon Quirk").passages
    memory.forget(one.id)
    with pytest.raises(NotFound):
        memory.graph.near("Zebulon Quirk")
    assert not any(
        b"ebulon" in path.read_bytes() for path in (tmp_path / "m").rglob("*") if path.is_file()
    )


NAMES = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(NAMES, NAMES)))
def test_names_are_joined_in_any_order(pairs: list[tuple[str, str]]) -> None:
    def groups(some: list[tuple[str, str]]) -> object:
        return joined(Alias(id="", scope=Scope(), name=a, other=b) for a, b in some)

    assert groups(pairs) == groups(pairs[::-1]) == groups(sorted(pairs))
    found = [
        name
        for _, names in joined(Alias(id="", name=a, other=b) for a, b in pairs)
        for name in names
    ]
    assert len(found) == len({*found}) == len({name for pair in pairs for name in pair})
