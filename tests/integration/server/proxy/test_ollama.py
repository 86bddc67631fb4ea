"""What speaks as Ollama does, behind the proxy and asked straight: its names, its cuts, and what it passes over."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from agentcl import Memory
from agentcl.models import Message, OpenAIChat, Sampling
from agentcl.models.check import check
from agentcl.models.soft_tokens import part_of
from agentcl.server.settings import SoftServing
from tests.hashed_codec import HashedCodec
from tests.ollama import Ollama
from tests.served import listening
from tests.upstreams import over, proxied, settled

MODEL = "llama3.2:1b"
FACT = "The ferry to Tessary leaves at seven."
ASKED = "When does the ferry to Tessary leave?"
TOOL: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


def talk(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": one} for n, one in enumerate(texts)]


@pytest.fixture
def ollama() -> Ollama:
    return Ollama()


@pytest.fixture
def client(memory: Memory, ollama: Ollama) -> Iterator[openai.OpenAI]:
    memory.add(FACT, user="me")
    with (
        proxied(memory, ollama) as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="ollama", max_retries=0) as opened,
    ):
        yield opened


def test_a_chat_is_shown_memory_and_remembered(
    client: openai.OpenAI, memory: Memory, ollama: Ollama
) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=talk(ASKED))  # type: ignore[arg-type]
    assert answer.model == MODEL
    assert FACT in ollama.read[-1][-1]["content"]
    conversation = settled(memory, 2)
    said = memory.conversations.turns(conversation.id, user="me")
    assert said[0].text == ASKED
    assert said[1].text.startswith("You said: Memory")


def test_a_stream_with_usage_and_one_with_tools_come_as_they_were(
    client: openai.OpenAI, memory: Memory
) -> None:
    asked: Any = talk(ASKED)
    chunks = [
        *client.chat.completions.create(
            model=MODEL, messages=asked, stream=True, stream_options={"include_usage": True}
        )
    ]
    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert text.endswith(ASKED)
    assert chunks[-1].usage is not None
    assert settled(memory, 2)
    called = [*client.chat.completions.create(model=MODEL, messages=asked, stream=True, tools=[TOOL])]  # fmt: skip
    (call,) = [call for one in called for call in one.choices[0].delta.tool_calls or ()]
    assert call.function is not None
    assert call.function.name == "clock"
    assert called[-1].choices[0].finish_reason == "tool_calls"


def test_parts_of_a_message_are_taken_one_by_one_and_the_block_is_one_of_them(
    client: openai.OpenAI, ollama: Ollama
) -> None:
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]
    client.chat.completions.create(model=MODEL, messages=parts)
    block, question = ollama.read[-1]
    assert FACT in block["content"]
    assert question["content"] == ASKED


def test_models_are_listed_with_their_tags_and_one_that_is_not_there_is_its_own_error(
    client: openai.OpenAI, ollama: Ollama
) -> None:
    assert [one.id for one in client.models.list()] == [*ollama.models]
    asked: Any = talk(ASKED)
    assert client.chat.completions.create(model="qwen3", messages=asked).model == "qwen3"
    with pytest.raises(openai.NotFoundError, match=r"model 'llama3\.2' not found"):
        client.chat.completions.create(model="llama3.2", messages=asked)
    with pytest.raises(openai.NotFoundError):  # an old one has no such interface
        client.responses.create(model=MODEL, input=ASKED)


def test_what_it_cuts_without_a_word_is_told_of_the_exchange(memory: Memory) -> None:
    ollama = Ollama(num_ctx=120)
    memory.add(FACT, user="me")
    with proxied(memory, ollama) as http:
        long = "Tell me everything about the harbours of the north, one by one. " * 40
        said = talk(long, "There are many.", ASKED)
        answer = http.post("/v1/chat/completions", json={"model": MODEL, "messages": said})
        told = over(http, answer)
        assert len(ollama.read[-1]) < len(said)
        assert f"read {told['usage']['prompt_tokens']} tokens" in told["warning"]
        assert "num_ctx" in told["warning"]
        short = http.post("/v1/chat/completions", json={"model": MODEL, "messages": talk(ASKED)})
        assert over(http, short)["warning"] == ""


def test_soft_tokens_are_sent_as_text_where_they_are_refused(
    memory: Memory, ollama: Ollama
) -> None:
    codec = HashedCodec()
    passage = "Marin Holt keeps the lighthouse of Orvex and paints its green door each spring, as her aunt did."
    memory.add(passage)
    memory.compressed.compress(codec)
    soft = SoftServing(codec, is_on=True, sending="numpy")
    with proxied(memory, ollama, soft=soft) as http:
        for asked in (2, 3):  # refused once, and not tried again
            body = {"model": MODEL, "messages": talk("Who keeps the lighthouse of Orvex?")}
            answer = http.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200
            assert "takes no soft tokens" in over(http, answer)["soft"]["way"]
            assert len([one for one in ollama.asked if one.path.endswith("completions")]) == asked
        assert any(passage in one["content"] for one in ollama.read[-1])


@pytest.fixture
def straight(ollama: Ollama) -> Iterator[OpenAIChat]:
    with (
        listening(ollama) as address,
        OpenAIChat(MODEL, base_url=f"{address}/v1", api_key="ollama") as chat,
    ):
        yield chat


def test_it_is_asked_straight_whole_streamed_and_for_an_object(
    straight: OpenAIChat, ollama: Ollama
) -> None:
    said = [Message("system", "Be brief."), Message("user", ASKED)]
    reply = straight.chat(said)
    assert (reply.text, reply.finish) == (f"You said: {ASKED}", "stop")
    assert "".join(straight.stream(said)) == reply.text
    cut = straight.chat(said, sampling=Sampling(max_tokens=2))
    assert (cut.text, cut.finish) == ("You said:", "length")
    schema = {"type": "object", "properties": {"heard": {"type": "string"}}}
    assert straight.chat(said, schema=schema).text == f'{{"heard": "{ASKED}"}}'
    assert straight.fingerprint() == straight.fingerprint()
    assert all(one.json["temperature"] == 0 for one in ollama.asked)  # its own default is 1


@pytest.mark.parametrize("has_logprobs", [True, False])
def test_log_probabilities_are_missing_where_it_passes_over_them(
    straight: OpenAIChat, ollama: Ollama, has_logprobs: bool
) -> None:
    ollama.has_logprobs = has_logprobs
    reply = straight.chat([Message("user", ASKED)], sampling=Sampling(logprobs=True))
    assert (reply.logprobs is not None) is has_logprobs
    assert reply.text


def test_soft_tokens_of_a_message_are_refused_once(straight: OpenAIChat, ollama: Ollama) -> None:
    pytest.importorskip("torch")
    vectors = HashedCodec().encode([FACT])[0]
    assert part_of(vectors)
    for asked in (2, 3):
        reply = straight.chat([Message("user", ASKED, parts=(vectors, ASKED))])
        assert reply.text == f"You said: {ASKED}"
        assert "takes no soft tokens" in reply.unread
        assert len(ollama.asked) == asked
    assert straight.takes_soft is False


def test_what_it_can_do_is_found_out(ollama: Ollama) -> None:
    with listening(ollama) as address:
        found = check(f"{address}/v1", model=MODEL, api_key="ollama")
    can = {one.name: one.is_there for one in found.capabilities}
    assert found.models == tuple(ollama.models)
    assert (can["chat"], can["tool calls"]) == (True, True)
    assert not any(can[one] for one in ("log-probabilities", "prompt embeds", "LoRA loading"))
