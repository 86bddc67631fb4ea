"""`AsyncClient`: the verbs and rooms of a served memory for asyncio, asked in threads of its own."""

from __future__ import annotations

from typing import Any, Final, cast

from agentcl.client.client import Client
from agentcl.memory.aio import AsyncVerbs
from agentcl.memory.memory import Memory

_THREADS: Final = 32


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
