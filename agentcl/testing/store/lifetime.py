"""What was written outlives a store, a copy equals it, and an erasure takes all that was derived."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentcl.errors import InvalidInput, MemoryClosed, NotFound, StoreReadOnly
from agentcl.store.base import Store
from agentcl.store.records import Fact, Scope, to_micros
from agentcl.store.rows import Counters
from agentcl.store.vectors import pack
from agentcl.testing.store.case import (
    ACME,
    ADA,
    EVERYBODY,
    OTHER,
    SPEC,
    VECTOR,
    StoreCase,
    document,
    hash_of,
    passage,
)


class LifetimeContract(StoreCase):
    """What was written outlives a store, a copy equals it, and an erasure takes all that was derived."""

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
