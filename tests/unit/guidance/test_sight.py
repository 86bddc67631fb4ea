"""Whose evidence counts for whom: nobody learns from, or is harmed by, what he cannot see."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agentcl.guidance.evidence.credit import Credit
from agentcl.guidance.evidence.sight import Sight, line_of
from agentcl.guidance.evidence.trust import Trust
from agentcl.guidance.selection import Choice, Place, choose
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import Decision, Episode, Exposure, Guidance, Reflection, Stated
from agentcl.store.records import Record, Scope, from_micros
from agentcl.store.rows import Row, body_json, fields_of

WHENS = ["a queue is slow", "a cache is full"]
WHATS = ["drain it", "flush it"]
WORLDS = ["", "north"]
CLUSTERS = ["ops/queues", "ops/caches"]
ADA = Scope(user="ada")


def row(seq: int, record: Record) -> Row:
    record = replace(record, created_at=from_micros(seq))
    made = Row(
        seq, record.id, 1, "put", record.kind, *fields_of(record.scope), seq, None, None, None,
        json.dumps(record.sources), body_json(record), "{}", None, b"",
    )  # fmt: skip
    return made._replace(checksum=made.digest())


def fold(records: Iterable[Record], *, of: Collection[str] | None = None) -> GuidanceState:
    """Fold records in their order; of some users alone, at the moments at which they were written."""
    rows = [row(n, one) for n, one in enumerate(records, start=1)]
    return GuidanceState.of(one for one in rows if of is None or one.user in of)


scopes = st.builds(
    Scope,
    user=st.sampled_from(["ada", "bob", "bob", "eve"]),
    agent=st.sampled_from(["", "", "bot"]),
    session=st.sampled_from(["", "s1", "s2"]),
)


@st.composite
def lives(draw: st.DrawFn, *, is_shared: bool = False) -> list[Record]:
    """Return lessons of several users, what they lived through, and what they say of it; any may name any."""
    owners = [
        replace(draw(scopes), session="", user="" if is_shared and draw(st.booleans()) else user)
        for user in ("ada", "ada", "bob", "bob", "eve")
    ]
    lessons = [
        Guidance(
            id=f"{scope.user or 'all'}{n}", scope=scope, when=draw(st.sampled_from(WHENS)),
            claim=draw(st.sampled_from(["do", "avoid", "useless"])),
            what=draw(st.sampled_from(WHATS)), application="ops",
            family=draw(st.sampled_from(["queues", "caches"])),
            origin=draw(st.sampled_from(["experience", "told"])),
        )
        for n, scope in enumerate(owners)
    ]  # fmt: skip
    ids = [one.id for one in lessons]
    exposed = st.builds(
        Exposure, st.sampled_from(ids), st.sampled_from([0.3, 0.6]), st.booleans(), st.booleans()
    )
    lived: list[Record] = []
    for n in range(draw(st.integers(0, 25))):
        scope, score = draw(scopes), draw(st.sampled_from([0.0, 0.5, 1.0]))
        lived.append(
            Episode(
                id=f"e{n}", scope=scope, task="t", application="ops", world=draw(st.sampled_from(WORLDS)),
                family=draw(st.sampled_from(["queues", "caches"])), status="finished", score=score,
                is_success=score >= 0.5, lane="alone",
                exposures=tuple(draw(st.lists(exposed, max_size=3, unique_by=lambda one: one[0]))),
            )
        )  # fmt: skip
        stated = tuple(
            Stated(one.when, draw(st.sampled_from(["do", "avoid"])), one.what, one.id)
            for one in draw(st.lists(st.sampled_from(lessons), max_size=2))
        )
        about = draw(st.sampled_from([scope, draw(scopes)]))
        lived.append(Reflection(id=f"r{n}", scope=about, sources=(f"e{n}",), stated=stated))
        if draw(st.integers(0, 9)) == 0:
            lived.append(
                Decision(
                    id=f"d{n}", scope=replace(draw(scopes), agent="", session=""),
                    what=draw(st.sampled_from(["retire", "rollback"])), since=n, until=2 * n,
                    guidance=draw(st.sampled_from(ids)),
                )
            )  # fmt: skip
    return [*lessons, *lived]


def chosen(state: GuidanceState, seed: int) -> Choice:
    place = Place("The queue is slow, the cache is full.", "ops", "ops/queues", "", ADA.view())
    return choose(state, place, random.Random(seed))


@settings(max_examples=40, phases=[Phase.generate])
@given(lives())
def test_what_a_user_believes_is_the_same_whatever_other_users_do(records: list[Record]) -> None:
    alone = fold(records, of=("ada",))
    together = fold(records)
    view = ADA.view()
    for id in alone.lessons:
        for cluster in CLUSTERS:
            for world in WORLDS:
                one, other = (
                    state.belief(id, cluster=cluster, world=world, view=view)
                    for state in (alone, together)
                )
                assert one == other
    for seed in range(5):
        assert chosen(alone, seed).exposures == chosen(together, seed).exposures
    for world in WORLDS:
        assert alone.expected("ops/queues", world, ADA) == together.expected(
            "ops/queues", world, ADA
        )
        for went in (True, False):
            last = [
                state.last_attempt("ops/queues", world, is_success=went, view=view)
                for state in (alone, together)
            ]
            assert last[0] == last[1]
    assert alone.lanes_of(ADA).to_plain() == together.lanes_of(ADA).to_plain()


@settings(max_examples=40, phases=[Phase.generate])
@given(lives(is_shared=True))
def test_a_test_counts_only_from_scopes_that_may_see_the_lesson(records: list[Record]) -> None:
    state = fold(records)
    for id, held in state.lessons.items():
        owner = held.guidance.scope
        if owner.user:
            own = Sight(frozenset({owner.user}), None)
            assert state.trust.counts(id) == state.trust.counts(id, sight=own)
            assert state.credit.counts(id) == state.credit.counts(id, sight=own)
    lived = {one.id: one.scope for one in records if isinstance(one, Episode)}
    said = {one.sources[0]: one.scope for one in records if isinstance(one, Reflection)}
    for held in state.lessons.values():
        for test in held.tests:
            views = [one[test.episode].view() for one in (lived, said)]
            assert any(view.sees(held.guidance.scope) for view in views)


@settings(max_examples=40, phases=[Phase.generate])
@given(lives(is_shared=True))
def test_another_users_word_alone_never_ends_a_lesson(records: list[Record]) -> None:
    """Whatever bob and eve do, a shared lesson that ada trusted without them is still tried by her."""
    undecided = [one for one in records if not isinstance(one, Decision)]
    before, after = fold(undecided, of=("", "ada")), fold(undecided)
    for id, held in before.lessons.items():
        seen = Sight(frozenset({"", "ada"}), None)
        if held.guidance.scope.user or after.trust.counts(id, sight=seen) != (0, 0):
            continue
        trusts = [
            state.belief(id, cluster="ops/queues", world="", view=ADA.view()).trust
            for state in (before, after)
        ]
        assert trusts[1] >= min(0.5, trusts[0]) - 1e-9


def test_of_many_others_each_user_has_one_vote() -> None:
    def trusted(refutations: Sequence[str]) -> float:
        trust = Trust()
        for user in ("u1", "u2", "u3", "u4"):
            trust.test("it", "", "told:do", is_confirmed=True, by=line_of(Scope(user=user)))
        for user, agent in zip(refutations, map(str, count()), strict=False):
            by = line_of(Scope(user=user, agent=agent))
            trust.test("it", "", "told:do", is_confirmed=False, by=by)
        sight = Sight(frozenset({"", "ada"}), frozenset({""}))
        return trust.belief("it", "", "told:do", prior=0.6, sight=sight)

    assert trusted(["mallory"] * 30) == pytest.approx(trusted(["mallory"]))
    assert trusted(["mallory"] * 30) > 0.6
    assert trusted(["mallory", "trudy", "eve"]) < trusted(["mallory"]) < trusted([])


def test_one_busy_user_moves_the_uplift_of_others_no_further_than_one() -> None:
    def uplift(episodes: int, clusters: int) -> float:
        credit = Credit()
        for n in range(10):
            for user in range(8):
                credit.add("c", 0.3 if n % 2 else -0.3, [("it", 0.5, n % 2 == 1)], by=f"u{user}\n")
        for n in range(episodes):
            by = line_of(Scope(user="mallory"))
            shown = n % 2 == 1
            credit.add(f"c{n % clusters}", -1.0 if shown else 1.0, [("it", 0.5, shown)], by=by)
        sight = Sight(frozenset({"", "ada"}), frozenset({""}))
        return credit.posterior("it", "c", prior_mean=0.1, sight=sight).mean

    assert uplift(5_000, 50) > 0
    assert uplift(5_000, 50) > uplift(0, 1) - 0.25
    assert abs(uplift(5_000, 50) - uplift(500, 1)) < 0.05


@pytest.mark.parametrize("user", ["", "ada"])
def test_nobody_speaks_of_another_users_episode(user: str) -> None:
    lesson = Guidance(id="it", when=WHENS[0], claim="do", what=WHATS[0], scope=Scope(user=user))
    lived = Episode(
        id="e", scope=ADA, task="t", status="finished", score=1.0, is_success=True
    )  # fmt: skip
    stated = (Stated(WHENS[0], "do", WHATS[0], "it"),)
    said = Reflection(id="r", scope=Scope(user="mallory"), sources=("e",), stated=stated)
    state = fold([lesson, lived, said])
    assert state.trust.counts("it", sight=Sight(frozenset({"", "ada"}), None)) == (0, 0)
    own = fold([lesson, lived, replace(said, scope=ADA)])
    assert own.trust.counts("it", sight=Sight(frozenset({"", "ada"}), None)) == (1, 0)


def test_a_kept_state_knows_who_learned_a_shared_lesson_by_himself() -> None:
    def lesson(id: str, user: str, *sources: str) -> Guidance:
        return Guidance(
            id=id, scope=Scope(user=user), sources=sources, application="ops", world="north",
            when=WHENS[0], claim="do", what=WHATS[0],
        )  # fmt: skip

    own = [lesson(f"own-{user}", user) for user in ("bob", "eve")]
    lessons = [own[0], lesson("shared", "", "own-bob", "own-eve"), own[1]]
    played = Episode(
        id="e1", scope=Scope(user="mallory"), task="t", application="ops", family="queues",
        world="north", status="finished", score=0.0, is_success=False,
    )  # fmt: skip
    against = Reflection(
        id="r1", scope=Scope(user="mallory"), sources=("e1",),
        stated=(Stated(WHENS[0], "avoid", WHATS[0], "against"),),
    )  # fmt: skip
    state = fold([*lessons, played, against])
    plain = json.loads(json.dumps(state.to_plain()))
    kept = GuidanceState.from_plain(plain, dict(enumerate(lessons, 1)))
    sight = Sight(frozenset({"", "ada"}), None)
    assert state.trust.votes("shared", "north", sight) == (2, 1)
    assert kept.trust.votes("shared", "north", sight) == (2, 1)
    of_bob = Sight(frozenset({"", "bob"}), None)
    assert state.trust.votes("shared", "north", of_bob) == (1, 1)  # his own is no other's


def test_who_learned_it_is_counted_though_votes_were_asked_for_before_he_was_known() -> None:
    trust, sight = Trust(), Sight(frozenset({"", "ada"}), None)
    trust.test("shared", "", "experience:do", is_confirmed=False, by="mallory\n")
    assert trust.votes("shared", "", sight) == (0, 1)
    trust.born("own", "")
    trust.draw("shared", "own", "bob")
    assert trust.votes("shared", "", sight) == (1, 1)
