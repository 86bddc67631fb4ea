"""Costs by role and episode, added up by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.costs import (
    EpisodeCost,
    RoleCost,
    cost_by_role,
    cost_per_success,
    spread,
    tokens_by_episode,
)
from agentcl.models import Usage
from agentcl.store.usage import NO_USAGE

COSTS = [
    EpisodeCost("one", "student", Usage(1, 100, 10, 1.0), price=0.5),
    EpisodeCost("one", "teacher", Usage(1, 50, 50, 2.0), price=1.0),
    EpisodeCost("two", "student", Usage(2, 200, 20, 0.5), price=0.25),
]


def test_costs_by_role_by_hand() -> None:
    student, teacher, everyone = cost_by_role(COSTS)
    assert student == RoleCost("student", Usage(3, 300, 30, 1.5), 0.75)
    assert (student.usage.tokens, teacher.usage.tokens) == (330, 100)
    assert (teacher.role, teacher.price) == ("teacher", 1.0)
    assert everyone == RoleCost("all", Usage(4, 350, 80, 3.5), 1.75)


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    student, teacher, everyone = cost_by_role(
        [*COSTS, EpisodeCost("two", "teacher", Usage(1, 1, 1))]
    )
    assert student.price == 0.75
    assert teacher.price is None
    assert everyone.price is None


def test_nothing_spent_cost_nothing() -> None:
    (everyone,) = cost_by_role([])
    assert everyone == RoleCost("all", NO_USAGE, 0.0)
    assert spread([]) is None
    assert tokens_by_episode([]) == {}


def test_tokens_of_an_episode_are_those_of_all_roles_or_of_some() -> None:
    assert tokens_by_episode(COSTS) == {"one": 210, "two": 220}
    assert tokens_by_episode(COSTS, roles=["teacher"]) == {"one": 100, "two": 0}


def test_a_spread_by_hand() -> None:
    found = spread([4, 1, 2, 3])
    assert found is not None
    assert (found.episodes, found.total, found.mean, found.median) == (4, 10, 2.5, 2.5)
    # the smallest that at least 95 % are not above: of four the fourth, of twenty the nineteenth
    assert (found.p95, found.most) == (4, 4)
    twenty = spread(range(1, 21))
    assert twenty is not None
    assert (twenty.p95, twenty.most) == (19, 20)


def test_failures_are_paid_for_by_successes() -> None:
    assert cost_per_success(430, 2) == 215
    assert cost_per_success(430, 0) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_a_spread_is_in_order(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert min(values) <= found.median <= found.p95 <= found.most == max(values)
    assert found == spread(values[::-1])


def test_negative_amounts_and_a_role_named_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match="none may be negative"):
        EpisodeCost("one", "student", Usage(1, -1, 0))
    with pytest.raises(InvalidInput, match="none may be negative"):
        EpisodeCost("one", "student", Usage(1, 1, 0), price=float("nan"))
    with pytest.raises(InvalidInput, match="rename it"):
        cost_by_role([EpisodeCost("one", "all", Usage(1, 1, 0))])
    with pytest.raises(InvalidInput, match="negative or no number"):
        spread([1.0, -1.0])
