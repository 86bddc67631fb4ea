"""The gate: what fails is named, and what was not measured does not pass."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.consolidation import GENERAL, AdapterMeasures, GateBounds, judge

GOOD = AdapterMeasures(
    recall=0.95, recall_base=0.0, verbatim=0.9, general=0.9, general_base=0.9, divergence=0.1,
    context=0.97, context_base=0.9, unknown=0.8, is_base_off_exact=True, is_different=True,
    items={"recall": 40, "context": 20},
)  # fmt: skip


def test_what_holds_everything_passes() -> None:
    report = judge(GOOD, GateBounds())
    assert (report["is_passed"], report["failed"]) == (True, [])
    assert report["engine"] == "transformers"


@pytest.mark.parametrize(
    ("how", "failed"),
    [
        ({"recall": 0.89}, "recall"),
        ({"items": {"recall": 0}}, "recall"),
        ({"items": None}, "recall"),
        ({"general": 0.85}, "general"),
        ({"divergence": 0.6}, "divergence"),
        ({"divergence": float("nan")}, "divergence"),
        ({"context": 0.89}, "context"),
        ({"is_base_off_exact": False}, "base off"),
        ({"is_different": False}, "different"),
        ({"forgotten": 0.4, "forgotten_base": 0.2}, "forgotten"),
    ],
)
def test_one_fault_fails_the_gate_and_is_named(how: dict[str, Any], failed: str) -> None:
    report = judge(replace(GOOD, **how), GateBounds())
    assert (report["is_passed"], report["failed"]) == (False, [failed])


def test_a_report_can_be_kept_whatever_was_measured() -> None:
    report = judge(replace(GOOD, divergence=float("inf")), GateBounds())
    assert report["measured"]["divergence"] is None
    json.dumps(report, allow_nan=False)


def test_what_is_forgotten_may_be_as_likely_as_by_chance() -> None:
    assert judge(replace(GOOD, forgotten=0.3, forgotten_base=0.3), GateBounds())["is_passed"]


def test_newer_memories_must_win_as_often_as_with_the_base_if_that_is_weak() -> None:
    assert judge(replace(GOOD, context=0.5, context_base=0.4), GateBounds())["is_passed"]


shares = st.floats(0, 1)


@given(shares, shares, shares, shares)
def test_no_adapter_that_forgets_what_the_base_knows_passes(
    recall: float, general: float, base: float, context: float
) -> None:
    found = replace(GOOD, recall=recall, general=general, general_base=base, context=context)
    if judge(found, GateBounds())["is_passed"]:
        assert recall >= 0.9
        assert general >= base - 0.01
        assert context >= 0.9


@pytest.mark.parametrize("wrong", [{"recall": 1.1}, {"context": -1}, {"divergence": float("nan")}])
def test_a_bound_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        GateBounds(**wrong)


def test_general_questions_have_one_right_answer_each() -> None:
    assert len({one.prompt for one in GENERAL}) == len(GENERAL) >= 20
    assert all(one.answer not in one.others and one.others for one in GENERAL)
