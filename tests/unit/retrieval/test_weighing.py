"""What a term weighs."""

import math

from hypothesis import given
from hypothesis import strategies as st

from agentcl.retrieval.words.weighing import Statistics


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_term_that_is_still_counted_in_what_is_forgotten_has_a_weight(
    entries: int, having: int
) -> None:
    weight = Statistics(entries, entries).idf(having)
    assert math.isfinite(weight)
    assert weight > 0


def test_a_rarer_term_weighs_more() -> None:
    held = Statistics(100, 1_000)
    assert held.idf(1) > held.idf(10) > held.idf(90) > 0
