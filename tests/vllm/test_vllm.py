"""Our door against a real vLLM server: `make test-vllm` builds its environment and runs this.

The model is a small Llama without training, made here: what it says means nothing, how vLLM treats it is
what counts.
"""

import base64
import io
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import torch
from openai import OpenAI
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from agentcl import ModelUnavailable
from agentcl.models import Message, Sampling, ask_object
from agentcl.models.check import check
from agentcl.models.local import LocalChat
from agentcl.models.openai import OpenAIChat
from agentcl.models.serving import VllmServer

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`")

HIDDEN, LAYERS, CONTEXT = 128, 2, 1024
ASK = [Message("system", "Be brief."), Message("user", "When does the ferry leave?")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Callable[..., Path]) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny", context=CONTEXT)


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[VllmServer]:
    running = VllmServer(
        str(checkpoint),
        python=PYTHON,
        lora=True,
        prompt_embeds=True,
        arguments=["--dtype", "float32", "--max-model-len", str(CONTEXT)],
        environment={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
    )
    with running:
        yield running


@pytest.fixture
def model(server: VllmServer) -> Iterator[OpenAIChat]:
    with OpenAIChat("tiny", base_url=server.url) as opened:
        yield opened


@pytest.fixture
def client(server: VllmServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none") as opened:
        yield opened


def test_a_served_model_reads_as_it_does_in_process(model: OpenAIChat, checkpoint: Path) -> None:
    here = LocalChat(str(checkpoint), device="cpu").chat(ASK, sampling=Sampling(max_tokens=8))
    there = model.chat(ASK, sampling=Sampling(max_tokens=8, logprobs=True))
    # A byte that begins a character and does not end it is shown by one and left out by the other.
    assert there.text.rstrip("\ufffd") == here.text.rstrip("\ufffd")
    assert there.usage == here.usage
    assert there.finish == "length"
    assert there.logprobs is not None
    assert len(there.logprobs) == 8


def test_an_answer_keeps_to_a_schema(model: OpenAIChat) -> None:
    schema = {
        "type": "object",
        "properties": {"place": {"enum": ["quay", "mole"]}, "is_open": {"type": "boolean"}},
        "required": ["place", "is_open"],
        "additionalProperties": False,
    }
    value = ask_object(model, ASK, schema=schema, sampling=Sampling(max_tokens=400)).value
    assert value["place"] in ("quay", "mole")


def test_thirty_two_calls_at_once(model: OpenAIChat) -> None:
    with ThreadPoolExecutor(32) as threads:
        replies = list(
            threads.map(lambda n: model.chat([Message("user", f"{n}?")]).usage, range(32))
        )
    assert all(usage.completion_tokens > 0 for usage in replies)


def test_a_stream_is_the_same_answer_and_can_be_cancelled(
    model: OpenAIChat, server: VllmServer
) -> None:
    sampling = Sampling(max_tokens=24)
    assert "".join(model.stream(ASK, sampling=sampling)) == model.chat(ASK, sampling=sampling).text
    stream = model.stream(ASK, sampling=Sampling(max_tokens=900))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    for _ in range(100):
        if metric(server, "vllm:num_requests_running") == 0:
            break
        time.sleep(0.1)
    assert metric(server, "vllm:num_requests_running") == 0


def test_an_adapter_is_loaded_used_and_unloaded(
    server: VllmServer, model: OpenAIChat, client: OpenAI, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 8,
        "lora_alpha": 64,
        "target_modules": ["q_proj", "v_proj"],
        "bias": "none",
        "base_model_name_or_path": "tiny",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    weights = {
        f"base_model.model.model.layers.{layer}.self_attn.{part}.lora_{side}.weight": torch.randn(
            *((8, HIDDEN) if side == "A" else (HIDDEN, 8))
        )
        for layer in range(LAYERS)
        for part in ("q_proj", "v_proj")
        for side in ("A", "B")
    }
    save_file(weights, adapter / "adapter_model.safetensors")
    plain = model.chat(ASK, sampling=Sampling(max_tokens=12)).text
    loaded = {"lora_name": "night", "lora_path": str(adapter)}
    client.post("/load_lora_adapter", body=loaded, cast_to=object, options={"max_retries": 0})
    with OpenAIChat("night", base_url=server.url) as adapted:
        assert adapted.chat(ASK, sampling=Sampling(max_tokens=12)).text != plain
        assert model.chat(ASK, sampling=Sampling(max_tokens=12)).text == plain
        client.post("/unload_lora_adapter", body={"lora_name": "night"}, cast_to=object)
        with pytest.raises(ModelUnavailable, match="tiny"):
            adapted.chat(ASK)


def test_the_texts_own_embeddings_give_the_texts_own_answer(
    client: OpenAI, checkpoint: Path
) -> None:
    text = "The ferry leaves at"
    tokenizer: Any = AutoTokenizer.from_pretrained(checkpoint)
    weights: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        embeddings = weights.get_input_embeddings()(ids)[0]
    buffer = io.BytesIO()
    torch.save(embeddings, buffer)
    by_text: Any = client.completions.create(
        model="tiny", prompt=text, max_tokens=12, temperature=0
    )
    body = {
        "model": "tiny",
        "prompt_embeds": base64.b64encode(buffer.getvalue()).decode(),
        "max_tokens": 12,
        "temperature": 0,
    }
    by_vector: Any = client.post("/completions", body=body, cast_to=object)
    assert by_vector["choices"][0]["text"] == by_text.choices[0].text


def test_prompts_that_share_their_head_are_read_once(server: VllmServer, model: OpenAIChat) -> None:
    head = Message("system", "The tide turns at noon. " * 20)
    model.chat([head, Message("user", "one")], sampling=Sampling(max_tokens=1))
    before = metric(server, "vllm:prefix_cache_hits_total")
    model.chat([head, Message("user", "two")], sampling=Sampling(max_tokens=1))
    assert metric(server, "vllm:prefix_cache_hits_total") > before


def test_the_check_finds_what_was_switched_on(server: VllmServer) -> None:
    found = check(server.url)
    assert found.context_length == CONTEXT
    can = {capability.name: capability.is_there for capability in found.capabilities}
    assert can == {
        "chat": True,
        "schema output": True,
        "log-probabilities": True,
        "embeddings": False,
        "LoRA loading": True,
        "prompt embeds": True,
    }


def test_a_server_killed_in_mid_request_is_named_and_can_be_started_again(
    checkpoint: Path,
) -> None:
    server = VllmServer(
        str(checkpoint),
        python=PYTHON,
        arguments=["--dtype", "float32", "--max-model-len", str(CONTEXT)],
        environment={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
    )
    with server, OpenAIChat("tiny", base_url=server.url, retries=0) as model:
        before = model.fingerprint()
        killing = threading.Timer(0.3, server.kill)
        killing.start()
        with pytest.raises(ModelUnavailable, match="check that the server runs"):
            ask_until_it_fails(model)
        killing.join()
    with server, OpenAIChat("tiny", base_url=server.url) as model:
        assert model.fingerprint() == before


def ask_until_it_fails(model: OpenAIChat) -> None:
    while True:
        model.chat(ASK, sampling=Sampling(max_tokens=900))


def metric(server: VllmServer, name: str) -> float:
    with urlopen(server.url.removesuffix("/v1") + "/metrics") as response:
        text = response.read().decode()
    found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert found, name
    return sum(map(float, found))
