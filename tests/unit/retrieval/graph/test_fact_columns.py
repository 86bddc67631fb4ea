"""Facts in columns: what is found of them equals what a plain list of versions says."""

from hypothesis import given
from hypothesis import strategies as st

from agentcl.retrieval.graph.fact_columns import LIVES, FactColumns, StatedFact

# At each moment from 0 on: a fact is said by a passage (again), or ends.
CHANGES = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30)


def passage_of(fact: int) -> str:
    return f"passage {fact % 2}"


@given(CHANGES, st.one_of(st.none(), st.integers(-1, 31)))
def test_any_sequence_of_changes_gives_what_lived_at_each_moment(
    changes: list[tuple[int, bool]], at: int | None
) -> None:
    facts = FactColumns()
    versions: list[tuple[StatedFact, str, int, int]] = []
    live: dict[int, int] = {}
    for now, (fact, is_added) in enumerate(changes):
        ended = live.pop(fact, None)
        if ended is not None:
            versions[ended] = (*versions[ended][:3], now)
        assert facts.end(str(fact), now) == (None if ended is None else passage_of(fact))
        if is_added:
            live[fact] = len(versions)
            stated = StatedFact(10 * now, subject=fact, object=fact + 1)
            versions.append((stated, passage_of(fact), now, LIVES))
            facts.add(10 * now, str(fact), passage_of(fact), fact, fact + 1, now)
    lived = [
        (stated, passage)
        for stated, passage, begin, end in versions
        if (end == LIVES if at is None else begin <= at < end)
    ]
    for passage in ("passage 0", "passage 1", "unknown"):
        expected = [stated for stated, stated_by in lived if stated_by == passage]
        assert list(facts.of(passage, at)) == expected
        assert facts.pairs(passage, at) == [(fact.subject, fact.object) for fact in expected]
    for seq in range(-1, 301):
        found = [stated for stated, _ in lived if stated.seq == seq]
        assert facts.get(seq, at) == (found[0] if found else None)
    assert sorted(facts.live_seqs()) == sorted(versions[row][0].seq for row in live.values())
