from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.retrieval.filters import parse_filters

STORED = {"lang": "en", "year": 2021, "tags": ["sea", "mill"], "draft": False, "note": None}


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"lang": "en"}, True),
        ({"lang": "EN"}, False),
        ({"year": {"gte": 2020, "lt": 2022}}, True),
        ({"year": {"gt": 2021}}, False),
        ({"year": {"gt": "2020"}}, False),  # a number and a string have no order
        ({"year": 2021.0}, True),
        ({"year": "2021"}, False),
        ({"tags": "sea"}, True),
        ({"tags": ["sea", "mill"]}, True),
        ({"tags": {"in": ["mill", "port"]}}, True),
        ({"tags": {"ne": "sea"}}, False),
        ({"draft": False}, True),
        ({"draft": 0}, False),  # False is not 0
        ({"note": None}, True),
        ({"absent": None}, False),
        ({"absent": {"ne": "x"}}, True),
        ({"absent": {"exists": False}}, True),
        ({"lang": {"exists": True}, "year": {"lte": 2021}}, True),
        ({"lang": "en", "year": 1999}, False),
        ({}, True),
        (None, True),
    ],
)
def test_a_filter_means_what_it_says(filters: Any, holds: bool) -> None:
    assert all(condition.holds(STORED) for condition in parse_filters(filters)) is holds


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([("lang", "en")], "mapping"),
        ({"year": {"$gte": 2020}}, "did you mean 'gte'"),
        ({"year": {"between": 1}}, "operators: eq"),
        ({"year": {}}, "empty mapping"),
        ({"lang": {"in": "en"}}, "needs a list"),
        ({"lang": {"exists": "yes"}}, "true or false"),
        ({"lang": {"gt": ["a"]}}, "number or a string"),
        ({"year": float("nan")}, "year"),
    ],
)
def test_a_filter_that_cannot_work_is_explained(filters: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse_filters(filters)


def test_the_order_of_conditions_does_not_matter() -> None:
    one = parse_filters({"a": 1, "b": {"lt": 3, "gt": 1}})
    other = parse_filters({"b": {"gt": 1, "lt": 3}, "a": 1})
    assert one == other
