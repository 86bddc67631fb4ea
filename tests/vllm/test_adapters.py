"""Adapters in a real vLLM: trained, loaded, compared, routed, tried as a canary, rolled back, unloaded, and cut off.

The base is a tiny Llama of random weights, so that training takes seconds. One server is started.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentcl import InvalidInput, Memory, ModelUnavailable, NotFound
from agentcl.consolidation import AdapterServer, Recipe, ServedAdapter, rows_of, select
from agentcl.consolidation.base import fingerprint_of
from agentcl.consolidation.registry import judged, next_name, register
from agentcl.consolidation.rows.building import save
from agentcl.consolidation.smoke import write_smoke
from agentcl.consolidation.training import train
from agentcl.errors import ModelChanged
from agentcl.memory.adapters.files import hashes_of
from agentcl.models.vllm import SMALL_ARGUMENTS, SMALL_ENVIRONMENT, VllmServer
from agentcl.store import Adapter, Scope
from tests.upstreams import proxied
from tests.vllm.conftest import BASE

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),
]

TINY = Recipe(rank=8, alpha=16, learning_rate=5e-3, steps=12, batch=4, checkpoint_every=50)
ASKED = [{"role": "user", "content": "What is Orla's office?"}]


@pytest.fixture(scope="module")
def adapters(memory: Memory, base: Path) -> list[Adapter]:
    """Two adapters that differ, and one of a rank that the server does not take."""
    recipes = (TINY, replace(TINY, seed=1), replace(TINY, rank=32, alpha=64, steps=2))
    return [trained(memory, base, recipe) for recipe in recipes]


def trained(memory: Memory, base: Path, recipe: Recipe) -> Adapter:
    """Train as the job does, in this process and without a gate, which a tiny model would fail."""
    selection = select(memory)
    rows, found = rows_of(memory, selection), fingerprint_of(base)
    name = next_name(memory, Scope(), "0123456789abcdef")
    holds = {one.record.id: one.record.version for one in selection.chosen}
    adapter = Adapter(
        id="", key=name, base=str(base), weights=found.weights, vocabulary=found.vocabulary,
        template=found.template, holds=holds,
    )  # fmt: skip
    register(memory, adapter)
    folder = memory.adapters.folder(name)
    folder.mkdir(parents=True)
    save(folder, rows, selection)
    train(base, rows, folder, recipe)
    write_smoke(base, folder, rows)
    return judged(memory, name, gate={"is_passed": True}, files=hashes_of(folder), method={})


@pytest.fixture(scope="module")
def vllm(base: Path) -> Iterator[VllmServer]:
    with VllmServer(
        str(base),
        served_name=BASE,
        python=PYTHON,
        lora=True,
        arguments=(
            *SMALL_ARGUMENTS, "--dtype", "float32", "--enforce-eager", "--max-model-len", "4096",
            "--max-loras", "2", "--max-lora-rank", "16",
        ),
        environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def server(vllm: VllmServer) -> Iterator[AdapterServer]:
    with AdapterServer(vllm.url, api_key="none") as opened:
        yield opened


def ask(client: httpx.Client, session: str = "s", **fields: Any) -> httpx.Response:
    given: dict[str, Any] = {"model": BASE, "messages": ASKED, "max_tokens": 8, "temperature": 0}
    answer = client.post(
        "/v1/chat/completions",
        json={**given, **fields},
        headers={"x-agentcl-session": session},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    return answer


def test_what_is_served_is_what_was_trained(
    server: AdapterServer, memory: Memory, adapters: list[Adapter]
) -> None:
    first, second, _ = adapters
    served: list[ServedAdapter] = [server.load(memory, one.name) for one in (first, second)]
    for found in served:
        assert found.base == BASE
        assert found.error < 0.01  # float32 at both
        assert found.base_error < 0.01
        assert found.change > 0.05
        assert abs(found.change - found.trained_change) < 0.05
    assert set(server.names()) == {first.name, second.name}
    again = server.check(memory, first.name)
    assert (again.name, again.base) == (first.name, BASE)
    assert abs(again.change - served[0].change) < 0.01


def test_a_rank_above_the_servers_is_refused_with_what_to_do(
    server: AdapterServer, memory: Memory, adapters: list[Adapter]
) -> None:
    with pytest.raises(InvalidInput, match="--max-lora-rank"):
        server.load(memory, adapters[2].name)
    assert adapters[2].name not in server.names()


def test_an_adapter_of_other_weights_is_refused(
    server: AdapterServer,
    memory: Memory,
    tiny_llama: Callable[..., Path],
    tmp_path: Path,
    adapters: list[Adapter],
) -> None:
    other = tiny_llama(tmp_path / "other")
    file = other / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    assert fingerprint_of(other).weights != adapters[0].weights
    held = trained(memory, other, replace(TINY, steps=2))
    with pytest.raises(ModelChanged, match="another weights"):
        server.load(memory, held.name)
    assert held.name not in server.names()


def test_a_route_holds_at_the_next_answer_under_sixteen_streams(
    vllm: VllmServer, memory: Memory, adapters: list[Adapter]
) -> None:
    first, second, _ = adapters
    memory.adapters.route(first.name, "stable")
    memory.adapters.route(second.name, "stable")
    with proxied(memory, vllm.url) as client:
        before = ask(client)
        assert before.headers["x-agentcl-adapter"] == second.name
        assert before.json()["model"] == second.name
        begun = threading.Barrier(17)

        def stream(number: int) -> tuple[int, bool]:
            body = {
                "model": BASE, "messages": ASKED, "max_tokens": 200, "temperature": 0, "stream": True,
                "ignore_eos": True,
            }  # fmt: skip
            headers = {"x-agentcl-session": f"stream{number}"}
            with client.stream(
                "POST", "/v1/chat/completions", json=body, headers=headers, timeout=300
            ) as answer:
                begun.wait(300)
                text = "".join(answer.iter_text())
            return answer.status_code, "[DONE]" in text

        with ThreadPoolExecutor(16) as threads:
            running = [threads.submit(stream, number) for number in range(16)]
            begun.wait(300)
            memory.adapters.rollback()
            after = ask(client)
            assert after.headers["x-agentcl-adapter"] == first.name
            assert [one.result() for one in running] == [(200, True)] * 16
        memory.adapters.rollback()
        assert "x-agentcl-adapter" not in ask(client).headers


def test_a_canary_answers_some_sessions_and_outcomes_credit_it(
    vllm: VllmServer, memory: Memory, adapters: list[Adapter]
) -> None:
    held = adapters[0]
    memory.adapters.route(held.name, "canary", share=0.5)
    with proxied(memory, vllm.url) as client:
        answers = [ask(client, f"canary{number}", max_tokens=1) for number in range(20)]
        by = ["x-agentcl-adapter" in answer.headers for answer in answers]
        assert len(set(by)) == 2
        for answer in answers:
            id = answer.headers["x-agentcl-exchange"]
            told = client.post(f"/v1/exchanges/{id}/outcome", json={"thumb": "up"})
            assert told.status_code == 200
    trial = memory.adapters.trial(held.name)
    assert (trial.shown, trial.withheld) == (sum(by), 20 - sum(by))
    memory.adapters.route(held.name, "stable")


def test_the_bare_model_answers_once_it_is_unloaded(
    vllm: VllmServer, server: AdapterServer, memory: Memory, adapters: list[Adapter]
) -> None:
    held = adapters[0]
    with proxied(memory, vllm.url) as client:
        assert ask(client).headers["x-agentcl-adapter"] == held.name
        server.unload(held.name)
        answer = ask(client)
        assert answer.headers["x-agentcl-adapter"] == "none"
        assert answer.json()["model"] == BASE
        with pytest.raises(NotFound, match="not loaded"):
            server.check(memory, held.name)
        server.load(memory, held.name)
    with proxied(memory, vllm.url) as client:
        assert ask(client).headers["x-agentcl-adapter"] == held.name


def test_forgetting_stops_the_answers_of_what_a_server_still_has(
    vllm: VllmServer, server: AdapterServer, memory: Memory, adapters: list[Adapter]
) -> None:
    held, other, _ = adapters
    gone = next(iter(held.holds))
    with proxied(memory, vllm.url) as client:
        assert ask(client).headers["x-agentcl-adapter"] == held.name
        receipt = memory.forget(gone)
        assert {held.name, other.name} <= set(receipt.adapters)
        assert "x-agentcl-adapter" not in ask(client).headers
        refused = client.post(
            "/v1/chat/completions", json={"model": held.name, "messages": ASKED}, timeout=60
        )
        assert refused.status_code == 404
    assert held.name in server.names()
    with pytest.raises(InvalidInput, match="revoked"):
        server.load(memory, held.name)
    server.unload(held.name)


def test_a_server_that_is_killed_in_mid_load_changes_nothing(
    vllm: VllmServer, server: AdapterServer, memory: Memory, base: Path
) -> None:
    held = trained(memory, base, TINY)
    memory.adapters.route(held.name, "stable")
    asked = threading.Event()
    post = server._post

    def waiting(path: str, body: dict[str, Any]) -> None:
        vllm._process.send(signal.SIGSTOP)  # type: ignore[union-attr]  # it runs: so the request is under way
        threading.Timer(1.0, vllm.kill).start()
        asked.set()
        post(path, body)

    server._post = waiting  # type: ignore[method-assign]  # to be stopped right before it is asked
    with pytest.raises(ModelUnavailable, match="start it again"):
        server.load(memory, held.name)
    assert asked.is_set()
    assert memory.adapters.get(held.name).state == "stable"
    assert memory.adapters.verify(held.name).is_dir()
    with proxied(memory, vllm.url) as client:
        body = {"model": BASE, "messages": ASKED}
        assert client.post("/v1/chat/completions", json=body, timeout=60).status_code == 502
