"""Adapters that a real vLLM loads by itself, through our plugin: one server that nobody tells of any adapter.

The plugin is found as it is when it is installed with `pip install --no-deps agentcl`: by its entry point.
"""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from agentcl import Memory
from agentcl.consolidation import AdapterServer, GateBounds, judge
from agentcl.consolidation.rows.building import load, old_rows
from agentcl.consolidation.served_gate import measure_served
from agentcl.models.vllm import SMALL_ARGUMENTS, SMALL_ENVIRONMENT, VllmServer
from agentcl.store import Adapter
from tests.upstreams import proxied
from tests.vllm.conftest import BASE, LONG_AGO
from tests.vllm.test_adapters import ASKED, TINY, ask, trained

PYTHON = os.environ.get("VLLM_PYTHON", "")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds agentcl and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "agentcl").symlink_to(ROOT / "agentcl")
    told = folder / "agentcl-0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: agentcl\nVersion: 0\n", "utf-8")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {at}" for name, at in points.items()))
    ]
    (told / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "vllm.log"


@pytest.fixture(scope="module")
def vllm(base: Path, memory: Memory, installed: Path, log: Path) -> Iterator[VllmServer]:
    with VllmServer(
        str(base),
        served_name=BASE,
        python=PYTHON,
        lora=True,
        arguments=(
            *SMALL_ARGUMENTS, "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024",
            "--max-loras", "2", "--max-lora-rank", "16",
        ),
        environment={
            **SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(installed),
            "AGENTCL_VLLM_MEMORY": str(memory.path),
        },
        log=log,
    ) as running:  # fmt: skip
        yield running


def status(vllm: VllmServer, model: str) -> int:
    body = {"model": model, "messages": ASKED, "max_tokens": 2}
    answer = httpx.post(f"{vllm.url}/chat/completions", json=body, timeout=120, trust_env=False)
    return answer.status_code


def test_an_adapter_is_loaded_when_it_is_first_asked_for_and_is_what_was_trained(
    vllm: VllmServer, memory: Memory, base: Path
) -> None:
    held = trained(memory, base, TINY)
    assert status(vllm, held.name) == 404  # nobody is answered by it yet
    memory.adapters.route(held.name, "stable")
    with AdapterServer(vllm.url, api_key="none") as server:
        assert server.names() == []
        assert status(vllm, held.name) == 200
        assert server.names() == [held.name]
        found = server.check(memory, held.name)
    assert found.error < 0.01  # float32 at both
    assert found.change > 0.05


def test_the_proxy_answers_by_an_adapter_that_nobody_loaded(
    vllm: VllmServer, memory: Memory, base: Path
) -> None:
    held = trained(memory, base, replace(TINY, seed=1))
    memory.adapters.route(held.name, "stable")
    with proxied(memory, vllm.url) as client:
        answer = ask(client)
    assert answer.headers["x-agentcl-adapter"] == held.name
    assert answer.json()["model"] == held.name


@pytest.mark.parametrize("wrong", ["files", "weights", "forgotten"])
def test_what_may_not_be_served_is_not_loaded(
    vllm: VllmServer, log: Path, memory: Memory, base: Path, wrong: str
) -> None:
    said = memory.statements.add(f"Una {wrong}", "office", "room 9", said_at=LONG_AGO)
    memory.store.credit(said.id, uses=1)
    held: Adapter = trained(memory, base, replace(TINY, steps=2))
    memory.adapters.route(held.name, "stable")
    if wrong == "files":
        file = memory.adapters.folder(held.name) / "adapter_config.json"
        file.write_text(file.read_text("utf-8") + " ", "utf-8")
    elif wrong == "weights":
        with memory.store.journal.writing() as writing:
            writing.revise(replace(memory.adapters.get(held.name), weights="0" * 64))
    else:
        memory.forget(said.id)
    assert status(vllm, held.name) == 404
    reason = {"files": "never changed", "weights": "another weights", "forgotten": "is revoked"}
    assert reason[wrong] in log.read_text("utf-8")


def test_a_server_that_starts_anew_needs_to_be_told_nothing(
    vllm: VllmServer, memory: Memory, base: Path
) -> None:
    held = trained(memory, base, replace(TINY, seed=2))
    memory.adapters.route(held.name, "canary", share=0.5)
    assert status(vllm, held.name) == 200


def test_the_gate_is_told_by_the_server_what_the_trainer_sees(
    vllm: VllmServer, memory: Memory, base: Path
) -> None:
    from agentcl.consolidation.gating import measure

    stable = trained(memory, base, replace(TINY, steps=40))
    memory.adapters.route(stable.name, "stable")
    held = trained(memory, base, replace(TINY, seed=3, steps=40))
    folder, kept = memory.adapters.folder(held.name), memory.adapters.folder(stable.name)
    rows, still = load(folder / "rows.jsonl"), [*stable.holds]
    seen = measure(base, folder, rows, stable=kept, old=old_rows(kept, still))
    with AdapterServer(vllm.url, api_key="none") as server:
        told = measure_served(server, memory, held, base=base, stable=kept, still=still)
        assert held.name not in server.names()
    assert told["is_base_off_exact"] is True
    assert {"recall", "context", "general", "old", "verbatim"} <= told.keys()
    for name, value in told.items():
        # float32 at both; where two tokens are as probable, rounding decides
        assert value == pytest.approx(getattr(seen, name), abs=0.15), name
    report = judge(seen, GateBounds(), served=told)
    assert report["measured"]["divergence"] == seen.divergence
