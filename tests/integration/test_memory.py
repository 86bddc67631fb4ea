import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentcl import (
    ANY,
    AsyncMemory,
    Document,
    Draft,
    EncoderMismatch,
    InvalidInput,
    Memory,
    MemoryClosed,
    NotFound,
    Recall,
)
from agentcl.store.vectors import unpack


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as opened:
        yield opened


def texts(recall: Recall) -> list[str]:
    return [hit.text for hit in recall]


def test_what_was_added_is_found_and_says_why(memory: Memory) -> None:
    document = memory.add("The ferry to Tessary leaves at seven.", title="Ferry")
    memory.add("Bread is baked at four in the morning.")
    (hit, *_) = memory.search("when does the ferry leave?")
    assert (hit.document_id, hit.title) == (document.id, "Ferry")
    assert {part.source for part in hit.parts} == {"dense", "text"}
    assert hit.score == pytest.approx(sum(part.contribution for part in hit.parts))
    assert "ferry" in hit.matched_terms
    assert "by words as no. 1" in hit.why()


def test_a_new_process_finds_what_an_earlier_one_added(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as first:
        id = first.add("the lighthouse lamp was lit in 1824").id
    with Memory(tmp_path) as second:
        assert second.search("lighthouse lamp").hits[0].document_id == id
        assert second.store.encoder.name == "hashing"


def test_two_open_memories_see_each_others_writes(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as one, Memory(tmp_path) as two:
        one.add("alpha letter")
        assert texts(two.search("alpha")) == ["alpha letter"]
        two.add("beta letter")
        assert texts(one.search("beta", mode="dense", limit=1)) == ["beta letter"]
        assert texts(one.search("beta", mode="text")) == ["beta letter"]


def test_omitted_scope_never_shows_what_belongs_to_somebody(memory: Memory) -> None:
    memory.add("the code is 1", user="ada")
    memory.add("the code is 2", user="bob")
    memory.add("the code is 3")
    memory.add("the code is 4", tenant="acme")
    assert sorted(texts(memory.search("code"))) == ["the code is 3"]
    assert sorted(texts(memory.search("code", user="ada"))) == ["the code is 1", "the code is 3"]
    assert sorted(texts(memory.search("code", tenant="acme", user="ada"))) == ["the code is 4"]
    assert len(memory.search("code", user=ANY)) == 3
    assert len(memory.search("code", user=ANY, tenant=ANY)) == 4


def test_an_update_keeps_history_and_time_travel_sees_the_past(memory: Memory) -> None:
    first = memory.add("the ferry leaves at seven", metadata={"n": 1})
    second = memory.update(first.id, text="the ferry leaves at eight")
    assert (second.version, second.metadata) == (2, {"n": 1})
    assert texts(memory.search("ferry")) == ["the ferry leaves at eight"]
    past = memory.search("ferry", as_of=first.created_at)
    assert texts(past) == ["the ferry leaves at seven"]
    assert memory.get(first.id, as_of=first.created_at) == first
    memory.delete(first.id)
    assert [version.op for version in memory.history(first.id)] == ["put", "put", "delete"]
    assert texts(memory.search("ferry")) == []
    assert texts(memory.search("ferry", as_of=second.created_at)) == ["the ferry leaves at eight"]
    with pytest.raises(NotFound):
        memory.get(first.id)
    assert memory.store.examine().problems == ()


def test_an_update_keeps_the_passages_that_did_not_change(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing", passage_limit=60) as memory:
        parts = [f"Paragraph {n} tells of the number {n * 7}.\n\n" for n in range(6)]
        document = memory.add("".join(parts))
        before = {passage.text: passage.id for passage in memory.store.passages(document.id)}
        parts[3] = "Something else entirely stands here.\n\n"
        memory.update(document.id, text="".join(parts))
        after = {passage.text: passage.id for passage in memory.store.passages(document.id)}
        kept = before.keys() & after.keys()
        assert len(kept) >= 4
        assert all(before[text] == after[text] for text in kept)
        assert "".join(p.text for p in memory.store.passages(document.id)) == "".join(parts)
        assert memory.store.examine().problems == ()


def test_of_drafts_with_the_same_uri_in_one_batch_the_last_counts(memory: Memory) -> None:
    held = memory.add("zero", uri="a.md")
    vector = [1.0] + [0.0] * (memory.store.encoder.dim - 1)
    texts = [("one", "a.md"), ("two", "b.md"), ("three", ""), ("four", "b.md")]
    drafts = [Draft(text=text, uri=uri) for text, uri in texts]
    stored = memory.add_many([*drafts, Draft(text="five", vector=vector), "six"])
    assert [document.text for document in stored] == ["one", "two", "three", "four", "five", "six"]
    assert (stored[0].id, stored[0].version) == (held.id, 2)
    assert (stored[3].id, stored[3].version) == (stored[1].id, 2)
    assert {record.id for record in memory.list()} == {document.id for document in stored}
    for document in (stored[0], *stored[2:]):
        assert memory.get(document.id) == document
        assert [passage.text for passage in memory.store.passages(document.id)] == [document.text]


def test_the_same_uri_is_updated_not_added_twice(memory: Memory) -> None:
    first = memory.add("one", uri="a.md")
    assert memory.add("one", uri="a.md") == first
    second = memory.add("two", uri="a.md")
    assert (second.id, second.version) == (first.id, 2)
    assert memory.add("two", uri="a.md", user="ada").id != first.id
    assert texts(memory.search("one two", user="ada")) != []
    assert len(memory.list()) == 1


def test_expired_records_are_found_only_when_asked_for(memory: Memory) -> None:
    now = datetime.now(UTC)
    memory.add("the old price is 5", valid_to=now - timedelta(days=1))
    memory.add("the coming price is 9", valid_from=now + timedelta(days=1))
    memory.add("the price is 7")
    assert texts(memory.search("price")) == ["the price is 7"]
    assert len(memory.search("price", valid_at=ANY)) == 3
    before = memory.search("price", valid_at=now - timedelta(days=2))
    assert sorted(texts(before)) == ["the old price is 5", "the price is 7"]


def test_filters_on_metadata(memory: Memory) -> None:
    for year in range(2018, 2024):
        memory.add(f"report of {year}", metadata={"year": year, "tags": ["report", str(year)]})
    assert len(memory.search("report", filters={"year": {"gte": 2020, "lt": 2022}})) == 2
    assert texts(memory.search("report", filters={"tags": "2019"})) == ["report of 2019"]
    assert len(memory.search("report", filters={"year": {"in": [2018, 2023, 1]}})) == 2
    assert len(memory.search("report", filters={"missing": {"exists": False}})) == 6
    with pytest.raises(InvalidInput, match="did you mean 'gte'"):
        memory.search("report", filters={"year": {"$gte": 2020}})


def test_forget_removes_bytes_from_every_file_and_says_what(tmp_path: Path) -> None:
    secret = "zyzzyva-secret-4711"
    with Memory(tmp_path / "m", encoder="hashing", passage_limit=80) as memory:
        for n in range(50):
            memory.add(f"An ordinary note number {n} about nothing in particular.", user="u")
        document = memory.add(f"First part. {secret} one.\n\n" * 5, user="u", title=f"T {secret}")
        memory.update(document.id, text=f"{secret} again", user="u")
        memory.search(secret, user="u")
        memory.store.export(tmp_path / "copy.jsonl")
        receipt = memory.forget(document.id, user="u")
        assert receipt.removed[0].id == document.id
        assert {removed.kind for removed in receipt.removed} == {"document", "passage"}
        assert [copy.what for copy in receipt.copies] == ["export"]
        assert texts(memory.search(secret, user="u", mode="text")) == []
        stem = secret.encode()[:7]
        for file in (tmp_path / "m").rglob("*"):
            if file.is_file():
                assert stem not in file.read_bytes().lower(), file
        assert [version.op for version in memory.history(document.id, user="u")] == ["erase"]
        assert memory.store.examine().problems == ()
        assert len(memory.list(user="u")) == 50


def test_forget_everything_of_a_user_reaches_their_agents_and_sessions(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("ada one", user="ada-lovelace")
        memory.add("ada two", user="ada-lovelace", session="s1")
        memory.add("bob", user="bob")
        receipt = memory.forget(everything=True, user="ada-lovelace")
        assert len(receipt.removed) == 4
        assert memory.store.stats().records == {"document": 1, "passage": 1}
        for file in (tmp_path / "m").rglob("*"):
            if file.is_file():
                assert b"ada-lovelace" not in file.read_bytes(), file
        with pytest.raises(InvalidInput):
            memory.forget(everything=True)


def test_a_shared_record_cannot_be_changed_from_a_narrower_scope(memory: Memory) -> None:
    shared = memory.add("shared by all")
    assert isinstance(memory.get(shared.id, user="ada"), Document)
    for verb in (memory.delete, memory.forget):
        with pytest.raises(NotFound, match="does not belong"):
            verb(shared.id, user="ada")
    with pytest.raises(NotFound, match="does not belong"):
        memory.update(shared.id, text="mine now", user="ada")
    assert texts(memory.search("shared")) == ["shared by all"]


def test_passages_are_changed_through_their_document(memory: Memory) -> None:
    document = memory.add("a text")
    (passage,) = memory.store.passages(document.id)
    for verb in (memory.delete, memory.forget):
        with pytest.raises(InvalidInput, match="document"):
            verb(passage.id)


def test_export_and_import_are_lossless(tmp_path: Path) -> None:
    with Memory(tmp_path / "a", encoder="hashing") as memory:
        kept = memory.add("text \x00 with NUL and 漢字 and 🙂", metadata={"f": 0.1, "n": None})
        gone = memory.add("deleted", user="u")
        memory.update(kept.id, title="new title")
        memory.delete(gone.id, user="u")
        erased = memory.add("forgotten")
        memory.forget(erased.id)
        memory.store.credit(kept.id, uses=3, wins=2)
        memory.store.export(tmp_path / "a.jsonl")
    with Memory(tmp_path / "b") as copy:
        imported = copy.store.import_(tmp_path / "a.jsonl", trusted=True, erasures=True)
        assert imported.present == 0
        assert copy.store.import_(tmp_path / "a.jsonl").added == 0
        copy.store.export(tmp_path / "b.jsonl")
        assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
        assert copy.search("漢字").hits[0].document_id == kept.id
        assert copy.get(kept.id, as_of=kept.created_at) == kept
        assert copy.store.examine().problems == ()


def test_a_snapshot_is_a_memory(tmp_path: Path) -> None:
    with Memory(tmp_path / "a", encoder="hashing") as memory:
        memory.add("in the snapshot")
        memory.store.snapshot(tmp_path / "s")
        memory.add("after the snapshot")
        with pytest.raises(InvalidInput):
            memory.store.snapshot(tmp_path / "s")
    with Memory(tmp_path / "s") as copy:
        assert texts(copy.search("snapshot")) == ["in the snapshot"]


def test_another_encoder_is_refused_until_everything_is_embedded_anew(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as memory:
        first = memory.add("the ferry leaves at seven")
        memory.update(first.id, text="the ferry leaves at eight")
    with pytest.raises(EncoderMismatch, match=r"hashing \(512.*hashing:64 was.*reembed"):
        Memory(tmp_path, encoder="hashing:64")
    with Memory(tmp_path) as memory, Memory(tmp_path) as other:
        other.search("ferry")
        memory.store.reembed("hashing:64")
        assert texts(memory.search("ferry", mode="dense")) == ["the ferry leaves at eight"]
        past = memory.search("ferry", mode="dense", as_of=first.created_at)
        assert texts(past) == ["the ferry leaves at seven"]
        with pytest.raises(EncoderMismatch):
            other.search("ferry")
        with pytest.raises(EncoderMismatch):
            other.add("not stored")
        assert memory.store.examine().problems == ()
    with Memory(tmp_path, encoder="hashing:64") as memory:
        assert len(memory.search("ferry")) == 1


def test_a_document_keeps_its_own_vector_while_its_text_stays(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with Memory(tmp_path, encoder="given:3") as memory:
        kept = memory.add("x", vector=[1, 0, 0], uri="x.md")
        memory.add("y", vector=[0, 1, 0])
        for change in ({"title": "t"}, {"metadata": {"a": 1}}, {"valid_from": moment}):
            memory.update(kept.id, **change)
            assert texts(memory.search("", vector=[1, 0, 0.1], limit=1)) == ["x"], change
        memory.update(kept.id, title="u", vector=[0, 0, 1])
        assert texts(memory.search("", vector=[0, 0, 1], limit=1)) == ["x"]
        with pytest.raises(InvalidInput, match="vector="):
            memory.update(kept.id, text="another")  # whose vector nobody knows
    with Memory(tmp_path / "encoded", encoder="hashing") as memory:
        own = memory.add(
            "about ferries",
            vector=unpack(memory.store.encoder.encode(["sheep"], role="passage")[0]),
        )
        memory.update(own.id, title="boats")
        (hit,) = memory.search("sheep", mode="dense", limit=1)
        assert hit.score > 0.99
        memory.update(own.id, text="about rye bread")  # encoded like any text
        (hit,) = memory.search("rye bread", mode="dense", limit=1)
        assert hit.score > 0.5


def test_ready_vectors_are_used_as_given(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="given:3") as memory:
        memory.add_many(
            [Draft(text=name, vector=vector) for name, vector in
             (("x", [1, 0, 0]), ("y", [0, 2, 0]), ("z", [0, 0.1, 5]))]
        )  # fmt: skip
        assert texts(memory.search("", vector=[0, 1, 0.1], limit=1)) == ["y"]
        for wrong in ([1, 2], [0, 0, 0], [1, float("nan"), 0], [[1, 2, 3]], "abc", [1, None, 2]):
            with pytest.raises(InvalidInput):
                memory.add("bad", vector=wrong)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(InvalidInput, match="vector="):
            memory.add("no vector")
        assert len(memory.list()) == 3


def test_a_memory_that_is_copied_or_pickled_says_to_open_another(memory: Memory) -> None:
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        for one in (memory, memory.scoped(user="ada")):
            with pytest.raises(TypeError, match=r"open Memory\("):
                act(one)
    for act in (pickle.dumps, copy.deepcopy):
        rooms = (memory.lessons, memory.store, memory.graph, memory.scoped(user="ada").facts)
        for held in (*rooms, memory.search, memory.episode("t"), AsyncMemory(memory.path).lessons):
            with pytest.raises(TypeError, match=r"open Memory\("):
                act(held)


def test_a_closed_memory_says_so(tmp_path: Path) -> None:
    memory = Memory(tmp_path, encoder="hashing")
    memory.add("x")
    memory.close()
    memory.close()
    with pytest.raises(MemoryClosed):
        memory.search("x")
    with pytest.raises(MemoryClosed):
        memory.add("y")


@pytest.mark.parametrize("index", ["exact", "usearch", "chroma"])
def test_every_index_serves_a_memory(tmp_path: Path, index: str) -> None:
    if index != "exact":
        pytest.importorskip({"chroma": "chromadb"}.get(index, index))
    with Memory(tmp_path / "m", encoder="hashing", index=index) as memory:
        kept = memory.add("the ferry leaves at seven", user="ada")
        gone = memory.add("the ferry leaves at nine", user="ada")
        memory.add("the ferry leaves at ten", user="bob")
        assert len(memory.search("ferry", user="ada", mode="dense")) == 2
        memory.forget(gone.id, user="ada")
        assert texts(memory.search("ferry", user="ada", mode="dense")) == [kept.text]
        memory.store.reembed("hashing:64")
        assert texts(memory.search("ferry", user="ada", mode="dense")) == [kept.text]
        assert memory.store.examine().problems == ()
    with Memory(tmp_path / "m", index=index) as memory:
        assert texts(memory.search("ferry", user="ada", mode="dense")) == [kept.text]
        memory.store.snapshot(tmp_path / "s")
    with Memory(tmp_path / "s", index=index) as memory:
        assert texts(memory.search("ferry", user="ada", mode="dense")) == [kept.text]


def test_what_neither_ranking_speaks_for_is_no_hit(memory: Memory) -> None:
    memory.add("The ferry leaves at seven.")
    memory.add("Rye bread.")
    assert [hit.text for hit in memory.search("ferry")] == ["The ferry leaves at seven."]
