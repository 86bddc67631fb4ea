"""Records are found by key, scope and content; scopes are walls, and vectors come back exactly."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.errors import EncoderMismatch, InvalidInput, NotFound
from agentcl.store.base import Store
from agentcl.store.records import Fact, Passage, Scope, from_micros, to_micros
from agentcl.store.ulid import new_ulid
from agentcl.store.vectors import pack
from agentcl.testing.store.case import (
    ACME,
    ADA,
    EVERYBODY,
    OTHER,
    SCOPES,
    SPEC,
    VECTOR,
    StoreCase,
    document,
    hash_of,
    passage,
)

_TEXTS: Final = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


class ContentContract(StoreCase):
    """Records are found by key, scope and content; scopes are walls, and vectors come back exactly."""

    def test_what_could_not_be_read_again_is_not_written(self, store: Store) -> None:
        held: Any
        (held,) = self.add(store, document("one"))
        wrong: Any = 5
        both = [document("two"), replace(document("three"), title=wrong)]
        with pytest.raises(InvalidInput, match="title of a document"), store.writing() as writing:
            writing.create(replace(document("two"), title=wrong))
        with pytest.raises(InvalidInput, match="title of a document"), store.writing() as writing:
            writing.create_many(both, {}, count=2)
        with pytest.raises(InvalidInput, match="title of a document"), store.writing() as writing:
            writing.revise(replace(held, title=wrong))
        assert self.texts(store) == ["one"]

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
        with store.writing() as writing:
            writing.revise(replace(parts[2], metadata={"is": "revised"}))
            writing.delete(parts[4])
        store.erase([parts[6].id], view=EVERYBODY)
        rows = [(row.id, row.version, row.op) for row in store.rows_of(one.id, kind="document")]
        puts = [(part.id, 1, "put") for part in parts[::2] if part is not parts[6]]
        assert sorted(rows) == sorted([*puts, (parts[0].id, 2, "delete"), (parts[2].id, 2, "put"),
                                       (parts[4].id, 2, "delete")])  # fmt: skip
        assert store.rows_of(one.id, kind="turn") == []

    def test_a_key_that_was_given_up_is_not_found(self, store: Store) -> None:
        (held,) = self.add(store, document("one", key="old"))
        with store.writing() as writing:
            writing.revise(replace(held, key="new"))
        assert store.find(kind="document", scope=Scope(), key="old") is None
        assert self.texts(store, prefix="old") == []
        assert self.texts(store, prefix="new") == ["one"]
        assert self.texts(store, key="old") == []
        assert store.keys("document", view=EVERYBODY, prefix="o") == []
        assert store.keys("document", view=EVERYBODY, prefix="n") == ["new"]
        assert store.keys("passage", view=EVERYBODY, prefix="n") == []
        assert store.keys("document", view=Scope(user="ada").exactly(), prefix="n") == []
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
        @self.drawn
        @given(keys=st.sets(_TEXTS, min_size=1, max_size=6), cut=st.integers(0, 4), other=_TEXTS)
        def check(keys: set[str], cut: int, other: str) -> None:
            with tempfile.TemporaryDirectory() as folder, self.opened(Path(folder)) as store:
                self.add(store, *(document(key, key=key) for key in sorted(keys)))
                self.add(store, document("without a key"))
                for prefix in {*(key[:cut] for key in keys), *keys, other} - {""}:
                    found = self.texts(store, prefix=prefix)
                    assert found == sorted(key for key in keys if key.startswith(prefix))
                    named = store.keys("document", view=EVERYBODY, prefix=prefix)
                    assert sorted(named) == found

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
