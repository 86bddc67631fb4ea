"""Long work of a memory: jobs that are seen, priced, stopped, killed, gone on with, and never done twice."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentcl import (
    ANY,
    AsyncMemory,
    InvalidInput,
    Memory,
    ModelExtractor,
    ModelUnavailable,
    NotEquipped,
    NotFound,
    ScriptedModel,
    StoreBusy,
)
from agentcl.jobs import Job, Price, Progress
from agentcl.retrieval.encoders import HashingEncoder
from agentcl.store import Scope

NOTHING = '{"facts": []}'
BOAT = "The evening boat is steered by Ilka Renn."


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def reader(*, after: int | None = None) -> ModelExtractor:
    """Return an extractor whose model is there for so many passages."""
    model = ScriptedModel((lambda _: NOTHING) if after is None else [NOTHING] * after)
    return ModelExtractor(model)


def fill(memory: Memory, count: int) -> None:
    memory.add_many([f"{BOAT} Trip {n}." for n in range(count)])


def test_an_extraction_is_a_job_with_its_price_and_how_far_it_came(memory: Memory) -> None:
    fill(memory, 3)
    report = memory.facts.extract(reader())
    (job,) = memory.jobs.list()
    assert job == memory.jobs.get(report.job)
    assert (job.kind, job.state, job.done, job.total) == ("extract", "done", 3, 3)
    assert job.spec == {"extractor": "model:scripted", "retry": False, "limit": None}
    assert job.price is not None
    assert job.price.units == 3
    assert job.price.tokens is not None
    assert job.price.tokens > 3 * len(BOAT) / 8
    assert memory.facts.extract(reader()).job != job.id  # what is done is not begun again
    assert [one.state for one in memory.jobs.list()] == ["done"] * 2


def test_a_job_that_failed_says_why_and_the_same_call_goes_on_with_it(memory: Memory) -> None:
    fill(memory, 5)
    with pytest.raises(ModelUnavailable):
        memory.facts.extract(reader(after=2), workers=1)
    (job,) = memory.jobs.list()
    assert (job.state, job.done, job.total) == ("failed", 2, 5)
    assert job.error.startswith("ModelUnavailable: ")
    report = memory.facts.extract(reader())
    assert (report.job, report.read) == (job.id, 3)
    assert memory.jobs.get(job.id).attempts == 2


def test_a_stopped_job_waits_and_is_run_by_who_has_its_extractor(memory: Memory) -> None:
    fill(memory, 5)
    report = memory.facts.extract(reader(), workers=1, should_stop=lambda: True)
    job = memory.jobs.get(report.job)
    assert job.state == "queued"
    with pytest.raises(NotEquipped, match=r"'model:scripted'.*add_extractor"):
        memory.jobs.run(job.id)
    assert memory.jobs.run_all() == []
    waits = memory.jobs.get(job.id)
    assert waits.state == "queued"
    assert "add_extractor" in waits.error
    with pytest.raises(InvalidInput, match="at least 1"):
        memory.jobs.add_extractor(reader(), workers=0)
    memory.jobs.add_extractor(reader(), workers=1)
    steps: list[tuple[int, int]] = []
    done = memory.scoped(user="ada").jobs  # does not see it
    with pytest.raises(NotFound):
        done.run(job.id)
    assert memory.jobs.run(job.id, progress=lambda *step: steps.append(step)).state == "done"
    assert steps == [(n, 4) for n in (1, 2, 3, 4)]
    assert memory.facts.state("model:scripted").pending == 0


def test_jobs_are_asked_for_now_and_run_later(memory: Memory) -> None:
    fill(memory, 3)
    spec = {"extractor": "model:scripted", "limit": 2}
    assert memory.jobs.price("extract", spec).units == 2
    assert memory.jobs.list() == []
    job = memory.jobs.enqueue("extract", spec)
    again = memory.jobs.enqueue("extract", spec)
    assert memory.jobs.cancel(again.id).state == "cancelled"
    assert memory.jobs.list(states=["queued"]) == [job]
    memory.jobs.add_extractor(reader())
    (done,) = memory.jobs.run_all()
    assert (done.id, done.state, done.total) == (job.id, "done", 2)
    assert memory.jobs.retry(again.id).state == "queued"
    assert [one.total for one in memory.jobs.run_all()] == [1]


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("extract", {}, "needs `extractor`"),
        ("extract", {"extractor": "x", "limit": -1}, "a number"),
        ("extract", {"extractor": "x", "retry": "yes"}, "true or false"),
        ("reembed", {}, "needs `encoder`"),
        ("reembed", {"encoder": 3}, "needs `encoder`"),
        ("extrakt", {}, "did you mean 'extract'"),
    ],
)
def test_what_cannot_be_done_is_not_asked_for(
    memory: Memory, kind: str, spec: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        memory.jobs.enqueue(kind, spec)
    assert memory.jobs.list() == []
    with pytest.raises(InvalidInput, match="at least 1"):
        memory.facts.extract(reader(), workers=0)
    assert memory.jobs.list() == []


def test_a_handle_sees_and_asks_for_the_jobs_of_its_scope(memory: Memory) -> None:
    ada, bob = memory.scoped(user="ada"), memory.scoped(user="bob")
    memory.add(BOAT)
    ada.add(BOAT, session="s1")
    bob.add(BOAT)
    assert ada.facts.extract(reader(), agent=ANY).read == 1
    (job,) = ada.jobs.list()
    assert job.scope == Scope(user="ada")
    spec = {"extractor": "model:scripted"}
    below = ada.jobs.enqueue("extract", spec, session="s1")
    assert ada.jobs.list() == memory.jobs.list() == [job, below]
    assert ada.jobs.list(session="s1") == [below]
    assert bob.jobs.list() == []
    for refuse in (bob.jobs.get, bob.jobs.cancel, bob.jobs.retry, bob.jobs.run):
        with pytest.raises(NotFound):
            refuse(job.id)
    with pytest.raises(InvalidInput, match="no scope"):
        ada.jobs.enqueue("reembed", {"encoder": "hashing:64"})
    ada.forget(everything=True)
    assert memory.jobs.list() == []


class Slow(HashingEncoder):
    """An encoder under a name of its own that does something before each batch."""

    name = "slow"

    def __init__(self, at: Callable[[], object]) -> None:
        super().__init__(64)
        self.name = "slow"
        self._at = at

    def encode(self, texts: Sequence[str], *, role: Any) -> list[bytes]:
        self._at()
        return super().encode(texts, role=role)


def test_embedding_anew_is_a_job_that_can_be_cancelled_and_gone_on_with(memory: Memory) -> None:
    fill(memory, 600)
    before = memory.store.stats().encoder

    def cancel() -> None:
        (job,) = memory.jobs.list()
        memory.jobs.cancel(job.id)

    assert not memory.store.reembed(Slow(cancel))
    (job,) = memory.jobs.list()
    assert (job.state, job.done, job.total) == ("cancelled", 256, 600)
    assert memory.store.stats().encoder == before
    assert memory.search("boat", mode="dense").hits
    memory.jobs.retry(job.id)
    with pytest.raises(NotEquipped, match=r"'slow'.*memory.store.reembed"):
        memory.jobs.run(job.id)
    assert memory.store.reembed(Slow(lambda: None))
    (done,) = memory.jobs.list()
    assert (done.id, done.state, done.done, done.total) == (job.id, "done", 344, 344)
    assert memory.store.encoder.name == "slow"
    assert memory.store.examine().problems == ()


def test_a_reembed_job_is_priced_without_touching_one_that_is_under_way(memory: Memory) -> None:
    fill(memory, 600)
    first = memory.jobs.enqueue("reembed", {"encoder": "hashing:64"})
    assert first.price == Price(600)
    assert memory.jobs.run(first.id, should_stop=lambda: True).state == "queued"
    assert memory.jobs.price("reembed", {"encoder": "hashing:32"}) == Price(600)
    assert memory.jobs.price("reembed", {"encoder": "hashing:64"}) == Price(600 - 256)
    (done,) = memory.jobs.run_all()
    assert (done.state, done.done) == ("done", 600 - 256)
    assert memory.store.encoder.name == "hashing:64"
    assert memory.search("boat", mode="dense").hits


def test_vectors_are_never_replaced_twice_at_once(memory: Memory) -> None:
    fill(memory, 2)
    refused: list[StoreBusy] = []

    def again() -> None:
        with Memory(memory.path) as other, pytest.raises(StoreBusy, match="another run") as caught:
            other.store.reembed("hashing:32")
        refused.append(caught.value)

    memory.store.reembed(Slow(again))
    assert len(refused) == 1
    assert len(memory.jobs.list()) == 1


class Shout:
    """Writes down the word of a job."""

    name = "shout"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        return Price(1)

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        self.heard.append(f"{job.spec['word']} {job.scope.user}")
        progress(1, 1)


def test_a_memory_runs_kinds_that_it_is_given(memory: Memory) -> None:
    shout = Shout()
    ada = memory.scoped(user="ada")
    with pytest.raises(InvalidInput, match="known: compress, digest, extract, reembed"):
        ada.jobs.enqueue("shout", {"word": "ahoy"})
    memory.jobs.add_kind(shout)
    job = ada.jobs.enqueue("shout", {"word": "ahoy"})
    assert [one.state for one in memory.jobs.run_all()] == ["done"]
    assert shout.heard == ["ahoy ada"]
    assert memory.jobs.get(job.id).done == 1
    shout.name = "extract"
    with pytest.raises(InvalidInput, match="itself"):
        memory.jobs.add_kind(shout)


KILLED = """
import os, sys
from agentcl import Memory, ModelExtractor, ScriptedModel
count = 0
def says(messages):
    global count
    count += 1
    if count == 4:
        os.kill(os.getpid(), 9)
    return '{"facts": []}'
with Memory(sys.argv[1], encoder="hashing") as memory:
    memory.facts.extract(ModelExtractor(ScriptedModel(says)), workers=1)
"""


@pytest.mark.parametrize("how", ["the verb", "the room"])
def test_a_killed_job_is_gone_on_with(memory: Memory, how: str) -> None:
    fill(memory, 6)
    command = [sys.executable, "-c", KILLED, str(memory.path)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -9
    (job,) = memory.jobs.list()
    assert job.state == "running"
    memory.jobs.add_extractor(reader())
    memory.facts.extract(reader()) if how == "the verb" else memory.jobs.run(job.id)
    (done,) = memory.jobs.list()
    assert (done.id, done.state, done.attempts) == (job.id, "done", 2)
    assert (done.done, done.total, done.price and done.price.units) == (3, 3, 3)


def test_jobs_are_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncMemory(tmp_path / "m", encoder="hashing") as memory:
            await memory.add(BOAT, user="ada")
            jobs = memory.scoped(user="ada").jobs
            await jobs.add_extractor(reader())
            spec = {"extractor": "model:scripted"}
            assert (await jobs.price("extract", spec)).units == 1
            job = await jobs.enqueue("extract", spec)
            await jobs.cancel(job.id)
            await jobs.retry(job.id)
            assert [one.state for one in await jobs.run_all()] == ["done"]
            assert (await jobs.get(job.id)).done == 1
            with pytest.raises(InvalidInput, match="is done"):
                await jobs.run(job.id)
            assert len(await jobs.list()) == 1

    asyncio.run(main())
