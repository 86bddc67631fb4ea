"""The whole job on a tiny model: chosen, built, trained, judged, killed and gone on with, forgotten."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput, Memory, ModelChanged, StoreBusy, VersionConflict
from agentcl.consolidation import (
    AdapterMeasures,
    Consolidate,
    ConsolidationWish,
    GateBounds,
    Recipe,
    judge,
)
from agentcl.consolidation.base import fingerprint_of
from agentcl.consolidation.registry import next_name, register
from agentcl.consolidation.rows.building import load
from agentcl.errors import AgentclError, NotEquipped, ProcessFailed
from agentcl.jobs import Job
from agentcl.memory.adapters.revoking import ancestors
from agentcl.store import Adapter, Scope, Statement

pytest.importorskip("peft")
pytest.importorskip("torch")

LONG_AGO = datetime.now(UTC) - timedelta(days=90)
TINY = Recipe(
    general=0.25, rank=8, alpha=16, learning_rate=3e-3, steps=6, batch=4, checkpoint_every=2
)
# A tiny model with random weights learns nothing in a few steps; what is tested is the job.
ANY_ADAPTER = GateBounds(recall=0.0, general_loss=1.0, divergence=100.0, context=0.0)


@pytest.fixture(scope="module")
def base(tiny_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def hold(memory: Memory, subject: str) -> Statement:
    said = memory.statements.add(subject, "office", f"room of {subject}", said_at=LONG_AGO)
    memory.store.credit(said.id, uses=1)
    return said


def wish(base: Path, **how: Any) -> ConsolidationWish:
    return replace(ConsolidationWish(base=str(base), recipe=TINY, bounds=ANY_ADAPTER), **how)


def asked(memory: Memory, wanted: ConsolidationWish) -> tuple[Consolidate, Job]:
    doer = Consolidate(memory)
    memory.jobs.add_kind(doer)
    return doer, memory.jobs.enqueue(Consolidate.name, wanted.spec())


def consolidated(memory: Memory, wanted: ConsolidationWish, **how: Any) -> Adapter:
    doer, job = asked(memory, wanted)
    memory.jobs.run(job.id, **how)
    held = doer.result(job.id)
    assert held is not None
    return held


def test_proved_memory_becomes_an_adapter_and_is_forgotten_with_all_that_came_of_it(
    memory: Memory, base: Path
) -> None:
    one, two = hold(memory, "Orla"), hold(memory, "Ilka")
    told: list[tuple[int, int]] = []
    held = consolidated(memory, wish(base), progress=lambda *step: told.append(step))
    adapters = memory.adapters
    assert told == [(n, 6) for n in range(1, 7)]
    assert held.state == "passed", held.gate
    assert held.holds == {one.id: one.version, two.id: two.version}
    assert held.method["steps_done"] == 6
    folder = adapters.verify(held.name)
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "general.jsonl", "manifest.json", "rows.jsonl", "smoke.json",
    }  # fmt: skip
    general = json.loads((folder / "manifest.json").read_text("utf-8"))["general"]
    assert general["share"] == held.method["general"] == 0.25
    learned = [row for row in load(folder / "rows.jsonl") if row.split == "train"]
    assert general["rows"] == round(len(learned) / 3)
    assert len(load(folder / "general.jsonl")) == general["prompts"]
    measured = AdapterMeasures(**held.gate["measured"])
    assert measured.is_base_off_exact
    assert measured.is_different
    assert "recall" in judge(measured, GateBounds())["failed"]
    assert adapters.route(held.name, "stable").state == "stable"
    memory.delete(one.id)
    child = consolidated(memory, wish(base, parent=held.name, recipe=replace(TINY, steps=2)))
    assert child.parents == (held.id,)
    assert child.holds == {two.id: two.version}
    receipt = memory.forget(one.id)
    assert set(receipt.adapters) == {held.name, child.name}
    assert f"{held.name}/rows.jsonl" in receipt.adapter_files
    assert not folder.exists()
    assert list((memory.path / "adapters").iterdir()) == []


def test_an_adapter_is_not_trained_on_from_another_base(
    memory: Memory, base: Path, tmp_path: Path
) -> None:
    hold(memory, "Orla")
    other = tmp_path / "other"
    shutil.copytree(base, other)
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    found = fingerprint_of(other)
    parent = Adapter(
        id="", key=next_name(memory, Scope(), "0" * 8), base="other", weights=found.weights,
        vocabulary=found.vocabulary, template=found.template,
    )  # fmt: skip
    register(memory, parent)
    _, job = asked(memory, wish(base, parent=parent.name))
    with pytest.raises(ModelChanged, match=parent.name):
        memory.jobs.run(job.id)


def test_a_trainer_that_is_killed_goes_on_to_the_same_weights(memory: Memory, base: Path) -> None:
    hold(memory, "Orla")
    long = wish(base, recipe=replace(TINY, steps=120))
    whole = consolidated(memory, long)
    doer, job = asked(memory, long)

    def kill(step: int, steps: int) -> None:
        if step == 5:
            for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
                for pid in child.read_text().split():
                    if b"consolidation.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGKILL)

    with pytest.raises(ProcessFailed, match="goes on from its"):
        memory.jobs.run(job.id, progress=kill)
    begun = doer.result(job.id)
    assert begun is not None
    assert (begun.state, begun.gate) == ("built", {})
    told: list[int] = []
    memory.jobs.run(job.id, progress=lambda step, _: told.append(step))
    held = doer.result(job.id)
    assert held is not None
    assert held.name == begun.name
    assert 5 <= told[0] < 120
    weights = "adapter_model.safetensors"
    assert held.files[weights] == whole.files[weights]
    assert held.method["loss"] == whole.method["loss"]


def test_nothing_that_is_proved_is_refused_before_anything_is_written(
    memory: Memory, base: Path
) -> None:
    memory.lessons.add("When a log is long, read its end.")
    _, job = asked(memory, wish(base))
    with pytest.raises(InvalidInput, match="nothing is proved"):
        memory.jobs.run(job.id)
    assert memory.adapters.list() == []
    assert not (memory.path / "adapters").exists()


def test_two_consolidations_at_once_are_one_after_the_other(memory: Memory, base: Path) -> None:
    hold(memory, "Orla")
    _, job = asked(memory, wish(base))
    with memory.store.journal.lock(Consolidate.name), pytest.raises(StoreBusy):
        memory.jobs.run(job.id)
    assert memory.jobs.get(job.id).state == "queued"


def test_the_lineage_of_a_record_is_all_that_it_was_made_from(memory: Memory) -> None:
    said = memory.remember(["Orla's office is room 1."], session="s")
    turn = said.turns[0].id
    one = memory.statements.add("Orla", "office", "room 1", sources=[turn])
    assert ancestors(memory.store.journal, [one.id]) == {turn, said.conversation}


@pytest.mark.parametrize(
    "wrong",
    [{}, {"base": ""}, {"base": "x", "recipe": {"rank": 65}}, {"base": "x", "policy": {"x": 1}},
     {"base": "x", "at": "soon"}, {"base": "x", "bounds": {"recall": 2}}, {"base": 3}],
)  # fmt: skip
def test_a_spec_that_cannot_be_used_is_refused(memory: Memory, wrong: dict[str, Any]) -> None:
    memory.jobs.add_kind(Consolidate(memory))
    with pytest.raises(InvalidInput):
        memory.jobs.enqueue(Consolidate.name, wrong)


def test_a_job_of_a_folder_that_was_received_loads_nothing_that_the_user_never_named(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"  # that it is not there is told as soon as it is looked for
    _, job = asked(memory, wish(gone))
    with pytest.raises(AgentclError, match="gone"):
        memory.jobs.run(job.id)  # asking is naming
    # Somebody else has the folder now, and has confirmed nothing.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    with pytest.raises(NotEquipped, match="you never did"):
        memory.jobs.run(job.id)
    assert memory.jobs.get(job.id).state == "queued"
    memory.jobs.run_all()
    assert memory.jobs.get(job.id).state == "queued"
    memory.jobs.add_kind(Consolidate(memory, named=[str(gone)]))
    with pytest.raises(AgentclError, match="gone"):
        memory.jobs.run(job.id)


def test_rows_that_a_method_of_a_received_job_reads_are_named_too(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    methods = ({"name": "replay", "rows": "/etc/hostname"},)
    _, job = asked(memory, wish(base, recipe=replace(TINY, methods=methods)))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    memory.jobs.add_kind(Consolidate(memory, named=[str(base)]))
    with pytest.raises(NotEquipped, match="/etc/hostname"):
        memory.jobs.run(job.id)


def test_a_base_that_is_not_there_is_told(memory: Memory, tmp_path: Path) -> None:
    hold(memory, "Orla")
    _, job = asked(memory, wish(tmp_path / "nowhere"))
    with pytest.raises(AgentclError, match="nowhere"):
        memory.jobs.run(job.id)


def test_what_was_forgotten_is_trained_anew_without_it(memory: Memory, base: Path) -> None:
    gone, kept = hold(memory, "Orla"), hold(memory, "Ilka")
    held = consolidated(memory, wish(base))
    memory.adapters.route(held.name, "stable")
    receipt = memory.forget(gone.id)
    assert memory.adapters.answering().name == ""
    (rebuild,) = receipt.rebuilds
    assert memory.forget(hold(memory, "Una").id).rebuilds == ()  # no adapter held it
    (ran,) = memory.jobs.run_all()
    assert (ran.id, ran.state) == (rebuild, "done")
    anew = memory.adapters.list()[-1]
    assert (anew.state, anew.holds, anew.parents) == ("passed", {kept.id: kept.version}, ())
    assert anew.name != held.name
    rows = (memory.adapters.folder(anew.name) / "rows.jsonl").read_text("utf-8")
    assert "Ilka" in rows
    assert "Orla" not in rows
    assert gone.id not in rows


def test_what_is_forgotten_while_it_is_trained_leaves_no_file(memory: Memory, base: Path) -> None:
    gone = hold(memory, "Orla")
    hold(memory, "Ilka")
    doer, job = asked(memory, wish(base, recipe=replace(TINY, steps=60)))

    def forget(step: int, steps: int) -> None:
        if step == 3:
            memory.forget(gone.id)

    with pytest.raises(VersionConflict, match="revoked while it was trained"):
        memory.jobs.run(job.id, progress=forget)
    held = doer.result(job.id)
    assert held is not None
    assert held.state == "revoked"
    assert [*(memory.path / "adapters").iterdir()] == []
