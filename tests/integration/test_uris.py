"""Documents by where they come from: got, listed, moved and updated by uri; the same thing again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentcl import ANY, Draft, Duplicate, InvalidInput, Memory, NotFound, VersionConflict
from agentcl.retrieval import Mode


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def test_a_document_is_got_by_its_uri_now_and_as_it_was(memory: Memory) -> None:
    first = memory.add("one", uri="notes/a")
    before = first.created_at
    second = memory.add("two", uri="notes/a")
    assert memory.get(uri="notes/a") == second
    assert memory.get(uri="notes/a", as_of=before) == first
    with pytest.raises(NotFound, match="notes/b"):
        memory.get(uri="notes/b")
    memory.delete(uri="notes/a")
    with pytest.raises(NotFound):
        memory.get(uri="notes/a")


def test_of_several_the_nearest_is_got(memory: Memory) -> None:
    shared = memory.add("for all", uri="profile")
    own = memory.add("for ada", uri="profile", user="ada")
    session = memory.add("for this session", uri="profile", user="ada", session="s")
    assert memory.get(uri="profile") == shared
    assert memory.get(uri="profile", user="bob") == shared
    assert memory.get(uri="profile", user="ada") == own
    assert memory.get(uri="profile", user="ada", session="s") == session
    with pytest.raises(NotFound):
        memory.get(uri="profile", tenant="acme")


def test_a_record_is_named_by_id_or_uri_not_both(memory: Memory) -> None:
    noted = memory.add("x", uri="a")
    for call in (memory.get, memory.update, memory.delete):
        with pytest.raises(InvalidInput, match="one of them"):
            call()
        with pytest.raises(InvalidInput, match="one of them"):
            call(noted.id, uri="a")


def test_documents_are_listed_below_a_prefix(memory: Memory) -> None:
    for uri in ("notes/b", "notes/a", "notes%", "other", "notés/a", "notes/\U0010ffff"):
        memory.add(f"at {uri}", uri=uri)
    memory.add("without")
    memory.add("ada's", uri="notes/c", user="ada")
    found = [record.uri for record in memory.list(prefix="notes/")]  # type: ignore[attr-defined]
    assert found == ["notes/b", "notes/a", "notes/\U0010ffff"]
    assert len(memory.list(prefix="notes/", user="ada")) == 4
    assert len(memory.list(prefix="notes/", limit=2)) == 2
    assert [r.key for r in memory.list(prefix="notes%")] == ["notes%"]
    page = memory.list(prefix="notes/", limit=1)
    assert len(memory.list(prefix="notes/", after=page[-1])) == 2
    with pytest.raises(InvalidInput, match="no uri"):
        memory.list(kind="episode", prefix="notes/")


def test_a_moved_document_keeps_its_id_its_history_and_its_facts(memory: Memory) -> None:
    noted = memory.add("Ada lives in Tessary.", uri="draft", title="Ada")
    memory.facts.add(noted.id, [("Ada", "lives in", "Tessary")])
    moved = memory.move("draft", "people/ada")
    assert (moved.id, moved.version, moved.uri) == (noted.id, 2, "people/ada")
    assert memory.get(uri="people/ada") == moved
    with pytest.raises(NotFound):
        memory.get(uri="draft")
    assert memory.search("Tessary").hits[0].uri == "people/ada"
    assert len(memory.list(kind="fact")) == 1
    assert memory.get(noted.id, as_of=noted.created_at) == noted
    assert memory.add("new", uri="draft").id != noted.id  # the old place is free again
    assert memory.store.examine().problems == ()


def test_a_moved_document_keeps_the_vector_that_it_came_with(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="given:2") as memory:
        memory.add("x", uri="a", vector=[1.0, 0.0])
        memory.add("y", uri="b", vector=[0.0, 1.0])
        assert memory.move("a", "c").uri == "c"
        best = memory.search("?", vector=[1.0, 0.0], mode="dense").hits[0]
        assert (best.uri, best.text) == ("c", "x")
    with Memory(tmp_path / "n", encoder="hashing", passage_limit=50) as memory:
        long = memory.add("A long text. " * 30, uri="a", vector=[1.0] * memory.store.encoder.dim)
        memory.move("a", "b")
        (passage,) = memory.store.passages(long.id)
        assert (passage.uri, passage.text) == ("b", long.text)
        assert memory.store.examine().problems == ()


def test_a_uri_is_told_from_those_that_begin_with_it(memory: Memory) -> None:
    memory.add("all", uri="chat")
    memory.add_many([Draft(text=f"{n}", uri=f"chat/{n}") for n in range(3)])
    assert memory.get(uri="chat").key == "chat"
    assert memory.update(uri="chat", text="everything").version == 2
    assert memory.move("chat", "chat/").uri == "chat/"
    for gone in ("chat", "cha", ""):
        with pytest.raises(NotFound):
            memory.get(uri=gone)


def test_nothing_is_moved_over_another_document(memory: Memory) -> None:
    memory.add("one", uri="a")
    other = memory.add("two", uri="b")
    with pytest.raises(Duplicate, match=other.id):
        memory.move("a", "b")
    with pytest.raises(InvalidInput, match="empty"):
        memory.move("a", "")
    with pytest.raises(NotFound):
        memory.move("c", "d")
    with pytest.raises(NotFound):  # another scope's document is not there
        memory.move("a", "c", user="ada")
    assert memory.move("a", "a").version == 1
    assert [r.key for r in memory.list()] == ["a", "b"]


def test_an_update_is_refused_if_somebody_was_faster(memory: Memory) -> None:
    noted = memory.add("one", uri="a")
    assert memory.update(noted.id, text="two", if_version=1).version == 2
    with pytest.raises(VersionConflict, match="version 2, not 1"):
        memory.update(uri="a", text="three", if_version=1)
    assert memory.get(noted.id) == memory.get(uri="a")
    assert memory.update(uri="a", text="three", if_version=2).version == 3
    assert len(memory.history(noted.id)) == 3


def test_the_same_thing_again_is_returned_and_counted(memory: Memory) -> None:
    first = memory.add("The ferry leaves at seven.", metadata={"lang": "en"})
    again = memory.add("The ferry leaves at seven.", metadata={"lang": "en"})
    assert again == first
    assert len(memory.list()) == 1
    assert memory.store.counters(first.id).repeats == 1
    assert memory.store.counters(first.id).uses == 0


@pytest.mark.parametrize(
    "other",
    [
        {"text": "The ferry leaves at eight."},
        {"title": "Timetable"},
        {"metadata": {"lang": "en"}},
        {"valid_from": datetime(2026, 1, 1, tzinfo=UTC)},
        {"valid_to": datetime(2026, 1, 1, tzinfo=UTC)},
        {"user": "ada"},
        {"tenant": "acme"},
    ],
)
def test_what_differs_in_anything_that_matters_is_another_thing(
    memory: Memory, other: dict[str, object]
) -> None:
    plain: dict[str, object] = {"text": "The ferry leaves at seven."}
    first = memory.add(**plain)  # type: ignore[arg-type]
    second = memory.add(**plain | other)  # type: ignore[arg-type]
    assert first.id != second.id


def test_each_of_many_that_differ_in_little_is_known_again(memory: Memory) -> None:
    drafts = [
        Draft(text="Somebody came in.", metadata={"n": n}, valid_from=valid_from)
        for n in range(200)
        for valid_from in (None, datetime(2024, 1, 1, tzinfo=UTC))
    ]
    first = memory.add_many(drafts)
    assert len(memory.list(limit=1_000)) == len(drafts)
    assert memory.add_many(drafts) == first
    assert memory.add("Somebody came in.", metadata={"n": 7}) == first[14]


def test_it_can_be_kept_twice_or_refused(memory: Memory) -> None:
    first = memory.add("x")
    assert memory.add("x", duplicates="keep").id != first.id
    with pytest.raises(Duplicate, match=first.id):
        memory.add("x", duplicates="error")
    with pytest.raises(Duplicate, match="number 1"):
        memory.add_many(["y", "y"], duplicates="error")
    assert len(memory.list()) == 2
    with pytest.raises(InvalidInput, match="skip, keep, error"):
        memory.add("x", duplicates="no")  # type: ignore[arg-type]


def test_of_many_at_once_each_thing_is_stored_once_and_the_order_kept(memory: Memory) -> None:
    first = memory.add("a")
    stored = memory.add_many(["b", "a", "b", "c"])
    assert [record.text for record in stored] == ["b", "a", "b", "c"]
    assert stored[1] == first
    assert stored[0].id == stored[2].id
    assert len(memory.list()) == 3
    assert memory.store.counters(stored[0].id).repeats == 1
    assert len(memory.add_many(["d"] * 600)) == 600  # over several transactions
    assert len(memory.list()) == 4


def test_a_deleted_or_forgotten_thing_may_come_again(memory: Memory) -> None:
    first = memory.add("x")
    memory.delete(first.id)
    second = memory.add("x")
    assert second.id != first.id
    memory.forget(second.id)
    assert memory.add("x").id != second.id


def test_what_has_a_uri_is_known_by_it(memory: Memory) -> None:
    first = memory.add("x", uri="a")
    assert memory.add("x", uri="b").id != first.id  # another place, another document
    assert memory.add("x").id == first.id  # the oldest of the two
    assert memory.add("x", uri="a") == first
    with pytest.raises(Duplicate):
        memory.add("x", uri="a", duplicates="error")
    assert memory.add("y", uri="a", duplicates="error").version == 2
    assert memory.add("y", uri="a", media_type="text/markdown").version == 3


def test_texts_with_vectors_of_their_own_are_never_taken_for_the_same(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="given:2") as memory:
        memory.add("x", vector=[1.0, 0.0])
        memory.add("x", vector=[0.0, 1.0])
        assert len(memory.list()) == 2


def test_long_texts_that_share_their_passages_are_told_apart(tmp_path: Path) -> None:
    header, tail = "A licence. " * 30, "The end. " * 30
    with Memory(tmp_path / "m", encoder="hashing", passage_limit=50) as memory:
        drafts = [Draft(text=f"{header}\n\nPart {n}.\n\n{tail}") for n in range(20)]
        memory.add_many(drafts)
        memory.add_many(drafts)
        assert len(memory.list()) == 20
        memory.add(f"{header}\n\nPart 3.\n\n{tail}", user="ada")
        assert len(memory.list(user=ANY)) == 21
        assert memory.store.examine().problems == ()


@pytest.mark.parametrize("mode", ["hybrid", "dense", "text", "graph"])
def test_equal_texts_are_one_hit_unless_all_are_wanted(memory: Memory, mode: Mode) -> None:
    kept = [memory.add("The ferry leaves at seven.", duplicates="keep").id for _ in range(3)]
    memory.add("The ferry leaves Tessary.")
    one, other = memory.search("when does the ferry leave at seven", mode=mode)
    assert (one.document_id, one.copies, other.copies) == (kept[-1], 3, 1)
    every = memory.search("when does the ferry leave at seven", mode=mode, distinct=False)
    assert [hit.document_id for hit in every][:3] == kept
    assert len(every) == 4
