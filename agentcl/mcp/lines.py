"""The protocol over standard streams, where a message is a line.

Each request is answered before the end of input is told, and a line that is no message is answered too: who sent it
would wait for ever.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from agentcl.errors import needs
from agentcl.text.visible import shortened

with needs("the server for editors", "mcp"):
    import anyio
    from anyio import to_thread
    from mcp.shared.message import SessionMessage
    from mcp_types import (
        INVALID_REQUEST,
        PARSE_ERROR,
        ErrorData,
        JSONRPCError,
        JSONRPCMessage,
        JSONRPCNotification,
        JSONRPCRequest,
        JSONRPCResponse,
        jsonrpc_message_adapter,
    )
    from pydantic import ValidationError
    from pydantic_core import from_json

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import WriteStream

LONGEST_LINE: Final = 8 * 1024 * 1024  # bytes; as many as a request of `agentcl serve` may have
_SAID: Final = 200  # characters of what was wrong
_CANCELLED: Final = "notifications/cancelled"  # its request is not answered


class _Wrong(JSONRPCError):
    """What is answered to a line that is no message."""


class _Stream:
    """What is closed at the end of a block."""

    async def aclose(self) -> None:
        """Close it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Replies(_Stream):
    """What goes out, and how many requests still wait for it.

    Args:
        outgoing: where it goes.
    """

    def __init__(self, outgoing: WriteStream[SessionMessage]) -> None:
        self._outgoing = outgoing
        self._waiting = Counter[str]()  # requests by id; a cancellation may spell a number as text
        self._settled = anyio.Event()

    def expect(self, id: int | str) -> None:
        """Note that a request came in."""
        self._waiting[str(id)] += 1

    def settle(self, id: object) -> None:
        """Note that a request was answered, or need not be any more."""
        if self._waiting[str(id)] > 0:
            self._waiting[str(id)] -= 1
        self._settled.set()

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message."""
        try:
            await self._outgoing.send(item)
        finally:  # an answer that nobody takes any more is none to wait for
            if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                self.settle(item.message.id)

    async def all_sent(self) -> None:
        """Wait until no request waits."""
        while self._waiting.total():
            self._settled = anyio.Event()
            await self._settled.wait()

    async def aclose(self) -> None:
        """Close where answers go."""
        await self._outgoing.aclose()


class MessageLines(_Stream):
    """The messages that come in. A line that is none is answered here, and left out.

    Args:
        incoming: lines of bytes.
        replies: where answers go. The input ends only after each request has its own: who reads it gives up then what is
            under way.
    """

    def __init__(self, incoming: BinaryIO, replies: Replies) -> None:
        self._incoming = incoming
        self._replies = replies

    async def receive(self) -> SessionMessage:
        """Return the next message. Raises EndOfStream."""
        while line := await to_thread.run_sync(self._incoming.readline, LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                await to_thread.run_sync(self._pass_over)
                told = f"Invalid request: a line has at most {LONGEST_LINE // 1024**2} MiB"
                message: JSONRPCMessage = _error(INVALID_REQUEST, told)
            elif line.isspace():
                continue  # it says nothing
            else:
                message = _read(line.decode(errors="replace"))
            if isinstance(message, _Wrong):
                await self._replies.send(SessionMessage(message))
                continue
            if isinstance(message, JSONRPCRequest):
                self._replies.expect(message.id)
            elif isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
                self._replies.settle((message.params or {}).get("requestId"))
            return SessionMessage(message)
        await self._replies.all_sent()
        raise anyio.EndOfStream

    def _pass_over(self) -> None:
        while (rest := self._incoming.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


@contextmanager
def standard_input() -> Iterator[BinaryIO]:
    """Yield what comes in. Meanwhile tools, and processes that they start, find standard input at its end."""
    own = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        # A thread may still read from it at the end: closed, its number would soon be another file's.
        yield os.fdopen(own, "rb", closefd=False)
    finally:
        os.dup2(own, 0)


def _read(line: str) -> JSONRPCMessage:
    """Return the message of a line, or what is answered to it."""
    try:
        sent: Any = from_json(line)
    except ValueError as error:
        return _error(PARSE_ERROR, f"Parse error: a message is one line of JSON; {error}")
    if wrong := without_id(sent):
        return wrong
    try:
        message = jsonrpc_message_adapter.validate_python(sent, by_name=False)
    except ValidationError:
        if isinstance(sent, list):
            why = "several messages in one line are not taken; send each in a line of its own"
        elif isinstance(sent, dict):
            why = 'a message has "jsonrpc": "2.0", a method, and params that are an object'
        else:
            why = "a message is an object"
        id = sent.get("id") if isinstance(sent, dict) else None
        return _error(INVALID_REQUEST, f"Invalid request: {why}", id if _is_id(id) else None)
    return message


def without_id(sent: Any) -> _Wrong | None:  # noqa: ANN401  # any JSON
    """Return what is answered to a request whose id is none; the package would take it for a notification."""
    is_request = isinstance(sent, dict) and "method" in sent and "id" in sent
    if not is_request or _is_id(sent["id"]):
        return None
    return _error(INVALID_REQUEST, "Invalid request: an id is a text or a whole number")


def _is_id(given: object) -> bool:
    return isinstance(given, int | str) and not isinstance(given, bool)


def _error(code: int, message: str, id: int | str | None = None) -> _Wrong:
    error = ErrorData(code=code, message=shortened(message, _SAID))
    return _Wrong(jsonrpc="2.0", id=id, error=error)
