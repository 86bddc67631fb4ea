"""HTTP on a connection that is closed if the head of a request does not come in time.

Otherwise a client that sends nothing, or a letter a minute, would hold a connection for ever, and enough of them would
keep everybody out. (Once the head is there, `agentcl.server.guards` waits for the body.)
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from agentcl.errors import needs

with needs("the server", "serve"):
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 15.0


class PatientProtocol(H11Protocol):
    """The server's side of one connection."""

    head_seconds = HEAD_SECONDS
    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  # asyncio's
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; where a head is whole there is nothing to wait for."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._stop()

    def _wait(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._until is None:
            self._until = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _give_up(self) -> None:
        """Close the connection, unless a request is still being answered: the next one may take its time."""
        self._until = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
