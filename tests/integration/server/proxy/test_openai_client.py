"""The official client of OpenAI, pointed at the proxy."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from agentcl import Memory
from tests.upstreams import Upstream, document, proxied, settled, speaking

TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
    }
    for name in ("weather", "clock")
]
MOVED: Any = [{"role": "user", "content": "I moved to Oslo last week."}]


@pytest.fixture
def upstream() -> Upstream:
    return Upstream([speaking])


@pytest.fixture
def client(memory: Memory, upstream: Upstream) -> Iterator[openai.OpenAI]:
    with (
        proxied(memory, upstream) as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="sk-mine", max_retries=0) as opened,
    ):
        yield opened


def asked(upstream: Upstream) -> str:
    return str(upstream.last.json["messages"][-1]["content"])


def test_it_chats_with_memory(client: openai.OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model="m", messages=MOVED, user="ada")
    assert answer.choices[0].message.content == "You said: I moved to Oslo last week."
    assert upstream.last.header("authorization") == "Bearer sk-mine"
    question: Any = [{"role": "user", "content": "Where is Oslo?"}]
    raw = client.chat.completions.with_raw_response.create(model="m", messages=question, user="ada")
    assert raw.headers["x-agentcl-memories"]
    assert "I moved to Oslo" in asked(upstream)
    client.chat.completions.create(
        model="m",
        messages=question,
        extra_body={"x-agentcl-memory": "off"},
        extra_headers={"x-agentcl-user": "ada"},
    )
    assert asked(upstream) == "Where is Oslo?"


def test_it_streams(client: openai.OpenAI, memory: Memory) -> None:
    chunks = client.chat.completions.create(model="m", messages=MOVED, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert pieces == ["", "You", "said:", "I", "moved", "to", "Oslo", "last", "week.", ""]
    with client.chat.completions.stream(model="m", messages=MOVED) as stream:
        assert stream.get_final_completion().choices[0].message.content
    # The same again may be taken for a retry of what is still being stored: how many turns there are is chance.
    while not any("Yousaid:Imoved" in hit.text for hit in memory.search("Oslo", user="me").hits):
        time.sleep(0.01)


@pytest.mark.parametrize("is_stream", [False, True])
def test_it_calls_tools_at_once(client: openai.OpenAI, memory: Memory, is_stream: bool) -> None:
    given: dict[str, Any] = {"model": "m", "messages": MOVED, "tools": TOOLS}
    if is_stream:
        with client.chat.completions.stream(**given) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**given).choices[0].message
    calls: Any = message.tool_calls
    assert [(one.function.name, one.function.arguments) for one in calls] == [
        ("weather", '{"town": "Oslo"}'),
        ("clock", '{"town": "Oslo"}'),
    ]
    results = [{"role": "tool", "tool_call_id": one.id, "content": "rain"} for one in calls]
    last = client.chat.completions.create(**{**given, "messages": [*MOVED, message, *results]})
    assert last.choices[0].message.content == "You said: rain"
    conversation = settled(memory, 5)
    roles = [turn.role for turn in memory.conversations.turns(conversation.id, user="me")]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_it_asks_for_responses(client: openai.OpenAI, memory: Memory, is_stream: bool) -> None:
    given: Any = {"model": "m", "input": "I moved to Oslo last week."}
    if is_stream:
        with client.responses.stream(**given) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.create(**given)
    assert response.output_text == "You said: I moved to Oslo last week."
    client.responses.create(model="m", input="And now?", previous_response_id=response.id)
    assert settled(memory, 4)


def test_its_errors_are_what_they_would_be_without_a_proxy(memory: Memory) -> None:
    refused = document(
        {"error": {"message": "no such model", "code": "gone", "param": "model"}}, status=404
    )
    with (
        proxied(memory, Upstream([refused])) as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="k", max_retries=0) as client,
    ):
        with pytest.raises(openai.NotFoundError, match="no such model") as caught:
            client.chat.completions.create(model="m", messages=MOVED)
        assert (caught.value.code, caught.value.param) == ("gone", "model")
        with pytest.raises(openai.BadRequestError, match="on, off, read, write"):
            client.chat.completions.create(
                model="m", messages=MOVED, extra_body={"x-agentcl-memory": "?"}
            )
    with (
        proxied(memory, "http://127.0.0.1:9/v1") as http,
        openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="k", max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="cannot be reached"),
    ):
        client.models.list()
