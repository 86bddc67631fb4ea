"""What passages state: given, imported, or read by a model; and what becomes of it with its passage."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agentcl import (
    ANY,
    InvalidInput,
    Memory,
    ModelUnavailable,
    NotFound,
    RequestRefused,
    StoreBusy,
)
from agentcl.memory.facts.extraction import ModelExtractor, Recognition
from agentcl.models import Message, ScriptedModel
from agentcl.retrieval.modes import PUBLISHED
from agentcl.store import ReadScope
from agentcl.store.records import Extraction, Fact

BOAT = "The evening boat to Tessary is steered by Ilka Renn."
BIRTH = "Ilka Renn was born in Upper Mossling, and learned at sea."
SHEEP = "Upper Mossling lies in the hills; sheep are kept there."
STEERED = ("evening boat", "steered by", "Ilka Renn")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder="hashing") as opened:
        yield opened


def triples(memory: Memory, **scope: str) -> set[tuple[str, str, str]]:
    own: ReadScope = {"user": ANY}
    if "tenant" in scope:
        own["tenant"] = scope["tenant"]
    held = memory.list(kind="fact", **own)
    return {(f.subject, f.predicate, f.object) for f in held if isinstance(f, Fact)}


def answer(facts: Sequence[Sequence[str]], names: Sequence[str] = ()) -> str:
    return json.dumps({"facts": facts, "names": names})


def test_given_facts_come_with_their_passage_and_go_with_it(memory: Memory) -> None:
    document = memory.add(BOAT)
    assert memory.facts.add(document.id, [STEERED, STEERED], phrases=["Tessary"]) == 1
    (fact,) = memory.list(kind="fact")
    assert isinstance(fact, Fact)
    assert fact.sources == (memory.store.passages(document.id)[0].id,)
    seen = memory.add("later").created_at
    memory.facts.add(document.id, [STEERED, ("evening boat", "goes to", "Tessary")])
    assert {f.id for f in memory.list(kind="fact")} > {fact.id}
    assert len(memory.list(kind="fact", as_of=seen)) == 1
    memory.update(document.id, text="The boat is out of service.")
    assert triples(memory) == set()
    assert memory.store.examine().problems == ()


def test_facts_hold_when_their_passage_holds(memory: Memory) -> None:
    document = memory.add(BOAT)
    memory.facts.add(document.id, [STEERED])
    end = document.created_at
    memory.update(document.id, valid_to=end)
    (fact,) = memory.list(kind="fact")
    assert fact.valid_to == end
    assert fact.version == 2
    assert memory.store.examine().problems == ()


def test_forgetting_a_document_takes_its_facts_and_names_away(memory: Memory) -> None:
    document = memory.add(BOAT)
    memory.add(BIRTH)
    memory.facts.add(document.id, [STEERED], phrases=["Tessary Roads"])
    memory.search("boat", mode="graph")
    receipt = memory.forget(document.id)
    assert {removed.kind for removed in receipt.removed} == {
        "document", "passage", "fact", "extraction",
    }  # fmt: skip
    with pytest.raises(NotFound):
        memory.graph.view().near("Tessary Roads")
    assert b"steered by" not in (memory.path / "journal.db").read_bytes()
    assert memory.store.examine().problems == ()


def test_facts_are_refused_where_they_cannot_belong(memory: Memory) -> None:
    document = memory.add(BOAT, user="ada")
    with pytest.raises(NotFound):
        memory.facts.add(document.id, [STEERED])
    with pytest.raises(InvalidInput, match="three strings"):
        memory.facts.add(document.id, [("a", "b")], user="ada")
    with pytest.raises(InvalidInput, match="three strings"):
        memory.facts.add(document.id, ["abc"], user="ada")
    memory.facts.add(document.id, [STEERED], user="ada")
    (fact,) = memory.list(kind="fact", user="ada")
    with pytest.raises(InvalidInput, match="only passages state facts"):
        memory.facts.add(fact.id, [STEERED], user="ada")
    long = memory.add("word " * 600, user="ada")
    with pytest.raises(InvalidInput, match="several passages"):
        memory.facts.add(long.id, [STEERED], user="ada")


@pytest.mark.parametrize(
    ("fact", "is_kept"),
    [
        (("", "is", "b"), False),
        (("a", "is", " … "), False),
        (("a", "is", "b" * 10_000), False),
        (("a", "", "b"), True),
        (("Ilka Renn", "is", "ilka renn"), True),  # a loop states something, and is no edge
        (("上海", "位于", "中国"), True),
        (("القاهرة", "عاصمة", "مصر"), True),
    ],
)
def test_odd_facts_are_kept_or_left_out_and_break_nothing(
    memory: Memory, fact: tuple[str, str, str], is_kept: bool
) -> None:
    document = memory.add(BOAT)
    assert memory.facts.add(document.id, [fact]) == int(is_kept)
    memory.search("boat", mode="graph")
    assert memory.search("boat", mode=PUBLISHED).hits
    if is_kept:
        assert memory.graph.view().near(fact[0]).facts[0][:3] == fact
    assert memory.store.examine().problems == ()


def test_a_passage_may_state_five_hundred_facts_and_a_hub_stand_in_all(memory: Memory) -> None:
    document = memory.add(BOAT)
    facts = [("Ilka Renn", f"relation {n}", f"Name{n}") for n in range(500)]
    assert memory.facts.add(document.id, facts) == 500
    assert memory.graph.view().stats().facts == 500
    assert memory.search("who steers the boat", mode="graph").hits


def test_facts_of_another_program_are_imported_once(memory: Memory, tmp_path: Path) -> None:
    memory.add(BOAT, title="Ferry")
    file = tmp_path / "openie.json"
    doc = {"passage": f"Ferry\n{BOAT}", "extracted_triples": [list(STEERED), ["x"]]}
    lost = {"passage": "not here", "extracted_triples": []}
    file.write_text(json.dumps({"docs": [doc, lost]}))
    report = memory.facts.import_(file)
    assert (report.documents, report.matched, report.facts, report.dropped) == (2, 1, 1, 1)
    assert report.unknown == ("not here",)
    ids = {fact.id for fact in memory.list(kind="fact")}
    memory.facts.import_(file)
    assert {fact.id for fact in memory.list(kind="fact")} == ids


def test_of_two_entries_for_one_text_the_later_counts(memory: Memory, tmp_path: Path) -> None:
    memory.add(BOAT)
    file = tmp_path / "openie.json"
    other = ("evening boat", "goes to", "Tessary")
    docs = [{"passage": BOAT, "extracted_triples": [list(fact)]} for fact in (STEERED, other)]
    file.write_text(json.dumps({"docs": docs}))
    memory.facts.import_(file)
    assert triples(memory) == {other}
    assert memory.store.examine().problems == ()


def test_a_passage_has_one_live_extraction(memory: Memory) -> None:
    passage = memory.store.passages(memory.add(BOAT).id)[0]
    done = Extraction(id="", sources=(passage.id,), key=passage.id, extractor="x", text_hash="")
    with (
        pytest.raises(InvalidInput, match="has the key"),
        memory.store.journal.writing() as writing,
    ):
        writing.create_many([done, done], {}, count=2)
    assert memory.list(kind="extraction") == []
    memory.facts.add(passage.id, [STEERED])
    with (
        pytest.raises(InvalidInput, match="has the key"),
        memory.store.journal.writing() as writing,
    ):
        writing.create_many([done], {}, count=1)
    (held,) = memory.list(kind="extraction")
    memory.delete(held.id)
    with memory.store.journal.writing() as writing:
        writing.create_many([done], {}, count=1)
    assert len(memory.list(kind="extraction")) == 1


def test_a_model_reads_each_passage_once_and_invents_nothing(memory: Memory) -> None:
    memory.add(BOAT, user="ada")
    memory.add(BIRTH)

    def says(messages: Sequence[Message]) -> str:
        if "evening boat" in messages[-1].content:
            return answer([STEERED, ("Odo Past", "bakes", "bread")], ["Tessary", "Atlantis"])
        return answer([("Ilka Renn", "born in", "Upper Mossling")])

    model = ScriptedModel(says)
    steps: list[tuple[int, int]] = []
    report = memory.facts.extract(ModelExtractor(model), progress=lambda *step: steps.append(step))
    assert (report.read, report.failed, report.facts, report.dropped) == (2, 0, 2, 1)
    assert steps == [(1, 2), (2, 2)]
    assert triples(memory) == {STEERED, ("Ilka Renn", "born in", "Upper Mossling")}
    (reading,) = memory.list(kind="extraction", user="ada", limit=1)
    assert isinstance(reading, Extraction)
    assert memory.facts.extract(ModelExtractor(model)).read == 0
    assert len(model.asked) == 2
    memory.add(SHEEP)
    assert memory.facts.state("model:scripted").pending == 1


def test_a_fact_that_a_model_repeats_in_other_letters_is_one(memory: Memory) -> None:
    memory.add(BOAT)
    shouted = tuple(part.upper() for part in STEERED)
    model = ScriptedModel([answer([STEERED, shouted, STEERED])])
    memory.facts.extract(ModelExtractor(model))
    assert triples(memory) == {STEERED}


@pytest.mark.parametrize(
    "broken",
    ["The boat is steered by Ilka.", '{"facts": [["a", "b', '{"facts": [["a", "b"]]}', "[]"],
)
def test_a_model_that_answers_otherwise_is_noted_and_can_be_asked_again(
    memory: Memory, broken: str
) -> None:
    memory.add(BOAT)
    memory.add(BIRTH)
    is_well = False

    def says(messages: Sequence[Message]) -> str:
        is_first = "evening boat" in messages[1].content
        return broken if is_first and not is_well else answer([])

    extractor = ModelExtractor(ScriptedModel(says))
    report = memory.facts.extract(extractor)
    assert (report.read, report.failed, report.remaining) == (2, 1, 0)
    found = memory.store.examine()
    assert found.is_healthy
    assert any("1 passages read, 1 failed" in note for note in found.notes)
    assert any("SchemaViolation" in note for note in found.notes)
    assert memory.facts.extract(extractor).read == 0
    is_well = True
    report = memory.facts.extract(extractor, retry=True)
    assert (report.read, report.failed) == (1, 0)
    assert memory.facts.state(extractor.name).failed == 0
    assert memory.search("boat", mode="graph").hits


def test_an_outage_ends_the_run_and_loses_nothing(memory: Memory) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(6)])
    model = ScriptedModel([answer([STEERED])] * 4)
    with pytest.raises(ModelUnavailable, match="ended after 4"):
        memory.facts.extract(ModelExtractor(model), workers=1)
    state = memory.facts.state("model:scripted")
    assert (state.done, state.failed, state.pending) == (4, 0, 2)
    again = ScriptedModel([answer([])] * 2)
    assert memory.facts.extract(ModelExtractor(again), workers=1).read == 2
    assert memory.store.examine().problems == ()


def test_a_run_can_be_stopped_and_goes_on(memory: Memory) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(5)])
    extractor = ModelExtractor(ScriptedModel(lambda _: answer([])))
    first = memory.facts.extract(extractor, workers=1, should_stop=lambda: True)
    assert 1 <= first.read <= 2  # and the one under way
    second = memory.facts.extract(extractor, limit=2)
    assert second.remaining == 3 - first.read
    assert memory.facts.extract(extractor).read == second.remaining


def test_only_one_run_at_a_time_works_on_a_memory(memory: Memory) -> None:
    memory.add(BOAT)
    entered, leave = threading.Event(), threading.Event()

    def says(_: Sequence[Message]) -> str:
        entered.set()
        leave.wait(30)
        return answer([])

    extractor = ModelExtractor(ScriptedModel(says))
    running = threading.Thread(target=memory.facts.extract, args=(extractor,))
    running.start()
    entered.wait(30)
    with Memory(memory.path) as other, pytest.raises(StoreBusy, match="another run"):
        other.facts.extract(extractor)
    leave.set()
    running.join()
    assert memory.facts.state(extractor.name).done == 1


KILLED = """
import os, sys
from agentcl import Memory
from agentcl.memory.facts.extraction import ModelExtractor
from agentcl.models import ScriptedModel
calls = open(sys.argv[2], "a", buffering=1)
count = 0
def says(messages):
    global count
    count += 1
    calls.write(messages[-1].content.splitlines()[0] + "\\n")
    if count == 7:
        os.kill(os.getpid(), 9)
    return '{"facts": []}'
with Memory(sys.argv[1], encoder="hashing") as memory:
    memory.facts.extract(ModelExtractor(ScriptedModel(says)), workers=1)
"""


def test_what_was_read_before_a_kill_is_never_read_again(memory: Memory, tmp_path: Path) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(16)])
    calls = tmp_path / "calls"
    stored = rounds = 0
    while rounds < 12:
        rounds += 1
        command = [sys.executable, "-c", KILLED, str(memory.path), str(calls)]
        ended = subprocess.run(command, check=False).returncode
        state = memory.facts.state("model:scripted")
        assert state.done >= stored
        stored = state.done
        if ended == 0:
            break
    assert stored == 16
    asked = calls.read_text().splitlines()
    assert len(set(asked)) == 16
    # What was under way, or answered at that very moment, is asked again.
    assert len(asked) <= 16 + 2 * rounds
    assert memory.store.examine().problems == ()


def test_the_filter_of_facts_chooses_and_its_failure_is_told(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with Memory(tmp_path / "memory", encoder="minilm") as memory:
        document = memory.add(BOAT)
        memory.facts.add(document.id, [STEERED, ("Ilka Renn", "likes", "chess")])
        memory.add(BIRTH)
        question = "Who steers the evening boat?"
        plain = memory.search(question, mode="graph")
        assert [fact.is_kept for fact in plain.facts] == [True, True]
        assert "from 2 passages and 2 facts" in plain.way
        chosen = Recognition(ScriptedModel(['{"keep": [1, 9]}']))
        found = memory.search(question, mode="graph", recognise=chosen)
        assert [fact.is_kept for fact in found.facts] == [True, False]
        assert "the filter kept 1 of 2" in found.way
        broken = Recognition(ScriptedModel(lambda _: "the first one"))
        found = memory.search(question, mode="graph", recognise=broken)
        assert "the filter failed (SchemaViolation), all facts kept" in found.way
        assert (broken.asked, broken.failed) == (1, 1)
        nothing = Recognition(ScriptedModel(lambda _: '{"keep": []}'))
        found = memory.search(question, mode=PUBLISHED, recognise=nothing)
        assert found.way.startswith("dense alone: no fact is left")
        assert found.hits[0].text == BOAT


def test_a_chain_tells_how_a_hit_was_come_to(memory: Memory) -> None:
    memory.add(BOAT, title="Ferry")
    birth = memory.add(BIRTH, title="A life")
    memory.add(SHEEP, title="Hills")
    memory.facts.add(birth.id, [("Ilka Renn", "was born in", "Upper Mossling")])
    recall = memory.search("who steers the evening boat to Tessary?", mode="graph")
    chains = {
        hit.title: chain for hit, chain in zip(recall, memory.graph.explain(recall), strict=True)
    }
    assert [step.kind for step in chains["Ferry"].steps] == ["question", "passage"]
    steps = chains["A life"].steps
    assert [step.kind for step in steps] == [
        "question", "passage", "fact", "phrase", "fact", "passage",
    ]  # fmt: skip
    assert steps[3].text == "ilka renn"
    assert steps[4].text == "Ilka Renn was born in Upper Mossling"
    assert "upper mossling" in [step.text for step in chains["Hills"].steps]
    assert " → ilka renn → " in str(chains["A life"])


def test_the_published_way_is_pagerank_over_all_passages_and_linked_phrases(memory: Memory) -> None:
    """The oracle is networkx, on restarts worked out by hand from the published constants."""
    import networkx as nx

    from agentcl.retrieval.graph.settings import HIPPORAG2
    from agentcl.retrieval.index import Query
    from agentcl.store.records import ScopeView

    facts = [STEERED, ("Ilka Renn", "born in", "Upper Mossling"), ("sheep", "in", "Upper Mossling")]
    for text, fact in zip((BOAT, BIRTH, SHEEP), facts, strict=True):
        memory.facts.add(memory.add(text).id, [fact])
    question = "who steers the evening boat?"
    found = memory.search(question, mode=PUBLISHED)
    dense = memory.search(question, mode="dense")
    graph = nx.Graph()
    query = Query(view=ScopeView(None, None, None, None))
    for u, v, weight in memory.store.retriever.graph.index.edges(query, HIPPORAG2.edges):
        graph.add_edge(u, v, weight=weight)
    scores = {f"#{hit.seq}": hit.parts[0].score for hit in dense}
    low, high = min(scores.values()), max(scores.values())
    restarts = {node: 0.05 * (score - low) / (high - low) for node, score in scores.items()}
    linked = found.facts
    least, most = linked[-1].score, linked[0].score
    shares: dict[str, list[float]] = {}
    for link in linked:
        scaled = (link.score - least) / (most - least)
        for phrase in (link.subject.casefold(), link.object.casefold()):
            naming = sum(phrase in {f[0].casefold(), f[2].casefold()} for f in facts)
            shares.setdefault(phrase, []).append(scaled / naming)
    means = {phrase: sum(of) / len(of) for phrase, of in shares.items()}
    for phrase in sorted(means, key=lambda p: -means[p])[:5]:
        restarts[phrase] = restarts.get(phrase, 0.0) + means[phrase]
    exact = nx.pagerank(graph, alpha=0.5, personalization=restarts, tol=1e-12, max_iter=500)
    assert [f"#{hit.seq}" for hit in found] == sorted(scores, key=lambda node: -exact[node])
    for hit in found:
        assert hit.score == pytest.approx(exact[f"#{hit.seq}"], abs=1e-6)
    assert found.way == "sweeps, compiled, from 3 passages and 3 facts"


def test_the_reference_model_reads_its_own_english(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    import random

    from agentcl.envs.names import Names
    from agentcl.models.reference.shipped import open_reference
    from training.worlds import make_world

    rng = random.Random(5)
    world = make_world(rng, Names(rng), passages=[(4,), (3,), (4,)])
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add_many([passage.text for passage in world.passages])
        report = memory.facts.extract(ModelExtractor(open_reference(), instructions=""), workers=1)
        assert (report.read, report.failed) == (3, 0)
        stated = {tuple(fact.triple()) for passage in world.passages for fact in passage.facts}
        assert len(triples(memory) & stated) >= 0.9 * len(stated)


def test_a_passage_that_the_endpoint_refuses_does_not_stop_the_others(memory: Memory) -> None:
    memory.add(BOAT)
    memory.add(BIRTH)

    def says(messages: Sequence[Message]) -> str:
        if "evening boat" in messages[-1].content:
            raise RequestRefused("the context is 1024 tokens, and 2000 were asked for")
        return answer([])

    report = memory.facts.extract(ModelExtractor(ScriptedModel(says)))
    assert (report.read, report.failed) == (2, 1)
    state = memory.facts.state("model:scripted")
    assert "RequestRefused: the context is 1024 tokens" in state.errors[0][0]


def test_good_facts_beside_bad_ones_are_kept_and_the_bad_ones_counted(memory: Memory) -> None:
    memory.add(BOAT)
    facts = [list(STEERED), ["the evening boat", "leaves"], "no fact", ["a", None, "b"], [1, 2, 3]]
    model = ScriptedModel([json.dumps({"facts": facts, "names": ["Tessary", 7]})])
    report = memory.facts.extract(ModelExtractor(model))
    assert (report.read, report.failed, report.facts) == (1, 0, 1)
    assert report.dropped == 5
    assert triples(memory) == {STEERED}


@pytest.mark.parametrize("notes", [4, 40])
def test_where_every_passage_is_refused_alike_the_run_ends_and_all_stay_to_be_read(
    memory: Memory, notes: int
) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(notes)])
    is_well = False

    def says(messages: Sequence[Message]) -> str:
        if not is_well:
            raise RequestRefused("the schema is refused")
        return answer([])

    model = ScriptedModel(says)
    with pytest.raises(RequestRefused, match="each was refused in the same words: the schema"):
        memory.facts.extract(ModelExtractor(model), workers=1)
    assert len(model.asked) == min(notes, 10)
    assert memory.facts.state("model:scripted").pending == notes
    is_well = True
    assert memory.facts.extract(ModelExtractor(model)).read == notes


def test_refusals_that_differ_or_come_later_are_noted_one_by_one(memory: Memory) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(30)])
    model = ScriptedModel(lambda messages: _refuse(f"{len(messages[-1].content)} {model.asked}"))
    report = memory.facts.extract(ModelExtractor(model), workers=1)
    assert (report.read, report.failed) == (30, 30)
    memory.add_many([f"{BOAT} Run {n}." for n in range(30)])
    later = ScriptedModel(lambda _: answer([]) if len(later.asked) < 3 else _refuse("full"))
    report = memory.facts.extract(ModelExtractor(later), workers=1)
    assert (report.read, report.failed) == (30, 28)


def test_one_passage_that_is_refused_alone_is_noted(memory: Memory) -> None:
    memory.add(BOAT)
    report = memory.facts.extract(ModelExtractor(ScriptedModel(lambda _: _refuse("too long"))))
    assert (report.read, report.failed, report.remaining) == (1, 1, 0)


def _refuse(why: str) -> str:
    raise RequestRefused(why)
