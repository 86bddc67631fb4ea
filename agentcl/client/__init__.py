"""The client of a server: the verbs and rooms of `Memory`, asked over HTTP."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.client.aio import AsyncClient
    from agentcl.client.client import Client
    from agentcl.client.episode import RemoteEpisode

__all__ = ["AsyncClient", "Client", "RemoteEpisode"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "aio": "AsyncClient",
        "client": "Client",
        "episode": "RemoteEpisode",
    })  # fmt: skip
