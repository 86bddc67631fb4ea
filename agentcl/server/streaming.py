"""Long work as server-sent events: `progress` now and then, and `result` or `problem` at the end."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

from agentcl.errors import needs
from agentcl.server.problems import problem_of
from agentcl.wire.codec import to_json
from agentcl.wire.verbs import Verb

with needs("the server", "serve"):
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse

EVENTS: Final = "text/event-stream"
_ALIVE_S: Final = 15.0  # after which a comment says that the work goes on


def wants_events(request: Request) -> bool:
    """Return whether a client asks for events."""
    return EVENTS in request.headers.get("accept", "")


def streamed(request: Request, verb: Verb, run: Callable[..., object]) -> Response:
    """Return the events of a verb while it runs. When the client goes away, work that can be stopped is stopped.

    Args:
        request: that asks for it.
        verb: what is run.
        run: takes the callbacks of the verb, and returns its answer.
    """
    return StreamingResponse(
        _events(request, verb, run), media_type=EVENTS, headers={"x-accel-buffering": "no"}
    )


async def _events(request: Request, verb: Verb, run: Callable[..., object]) -> AsyncIterator[bytes]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()
    gone = threading.Event()

    def put(event: bytes | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody reads it
            loop.call_soon_threadsafe(queue.put_nowait, event)

    callbacks: dict[str, Callable[..., Any]] = {
        name: lambda *said, name=name: put(_event(name, _progress(said)))
        for name in verb.callbacks & {"progress", "encoded"}
    }
    if "should_stop" in verb.callbacks:
        callbacks["should_stop"] = gone.is_set

    def work() -> None:
        try:
            put(_event("result", to_json(run(**callbacks))))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told as a problem
            told = problem_of(error, request=request.scope.get("agentcl.request", ""))
            put(_event("problem", json.loads(bytes(told.body))))
        finally:
            put(None)

    running = loop.run_in_executor(None, work)
    try:
        while (event := await _next(queue)) is not None:
            yield event
    finally:
        gone.set()
    await running


async def _next(queue: asyncio.Queue[bytes | None]) -> bytes | None:
    try:
        return await asyncio.wait_for(queue.get(), _ALIVE_S)
    except TimeoutError:
        return b": still at it\n\n"


def _progress(said: tuple[Any, ...]) -> dict[str, Any]:
    """Return what a callback was told: a share, a number, or numbers done and to do, perhaps of a job."""
    if len(said) == 1:
        return {"share" if isinstance(said[0], float) else "done": said[0]}
    *job, done, total = said
    return {**({"job": to_json(job[0])} if job else {}), "done": done, "total": total}


def _event(name: str, told: object) -> bytes:
    text = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return b"event: %b\ndata: %b\n\n" % (name.encode(), text)
