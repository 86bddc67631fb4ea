"""Lifelong-learning measures over blocks, against runs computed by hand, edge cases among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.lifelong import (
    Block,
    TransferPair,
    lifelong,
    performance_maintenance,
    performance_recovery,
    recovery_times,
    relative_performance,
    sample_efficiency,
    terminal_performance,
    transfer_pairs,
)


def train(task: str, *scores: float) -> Block:
    return Block("train", task, scores)


def probe(task: str, *scores: float) -> Block:
    return Block("test", task, scores)


# Tests of both, train a, tests, train b, tests, train a again, tests.
RUN = [
    probe("a", 0.2, 0.2), probe("b", 0.1),
    train("a", 0.0, 0.5, 1.0),
    probe("a", 0.9), probe("b", 0.3),
    train("b", 0.4, 0.8),
    probe("a", 0.6), probe("b", 0.7),
    train("a", 0.5, 1.0, 1.0),
    probe("a", 1.0), probe("b", 0.5),
]  # fmt: skip


def test_terminal_performance_is_of_the_last_tenth_or_the_whole_test() -> None:
    # a tenth of 20 is 2: (0.5 + 1.0) / 2
    assert terminal_performance(train("a", *[0.0] * 18, 0.5, 1.0)) == 0.75
    # a tenth of 21, rounded up, is 3
    assert terminal_performance(train("a", *[0.0] * 19, 0.5, 1.0)) == 0.5
    # a tenth of 30 is 3, also in binary
    assert terminal_performance(train("a", *[0.0] * 29, 0.9)) == pytest.approx(0.3)
    assert terminal_performance(train("a", 0.0, 1.0)) == 1.0
    assert terminal_performance(probe("a", 0.0, 1.0)) == 0.5


def test_maintenance_by_hand() -> None:
    # a: first training, then tests 0.9 (the reference), 0.6: -0.3; second training, then 1.0 (the new one)
    assert performance_maintenance(RUN, "a") == pytest.approx(-0.3)
    # b: 0.7 is the reference; 0.5: -0.2
    assert performance_maintenance(RUN, "b") == pytest.approx(-0.2)
    # a ended training at 1.0: 0.9 and 0.6, then at 1.0: 1.0; (-0.1 - 0.4 + 0) / 3
    found = performance_maintenance(RUN, "a", reference="training")
    assert found == pytest.approx(-0.5 / 3)
    # b ended at 0.8: 0.7 and 0.5
    assert performance_maintenance(RUN, "b", reference="training") == pytest.approx(-0.2)


def test_maintenance_without_a_later_test_is_undefined() -> None:
    assert performance_maintenance([train("a", 1.0), probe("a", 0.5)], "a") is None
    assert performance_maintenance([probe("a", 1.0), probe("a", 0.5)], "a") is None
    assert performance_maintenance([], "a") is None


def test_transfer_by_hand() -> None:
    pairs = transfer_pairs(RUN)
    assert pairs == [
        TransferPair("b", "a", "backward", 0.9, 0.6),
        TransferPair("a", "b", "forward", 0.1, 0.3),
        TransferPair("a", "b", "backward", 0.7, 0.5),
    ]
    # (0.6-0.9)/1.5, (0.3-0.1)/0.4, (0.5-0.7)/1.2
    assert [pair.contrast for pair in pairs] == pytest.approx([-0.2, 0.5, -1 / 6])
    assert [pair.ratio for pair in pairs] == pytest.approx([2 / 3, 3, 5 / 7])


def test_an_effect_that_two_trainings_may_have_had_is_nobodys() -> None:
    both = [probe("c", 0.1), train("a", 1.0), train("b", 1.0), probe("c", 0.9)]
    assert transfer_pairs(both) == []
    own = [probe("a", 0.1), train("a", 1.0), train("b", 1.0), probe("a", 0.9)]
    assert transfer_pairs(own) == []
    untouched = [probe("a", 0.1), probe("a", 0.9)]
    assert transfer_pairs(untouched) == []
    longer = [probe("c", 0.1), train("a", 0.5), train("a", 1.0), probe("c", 0.9)]
    assert transfer_pairs(longer) == [TransferPair("a", "c", "forward", 0.1, 0.9)]


def test_transfer_from_nothing_has_a_contrast_and_no_ratio() -> None:
    pair = TransferPair("a", "b", "forward", 0.0, 0.4)
    assert pair.ratio is None
    assert pair.contrast == 1.0
    assert TransferPair("a", "b", "forward", 0.0, 0.0).contrast is None


def test_relative_performance_by_hand() -> None:
    # over the first two: (0.5 + 1.0) / (1.0 + 1.0)
    assert relative_performance([0.5, 1.0, 1.0], [1.0, 1.0]) == 0.75
    assert relative_performance([0.5], [0.0]) is None
    assert relative_performance([], [1.0]) is None


def test_sample_efficiency_by_hand() -> None:
    # fewer than 15 episodes: no average. ours reaches 0.8 after 2, the expert 1.0 after 4: 0.8/1.0 * 4/2
    ours = [0.0, 0.4, 0.8, 0.8, 0.8]
    expert = [0.0, 0.2, 0.4, 0.6, 1.0, 1.0]
    assert sample_efficiency(ours, expert) == pytest.approx(1.6)
    # 15 episodes: averages of 3. ours: 0 0 0 then 1: first whole at 3; expert: at 6; both reach 1
    ours = [0.0] * 3 + [1.0] * 12
    expert = [0.0] * 6 + [1.0] * 9
    assert sample_efficiency(ours, expert) == pytest.approx(6 / 3)
    # one lucky episode is not where it saturates: the average of 3 is 0.6 from 6 on; 0.6/1 * 3/6
    ours = [0.0, 0.0, 0.9, 0.0, 0.0, 0.0] + [0.6] * 9
    assert sample_efficiency(ours, [0.0] * 3 + [1.0] * 12) == pytest.approx(0.3)
    # twice as high as the expert, and as soon
    assert sample_efficiency([0.0, 0.8], [0.0, 0.4]) == pytest.approx(2.0)


def test_sample_efficiency_at_its_edges() -> None:
    expert = [0.0, 0.5, 1.0]
    assert sample_efficiency([0.1, 0.1, 0.19], expert) == 0.0  # below a fifth of the expert's
    assert sample_efficiency([0.9, 0.5, 0.4], expert) == 0.0  # it falls
    assert sample_efficiency([1.0, 1.0, 1.0], expert) is None  # saturated at once
    assert sample_efficiency(expert, [1.0, 1.0, 1.0]) is None
    assert sample_efficiency(expert, [0.0, 0.0]) is None
    assert sample_efficiency([], expert) is None
    assert sample_efficiency(expert, expert) == 1.0


def test_recovery_by_hand() -> None:
    run = [
        train("a", 0.2, 0.8),
        train("b", 1.0),
        train("a", 0.1, 0.3, 0.8, 0.9),  # reaches 0.8 at the third
        train("b", 1.0),
        train("a", 0.5, 0.9),  # reaches 0.9 at the second
        train("a", 0.1, 0.2),  # not interrupted: nothing to recover from
        train("b", 1.0),
        train("a", 0.1, 0.1),  # 0.2 never: 2 + 1
    ]
    assert recovery_times(run, "a") == [3, 2, 3]
    # slopes -1, 1 and 0: median 0
    assert performance_recovery(run, "a") == 0
    # only the first two: slope -1, so recovery gets faster
    assert performance_recovery(run[:5], "a") == 1
    assert performance_recovery(run[:3], "a") is None
    assert recovery_times(run, "b") == [1, 1]


def test_a_whole_run_by_hand() -> None:
    found = lifelong(RUN, experts={"a": [0.0, 0.5, 1.0, 1.0], "c": [1.0]})
    # last trainings: a 1.0, b 0.8
    assert found.terminal_performance == pytest.approx(0.9)
    assert found.maintenance == pytest.approx(-0.25)
    assert found.maintenance_of_training == pytest.approx((-0.5 / 3 - 0.2) / 2)
    assert found.forward_contrast == pytest.approx(0.5)
    assert found.forward_ratio == pytest.approx(3)
    assert found.backward_contrast == pytest.approx((-0.2 - 1 / 6) / 2)
    assert found.backward_ratio == pytest.approx((2 / 3 + 5 / 7) / 2)
    assert found.performance_recovery is None
    # a: 0 0.5 1 0.5 of the expert's 0 0.5 1 1
    assert found.relative_performance == pytest.approx(2.0 / 2.5)
    # both reach 1.0 after two
    assert found.sample_efficiency == pytest.approx(1.0)
    assert len(found.pairs) == 3


def test_a_run_of_nothing_is_undefined_throughout() -> None:
    found = lifelong([])
    assert found.terminal_performance is None
    assert found.relative_performance is None
    assert found.pairs == ()


RUNS = st.lists(
    st.builds(
        Block,
        st.sampled_from(["train", "test"]),
        st.sampled_from("abc"),
        st.lists(st.floats(0, 1), min_size=1, max_size=5).map(tuple),
    ),
    max_size=25,
)


@given(RUNS)
def test_measures_of_scores_lie_in_their_bounds(blocks: list[Block]) -> None:
    found = lifelong(blocks)
    for value in (found.maintenance, found.maintenance_of_training, found.forward_contrast,
                  found.backward_contrast):  # fmt: skip
        assert value is None or -1 - 1e-9 <= value <= 1 + 1e-9
    for pair in found.pairs:
        assert pair.source != pair.target
        back = TransferPair(pair.source, pair.target, pair.direction, pair.after, pair.before)
        if pair.contrast is not None:
            assert back.contrast == pytest.approx(-pair.contrast)


@given(RUNS)
def test_names_of_tasks_do_not_matter(blocks: list[Block]) -> None:
    other = {"a": "x", "b": "y", "c": "z"}
    renamed = lifelong([Block(b.kind, other[b.task], b.scores) for b in blocks])
    found = lifelong(blocks)
    assert renamed.maintenance == found.maintenance
    assert renamed.backward_contrast == found.backward_contrast
    assert renamed.performance_recovery == found.performance_recovery


def test_scores_below_zero_and_empty_blocks_are_refused() -> None:
    with pytest.raises(InvalidInput, match="a train block of 'a' has a negative score"):
        train("a", 0.5, -1.0)
    with pytest.raises(InvalidInput, match="has no score"):
        probe("a")
    with pytest.raises(InvalidInput, match="leave out"):
        train("a", float("inf"))
