"""Soft memories through the proxy: sent to a model that reads them, text to one that does not, and told as they are."""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from agentcl import Memory, Message
from agentcl.models import ScriptedModel
from agentcl.server import ServerSettings
from agentcl.server.endpoint import listening
from agentcl.server.settings import SoftServing
from tests.hashed_codec import HashedCodec
from tests.upstreams import Asked, Send, Upstream, completion, document, over, proxied

ORVEX = "Marin Holt keeps the lighthouse of Orvex and paints its green door each spring, as her aunt did before her."
ASKED = "Who keeps the lighthouse of Orvex?"
EXACT = "How many doors has the lighthouse of Orvex?"


@pytest.fixture
def codec() -> HashedCodec:
    return HashedCodec()


@pytest.fixture
def compressed(memory: Memory, codec: HashedCodec) -> Memory:
    memory.add(ORVEX)
    memory.compressed.compress(codec)
    return memory


@pytest.fixture
def soft(codec: HashedCodec) -> SoftServing:
    return SoftServing(codec, is_on=True, sending="numpy")


def ask(client: httpx.Client, question: str = ASKED, **headers: str) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": question}]}
    named = {f"x-agentcl-{name}": value for name, value in headers.items()}
    answer = client.post("/v1/chat/completions", json=body, headers=named)
    assert answer.status_code == 200, answer.text
    return answer


def parts(upstream: Upstream) -> list[dict[str, str]]:
    """Return the soft tokens of the last request."""
    content = upstream.last.json["messages"][-1]["content"]
    return [one for one in content if one["type"] == "prompt_embeds"] if isinstance(content, list) else []  # fmt: skip


def test_passages_are_sent_as_soft_tokens_and_told_as_what_they_are(
    compressed: Memory, codec: HashedCodec, soft: SoftServing
) -> None:
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=soft) as client:
        answer = ask(client)
        (part,) = parts(upstream)
        assert "cache_salt" not in upstream.last.json  # a model of this process keeps no cache
        vectors = np.load(io.BytesIO(base64.b64decode(part["data"])))
        np.testing.assert_allclose(vectors, codec.encode([ORVEX])[0], atol=0.01)
        told = over(client, answer)["soft"]
        (one,) = told["memories"]
        assert (one["text"], one["slots"]) == (ORVEX, len(vectors))
        assert one["tokens"] - one["slots"] == told["saved"] > 0
        assert answer.headers["x-agentcl-soft-tokens"] == str(one["slots"])
        assert answer.headers["x-agentcl-tokens-saved"] == str(told["saved"])
        assert upstream.last.json["messages"][-1]["content"][-1]["text"].endswith(ASKED)
        compressed.forget(one["document"])
        assert over(client, answer)["soft"]["memories"][0]["is_gone"]


def test_a_server_keeps_soft_tokens_of_each_codec_apart_in_its_cache(
    compressed: Memory, codec: HashedCodec
) -> None:
    pytest.importorskip("torch")
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=SoftServing(codec, is_on=True)) as client:
        ask(client)
        assert parts(upstream)
        salt = upstream.last.json["cache_salt"]
        ask(client)
        assert upstream.last.json["cache_salt"] == salt
        ask(client, EXACT)
        assert not parts(upstream)
        assert "cache_salt" not in upstream.last.json
        ask(client, soft="off")
        assert "cache_salt" not in upstream.last.json
    other = HashedCodec(base="another-base")
    compressed.compressed.compress(other)
    with proxied(compressed, upstream, soft=SoftServing(other, is_on=True)) as client:
        ask(client)
        assert upstream.last.json["cache_salt"] not in (salt, "")


@pytest.mark.parametrize("own", ["mine", "", None])
def test_a_salt_of_the_caller_stays(compressed: Memory, codec: HashedCodec, own: Any) -> None:
    pytest.importorskip("torch")
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=SoftServing(codec, is_on=True)) as client:
        body = {"messages": [{"role": "user", "content": ASKED}], "cache_salt": own}
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert parts(upstream)
    assert upstream.last.json["cache_salt"] == own
    assert upstream.last.body.count(b"cache_salt") == 1


def test_a_question_for_exact_words_is_answered_from_text(
    compressed: Memory, soft: SoftServing
) -> None:
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=soft) as client:
        answer = ask(client, EXACT)
        assert not parts(upstream)
        assert "exact words or numbers" in over(client, answer)["soft"]["way"]
        assert answer.headers["x-agentcl-soft-tokens"] == "0"


def test_each_request_may_switch_it(compressed: Memory, codec: HashedCodec) -> None:
    upstream = Upstream([completion()])
    soft = SoftServing(codec, sending="numpy")
    with proxied(compressed, upstream, soft=soft) as client:
        assert over(client, ask(client))["soft"] is None
        ask(client, soft="on")
        assert parts(upstream)
        wrong = client.post("/v1/chat/completions", json={}, headers={"x-agentcl-soft": "x"})
        assert wrong.status_code == 400


def test_without_a_codec_it_says_why_and_sends_text(compressed: Memory) -> None:
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=SoftServing(reason="nobody trained one")) as client:
        told = over(client, ask(client, soft="on"))["soft"]
        assert told["way"] == "text: nobody trained one"
        assert ORVEX in upstream.last.body.decode()
        about = client.get("/v1/page/about").json()["soft"]
        assert about == {"codec": "", "is_on": False, "reason": "nobody trained one"}


def test_a_server_that_refuses_them_gets_text_once_and_from_then_on(
    compressed: Memory, soft: SoftServing
) -> None:
    async def play(asked: Asked, send: Send, receive: Any) -> None:
        refused = {"error": {"message": "Unknown part type: prompt_embeds"}}
        is_soft = b"prompt_embeds" in asked.body
        await (document(refused, status=400) if is_soft else completion())(asked, send, receive)

    upstream = Upstream([play])
    with proxied(compressed, upstream, soft=soft) as client:
        told = over(client, ask(client))["soft"]
        assert "takes no soft tokens (it answered 400" in told["way"]
        assert told["memories"] == []
        assert ORVEX in upstream.last.body.decode()
        assert b"cache_salt" not in upstream.last.body
        assert len(upstream.asked) == 2
        ask(client, f"{ASKED} And who painted the door?")
        assert len(upstream.asked) == 3


def test_an_error_of_another_kind_reaches_the_client(compressed: Memory, soft: SoftServing) -> None:
    upstream = Upstream([document({"error": {"message": "too long"}}, status=400)])
    with proxied(compressed, upstream, soft=soft) as client:
        body = {"messages": [{"role": "user", "content": ASKED}]}
        for asked in (2, 4):  # soft tokens are not given up for it
            answer = client.post("/v1/chat/completions", json=body)
            assert (answer.status_code, len(upstream.asked)) == (400, asked)


def test_responses_are_asked_with_text(compressed: Memory, soft: SoftServing) -> None:
    upstream = Upstream([document({"id": "r", "status": "completed", "output": []})])
    with proxied(compressed, upstream, soft=soft) as client:
        answer = client.post("/v1/responses", json={"input": ASKED})
        assert "chat/completions" in over(client, answer)["soft"]["way"]
    assert ORVEX in upstream.last.body.decode()


def test_a_text_cannot_name_a_place_for_soft_tokens(compressed: Memory, soft: SoftServing) -> None:
    upstream = Upstream([completion()])
    with proxied(compressed, upstream, soft=soft) as client:
        ask(client, f"{ASKED} <prompt_embeds>")
        assert parts(upstream)
        text = upstream.last.json["messages"][-1]["content"][-1]["text"]
    assert "<prompt_embeds>" not in text


@pytest.fixture
def heard() -> Iterator[tuple[str, list[Sequence[Message]]]]:
    """A model of this process behind an endpoint, and what it was asked."""
    asked: list[Sequence[Message]] = []

    def answer(messages: Sequence[Message]) -> str:
        asked.append(messages)
        return "Marin Holt."

    with listening(ScriptedModel(answer), "m") as address:
        yield address, asked


def test_a_model_of_this_process_reads_them(
    compressed: Memory,
    codec: HashedCodec,
    soft: SoftServing,
    heard: tuple[str, list[Sequence[Message]]],
) -> None:
    address, asked = heard
    with proxied(compressed, address, soft=soft) as client:
        ask(client)
    before, vectors, _, rest = asked[0][-1].parts
    assert before == "Passage: "
    np.testing.assert_allclose(np.asarray(vectors), codec.encode([ORVEX])[0], atol=0.01)
    assert str(rest).endswith(ASKED)


@pytest.mark.parametrize("data", ["", "!", "QUJD", base64.b64encode(b"\x93NUMPY\x01").decode()])
def test_soft_tokens_that_are_none_are_refused_by_it(
    heard: tuple[str, list[Sequence[Message]]], data: str
) -> None:
    address, asked = heard
    content = [{"type": "prompt_embeds", "data": data}]
    body = json.dumps({"messages": [{"role": "user", "content": content}]})
    answer = httpx.post(f"{address}/chat/completions", content=body)
    assert answer.status_code == 400
    assert not asked


def test_what_is_said_is_compressed_for_the_next_chat(
    memory: Memory, codec: HashedCodec, soft: SoftServing, tmp_path: Path
) -> None:
    said = "My sister Mira lives in Tessary, where she keeps bees behind the old quay and sells honey to everybody."
    with proxied(memory, Upstream([completion()]), soft=soft) as client:
        told = over(client, ask(client, said))
    (one,) = memory.compressed.explain(told["remembered"][0], user="me")
    assert one.slots > 0
    assert ServerSettings().soft.codec is None
