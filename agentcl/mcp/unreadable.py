"""Answers to lines that are no message of the protocol: who sent one would wait for its answer for ever."""

from __future__ import annotations

from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from agentcl.errors import needs
from agentcl.text.visible import shortened

with needs("the server for editors", "mcp"):
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
    from pydantic import ValidationError

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

_SAID: Final = 200  # characters of what was wrong


class Answered:
    """The messages that come in, read from a stream; what is none is answered here, and left out.

    Args:
        incoming: messages, and an exception for each line that is none.
        outgoing: where answers go.
    """

    def __init__(
        self,
        incoming: ReadStream[SessionMessage | Exception],
        outgoing: WriteStream[SessionMessage],
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was sent."""
        return getattr(self._incoming, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message."""
        while isinstance(item := await self._incoming.receive(), ValidationError):
            if error := _error_of(item):
                await self._outgoing.send(SessionMessage(error))
        return item

    async def aclose(self) -> None:
        """Close what is read from."""
        await self._incoming.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _error_of(error: ValidationError) -> JSONRPCError | None:
    """Return what is answered to a line by what was wrong with it; None for an empty one, which says nothing."""
    wrong = error.errors(include_url=False)
    first = wrong[0]
    if first["type"] == "json_invalid":
        if not str(first["input"]).strip():
            return None
        why = str(first.get("ctx", {}).get("error", first["msg"]))
        return _told(PARSE_ERROR, f"Parse error: a message is one line of JSON; {why}", None)
    # Of the forms that a message may have one always lacks a field, and is told with all that was sent.
    sent: Any = next((one["input"] for one in wrong if one["type"] == "missing"), first["input"])
    id = sent.get("id") if isinstance(sent, dict) else None
    known = isinstance(id, int | str) and not isinstance(id, bool)
    if isinstance(sent, list):
        why = "several messages in one line are not taken; send each in a line of its own"
    elif isinstance(sent, dict):
        why = 'a message has "jsonrpc": "2.0", a method, and params that are an object'
    else:
        why = "a message is an object"
    return _told(INVALID_REQUEST, f"Invalid request: {why}", id if known else None)


def _told(code: int, message: str, id: int | str | None) -> JSONRPCError:
    error = ErrorData(code=code, message=shortened(message, _SAID))
    return JSONRPCError(jsonrpc="2.0", id=id, error=error)
