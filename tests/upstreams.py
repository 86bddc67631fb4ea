"""A language model's server whose every answer is written down in the test: what a proxy may meet."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from agentcl import Memory
from agentcl.server import Keys, ServerSettings
from agentcl.server.proxy.answers import ToldExchange
from agentcl.store import Conversation
from tests.served import listening, served

Send = Callable[[Any], Awaitable[None]]
Play = Callable[["Asked", Send, Callable[[], Awaitable[Any]]], Awaitable[None]]


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    was_left: bool = False  # the asker went away before the answer was over

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name.encode()]
        return found[0].decode("utf-8", "replace") if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Upstream:
    """An ASGI application that plays one answer after the other, the last one again and again."""

    plays: Sequence[Play]
    asked: list[Asked] = field(default_factory=list)

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = Asked(
            scope["method"],
            scope["raw_path"].decode(),
            scope["query_string"],
            [(bytes(k), bytes(v)) for k, v in scope["headers"]],
            body,
        )
        play = self.plays[min(len(self.asked), len(self.plays) - 1)]
        self.asked.append(asked)
        await play(asked, send, receive)


def document(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, raw: bytes = b""
) -> Play:
    """Answer with JSON, or with bytes of any kind."""

    async def play(asked: Asked, send: Send, receive: Any) -> None:
        body = raw or json.dumps(value).encode()
        told = {"content-type": "application/json", "content-length": str(len(body))}
        await start(send, {**told, **(headers or {})}, status)
        await send({"type": "http.response.body", "body": body})

    return play


def completion(text: str | None = "Hello.", **message: Any) -> Play:
    """Answer a chat."""
    return document(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text, **message},
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        }
    )


def delta(finish: str | None = None, *, index: int = 0, **fields: Any) -> dict[str, Any]:
    """Return one chunk of a chat."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": index, "delta": fields, "finish_reason": finish}],
    }


def events(chunks: Sequence[Any]) -> bytes:
    """Return chunks as server-sent events."""
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)


def stream(pieces: Sequence[bytes], *, breaks: bool = False, waits_at: int = -1) -> Play:
    """Answer with a stream of bytes, in exactly these pieces.

    Args:
        pieces: of the body.
        breaks: end the connection without an end.
        waits_at: the piece before which it waits until the asker goes away.
    """

    async def play(asked: Asked, send: Send, receive: Any) -> None:
        await start(send, {"content-type": "text/event-stream; charset=utf-8"})
        for number, piece in enumerate(pieces):
            if number == waits_at:
                await left(asked, receive)
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        if not breaks:
            await send({"type": "http.response.body", "body": b""})

    return play


async def silence(asked: Asked, send: Send, receive: Any) -> None:
    """Answer nothing until the asker goes away."""
    await left(asked, receive)


async def left(asked: Asked, receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    asked.was_left = True


async def start(send: Send, headers: Mapping[str, str], status: int = 200) -> None:
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": told})


@contextmanager
def proxied(
    memory: Memory, upstream: Any, *, keys: Keys | None = None, **settings: Any
) -> Iterator[httpx.Client]:
    """Yield a client of a server of a memory, in front of an upstream: an ASGI application, or an address."""
    with ExitStack() as stack:
        address = (
            upstream
            if isinstance(upstream, str)
            else stack.enter_context(listening(upstream)) + "/v1"
        )
        chosen = ServerSettings(upstream=address, **settings)
        server = stack.enter_context(served(memory, settings=chosen, keys=keys))
        yield stack.enter_context(httpx.Client(base_url=server, timeout=30))


def over(client: httpx.Client, answer: httpx.Response, **headers: str) -> dict[str, Any]:
    """Return what is told of the exchange of an answer, once it is over."""
    id = answer.headers["x-agentcl-exchange"]
    told = client.get(f"/v1/exchanges/{id}", params={"wait": 20}, headers=headers)
    assert told.status_code == 200, told.text
    found: dict[str, Any] = told.json()
    ToldExchange.model_validate(found)  # as the OpenAPI document says
    return found


def settled(memory: Memory, turns: int) -> Conversation:
    """Return the one conversation of the user, once it has so many turns; the last is stored as its answer ends."""
    while True:
        found = memory.conversations.list(user="me")
        if found and len(memory.conversations.turns(found[0].id, user="me")) >= turns:
            (conversation,) = found
            assert len(memory.conversations.turns(conversation.id, user="me")) == turns
            return conversation
        time.sleep(0.01)


async def speaking(asked: Asked, send: Send, receive: Any) -> None:
    """Answer as a model does: call each tool that is offered, once; else repeat what it was told last."""
    body = asked.json
    messages = body.get("messages") or body["input"]
    last = messages[-1] if isinstance(messages, list) else {"role": "user", "content": messages}
    text = f"You said: {last.get('content') or last.get('output')}"
    calls = [] if "tool" in last.get("role", "") or "output" in last else body.get("tools", [])
    if "messages" in body:
        made = [
            {"index": n, "id": f"call_{n}", "type": "function",
             "function": {"name": tool["function"]["name"], "arguments": '{"town": "Oslo"}'}}
            for n, tool in enumerate(calls)
        ]  # fmt: skip
        await (
            _chatting(text, made)
            if body.get("stream")
            else completion(text, tool_calls=made or None)
        )(asked, send, receive)
    else:
        await _responding(body, text)(asked, send, receive)


def _chatting(text: str, calls: Sequence[dict[str, Any]]) -> Play:
    chunks = [delta(role="assistant", content="")]
    if calls:
        for call in calls:
            function = call["function"]
            chunks.append(delta(tool_calls=[{**call, "function": {**function, "arguments": ""}}]))
        for call in calls:  # in pieces, one call after a piece of the other
            for piece in (call["function"]["arguments"][:5], call["function"]["arguments"][5:]):
                chunks.append(
                    delta(tool_calls=[{"index": call["index"], "function": {"arguments": piece}}])
                )
        chunks.append(delta("tool_calls"))
    else:
        chunks += [delta(content=word) for word in text.split(" ")]
        chunks.append(delta("stop"))
    return stream([*(events([one]) for one in chunks), b"data: [DONE]\n\n"])


def _responding(body: Any, text: str) -> Play:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    whole = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "scripted", "status": "completed",
        "output": [item], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {},
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
                  "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip
    if not body.get("stream"):
        return document(whole)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    played: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": text},
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    numbered = [{**one, "sequence_number": number} for number, one in enumerate(played)]
    return stream([events([one]) for one in numbered])
