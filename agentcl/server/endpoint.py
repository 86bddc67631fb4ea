"""A model of this process as an endpoint that OpenAI's clients speak with: chat, whole or streamed.

It is for one person and a small model, where no server of models is at hand: one call runs at a time.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_hex
from socket import socket
from typing import Any, Final

from agentcl.errors import AgentclError, InvalidInput, needs
from agentcl.models.base import ChatModel, Message, Role, Sampling
from agentcl.models.soft_tokens import KIND, decoded
from agentcl.server.problems import status_of
from agentcl.text.parsing import parsed_json

with needs("the server", "serve"):
    import uvicorn
    from fastapi import FastAPI, Request
    from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
    from starlette.responses import JSONResponse, Response, StreamingResponse

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
}  # fmt: skip
_STOP_S: Final = 5.0  # for an answer under way, once it is to stop
_MOST_TOKENS: Final = 512  # of an answer, where a request does not say


def endpoint_of(model: ChatModel, name: str) -> FastAPI:
    """Return an application that answers `POST /v1/chat/completions` and `GET /v1/models` by a model.

    Args:
        model: that is asked.
        name: under which it is offered.
    """
    app = FastAPI(title="A model of this process", docs_url=None, redoc_url=None)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": name, "object": "model"}]}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        try:
            body = parsed_json(await request.body())
            messages, sampling = _asked(body)
        except (ValueError, TypeError, LookupError, AttributeError, InvalidInput) as error:
            return _failed(InvalidInput(f"this request cannot be read: {error}"))
        if body.get("stream"):
            pieces = model.stream(messages, sampling=sampling)
            return StreamingResponse(
                iterate_in_threadpool(_events(pieces, name)), media_type="text/event-stream"
            )
        try:
            reply = await run_in_threadpool(model.chat, messages, sampling=sampling)
        except AgentclError as error:
            return _failed(error)
        message = {"role": "assistant", "content": reply.text}
        usage = {
            "prompt_tokens": reply.usage.prompt_tokens,
            "completion_tokens": reply.usage.completion_tokens,
            "total_tokens": reply.usage.prompt_tokens + reply.usage.completion_tokens,
        }
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": "length" if reply.finish == "length" else "stop",
        }
        return JSONResponse({**_head("chat.completion", name), "choices": [choice], "usage": usage})

    return app


def _asked(body: Mapping[str, Any]) -> tuple[list[Message], Sampling]:
    """Return what a request asks. Raises one of several errors if it is none."""
    messages = [
        Message(
            _ROLES.get(str(one.get("role")), "user"),
            _text(one.get("content")),
            parts=_parts(one.get("content")),
        )
        for one in body["messages"]
    ]
    if not messages:
        raise InvalidInput("it has no messages")
    stop = body.get("stop") or ()
    return messages, Sampling(
        max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or _MOST_TOKENS),
        temperature=float(body.get("temperature") or 0.0),
        top_p=float(body.get("top_p") or 1.0),
        stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
        seed=None if body.get("seed") is None else int(body["seed"]),
    )


def _text(content: object) -> str:
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = (one.get("text") for one in content if isinstance(one, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _parts(content: object) -> tuple[Any, ...]:
    """Return texts and soft tokens; nothing where there are no soft tokens. Raises InvalidInput."""
    parts = content if isinstance(content, list) else []
    held = [part for part in parts if isinstance(part, Mapping)]
    if not any(part.get("type") == KIND for part in held):
        return ()
    return tuple(
        decoded(str(part.get("data"))) if part.get("type") == KIND else str(part.get("text", ""))
        for part in held
    )


def _events(pieces: Iterator[str], name: str) -> Iterator[str]:
    """Yield an answer as events. An error in its midst is told as one, since the status has gone out already."""
    head = _head("chat.completion.chunk", name)
    finish: str | None = "stop"
    try:
        for piece in pieces:
            yield _event({**head, "choices": [_delta({"role": "assistant", "content": piece})]})
    except AgentclError as error:
        finish = None
        yield _event({"error": {"message": str(error), "type": type(error).__name__}})
    if finish:
        yield _event({**head, "choices": [_delta({}, finish)]})
    yield "data: [DONE]\n\n"


def _delta(delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _event(value: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _head(kind: str, name: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{token_hex(8)}",
        "object": kind,
        "created": int(time.time()),
        "model": name,
    }


def _failed(error: AgentclError) -> JSONResponse:
    told = {"message": str(error), "type": type(error).__name__, "code": None}
    return JSONResponse({"error": told}, status_of(error))


@contextmanager
def listening(model: ChatModel, name: str) -> Iterator[str]:
    """Serve a model in a thread, for this machine only, and yield its address; as long as the `with` block lasts."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(
            endpoint_of(model, name), log_config=None, ws="none", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(_STOP_S)
