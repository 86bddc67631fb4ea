"""From what a user writes as `filters=` to conditions that an index can test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from agentcl.errors import InvalidInput
from agentcl.retrieval.index import Condition, Operator
from agentcl.store.checks import check_metadata, check_unicode
from agentcl.text.suggesting import did_you_mean

_OPERATORS: Final[tuple[str, ...]] = get_args(Operator)
Filters = Mapping[str, Any]


def parse_filters(filters: Filters | None) -> tuple[Condition, ...]:
    """Return the conditions of a filter; all must hold.

    `{"lang": "en", "year": {"gte": 2020, "lt": 2024}, "tag": {"in": ["a", "b"]}}`: a bare value means
    `eq`, a mapping holds operators. The operators are eq, ne, in, gt, gte, lt, lte and exists.

    Raises:
        InvalidInput: naming the field, and the operator that was probably meant.
    """
    if filters is None:
        return ()
    if not isinstance(filters, Mapping):
        raise InvalidInput(f"filters must be a mapping, not {type(filters).__name__}")
    conditions: list[Condition] = []
    for field, wanted in filters.items():
        check_unicode(field, "a filter's field")
        tests = wanted if isinstance(wanted, Mapping) else {"eq": wanted}
        if not tests:
            raise InvalidInput(f"the filter on {field!r} is an empty mapping; give an operator")
        for operator, value in tests.items():
            conditions.append(_condition(field, operator, value))
    return tuple(sorted(conditions, key=repr))  # one spelling for one meaning


def _condition(field: str, operator: object, value: Any) -> Condition:  # noqa: ANN401  # user JSON
    if operator not in _OPERATORS:
        advice = f"operators: {', '.join(_OPERATORS)}"
        meant = did_you_mean(str(operator).lstrip("$"), _OPERATORS, advice, alike=0.5)
        raise InvalidInput(f"unknown operator {operator!r} in the filter on {field!r}{meant}")
    check_metadata({field: value})
    if operator == "in" and not isinstance(value, list):
        raise InvalidInput(f"'in' on {field!r} needs a list, not {type(value).__name__}")
    if operator == "exists" and not isinstance(value, bool):
        raise InvalidInput(f"'exists' on {field!r} needs true or false, not {value!r}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if operator in ("gt", "gte", "lt", "lte") and not (is_number or isinstance(value, str)):
        raise InvalidInput(f"{operator!r} on {field!r} needs a number or a string, not {value!r}")
    return Condition(field, operator, value)  # type: ignore[arg-type]  # checked against Operator
