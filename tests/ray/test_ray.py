"""Long jobs on a Ray cluster of several processes: what was answered is stored, and is not asked again, whoever dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

pytest.importorskip("ray", reason="run by `make test-ray`")

from agentcl import Memory
from agentcl.cli.main import main
from agentcl.errors import ClusterUnavailable, InvalidInput, ModelUnavailable, NotEquipped
from agentcl.jobs import Ray
from agentcl.jobs.crew import Hand, pack, unpack
from agentcl.memory import ModelExtractor
from agentcl.models import Message, ScriptedModel
from agentcl.store import Fact
from tests.hashed_codec import HashedCodec
from tests.ray.clusters import ROOT, VARIABLES, Cluster, free_port, until
from tests.ray.scripts import NotingDigester, SteeredBy

NAMES = [f"Ilka{number}" for number in range(12)]
ONE = "Ilka5"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A memory of some passages."""
    with Memory(tmp_path / "memory", encoder="hashing") as memory:
        memory.add_many([f"The boat of {name} is steered by {name}." for name in NAMES])
    return tmp_path / "memory"


def read(path: Path, script: SteeredBy, on: Ray | None = None, *, workers: int = 1) -> int:
    """Have a memory's passages read; return how many were."""
    with Memory(path) as memory:
        extractor = ModelExtractor(ScriptedModel(script))
        return memory.facts.extract(extractor, on=on, workers=workers).read


def stated(path: Path) -> list[str]:
    """Return whom the facts of a memory are about, sorted."""
    with Memory(path) as memory:
        return sorted(
            one.subject for one in memory.list(kind="fact", limit=100) if isinstance(one, Fact)
        )


def begun(path: Path, address: str, script: SteeredBy) -> subprocess.Popen[bytes]:
    """Begin to read in another process; return it when it waits for the one answer."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "tests.ray.driver", str(path), address, str(script.notes),
            script.waits_at, str(script.gate),
        ],
        env={**os.environ, **VARIABLES},
        cwd=ROOT,
    )  # fmt: skip
    try:
        until(lambda: script.asked()[script.waits_at] or process.poll() is not None)
        assert process.poll() is None
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def test_a_job_on_a_cluster_stores_what_one_here_stores(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    with Memory(path) as memory:
        memory.store.snapshot(tmp_path / "copy")
    there, here = SteeredBy(tmp_path / "there"), SteeredBy(tmp_path / "here")
    assert read(path, there, Ray(cluster.address), workers=4) == len(NAMES)
    assert read(tmp_path / "copy", here) == len(NAMES)
    assert stated(path) == stated(tmp_path / "copy") == sorted(NAMES)
    assert os.getpid() not in {pid for _, pid in there.calls()}
    assert read(path, there, Ray(cluster.address)) == 0


def test_what_a_worker_had_at_hand_that_died_is_given_to_another(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    script = SteeredBy(tmp_path / "notes", ONE, tmp_path / "gate")

    def kill() -> None:
        until(lambda: script.asked()[ONE])
        os.kill(dict(script.calls())[ONE], signal.SIGKILL)
        script.gate.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    assert read(path, script, Ray(cluster.address)) == len(NAMES)
    killer.join()
    assert stated(path) == sorted(NAMES)
    assert script.asked() == {name: 1 + (name == ONE) for name in NAMES}


@pytest.mark.parametrize("way", ["address", "client_address"])
def test_a_job_whose_process_was_killed_goes_on_and_asks_nothing_twice(
    cluster: Cluster, path: Path, tmp_path: Path, way: str
) -> None:
    script = SteeredBy(tmp_path / "notes", ONE, tmp_path / "gate")
    driver = begun(path, getattr(cluster, way), script)
    driver.kill()
    driver.wait()
    script.gate.touch()
    assert 0 < read(path, script, Ray(getattr(cluster, way))) <= len(NAMES)
    assert stated(path) == sorted(NAMES)
    assert script.asked() == dict.fromkeys(NAMES, 1)


def test_a_job_whose_cluster_was_killed_goes_on_here(path: Path, tmp_path: Path) -> None:
    script = SteeredBy(tmp_path / "notes", ONE, tmp_path / "gate")
    (tmp_path / "head").mkdir()
    with Cluster(tmp_path / "head") as own:
        driver = begun(path, own.address, script)
        until(lambda: len(stated(path)) > 0)
        own.kill()
        assert driver.wait() != 0
    script.gate.touch()
    kept = stated(path)
    assert read(path, script) == len(NAMES) - len(kept)
    assert stated(path) == sorted(NAMES)
    twice = {name for name, times in script.asked().items() if times > 1}
    assert len(twice) <= 2  # what the two workers had at hand, or had just answered
    assert not twice & {*kept}


def test_an_item_that_kills_three_workers_is_given_up_and_the_others_are_kept(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    script = SteeredBy(tmp_path / "notes", dies_at=ONE)
    with pytest.raises(ClusterUnavailable, match="3 workers died one after the other"):
        read(path, script, Ray(cluster.address))
    kept = stated(path)
    assert read(path, SteeredBy(script.notes)) == len(NAMES) - len(kept)
    assert script.asked() == {name: 1 + 3 * (name == ONE) for name in NAMES}


def test_what_a_model_raises_there_is_raised_here(cluster: Cluster, path: Path) -> None:
    with (
        Memory(path) as memory,
        pytest.raises(ModelUnavailable, match="the script of 'gone' ended"),
    ):
        memory.facts.extract(
            ModelExtractor(ScriptedModel([], name="gone")), on=Ray(cluster.address)
        )


def test_vectors_are_computed_there_and_stored_here(cluster: Cluster, path: Path) -> None:
    with Memory(path) as memory:
        query = "Who steers the boat of Ilka3?"
        steps: list[tuple[int, int]] = []
        assert memory.store.reembed(
            "hashing:64", on=Ray(cluster.address), progress=lambda *step: steps.append(step)
        )
        assert steps[-1][0] == steps[-1][1] > 0
        assert "Ilka3" in memory.search(query, mode="dense", limit=1).hits[0].text


def test_soft_tokens_are_made_there_and_stored_here(cluster: Cluster, path: Path) -> None:
    codec = HashedCodec()
    with Memory(path) as memory:
        report = memory.compressed.compress(codec, on=Ray(cluster.address))
        assert (report.compressed, report.remaining) == (len(NAMES), 0)
        assert memory.store.examine().is_healthy


def test_conversations_are_read_there_in_the_order_in_which_they_were_held(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    with Memory(path) as memory:
        for name, town in zip(NAMES[:4], ["Gent", "Porto", "Lyon", "Turku"], strict=True):
            for session, said in enumerate((f"I live in {town}.", "I moved to Oslo.")):
                messages = [{"role": "user", "content": said}]
                memory.remember(messages, user=name, session=f"{session}")
        memory.store.snapshot(tmp_path / "copy")
        there = NotingDigester(tmp_path / "there")
        assert memory.statements.digest(there, on=Ray(cluster.address)).remaining == 0
        stated = {one.id: one.value for one in memory.statements.list(user=NAMES[0])}
    with Memory(tmp_path / "copy") as memory:
        here = NotingDigester(tmp_path / "here")
        memory.statements.digest(here)
        assert {*stated.values()} == {one.value for one in memory.statements.list(user=NAMES[0])}
    assert here.notes() == there.notes()


def test_the_command_line_works_on_a_cluster_by_one_flag(
    cluster: Cluster, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    told = CliRunner().invoke(
        main, ["reembed", "--path", str(path), "--encoder", "hashing:64", "--on", "ray?workers=1"]
    )
    assert (told.exit_code, told.stdout) == (0, "embedded with hashing:64 (64 dimensions)\n"), (
        told.output
    )


def test_what_cannot_be_sent_is_named(
    cluster: Cluster, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(path) as memory, (tmp_path / "held").open("w") as held:

        def noting(messages: Sequence[Message]) -> str:
            held.write("asked")
            return "{}"

        with pytest.raises(InvalidInput, match="cannot be sent to other machines"):
            memory.facts.extract(ModelExtractor(ScriptedModel(noting)), on=Ray(cluster.address))
        # A module that this process alone has.
        alone = ModuleType("alone")
        exec("def say(messages): return '{}'", vars(alone))
        monkeypatch.setitem(sys.modules, "alone", alone)
        with pytest.raises(NotEquipped, match="No module named 'alone'"):
            memory.facts.extract(ModelExtractor(ScriptedModel(alone.say)), on=Ray(cluster.address))


def test_a_worker_of_another_version_says_so() -> None:
    is_done, packed = Hand(pack(len), "0.0.1").do(pack("word"))
    assert not is_done
    with pytest.raises(NotEquipped, match=r"has agentcl .*, and this process 0\.0\.1"):
        raise unpack(packed)


def test_a_cluster_without_room_says_so(cluster: Cluster, path: Path, tmp_path: Path) -> None:
    script = SteeredBy(tmp_path / "notes")
    with pytest.raises(InvalidInput, match=r"3 workers with 1 CPU each .* has 2 CPU"):
        read(path, script, Ray(cluster.address, workers=3))
    with pytest.raises(InvalidInput, match=r"1 CPU and 1 GPU each .* has 2 CPU and 0 GPU"):
        read(path, script, Ray(cluster.address, num_gpus=1))
    assert not script.calls()


def test_an_address_that_does_not_answer_is_named(path: Path, tmp_path: Path) -> None:
    for address in (f"127.0.0.1:{free_port()}", f"ray://127.0.0.1:{free_port()}"):
        with pytest.raises(ClusterUnavailable, match=f"no Ray cluster answers at {address}"):
            read(path, SteeredBy(tmp_path / "notes"), Ray(address))
