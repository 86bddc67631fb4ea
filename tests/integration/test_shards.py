"""Adapters that are made of shards: to forget a record trains the shard that held it anew, and nothing else."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, Memory
from agentcl.consolidation import (
    ChoicePolicy,
    Consolidate,
    Recipe,
    TrainingRow,
    rows_of,
    select,
)
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.consolidation.rows.building import save, shards_of
from agentcl.consolidation.sharding import key_of, reuse_shards
from agentcl.memory.adapters.files import hashes_of
from agentcl.store import Adapter, Scope, Statement
from agentcl.store.adapters import shard_of
from tests.integration.test_consolidating import TINY, asked, consolidated, hold, wish

pytest.importorskip("peft")
torch = pytest.importorskip("torch")

# PEFT asks transformers by a name that is to be dropped.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")

COUNT = 4
SHARDED = replace(TINY, steps=8, rank=4, alpha=8, shards=COUNT)
OWN = SHARDED.steps // COUNT  # steps of a shard
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def filled(memory: Memory) -> dict[int, list[Statement]]:
    """Return statements by shard: two shards have two or more, and one has none."""
    found: dict[int, list[Statement]] = {}
    spare = {0, 1, 2}
    number = 0
    while any(len(found.get(one, ())) < 2 for one in spare):
        said = hold(memory, f"Person {number:03}")
        number += 1
        shard = shard_of(said.id, COUNT)
        if shard not in spare or len(found.get(shard, ())) == 2:
            memory.forget(said.id)
            continue
        found.setdefault(shard, []).append(said)
    return found


def tensors(folder: Path) -> dict[str, bytes]:
    from safetensors.torch import load_file

    return {k: v.numpy().tobytes() for k, v in load_file(folder / WEIGHTS).items()}


def test_forgetting_trains_one_shard_anew_to_the_bits_of_what_never_saw_the_record(
    memory: Memory, base: Path, tmp_path: Path
) -> None:
    by_shard = filled(memory)
    held = consolidated(memory, wish(base, recipe=SHARDED))
    assert held.state == "passed", held.gate
    folder = memory.adapters.verify(held.name)
    assert sorted(one.name for one in (folder / "shards").iterdir()) == ["0", "1", "2"]
    assert held.method["steps_done"] == 3 * OWN
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    assert config["r"] == 3 * SHARDED.rank  # the ranks add up
    before = {n: (folder / "shards" / n / WEIGHTS).read_bytes() for n in ("0", "1", "2")}
    memory.adapters.route(held.name, "stable")

    gone = by_shard[1][0]
    receipt = memory.forget(gone.id)
    assert receipt.adapters == (held.name,)
    assert receipt.shards == (f"{held.name}/shards/1",)
    assert memory.adapters.answering().name == ""
    assert sorted(one.name for one in folder.iterdir()) == [
        "shards"
    ]  # no sum that holds it is left
    assert sorted(one.name for one in (folder / "shards").iterdir()) == ["0", "2"]
    assert f"{held.name}/{WEIGHTS}" in receipt.adapter_files
    assert f"{held.name}/shards/1/{WEIGHTS}" in receipt.adapter_files
    report = memory.store.examine()
    assert not [one for one in report.problems if "adapters" in one.check]

    shutil.copytree(memory.path, tmp_path / "never")  # with the rebuild in its queue, and no shard
    shutil.rmtree(tmp_path / "never" / "adapters")
    steps: list[tuple[int, int]] = []
    memory.jobs.run(receipt.rebuilds[0], progress=lambda *step: steps.append(step))
    anew = memory.adapters.list()[-1]
    assert anew.state == "passed"
    assert set(anew.holds) == set(held.holds) - {gone.id}
    assert steps == [(n, OWN) for n in range(1, OWN + 1)]  # the steps of one shard
    assert (anew.method["shards_trained"], anew.method["steps_done"]) == ([1], OWN)
    own = memory.adapters.verify(anew.name)
    after = {n: (own / "shards" / n / WEIGHTS).read_bytes() for n in ("0", "1", "2")}
    assert (after["0"], after["2"]) == (before["0"], before["2"])
    assert after["1"] != before["1"]
    assert not folder.exists()  # what was kept of the old one went with the new one

    with Memory(tmp_path / "never", encoder="hashing") as other:
        other.jobs.add_kind(Consolidate(other, named=[str(base)]))
        other.jobs.run_all()
        fresh = other.adapters.list()[-1]
        assert fresh.method["shards_trained"] == [0, 1, 2]
        assert tensors(other.adapters.verify(fresh.name)) == tensors(own)


def made(memory: Memory, *, job: str = "", weights: str = "w") -> Adapter:
    """Register an adapter of shards as the job does, with files that stand for weights."""
    selection = select(memory)
    name, rows = (
        next_name(memory, Scope(), "0123456789abcdef"),
        rows_of(memory, selection, shards=COUNT),
    )
    holds = {one.record.id: one.record.version for one in selection.chosen}
    lineage = tuple(source for one in selection.chosen for source in one.record.sources)
    method = {"shards": COUNT, "job": job}
    adapter = Adapter(
        id="", key=name, base="tiny", weights=weights, holds=holds, lineage=lineage, method=method
    )
    register(memory, adapter)
    folder = memory.adapters.folder(name)
    folder.mkdir(parents=True)
    save(folder, rows, selection, shards=COUNT)
    (folder / WEIGHTS).write_bytes(b"the sum")
    for number, part in shards_of(rows, COUNT).items():
        own = folder / "shards" / str(number)
        own.mkdir(parents=True)
        key = key_of(part, SHARDED, (weights, "", ""))
        (own / "shard.json").write_text(json.dumps({"key": key, "is_cut_short": False}), "utf-8")
        (own / WEIGHTS).write_bytes(f"shard {number}".encode())
    return judged(memory, name, gate={"is_passed": True}, files=hashes_of(folder), method=method)


def serving(memory: Memory) -> Adapter:
    """Return one that answers, and that a job made."""
    _, job = asked(memory, wish(Path("tiny"), recipe=SHARDED))
    return memory.adapters.route(made(memory, job=job.id).name, "stable")


def kept(memory: Memory, held: Adapter) -> set[str]:
    folder = memory.adapters.folder(held.name)
    if not folder.exists():
        return set()
    assert [one.name for one in folder.iterdir()] == ["shards"]
    return {one.name for one in (folder / "shards").iterdir()}


def test_the_sum_of_the_shards_is_the_adapter(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from agentcl.consolidation.shard_training import train_shards

    rows = [TrainingRow((f"{n}",), "recall", "train", f"What is {n}?", f"v{n}") for n in range(8)]
    numbers = [str(n) for n in shards_of(rows, COUNT)]
    told: list[tuple[int, int]] = []
    trained = train_shards(
        base, rows, tmp_path / "a", SHARDED, keys=dict.fromkeys(numbers, "k"),
        progress=lambda step, steps, _: told.append((step, steps)),
    )  # fmt: skip
    assert [str(n) for n in trained.shards] == numbers
    assert told == [(n, OWN * len(numbers)) for n in range(1, OWN * len(numbers) + 1)]

    def update(where: Path) -> dict[str, Any]:
        config = json.loads((where / "adapter_config.json").read_text("utf-8"))
        held = load_file(where / WEIGHTS)
        scale = config["lora_alpha"] / config["r"]
        return {
            name: held[name.replace("lora_A", "lora_B")] @ held[name] * scale
            for name in held
            if "lora_A" in name
        }

    whole = update(tmp_path / "a")
    parts = [update(tmp_path / "a" / "shards" / n) for n in numbers]
    assert whole.keys() == parts[0].keys()
    for name, one in whole.items():
        torch.testing.assert_close(one, sum(part[name] for part in parts), rtol=1e-4, atol=1e-6)
    before = tensors(tmp_path / "a")
    again = train_shards(base, rows, tmp_path / "a", SHARDED, keys=dict.fromkeys(numbers, "k"))
    assert (again.shards, again.steps, again.losses) == ((), 0, ())  # all of them are there
    assert tensors(tmp_path / "a") == before


def test_no_row_of_a_shard_has_a_word_of_another_ones_records(memory: Memory) -> None:
    by_shard = filled(memory)
    selection = select(memory, policy=ChoicePolicy())
    values = {n: [one.value for one in said] for n, said in by_shard.items()}

    def others(shards: int) -> list[str]:
        return [
            value
            for row in rows_of(memory, selection, shards=shards)
            for n, some in values.items()
            for value in some
            if n != shard_of(row.records[0], COUNT)
            and value in row.prompt + row.answer + row.memory
        ]

    assert others(COUNT) == []
    assert others(1) != []  # without shards a record's value stands in the rows of others


def test_what_a_record_was_made_from_leads_to_its_shard(memory: Memory) -> None:
    by_shard = filled(memory)
    turn = memory.remember(["Una's office is room 9."], session="s").turns[0]
    moment = by_shard[0][0].moment
    said = memory.statements.add("Una", "office", "room 9", sources=[turn.id], said_at=moment)
    memory.store.credit(said.id, uses=1)
    held = serving(memory)
    assert said.id in held.holds
    receipt = memory.forget(turn.id, session="s")
    number = shard_of(said.id, COUNT)
    assert receipt.shards == (f"{held.name}/shards/{number}",)
    assert kept(memory, held) == {str(n) for n in by_shard if n != number}
    assert not [one for one in memory.store.examine().problems if "adapters" in one.check]


def test_a_second_forgetting_before_the_job_ran_takes_its_shard_too(memory: Memory) -> None:
    by_shard = filled(memory)
    held = serving(memory)
    first = memory.forget(by_shard[1][0].id)
    assert memory.jobs.get(first.rebuilds[0]).spec["only"] == sorted(
        set(held.holds) - {by_shard[1][0].id}
    )
    assert kept(memory, held) == {"0", "2"}
    second = memory.forget(by_shard[2][0].id)
    assert f"{held.name}/shards/2" in second.shards
    assert kept(memory, held) == {"0"}
    memory.adapters.revoke(held.name)
    assert kept(memory, held) == set()


def test_a_shard_that_forgetting_left_and_somebody_put_back_is_named(memory: Memory) -> None:
    by_shard = filled(memory)
    held = serving(memory)
    gone = memory.adapters.folder(held.name) / "shards" / "1"
    copy = memory.path.parent / "copy"
    shutil.copytree(gone, copy)
    memory.forget(by_shard[1][0].id)
    shutil.copytree(copy, gone)
    (found,) = [one for one in memory.store.examine().problems if "adapters" in one.check]
    assert "may hold what was forgotten" in found.message


def test_an_adapter_that_answered_nobody_leaves_no_shard(memory: Memory) -> None:
    by_shard = filled(memory)
    held = serving(memory)
    memory.adapters.route(held.name, "off")
    assert memory.forget(by_shard[0][0].id).rebuilds == ()
    assert kept(memory, held) == set()


def test_a_shard_is_used_again_only_where_nothing_of_it_differs(memory: Memory) -> None:
    filled(memory)
    first = made(memory)

    def reused(**how: Any) -> set[str]:
        one = made(memory, weights=how.pop("weights", "w"))
        own = memory.adapters.folder(one.name) / "shards"
        shutil.rmtree(own)
        keys = reuse_shards(memory, one, replace(SHARDED, **how))
        assert set(keys) == {"0", "1", "2"}
        found = {part.name for part in own.iterdir()} if own.is_dir() else set[str]()
        memory.adapters.revoke(one.name)
        return found

    assert reused() == {"0", "1", "2"}
    assert reused(budget_s=5.0, checkpoint_every=1) == {"0", "1", "2"}  # they change no weight
    assert reused(seed=1) == reused(steps=12) == reused(weights="others") == set()
    (memory.adapters.folder(first.name) / "shards" / "2" / WEIGHTS).write_bytes(b"by hand")
    assert reused() == {"0", "1"}


def test_shards_that_cannot_be_are_refused(memory: Memory) -> None:
    refused: list[dict[str, Any]] = [
        {"shards": 0}, {"shards": 5, "rank": 16}, {"shards": 2, "methods": ({"name": "l2"},)},
    ]  # fmt: skip
    for wrong in refused:
        with pytest.raises(InvalidInput, match="shard"):
            Recipe(**wrong)
    with pytest.raises(InvalidInput, match="base alone"):
        asked(memory, wish(Path("tiny"), recipe=SHARDED, parent="x"))
