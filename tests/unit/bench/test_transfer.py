"""Measures over the matrix of scores, against matrices computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.transfer import (
    ScoreMatrix,
    average_accuracy,
    backward_transfer,
    expanded_backward_transfer,
    forgetting,
    forgetting_measure,
    forward_transfer,
    intransigences,
    transfer,
)
from agentcl.bench.metrics.windowed import (
    expanded_forgetting,
    expanded_plasticity,
    incremental_plasticity,
    resilience,
    seen_averages,
    windowed,
    windowed_forgetting,
    windowed_plasticity,
)

# Row i: after stage i; column j: task j.
BY_HAND = ScoreMatrix.of([
    [0.1, 0.2, 0.3],  # before any
    [0.8, 0.4, 0.3],
    [0.9, 0.7, 0.5],
    [0.6, 0.5, 1.0],
])  # fmt: skip


def matrices(least: int = 2) -> st.SearchStrategy[ScoreMatrix]:
    score = st.floats(0, 1)
    return st.integers(least, 6).flatmap(
        lambda n: st.lists(
            st.lists(score, min_size=n, max_size=n), min_size=n + 1, max_size=n + 1
        ).map(ScoreMatrix.of)
    )


def test_every_measure_of_a_matrix_by_hand() -> None:
    found = transfer(BY_HAND, reference=[0.9, 0.9, 0.9])
    # (0.6 + 0.5 + 1.0) / 3
    assert found.average_accuracy == pytest.approx(0.7)
    # ((0.6 - 0.8) + (0.5 - 0.7)) / 2
    assert found.backward_transfer == pytest.approx(-0.2)
    # i=2,j=1: 0.9-0.8 = 0.1; i=3,j=1: 0.6-0.8 = -0.2; i=3,j=2: 0.5-0.7 = -0.2; their sum times 2/(3*2)
    assert found.expanded_backward_transfer == pytest.approx(-0.3 / 3)
    # j=2: R[1,2]-R[0,2] = 0.4-0.2; j=3: R[2,3]-R[0,3] = 0.5-0.3
    assert found.forward_transfer == pytest.approx(0.2)
    # task 1: max(0.8, 0.9)-0.6 = 0.3; task 2: max(0.7)-0.5 = 0.2
    assert found.forgetting == pytest.approx(0.25)
    # 0.9-0.8, 0.9-0.7, 0.9-1.0
    assert intransigences(BY_HAND, [0.9] * 3) == pytest.approx((0.1, 0.2, -0.1))
    assert found.intransigence == pytest.approx(0.2 / 3)


def test_forgetting_is_negative_where_the_end_is_best_and_the_measure_of_leanagent_is_not() -> None:
    matrix = ScoreMatrix.of([[0, 0, 0], [0.2, 0, 0], [0.2, 0.8, 0], [0.6, 0.4, 0]])
    # task 1: 0.2-0.6 = -0.4; task 2: 0.8-0.4 = 0.4
    assert forgetting(matrix) == pytest.approx(0.0)
    # task 1: max(0.2, 0.2, 0.6)-0.6 = 0; task 2: 0.4
    assert forgetting_measure(matrix) == pytest.approx(0.2)


def test_one_task_has_an_average_and_no_transfer() -> None:
    found = transfer(ScoreMatrix.of([[0.0], [0.5]]))
    assert found.average_accuracy == 0.5
    assert {found.backward_transfer, found.expanded_backward_transfer, found.forward_transfer,
            found.forgetting, found.intransigence} == {None}  # fmt: skip


def test_what_was_not_measured_leaves_undefined_only_what_needs_it() -> None:
    lower = ScoreMatrix.of([[None] * 3, [0.8, None, None], [0.9, 0.7, None], [0.6, 0.5, 1.0]])
    assert forward_transfer(lower) is None
    assert backward_transfer(lower) == backward_transfer(BY_HAND)
    assert expanded_backward_transfer(lower) == expanded_backward_transfer(BY_HAND)
    assert forgetting(lower) == forgetting(BY_HAND)
    gap = ScoreMatrix.of([[0.1, 0.2, 0.3], [0.8, 0.4, 0.3], [None, 0.7, 0.5], [0.6, 0.5, 1.0]])
    assert backward_transfer(gap) == backward_transfer(BY_HAND)
    assert expanded_backward_transfer(gap) is None
    assert forgetting(gap) is None
    assert windowed(gap).resilience is None
    assert transfer(gap, reference=[1, 1, 1]).intransigence == pytest.approx((0.2 + 0.3 + 0) / 3)


@given(matrices())
def test_measures_of_scores_lie_in_their_bounds(matrix: ScoreMatrix) -> None:
    found = transfer(matrix, reference=[1.0] * matrix.tasks)
    for value in (found.backward_transfer, found.expanded_backward_transfer,
                  found.forward_transfer, found.forgetting):  # fmt: skip
        assert value is not None
        assert -1 <= value <= 1
    lean = forgetting_measure(matrix)
    assert found.forgetting is not None
    assert lean is not None
    assert lean >= max(0.0, found.forgetting)
    assert found.average_accuracy is not None
    assert 0 <= found.average_accuracy <= 1
    assert found.intransigence is not None
    assert found.intransigence >= 0


@given(matrices(), st.floats(-1, 1))
def test_adding_the_same_to_every_score_changes_no_transfer(
    matrix: ScoreMatrix, more: float
) -> None:
    raised = ScoreMatrix.of([[(score or 0) + more for score in row] for row in matrix.rows])
    for measure in (backward_transfer, expanded_backward_transfer, forward_transfer, forgetting,
                    forgetting_measure):  # fmt: skip
        assert measure(raised) == pytest.approx(measure(matrix), abs=1e-9)
    assert average_accuracy(raised) == pytest.approx(
        (average_accuracy(matrix) or 0) + more, abs=1e-9
    )


def test_what_is_no_matrix_is_refused() -> None:
    shapes: tuple[list[list[float]], ...] = (
        [],
        [[]],
        [[0.5]],
        [[0, 0], [0, 0]],
        [[0], [0, 0], [0, 0]],
    )
    for rows in shapes:
        with pytest.raises(InvalidInput, match=r"N \+ 1 rows"):
            ScoreMatrix.of(rows)
    with pytest.raises(InvalidInput, match="number 2 of the matrix is nan"):
        ScoreMatrix.of([[0.0], [float("nan")]])
    with pytest.raises(InvalidInput, match="one for each"):
        intransigences(BY_HAND, [1.0])


def test_windows_by_hand() -> None:
    averages = [0.5, 0.9, 0.8, 0.6, 0.4, 0.7, 0.3]
    # w=2, neighbours: -0.1 -0.2 -0.2 -0.4; the largest drop is 0.7-0.3, the largest rise 0.9-0.5
    assert windowed_forgetting(averages, window=2) == pytest.approx(0.4)
    assert windowed_plasticity(averages, window=2) == pytest.approx(0.4)
    # w=4: 0.9 ... 0.4 within stages 2 to 5
    assert windowed_forgetting(averages, window=4) == pytest.approx(0.5)
    # w=5: as w=4, since 0.3 is six stages from 0.9
    assert windowed_forgetting(averages) == pytest.approx(0.5)
    # a window that grows to all: 0.9 - 0.3
    assert expanded_forgetting(averages) == pytest.approx(0.6)
    assert expanded_plasticity(averages) == pytest.approx(0.4)
    # 0.3 / 0.9
    assert resilience(averages) == pytest.approx(1 / 3)


def test_leanagents_measures_of_a_matrix_by_hand() -> None:
    # a_1 = 0.8; a_2 = (0.9 + 0.7)/2 = 0.8; a_3 = (0.6 + 0.5 + 1.0)/3 = 0.7
    assert seen_averages(BY_HAND) == pytest.approx((0.8, 0.8, 0.7))
    found = windowed(BY_HAND)
    assert found.windowed_forgetting == pytest.approx(0.1)
    assert found.windowed_plasticity == 0
    assert found.expanded_forgetting == pytest.approx(0.1)
    # task 1: max(0.8, 0.9, 0.6)-0.6 = 0.3; task 2: max(0.7, 0.5)-0.5 = 0.2
    assert found.forgetting_measure == pytest.approx(0.25)
    assert found.resilience == pytest.approx(0.7 / 0.8)
    assert found.expanded_backward_transfer == pytest.approx(-0.1)
    # x = -1, 0, 1: (-0.8 + 0 + 0.7) / 2
    assert found.incremental_plasticity == pytest.approx(-0.05)


def test_windows_over_too_little_are_undefined() -> None:
    for averages in ([], [0.5]):
        assert windowed_forgetting(averages) is None
        assert expanded_plasticity(averages) is None
        assert incremental_plasticity(averages) is None
    assert resilience([]) is None
    assert resilience([0.0, 0.0]) is None
    with pytest.raises(InvalidInput, match="at least 2"):
        windowed_forgetting([0.5, 0.6], window=1)
    with pytest.raises(InvalidInput, match="not negative"):
        resilience([-0.1, 0.4])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(2, 8))
def test_a_longer_window_never_sees_less(averages: list[float], window: int) -> None:
    short = windowed_forgetting(averages, window=window)
    longer = windowed_forgetting(averages, window=window + 1)
    whole = expanded_forgetting(averages)
    assert short is not None
    assert longer is not None
    assert whole is not None
    assert 0 <= short <= longer <= whole <= 1
    assert windowed_plasticity(averages[::-1], window=window) == short
