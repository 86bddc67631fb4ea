"""The proxy in front of real servers of models: vLLM, and llama.cpp where LLAMACPP_PYTHON names a Python that has it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import openai
import pytest

from agentcl import Memory
from agentcl.models import KeptModel, LlamaCppServer, VllmServer, kept_model, unpacked
from agentcl.models.vllm import SMALL_ENVIRONMENT
from tests.upstreams import over, proxied, settled

PYTHON = os.environ.get("VLLM_PYTHON", "")
LLAMACPP = os.environ.get("LLAMACPP_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`")
MODEL = "smollm2-135m"
RUNNING = re.compile(r"^vllm:num_requests_running\{.*\} ([\d.]+)$", re.M)


def kept() -> KeptModel:
    found = kept_model(MODEL)
    if found is None:
        pytest.skip(f"{MODEL} is not kept here; `python benchmarks/models.py {MODEL}` fetches it")
    return found


@pytest.fixture(scope="module", params=["vllm", "llama.cpp"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    model = kept()
    if request.param == "vllm":
        with VllmServer(
            str(unpacked(model)),
            served_name=MODEL,
            python=PYTHON,
            arguments=("--dtype", "bfloat16", "--enforce-eager", "--max-model-len", "4096"),
            environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
        ) as running:
            yield running
    elif not LLAMACPP:
        pytest.skip("LLAMACPP_PYTHON names no Python with llama.cpp")
    else:
        with LlamaCppServer(model.path, served_name=MODEL, python=LLAMACPP) as running:
            yield running


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_what_was_said_in_one_chat_is_shown_in_the_next(server: Any, memory: Memory) -> None:
    given: dict[str, Any] = {"model": MODEL, "max_tokens": 12, "temperature": 0}
    with proxied(memory, server.url) as http:
        first = http.post(
            "/v1/chat/completions", json={**given, "messages": said("I moved to Oslo last week.")}
        )
        assert over(http, first)["usage"]["completion_tokens"] > 0
        body = {**given, "messages": said("Where is Oslo?")}
        second = over(http, http.post("/v1/chat/completions", json=body))
        off = over(
            http, http.post("/v1/chat/completions", json=body, headers={"x-agentcl-memory": "off"})
        )
    assert "I moved to Oslo last week." in [one["text"] for one in second["shown"]]
    assert second["usage"]["prompt_tokens"] > off["usage"]["prompt_tokens"] + 10
    assert second["tokens"] >= second["usage"]["prompt_tokens"] - off["usage"]["prompt_tokens"]


def test_a_stream_is_remembered_as_the_client_read_it(server: Any, memory: Memory) -> None:
    with (
        proxied(memory, server.url) as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="none", max_retries=0) as client,
    ):
        chunks = client.chat.completions.create(
            model=MODEL, messages=said("Count to five."), stream=True, max_tokens=24, temperature=0
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        conversation = settled(memory, 2)
        assert memory.conversations.turns(conversation.id, user="me")[1].text == text
        again = client.chat.completions.create(
            model=MODEL, messages=said("Count to five."), max_tokens=24, temperature=0,
            extra_headers={"x-agentcl-memory": "off"}, logprobs=True,
        )  # fmt: skip
        assert bool(again.choices[0].logprobs) is isinstance(server, VllmServer)
        assert [one.id for one in client.models.list()] == [MODEL]


def test_its_errors_come_as_they_are(server: Any, memory: Memory) -> None:
    with proxied(memory, server.url) as http:
        body = {"model": MODEL, "messages": said("Hi."), "max_tokens": "many"}
        through = http.post("/v1/chat/completions", json=body, headers={"x-agentcl-memory": "off"})
        straight = http.post(f"{server.url}/chat/completions", json=body)
    assert through.status_code == straight.status_code >= 400
    assert set(through.json()) == set(straight.json())


def test_a_client_that_goes_away_ends_the_models_work(server: Any, memory: Memory) -> None:
    if not isinstance(server, VllmServer):
        pytest.skip("only vLLM tells what it is at")
    metrics = server.url.removesuffix("/v1") + "/metrics"

    def running() -> float:
        (found,) = RUNNING.findall(urlopen(metrics).read().decode())
        return float(found)

    body = {"model": MODEL, "messages": said("Tell a long story."), "max_tokens": 4000, "stream": True,
            "ignore_eos": True}  # fmt: skip
    with proxied(memory, server.url) as http:
        with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_raw())
            while not running():
                continue
        while running():  # 4,000 tokens would take minutes
            continue
        told = over(http, answer)
    assert told["state"] == "left"
    assert told["remembered"]


def test_responses_are_answered_with_memory(server: Any, memory: Memory) -> None:
    if not isinstance(server, VllmServer):
        pytest.skip("the server of llama-cpp-python has no responses")
    memory.add("Oslo has a harbour.")
    with (
        proxied(memory, server.url) as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="none", max_retries=0) as client,
    ):
        given: Any = {
            "model": MODEL,
            "input": "What has Oslo?",
            "max_output_tokens": 12,
            "temperature": 0,
        }
        whole = client.responses.with_raw_response.create(**given)
        assert whole.headers["x-agentcl-memories"]
        assert whole.parse().output_text
        with client.responses.stream(**given) as stream:
            assert stream.get_final_response().output_text
        settled(memory, 2)
