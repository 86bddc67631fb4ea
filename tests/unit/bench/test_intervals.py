"""Intervals: by hand where that can be done, covering the truth as often as they say."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.intervals import (
    Interval,
    cluster_means,
    paired_interval,
    sign_test,
    student_interval,
    units_needed,
    unpaired_interval,
)

SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def test_equal_differences_leave_nothing_to_doubt() -> None:
    found = paired_interval([0.75, 0.5, 1.0], [0.5, 0.25, 0.75])
    assert found is not None
    assert (found.estimate, found.low, found.high, found.units) == (0.25, 0.25, 0.25, 3)
    assert not found.covers_zero


def test_two_differences_by_hand() -> None:
    # Drawn: both 0 (a quarter), one of each (a half), both 1 (a quarter): a level of 0.4 leaves out 0.3 at
    # each end, so it reaches from 0.5 to 0.5; 0.9 leaves out 0.05, so from 0 to 1.
    ours, theirs = [0.0, 1.0], [0.0, 0.0]
    narrow = paired_interval(ours, theirs, level=0.4)
    wide = paired_interval(ours, theirs, level=0.9)
    assert narrow is not None
    assert wide is not None
    assert (narrow.low, narrow.high) == (0.5, 0.5)
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert wide.estimate == 0.5
    assert wide.covers_zero


def test_clusters_are_drawn_whole() -> None:
    # Two runs: one gained 1 in each of four episodes, the other nothing. Episodes alone would look sure.
    ours, theirs = [1.0] * 4 + [0.0] * 4, [0.0] * 8
    runs = ["one"] * 4 + ["other"] * 4
    by_run = paired_interval(ours, theirs, clusters=runs)
    by_episode = paired_interval(ours, theirs)
    assert by_run is not None
    assert by_episode is not None
    assert (by_run.low, by_run.high, by_run.units) == (0.0, 1.0, 2)
    assert by_episode.units == 8
    assert by_episode.low > 0
    # A cluster weighs as many episodes as it has: (3 * 1 + 1 * 0) / 4
    uneven = paired_interval([1.0, 1.0, 1.0, 0.0], [0.0] * 4, clusters=[1, 1, 1, 2])
    assert uneven is not None
    assert uneven.estimate == 0.75
    assert cluster_means([1.0, 0.0, 0.5], ["a", "b", "a"]) == [0.75, 0.0]


def test_one_unit_says_nothing_of_how_units_vary() -> None:
    assert paired_interval([1.0], [0.0]) is None
    assert paired_interval([1.0, 0.5], [0.0, 0.0], clusters=["one", "one"]) is None
    assert unpaired_interval([1.0], [0.0, 0.0]) is None


def test_pairs_that_vary_together_are_surer_than_sides_alone() -> None:
    rng = random.Random(1)
    theirs = [rng.random() for _ in range(30)]
    ours = [score + 0.05 + rng.gauss(0, 0.01) for score in theirs]
    paired, unpaired = paired_interval(ours, theirs), unpaired_interval(ours, theirs)
    assert paired is not None
    assert unpaired is not None
    assert paired.estimate == pytest.approx(unpaired.estimate)
    assert paired.high - paired.low < (unpaired.high - unpaired.low) / 5
    assert unpaired.covers_zero
    assert not paired.covers_zero


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = random.Random(7)
    covered = 0
    for number in range(200):
        gains = [rng.gauss(0.3, 1) for _ in range(25)]
        found = paired_interval(gains, [0.0] * 25, level=0.8, resamples=200, seed=number)
        assert found is not None
        covered += found.low <= 0.3 <= found.high
    # of 200 at 80 %: 160, give or take 3 standard deviations of 5.7, and a percentile interval is narrow
    assert 138 <= covered <= 178


@given(SCORES, st.integers(0, 5))
def test_the_same_seed_draws_the_same(scores: list[float], seed: int) -> None:
    zeros = [0.0] * len(scores)
    one = paired_interval(scores, zeros, resamples=100, seed=seed)
    assert one == paired_interval(scores, zeros, resamples=100, seed=seed)
    assert one is not None
    assert min(scores) - 1e-9 <= one.low <= one.high <= max(scores) + 1e-9
    assert min(scores) - 1e-9 <= one.estimate <= max(scores) + 1e-9


@given(SCORES, st.integers(0, 5))
def test_exchanging_the_baselines_mirrors_the_interval(scores: list[float], seed: int) -> None:
    zeros = [0.0] * len(scores)
    one = paired_interval(scores, zeros, resamples=100, seed=seed)
    other = paired_interval(zeros, scores, resamples=100, seed=seed)
    assert one is not None
    assert other is not None
    assert (one.low, one.high) == (-other.high, -other.low)


def test_an_end_at_zero_is_covered() -> None:
    assert Interval(-0.1, -0.2, 0.0, 0.95, 5).covers_zero
    assert Interval(0.1, 0.0, 0.2, 0.95, 5).covers_zero
    assert not Interval(0.1, 0.01, 0.2, 0.95, 5).covers_zero


def test_students_interval_by_hand() -> None:
    # mean 2, sd sqrt(2), so sd/sqrt(2) = 1, and t of one degree of freedom at 0.975 is 12.7062
    found = student_interval([1.0, 3.0], [0.0, 0.0])
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)
    # clusters: means 1 and 3, though one has more episodes
    found = student_interval([1.0, 1.0, 1.0, 3.0], [0.0] * 4, clusters=[1, 1, 1, 2])
    assert found is not None
    assert (found.estimate, found.units) == (2, 2)
    assert found.high == pytest.approx(14.7062, abs=1e-4)
    assert student_interval([1.0], [0.0]) is None
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        student_interval([1.0, 2.0], [0.0, 0.0], level=1)


@pytest.mark.parametrize(
    ("units", "level", "t"),
    [(2, 0.9, 6.3138), (3, 0.95, 4.3027), (4, 0.95, 3.1824), (5, 0.95, 2.7764), (6, 0.99, 4.0321),
     (10, 0.95, 2.2622), (11, 0.9, 1.8125), (30, 0.95, 2.0452), (31, 0.95, 2.0423),
     (1001, 0.95, 1.9623)],
)  # fmt: skip
def test_students_quantiles_are_those_of_the_tables(units: int, level: float, t: float) -> None:
    values = [float(number) for number in range(units)]
    found = student_interval(values, [0.0] * units, level=level)
    assert found is not None
    error = statistics.stdev(values) / math.sqrt(units)
    assert (found.high - found.estimate) / error == pytest.approx(t, abs=1e-4)


def test_of_three_seeds_students_interval_keeps_its_level_and_a_bootstrap_does_not() -> None:
    rng = random.Random(11)
    student = bootstrap = 0
    for number in range(300):
        gains = [rng.gauss(0.3, 1) for _ in range(3)]
        found = student_interval(gains, [0.0] * 3)
        drawn = paired_interval(gains, [0.0] * 3, resamples=100, seed=number)
        assert found is not None
        assert drawn is not None
        student += found.low <= 0.3 <= found.high
        bootstrap += drawn.low <= 0.3 <= drawn.high
    # of 300 at 95 %: 285, give or take 3 standard deviations of 3.8; the range of three covers 3 in 4
    assert 273 <= student <= 297
    assert bootstrap < 255


def test_how_many_a_claim_needs_by_hand() -> None:
    # sd of 0, 2 is sqrt(2); (1.95996 + 0.84162)^2 * 2 = 15.70
    assert units_needed([0.0, 2.0], difference=1.0) == 16
    # half the difference: four times as many, 62.79
    assert units_needed([0.0, 2.0], difference=-0.5) == 63
    # power 0.9: (1.95996 + 1.28155)^2 * 2 = 21.01
    assert units_needed([0.0, 2.0], difference=1.0, power=0.9) == 22
    assert units_needed([0.5, 0.5], difference=0.1) == 2
    assert units_needed([0.5], difference=0.1) is None


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=10), st.integers(1, 10))
def test_how_many_a_claim_needs_scales_with_its_unit(values: list[int], unit: int) -> None:
    needed = units_needed([float(v) for v in values], difference=1.0)
    assert needed == units_needed([float(v * unit) for v in values], difference=float(unit))
    assert needed is not None
    reach = statistics.NormalDist().inv_cdf(0.975) + statistics.NormalDist().inv_cdf(0.8)
    assert needed >= min(2, math.floor(reach**2 * statistics.variance(values)))


def test_the_sign_test_by_hand() -> None:
    # five of five: 2 * 1/32
    assert sign_test([0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(0.0625)
    # one of five: 2 * (1 + 5)/32; the tie is left out
    assert sign_test([0.1, 0.2, 0.3, 0.4, -0.5, 0.0]) == pytest.approx(0.375)
    # two of four: 2 * (1 + 4 + 6)/16 is more than 1
    assert sign_test([1, 1, -1, -1]) == 1.0
    assert sign_test([0.0, 0.0]) == 1.0
    assert sign_test([1.0] * 3000) < 1e-300


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_the_sign_test_has_no_favourite(values: list[int]) -> None:
    found = sign_test([float(value) for value in values])
    assert 0 < found <= 1
    assert found == sign_test([-float(value) for value in values])


def test_options_out_of_their_range_are_refused() -> None:
    for level in (0, 1, 95):
        with pytest.raises(InvalidInput, match="between 0 and 1"):
            paired_interval([0.1, 0.2], [0.1, 0.3], level=level)
    with pytest.raises(InvalidInput, match="at least 100"):
        unpaired_interval([0.1, 0.2], [0.1, 0.3], resamples=10)
    with pytest.raises(InvalidInput, match="1 clusters for 2 values"):
        paired_interval([0.1, 0.2], [0.1, 0.3], clusters=["a"])
    with pytest.raises(InvalidInput, match="2 and 1 episodes"):
        paired_interval([0.1, 0.2], [0.1])
    with pytest.raises(InvalidInput, match="no number of runs shows that"):
        units_needed([0.1, 0.2], difference=0)
    with pytest.raises(InvalidInput, match="both lie between"):
        units_needed([0.1, 0.2], difference=0.1, power=1)
    with pytest.raises(InvalidInput, match="both lie between"):
        units_needed([0.1, 0.2], difference=0.1, power=0)
