"""What every index must do.

from agentcl.testing import IndexContract

class TestMyIndex(IndexContract):
is_persistent = True

def open(self, folder):
return MyIndex(folder)

"""

from __future__ import annotations

import math
import random
import string
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentcl.retrieval.index import Change, Condition, Entry, Index, Match, Operator, Query
from agentcl.store.records import Scope, ScopeView
from agentcl.store.vectors import pack, unpack

OPEN: Final = ScopeView(None, None, None, None)
_WORDS: Final = ("amber", "birch", "cedar", "delta", "ember", "fjord")
_KINDS: Final = ("passage", "fact")
_SCOPES: Final = (
    Scope(),
    Scope(user="ada"),
    Scope(user="bob"),
    Scope(user="ada", session="s1"),
    Scope(tenant="acme"),
    Scope(tenant="acme", user="ada", agent="x"),
)
_METADATA: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"n": 1, "tag": "a"},
    {"n": 2.5, "tag": ["a", "b"]},
    {"n": True, "tag": "été 漢字"},
    {"n": "1", "flag": None},
)


def entry(seq: int, **changes: Any) -> Entry:  # noqa: ANN401  # any field of Entry
    """Return a plain entry with some fields changed."""
    plain = Entry(
        seq=seq,
        id=f"id{seq}",
        kind="passage",
        scope=Scope(),
        text=f"amber number{seq}",
        vector=pack([1.0, 0.1 * seq, 0.0, 0.0]),
        created_at=seq * 10,
        valid_from=None,
        valid_to=None,
        metadata={},
    )
    return plain._replace(**changes)


def added(item: Entry) -> Change:
    """Return the change by which an entry begins (and an earlier version ends)."""
    return Change(seq=item.seq, id=item.id, at=item.created_at, added=item)


def deleted(seq: int, id: str) -> Change:
    """Return the change by which a record ends."""
    return Change(seq=seq, id=id, at=seq * 10, added=None)


@dataclass(frozen=True, slots=True)
class _Lived:
    entry: Entry
    ended_at: int | None


def _lives(changes: Sequence[Change]) -> list[_Lived]:
    """Replay changes in the plainest way: the model that an index is compared with."""
    lived: list[_Lived] = []
    for change in changes:
        lived = [
            replace(life, ended_at=change.at)
            if life.entry.id == change.id and life.ended_at is None
            else life
            for life in lived
        ]
        if change.added is not None:
            lived.append(_Lived(change.added, None))
    return lived


def _expected(changes: Sequence[Change], query: Query) -> list[Entry]:
    return [
        life.entry
        for life in _lives(changes)
        if query.admits(life.entry)
        and (
            life.ended_at is None
            if query.at is None
            else life.entry.created_at <= query.at
            and (life.ended_at is None or query.at < life.ended_at)
        )
    ]


@st.composite
def _histories(draw: st.DrawFn) -> list[Change]:
    """Draw up to 25 changes of up to 8 records."""
    live: dict[str, tuple[str, Scope]] = {}
    changes: list[Change] = []
    for seq in range(1, draw(st.integers(1, 25)) + 1):
        id = f"id{draw(st.integers(1, 8))}"
        if id in live and draw(st.booleans()):
            del live[id]
            changes.append(deleted(seq, id))
            continue
        kind, scope = live.get(id, (draw(st.sampled_from(_KINDS)), draw(st.sampled_from(_SCOPES))))
        live[id] = kind, scope
        begin = draw(st.none() | st.integers(-50, 200))
        length = draw(st.none() | st.integers(1, 100))
        words = draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4))
        item = entry(
            seq,
            id=id,
            kind=kind,
            scope=scope,
            text=" ".join(words),
            vector=pack([1 + len(words), *(words.count(word) for word in _WORDS[:3])]),
            valid_from=begin,
            valid_to=None if length is None else (begin or 0) + length,
            metadata=draw(st.sampled_from(_METADATA)),
        )
        changes.append(added(item))
    return changes


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    def allowed(*values: str) -> frozenset[str] | None:
        return draw(st.none() | st.sampled_from(values).map(lambda value: frozenset({"", value})))

    operator: Operator = draw(st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]))
    conditions = st.one_of(
        st.just(()),
        st.sampled_from([1, 1.0, 2.5, True, "1", "a", "été 漢字"]).map(
            lambda value: (Condition("n" if value not in ("a",) else "tag", operator, value),)
        ),
        st.just((Condition("tag", "in", ["a", "b"]),)),
        st.booleans().map(lambda value: (Condition("flag", "exists", value),)),
    )
    tenant = draw(st.sampled_from([None, frozenset({""}), frozenset({"acme"})]))
    return Query(
        view=ScopeView(tenant, allowed("ada", "bob"), allowed("x"), allowed("s1")),
        text=" ".join(draw(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3))),
        vector=pack(draw(st.lists(st.integers(1, 5), min_size=4, max_size=4))),
        kinds=draw(st.none() | st.just(frozenset({"fact"}))),
        at=draw(st.none() | st.integers(0, 260)),
        valid_at=draw(st.none() | st.integers(-60, 300)),
        conditions=draw(conditions),
    )


def _cosine(a: bytes, b: bytes) -> float:
    x, y = unpack(a), unpack(b)
    dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
    return dot / math.sqrt(math.fsum(p * p for p in x) * math.fsum(q * q for q in y))


class IndexContract(ABC):
    """What every `Index` must do. A subclass says how to open one."""

    searches: ClassVar[Literal["vector", "text"]] = "vector"
    is_persistent: ClassVar[bool] = False  # keeps what it holds from one opening to the next
    examples: ClassVar[int] = 40  # how many histories each property draws

    @abstractmethod
    def open(self, folder: Path) -> Index:
        """Return an index that keeps its files, if any, below `folder`."""

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Index]:
        """Open an index and close it again."""
        index = self.open(folder)
        try:
            yield index
        finally:
            index.close()

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Index]:
        """An empty index."""
        with self.opened(tmp_path) as index:
            yield index

    def find(self, index: Index, *, limit: int = 100, **changes: Any) -> list[int]:  # noqa: ANN401  # any field of Query
        """Return the numbers that a plain query finds, best first."""
        plain = Query(view=OPEN, text="amber", vector=pack([1.0, 0.0, 0.0, 0.0]))
        return [match.seq for match in index.search(replace(plain, **changes), limit=limit)]

    def test_it_is_an_index_with_a_name(self, index: Index) -> None:
        assert isinstance(index, Index)
        assert index.name
        assert set(index.name) <= set(string.ascii_lowercase + string.digits + "-")

    def test_an_empty_index_finds_nothing(self, index: Index) -> None:
        assert index.watermark() == 0
        assert self.find(index) == []
        assert list(index.live_seqs()) == []
        index.remove(["nobody"])
        index.rebuild([], watermark=0)
        assert self.find(index) == []

    def test_what_was_applied_is_found_best_first(self, index: Index) -> None:
        index.apply([added(entry(seq)) for seq in (1, 2, 3)], watermark=3)
        found = self.find(index)
        assert sorted(found) == [1, 2, 3]
        if self.searches == "vector":
            assert found == [1, 2, 3]
        assert self.find(index, limit=1) == found[:1]

    def test_ties_break_by_seq(self, index: Index) -> None:
        same = pack([1.0, 0.0, 0.0, 0.0])
        index.apply(
            [added(entry(seq, vector=same, text="amber")) for seq in range(1, 40)], watermark=39
        )
        assert self.find(index, limit=5) == [1, 2, 3, 4, 5]

    def test_vectors_of_any_length_are_compared_by_their_direction(self, index: Index) -> None:
        if self.searches != "vector":
            return
        lengths = (1e30, 1e-30, 1e18, 3e38, 1e-44, 1.0)
        for way, first in (([1.0, 0.0, 0.0, 0.0], 1), ([0.0, 1.0, 0.0, 0.0], 101)):
            index.apply(
                [
                    added(entry(seq, vector=pack([length * part for part in way])))
                    for seq, length in enumerate(lengths, start=first)
                ],
                watermark=first + 50,
            )
        for length in lengths:
            asked = Query(view=OPEN, vector=pack([length, 0.0, 0.0, 0.0]))
            found = index.search(asked, limit=12)
            assert [match.seq for match in found[:6]] == [1, 2, 3, 4, 5, 6]
            assert all(abs(match.score - 1) < 1e-3 for match in found[:6])
            assert all(abs(match.score) < 1e-3 for match in found[6:])

    def test_applying_again_does_no_harm_and_the_watermark_never_falls(self, index: Index) -> None:
        changes = [added(entry(1)), added(entry(2)), deleted(3, "id1")]
        for _ in range(2):
            index.apply(changes, watermark=3)
            assert (self.find(index), index.watermark()) == ([2], 3)
        index.apply(changes[:1], watermark=1)
        assert (self.find(index), index.watermark()) == ([2], 3)

    def test_what_goes_on_from_a_state_that_is_gone_is_not_applied(self, index: Index) -> None:
        index.apply([added(entry(1)), added(entry(2)), added(entry(3))], watermark=3)
        index.rebuild([added(entry(1))], watermark=1)  # as another process may, beside this one
        index.apply([added(entry(4))], watermark=4, since=3)
        assert (self.find(index), index.watermark()) == ([1], 1)
        index.apply([added(entry(seq)) for seq in (2, 3, 4)], watermark=4, since=1)
        assert (sorted(self.find(index)), index.watermark()) == ([1, 2, 3, 4], 4)

    def test_a_new_version_ends_the_old_one_and_the_past_stays(self, index: Index) -> None:
        index.apply([added(entry(1, id="a"))], watermark=1)
        index.apply([added(entry(2, id="a"))], watermark=2)
        index.apply([deleted(3, "a")], watermark=3)
        assert self.find(index) == []
        assert [self.find(index, at=at) for at in (9, 10, 19, 20, 29, 30)] == [
            [], [1], [1], [2], [2], [],
        ]  # fmt: skip

    def test_removing_takes_all_versions(self, tmp_path: Path) -> None:
        changes = [added(entry(1, id="a")), added(entry(2, id="a")), added(entry(3, id="b"))]
        with self.opened(tmp_path) as index:
            index.apply(changes, watermark=3)
            index.remove(["a", "never"])
            # An index that cannot clear bytes in place may empty itself instead.
            if index.watermark() == 0:
                index.rebuild(changes[2:], watermark=3)
            assert self.find(index) == [3]
            assert self.find(index, at=15) == []
            assert list(index.live_seqs()) == [3]

    def test_rebuilding_forgets_what_was(self, index: Index) -> None:
        index.apply([added(entry(1))], watermark=1)
        index.rebuild(iter([added(entry(5)), added(entry(7))]), watermark=9)
        assert (sorted(self.find(index)), index.watermark()) == ([5, 7], 9)

    def test_closing_twice_is_allowed(self, tmp_path: Path) -> None:
        index = self.open(tmp_path)
        index.close()
        index.close()

    def test_scopes_are_walls(self, index: Index) -> None:
        index.apply(
            [added(entry(n, scope=scope)) for n, scope in enumerate(_SCOPES, start=1)], watermark=6
        )
        for reader in _SCOPES:
            seen = [n for n, scope in enumerate(_SCOPES, start=1) if reader.view().sees(scope)]
            assert sorted(self.find(index, view=reader.view())) == seen

    def test_any_text_can_be_stored_and_asked(self, index: Index) -> None:
        strange = [
            'amber "quoted', "amber NEAR(x, 3)", "amber* -x : AND OR NOT", "amber \x00\x1b[31m",
            "amber 漢字かな", "amber é e\u0301", "amber " + "x" * 10_000, "amber ' ; DROP TABLE words",
        ]  # fmt: skip
        index.apply(
            [added(entry(n, text=text)) for n, text in enumerate(strange, start=1)], watermark=8
        )
        for text in [*strange, "", " ", "☃", "(", '"', "body : x", "a" * 5_000]:
            assert len(self.find(index, text=text)) <= len(strange)
        assert len(self.find(index)) == len(strange)

    def test_it_equals_the_plain_model_at_any_moment(self) -> None:
        self._check_against_model(lambda index, changes: self._apply_in_steps(index, changes))

    def test_rebuilt_equals_the_plain_model_at_any_moment(self) -> None:
        self._check_against_model(
            lambda index, changes: index.rebuild(changes, watermark=changes[-1].seq)
        )

    def test_it_survives_reopening(self, tmp_path: Path) -> None:
        if not self.is_persistent:
            return
        with self.opened(tmp_path) as index:
            index.apply([added(entry(1)), added(entry(2)), deleted(3, "id1")], watermark=3)
        with self.opened(tmp_path) as index:
            assert (self.find(index), index.watermark()) == ([2], 3)
            assert self.find(index, at=15) == [1]

    def test_two_of_them_on_one_folder_see_each_others_changes(self, tmp_path: Path) -> None:
        if not self.is_persistent:
            return
        with self.opened(tmp_path) as one, self.opened(tmp_path) as two:
            one.apply([added(entry(1))], watermark=1)
            assert self.find(two) == [1]
            two.apply([added(entry(2)), deleted(3, "id1")], watermark=3)
            assert (self.find(one), one.watermark()) == ([2], 3)
            one.apply([added(entry(2))], watermark=2)
            assert self.find(two) == [2]

    def _apply_in_steps(self, index: Index, changes: Sequence[Change]) -> None:
        step = random.Random(len(changes)).randint(1, 5)
        for start in range(0, len(changes), step):
            batch = changes[start : start + step]
            index.apply(batch, watermark=batch[-1].seq)

    def _check_against_model(self, fill: Callable[[Index, Sequence[Change]], None]) -> None:
        @settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(changes=_histories(), queries=st.lists(_queries(), min_size=1, max_size=6))
        def check(changes: list[Change], queries: list[Query]) -> None:
            with tempfile.TemporaryDirectory() as folder, self.opened(Path(folder)) as index:
                fill(index, changes)
                live = {life.entry.seq for life in _lives(changes) if life.ended_at is None}
                assert set(index.live_seqs()) == live
                for query in queries:
                    self._check_query(index, changes, query)

        check()

    def _check_query(self, index: Index, changes: Sequence[Change], query: Query) -> None:
        matches = index.search(query, limit=100)
        expected = {item.seq: item for item in _expected(changes, query)}
        if self.searches == "text":
            asked = set(query.text.split())
            expected = {s: e for s, e in expected.items() if asked & set(e.text.split())}
        assert {match.seq for match in matches} == set(expected)
        assert all(match.id == expected[match.seq].id for match in matches)
        self._check_order(matches)
        if self.searches == "vector":
            for match in matches:
                truth = _cosine(expected[match.seq].vector or b"", query.vector or b"")
                assert match.score == pytest.approx(truth, abs=1e-4)
        assert index.search(query, limit=2) == matches[:2]

    def _check_order(self, matches: Sequence[Match]) -> None:
        keys = [(-match.score, match.seq) for match in matches]
        assert keys == sorted(keys)


__all__ = ["OPEN", "IndexContract", "added", "deleted", "entry"]
