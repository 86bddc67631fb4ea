"""`AsyncClient`: the verbs and rooms of a served memory for asyncio, asked in threads of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from typing import Any, Final, cast

from agentcl.client.client import Client
from agentcl.client.exchanges import RemoteExchanges, Thumb
from agentcl.memory.aio import AsyncVerbs
from agentcl.memory.memory import Memory

_THREADS: Final = 32


class AsyncExchanges:
    """`Client.exchanges`, awaited.

    Args:
        exchanges: that are asked.
        run: runs a call in a thread.
    """

    def __init__(
        self, exchanges: RemoteExchanges, run: Callable[..., Awaitable[Mapping[str, Any]]]
    ) -> None:
        self._exchanges, self._run = exchanges, run

    async def get(self, id: str, *, wait_s: float = 0.0) -> Mapping[str, Any]:
        """Return what the memory did in an exchange."""
        return await self._run(partial(self._exchanges.get, id, wait_s=wait_s))

    async def report(
        self, id: str, *, score: float | None = None, thumb: Thumb | None = None
    ) -> Mapping[str, Any]:
        """Report how an exchange turned out."""
        return await self._run(partial(self._exchanges.report, id, score=score, thumb=thumb))


class AsyncClient(AsyncVerbs):
    """A `Client` whose verbs are awaited. Takes the same arguments, and has the verbs and rooms of `AsyncMemory`.

    At most 32 requests are under way at once, and others wait. Cancelling an awaited request does not undo it: it goes on
    in its thread.
    """

    def __init__(self, url: str, **settings: Any) -> None:  # noqa: ANN401  # those of Client
        # It has the verbs of a memory, and `AsyncVerbs` asks for each by its name.
        super().__init__(cast("Memory", Client(url, **settings)), threads=_THREADS)

    @property
    def client(self) -> Client:
        """The same client for code that does not await."""
        return cast("Client", self._target)

    @cached_property
    def exchanges(self) -> AsyncExchanges:
        """Exchanges with the model behind the server: what the memory did, and how they turned out."""
        return AsyncExchanges(self.client.exchanges, self._run)
