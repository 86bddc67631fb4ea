"""What the rooms of the server share, and what a route asks for: who may do what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from agentcl.errors import needs
from agentcl.memory.episodes.underway import Underway
from agentcl.memory.upkeep.warming import WarmUp
from agentcl.server.access import Access
from agentcl.server.keys import Keys, Right
from agentcl.server.metering import Meters
from agentcl.server.once import Once
from agentcl.server.settings import ServerSettings

with needs("the server", "serve"):
    from fastapi import Depends, Request

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


@dataclass(frozen=True, slots=True)
class Parts:
    """What every room of the server works with.

    Attributes:
        memory: the whole of it; a route works on the handle of its `Access`, never on this.
        keys: that open it.
        settings: of the server.
        meters: what is counted.
        underway: episodes whose steps come one request at a time.
        once: writes that were done for an idempotency key.
        warming: the encoder, which is loaded while the server begins to answer.
    """

    memory: Memory
    keys: Keys
    settings: ServerSettings
    meters: Meters = field(default_factory=Meters)
    underway: Underway = field(default_factory=Underway)
    once: Once = field(init=False)
    warming: WarmUp = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "once", Once(self.memory))
        object.__setattr__(self, "warming", WarmUp(self.memory))


def _needing(right: Right) -> Callable[[Request], Access]:
    def access(request: Request) -> Access:
        found: Access = request.scope["agentcl.access"]
        return found.need(right)

    return access


Reading = Annotated[Access, Depends(_needing("read"))]
Writing = Annotated[Access, Depends(_needing("write"))]
Learning = Annotated[Access, Depends(_needing("learn"))]
