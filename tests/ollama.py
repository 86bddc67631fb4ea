"""A server that answers as Ollama's OpenAI-compatible interface does, as far as its documentation and issues tell.

Ollama itself is not at hand in the tests. What is played here, each thing because a client can stumble over it:

- A model's name may have a tag behind a colon; without one, `:latest` is meant. One that is not there is 404.
- A prompt that is longer than `num_ctx` is cut without a word: the oldest messages go, the system's and the last one
  stay. `usage.prompt_tokens` counts what was read. The interface has no field by which a request could change `num_ctx`.
- Fields that it does not know are passed over, and not refused: `n`, `user`, `logit_bias`, `max_completion_tokens`,
  `num_ctx`, `options`; in versions before log-probabilities were added, `logprobs`, too.
- Each part of a message's content becomes a message of its own. A part of another kind than text or an image is refused.
- A message without content is refused, unless it calls tools.
- Each chunk of a stream names the role, and usage comes in a chunk without choices.
- Who is asked for by no known path gets a text, and no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.upstreams import Asked, Send, document, events, stream

TAKEN = {
    "model", "messages", "stream", "stream_options", "max_tokens", "seed", "stop", "temperature", "frequency_penalty",
    "presence_penalty", "top_p", "response_format", "tools", "reasoning", "reasoning_effort",
}  # fmt: skip
_NOT_FOUND = b"404 page not found"


@dataclass
class Ollama:
    """An ASGI application that plays Ollama; a token is a word.

    Args:
        models: that were pulled, with their tags.
        num_ctx: tokens that a model reads.
        has_logprobs: whether it is of a version that tells log-probabilities and has `/v1/responses`.
    """

    models: Sequence[str] = ("llama3.2:1b", "qwen3:latest")
    num_ctx: int = 4096
    has_logprobs: bool = False
    asked: list[Asked] = field(default_factory=list)
    read: list[list[dict[str, Any]]] = field(default_factory=list)  # what the model read, each time

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = [(bytes(k), bytes(v)) for k, v in scope["headers"]]
        path = scope["raw_path"].decode()
        asked = Asked(scope["method"], path, scope["query_string"], headers, body)
        self.asked.append(asked)
        match asked.method, asked.path:
            case "POST", "/v1/chat/completions":
                await self._chat(asked, send, receive)
            case "GET", "/v1/models":
                listed = [{"id": one, "object": "model", "owned_by": "library"} for one in self.models]  # fmt: skip
                await document({"object": "list", "data": listed})(asked, send, receive)
            case "GET", "/api/tags":
                tags = {"models": [{"name": one, "model": one} for one in self.models]}
                await document(tags)(asked, send, receive)
            case _:
                plain = {"content-type": "text/plain"}
                await document(None, raw=_NOT_FOUND, status=404, headers=plain)(asked, send, receive)  # fmt: skip

    async def _chat(self, asked: Asked, send: Send, receive: Any) -> None:
        try:
            said = {name: value for name, value in asked.json.items() if name in TAKEN}
            if self.has_logprobs:
                said["logprobs"] = bool(asked.json.get("logprobs"))
            name = said["model"] if ":" in said["model"] else f"{said['model']}:latest"
            if name not in self.models:
                await _refused(404, "not_found_error", f"model '{said['model']}' not found")(
                    asked, send, receive
                )
                return
            messages = [one for message in said["messages"] for one in _taken(message)]
        except ValueError as error:
            await _refused(400, "invalid_request_error", str(error))(asked, send, receive)
            return
        read = _cut(messages, self.num_ctx)
        self.read.append(read)
        await self._answer(said, read)(asked, send, receive)

    def _answer(self, said: Mapping[str, Any], read: Sequence[Mapping[str, Any]]) -> Any:
        last = read[-1]
        called = [] if last["role"] == "tool" else said.get("tools") or []
        calls = [
            {"id": f"call_{n}", "index": n, "type": "function",
             "function": {"name": tool["function"]["name"], "arguments": "{}"}}
            for n, tool in enumerate(called)
        ]  # fmt: skip
        text = "" if calls else f"You said: {last['content']}"
        wanted = said.get("response_format") or {}
        if wanted.get("type") in ("json_object", "json_schema"):
            text = json.dumps({"heard": last["content"]})
        words = text.split(" ")[: said.get("max_tokens")]
        is_cut = len(words) < len(text.split(" "))
        finish = "tool_calls" if calls else "length" if is_cut else "stop"
        prompt = sum(map(_tokens, read))
        usage = {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}  # fmt: skip
        head = {"id": "chatcmpl-7", "created": 1, "model": said["model"], "system_fingerprint": "fp_ollama"}  # fmt: skip
        if said.get("stream"):
            return _streamed(head, words, calls, finish, usage, said.get("stream_options") or {})
        message = {"role": "assistant", "content": " ".join(words)}
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice["message"] = {**message, "tool_calls": calls} if calls else message
        if said.get("logprobs"):
            told = [{"token": one, "logprob": -0.5, "top_logprobs": []} for one in words]
            choice["logprobs"] = {"content": told}
        return document({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _streamed(
    head: Mapping[str, Any],
    words: Sequence[str],
    calls: Sequence[Any],
    finish: str,
    usage: Any,
    options: Mapping[str, Any],
) -> Any:
    kind = {**head, "object": "chat.completion.chunk"}

    def chunk(finish: str | None, **delta: Any) -> dict[str, Any]:
        spoken = {"role": "assistant", "content": "", **delta}
        return {**kind, "choices": [{"index": 0, "delta": spoken, "finish_reason": finish}]}

    if calls:
        told = [chunk(None, tool_calls=calls)]
    else:
        told = [chunk(None, content=one + " " * (at < len(words) - 1)) for at, one in enumerate(words)]  # fmt: skip
    told.append(chunk(finish))
    if options.get("include_usage"):
        told.append({**kind, "choices": [], "usage": usage})
    return stream([*(events([one]) for one in told), b"data: [DONE]\n\n"])


def _taken(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a message becomes. Raises ValueError."""
    content, role = message.get("content"), message["role"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if not isinstance(content, list):
        if not message.get("tool_calls"):
            raise ValueError("invalid message content type: <nil>")
        return [{"role": role, "content": ""}]
    if any(part.get("type") not in ("text", "image_url") for part in content):
        raise ValueError("invalid message format")
    return [{"role": role, "content": part.get("text", "")} for part in content]


def _cut(messages: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Return the messages that a model reads: those of the system, and of the others the last ones that fit."""
    *others, last = messages
    kept = [*others, last]
    for at, one in enumerate(others):
        if sum(map(_tokens, kept)) <= most:
            break
        if one["role"] != "system":
            kept = [each for n, each in enumerate(messages) if n > at or each["role"] == "system"]
    return kept


def _tokens(message: Mapping[str, Any]) -> int:
    return len(message["content"].split()) + 4


def _refused(status: int, kind: str, words: str) -> Any:
    told = {"message": words, "type": kind, "param": None, "code": None}
    return document({"error": told}, status=status)
