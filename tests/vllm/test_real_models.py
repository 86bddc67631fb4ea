"""Real instruction-tuned models behind a real vLLM, where they are kept: `python benchmarks/models.py NAME` fetches one.

What a model of this size answers may be silly; what is tested is what every one of them gets right.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentcl.models import (
    Message,
    OpenAIChat,
    Sampling,
    VllmServer,
    ask_object,
    kept_model,
    unpacked,
)
from agentcl.models.check import check
from agentcl.models.vllm import SMALL_ENVIRONMENT

PYTHON = os.environ.get("VLLM_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-vllm`")
ASK = [Message("user", "What is the capital of France? Answer in one short sentence.")]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", params=["smollm2-135m", "qwen2.5-coder-0.5b"])
def server(request: pytest.FixtureRequest) -> Iterator[VllmServer]:
    kept = kept_model(request.param)
    if kept is None:
        pytest.skip(f"{request.param} is not kept here; `python benchmarks/models.py` fetches it")
    with VllmServer(
        str(unpacked(kept)),
        served_name=kept.name,
        python=PYTHON,
        lora=True,
        arguments=("--dtype", "bfloat16", "--enforce-eager", "--max-model-len", "2048"),
        environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
    ) as running:
        yield running


@pytest.fixture
def model(server: VllmServer) -> Iterator[OpenAIChat]:
    with OpenAIChat(server.name, base_url=server.url) as opened:
        yield opened


def test_it_answers_alone_at_once_with_others_and_as_a_stream(model: OpenAIChat) -> None:
    sampling = Sampling(max_tokens=32)
    assert "Paris" in model.chat(ASK, sampling=sampling).text
    with ThreadPoolExecutor(8) as threads:
        said = threads.map(lambda _: model.chat(ASK, sampling=sampling).text, range(8))
        assert all("Paris" in one for one in said)
    assert "Paris" in "".join(model.stream(ASK, sampling=sampling))


def test_its_objects_keep_to_a_schema(model: OpenAIChat) -> None:
    asked = [Message("user", "Anna is 31 years old. Return her name and her age as JSON.")]
    assert ask_object(model, asked, schema=PERSON).value == {"name": "Anna", "age": 31}


def test_its_fingerprint_is_its_own(model: OpenAIChat) -> None:
    assert model.fingerprint() == model.fingerprint()


def test_the_check_finds_what_it_can_do(server: VllmServer) -> None:
    can = {one.name: one.is_there for one in check(server.url).capabilities}
    assert can["chat"]
    assert can["schema output"]
    assert can["log-probabilities"]
    assert can["LoRA loading"]
