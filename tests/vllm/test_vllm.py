"""Our door against a real vLLM server: `make test-vllm` builds its environment and runs this.

The model is the reference model that the package carries, so what comes back can be right or wrong.
"""

import base64
import io
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator
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
from agentcl.models.openai import OpenAIChat
from agentcl.models.reference.shipped import REFERENCE_FOLDER, open_reference
from agentcl.models.vllm import SMALL_ARGUMENTS, SMALL_ENVIRONMENT, VllmServer
from training.gates import draw_sets, exact
from training.reading import read_passage, read_passages

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`")

CONFIG = json.loads((REFERENCE_FOLDER / "config.json").read_text("utf-8"))
HIDDEN, LAYERS = CONFIG["hidden_size"], CONFIG["num_hidden_layers"]
INNER = CONFIG["num_attention_heads"] * CONFIG["head_dim"]
CONTEXT = CONFIG["max_position_embeddings"]
EXAMPLE = read_passage(random.Random(1), size=6)
FACTS = next(turn for turn in EXAMPLE.turns if turn.skill == "facts")
ASK = EXAMPLE.messages(FACTS)


@pytest.fixture(scope="module")
def server() -> Iterator[VllmServer]:
    with serving(lora=True, prompt_embeds=True) as running:
        yield running


def serving(*, lora: bool = False, prompt_embeds: bool = False) -> VllmServer:
    return VllmServer(
        str(REFERENCE_FOLDER),
        served_name="reference",
        python=PYTHON,
        lora=lora,
        prompt_embeds=prompt_embeds,
        arguments=SMALL_ARGUMENTS,
        environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture
def model(server: VllmServer) -> Iterator[OpenAIChat]:
    with OpenAIChat("reference", base_url=server.url) as opened:
        yield opened


@pytest.fixture
def client(server: VllmServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none") as opened:
        yield opened


def test_a_served_model_reads_as_it_does_in_process(model: OpenAIChat) -> None:
    here = open_reference(device="cpu").chat(ASK)
    there = model.chat(ASK, sampling=Sampling(logprobs=True))
    assert there.text == here.text
    assert there.usage.prompt_tokens == here.usage.prompt_tokens
    assert there.usage.completion_tokens == here.usage.completion_tokens
    assert there.finish == here.finish == "stop"
    assert there.logprobs is not None
    assert len(there.logprobs) == there.usage.completion_tokens


def test_an_answer_keeps_to_a_schema(model: OpenAIChat) -> None:
    triple = {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3}
    schema = {
        "type": "object",
        "properties": {"facts": {"type": "array", "items": triple}},
        "required": ["facts"],
        "additionalProperties": False,
    }
    value = ask_object(model, ASK, schema=schema).value
    said = {tuple(fact) for fact in value["facts"]}
    told = {tuple(fact) for fact in json.loads(FACTS.answer)["facts"]}
    assert len(said & told) >= 4  # of six


def test_thirty_two_questions_at_once_are_answered_as_one_by_one(model: OpenAIChat) -> None:
    asked = draw_sets(5, 32)["answer"]
    with ThreadPoolExecutor(32) as threads:
        said = list(threads.map(lambda q: model.chat(q.example.messages(q.turn)).text, asked))
    assert sum(exact(question, text) for question, text in zip(asked, said, strict=True)) >= 24


def test_a_stream_is_the_same_answer_and_can_be_cancelled(
    model: OpenAIChat, server: VllmServer
) -> None:
    assert "".join(model.stream(ASK)) == model.chat(ASK).text
    stream = model.stream(ASK)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    # The answer is short: it has been cancelled or is over, and nothing waits for a reader.
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
        "base_model_name_or_path": "reference",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    weights = {
        f"base_model.model.model.layers.{layer}.self_attn.{part}.lora_{side}.weight": torch.randn(
            *((8, HIDDEN) if side == "A" else (INNER, 8))
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
        with pytest.raises(ModelUnavailable, match="reference"):
            adapted.chat(ASK)


def test_the_texts_own_embeddings_give_the_texts_own_answer(client: OpenAI) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(REFERENCE_FOLDER)
    weights: Any = AutoModelForCausalLM.from_pretrained(REFERENCE_FOLDER, dtype="auto")
    turns = [{"role": message.role, "content": message.content} for message in ASK]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        embeddings = weights.get_input_embeddings()(ids)[0]
    buffer = io.BytesIO()
    torch.save(embeddings, buffer)
    by_text: Any = client.completions.create(
        model="reference", prompt=text, max_tokens=40, temperature=0
    )
    body = {
        "model": "reference",
        "prompt_embeds": base64.b64encode(buffer.getvalue()).decode(),
        "max_tokens": 40,
        "temperature": 0,
    }
    by_vector: Any = client.post("/completions", body=body, cast_to=object)
    assert by_vector["choices"][0]["text"] == by_text.choices[0].text
    assert by_text.choices[0].text.startswith(FACTS.answer[:20])


def test_prompts_that_share_their_head_are_read_once(server: VllmServer, model: OpenAIChat) -> None:
    head = Message("system", read_passages(random.Random(2), passages=6).context)
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
        "tool calls": False,
        "embeddings": False,
        "LoRA loading": True,
        "prompt embeds": True,
    }


def test_a_server_killed_in_mid_request_is_named_and_can_be_started_again() -> None:
    server = serving()
    with server, OpenAIChat("reference", base_url=server.url, retries=0) as model:
        before = model.fingerprint()
        killing = threading.Timer(0.3, server.kill)
        killing.start()
        with pytest.raises(ModelUnavailable, match="check that the server runs"):
            ask_until_it_fails(model)
        killing.join()
    with server, OpenAIChat("reference", base_url=server.url) as model:
        assert model.fingerprint() == before


def ask_until_it_fails(model: OpenAIChat) -> None:
    while True:
        model.chat(ASK)


def metric(server: VllmServer, name: str) -> float:
    with urlopen(server.url.removesuffix("/v1") + "/metrics") as response:
        text = response.read().decode()
    found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert found, name
    return sum(map(float, found))
