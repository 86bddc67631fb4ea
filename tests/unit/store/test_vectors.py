import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.store.ulid import is_ulid, new_ulid, new_ulids
from agentcl.store.vectors import dimension, pack, unpack

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1, max_size=50).filter(lambda values: any(values)))
def test_float32_numbers_come_back_exactly(values: list[float]) -> None:
    packed = pack(values)
    assert list(unpack(packed)) == values
    assert dimension(packed) == len(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "at least one"),
        ([0.0, 0.0], "no direction"),
        ([math.nan, 1.0], "NaN"),
        ([math.inf, 1.0], "infinity"),
        ([1e300], "float32"),
        (["1"], "flat sequence"),
        ([[1.0]], "flat sequence"),
        ("text", "not text"),
        (b"bytes", "not text"),
        (None, "flat sequence"),
        ({1.0, 2.0}, "no order"),
        (frozenset({1.0}), "no order"),
        ({1.0: 2.0}, "no order"),
        ([1.0, 2.0, 3.0], "3 numbers .* 2 are expected"),
    ],
)
def test_what_is_no_vector_is_refused(values: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        pack(values, dim=2 if values and len(values) == 3 else None)


def test_arrays_are_taken_as_they_are() -> None:
    np = pytest.importorskip("numpy")
    assert pack(np.array([0.5, 2.0])) == pack([0.5, 2.0])
    with pytest.raises(InvalidInput, match="flat"):
        pack(np.eye(2))


def test_ids_are_ulids_that_sort_by_time() -> None:
    ids = [
        new_ulid(micros)
        for micros in (
            0,
            1,
            999,
            1_000,
            1_700_000_000_000_000,
            ((1 << 48) - 1) * 1_000,
            1 << 60,
            -5,
        )
    ]
    assert all(is_ulid(id) for id in ids)
    assert ids[:6] == sorted(ids[:6])
    assert len({new_ulid(7) for _ in range(1_000)}) == 1_000
    assert not is_ulid("8" + ids[0][1:])
    assert not is_ulid(ids[0].lower() + "x")
    assert new_ulid(1_469_918_176_385_000)[:10] == "01ARYZ6S41"  # the specification's example


def test_ids_made_together_rise_and_differ() -> None:
    ids = new_ulids(1_469_918_176_385_000, 1_000)
    assert all(is_ulid(id) and id.startswith("01ARYZ6S41") for id in ids)
    assert ids == sorted(set(ids))
    assert {id[16:][n] for id in ids for n in range(10)} == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert new_ulids(0, 0) == []


def test_ids_of_one_moment_sort_in_the_order_in_which_they_were_made() -> None:
    ids = [id for place in range(2_000) for id in new_ulids(1_469_918_176_385_123, 2, place)]
    assert ids == sorted(set(ids))
    assert all(is_ulid(new_ulid(7, place)) for place in (0, 1 << 20, 1 << 40))
