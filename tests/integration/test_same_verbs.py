"""One contract for a memory in this process and for one that a server serves, awaited and not."""

import asyncio
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import pytest

from agentcl import (
    ANY,
    UNCHANGED,
    AgentclError,
    AsyncClient,
    AsyncMemory,
    Client,
    Draft,
    Duplicate,
    InvalidInput,
    Lesson,
    Memory,
    MemoryClosed,
    NotFound,
    VersionConflict,
)
from agentcl.statements import RuleDigester
from agentcl.store import Compression, Document, Turn, Usage
from tests.hashed_codec import HashedCodec
from tests.served import served

Either = Memory | Client


class Awaited:
    """Something whose verbs are awaited, for a test that awaits none: each is run by a loop in a thread."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._target, self._loop = target, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return partial(self._run, found)
        if type(found).__name__.startswith("Async"):
            return Awaited(found, self._loop)
        return found if not callable(found) else lambda *a, **k: Awaited(found(*a, **k), self._loop)

    def _run(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(verb(*args, **kwargs), self._loop).result(60)

    def __enter__(self) -> Self:
        self._run(self._target.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._target.__aexit__, kind, error, traceback)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(params=["here", "served", "here awaited", "served awaited"])
def memory(
    request: pytest.FixtureRequest, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> Iterator[Either]:
    path = tmp_path / "m"
    if request.param == "here awaited":
        with Awaited(AsyncMemory(path, encoder="hashing"), loop) as awaited:
            yield cast("Memory", awaited)
        return
    with Memory(path, encoder="hashing") as memory:
        if request.param == "here":
            yield memory
            return
        memory.jobs.add_codec(HashedCodec())
        with served(memory) as address:
            if request.param == "served":
                with Client(address, tries=1) as client:
                    yield client
                return
            with Awaited(AsyncClient(address, tries=1), loop) as awaited:
                yield cast("Client", awaited)


def test_documents(memory: Either) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    added = memory.add(
        "Der Bär schläft. 🐻", title="Bär", uri="notes/1", metadata={"a": [1, None, {"b": 2.5}]},
        valid_from=moment, user="ada",
    )  # fmt: skip
    assert isinstance(added, Document)
    assert (added.valid_from, added.version) == (moment, 1)
    assert memory.get(added.id, user="ada") == memory.get(uri="notes/1", user="ada") == added
    assert (
        memory.add(
            "Der Bär schläft. 🐻",
            title="Bär",
            uri="notes/1",
            metadata=added.metadata,
            valid_from=moment,
            user="ada",
        )
        == added
    )
    updated = memory.update(
        added.id, title=UNCHANGED, text="Der Bär wacht.", if_version=1, user="ada"
    )
    assert (updated.title, updated.text, updated.version) == ("Bär", "Der Bär wacht.", 2)
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        memory.update(added.id, text="x", if_version=1, user="ada")
    assert memory.get(added.id, as_of=added.created_at, user="ada") == added
    assert [one.record for one in memory.history(added.id, user="ada")] == [added, updated]
    moved = memory.move("notes/1", "notes/2", user="ada")
    assert (moved.id, moved.uri) == (added.id, "notes/2")
    assert memory.list(prefix="notes/", user="ada") == [moved]
    passages = memory.store.passages(added.id, user="ada")
    assert "".join(one.text for one in passages) == moved.text
    memory.delete(uri="notes/2", user="ada")
    with pytest.raises(NotFound, match="no document with the uri"):
        memory.get(uri="notes/2", user="ada")
    receipt = memory.forget(added.id, user="ada")
    assert {one.id for one in receipt.removed} >= {added.id}
    assert memory.history(added.id, user="ada")[-1].op == "erase"


def test_many_documents_page_by_page(memory: Either) -> None:
    told: list[int] = []
    added = memory.add_many(
        ["one", Draft(text="two", metadata={"n": 2}), "three"], progress=told.append
    )
    assert [one.text for one in added] == ["one", "two", "three"]
    assert told[-1] == 3
    first = memory.list(limit=2)
    assert first == added[:2]
    memory.update(added[1].id, title="changed")
    assert [one.id for one in memory.list(after=first[-1])] == [added[2].id, added[1].id]
    with pytest.raises(Duplicate):
        memory.add("one", duplicates="error")
    assert memory.store.stats().records["document"] == 3
    assert memory.store.counters(added[0].id).repeats == 0
    assert memory.store.credit(added[0].id, uses=2, wins=1).wins == 1


def test_search(memory: Either) -> None:
    memory.add("The ferry to Tessary leaves at seven.", metadata={"lang": "en"})
    memory.add("Die Fähre fährt um sieben.", metadata={"lang": "de"})
    found = memory.search("ferry Tessary", filters={"lang": "en"}, limit=3)
    assert [hit.text for hit in found] == ["The ferry to Tessary leaves at seven."]
    assert "ferry" in found.hits[0].matched_terms
    assert "ferry" in found.prompt(budget_tokens=200)
    assert found.hits[0].parts
    assert memory.search("ferry", mode="text", valid_at=ANY).hits
    assert not memory.search("ferry", as_of=datetime(2020, 1, 1, tzinfo=UTC)).hits
    graph = memory.search("Where does the ferry to Tessary go?", mode="graph")
    assert {one.hit for one in memory.graph.explain(graph)} == {hit.id for hit in graph}
    assert memory.graph.stats().passages == 2
    with pytest.raises(NotFound):
        memory.graph.near("Atlantis")


def test_conversations_and_what_holds(memory: Either) -> None:
    ada = memory.scoped(user="ada")
    said_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    messages: list[dict[str, object]] = [
        {"role": "user", "content": "I live in Gent.", "time": said_at},
        {"role": "assistant", "content": "A fine town."},
    ]
    said = ada.remember(messages, session="chat-1", title="Towns")
    assert (len(said.turns), said.known) == (2, 0)
    assert ada.remember(messages, session="chat-1").known == 2
    assert isinstance(said.turns[0], Turn)
    assert said.turns[0].moment == said_at
    assert [one.title for one in ada.conversations.list()] == ["Towns"]
    assert ada.conversations.turns(session="chat-1") == [*said.turns]
    hit = ada.search("Gent").hits[0]
    assert ada.conversations.around(hit)[0] == said.turns[0]
    corrected = ada.conversations.correct(said.turns[1].id, "A fine old town.")
    assert ada.conversations.turns(session="chat-1") == [said.turns[0], corrected]
    assert "Gent" in ada.context("Where do I live?").text
    report = ada.statements.digest(RuleDigester())
    assert (report.read, report.remaining) == (2, 0)
    held = ada.statements.list(subject="user")
    assert [one.value for one in held] == ["Gent"]
    assert "Gent" in ada.context("Where do I live?", form="statements", session="other").text
    ada.remember("I moved to Oslo.", session="chat-2")
    ada.statements.digest(RuleDigester())
    assert [one.value for one in ada.statements.list(subject="user")] == ["Oslo"]
    history = ada.statements.history(held[0])
    assert [one.value for one in history] == ["Gent", "Oslo"]
    assert ada.statements.why(history[0].id) == [said.turns[0]]
    assert ada.statements.search("home")[0].statement.value == "Oslo"
    given = ada.statements.add("user", "drink", "tea", sort="preference")
    assert ada.statements.get(given.id).value == "tea"
    assert "Oslo" in ada.profile().text
    assert ada.statements.contradictions() == []
    assert ada.statements.tidy().job
    assert {one.scope.user for one in ada.statements.summaries()} == {"ada"}
    ada.statements.undo(given.id)
    with pytest.raises(NotFound):
        ada.statements.get(given.id)


def test_episodes_and_lessons(memory: Either) -> None:
    told = memory.lessons.add(Lesson("a queue is slow", "do", "drain it"), application="incidents")
    with memory.episode("clear it", application="incidents", seed=1) as episode:
        recalled = episode.recall("A queue is slow.", actions=["drain it", "wait"])
        assert len([*recalled.lessons, *recalled.withheld]) == 1
        assert isinstance(recalled.why_not(told.id), str)
        step = episode.step("A queue is slow.", "drain it", "it is fast", reward=1.0)
        assert (step.ordinal, step.episode_id) == (0, episode.id)
        episode.spend("student", Usage(1, 20, 5))
        ended = episode.finish(1.0)
    assert episode.is_over
    assert (ended.score, ended.is_success, ended.steps) == (1.0, True, 1)
    assert ended.usage["student"].tokens == 25
    assert [*memory.episodes.list()] == [ended]
    assert memory.episodes.steps(ended.id) == [step]
    assert memory.episodes.replay(ended.id).episode == ended
    with pytest.raises(InvalidInput, match="ferry"), memory.episode("another") as broken:
        raise InvalidInput("the ferry is late")
    assert broken.record.status == "interrupted"
    with memory.episode("unjudged") as open_one:
        pass
    assert memory.episodes.score(open_one.id, 0.25).score == 0.25
    reflection = memory.lessons.reflect([Lesson("it rains", "avoid", "sail")], episode=ended)
    assert reflection.sources == (ended.id,)
    standing = memory.lessons.get(told.id)
    assert standing.guidance == told
    assert memory.lessons.why(told.id).standing == standing
    assert [one.lesson for one in memory.lessons.matching("A queue is slow.")] == [told]
    assert memory.lessons.retire(told.id, reason="old").what == "retire"
    assert memory.lessons.get(told.id).belief.stage == "retired"
    with pytest.raises(InvalidInput, match="is no lesson"):
        memory.lessons.add("Drain slow queues.")


def test_facts_and_jobs(memory: Either) -> None:
    noted = memory.add("Ada lives in Tessary.")
    assert memory.facts.add(noted.id, [("Ada", "lives in", "Tessary")]) == 1
    assert [one.name for one in memory.graph.path("Ada", "Tessary") if one.kind == "phrase"] == [
        "ada",
        "tessary",
    ]
    memory.remember("I like tea.", user="ada")
    job = memory.jobs.enqueue("digest", {"digester": "rules"})
    assert memory.jobs.list() == [job]
    assert not memory.jobs.is_cut_off(job)
    assert memory.jobs.cancel(job.id).state == "cancelled"
    assert memory.jobs.retry(job.id).state == "queued"
    assert memory.jobs.price("digest", {"digester": "rules"}).units == 1
    assert memory.jobs.run_all() == []
    assert memory.store.reembed("hashing:64") is True
    assert memory.store.examine().problems == ()


def test_compressed_memories(memory: Either) -> None:
    noted = memory.add(
        "The ferry to Tessary leaves the old quay at seven in the morning.", user="ada"
    )
    ada = memory.scoped(user="ada")
    report = ada.compressed.compress(HashedCodec())
    assert (report.compressed, report.as_text) == (1, {})
    (one,) = ada.compressed.list()
    assert isinstance(one, Compression)
    assert ada.compressed.explain(noted.id) == [ada.compressed.get(one.passage_id)]
    assert [state.passages for state in ada.compressed.state()] == [1]
    assert memory.compressed.ways() == {}


def test_a_scope_that_is_bound_is_not_left(memory: Either) -> None:
    ada, bob = memory.scoped(user="ada"), memory.scoped(user="bob")
    hers = ada.add("Ada is allergic to nuts.")
    assert hers.scope.user == "ada"
    with pytest.raises(NotFound):
        bob.get(hers.id)
    for wider in ({"user": "bob"}, {"user": ANY}):
        with pytest.raises(InvalidInput, match="bound to"):
            ada.search("x", **wider)
    with pytest.raises(InvalidInput, match="bound to"):
        ada.scoped(user="bob")
    with pytest.raises(InvalidInput, match="reaches beyond"):
        ada.store.reembed("hashing:64")
    job = bob.jobs.enqueue("digest", {"digester": "rules"})
    with pytest.raises(NotFound):
        ada.jobs.get(job.id)
    spaced = memory.add("x", user=" ada ")
    assert memory.get(spaced.id, user=" ada ").scope.user == " ada "
    ada.forget(everything=True)
    assert [one.id for one in memory.list(user=ANY)] == [spaced.id]


WRONG: dict[str, Callable[[Any], object]] = {
    "an empty text": lambda memory: memory.add(" "),
    "a number as a text": lambda memory: memory.add(5),
    "bytes": lambda memory: memory.add(b"x"),
    "half a surrogate pair": lambda memory: memory.add("\ud800"),
    "metadata that JSON changes": lambda memory: memory.add(
        "x", metadata={"at": datetime.now(UTC)}
    ),
    "metadata that is none": lambda memory: memory.add("x", metadata=[1]),
    "not a number": lambda memory: memory.add("x", metadata={"n": math.nan}),
    "a vector of nothing": lambda memory: memory.add("x", vector=[math.nan, 1.0]),
    "a moment without zone": lambda memory: memory.search("x", as_of=datetime(2026, 1, 1)),  # noqa: DTZ001
    "validity that ends before it begins": lambda memory: memory.add(
        "x", valid_from=datetime(2026, 1, 2, tzinfo=UTC), valid_to=datetime(2026, 1, 1, tzinfo=UTC)
    ),
    "an empty question": lambda memory: memory.search(""),
    "an unknown mode": lambda memory: memory.search("x", mode="grap"),
    "an unknown operator": lambda memory: memory.search("x", filters={"a": {"gt3": 1}}),
    "a limit of nothing": lambda memory: memory.search("x", limit=0),
    "a limit that is true": lambda memory: memory.search("x", limit=True),
    "nobody": lambda memory: memory.search("x", user=None),
    "an empty user": lambda memory: memory.add("x", user=""),
    "everybody on a write": lambda memory: memory.add("x", user=ANY),
    "neither id nor uri": lambda memory: memory.get(),
    "an unknown kind": lambda memory: memory.list(kind="documents"),
    "a message without a role": lambda memory: memory.remember([{"content": "x"}]),
    "a text as drafts": lambda memory: memory.add_many("abc"),
    "messages as drafts": lambda memory: memory.add_many([{"role": "user", "content": "x"}]),
    "a score beyond one": lambda memory: memory.episodes.score("x", 2.0),
    "an unknown kind of job": lambda memory: memory.jobs.enqueue("read", {}),
    "nothing to forget": lambda memory: memory.forget(),
    "an id that is none": lambda memory: memory.get("no such id"),
    "a deleted id": lambda memory: memory.delete("no such id"),
    "an unknown argument": lambda memory: memory.search("x", limt=3),
    "no argument": lambda memory: memory.search(),
    "a wrong length of time": lambda memory: memory.get("x", as_of=timedelta(1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_raises_the_same_error(tmp_path: Path, name: str) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as here:
        kept = here.add("It stays.")
        with pytest.raises((AgentclError, TypeError)) as own:
            WRONG[name](here)
        with served(here) as address, Client(address, tries=1) as client:
            with pytest.raises(type(own.value)):
                WRONG[name](client)
            assert client.list() == [kept]

            async def wrong() -> None:
                async with AsyncClient(address, tries=1) as awaited:
                    await WRONG[name](awaited)  # type: ignore[misc]  # each is a verb

            with pytest.raises(type(own.value)):
                asyncio.run(wrong())


def test_what_was_closed_says_so(memory: Either) -> None:
    with memory.scoped(user="ada") as handle:
        handle.add("x")
    assert len(memory.list(user="ada")) == 1
    memory.close()
    memory.close()
    with pytest.raises(MemoryClosed):
        memory.list()


def test_a_context_and_a_prompt_show_the_sentences_that_answer(memory: Either) -> None:
    filler = "Nobody knows who built the old mill. The church has two towers. " * 6
    memory.add(f"{filler}The ferry to Hallin leaves at seven. {filler}", title="Guide", user="ada")
    asked = "When does the ferry leave?"
    found = memory.context(asked, budget_tokens=120, form="sentences", user="ada")
    assert "leaves at seven" in found.text
    assert found.shown[0].spans
    assert found.cut_tokens > 0
    cut = memory.context(asked, budget_tokens=120, form="whole", user="ada", session="x")
    assert "leaves at seven" not in cut.text
    recall = memory.search(asked, user="ada")
    assert recall.weights["ferry"] > 0
    packed = recall.pack(budget_tokens=60)
    (quote,) = packed.quotes
    assert quote.id == recall.hits[0].id
    said = [recall.hits[0].text[start:end] for start, end in quote.spans]
    assert any("leaves at seven" in one for one in said)
    assert "leaves at seven" not in recall.prompt(budget_tokens=60, form="whole")
    with pytest.raises(InvalidInput, match="form"):
        memory.context(asked, form="short", user="ada")  # type: ignore[arg-type]
