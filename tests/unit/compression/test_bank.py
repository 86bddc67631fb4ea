"""Shards of soft tokens: what was written is read, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.compression.bank import FORMS, Bank, Form, ShardRow, bank
from agentcl.compression.bank.shards import Shard
from agentcl.compression.base import Vectors
from agentcl.errors import InvalidInput, StoreCorrupt
from tests.hashed_codec import HashedCodec

CODEC = HashedCodec()


def memories(count: int, *, seed: int = 0, slots: int = 4) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, slots, 8)).astype(np.float32)


def used(places: list[ShardRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in places:
        found[place.shard] = max(found.get(place.shard, 0), place.row + 1)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_is_read_again_row_by_row(tmp_path: Path, form: Form) -> None:
    store = Bank(tmp_path)
    given = memories(5)
    first = store.append(CODEC, given[:2], used={}, form=form)
    places = [*first, *store.append(CODEC, given[2:], used=used(first), form=form)]
    assert [place.row for place in places] == [0, 1, 2, 3, 4]
    near = 0.002 if form == "float16" else 0.02
    for row, place in zip(given, places, strict=True):
        np.testing.assert_allclose(store.read(place), row, atol=near)


def test_a_file_of_the_bank_is_read_by_the_library_of_its_format(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    (place,) = Bank(tmp_path).append(CODEC, memories(1), used={}, form="int8")
    held = library.load_file(tmp_path / place.shard)
    assert {name: (one.dtype.name, one.shape) for name, one in held.items()} == {
        "memories": ("int8", (1, 4, 8)),
        "scales": ("float32", (1, 4)),
    }


def test_rows_that_nobody_names_are_written_over(tmp_path: Path) -> None:
    store = Bank(tmp_path)
    store.append(
        CODEC, memories(3), used={}
    )  # and then the process dies: no row of the journal says so
    (place,) = store.append(CODEC, memories(1, seed=1), used={})
    assert place.row == 0
    np.testing.assert_allclose(store.read(place), memories(1, seed=1)[0], atol=0.002)


def test_shards_end_where_they_are_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "_SHARD_BYTES", 3 * 4 * 8 * 2)
    places = Bank(tmp_path).append(CODEC, memories(7), used={})
    assert [place.row for place in places] == [0, 1, 2, 0, 1, 2, 0]
    assert len({place.shard for place in places}) == 3


def test_memories_of_other_codecs_sizes_and_forms_lie_in_shards_of_their_own(
    tmp_path: Path,
) -> None:
    store = Bank(tmp_path)
    names = {
        place.shard
        for place in (
            *store.append(CODEC, memories(1), used={}),
            *store.append(CODEC, memories(1, slots=2), used={}),
            *store.append(CODEC, memories(1), used={}, form="int8"),
            *store.append(HashedCodec(base="another"), memories(1), used={}),
        )
    }
    assert len(names) == 4


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[-3] ^= 1
    path.write_bytes(held)


def spoil_header(path: Path) -> None:
    held = path.read_bytes()
    path.write_bytes(held[:8] + held[8:].replace(b'"F16"', b'"F64"'))


@pytest.mark.parametrize("harm", [cut, flip, spoil_header, Path.unlink])
def test_a_shard_that_was_harmed_gives_no_row_and_is_named(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    store = Bank(tmp_path)
    places = store.append(CODEC, memories(2), used={})
    harm(tmp_path / places[1].shard)
    with pytest.raises(StoreCorrupt, match=places[1].shard):
        store.read(places[1])
    # What is appended then lies elsewhere, or over what is missing; it is readable.
    (new,) = store.append(CODEC, memories(1, seed=2), used=used(places))
    np.testing.assert_allclose(store.read(new), memories(1, seed=2)[0], atol=0.002)


@given(held=st.binary(max_size=200))
def test_whatever_lies_there_is_a_shard_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, held: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bank")
    name = "0123456789abcdef-000000.safetensors"
    (folder / name).write_bytes(held)
    with pytest.raises(StoreCorrupt, match=name):
        Bank(folder).read(ShardRow(name, 0, ""))


def test_a_name_that_leads_elsewhere_is_no_shard(tmp_path: Path) -> None:
    with pytest.raises(StoreCorrupt, match="no name of a shard"):
        Bank(tmp_path).read(ShardRow("../0123456789abcdef-000000.safetensors", 0, ""))


def test_cleared_rows_leave_no_byte_and_the_others_stay(tmp_path: Path) -> None:
    store = Bank(tmp_path)
    places = store.append(CODEC, memories(3), used={})
    path = tmp_path / places[0].shard
    gone = memories(3)[1].astype("<f2").tobytes()
    assert gone in path.read_bytes()
    assert store.clear({path.name: {0, 2}}, only=path.name) == 1
    assert gone not in path.read_bytes()
    assert store.clear({path.name: {0, 2}}, only=path.name) == 0
    for at in (0, 2):
        np.testing.assert_allclose(store.read(places[at]), memories(3)[at], atol=0.002)
    with pytest.raises(StoreCorrupt):
        store.read(places[1])
    assert store.clear({}, only=path.name) == 2
    assert not path.exists()


def test_numbers_that_no_float16_holds_and_other_shapes_are_refused(tmp_path: Path) -> None:
    store = Bank(tmp_path)
    for odd in (np.inf, np.nan, 1e6):
        with pytest.raises(InvalidInput, match="no float16"):
            store.append(CODEC, np.full((1, 4, 8), odd, np.float32), used={})
    with pytest.raises(InvalidInput, match="8 numbers"):
        store.append(CODEC, np.zeros((1, 4, 9), np.float32), used={})
    assert store.shards() == []


@given(
    slots=st.integers(1, 3),
    values=st.lists(st.floats(-65_000, 65_000, width=32), min_size=1, max_size=8),
)
def test_an_int8_is_off_by_half_a_step_at_most(
    tmp_path_factory: pytest.TempPathFactory, slots: int, values: list[float]
) -> None:
    given = np.tile(np.array(values, np.float32), (1, slots, 1))
    codec = HashedCodec(width=len(values))
    store = Bank(tmp_path_factory.mktemp("bank"))
    (place,) = store.append(codec, given, used={}, form="int8")
    step = np.abs(given).max() / 127
    assert np.abs(store.read(place) - given[0]).max() <= 0.51 * step + 1e-6


@pytest.mark.parametrize(
    "header",
    [
        "5", "null", "[]", '"x"', "{}", '{"memories": 5}', '{"memories": {}}', '{"memories": []}',
        '{"memories": {"dtype": "F16", "shape": [1, 2, 3], "data_offsets": []}}',
        '{"memories": {"dtype": "F16", "shape": "abc", "data_offsets": [0, 12]}}',
        '{"memories": {"dtype": "F16", "shape": [[1], 2, 3], "data_offsets": [0, 12]}}',
        '{"memories": {"dtype": "F16", "shape": [1, 2, 99999999999], "data_offsets": [0, 12]}}',
        '{"memories": {"dtype": "F16", "shape": [1, 2, 3], "data_offsets": [-9, 12]}}',
        '{"memories": {"dtype": ["F16"], "shape": [1, 2, 3], "data_offsets": [0, 12]}}',
    ],
)  # fmt: skip
def test_a_shard_with_an_odd_header_is_corrupt(tmp_path: Path, header: str) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(64))
    with pytest.raises(StoreCorrupt):
        Shard(file)
