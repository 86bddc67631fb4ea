import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.retrieval.fusion import DENSE_WEIGHT, fuse
from agentcl.retrieval.index import Match


def ranking(*scores: tuple[int, float]) -> list[Match]:
    return [Match(seq, f"id{seq}", score) for seq, score in scores]


RANKINGS = st.lists(
    st.tuples(st.integers(1, 30), st.floats(-1, 50, allow_nan=False)),
    max_size=20,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: ranking(*sorted(pairs, key=lambda pair: (-pair[1], pair[0]))))


def test_an_entry_in_both_rankings_wins_over_one_in_either() -> None:
    dense = ranking((1, 0.9), (2, 0.8), (4, 0.0))
    fused = list(fuse({"dense": dense, "text": ranking((3, 9.0), (2, 8.0))}))
    assert [entry.seq for entry in fused] == [2, 1, 3, 4]
    assert [part.source for part in fused[0].parts] == ["dense", "text"]
    assert fused[0].score == pytest.approx(0.8 / 0.9 * DENSE_WEIGHT + 8 / 9 * (1 - DENSE_WEIGHT))


def test_an_entry_that_the_dense_ranking_ends_before_gets_its_last_score() -> None:
    fused = {
        entry.seq: entry
        for entry in fuse({"dense": ranking((1, 0.8), (2, 0.4)), "text": ranking((3, 9.0))})
    }
    dense, text = fused[3].parts
    assert (dense.source, dense.rank, dense.score) == ("dense", 3, 0.4)
    assert dense.contribution == pytest.approx(0.5 * fused[1].score)
    assert text.source == "text"
    assert [part.source for part in fused[2].parts] == ["dense"]  # it shares no word: BM25 is 0


def test_a_negative_last_cosine_adds_nothing() -> None:
    fused = list(fuse({"dense": ranking((1, 0.8), (2, -0.4)), "text": ranking((3, 9.0))}))
    (found,) = (entry for entry in fused if entry.seq == 3)
    assert [part.source for part in found.parts] == ["text"]


def test_a_lexical_dense_ranking_only_breaks_ties_and_fills_gaps() -> None:
    fused = list(
        fuse(
            {"dense": ranking((2, 0.9), (1, 0.1)), "text": ranking((1, 9.0), (3, 7.0))},
            is_lexical=True,
        )
    )
    assert [entry.seq for entry in fused] == [1, 3, 2]


def test_a_ranking_that_tells_its_best_from_the_next_weighs_more() -> None:
    flat = ranking((1, 0.80), (2, 0.79), (3, 0.78))
    steep = ranking((3, 9.0), (1, 1.0), (2, 1.0))
    assert next(fuse({"dense": flat, "text": steep})).seq == 3
    flat = ranking((1, 9.0), (2, 8.9), (3, 8.8))
    steep = ranking((3, 0.8), (1, 0.1), (2, 0.1))
    assert next(fuse({"dense": steep, "text": flat})).seq == 3


def test_rankings_that_tell_nothing_are_weighed_as_ever() -> None:
    (found,) = fuse({"dense": ranking((1, 0.4)), "text": ranking((1, 3.0))})
    assert [part.contribution for part in found.parts] == [DENSE_WEIGHT, 1 - DENSE_WEIGHT]


@given(st.floats(1e-6, 100), st.integers(2, 30))
def test_entries_of_one_score_are_ranked_whatever_their_sum_rounds_to(
    score: float, count: int
) -> None:
    same = ranking(*((seq, score) for seq in range(count)))
    fused = fuse({"text": same, "dense": ranking((1, 0.5), (2, 0.4))})
    assert {entry.seq for entry in fused} == {*range(count), 1, 2}


def test_what_holds_an_identifier_comes_before_all_that_does_not() -> None:
    rankings = {
        "dense": ranking((1, 0.9), (2, 0.8), (3, 0.1)),
        "text": ranking((1, 9.0), (2, 8.0), (3, 1.0)),
        "exact": ranking((3, 3), (4, 3), (2, 1)),
    }
    fused = list(fuse(rankings))
    assert [entry.seq for entry in fused] == [3, 4, 2, 1]
    assert fused[0].parts[-1].source == "exact"


def test_one_ranking_alone_keeps_its_order() -> None:
    only = ranking((3, 0.4), (1, 0.4), (2, 0.1))
    assert [entry.seq for entry in fuse({"dense": only, "text": []})] == [1, 3, 2]


@given(RANKINGS, RANKINGS, st.booleans())
def test_scores_are_bounded_sorted_and_explained(
    dense: list[Match], text: list[Match], is_lexical: bool
) -> None:
    fused = list(fuse({"dense": dense, "text": text}, is_lexical=is_lexical))
    assert {entry.seq for entry in fused} == {match.seq for match in [*dense, *text]}
    assert [(-entry.score, entry.seq) for entry in fused] == sorted(
        (-entry.score, entry.seq) for entry in fused
    )
    for entry in fused:
        assert 0 <= entry.score <= 1 + 1e-9
        assert entry.score == pytest.approx(sum(part.contribution for part in entry.parts))
