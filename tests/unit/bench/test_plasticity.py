"""Plasticity, stability, generalisation, against a stream computed by hand."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.bench.metrics.plasticity import Attempt, plasticity, reuse


def attempt(
    task: str,
    phase: Literal["first", "second", "held-out"],
    parts: str,
    score: float,
    without: float,
) -> Attempt:
    return Attempt(task, phase, frozenset(parts), score, without)


STREAM = [
    attempt("1", "first", "x", 0.4, 0.4),  # new: gain 0
    attempt("2", "first", "y", 0.5, 0.3),  # new: gain 0.2
    attempt("3", "first", "xy", 0.8, 0.4),  # met: gain 0.4
    attempt("4", "first", "xz", 0.3, 0.4),  # z is new: gain -0.1
    attempt("1", "second", "x", 1.0, 0.4),  # met: gain 0.6
    attempt("2", "second", "y", 0.4, 0.3),  # met: gain 0.1
    attempt("3", "second", "xy", 0.8, 0.4),  # met: gain 0.4
    attempt("5", "held-out", "yz", 0.9, 0.2),  # gain 0.7
    attempt("6", "held-out", "zx", 0.1, 0.4),  # gain -0.3
]


def test_a_stream_by_hand() -> None:
    found = reuse(STREAM)
    assert found.plasticity == pytest.approx((0.4 + 0.6 + 0.1 + 0.4) / 4)
    assert found.plasticity_first_pass == pytest.approx(0.4)
    assert plasticity(STREAM, phase="second") == pytest.approx(1.1 / 3)
    assert found.gain_on_unseen == pytest.approx((0 + 0.2 - 0.1) / 3)
    # 1.0-0.4, 0.4-0.5, 0.8-0.8; the fourth was not done again
    assert found.stability == pytest.approx(0.5 / 3)
    assert found.regressed == pytest.approx(1 / 3)
    assert found.generalisation == pytest.approx(0.2)


def test_what_was_held_out_teaches_nothing() -> None:
    found = reuse([attempt("1", "held-out", "x", 1, 0), attempt("2", "first", "x", 0.3, 0.1)])
    assert found.plasticity is None
    assert found.gain_on_unseen == pytest.approx(0.2)


def test_nothing_is_undefined_throughout() -> None:
    found = reuse([])
    assert (found.plasticity, found.stability, found.regressed, found.generalisation) == (None,) * 4


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("xyz"), min_size=1), st.floats(0, 1)), max_size=12)
)
def test_a_baseline_without_memory_gains_nothing(drawn: list[tuple[set[str], float]]) -> None:
    phases: tuple[Literal["first", "second"], ...] = ("first", "second")
    attempts = [
        Attempt(str(number), phase, frozenset(parts), score, score)
        for phase in phases
        for number, (parts, score) in enumerate(drawn)
    ]
    found = reuse(attempts)
    assert found.plasticity in (None, 0)
    assert found.gain_on_unseen in (None, 0)
    assert found.stability in (None, 0)
    assert found.regressed in (None, 0)


def test_streams_that_are_out_of_order_are_refused() -> None:
    once, again = attempt("1", "first", "x", 0.4, 0.4), attempt("1", "second", "x", 0.4, 0.4)
    with pytest.raises(InvalidInput, match="twice in the first pass"):
        reuse([once, once])
    with pytest.raises(InvalidInput, match="after the second has begun"):
        reuse([again, once])
    with pytest.raises(InvalidInput, match="names no sub-solution"):
        attempt("1", "first", "", 0.5, 0.5)
    with pytest.raises(InvalidInput, match="is no number"):
        attempt("1", "first", "x", float("nan"), 0.5)
