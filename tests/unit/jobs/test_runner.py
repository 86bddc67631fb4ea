"""Jobs: asked for, priced, run by one at a time, cut off anywhere and gone on with."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentcl.errors import InvalidInput, ModelUnavailable, NotEquipped, NotFound, StoreBusy
from agentcl.jobs import Job, Price, Progress, Queue, Runner, State, work
from agentcl.store import Document, Scope, Store, open_store

ADA = Scope(user="ada")


class Count:
    """Makes a document of each number below `spec["to"]`, and logs each that it begins."""

    name = "count"

    def __init__(
        self, store: Store, log: Path, *, at: Callable[[int], None] = lambda n: None
    ) -> None:
        self._store = store
        self._log = log
        self._at = at  # called with each number

    def price(self, spec: Mapping[str, Any], *, scope: Scope) -> Price:
        """Ten tokens for each."""
        units = len(self._pending(spec, scope))
        return Price(units, 10 * units)

    def run(self, job: Job, *, progress: Progress, should_stop: Callable[[], bool]) -> None:
        """Make what is missing."""
        todo = self._pending(job.spec, job.scope)
        done = 0

        def do(n: int) -> int:
            with self._log.open("a") as log:
                log.write(f"{n}\n")
            self._at(n)
            return n

        def keep(numbers: Sequence[int]) -> None:
            nonlocal done
            with self._store.writing() as writing:
                for n in numbers:
                    writing.create(Document(id="", text=str(n), key=str(n), scope=job.scope))
            done += len(numbers)
            progress(done, len(todo))

        work(todo, do, keep=keep, workers=job.spec.get("workers", 1), should_stop=should_stop)

    def _pending(self, spec: Mapping[str, Any], scope: Scope) -> list[int]:
        if "to" not in spec:
            raise InvalidInput("say where to count to")
        held = {row.key for row in self._store.live(view=scope.exactly(), kinds=("document",))}
        return [n for n in range(spec["to"]) if str(n) not in held]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").touch()
    return tmp_path / "log"


def logged(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()]


def counted(store: Store, scope: Scope = ADA) -> list[int]:
    rows = store.live(view=scope.exactly(), kinds=("document",))
    return sorted(int(row.key or "") for row in rows)


def test_a_job_is_priced_when_it_is_asked_for_and_again_when_it_begins(
    store: Store, log: Path
) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    assert runner.price("count", {"to": 4}, scope=ADA) == Price(4, 40)
    job = runner.enqueue("count", {"to": 4}, scope=ADA)
    assert (job.state, job.price) == ("queued", Price(4, 40))
    assert logged(log) == []
    with store.writing() as writing:
        writing.create(Document(id="", text="", key="2", scope=ADA))
    steps: list[tuple[int, int]] = []
    done = runner.run(job.id, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert (done.state, done.price, done.done, done.total) == ("done", Price(3, 30), 3, 3)
    assert done.started_at is not None
    assert done.ended_at is not None
    assert job.created_at < done.started_at < done.ended_at
    assert runner.queue.list() == [done]
    assert logged(log) == [0, 1, 3]
    assert counted(store) == [0, 1, 2, 3]
    with pytest.raises(InvalidInput, match="is done"):
        runner.run(job.id)


def test_what_cannot_be_done_is_refused_before_it_is_asked_for(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    with pytest.raises(InvalidInput, match="where to count to"):
        runner.enqueue("count", {}, scope=ADA)
    with pytest.raises(InvalidInput, match="'dream'; known: count"):
        runner.enqueue("dream", {}, scope=ADA)
    assert runner.queue.list() == []
    job = runner.queue.enqueue("count", {}, scope=ADA)
    with pytest.raises(InvalidInput, match="where to count to"):
        runner.run(job.id)
    failed = runner.queue.get(job.id)
    assert (failed.state, failed.error) == ("failed", "InvalidInput: say where to count to")


def test_data_and_the_job_that_they_cause_come_together_or_not_at_all(
    store: Store, log: Path
) -> None:
    for is_undone in (True, False):
        try:
            with store.writing() as writing:
                writing.create(Document(id="", text="", key="0", scope=ADA))
                writing.enqueue("count", {"to": 2}, scope=ADA)
                if is_undone:
                    raise TimeoutError
        except TimeoutError:
            assert counted(store) == []
            assert Queue(store).list() == []
    (job,) = Runner(Queue(store), [Count(store, log)]).run_all()
    assert (job.state, job.price) == ("done", Price(1, 10))
    assert counted(store) == [0, 1]
    assert logged(log) == [1]


def test_a_failure_is_recorded_with_its_reason_and_retried_from_where_it_was(
    store: Store, log: Path
) -> None:
    is_broken = [True]

    def at(n: int) -> None:
        if n == 2 and is_broken[0]:
            raise ModelUnavailable("nobody answers")

    queue = Queue(store)
    runner = Runner(queue, [Count(store, log, at=at)])
    job = runner.enqueue("count", {"to": 4}, scope=ADA)
    with pytest.raises(ModelUnavailable):
        runner.run(job.id)
    failed = queue.get(job.id)
    assert (failed.state, failed.error) == ("failed", "ModelUnavailable: nobody answers")
    assert (failed.done, failed.total, failed.attempts) == (2, 4, 1)
    assert failed.ended_at is not None
    assert runner.run_all() == []  # nobody asked for it again
    is_broken[0] = False
    assert queue.retry(job.id).state == "queued"
    (done,) = runner.run_all()
    assert (done.state, done.error, done.attempts) == ("done", "", 2)
    assert logged(log) == [0, 1, 2, 2, 3]
    with pytest.raises(InvalidInput, match="is done"):
        queue.retry(job.id)


def test_a_failed_job_may_be_run_at_once(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    job = runner.queue.enqueue("count", {"to": 1}, scope=ADA)
    runner.queue.cancel(job.id)
    assert runner.run(job.id).state == "done"


def test_one_that_fails_holds_up_no_other(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    queue = runner.queue
    queue.enqueue("count", {}, scope=ADA)
    queue.enqueue("of another program", {}, scope=ADA)
    queue.enqueue("count", {"to": 3}, scope=ADA)
    seen: list[tuple[int, int]] = []
    ran = runner.run_all(progress=lambda job, done, total: seen.append((job.spec["to"], done)))
    assert [job.state for job in ran] == ["failed", "done"]
    assert [job.state for job in queue.list()] == ["failed", "queued", "done"]
    assert seen == [(3, 1), (3, 2), (3, 3)]


def test_jobs_that_a_job_asks_for_are_run_too(store: Store, log: Path) -> None:
    queue = Queue(store)

    def at(n: int) -> None:
        if n == 1:
            queue.enqueue("count", {"to": 1}, scope=Scope())

    runner = Runner(queue, [Count(store, log, at=at)])
    runner.enqueue("count", {"to": 2}, scope=ADA)
    assert [job.spec["to"] for job in runner.run_all()] == [2, 1]
    assert counted(store, Scope()) == [0]


def test_a_stopped_run_goes_back_into_the_queue(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    job = runner.enqueue("count", {"to": 5}, scope=ADA)
    stopped = runner.run(job.id, should_stop=lambda: len(logged(log)) == 2)
    assert (stopped.state, stopped.done, stopped.ended_at) == ("queued", 2, None)
    assert runner.run_all(should_stop=lambda: True) == []
    assert [one.state for one in runner.run_all()] == ["done"]
    assert logged(log) == [0, 1, 2, 3, 4]


def test_an_interrupted_run_goes_back_into_the_queue(store: Store, log: Path) -> None:
    def at(n: int) -> None:
        if n == 1:
            raise KeyboardInterrupt

    runner = Runner(Queue(store), [Count(store, log, at=at)])
    job = runner.enqueue("count", {"to": 3}, scope=ADA)
    with pytest.raises(KeyboardInterrupt):
        runner.run(job.id)
    assert runner.queue.get(job.id).state == "queued"
    with store.lock("count"):
        pass


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_cancelled_by_somebody_else_stops_after_the_next_step(
    store: Store, log: Path, workers: int
) -> None:
    is_cancelled = threading.Event()
    with closing(open_store(store.folder)) as other:

        def at(n: int) -> None:
            if n == 3:
                Queue(other).cancel(job.id)
                is_cancelled.set()
            if n > 3:  # who writes without a pause would keep the other one waiting
                is_cancelled.wait(30)

        runner = Runner(Queue(store), [Count(store, log, at=at)])
        job = runner.enqueue("count", {"to": 100, "workers": workers}, scope=ADA)
        assert runner.run(job.id).state == "cancelled"
    assert counted(store) == sorted(logged(log))  # what was done is kept
    assert 4 <= len(logged(log)) < 20
    assert runner.run_all() == []
    assert runner.queue.cancel(job.id).state == "cancelled"
    assert runner.queue.retry(job.id).state == "queued"
    runner.queue.cancel(job.id)
    assert runner.run_all() == []


def test_a_job_goes_with_its_scope_while_it_is_run(store: Store, log: Path) -> None:
    def at(n: int) -> None:
        if n == 2:  # in the thread that keeps, so between two writes
            store.erase(store.ids(ADA.exactly()), view=ADA.exactly())

    runner = Runner(Queue(store), [Count(store, log, at=at)])
    job = runner.enqueue("count", {"to": 50}, scope=ADA)
    assert runner.run(job.id).state == "cancelled"
    assert len(logged(log)) == 3
    with pytest.raises(NotFound):
        runner.queue.get(job.id)


def test_what_this_process_cannot_do_waits_for_another(store: Store, log: Path) -> None:
    def at(n: int) -> None:
        raise NotEquipped("no abacus")

    here = Runner(Queue(store), [Count(store, log, at=at)])
    job = here.enqueue("count", {"to": 1}, scope=ADA)
    assert here.run_all() == []
    with pytest.raises(NotEquipped):
        here.run(job.id)
    waits = here.queue.get(job.id)
    assert (waits.state, waits.error) == ("queued", "NotEquipped: no abacus")
    (done,) = Runner(Queue(store), [Count(store, log)]).run_all()
    assert (done.state, done.error) == ("done", "")


def test_a_job_for_now_goes_on_with_one_that_was_asked_for_in_the_same_words(
    store: Store, log: Path
) -> None:
    queue = Queue(store)
    runner = Runner(queue, [Count(store, log)])
    is_broken = [True]

    def at(n: int) -> None:
        if n == 2 and is_broken[0]:
            raise ModelUnavailable("nobody answers")

    other = runner.enqueue("count", {"to": 4}, scope=Scope())
    with pytest.raises(ModelUnavailable):
        Runner(queue, [Count(store, log, at=at)]).run_now("count", {"to": 4}, scope=ADA)
    (_, failed) = queue.list()
    assert (failed.state, failed.done, failed.price) == ("failed", 2, Price(4, 40))
    done = runner.run_now("count", {"to": 4}, scope=ADA)
    assert (done.id, done.state, done.attempts, done.price) == (failed.id, "done", 2, Price(2, 20))
    again = runner.run_now("count", {"to": 4}, scope=ADA)
    assert again.id not in (done.id, other.id)
    assert logged(log) == [0, 1, 2, 2, 3]
    assert [job.state for job in queue.list()] == ["queued", "done", "done"]


def test_nothing_is_asked_for_that_cannot_be_run_now(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    with pytest.raises(InvalidInput, match="where to count to"):
        runner.run_now("count", {}, scope=ADA)
    with store.lock("count"), pytest.raises(StoreBusy):
        runner.run_now("count", {"to": 1}, scope=ADA)
    assert runner.queue.list() == []


def test_of_the_jobs_of_a_kind_and_scope_that_ended_the_newest_hundred_are_kept(
    store: Store, log: Path
) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    bob = runner.queue.enqueue("count", {"to": 0}, scope=Scope(user="bob"))
    runner.queue.cancel(bob.id)
    waits = runner.queue.enqueue("count", {"to": 1}, scope=ADA)
    ended = [runner.run_now("count", {"to": 0}, scope=ADA) for _ in range(103)]
    held = [job.id for job in runner.queue.list()]
    assert held == [bob.id, waits.id, *(job.id for job in ended[3:])]


def test_a_queue_shows_the_jobs_of_its_view_alone(store: Store) -> None:
    job = Queue(store).enqueue("count", {"to": 1}, scope=ADA)
    own, others = Queue(store, view=ADA.view()), Queue(store, view=Scope(user="bob").view())
    waiting: tuple[State, ...] = ("queued",)
    assert own.list() == own.list(states=waiting) == [job]
    assert others.list() == []
    for refuse in (others.get, others.cancel, others.retry):
        with pytest.raises(NotFound):
            refuse(job.id)
    assert own.get(job.id) == job


# In processes of their own

SCRIPT = """
import os, runpy, sys, time
from pathlib import Path
from agentcl.jobs import Queue, Runner
from agentcl.store import open_store

def at(n):
    if sys.argv[4] == "die" and n == 7:
        os.kill(os.getpid(), 9)
    if sys.argv[4] == "wait" and n == 7:
        Path(sys.argv[2] + ".waits").touch()
        time.sleep(600)

store = open_store(Path(sys.argv[1]))
Count = runpy.run_path(sys.argv[3])["Count"]
for job in Runner(Queue(store), [Count(store, Path(sys.argv[2]), at=at)]).run_all():
    print(job.state, flush=True)
"""


def start(store: Store, log: Path, how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, str(store.folder), str(log), __file__, how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_run_is_gone_on_with_and_nothing_kept_is_done_again(
    store: Store, log: Path, workers: int
) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    job = runner.enqueue("count", {"to": 30, "workers": workers}, scope=ADA)
    with start(store, log, "die") as process:
        process.wait(60)
    assert process.returncode == -9
    assert runner.queue.get(job.id).state == "running"  # nobody could note anything
    kept, begun = counted(store), logged(log)
    assert 7 in begun
    assert 7 not in kept
    (done,) = runner.run_all()
    assert (done.state, done.attempts) == ("done", 2)
    assert counted(store) == list(range(30))
    assert sorted(logged(log)[len(begun) :]) == [n for n in range(30) if n not in kept]


def test_a_job_is_never_run_twice_at_the_same_time(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    job = runner.enqueue("count", {"to": 10}, scope=ADA)
    with start(store, log, "wait") as process:
        waits = Path(f"{log}.waits")
        deadline = time.monotonic() + 60
        while not waits.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert runner.queue.get(job.id).state == "running"
        with pytest.raises(StoreBusy, match="another run holds the lock 'count'"):
            runner.run(job.id)
        assert runner.run_all() == []
        assert runner.queue.get(job.id).state == "running"
        process.kill()
    assert [one.state for one in runner.run_all()] == ["done"]
    assert logged(log) == [*range(8), 7, 8, 9]


def test_processes_that_share_a_queue_do_each_thing_once(store: Store, log: Path) -> None:
    runner = Runner(Queue(store), [Count(store, log)])
    for to in (5, 10, 15, 20):
        runner.enqueue("count", {"to": to}, scope=ADA)
    processes = [start(store, log, "go") for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    runner.run_all()  # a process leaves a kind to another one that works on it
    assert {job.state for job in runner.queue.list()} == {"done"}
    assert sorted(logged(log)) == counted(store) == list(range(20))
