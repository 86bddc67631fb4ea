"""Learning curves, break-even and efficiency, against sums done by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.curves import (
    BreakEven,
    adaptive_efficiency,
    area_under_curve,
    break_even_cost,
    break_even_score,
    first_mean,
    last_mean,
    learning_slope,
    prequential_scores,
)
from agentcl.bench.metrics.trends import mean_of, mean_of_present, median_slope, slope

SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def test_a_curve_by_hand() -> None:
    scores = [0.0, 0.5, 1.0, 0.5]
    # (0.25 + 0.75 + 0.75) / 3
    assert area_under_curve(scores) == pytest.approx(1.75 / 3)
    assert first_mean(scores, 2) == 0.25
    assert first_mean(scores, 1) == 0.0
    assert last_mean(scores, 1) == 0.5
    assert last_mean(scores, 3) == pytest.approx(2 / 3)
    # t - mean t: -1.5 -0.5 0.5 1.5; s - 0.5: -0.5 0 0.5 0; (0.75 + 0.25) / 5
    assert learning_slope(scores) == pytest.approx(0.2)


def test_too_few_episodes_have_no_curve() -> None:
    assert area_under_curve([0.7]) is None
    assert area_under_curve([]) is None
    assert learning_slope([0.7]) is None
    assert first_mean([0.7], 2) is None
    assert last_mean([0.7], 2) is None
    assert prequential_scores([]) == ()
    with pytest.raises(InvalidInput, match="at least 1"):
        last_mean([0.7], 0)


def test_prequential_scores_by_hand() -> None:
    # means of the first one, two, three
    assert prequential_scores([1, 0, 1]) == pytest.approx((1, 1 / 2, 2 / 3))
    # f = 0.5: S = 1, 0.5, 1.25; B = 1, 1.5, 1.75
    assert prequential_scores([1, 0, 1], fading=0.5) == pytest.approx((1, 0.5 / 1.5, 1.25 / 1.75))
    for fading in (0, 1.1, -0.5):
        with pytest.raises(InvalidInput, match="fading factor"):
            prequential_scores([1, 0], fading=fading)


@given(SCORES, st.floats(0.01, 1))
def test_a_prequential_score_lies_between_the_scores(scores: list[float], fading: float) -> None:
    for count, value in enumerate(prequential_scores(scores, fading=fading), start=1):
        assert min(scores[:count]) - 1e-9 <= value <= max(scores[:count]) + 1e-9


@given(SCORES)
def test_a_curve_reads_the_same_backwards_but_for_its_slope(scores: list[float]) -> None:
    area = area_under_curve(scores)
    assert area is not None
    assert -1e-12 <= area <= 1 + 1e-12
    assert area_under_curve(scores[::-1]) == pytest.approx(area)
    forwards, backwards = learning_slope(scores), learning_slope(scores[::-1])
    assert forwards is not None
    assert backwards == pytest.approx(-forwards, abs=1e-9)


def test_break_even_in_score_by_hand() -> None:
    # gains: -0.5 +0.5 +0.25 -0.25 +0.5; added up: -0.5 0 0.25 0 0.5; ahead for good from the fifth
    ours, theirs = [0.0, 1.0, 0.75, 0.25, 1.0], [0.5, 0.5, 0.5, 0.5, 0.5]
    assert break_even_score(ours, theirs) == BreakEven(5, 1, 0.5)
    # without the fourth episode it was ahead from the third
    assert break_even_score(ours[:3], theirs[:3]) == BreakEven(3, 1, 0.25)
    assert break_even_score([1.0, 1.0], [0.0, 0.0]) == BreakEven(1, 2, 2.0)


def test_no_lead_at_the_end_is_no_break_even() -> None:
    assert break_even_score([1.0, 0.0], [0.0, 1.0]) is None
    assert break_even_score([0.5] * 3, [0.5] * 3) is None
    assert break_even_score([], []) is None
    # 0.1 + 0.2 - 0.3 is not 0 in binary, and yet a tie
    assert break_even_score([0.1, 0.2, 0.0], [0.0, 0.0, 0.3]) is None


def test_break_even_in_cost_counts_what_the_memory_costs() -> None:
    without = [100.0, 100.0, 100.0, 100.0]
    acting = [100.0, 60.0, 50.0, 50.0]
    # saved: 0 40 50 50, less the memory's 30 each: -30 10 20 20; added up: -30 -20 0 20
    assert break_even_cost(acting, without, memory=[30.0] * 4) == BreakEven(4, 1, 20.0)
    assert break_even_cost(acting, without, memory=[0.0] * 4) == BreakEven(2, 3, 140.0)
    assert break_even_cost(acting, without, memory=[50.0] * 4) is None
    with pytest.raises(InvalidInput, match="negative"):
        break_even_cost(acting, without, memory=[-1.0] * 4)


def test_adaptive_efficiency_by_hand() -> None:
    # (0.5 + 1.0 - 0.5 - 0.25) / (100 + 50) tokens
    found = adaptive_efficiency([0.5, 1.0], [0.5, 0.25], memory=[100, 50])
    assert found == pytest.approx(0.75 / 150)
    assert adaptive_efficiency([0.5], [0.1], memory=[0]) is None


@given(SCORES)
def test_a_baseline_against_itself_gains_nothing(scores: list[float]) -> None:
    assert break_even_score(scores, scores) is None
    assert adaptive_efficiency(scores, scores, memory=[1.0] * len(scores)) == 0


def test_baselines_of_different_lengths_and_missing_scores_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2 and 1 episodes"):
        break_even_score([0.1, 0.2], [0.1])
    with pytest.raises(InvalidInput, match="2 and 1 episodes"):
        adaptive_efficiency([0.1, 0.2], [0.1, 0.3], memory=[1])
    with pytest.raises(InvalidInput, match="number 2 of the scores is nan"):
        area_under_curve([0.1, float("nan")])


def test_slopes_and_means_by_hand() -> None:
    assert slope([3.0]) is None
    assert median_slope([3.0]) is None
    # pairs: 1, 2/2, 9/3, 1, 8/2, 7: sorted 1 1 1 3 4 7
    assert median_slope([0, 1, 2, 9]) == 2
    # t: -1.5 -0.5 0.5 1.5; y - 3: -3 -2 -1 6; (4.5 + 1 - 0.5 + 9) / 5
    assert slope([0, 1, 2, 9]) == pytest.approx(2.8)
    assert mean_of([1.0, None]) is None
    assert mean_of_present([1.0, None]) == 1.0
    assert mean_of_present([None]) is None
