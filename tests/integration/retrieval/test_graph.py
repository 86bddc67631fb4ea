"""Going on from what answers the question to passages that name the same things."""

import shutil
import threading
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl import ANY, Document, Draft, Memory
from agentcl.retrieval.graph.settings import HIPPORAG2, Edges
from agentcl.retrieval.index import Query
from agentcl.store import WriteScope
from agentcl.store.records import ScopeView

CHAIN = (
    ("Ferry", "The evening boat to Tessary is steered by Ilka Renn."),
    ("Ilka Renn", "Ilka Renn was born in Upper Mossling, and learned at sea."),
    ("Upper Mossling", "Upper Mossling lies in the hills; sheep are kept there."),
    ("Bread", "Bread is baked at four in the morning by Odo Past."),
    ("Odo Past", "Odo Past plays chess."),
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as opened:
        opened.add_many(Draft(text=text, title=title) for title, text in CHAIN)
        yield opened


def documents(memory: Memory) -> list[Document]:
    held = memory.list(kind="document", limit=10)
    return [document for document in held if isinstance(document, Document)]


def titles(memory: Memory, question: str, **options: object) -> list[str]:
    return [hit.title for hit in memory.search(question, **options)]  # type: ignore[arg-type]


def walked_to(memory: Memory, question: str, **options: object) -> set[str]:
    """Titles of the hits that something leads to."""
    found = memory.search(question, mode="graph", **options)  # type: ignore[arg-type]
    return {hit.title for hit in found if any(part.link for part in hit.parts)}


def test_a_passage_that_shares_no_word_with_the_question_is_found(memory: Memory) -> None:
    question = "who steers the evening boat?"
    assert "Upper Mossling" not in titles(memory, question, limit=2)
    assert titles(memory, question, mode="graph", limit=2) == ["Ferry", "Ilka Renn"]
    hit = memory.search(question, mode="graph", limit=2).hits[1]
    (part,) = [part for part in hit.parts if part.source == "graph"]
    assert part.link is not None
    assert part.link.phrase == "ilka renn"
    assert memory.get(part.link.source).sources
    assert "“ilka renn” in" in hit.why()
    assert hit.score == pytest.approx(sum(part.contribution for part in hit.parts))


def test_the_way_that_was_taken_is_said(memory: Memory) -> None:
    assert memory.search("boat", mode="graph").indexes == ("exact", "fulltext", "graph", "facts")


def test_nobody_walks_through_what_its_scope_does_not_see(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing") as memory:
        memory.add("The boat is steered by Ilka Renn.", user="ada")
        memory.add("Ilka Renn was born in Upper Mossling.", user="bob")
        memory.add("Sheep are kept in Upper Mossling.", user="ada")
        memory.add("Ilka Renn has debts.", tenant="acme", user="ada")
        question = "who steers the boat?"
        assert len(memory.search(question, mode="graph", user="ada")) == 1
        assert len(memory.search(question, mode="graph", user="bob")) == 0
        everyone = memory.search(question, mode="graph", user=ANY)
        assert [hit.scope.user for hit in everyone] == ["ada", "bob", "ada"]


def test_what_is_deleted_leads_nowhere_and_the_past_is_walked_as_it_was(memory: Memory) -> None:
    question = "who steers the evening boat?"
    (middle,) = [d for d in documents(memory) if d.title == "Ilka Renn"]
    last = max(d.created_at for d in documents(memory))
    memory.delete(middle.id)
    assert walked_to(memory, question).isdisjoint({"Ferry", "Upper Mossling"})
    assert "Ilka Renn" in walked_to(memory, question, as_of=last)
    assert "Upper Mossling" in titles(memory, question, mode="graph", as_of=last)


def test_forgotten_names_are_gone_from_the_graph(memory: Memory) -> None:
    memory.search("boat", mode="graph")
    for document in documents(memory):
        if "Odo" in document.text or "Odo" in document.title:
            memory.forget(document.id)
    memory.search("boat", mode="graph")
    held = memory.store.retriever.graph.index
    named = {name for seq in held.live_seqs() for name in held.phrases(seq)}
    assert "odo past" not in named
    assert "ilka renn" in named
    assert memory.store.examine().problems == ()


WORDS = ("Ada", "Adah", "Bob", "Cleo", "Eve", "Evie")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "delete", "state", "unsay"]),
        st.integers(0, 5),
        st.sets(st.sampled_from(WORDS), max_size=3),
        st.sampled_from([None, "ada", "bob"]),
    ),
    max_size=14,
)


KINDS_OF_GRAPH = (
    Edges(),
    HIPPORAG2.edges,
    Edges(names="all", fact_weight=1.5, synonymy_threshold=0.5, synonym_weight=0.7),
)
SEEN = (frozenset({"", "ada"}), frozenset({""}), None)


def owned(user: str | None) -> WriteScope:
    return {} if user is None else {"user": user}


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_after_any_changes_the_graph_is_the_one_built_from_what_is_left(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int, set[str], str | None]],
) -> None:
    with Memory(tmp_path_factory.mktemp("memory"), encoder="hashing") as memory:
        documents: list[tuple[str, str | None]] = []
        for act, which, names, user in steps:
            text = "it is " + " or ".join(sorted(names))
            if act == "add" or not documents:
                kept = memory.add(text, duplicates="keep", **owned(user))
                documents.append((kept.id, user))
            elif act == "delete":
                id, owner = documents.pop(which % len(documents))
                memory.delete(id, **owned(owner))
            else:
                id, owner = documents[which % len(documents)]
                if act == "update":
                    memory.update(id, text=text, **owned(owner))
                elif act == "state":
                    facts = list(permutations(sorted(names) or ["Ada"], 2))
                    stated = [(one, "knows", f"{other} Smith") for one, other in facts]
                    memory.facts.add(id, stated, phrases=sorted(names), **owned(owner))
                else:
                    for fact in memory.list(kind="fact", **owned(owner))[:2]:
                        if fact.scope.user == (owner or ""):
                            memory.delete(fact.id, **owned(owner))
            drawn(memory)  # each keeps its own graph from now on
        with Memory(memory.path) as again:
            assert drawn(memory) == drawn(again)


def drawn(memory: Memory) -> list[list[tuple[str, str, float]]]:
    """The edges of each kind of graph that each reader sees."""
    memory.store.retriever.catch_up(mode="graph")
    index = memory.store.retriever.graph.index
    return [
        sorted(index.edges(Query(view=ScopeView(frozenset({""}), seen, None, None)), edges))
        for seen in SEEN
        for edges in KINDS_OF_GRAPH
    ]


def test_a_graph_that_was_kept_is_the_one_that_would_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcl.retrieval.graph.index._KEEP_FROM", 0)
    kept = tmp_path / "indexes" / "graph" / "graph.npz"
    with Memory(tmp_path, encoder="hashing") as memory:
        ids = [memory.add(text, title=title, user="ada").id for title, text in CHAIN]
        memory.facts.add(ids[1], [("Ilka Renn", "born in", "Upper Mossling")], user="ada")
        memory.update(ids[3], text="Bread is baked by Eve Past.", user="ada")
        memory.add("Ilka Renn has debts.", tenant="acme", metadata={"kind": "note", "n": [1]})
        built = drawn(memory)
    with Memory(tmp_path) as memory:
        assert kept.exists()
        assert memory.store.retriever.graph.index.watermark() == memory.store.journal.last_seq()
        assert drawn(memory) == built
        memory.add("Ilka Renn lives in Tessary.", user="ada")
        grown = drawn(memory)
        assert grown != built
    kept.write_bytes(kept.read_bytes()[:-100])
    with Memory(tmp_path) as memory:
        assert drawn(memory) == grown
        memory.delete(ids[0], user="ada")
        drawn(memory)
        assert b"ferry" in kept.read_bytes()
        memory.forget(ids[0], ids[1], user="ada")
        assert not kept.exists() or b"ferry" not in kept.read_bytes()
    assert Memory(tmp_path).store.examine().problems == ()


def test_a_passage_is_known_by_its_text_again_when_it_is_no_longer_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcl.retrieval.graph.index._KEEP_FROM", 0)
    with Memory(tmp_path, encoder="hashing") as memory:
        document = memory.add("Ilka Renn was born in Upper Mossling.")
        (passage,) = memory.store.passages(document.id)
        seq = memory.store.journal.seq_of(passage)
        memory.facts.add(passage.id, [("Odo Past", "plays", "chess")], phrases=["Bread"])
        drawn(memory)
        assert set(memory.store.retriever.graph.index.phrases(seq)) == {
            "odo past",
            "chess",
            "bread",
        }
    with Memory(tmp_path) as memory:
        drawn(memory)
        index = memory.store.retriever.graph.index
        assert set(index.phrases(seq, Edges(names="all"))) > {"ilka renn", "bread"}
        for record in [*memory.list(kind="fact"), *memory.list(kind="extraction")]:
            memory.delete(record.id)
        memory.add("Upper Mossling has sheep.")
        grown = drawn(memory)
        assert set(index.phrases(seq)) == {"ilka renn", "upper mossling"}
        memory.store.retriever.rebuild()
        assert drawn(memory) == grown


def test_a_kept_graph_never_names_what_another_process_forgot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentcl.retrieval.graph.index._KEEP_FROM", 0)
    kept = tmp_path / "indexes" / "graph" / "graph.npz"
    with Memory(tmp_path, encoder="hashing") as memory, Memory(tmp_path) as other:
        secret = memory.add("Ilka Renn has debts.")
        memory.add("The boat leaves at seven from Tessary.")
        memory.search("boat", mode="graph")
        assert b"ilka renn" in kept.read_bytes()
        other.forget(secret.id)
        assert not kept.exists()
        memory.search("boat", mode="graph")
        assert b"ilka renn" not in kept.read_bytes()
        assert b"tessary" in kept.read_bytes()


def test_filling_the_graph_tells_how_far_it_is(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add_many(f"Ilka Renn{n} steers the ferry Aurora{n}." for n in range(700))
        shares: list[float] = []
        memory.warm_up(mode="graph", progress=shares.append)
        assert len(shares) > 4
        assert shares == sorted(shares)
        assert 0 < shares[0] < 0.2 < shares[-1] == 1
        shares.clear()
        memory.warm_up(mode="graph", progress=shares.append)
        assert shares == []
        assert (
            memory.search("Ilka Renn7", mode="graph", limit=1)
            .hits[0]
            .text.startswith("Ilka Renn7 ")
        )


def test_filling_the_other_indexes_tells_how_far_it_is(tmp_path: Path) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add_many(f"Ilka Renn{n} steers the ferry Aurora{n}." for n in range(700))
    shutil.rmtree(tmp_path / "indexes")
    with Memory(tmp_path, encoder="hashing:64") as memory:
        shares: list[float] = []
        memory.warm_up(progress=shares.append)
        assert len(shares) > 4
        assert shares == sorted(shares)
        assert 0 < shares[0] < 0.3
        assert 0.9 < shares[-1] <= 1


def test_who_waits_for_indexes_that_another_one_fills_is_told_how_far_they_are(
    tmp_path: Path,
) -> None:
    with Memory(tmp_path, encoder="hashing:64") as memory:
        memory.add("Ilka Renn steers the ferry Aurora.")
        retriever = memory.store.retriever
        is_told = threading.Event()
        with retriever._lock:  # as if it were filled here
            waiting = threading.Thread(
                target=retriever.catch_up, kwargs={"progress": lambda share: is_told.set()}
            )
            waiting.start()
            assert is_told.wait(60)
        waiting.join(60)
        assert not waiting.is_alive()
