"""The OpenAI-compatible backend against a server on the loopback that misbehaves on demand."""

import base64
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentcl import InvalidInput, ModelUnavailable, RequestRefused
from agentcl.models import ChatModel, Message, Sampling, ask_object
from agentcl.models.cache import CachedModel
from agentcl.models.check import check
from agentcl.models.openai import OpenAIChat

ASK = [Message("system", "Be brief."), Message("user", "When does the ferry leave?")]
SCHEMA = {
    "type": "object",
    "properties": {"hour": {"type": "integer"}},
    "required": ["hour"],
    "additionalProperties": False,
}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, Any]] = []
        self.attempts: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server
    is_under_way = False

    def do_GET(self) -> None:
        self._answer(200, {"object": "list", "data": [{"id": "good", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/completions" and "prompt_embeds" in asked:
            self.server.seen.append(asked)
            self._complete(asked)
            return
        if self.path != "/v1/chat/completions":
            is_there = self.path == "/v1/completions"
            self._answer(200 if is_there else 404, {"detail": "nothing of the kind"})
            return
        model = asked["model"]
        with self.server.lock:
            self.server.seen.append(asked)
            self.server.attempts[model] += 1
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        self.is_under_way = True
        try:
            self._serve(asked, model)
        finally:
            self._leave()

    def _leave(self) -> None:
        with self.server.lock:
            self.server.under_way -= self.is_under_way
            self.is_under_way = False

    def _serve(self, asked: dict[str, Any], model: str) -> None:
        failures = {"locked": 401, "broken": 500, "absent": 404, "short": 400}
        if model in failures:
            self._answer(failures[model], {"error": {"message": f"no {model}"}})
        elif model == "busy-once" and self.server.attempts[model] == 1:
            self._answer(429, {"error": {"message": "slow down"}}, retry_after="0.01")
        elif model == "no-soft" and not isinstance(asked["messages"][0]["content"], str):
            said = "You must set `--enable-prompt-embeds` to input `prompt_embeds`"
            self._answer(400, {"error": {"message": said}})
        elif asked.get("stream"):
            self._stream(["at ", "seven"])
        else:
            if model == "slow":
                time.sleep(0.2)
            text = '{"hour": 7}' if "response_format" in asked else "at seven"
            if model == "unusable":
                text = "seven"
            self._answer(200, self._completion(asked, text))

    def _complete(self, asked: dict[str, Any]) -> None:
        if asked["model"] == "no-soft":
            said = "You must set `--enable-prompt-embeds` to input `prompt_embeds`"
            self._answer(400, {"error": {"message": said}})
            return
        choice = {"index": 0, "text": " at seven", "finish_reason": "stop", "logprobs": None}
        choices = [] if asked["model"] == "mute" else [choice]
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        self._answer(200, {"id": "c", "model": "good", "choices": choices, "usage": usage})

    def _completion(self, asked: dict[str, Any], text: str) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "length" if asked["max_tokens"] == 1 else "stop",
        }
        if asked.get("logprobs"):
            choice["logprobs"] = {
                "content": [{"token": "at", "logprob": -0.5, "bytes": None, "top_logprobs": []}]
            }
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [] if asked["model"] == "mute" else [choice],
        }
        if asked["model"] != "silent-on-usage":
            answer["usage"] = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        return answer

    def _answer(self, status: int, body: object, retry_after: str | None = None) -> None:
        self._leave()  # before the client can know, and begin its next call
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, pieces: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in pieces:
            delta = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "good"}
            self.wfile.write(f"data: {json.dumps({**chunk, **delta})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    pytest.importorskip("openai")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_reply_says_what_came_and_what_it_cost(server: Server) -> None:
    model = OpenAIChat("good", base_url=server.url)
    assert isinstance(model, ChatModel)
    reply = model.chat(ASK, sampling=Sampling(stop=("\n",), temperature=0.5, logprobs=True))
    assert (reply.text, reply.finish, reply.model) == ("at seven", "stop", "good")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (11, 3)
    assert reply.logprobs is not None
    assert (reply.logprobs[0].token, reply.logprobs[0].logprob) == ("at", -0.5)
    (asked,) = server.seen
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (asked["stop"], asked["seed"], asked["temperature"]) == (["\n"], 0, 0.5)
    assert model.chat(ASK, sampling=Sampling(max_tokens=1)).finish == "length"


def test_an_object_is_asked_for_by_its_schema(server: Server) -> None:
    reply = ask_object(OpenAIChat("good", base_url=server.url), ASK, schema=SCHEMA)
    assert reply.value == {"hour": 7}
    assert server.seen[0]["response_format"]["json_schema"]["schema"] == SCHEMA


def test_usage_that_is_not_told_is_estimated_and_says_so(server: Server) -> None:
    usage = OpenAIChat("silent-on-usage", base_url=server.url).chat(ASK).usage
    assert usage.is_estimated
    assert usage.prompt_tokens > 0


def test_a_stream_comes_in_pieces(server: Server) -> None:
    assert list(OpenAIChat("good", base_url=server.url).stream(ASK)) == ["at ", "seven"]
    stream = OpenAIChat("good", base_url=server.url, concurrency=1).stream(ASK)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_busy_endpoint_is_asked_again(server: Server) -> None:
    assert OpenAIChat("busy-once", base_url=server.url).chat(ASK).text == "at seven"
    assert server.attempts["busy-once"] == 2


def test_calls_beyond_the_limit_wait_their_turn(server: Server) -> None:
    model = OpenAIChat("slow", base_url=server.url, concurrency=3)
    with ThreadPoolExecutor(12) as threads:
        replies = list(threads.map(lambda _: model.chat(ASK).text, range(12)))
    assert replies == ["at seven"] * 12
    assert server.most_under_way <= 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("locked", "check OPENAI_API_KEY"),
        ("broken", "see the server's log"),
        ("absent", "a model of this name: good"),
        ("mute", "without any choice"),
    ],
)
def test_a_failure_names_the_endpoint_and_the_remedy(server: Server, name: str, words: str) -> None:
    with pytest.raises(ModelUnavailable, match=words) as caught:
        OpenAIChat(name, base_url=server.url, retries=0).chat(ASK)
    assert server.url in str(caught.value)
    assert name in str(caught.value)


def test_an_endpoint_that_is_slow_or_away(server: Server) -> None:
    with pytest.raises(ModelUnavailable, match="longer than timeout_s"):
        OpenAIChat("slow", base_url=server.url, timeout_s=0.05, retries=0).chat(ASK)
    with pytest.raises(ModelUnavailable, match="its /v1 included"):
        list(OpenAIChat("x", base_url="http://127.0.0.1:9/v1", retries=0).stream(ASK))


def test_what_an_endpoint_can_do_is_found_out_by_asking(server: Server) -> None:
    found = check(server.url)
    assert (found.model, found.models, found.context_length) == ("good", ("good",), None)
    can = {capability.name: capability for capability in found.capabilities}
    assert [name for name, one in can.items() if one.is_there] == ["chat", "log-probabilities"]
    assert "taken and not kept" in can["schema output"].detail
    assert "offered and not called: 'at seven'" in can["tool calls"].detail
    assert can["prompt embeds"].detail == "the field is ignored"
    with pytest.raises(ModelUnavailable, match="serves good, and not 'better'"):
        check(server.url, model="better")
    with pytest.raises(ModelUnavailable, match="its /v1 included"):
        check("http://127.0.0.1:9/v1")


def test_the_fingerprint_tells_models_apart(server: Server) -> None:
    good = OpenAIChat("good", base_url=server.url)
    assert good.fingerprint() == good.fingerprint()
    assert good.fingerprint() != OpenAIChat("unusable", base_url=server.url).fingerprint()


def test_a_request_that_is_refused_is_told_from_an_outage(server: Server) -> None:
    with pytest.raises(RequestRefused, match="refused this request to 'short'"):
        OpenAIChat("short", base_url=server.url).chat(ASK)
    assert server.attempts["short"] == 1


SOFT = [Message("user", "text alone", parts=("Passage: ", np.ones((2, 4), np.float32), "\nask"))]


def test_soft_tokens_go_out_as_content_parts(server: Server) -> None:
    pytest.importorskip("torch")
    model = OpenAIChat("good", base_url=server.url)
    assert model.chat(SOFT).unread == ""
    assert model.takes_soft is True
    (asked,) = server.seen
    kinds = [part["type"] for part in asked["messages"][0]["content"]]
    assert kinds == ["text", "prompt_embeds", "text"]


def test_an_endpoint_without_soft_tokens_is_noticed_once_and_reads_the_text(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch")
    model = OpenAIChat("no-soft", base_url=server.url)
    reply = model.chat(SOFT)
    assert reply.text == "at seven"
    assert "--enable-prompt-embeds" in reply.unread
    assert model.takes_soft is False
    assert "takes no soft tokens" in caplog.text
    assert "--enable-prompt-embeds" in model.chat(SOFT).unread
    assert list(model.stream(SOFT)) == ["at ", "seven"]
    sent = [asked["messages"][0]["content"] for asked in server.seen]
    assert [isinstance(one, str) for one in sent] == [False, True, True, True]
    assert model.chat(ASK).unread == ""


def test_a_refusal_of_both_is_a_refusal(server: Server) -> None:
    pytest.importorskip("torch")
    model = OpenAIChat("short", base_url=server.url)
    with pytest.raises(RequestRefused):
        model.chat(SOFT)
    assert model.takes_soft is None


def test_answers_to_other_soft_tokens_are_other_answers(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    model = CachedModel(OpenAIChat("good", base_url=server.url), tmp_path / "answers.db")
    other = [replace(SOFT[0], parts=("Passage: ", np.zeros((2, 4), np.float32), "\nask"))]
    assert [model.chat(one).is_cached for one in (SOFT, other, SOFT)] == [False, False, True]


def embedded(text: str) -> Any:
    """A row for each letter of a text."""
    return np.array([[float(ord(letter))] * 4 for letter in text], np.float32).reshape(-1, 4)


def test_soft_tokens_go_to_completions_as_one_matrix(server: Server) -> None:
    torch = pytest.importorskip("torch")
    model = OpenAIChat("good", base_url=server.url)
    reply = model.complete(
        ["<|user|>", "ab", np.ones((2, 4)), "c"], embed=embedded, sampling=Sampling(max_tokens=5)
    )
    assert (reply.text, reply.usage.prompt_tokens, reply.finish) == (" at seven", 9, "stop")
    (asked,) = server.seen
    assert "prompt" not in asked
    assert "messages" not in asked
    assert asked["max_tokens"] == 5
    sent = torch.load(io.BytesIO(base64.b64decode(asked["prompt_embeds"])), weights_only=True)
    expected = np.concatenate([embedded("<|user|>ab"), np.ones((2, 4)), embedded("c")])
    np.testing.assert_array_equal(sent.numpy(), expected.astype(np.float16))


@pytest.mark.parametrize(
    "pieces",
    [[], [""], [np.ones((2, 3)), "a"], [np.ones(4)], [np.full((1, 4), np.nan)], [np.ones((0, 4))]],
    ids=["nothing", "no text", "another width", "one row flat", "no number", "no token"],
)
def test_what_is_no_prompt_of_soft_tokens_is_refused_before_it_is_sent(
    server: Server, pieces: Any
) -> None:
    pytest.importorskip("torch")
    with pytest.raises(InvalidInput):
        OpenAIChat("good", base_url=server.url).complete(pieces, embed=embedded)
    assert not server.seen


def test_completions_that_take_no_soft_tokens_say_what_is_needed(server: Server) -> None:
    pytest.importorskip("torch")
    for name in ("no-soft", "mute"):
        with pytest.raises(RequestRefused, match="--enable-prompt-embeds"):
            OpenAIChat(name, base_url=server.url).complete(["a"], embed=embedded)
