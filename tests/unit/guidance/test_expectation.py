"""What is expected of an episode before it is played."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.guidance.progress.expectation import Expectation, ExpectedScore

SCORES = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(0, 1, allow_nan=False)), min_size=1, max_size=30
)


def learned(*episodes: tuple[str, float], half_life: float = 50.0) -> Expectation:
    baseline = Expectation(half_life=half_life)
    for cluster, score in episodes:
        baseline.add(cluster, score)
    return baseline


def test_nothing_is_known_at_first() -> None:
    assert Expectation().expected("a") == ExpectedScore(mean=0.5, variance=0.25, n=0)


def test_a_cluster_is_expected_between_its_own_mean_and_that_of_all() -> None:
    baseline = learned(*[("easy", 1.0)] * 10, *[("hard", 0.0)] * 10, ("new", 1.0))
    easy, new, hard = (baseline.expected(name).mean for name in ("easy", "new", "hard"))
    assert hard < new < easy
    assert baseline.expected("unseen").mean == pytest.approx(0.5, abs=0.1)


def test_a_cluster_of_many_episodes_is_expected_at_its_own_mean() -> None:
    baseline = learned(*[("easy", 0.9)] * 200, *[("hard", 0.1)] * 200)
    assert baseline.expected("easy").mean == pytest.approx(0.9, abs=0.05)
    assert baseline.expected("hard").mean == pytest.approx(0.1, abs=0.05)


def test_expectation_follows_learning_and_sooner_with_a_shorter_half_life() -> None:
    episodes = [*[("a", 0.0)] * 50, *[("a", 1.0)] * 20]
    slow, fast = (learned(*episodes, half_life=h).expected("a").mean for h in (1000.0, 5.0))
    assert slow < 0.4
    assert fast > 0.7


def test_a_half_life_is_in_episodes_of_the_cluster() -> None:
    before = learned(*[("a", 1.0)] * 5)
    after = learned(*[("a", 1.0)] * 5, *[("b", 0.5)] * 100)
    assert before.expected("a").n == after.expected("a").n
    assert learned(("a", 1.0), *[("a", 1.0)] * 50).expected("a").n == pytest.approx(36.6, abs=0.5)


def test_variance_is_of_past_misses() -> None:
    steady = learned(*[("a", 0.5)] * 60).expected("a")
    mixed = learned(*[("a", float(n % 2)) for n in range(60)]).expected("a")
    assert steady.variance < 0.05
    assert mixed.sd == pytest.approx(0.5, abs=0.06)
    assert steady.standard_error < steady.sd


def test_what_is_discounted_weighs_less_and_only_in_its_cluster() -> None:
    baseline = learned(*[("a", 0.0)] * 30, *[("b", 0.0)] * 30)
    n = baseline.expected("b").n
    baseline.discount(0.1, "a")
    assert baseline.expected("a").n == pytest.approx(n / 10)
    assert baseline.expected("b").n == n
    for name in ("a", "b"):
        for _ in range(3):
            baseline.add(name, 1.0)
    assert baseline.expected("a").mean > baseline.expected("b").mean
    baseline.discount(0)
    assert baseline.expected("a") == ExpectedScore(mean=0.5, variance=0.25, n=0)


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.01, 1.01])
def test_a_score_off_the_scale_is_refused_and_nothing_learned(score: float) -> None:
    baseline = learned(("a", 1.0))
    before = baseline.to_plain()
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        baseline.add("a", score)
    assert baseline.to_plain() == before


@pytest.mark.parametrize("options", [{"shrinkage": 0}, {"half_life": -1}, {"half_life": math.nan}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        Expectation(**options)


@pytest.mark.parametrize("factor", [-0.1, 1.1, math.nan])
def test_a_discount_out_of_range_is_refused(factor: float) -> None:
    with pytest.raises(InvalidInput, match="factor"):
        Expectation().discount(factor)


@given(SCORES)
def test_what_is_expected_stays_on_the_scale(episodes: list[tuple[str, float]]) -> None:
    baseline = learned(*episodes)
    for name in "abcd":
        held = baseline.expected(name)
        assert 0 <= held.mean <= 1
        assert 0 < held.variance <= 1


@given(SCORES)
def test_the_same_episodes_give_the_same_state_and_it_is_json(
    episodes: list[tuple[str, float]],
) -> None:
    plain = learned(*episodes).to_plain()
    assert plain == learned(*episodes).to_plain()
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == sorted(plain)


@given(SCORES)
def test_clusters_may_come_in_any_order(episodes: list[tuple[str, float]]) -> None:
    """What is expected of one cluster hangs on the order in it, and on what was known of the others."""
    baseline, other = Expectation(), Expectation()
    for name in "abc":
        baseline.add(name, 0.5)
    for name in "cba":
        other.add(name, 0.5)
    for cluster, score in episodes:
        baseline.add(cluster, score)
        other.add(cluster, score)
    for name in "abcd":
        assert baseline.expected(name).mean == pytest.approx(other.expected(name).mean)
