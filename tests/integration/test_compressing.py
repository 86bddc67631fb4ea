"""Compressing passages: a job that goes on where it was, and soft tokens that live as long as their passage."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from agentcl import Memory, NotEquipped, NotFound, StoreBusy, StoreUnavailable, TransferError
from agentcl.compression.base import Vectors
from agentcl.errors import InvalidInput
from agentcl.memory.compressed.compressing import place_of
from agentcl.store.records import Compression
from tests.forging import of_kind, read, signed, write
from tests.hashed_codec import HashedCodec

TEXTS = (
    "The ferry to Tessary leaves the old quay at seven in the morning on working days.",
    "Marin Holt keeps the lighthouse of Orvex and paints its door green each spring.",
    "The library of Gent lends out maps, but never the one of the tunnels under the town.",
)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def held(memory: Memory) -> list[Compression]:
    return [*memory.compressed.list(limit=1_000)]


def stored(memory: Memory) -> list[Vectors]:
    bank = memory._opened.bank()
    assert bank is not None
    return [bank.read(place_of(one)) for one in held(memory) if one.slots]


def shards(memory: Memory) -> list[Path]:
    return sorted((memory.path / "indexes" / "compressed").glob("*.safetensors"))


def problems(memory: Memory) -> list[str]:
    return [one.message for one in memory.store.examine().problems]


def test_what_was_compressed_is_there_after_opening_again(memory: Memory) -> None:
    codec = HashedCodec()
    memory.add_many(TEXTS)
    report = memory.compressed.compress(codec)
    assert (report.compressed, report.slots, report.as_text, report.remaining) == (3, 12, {}, 0)
    wanted = codec.encode(TEXTS)
    with Memory(memory.path) as again:
        np.testing.assert_allclose(stored(again), wanted, atol=0.01)
        assert problems(again) == []
        assert again.compressed.compress(codec).compressed == 0


def test_only_what_is_new_is_compressed(memory: Memory) -> None:
    codec = Counting()
    memory.add_many(TEXTS[:2])
    memory.compressed.compress(codec)
    memory.add(TEXTS[2])
    assert memory.compressed.compress(codec, dry_run=True).remaining == 1
    assert memory.compressed.compress(codec).compressed == 1
    assert codec.read == [*TEXTS]


def test_a_text_that_changed_is_compressed_anew(memory: Memory) -> None:
    codec = HashedCodec()
    document = memory.add(TEXTS[0], title="Ferry")
    memory.compressed.compress(codec)
    memory.update(document.id, title="Boat")  # a passage is compressed with its title
    (passage,) = memory.compressed.explain(document.id)
    assert (passage.slots, passage.reason) == (0, "its text changed since")
    assert memory.compressed.compress(codec).compressed == 1
    memory.update(document.id, text=TEXTS[1])
    assert memory.compressed.explain(document.id) == []
    memory.compressed.compress(codec)
    assert [one.slots for one in memory.compressed.explain(document.id)] == [4]
    np.testing.assert_allclose(stored(memory), codec.encode([f"Boat\n{TEXTS[1]}"]), atol=0.01)


def test_texts_that_a_codec_cannot_take_stay_text_and_are_counted(memory: Memory) -> None:
    class Picky(HashedCodec):
        def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
            if any("base64" in text for text in texts):
                raise InvalidInput("it is base64")
            return super().encode(texts, slots=slots)

    memory.add_many([
        TEXTS[0],
        "two words",
        "word " * 250,
        "base64 " + "QUJD" * 100,
        "渡轮 每天 早上 七点 离开 旧 码头 前往 特萨里",
        "def leave(ferry):\n    return ferry.quay.pop('Tessary') if ferry else None\n",
    ])  # fmt: skip
    codec = Picky(limit=45)
    report = memory.compressed.compress(codec)
    assert report.compressed == 3
    assert report.as_text == {
        "shorter than its soft tokens would be": 1,
        "longer than the codec reads": 2,
        "the codec does not take it: it is base64": 1,
    }
    assert memory.compressed.compress(codec).as_text == {}  # none of them is tried again
    assert problems(memory) == []
    (state,) = memory.compressed.state()
    assert (state.passages, sum(state.as_text.values())) == (3, 4)


class Killed(Exception):
    pass


class Counting(HashedCodec):
    """Counts what it reads, and stops at a text."""

    def __init__(self, stop_at: int = 1_000, **more: int) -> None:
        super().__init__(**more)  # type: ignore[arg-type]  # only numbers are given here
        self.read: list[str] = []
        self.stop_at = stop_at

    def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
        if len(self.read) + len(texts) > self.stop_at:
            raise Killed
        self.read += texts
        return super().encode(texts, slots=slots)


def test_a_run_that_was_killed_goes_on_where_it_was(memory: Memory) -> None:
    texts = [f"{TEXTS[0]} Number {number}." for number in range(40)]
    memory.add_many(texts)
    with pytest.raises(Killed):
        memory.compressed.compress(Counting(stop_at=32))
    assert len(held(memory)) == 32
    rest = Counting()
    report = memory.compressed.compress(rest)
    assert (report.compressed, rest.read) == (8, texts[32:])
    assert len(memory.jobs.list()) == 1  # it is the same job
    np.testing.assert_allclose(stored(memory), HashedCodec().encode(texts), atol=0.02)


def test_a_run_stops_when_it_is_told_to(memory: Memory) -> None:
    memory.add_many(f"{TEXTS[0]} Number {number}." for number in range(40))
    report = memory.compressed.compress(HashedCodec(), should_stop=lambda: True)
    assert (report.compressed, report.remaining) == (16, 24)
    memory.jobs.add_codec(HashedCodec())
    job = memory.jobs.run(report.job)
    assert (job.state, len(held(memory))) == ("done", 40)


def test_a_crash_between_shard_and_row_leaves_nothing_that_counts(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.add_many(TEXTS)
    codec = HashedCodec()
    from agentcl.memory.compressed import compressing

    def crash(*given: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(compressing, "_record", crash)
        with pytest.raises(Killed):
            memory.compressed.compress(codec)
    assert len(shards(memory)) == 1  # the shard was written, and no row says so
    assert held(memory) == []
    assert problems(memory) == []
    memory.compressed.compress(codec)
    assert [one.row for one in held(memory)] == [0, 1, 2]
    np.testing.assert_allclose(stored(memory), codec.encode(TEXTS), atol=0.01)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    held = bytearray(path.read_bytes())
    held[-3] ^= 1
    path.write_bytes(held)


@pytest.mark.parametrize("harm", [cut, flip, Path.unlink])
def test_harmed_shards_are_named_and_made_anew_from_the_text(
    memory: Memory, harm: Callable[[Path], object]
) -> None:
    codec = HashedCodec()
    memory.add_many(TEXTS)
    memory.compressed.compress(codec)
    (shard,) = shards(memory)
    harm(shard)
    found = problems(memory)
    assert any(shard.name in one for one in found)
    assert any("agentcl compress" in one and "'hashed'" in one for one in found)
    memory.compressed.compress(codec)
    assert problems(memory) == []
    np.testing.assert_allclose(stored(memory), codec.encode(TEXTS), atol=0.01)


def test_forgetting_a_document_clears_its_soft_tokens_to_the_byte(memory: Memory) -> None:
    codec = HashedCodec()
    gone, kept = memory.add(TEXTS[0]), memory.add(TEXTS[1])
    memory.compressed.compress(codec)
    row = codec.encode([TEXTS[0]])[0].astype("<f2").tobytes()
    assert row in shards(memory)[0].read_bytes()
    receipt = memory.forget(gone.id)
    assert "compressed" in receipt.cleared
    assert {one.kind for one in receipt.removed} == {"document", "passage", "compression"}
    assert not any(row in path.read_bytes() for path in memory.path.rglob("*") if path.is_file())
    np.testing.assert_allclose(stored(memory), codec.encode([TEXTS[1]]), atol=0.01)
    memory.forget(kept.id)
    assert shards(memory) == []


def test_forgetting_clears_what_a_crash_left_without_a_row(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentcl.memory.compressed import compressing

    document = memory.add(TEXTS[0])

    def crash(*given: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(compressing, "_record", crash)
        with pytest.raises(Killed):
            memory.compressed.compress(HashedCodec())
    assert shards(memory)
    memory.forget(document.id)
    assert shards(memory) == []


def test_what_was_deleted_is_cleared_by_the_next_run(memory: Memory) -> None:
    codec = HashedCodec()
    gone = memory.add(TEXTS[0])
    memory.add(TEXTS[1])
    memory.compressed.compress(codec)
    memory.delete(gone.id)
    assert [one.passage_id for one in held(memory)] != []
    memory.compressed.compress(codec)
    row = codec.encode([TEXTS[0]])[0].astype("<f2").tobytes()
    assert not any(row in path.read_bytes() for path in shards(memory))
    assert problems(memory) == []


def test_soft_tokens_of_several_bases_stand_side_by_side(memory: Memory) -> None:
    memory.add_many(TEXTS)
    one, two = HashedCodec("one", base="base-1"), HashedCodec("two", base="base-2", width=16)
    memory.compressed.compress(one)
    report = memory.compressed.compress(two)
    assert (report.compressed, report.others) == (3, {})
    assert [(state.codec, state.passages) for state in memory.compressed.state()] == [
        ("one", 3),
        ("two", 3),
    ]
    assert len(memory.compressed.explain(memory.list()[0].id)) == 2


def test_another_codec_of_the_base_is_named_and_replaced_only_when_asked(memory: Memory) -> None:
    memory.add_many(TEXTS)
    old, new = HashedCodec("old"), HashedCodec("new", version=2)
    memory.compressed.compress(old)
    report = memory.compressed.compress(new)
    assert (report.compressed, report.others) == (0, {"old": 3})
    report = memory.compressed.compress(new, reencode=True)
    assert (report.compressed, report.others) == (3, {})
    np.testing.assert_allclose(stored(memory), new.encode(TEXTS), atol=0.01)
    row = old.encode([TEXTS[0]])[0].astype("<f2").tobytes()
    assert not any(row in path.read_bytes() for path in shards(memory))


def test_the_number_of_soft_tokens_and_their_form_can_be_chosen(memory: Memory) -> None:
    memory.add_many(TEXTS)
    codec = HashedCodec()
    assert memory.compressed.compress(codec, slots=2, form="int8").slots == 6
    np.testing.assert_allclose(stored(memory), codec.encode(TEXTS, slots=2), atol=0.1)
    assert memory.compressed.compress(codec).compressed == 0
    assert memory.compressed.compress(codec, reencode=True).slots == 12
    with pytest.raises(InvalidInput, match="makes 2, 4 soft tokens of a passage, not 3"):
        memory.compressed.compress(codec, slots=3)
    with pytest.raises(InvalidInput, match="float16 or int8"):
        memory.compressed.compress(codec, form="int4")  # type: ignore[arg-type]


def test_two_runs_at_once_are_one_too_many(memory: Memory) -> None:
    memory.add_many(TEXTS)

    class Nosy(HashedCodec):
        def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
            with Memory(memory.path) as other, pytest.raises(StoreBusy):
                other.compressed.compress(HashedCodec())
            return super().encode(texts, slots=slots)

    assert memory.compressed.compress(Nosy()).compressed == 3


def test_a_job_waits_for_its_codec(memory: Memory) -> None:
    memory.add_many(TEXTS)
    job = memory.jobs.enqueue("compress", {"codec": "hashed"})
    assert job.price is not None
    assert job.price.units == 3
    with pytest.raises(NotEquipped, match="add_codec"):
        memory.jobs.run(job.id)
    memory.jobs.add_codec(HashedCodec())
    assert memory.jobs.run(job.id).state == "done"
    with pytest.raises(InvalidInput, match="needs `codec`"):
        memory.jobs.enqueue("compress", {"codec": 1})


def test_a_passage_that_is_gone_meanwhile_is_not_kept(memory: Memory) -> None:
    document = memory.add(TEXTS[0])

    class Slow(HashedCodec):
        def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
            memory.delete(document.id)
            return super().encode(texts, slots=slots)

    assert memory.compressed.compress(Slow()).compressed == 0
    assert held(memory) == []


def test_a_codec_that_breaks_its_promise_is_refused(memory: Memory) -> None:
    memory.add_many(TEXTS)

    class Wide(HashedCodec):
        def encode(self, texts: Sequence[str], *, slots: int | None = None) -> Vectors:
            return np.zeros((len(texts), 4, self.width + 1), np.float32)

    with pytest.raises(InvalidInput, match=r"\(3, 4, 9\) where it promises \(3, 4, 8\)"):
        memory.compressed.compress(Wide())
    with pytest.raises(InvalidInput, match="a codec is needed"):
        memory.compressed.compress("hashed")  # type: ignore[arg-type]


def test_a_scope_sees_and_compresses_its_own(memory: Memory) -> None:
    memory.add(TEXTS[0], user="ada")
    memory.add(TEXTS[1], user="bo")
    ada, bo = memory.scoped(user="ada"), memory.scoped(user="bo")
    assert ada.compressed.compress(HashedCodec()).compressed == 1
    (one,) = ada.compressed.list()
    assert bo.compressed.list() == []
    assert bo.compressed.state() == []
    found = ada.compressed.get(one.passage_id)
    assert (found.passage.text, found.tokens, found.slots, found.saved) == (TEXTS[0], 16, 4, 12)
    with pytest.raises(NotFound):
        bo.compressed.get(one.passage_id)
    (passage,) = bo.store.passages(bo.list(kind="document")[0].id)
    with pytest.raises(NotFound, match="agentcl compress"):
        bo.compressed.get(passage.id)


def test_an_export_has_no_soft_tokens_and_an_import_takes_none(
    memory: Memory, tmp_path: Path
) -> None:
    memory.add_many(TEXTS)
    memory.compressed.compress(HashedCodec())
    memory.store.export(tmp_path / "x.jsonl")
    assert "compression" not in (tmp_path / "x.jsonl").read_text("utf-8")
    with Memory(tmp_path / "n", encoder="hashing") as other:
        other.store.import_(tmp_path / "x.jsonl")
        assert other.compressed.list() == []
        assert other.compressed.compress(HashedCodec()).compressed == 3
        assert problems(other) == []


def test_what_gave_way_in_a_merge_takes_its_soft_tokens_along(
    memory: Memory, tmp_path: Path
) -> None:
    memory.add(TEXTS[0], uri="a")
    memory.compressed.compress(HashedCodec())
    with Memory(tmp_path / "n", encoder="hashing") as other:
        other.add(TEXTS[1], uri="a")
        other.store.export(tmp_path / "x.jsonl")
    memory.store.import_(tmp_path / "x.jsonl")
    assert held(memory) == []
    assert problems(memory) == []


def test_a_snapshot_has_the_soft_tokens(memory: Memory, tmp_path: Path) -> None:
    memory.add_many(TEXTS)
    memory.compressed.compress(HashedCodec())
    memory.store.snapshot(tmp_path / "copy")
    with Memory(tmp_path / "copy") as copy:
        np.testing.assert_allclose(stored(copy), HashedCodec().encode(TEXTS), atol=0.01)
        assert problems(copy) == []


def test_strange_things_in_the_bank_s_folder_are_not_read(memory: Memory, tmp_path: Path) -> None:
    memory.add_many(TEXTS)
    memory.compressed.compress(HashedCodec())
    folder = shards(memory)[0].parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable, match="agentcl doctor"):
        memory.compressed.compress(HashedCodec())
    assert [one.slots for one in memory.compressed.explain(memory.list()[0].id)] == [0]


def test_a_forged_export_cannot_say_where_soft_tokens_lie(memory: Memory, tmp_path: Path) -> None:
    memory.add(TEXTS[0])
    memory.store.export(tmp_path / "x.jsonl")
    head, rows, _ = read(tmp_path / "x.jsonl")
    passage = of_kind(rows, "passage")
    own = {
        "base": "b", "codec": "c", "codec_name": "c", "text_hash": "", "tokens": 9, "slots": 4, "digest": "",
        "shard": "0123456789abcdef-000000.safetensors", "row": 0, "reason": "",
    }  # fmt: skip
    forged = signed({
        **passage, "kind": "compression", "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "sources": [passage["id"]], "body": own,
        "content_hash": None, "vector": None, "given": False,
    })  # fmt: skip
    write(tmp_path / "y.jsonl", head, [*rows, forged])
    with Memory(tmp_path / "n", encoder="hashing") as other:
        with pytest.raises(TransferError, match="no export holds one"):
            other.store.import_(tmp_path / "y.jsonl")
        assert other.list() == []
