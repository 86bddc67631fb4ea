"""Soft tokens in a real vLLM's chat: a text's own embeddings in its place are read as the text is.

Needs torch here, in whose format they are sent.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from agentcl.models import Message, OpenAIChat, Sampling, VllmServer, kept_model, unpacked
from agentcl.models.vllm import SMALL_ENVIRONMENT

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`")
PASSAGES = (
    "Marin Holt keeps the lighthouse of Orvex.",
    "The ferry to Tessary leaves the old quay at seven.",
    "The library of Gent lends maps to everybody.",
)
BEFORE, ASK = "Passage:", "\nSay in one short sentence what the passage says."
SAMPLING = Sampling(max_tokens=16)
# Where a template takes a message's content as one string, vLLM puts a line break between its parts; this one puts none.
TEMPLATE = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture(scope="module")
def folder() -> str:
    kept = kept_model("smollm2-135m")
    if kept is None:
        pytest.skip("smollm2-135m is not kept here; `python benchmarks/models.py` fetches it")
    return str(unpacked(kept))


def serve(folder: str, *, soft: bool) -> VllmServer:
    return VllmServer(
        folder,
        served_name="smollm2-135m",
        python=PYTHON,
        prompt_embeds=soft,
        # Rounding to bfloat16 would let two near tokens change places.
        arguments=(
            *("--dtype", "float32", "--enforce-eager", "--max-model-len", "1024"),
            *("--chat-template", TEMPLATE, "--chat-template-content-format", "openai"),
        ),
        environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture(scope="module")
def server(folder: str) -> Iterator[VllmServer]:
    pytest.importorskip("torch")
    with serve(folder, soft=True) as running:
        yield running


@pytest.fixture(scope="module")
def base(folder: str) -> tuple[Any, Any]:
    """The tokenizer, and the model's own embeddings."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    return tokenizer, model.get_input_embeddings().weight.detach().float().numpy()


@pytest.fixture(scope="module")
def embedded(base: tuple[Any, Any]) -> Any:
    """What turns a text into the model's own embeddings, if it is cut into tokens as it would be in its place."""
    tokenizer, matrix = base

    def embed(text: str) -> Any:
        whole = tokenizer.encode(BEFORE + text + ASK, add_special_tokens=False)
        pieces = [tokenizer.encode(one, add_special_tokens=False) for one in (BEFORE, text, ASK)]
        assert whole == [*pieces[0], *pieces[1], *pieces[2]]
        return matrix[pieces[1]]

    return embed


def turn(text: str, vectors: Any) -> list[Message]:
    return [Message("user", BEFORE + text + ASK, parts=(BEFORE, vectors, ASK))]


def test_a_text_s_own_embeddings_are_read_as_the_text_is(server: VllmServer, embedded: Any) -> None:
    with OpenAIChat(server.name, base_url=server.url) as model:
        for passage in PASSAGES:
            text = f" {passage}"
            plain = model.chat([Message("user", BEFORE + text + ASK)], sampling=SAMPLING)
            soft = model.chat(turn(text, embedded(text)), sampling=SAMPLING)
            assert (soft.text, soft.unread) == (plain.text, "")
            assert soft.usage.prompt_tokens == plain.usage.prompt_tokens
        other = model.chat(turn(text, embedded(f" {PASSAGES[0]}")), sampling=SAMPLING)
        assert other.text != plain.text


def test_a_prompt_of_embeddings_is_completed_as_the_chat_answers(
    server: VllmServer, base: tuple[Any, Any]
) -> None:
    tokenizer, matrix = base

    def embed(text: str) -> Any:
        return matrix[tokenizer.encode(text, add_special_tokens=False)]

    with OpenAIChat(server.name, base_url=server.url) as model:
        for passage in PASSAGES:
            asked = f"{BEFORE} {passage}{ASK}"
            said = model.chat([Message("user", asked)], sampling=SAMPLING)
            marked = f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
            whole = model.complete([marked], embed=embed, sampling=SAMPLING)
            assert (whole.text, whole.usage.prompt_tokens) == (said.text, said.usage.prompt_tokens)
            soft = model.complete(
                [f"<|im_start|>user\n{BEFORE}", embed(f" {passage}"), marked.partition(passage)[2]],
                embed=embed,
                sampling=SAMPLING,
            )
            assert soft.text == said.text


def test_many_at_once_are_answered_as_one_by_one(server: VllmServer, embedded: Any) -> None:
    texts = [f" {one}" for one in PASSAGES]
    asked = [turn(text, embedded(text)) for text in texts]
    with OpenAIChat(server.name, base_url=server.url, concurrency=32) as model:
        alone = [model.chat(one, sampling=SAMPLING).text for one in asked]
        with ThreadPoolExecutor(32) as threads:
            at_once = [
                *threads.map(lambda one: model.chat(one, sampling=SAMPLING).text, asked * 11)
            ]
    assert at_once == alone * 11


def test_a_server_without_the_flag_reads_the_text(folder: str) -> None:
    pytest.importorskip("torch")
    vectors = np.zeros((4, 576), np.float32)
    with serve(folder, soft=False) as server, OpenAIChat(server.name, base_url=server.url) as model:
        reply = model.chat(turn(" x", vectors), sampling=SAMPLING)
        assert "--enable-prompt-embeds" in reply.unread
        assert model.takes_soft is False
