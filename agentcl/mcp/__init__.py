"""The door for editors: a memory as tools, resources and prompts of the Model Context Protocol."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.mcp.server import memory_server, serve
    from agentcl.mcp.tools import Tools

__all__ = ["Tools", "memory_server", "serve"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "server": "memory_server serve",
        "tools": "Tools",
    })  # fmt: skip
