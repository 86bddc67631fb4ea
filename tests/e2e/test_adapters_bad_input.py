"""What goes wrong with adapters, through the command line: each is refused with what to do, and nothing is put to use."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.store import Adapter
from tests.integration.test_resolving_adapters import trained
from tests.integration.test_serving_adapters import SMOKE, Vllm
from tests.served import listening

LONG_AGO = datetime.now(UTC) - timedelta(days=90)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return model(tmp_path / "base", b"weights of the base")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "m"


def model(folder: Path, weights: bytes) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def run(folder: Path, *arguments: str, fails: bool = True) -> str:
    done = CliRunner().invoke(main, [*arguments, "--path", str(folder)])
    assert (done.exit_code != 0) == fails, done.output
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


def adapter(folder: Path, base: Path) -> Adapter:
    with Memory(folder, encoder="hashing") as memory:
        return trained(memory, base, smoke=SMOKE)


def state(folder: Path, name: str) -> str:
    return str(
        json.loads(run(folder, "adapters", "show", name, "--json", fails=False))["adapter"]["state"]
    )


@contextmanager
def served(vllm: Vllm) -> Iterator[str]:
    with listening(vllm) as address:
        yield f"{address}/v1"


def test_an_adapter_is_not_loaded_on_other_weights_of_the_same_shape(
    folder: Path, base: Path, tmp_path: Path
) -> None:
    held, other = adapter(folder, base), model(tmp_path / "other", b"weights, and not its own")
    with served(Vllm(root=str(other))) as url:
        said = run(folder, "adapters", "load", held.name, "--url", url)
    assert "another weights" in said
    assert "agentcl consolidate" in said
    said = run(folder, "consolidate", "--base", str(other), "--parent", held.name)
    assert "another weights" in said


def test_a_rank_above_the_servers_is_told_with_both_ways_out(folder: Path, base: Path) -> None:
    held = adapter(folder, base)
    vllm = Vllm(refusal=(500, "LoRA rank 32 is greater than max_lora_rank 16."))
    with served(vllm) as url:
        said = run(folder, "adapters", "load", held.name, "--url", url)
    assert "--max-lora-rank" in said
    assert "--rank" in said
    assert state(folder, held.name) == "passed"
    assert "64" in run(folder, "consolidate", "--base", str(base), "--rank", "65")
    many = ("--rank", "32", "--shards", "4")
    assert "ranks add up to at most 64" in run(folder, "consolidate", "--base", str(base), *many)


def test_a_source_that_says_most_of_it_gives_half_at_the_most(folder: Path) -> None:
    with Memory(folder, encoder="hashing", durability="normal") as memory:
        for name, count in (("Mallory", 12), ("Ada", 2), ("Bob", 1)):
            for number in range(count):
                what = f"{name} {number}"
                told = [{"role": "user", "name": name, "content": f"{what} has room {number}."}]
                turn = memory.remember(told, session=what).turns[0]
                said = memory.statements.add(
                    what, "room", str(number), sources=[turn.id], said_at=LONG_AGO
                )
                memory.store.credit(said.id, uses=1)
    told = json.loads(run(folder, "consolidate", "--dry-run", "--json", fails=False))
    assert told["shares"]["said by Mallory"] <= 0.5
    capped = [one for one in told["choices"] if "gives its share" in one["reason"]]
    assert len(capped) == 9
    assert {one["source"] for one in capped} == {"said by Mallory"}
    tighter = ("--most-of-a-source", "0.34", "--dry-run", "--json")
    told = json.loads(run(folder, "consolidate", *tighter, fails=False))
    assert set(told["shares"].values()) == {1 / 3}


def test_nothing_to_learn_makes_no_adapter(folder: Path, base: Path) -> None:
    with Memory(folder, encoder="hashing") as memory:
        memory.lessons.add("When a log is long, read its end.")
    said = run(folder, "consolidate", "--base", str(base))
    assert "nothing is proved" in said
    assert "--dry-run" in said
    assert not (folder / "adapters").exists()
    assert "there is no adapter" in run(folder, "adapters", "list", fails=False)


def test_a_second_consolidation_waits_for_the_first_one(folder: Path, base: Path) -> None:
    with Memory(folder, encoder="hashing") as memory:
        said = memory.statements.add("Orla", "office", "room 1", said_at=LONG_AGO)
        memory.store.credit(said.id, uses=1)
        with memory.store.journal.lock("consolidate"):
            refused = run(folder, "consolidate", "--base", str(base))
    assert "consolidate" in refused
    assert "nothing is proved" not in refused
    jobs = json.loads(run(folder, "jobs", "list", "--json", fails=False))
    assert [one["state"] for one in jobs] == ["queued"]


def test_a_folder_that_somebody_changed_is_not_used(folder: Path, base: Path) -> None:
    held = adapter(folder, base)
    file = folder / "adapters" / held.name / "adapter_model.safetensors"
    file.write_bytes(b"by hand")
    for command in (
        ("route", held.name, "--to", "stable"),
        ("load", held.name, "--url", "http://127.0.0.1:1/v1"),
    ):
        said = run(folder, "adapters", *command)
        assert "adapter_model.safetensors is not what was trained" in said
        assert "adapters revoke" in said
    assert state(folder, held.name) == "passed"


def test_a_gate_url_where_nobody_answers_is_told_before_anything_is_trained(
    folder: Path, base: Path
) -> None:
    with Memory(folder, encoder="hashing") as memory:
        said = memory.statements.add("Orla", "office", "room 1", said_at=LONG_AGO)
        memory.store.credit(said.id, uses=1)
    asked = ("consolidate", "--base", str(base), "--gate-url", "http://127.0.0.1:1/v1")
    assert "check that the server runs" in run(folder, *asked)
    assert "there is no adapter" in run(folder, "adapters", "list", fails=False)
