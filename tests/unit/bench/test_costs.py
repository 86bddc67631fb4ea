"""Costs by role and episode, added up by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.costs import (
    Spent,
    cost_by_role,
    cost_per_success,
    spread,
    tokens_by_episode,
)

SPENT = [
    Spent("one", "student", 100, 10, duration_s=1.0, price=0.5),
    Spent("one", "teacher", 50, 50, duration_s=2.0, price=1.0),
    Spent("two", "student", 200, 20, calls=2, duration_s=0.5, price=0.25),
]


def test_costs_by_role_by_hand() -> None:
    student, teacher, everyone = cost_by_role(SPENT)
    assert (student.role, student.calls, student.prompt_tokens, student.completion_tokens) == (
        "student", 3, 300, 30,
    )  # fmt: skip
    assert (student.tokens, student.duration_s, student.price) == (330, 1.5, 0.75)
    assert (teacher.role, teacher.tokens, teacher.price) == ("teacher", 100, 1.0)
    assert (everyone.role, everyone.calls, everyone.tokens, everyone.price) == ("all", 4, 430, 1.75)


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    student, teacher, everyone = cost_by_role([*SPENT, Spent("two", "teacher", 1, 1)])
    assert student.price == 0.75
    assert teacher.price is None
    assert everyone.price is None


def test_nothing_spent_cost_nothing() -> None:
    (everyone,) = cost_by_role([])
    assert (everyone.calls, everyone.tokens, everyone.price) == (0, 0, 0.0)
    assert spread([]) is None
    assert tokens_by_episode([]) == {}


def test_tokens_of_an_episode_are_those_of_all_roles_or_of_some() -> None:
    assert tokens_by_episode(SPENT) == {"one": 210, "two": 220}
    assert tokens_by_episode(SPENT, roles=["teacher"]) == {"one": 100, "two": 0}


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
        Spent("one", "student", -1, 0)
    with pytest.raises(InvalidInput, match="none may be negative"):
        Spent("one", "student", 1, 0, price=float("nan"))
    with pytest.raises(InvalidInput, match="rename it"):
        cost_by_role([Spent("one", "all", 1, 0)])
    with pytest.raises(InvalidInput, match="negative or no number"):
        spread([1.0, -1.0])
