"""Rows come in one order, versions follow each other, and reads equal those of a plain model at any moment."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.errors import MemoryClosed, NotFound
from agentcl.store.base import Store
from agentcl.store.records import Document, Record, Scope, ScopeView, from_micros, to_micros
from agentcl.store.rows import Counters
from agentcl.store.writing import Writing
from agentcl.testing.store.case import (
    EVERYBODY,
    SCOPES,
    SPEC,
    VECTOR,
    StoreCase,
    document,
    hash_of,
    passage,
)


@dataclass(frozen=True, slots=True)
class _Change:
    """One step of a drawn history: it creates, or changes or deletes what is live."""

    what: int
    which: int
    scope: Scope
    key: str | None


_changes: Final = st.lists(
    st.builds(
        _Change,
        st.integers(0, 3),  # two of four create
        st.integers(0, 30),
        st.sampled_from(SCOPES),
        st.none()
        | st.sampled_from(["a", "ab", "abc", "b", "a%", "a_c", "é", "\U0010ffff", "\ud7ff"]),
    ),
    min_size=1,
    max_size=12,
)


class HistoryContract(StoreCase):
    """Rows come in one order, versions follow each other, and reads equal those of a plain model at any moment."""

    # Order and time

    def test_an_empty_store_holds_nothing(self, store: Store) -> None:
        assert store.last_seq() == 0
        assert list(store.since(0)) == list(store.live(view=EVERYBODY)) == []
        assert store.rows([1]) == {}
        assert store.versions("nobody") == []
        assert store.ids(EVERYBODY) == []
        assert store.count(EVERYBODY) == ({}, 0, 0)
        assert store.encoder() is None
        assert store.meta("nothing") is None
        assert store.epoch() == 0
        assert store.counters("nobody") == Counters()
        assert store.vectors([1]) == {}
        assert store.encodings([b"x" * 16]) == {}
        assert store.copies() == ()
        assert store.jobs(view=EVERYBODY) == []
        assert list(store.faults()) == []
        assert not store.is_erasure_due()

    def test_numbers_and_times_rise_even_when_the_clock_does_not(self, tmp_path: Path) -> None:
        moments = iter([500, 500, 100, 900])
        with self.opened(tmp_path, clock=lambda: next(moments)) as store:
            for text in "abcd":
                self.add(store, document(text), document(text * 2))
            rows = list(store.since(0))
        assert [row.seq for row in rows] == sorted({row.seq for row in rows})
        assert [row.created_at for row in rows] == [500, 500, 501, 501, 502, 502, 900, 900]

    def test_a_feed_gives_every_row_in_order(self, store: Store) -> None:
        (one,) = self.add(store, document("one"))
        self.add(store, passage("two", one), vector=VECTOR)
        with store.writing() as writing:
            writing.revise(replace(one, metadata={"n": 1}))
            writing.delete(one)
        rows = list(store.since(0))
        assert [(row.kind, row.version, row.op) for row in rows] == [
            ("document", 1, "put"), ("passage", 1, "put"),
            ("document", 2, "put"), ("document", 3, "delete"),
        ]  # fmt: skip
        assert rows[-1].seq == store.last_seq()
        assert list(store.since(rows[1].seq)) == rows[2:]
        assert list(store.since(0, kinds=("passage",))) == rows[1:2]
        assert store.rows([row.seq for row in rows]) == {row.seq: row for row in rows}

    def test_many_rows_come_through_whole(self, store: Store) -> None:
        count = 1_234
        with store.writing() as writing:
            ids = writing.create_many(
                (document(str(n), key=f"k{n}") for n in range(count)), {}, count=count
            )
        assert [row.id for row in store.since(0)] == ids
        assert [row.id for row in store.live(view=EVERYBODY)] == ids
        assert [row.id for row in store.live(view=EVERYBODY, prefix="k")] == ids
        assert len(store.rows(range(store.last_seq() + 1))) == count
        assert len(set(ids)) == count

    def test_threads_write_one_after_the_other(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            (counted,) = self.add(one, document("counted"))

            def write(store: Store) -> None:
                for n in range(10):
                    with store.writing() as writing:
                        writing.create(document(str(n)))
                        held = store.get(counted.id, view=EVERYBODY)
                        writing.revise(replace(held, metadata={"n": held.metadata.get("n", 0) + 1}))
                        writing.credit(counted.id, uses=1)

            threads = [threading.Thread(target=write, args=(s,)) for s in (one, one, two, two)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rows = list(one.since(0))
            assert [row.seq for row in rows] == sorted({row.seq for row in rows})
            # Each transaction has a record time of its own, later than that of the one before.
            times = [row.created_at for row in rows]
            assert times == sorted(times)
            assert Counter(times) == {at: 1 + (at > times[0]) for at in times}
            assert one.get(counted.id, view=EVERYBODY).metadata == {"n": 40}
            assert [row.version for row in two.versions(counted.id)] == list(range(1, 42))
            assert two.counters(counted.id).uses == 40

    def test_what_is_counted_with_the_turn_holds_in_the_turn(self, tmp_path: Path) -> None:
        scope, hashes = Scope(), [hash_of("text"), hash_of("other")]
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            begun = threading.Event()
            (source,) = self.add(one, document("source"))

            def wait_and_count() -> None:
                begun.set()
                with two.writing(counting={scope: hashes}) as writing:
                    found.append(two.content_counts(scope, hashes))
                    writing.create(passage("other", source))
                    found.append(two.content_counts(scope, hashes))

            found: list[Mapping[bytes, int]] = []
            with one.writing() as writing:
                waiting = threading.Thread(target=wait_and_count)
                waiting.start()
                begun.wait()
                writing.create(passage("text", source))
            waiting.join()
        assert found == [{hashes[0]: 1}, {hashes[0]: 1, hashes[1]: 1}]

    def test_who_waits_for_rows_is_woken_by_whoever_writes_one(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            assert one.wait(0, timeout_s=0) == 0
            self.add(two, document("first"))
            assert one.wait(0, timeout_s=600) == 1
            assert one.wait(1, timeout_s=0.01) == 1
            woken: list[int] = []
            threads = [
                threading.Thread(target=lambda s=s, n=n: woken.append(s.wait(n, timeout_s=600)))
                for s, n in ((one, 1), (one, 2), (one, 1), (two, 3))
            ]
            for thread in threads:
                thread.start()
            for n in range(3):
                self.add(one, document(str(n)))
            for thread in threads:
                thread.join()
        assert len(woken) == 4
        assert all(1 < seq <= 4 for seq in woken)

    def test_who_waits_is_told_that_the_store_is_closed(self, tmp_path: Path) -> None:
        told: list[type[Exception]] = []
        with self.opened(tmp_path) as store:

            def wait() -> None:
                begun.set()
                try:
                    store.wait(0, timeout_s=600)
                except MemoryClosed as error:
                    told.append(type(error))

            begun = threading.Event()
            waiting = threading.Thread(target=wait)
            waiting.start()
            begun.wait()
        waiting.join()
        assert told == [MemoryClosed]

    # Versions

    def test_versions_follow_without_gaps_and_the_past_stays(self, store: Store) -> None:
        (first,) = self.add(store, document("one"))
        assert isinstance(first, Document)
        with store.writing() as writing:
            second = writing.revise(replace(first, text="two", version=77))
        with store.writing() as writing:
            writing.delete(second)
        assert [(row.version, row.op) for row in store.versions(first.id)] == [
            (1, "put"), (2, "put"), (3, "delete"),
        ]  # fmt: skip
        history = store.history(first.id, view=EVERYBODY)
        assert [version.record for version in history] == [first, second, None]
        moments = [row.created_at for row in store.versions(first.id)]
        before = from_micros(moments[0] - 1)
        for at, texts in zip(moments, (["one"], ["two"], []), strict=True):
            assert self.texts(store, at=at) == texts
        assert self.texts(store, at=to_micros(before)) == []
        assert store.get(first.id, view=EVERYBODY, at=moments[0]) == first
        assert store.get(first.id, view=EVERYBODY, at=moments[1]) == second
        assert store.seq_of(second) == store.seq_of(first) + 1
        with pytest.raises(NotFound, match=first.id):
            store.get(first.id, view=EVERYBODY)
        with pytest.raises(NotFound):
            store.get(first.id, view=EVERYBODY, at=moments[0] - 1)

    def test_what_is_deleted_or_never_was_cannot_be_changed(self, store: Store) -> None:
        (record,) = self.add(store, document("one"))
        with store.writing() as writing:
            writing.delete(record)
        for gone in (record, replace(record, id="nobody")):
            with store.writing() as writing:
                with pytest.raises(NotFound):
                    writing.revise(gone)
                with pytest.raises(NotFound):
                    writing.delete(gone)
                assert writing.live_versions([gone.id]) == {}
        with pytest.raises(NotFound):
            store.seq_of(replace(record, version=9))
        with pytest.raises(NotFound):
            store.history("nobody", view=EVERYBODY)

    def test_a_transaction_happens_wholly_or_not_at_all(self, store: Store) -> None:
        (kept,) = self.add(store, document("kept"))

        def write(writing: Writing) -> None:
            created = writing.create(document("lost"))
            writing.delete(kept)
            writing.credit(kept.id, uses=1)
            writing.set_meta("lost", "1")
            writing.claim_encoder(SPEC)
            writing.note_copy(Path("lost"), "export")
            writing.enqueue("lost", {}, scope=Scope())
            assert store.get(created.id, view=EVERYBODY) == created  # its own thread sees it
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), store.writing() as writing:
            write(writing)
        assert self.texts(store) == ["kept"]
        assert store.counters(kept.id) == Counters()
        assert store.meta("lost") is None
        assert store.encoder() is None
        assert store.copies() == ()
        assert store.jobs(view=EVERYBODY) == []

    def test_what_is_not_yet_committed_is_seen_by_nobody_else(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            with one.writing() as writing:
                writing.create(document("text"))
                assert two.last_seq() == 0
            assert self.texts(two) == ["text"]

    # Everything at once

    def test_reads_equal_the_plain_model_at_any_moment(self) -> None:
        @self.drawn
        @given(changes=_changes)
        def check(changes: list[_Change]) -> None:
            with tempfile.TemporaryDirectory() as folder, self.opened(Path(folder)) as store:
                self._check_against_model(store, changes)

        check()

    def _check_against_model(self, store: Store, changes: Sequence[_Change]) -> None:
        states: list[tuple[int, dict[str, Record]]] = [(0, {})]
        for number, change in enumerate(changes):
            live = dict(states[-1][1])
            with store.writing() as writing:
                if change.what > 1 or not live:
                    key = change.key
                    if any((r.key, r.scope) == (key, change.scope) for r in live.values()):
                        key = None
                    record = writing.create(document(str(number), scope=change.scope, key=key))
                    live[record.id] = record
                else:
                    record = live.pop(list(live)[change.which % len(live)])
                    if change.what == 1:
                        live[record.id] = writing.revise(replace(record, metadata={"n": number}))
                    else:
                        writing.delete(record)
                states.append((writing.now, live))
        views = [EVERYBODY, *(scope.view() for scope in SCOPES)]
        for now, live in states:
            for view in views:
                seen = [record for record in live.values() if view.sees(record.scope)]
                assert self._records(store, view=view, at=now) == seen
                below = [r for r in seen if r.key is not None and r.key.startswith("a")]
                assert self._records(store, view=view, at=now, prefix="a") == below
        assert self._records(store, view=EVERYBODY) == list(states[-1][1].values())
        assert store.count(EVERYBODY)[1] == len(changes)

    def _records(
        self, store: Store, *, view: ScopeView, at: int | None = None, prefix: str = ""
    ) -> list[Record]:
        return [row.record() for row in store.live(view=view, at=at, prefix=prefix)]
