"""Counters add up, settings and jobs are kept, and a lock is held by one."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from agentcl.errors import InvalidInput, NotFound, StoreBusy
from agentcl.store.base import Store
from agentcl.store.jobs import Price
from agentcl.store.noting import noting
from agentcl.store.records import Scope, from_micros
from agentcl.store.rows import Counters
from agentcl.store.writing import Writing
from agentcl.testing.store.case import ADA, EVERYBODY, StoreCase, document


class CountingContract(StoreCase):
    """Counters add up, settings and jobs are kept, and a lock is held by one."""

    # Counters, settings, locks

    def test_counters_add_up_and_repeats_are_no_use(self, store: Store) -> None:
        (record,) = self.add(store, document("one"))
        with store.writing() as writing:
            writing.credit(record.id, repeats=1)
        assert store.counters(record.id) == Counters(repeats=1, last_used_at=None)
        with store.writing() as writing:
            writing.credit(record.id, uses=2, wins=1)
            writing.credit(record.id, losses=1)
            used = from_micros(writing.now)
        with store.writing() as writing:
            writing.credit(record.id, repeats=2)
        assert store.counters(record.id) == Counters(2, 1, 1, last_used_at=used, repeats=3)
        assert store.last_seq() == 1  # no new version of the record

    def test_settings_are_kept(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            own = store.meta("id")
            with store.writing() as writing:
                writing.set_meta("é", "1")
                writing.set_meta("é", "2")
        with self.opened(tmp_path) as store:
            assert (store.meta("é"), store.meta("id")) == ("2", own)

    def test_settings_of_its_own_are_removed_by_their_keys(self, store: Store) -> None:
        with store.writing() as writing:
            for key in ("a:1", "a:2", "a:3", "b"):
                writing.set_meta(key, "x")
            writing.clear_meta("a:1", "a:3")
        assert [store.meta(key) for key in ("a:1", "a:2", "a:3", "b")] == [None, None, "x", "x"]

    def test_a_transaction_notes_what_its_caller_wants(self, store: Store) -> None:
        told: list[tuple[int, int]] = []

        def note(writing: Writing, before: int, after: int) -> None:
            writing.set_meta("noted", f"{before}-{after}")
            told.append((before, after))

        with store.writing() as writing:
            writing.create(document("before"))
        with noting(note), store.writing() as writing:
            writing.create(document("one"))
            writing.create(document("two"))
        with store.writing() as writing:
            writing.create(document("after"))
        assert told == [(1, 3)]
        assert store.meta("noted") == "1-3"

    def test_a_note_that_cannot_be_made_undoes_the_transaction(self, store: Store) -> None:
        def note(writing: Writing, before: int, after: int) -> None:
            raise NotFound("no")

        with pytest.raises(NotFound), noting(note), store.writing() as writing:
            writing.create(document("lost"))
        assert self.texts(store) == []

    def test_one_at_a_time_holds_a_lock(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            assert not one.is_locked("work")
            with one.lock("work"):
                for store in (one, two):
                    assert store.is_locked("work")
                    assert not store.is_locked("other-1")
                    with pytest.raises(StoreBusy, match="work"), store.lock("work"):
                        pass
                with two.lock("other-1"):
                    self.add(two, document("locks keep no writer out"))
            with two.lock("work"):
                pass
            with pytest.raises(ZeroDivisionError), one.lock("work"):
                raise ZeroDivisionError
            with one.lock("work"):
                pass
            for name in ("", "../x", "A", "a b"):
                with pytest.raises(InvalidInput, match="lock"), one.lock(name):
                    pass

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
    def test_a_lock_ends_with_the_process_that_holds_it(self, tmp_path: Path) -> None:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with self.opened(tmp_path) as store, store.lock("work"):
                    os.write(writes, b"x")
                    signal.pause()
            finally:
                os._exit(1)
        assert os.read(reads, 1) == b"x"
        with self.opened(tmp_path) as store:
            with pytest.raises(StoreBusy), store.lock("work"):
                pass
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            assert not store.is_locked("work")
            with store.lock("work"):
                pass
        os.close(reads)
        os.close(writes)

    # Jobs

    def test_jobs_are_kept_in_the_order_of_asking(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            with store.writing() as writing:
                jobs = [
                    writing.enqueue("b", {"n": n, "é": [None, 1.5]}, scope=ADA, price=price)
                    for n, price in enumerate([None, Price(7), Price(7, 90_000)] * 3)
                ]
                writing.enqueue("a", {}, scope=Scope())
            (first, *_) = jobs
            assert (first.state, first.done, first.total, first.attempts) == ("queued", 0, None, 0)
            assert (first.started_at, first.ended_at, first.error) == (None, None, "")
        with self.opened(tmp_path) as store:
            assert store.jobs(view=ADA.exactly()) == jobs
            assert [job.kind for job in store.jobs(view=EVERYBODY)] == ["b"] * 9 + ["a"]
            assert store.job(first.id, view=ADA.view()) == first

    def test_a_job_is_changed_as_a_whole(self, store: Store) -> None:
        with store.writing() as writing:
            job = writing.enqueue("kind", {"n": 1}, scope=ADA)
            other = writing.enqueue("kind", {"n": 2}, scope=ADA)
        moment = from_micros(1_234_567)
        changed = replace(
            job, state="failed", done=3, total=9, attempts=2, error="why",
            price=Price(9, None), started_at=moment, ended_at=moment,
        )  # fmt: skip
        with store.writing() as writing:
            writing.change_job(changed)
            with pytest.raises(NotFound):
                writing.change_job(replace(job, id="nobody"))
        assert store.jobs(view=EVERYBODY) == [changed, other]
        assert store.jobs(view=EVERYBODY, states=("queued", "running")) == [other]
        assert store.jobs(view=EVERYBODY, states=()) == []
        with store.writing() as writing:
            writing.delete_jobs([job.id, "nobody"])
        assert store.jobs(view=EVERYBODY) == [other]
        with pytest.raises(NotFound):
            store.job(job.id, view=EVERYBODY)

    def test_what_a_job_is_asked_for_must_be_json(self, store: Store) -> None:
        for spec in ({"a": object()}, {"a": float("nan")}, {1: 2}):
            with pytest.raises(InvalidInput), store.writing() as writing:
                writing.enqueue("kind", spec, scope=Scope())  # type: ignore[arg-type]
        assert store.jobs(view=EVERYBODY) == []
