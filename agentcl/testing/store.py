"""What every store must do.

from agentcl.testing import StoreContract

class TestMyStore(StoreContract):
def open(self, folder, *, read_only=False, clock=now_micros):
return MyStore(folder, read_only=read_only, clock=clock)
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl.errors import (
    EncoderMismatch,
    InvalidInput,
    MemoryClosed,
    NotFound,
    StoreBusy,
    StoreReadOnly,
)
from agentcl.store.base import Store, Writing
from agentcl.store.jobs import Price
from agentcl.store.noting import noting
from agentcl.store.records import (
    Document,
    Fact,
    Passage,
    Record,
    Scope,
    ScopeView,
    from_micros,
    now_micros,
    to_micros,
)
from agentcl.store.rows import Counters, EncoderSpec, content_hash
from agentcl.store.ulid import new_ulid
from agentcl.store.vectors import pack

EVERYBODY: Final = ScopeView(None, None, None, None)
ADA: Final = Scope(user="ada")
ACME: Final = Scope(tenant="acme")
SCOPES: Final = (Scope(), ADA, Scope(user="bob"), ACME, Scope(tenant="acme", user="ada"))
SPEC: Final = EncoderSpec("letters", 3)
OTHER: Final = EncoderSpec("others", 2)
VECTOR: Final = pack([1.0, 2.0, 3.0])
_TEXTS: Final = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def document(text: str, *, scope: Scope = Scope(), key: str | None = None) -> Document:  # noqa: B008  # immutable
    """Return a document to be created; nothing searches for it."""
    return Document(id="", text=text, scope=scope, key=key)


def passage(text: str, of: Record) -> Passage:
    """Return a passage to be created; it is searched for, so it needs a vector."""
    return Passage(id="", text=text, scope=of.scope, sources=(of.id,))


def hash_of(text: str) -> bytes:
    """Return the hash of a passage's searchable text."""
    return content_hash(text)


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


class StoreContract(ABC):
    """What every `Store` must do. A subclass says how to open one."""

    examples: ClassVar[int] = 25  # how many histories each property draws

    @abstractmethod
    def open(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        clock: Callable[[], int] = now_micros,
    ) -> Store:
        """Open the store of a folder, which exists; a second call opens the same one again."""

    @contextmanager
    def opened(
        self, folder: Path, *, read_only: bool = False, clock: Callable[[], int] = now_micros
    ) -> Iterator[Store]:
        """Open a store and close it again."""
        store = self.open(folder, read_only=read_only, clock=clock)
        try:
            yield store
        finally:
            store.close()

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        with self.opened(tmp_path) as store:
            yield store

    def add(self, store: Store, *records: Record, vector: bytes | None = None) -> list[Record]:
        """Create records in one transaction."""
        with store.writing() as writing:
            if vector is not None:
                writing.claim_encoder(SPEC)
            return [writing.create(record, vector=vector) for record in records]

    def texts(self, store: Store, view: ScopeView = EVERYBODY, **chosen: int | str) -> list[str]:
        """Return the texts of the live documents."""
        rows = store.live(view=view, kinds=("document",), **chosen)  # type: ignore[arg-type]  # any of `live`
        return [record.text for row in rows if isinstance(record := row.record(), Document)]

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

    # Keys

    def test_one_live_record_of_a_kind_and_scope_has_a_key(self, store: Store) -> None:
        (held,) = self.add(store, document("one", key="k"))
        assert store.find(kind="document", scope=Scope(), key="k") == held
        self.add(store, document("elsewhere", key="k", scope=ADA))
        with pytest.raises(InvalidInput, match="k"):
            self.add(store, document("two", key="k"))
        with pytest.raises(InvalidInput, match="k"), store.writing() as writing:
            writing.create_many([document("two", key="k")], {}, count=1)
        with pytest.raises(InvalidInput, match="new"), store.writing() as writing:
            writing.create_many([document("a", key="new"), document("b", key="new")], {}, count=2)
        assert self.texts(store) == ["one", "elsewhere"]
        with store.writing() as writing:
            writing.delete(held)
        assert store.find(kind="document", scope=Scope(), key="k") is None
        self.add(store, document("again", key="k"))
        assert self.texts(store) == ["elsewhere", "again"]

    def test_a_record_may_come_with_the_id_that_follows_from_what_it_is(self, store: Store) -> None:
        id = new_ulid(1)
        with store.writing() as writing:
            held = writing.create(document("one"), id=id)
        assert (held.id, held.version) == (id, 1)
        assert store.get(id, view=EVERYBODY) == held

    def test_what_was_derived_from_one_of_many_records_is_found(self, store: Store) -> None:
        one, two = self.add(store, document("one"), document("two"))
        with store.writing() as writing:
            parts = [writing.create(replace(document(f"{n}"), sources=(s.id,)))
                     for n in range(450) for s in (one, two)]  # fmt: skip
            writing.delete(parts[0])
        found = [row.id for row in store.live(view=EVERYBODY, source=one.id)]
        assert found == [part.id for part in parts[2::2]]
        last = store.seq_of(parts[-4])
        assert [row.id for row in store.live(view=EVERYBODY, source=one.id, after=last)] == [
            parts[-2].id
        ]

    def test_a_key_that_was_given_up_is_not_found(self, store: Store) -> None:
        (held,) = self.add(store, document("one", key="old"))
        with store.writing() as writing:
            writing.revise(replace(held, key="new"))
        assert store.find(kind="document", scope=Scope(), key="old") is None
        assert self.texts(store, prefix="old") == []
        assert self.texts(store, prefix="new") == ["one"]
        assert self.texts(store, key="old") == []
        moment = store.versions(held.id)[0].created_at
        assert self.texts(store, key="old", at=moment) == ["one"]

    def test_a_key_names_itself_alone(self, store: Store) -> None:
        for key in ("a", "a/b", "", "%", "a%"):
            self.add(store, document(key or "none", key=key or None))
        (last,) = self.add(store, document("ada's", key="a", scope=ADA))
        assert self.texts(store, key="a") == ["a", "ada's"]
        assert self.texts(store, key="%") == ["%"]
        assert self.texts(store, key="") == self.texts(store, key="A") == []
        rows = store.live(view=EVERYBODY, kinds=("document",), key="a", after=store.seq_of(last))
        assert list(rows) == []

    def test_keys_are_found_by_how_they_begin_whatever_their_characters(self) -> None:
        @self._drawn
        @given(keys=st.sets(_TEXTS, min_size=1, max_size=6), cut=st.integers(0, 4), other=_TEXTS)
        def check(keys: set[str], cut: int, other: str) -> None:
            with tempfile.TemporaryDirectory() as folder, self.opened(Path(folder)) as store:
                self.add(store, *(document(key, key=key) for key in sorted(keys)))
                self.add(store, document("without a key"))
                for prefix in {*(key[:cut] for key in keys), *keys, other} - {""}:
                    found = self.texts(store, prefix=prefix)
                    assert found == sorted(key for key in keys if key.startswith(prefix))

        check()

    def test_no_character_of_a_prefix_is_special(self, store: Store) -> None:
        keys = [
            "a%b",
            "aXb",
            "a_c",
            "aXc",
            "a",
            "A",
            "\U0010ffff\U0010ffff",
            "a\U0010ffffz",
            "\ud7ffz",
        ]
        self.add(store, *(document(key, key=key) for key in keys))
        for prefix in ("a%", "a_", "a", "A", "\U0010ffff", "a\U0010ffff", "\ud7ff", "*", "?"):
            wanted = [key for key in keys if key.startswith(prefix)]
            assert self.texts(store, prefix=prefix) == wanted

    # Scopes

    def test_scopes_are_walls_in_every_read(self, store: Store) -> None:
        documents = self.add(store, *(document("text", scope=s, key="k") for s in SCOPES))
        self.add(store, *(passage("same", of=one) for one in documents), vector=VECTOR)
        with store.writing() as writing:
            jobs = [writing.enqueue("kind", {}, scope=scope) for scope in SCOPES]
        for reader in SCOPES:
            view = reader.view()
            seen = [one for one in documents if view.sees(one.scope)]
            hidden = [one for one in documents if not view.sees(one.scope)]
            ids = [one.id for one in seen]
            assert [row.id for row in store.live(view=view, kinds=("document",))] == ids
            assert [row.id for row in store.live(view=view, prefix="k")] == ids
            assert store.ids(view)[: len(ids)] == ids
            assert store.count(view) == (
                {"document": len(ids), "passage": len(ids)}, 2 * len(ids), len(ids),
            )  # fmt: skip
            assert [job.id for job in store.jobs(view=view)] == [
                job.id for job in jobs if view.sees(job.scope)
            ]
            for one in seen:
                assert store.get(one.id, view=view) == one
                assert store.history(one.id, view=view)[0].record == one
            for one in hidden:
                assert list(store.live(view=view, source=one.id)) == []
                with pytest.raises(NotFound):
                    store.get(one.id, view=view)
                with pytest.raises(NotFound):
                    store.history(one.id, view=view)
                with pytest.raises(NotFound):
                    store.erase([one.id], view=view)
            for job in jobs:
                if not view.sees(job.scope):
                    with pytest.raises(NotFound, match=job.id):
                        store.job(job.id, view=view)
            own = store.find(kind="document", scope=reader, key="k")
            assert own is not None
            assert own.scope == reader
            rows = store.having_content("passage", reader, [hash_of("same")])[hash_of("same")]
            assert [row.scope for row in rows] == [reader]

    def test_a_source_is_a_record_of_the_same_tenant(self, store: Store) -> None:
        shared, of_acme = self.add(store, document("shared"), document("acme's", scope=ACME))
        (own,) = self.add(store, replace(document("ada's", scope=ADA), sources=(shared.id,)))
        assert [row.id for row in store.live(view=EVERYBODY, source=shared.id)] == [own.id]
        assert store.with_derived([shared.id, own.id]) == {shared.id}
        for source in (of_acme.id, "nobody"):
            stray = replace(document("stray"), sources=(source,))
            with pytest.raises(InvalidInput, match=source):
                self.add(store, stray)
            with pytest.raises(InvalidInput, match=source), store.writing() as writing:
                writing.create_many([stray], {}, count=1)

    # Content, vectors, encoders

    def test_content_is_found_in_exactly_one_scope_and_kind(self, store: Store) -> None:
        one, two, other = self.add(store, document("1"), document("2"), document("3", scope=ADA))
        first, second, _ = self.add(
            store, passage("same", one), passage("same", two), passage("same", other), vector=VECTOR
        )
        (lone,) = self.add(store, passage("lone", one), vector=VECTOR)
        fact = Fact(id="", subject="same", predicate="", object="", sources=(one.id,))
        self.add(store, fact, vector=VECTOR)
        asked = [hash_of("same"), hash_of("lone"), hash_of("never"), hash_of("same")]
        found = store.having_content("passage", Scope(), asked)
        assert {hash: [row.id for row in rows] for hash, rows in found.items()} == {
            hash_of("same"): [first.id, second.id],
            hash_of("lone"): [lone.id],
        }
        with store.writing() as writing:
            writing.delete(lone)
            assert isinstance(first, Passage)
            writing.revise(replace(first, text="changed"), vector=VECTOR)
        found = store.having_content("passage", Scope(), asked)
        assert {hash: [row.id for row in rows] for hash, rows in found.items()} == {
            hash_of("same"): [second.id]
        }
        many = [hash_of(str(n)) for n in range(3_000)]
        assert store.having_content("passage", Scope(), [*many, hash_of("same")]).keys() == {
            hash_of("same")
        }
        assert store.having_content("passage", Scope(), []) == {}

    def test_what_was_written_is_counted_by_kind_from_a_moment_on(self, tmp_path: Path) -> None:
        moments = count(1_000_000, 1_000_000)
        with self.opened(tmp_path, clock=lambda: next(moments)) as store:
            assert store.written(EVERYBODY, since=0) == {}
            (old,) = self.add(store, document("old"))
            (hers,) = self.add(store, document("hers", scope=ADA))
            since = to_micros(hers.created_at)
            with store.writing() as writing:
                writing.revise(replace(old, metadata={"n": 1}))
            self.add(store, passage("of it", old), vector=VECTOR)
            written = store.written(EVERYBODY, since=since)
            assert {kind: (one.rows, one.new) for kind, one in written.items()} == {
                "document": (2, 1),
                "passage": (1, 1),
            }
            last = max(one.last for one in written.values() if one.last)
            later = store.written(ADA.view(), since=to_micros(last) + 1)
            assert later["document"] == replace(written["document"], rows=0, new=0)
            ours = store.written(Scope().view(), since=0)["document"]
            assert (ours.rows, ours.new) == (2, 1)
            with store.writing() as writing:
                writing.delete(store.get(old.id, view=EVERYBODY))
            assert store.written(EVERYBODY, since=since)["document"].rows == 3

    def test_content_is_counted_within_a_scope(self, store: Store) -> None:
        one, other = self.add(store, document("1"), document("2", scope=ADA))
        first, _ = self.add(store, passage("same", one), passage("same", other), vector=VECTOR)
        self.add(store, passage("hers", other), vector=VECTOR)
        fact = Fact(id="", subject="same", predicate="", object="", sources=(one.id,))
        self.add(store, fact, vector=VECTOR)
        asked = [hash_of("same"), hash_of("hers"), hash_of("never")]
        counted = store.content_counts(Scope(), asked)
        assert counted == {hash_of("same"): 2}
        assert store.content_counts(ADA, asked) == {hash_of("same"): 1, hash_of("hers"): 1}
        assert store.content_counts(ACME, asked) == store.content_counts(ADA, []) == {}
        with store.writing() as writing:
            writing.revise(replace(first, metadata={"n": 1}), vector=VECTOR)
        assert store.content_counts(Scope(), asked) == {hash_of("same"): 3}

    def test_content_is_narrowed_by_metadata_and_when_it_begins_to_hold(self, store: Store) -> None:
        (of,) = self.add(store, document("1"))
        begins = from_micros(1_000_000)
        alike = [
            replace(passage("same", of), metadata={"n": n}, valid_from=valid_from)
            for n in range(3)
            for valid_from in (None, begins)
        ]
        ids = [one.id for one in self.add(store, *alike, vector=VECTOR)]

        def found(**narrowed: Any) -> list[str]:  # noqa: ANN401  # either
            asked = [hash_of("same")]
            held = store.having_content("passage", Scope(), asked, **narrowed)
            return [row.id for row in held.get(asked[0], ())]

        assert found() == ids
        assert found(metadata=['{"n":1}', '{"n":9}']) == ids[2:4]
        assert found(valid_from={None}) == ids[::2]
        assert found(valid_from={1_000_000, 7}) == ids[1::2]
        assert found(metadata={'{"n":2}'}, valid_from=[None, 1_000_000]) == ids[4:]
        assert found(metadata=["{}"]) == found(valid_from=[0]) == found(metadata=[]) == []

    def test_vectors_come_back_exactly_and_only_of_one_encoder(self, store: Store) -> None:
        (one,) = self.add(store, document("one"))
        with pytest.raises(EncoderMismatch), store.writing() as writing:
            writing.create(passage("no encoder yet", one), vector=VECTOR)
        given = pack([0.5, 0.0, -1.0])
        with store.writing() as writing:
            writing.claim_encoder(SPEC)
            made = writing.create(passage("made", one), vector=VECTOR)
            came = writing.create(passage("came", one), vector=given, is_given=True)
        assert store.encoder() == SPEC
        seqs = [store.seq_of(made), store.seq_of(came)]
        assert store.vectors([*seqs, 99]) == dict(zip(seqs, (VECTOR, given), strict=True))
        assert store.given_vectors(seqs) == {seqs[0]: (VECTOR, False), seqs[1]: (given, True)}
        assert store.encodings([hash_of("made"), hash_of("came"), hash_of("x")]) == {
            hash_of("made"): VECTOR  # what the user gave is no work of the encoder
        }
        with store.writing() as writing:
            writing.claim_encoder(SPEC)
            with pytest.raises(EncoderMismatch, match=r"letters.*others"):
                writing.claim_encoder(OTHER)
            with pytest.raises(EncoderMismatch):
                writing.create(passage("short", one), vector=pack([1.0, 2.0]))

    def test_reembedding_goes_on_where_it_was_and_changes_all_at_once(self, store: Store) -> None:
        (one,) = self.add(store, document("one"))
        made = self.add(store, *(passage(str(n), one) for n in range(5)), vector=VECTOR)
        with store.writing() as writing:
            writing.revise(made[0], vector=VECTOR)
            writing.delete(made[1])
        new = pack([3.0, 4.0])
        change = store.reembedding(OTHER)
        assert change.remaining() == 6  # past versions' too
        assert not change.swap()  # nothing was begun
        some = change.missing(limit=2)
        change.keep([*some, 999], [new] * 3)  # a row erased meanwhile is left out
        assert not change.swap()
        assert store.encoder() == SPEC
        assert store.vectors(some) == dict.fromkeys(some, VECTOR)
        change = store.reembedding(OTHER)  # as after a crash
        left = change.missing(limit=100)
        assert not set(left) & set(some)
        assert change.remaining() == len(left) == 4
        assert store.reembedding(SPEC).remaining() == 6  # asking for a price changes nothing
        assert change.remaining() == 4
        assert left == sorted(left)
        change.keep(left, [new] * len(left))
        assert change.swap()
        assert (store.encoder(), store.epoch()) == (OTHER, 1)
        assert store.vectors([*some, *left]) == dict.fromkeys([*some, *left], new)
        again = store.reembedding(SPEC)
        assert len(again.missing(limit=100)) == again.remaining() == 6  # another one begins anew

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

    # Opening, closing, copies

    def test_what_was_written_is_there_after_reopening(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            (one,) = self.add(store, document("one"))
            self.add(store, passage("two", one), vector=VECTOR)
            rows = list(store.since(0))
        with self.opened(tmp_path) as store:
            assert list(store.since(0)) == rows
            assert store.vectors([rows[1].seq]) == {rows[1].seq: VECTOR}
            assert {entry.name for entry in tmp_path.iterdir()} <= store.files()
            assert store.folder == tmp_path

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        store = self.open(tmp_path)
        store.close()
        store.close()
        with pytest.raises(MemoryClosed):
            store.last_seq()
        with pytest.raises(MemoryClosed), store.writing():
            pass

    def test_a_reader_changes_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            self.add(store, document("one"))
            assert not store.read_only
        with self.opened(tmp_path, read_only=True) as store:
            assert store.read_only
            assert self.texts(store) == ["one"]
            with pytest.raises(StoreReadOnly), store.writing():
                pass
            with pytest.raises(StoreReadOnly), store.lock("work"):
                pass
            with pytest.raises(StoreReadOnly):
                store.erase(store.ids(EVERYBODY), view=EVERYBODY)
            assert store.reembedding(SPEC).remaining() == 0
            with pytest.raises(StoreReadOnly):
                store.reembedding(SPEC).missing(limit=1)

    def test_a_snapshot_equals_what_it_was_made_of(self, tmp_path: Path) -> None:
        for name in ("memory", "copy"):
            (tmp_path / name).mkdir()
        with self.opened(tmp_path / "memory") as store:
            (one,) = self.add(store, document("one"))
            self.add(store, passage("two", one), vector=VECTOR)
            with store.writing() as writing:
                writing.delete(one)
                writing.credit(one.id, uses=1, repeats=2)
                job = writing.enqueue("kind", {"a": [1]}, scope=ADA)
            file = store.snapshot(tmp_path / "copy")
            assert file.parent == tmp_path / "copy"
            with pytest.raises(InvalidInput, match="already holds a memory"):
                store.snapshot(tmp_path / "copy")
            (noted,) = store.copies()
            assert (noted.path, noted.what) == ((tmp_path / "copy").resolve(), "snapshot")
            with self.opened(tmp_path / "copy") as copy:
                rows = list(store.since(0))
                assert list(copy.since(0)) == rows
                seqs = [row.seq for row in rows]
                assert copy.given_vectors(seqs) == store.given_vectors(seqs)
                assert copy.counters(one.id) == store.counters(one.id)
                assert copy.encoder() == store.encoder()
                assert copy.jobs(view=EVERYBODY) == [job]
                assert copy.meta("id") != store.meta("id")
                self.add(copy, document("of the copy alone"))
            assert list(store.since(0)) == rows

    def test_rows_of_another_store_keep_all_that_they_are(self, tmp_path: Path) -> None:
        for name in ("from", "to"):
            (tmp_path / name).mkdir()
        with self.opened(tmp_path / "from") as old, self.opened(tmp_path / "to") as new:
            (one,) = self.add(old, document("one", scope=ACME, key="k"))
            self.add(old, passage("two", one), vector=VECTOR)
            with old.writing() as writing:
                writing.delete(one)
            with new.writing() as writing:
                writing.claim_encoder(SPEC)
                for row in old.since(0):
                    vector = old.vectors([row.seq]).get(row.seq)
                    writing.restore(row, vector, is_given=False)
            assert list(new.since(0)) == list(old.since(0))
            assert new.vectors([2]) == old.vectors([2])
            assert new.with_derived([one.id]) == {one.id}

    # Erasure

    def test_an_erasure_takes_all_that_was_derived_and_leaves_a_mark(self, store: Store) -> None:
        kept, gone = self.add(store, document("kept"), document("gone", scope=ADA, key="k"))
        (part,) = self.add(store, passage("part", gone), vector=VECTOR)
        fact = Fact(id="", subject="s", predicate="p", object="o", scope=ADA, sources=(part.id,))
        (derived,) = self.add(store, fact, vector=VECTOR)
        with store.writing() as writing:
            writing.revise(part, vector=VECTOR)
            writing.delete(gone)
            writing.credit(gone.id, uses=1)
            writing.note_copy(Path("/elsewhere"), "export")
        change = store.reembedding(OTHER)
        change.keep(change.missing(limit=1), [pack([1.0, 1.0])])
        last = store.last_seq()
        done = store.erase([gone.id], view=ADA.exactly())
        assert store.is_erasure_due()
        store.finish_erasure()
        assert not store.is_erasure_due()
        assert {(one.id, one.kind, one.versions) for one in done.removed} == {
            (gone.id, "document", 1), (part.id, "passage", 2), (derived.id, "fact", 1),
        }  # fmt: skip
        assert done.vectors == 3
        assert [copy.path for copy in done.copies] == [Path("/elsewhere")]
        for one in (gone, part, derived):
            (mark,) = store.versions(one.id)
            assert mark.seq > last
            assert (mark.op, mark.tenant, mark.key, mark.body) == ("erase", None, None, "{}")
            assert mark.created_at >= to_micros(done.at)  # many go in steps
            assert mark.digest() == mark.checksum
            (version,) = store.history(one.id, view=EVERYBODY)
            assert (version.op, version.record) == ("erase", None)
            assert store.counters(one.id) == Counters()
        assert store.with_derived([gone.id, part.id]) == set()
        assert [row.seq for row in store.since(0)][:1] == [store.seq_of(kept)]
        assert store.vectors(range(last + 10)) == {}
        assert store.encodings([hash_of("part")]) == {}
        assert store.find(kind="document", scope=ADA, key="k") is None
        assert store.count(EVERYBODY) == ({"document": 1}, 4, 1)
        assert store.ids(EVERYBODY) == [kept.id]
        assert list(store.faults()) == []

    def test_an_erasure_of_what_is_not_seen_takes_nothing(self, store: Store) -> None:
        one, other = self.add(store, document("one"), document("other", scope=ACME))
        rows = list(store.since(0))
        for ids in ([one.id, other.id], [one.id, "nobody"]):
            with pytest.raises(NotFound, match=ids[1]):
                store.erase(ids, view=Scope().view())
        assert list(store.since(0)) == rows

    def test_a_forgotten_scope_takes_its_jobs_along(self, store: Store) -> None:
        below = Scope(user="ada", session="s")
        one, two, _ = self.add(
            store, document("1", scope=ADA), document("2", scope=below), document("3", scope=ACME)
        )
        with store.writing() as writing:
            for scope in (ADA, below, ACME, Scope()):
                writing.enqueue("kind", {"said": "by ada"}, scope=scope)
        store.erase([one.id], view=EVERYBODY)
        assert [job.scope for job in store.jobs(view=EVERYBODY)] == [ADA, below, ACME, Scope()]
        store.erase([two.id], view=EVERYBODY)
        assert [job.scope for job in store.jobs(view=EVERYBODY)] == [ACME, Scope()]

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

    # Everything at once

    def test_reads_equal_the_plain_model_at_any_moment(self) -> None:
        @self._drawn
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

    def _drawn(self, check: Callable[..., None]) -> Callable[..., None]:
        return settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(check)
