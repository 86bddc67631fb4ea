"""A model of this process as an endpoint: what OpenAI's clients ask, and what they get."""

from collections.abc import Iterator

import httpx
import pytest

from agentcl.models import Message, OpenAIChat, ScriptedModel
from agentcl.server.endpoint import listening


def heard(messages: object) -> str:
    assert isinstance(messages, list | tuple)
    return " | ".join(f"{one.role}: {one.content}" for one in messages)


@pytest.fixture
def url() -> Iterator[str]:
    with listening(ScriptedModel(heard), "small") as url:
        yield url


def test_a_client_gets_an_answer_whole_and_in_pieces(url: str) -> None:
    with OpenAIChat("small", base_url=url) as model:
        asked = [Message("system", "Be brief."), Message("user", "Hello there")]
        expected = "system: Be brief. | user: Hello there"
        assert model.chat(asked).text == expected
        pieces = list(model.stream(asked))
        assert "".join(pieces) == expected
        assert len(pieces) > 2


def test_parts_of_a_message_are_read_as_its_text(url: str) -> None:
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url"},
        {"type": "text", "text": "two"},
    ]
    body = {"model": "small", "messages": [{"role": "user", "content": parts}]}
    answer = httpx.post(f"{url}/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "user: one\ntwo"


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"messages": []}', '{"messages": [1]}', '{"messages": [{}], "max_tokens": -1}'])  # fmt: skip
def test_what_cannot_be_read_is_refused(url: str, body: str) -> None:
    answer = httpx.post(f"{url}/chat/completions", content=body)
    assert answer.status_code == 400
    assert "cannot be read" in answer.json()["error"]["message"]


def test_a_model_that_fails_is_told_in_the_stream_and_outside_of_it() -> None:
    with listening(ScriptedModel([]), "small") as url:
        body = {"messages": [{"role": "user", "content": "Hello"}]}
        assert httpx.post(f"{url}/chat/completions", json=body).status_code == 502
        streamed = httpx.post(f"{url}/chat/completions", json={**body, "stream": True}).text
        assert "the script of 'scripted' ended" in streamed
        assert streamed.endswith("data: [DONE]\n\n")


def test_it_names_its_model(url: str) -> None:
    assert [one["id"] for one in httpx.get(f"{url}/models").json()["data"]] == ["small"]
