"""A folded state that is kept and read again goes on exactly as the one that was never put down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentcl.guidance.kept import seqs_of
from agentcl.guidance.rules import GuidanceRules
from agentcl.guidance.snapshot import FORMAT
from agentcl.guidance.state import GuidanceState
from agentcl.store.episodes import (
    Decision,
    Episode,
    Exposure,
    Guidance,
    Reflection,
    Showing,
    Stated,
)
from agentcl.store.records import Record, Scope, ScopeView, from_micros
from agentcl.store.rows import Op, Row, body_json, fields_of
from agentcl.text.terms import ANALYSIS

IDS = [f"lesson{n}" for n in range(5)]
# Lessons of another memory that say what the first ones here say, and may give way to them.
TWINS = {"twin0": "lesson0", "twin1": "lesson1", "lesson1": "lesson2"}
ALL = [*IDS, "twin0", "twin1"]
PLAYED = [f"episode{n}" for n in range(8)]
WHENS = ["a queue is slow", "a cache is full", "a queue is slow and full", "it is so"]
WHATS = ["drain it", "flush it", "wait"]
CLAIMS = ["do", "avoid", "useless", "needs", "expect"]
WORLDS = ["", "north", "south"]


def in_force(id: str) -> str:
    while id in TWINS:
        id = TWINS[id]
    return id


scopes = st.sampled_from([Scope(), Scope(user="ada"), Scope(), Scope(tenant="other")])
lessons = st.builds(
    Guidance,
    id=st.sampled_from(ALL),
    scope=scopes,
    sources=st.lists(st.sampled_from(PLAYED), max_size=1).map(tuple),
    when=st.sampled_from(WHENS),
    claim=st.sampled_from(CLAIMS),
    what=st.sampled_from(WHATS),
    application=st.just("ops"),
    world=st.sampled_from(WORLDS),
    origin=st.sampled_from(["experience", "told", "imported"]),
    author=st.sampled_from(["", "teacher"]),
)
exposures = st.builds(
    Exposure,
    st.sampled_from(ALL),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    st.booleans(),
    st.booleans(),
)
showings = st.builds(
    Showing,
    st.sampled_from(["success", "failure"]),
    st.sampled_from([0.0, 0.6, 1.0]),
    st.booleans(),
)
scores = st.none() | st.sampled_from([0.0, 0.1, 0.5, 1 / 3, 1.0])
episodes = st.builds(
    lambda score, **given: Episode(
        score=score, is_success=None if score is None else score >= 0.5, task="t", **given
    ),
    scores,
    id=st.sampled_from(PLAYED),
    scope=scopes,
    application=st.just("ops"),
    family=st.sampled_from(["queues", "caches"]),
    world=st.sampled_from(WORLDS),
    first=st.sampled_from(["", "The queue is slow."]),
    status=st.sampled_from(["finished", "finished", "open", "interrupted"]),
    lane=st.sampled_from(["", "alone", "taught"]),
    exposures=st.lists(exposures, max_size=4, unique_by=lambda one: in_force(one.guidance)).map(
        tuple
    ),
    demonstrations=st.lists(showings, max_size=3).map(tuple),
)
reflections = st.builds(
    Reflection,
    id=st.just("reflection"),
    scope=scopes,
    sources=st.lists(st.sampled_from(PLAYED), max_size=1).map(tuple),
    stated=st.lists(
        st.builds(
            Stated, st.sampled_from(WHENS), st.sampled_from(CLAIMS), st.sampled_from(WHATS),
            st.sampled_from(ALL),
        ),
        max_size=3,
    ).map(tuple),
)  # fmt: skip
decisions = st.builds(
    Decision,
    id=st.sampled_from(["d0", "d1"]),
    what=st.sampled_from(["retire", "restore", "rollback", "applies", "does not apply"]),
    guidance=st.sampled_from(ALL),
    scope=scopes,
    situation=st.sampled_from(["The queue is slow.", "The cache is full."]),
    since=st.integers(0, 30),
    until=st.integers(10, 60),
)
# What happens: a record is written, or one is deleted or erased, or gives way in a merge.
events = st.tuples(
    st.sampled_from(["put"] * 20 + ["delete", "erase", "merge"]),
    lessons | episodes | episodes | episodes | reflections | decisions,
)


def row(seq: int, record: Record, op: Op = "put", metadata: str = "{}") -> Row:
    tenant, *others = fields_of(record.scope) if op != "erase" else (None, None, None, None)
    user, agent, session = others
    made = Row(
        seq, record.id, 1, op, record.kind, tenant, user, agent, session, seq, None, None, None,
        json.dumps(record.sources), body_json(record), metadata, None, b"",
    )  # fmt: skip
    return made._replace(checksum=made.digest())


def journal_of(happened: list[tuple[str, Record]]) -> list[Row]:
    """Return rows, less those of what was erased. A decision that was taken back never returns."""
    rows: list[Row] = []
    taken_back: set[str] = set()
    for seq, (what, record) in enumerate(happened, start=1):
        if isinstance(record, Decision):
            if what == "put" and record.id in taken_back:
                continue
            taken_back |= {record.id} if what != "put" else set()
        made = replace(record, created_at=from_micros(seq))
        if what == "erase":
            rows = [one for one in rows if one.id != record.id]
            rows.append(row(seq, made, "erase"))
        elif what == "merge":
            by = json.dumps({"superseded_by": TWINS.get(record.id, "")})
            rows.append(row(seq, made, "delete", by))
        else:
            rows.append(row(seq, made, "delete" if what == "delete" else "put"))
    return rows


def kept_and_read(state: GuidanceState, rows: list[Row]) -> GuidanceState:
    plain = json.loads(json.dumps(state.to_plain()))
    versions: dict[int, Any] = {one.seq: one.record() for one in rows if one.seq in seqs_of(plain)}
    return GuidanceState.from_plain(plain, versions, rules=state.rules)


def exactly(state: GuidanceState) -> str:
    """Return all that a state believes, in the order in which it holds it."""
    return json.dumps(state.to_plain() | {"folded": 0})


rules = st.sampled_from(
    [GuidanceRules(), GuidanceRules(narrowing=False), GuidanceRules(tests=False)]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(events, max_size=60), st.integers(0, 60), rules)
def test_a_kept_state_goes_on_as_if_it_had_not_been_put_down(
    happened: list[tuple[str, Record]], at: int, by: GuidanceRules
) -> None:
    before, rows = journal_of(happened[:at]), journal_of(happened)
    whole = GuidanceState.of(before, rules=by)
    state = kept_and_read(whole, before)
    assert exactly(state) == exactly(whole)
    everybody = ScopeView(None, None, None, None)
    assert state.covering("a full queue is slow; the cache is full", everybody) == (
        whole.covering("a full queue is slow; the cache is full", everybody)
    )
    later = [one for one in rows if one.seq > whole.watermark]
    if not all(state.apply(one) for one in later):
        state = GuidanceState.of(rows, rules=by)  # something was taken back
    assert state.digest() == GuidanceState.of(rows, rules=by).digest()
    assert exactly(state) == exactly(GuidanceState.of(rows, rules=by))


def test_what_a_fold_gives_changes_only_together_with_the_format() -> None:
    """Files of another fold must be passed over: raise `FORMAT` wherever this digest changes."""
    shown = tuple(Exposure(id, 0.5, n % 2 == 0, n == 0) for n, id in enumerate(IDS[:3]))
    records: list[Record] = [
        Guidance(id=id, when=WHENS[n % 3], claim=CLAIMS[n], what=WHATS[n % 2], application="ops")
        for n, id in enumerate(IDS)
    ]
    for n in range(40):
        records += [
            Episode(
                id=f"e{n}", task="t", application="ops", family="queues", world=WORLDS[n % 7 == 0],
                first=WHENS[n % 3],
                status="finished", score=float(n < 30), is_success=n < 30,
                exposures=shown, demonstrations=(Showing("success", 0.6, n % 3 > 0),), lane="alone",
            ),
            Reflection(
                id=f"r{n}", sources=(f"e{n}",),
                stated=(Stated(WHENS[n % 3], CLAIMS[n % 4], WHATS[n % 2], IDS[n % 5]),),
            ),
        ]  # fmt: skip
    state = GuidanceState.of([row(n, one) for n, one in enumerate(records, start=1)])
    assert state.changes
    assert (FORMAT, ANALYSIS, state.digest()[:16]) == (7, 3, "3a9666b42be8d5b3")
