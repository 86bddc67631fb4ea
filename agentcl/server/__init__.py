"""The server: one memory behind HTTP, for programs, for clients of language models, and for a page."""

from typing import TYPE_CHECKING

from agentcl import _face

if TYPE_CHECKING:
    from agentcl.server.app import create_app
    from agentcl.server.keys import Key, Keys
    from agentcl.server.serving import serve
    from agentcl.server.settings import ServerSettings

__all__ = ["Key", "Keys", "ServerSettings", "create_app", "serve"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _face(__name__, {
        "app": "create_app",
        "keys": "Key Keys",
        "serving": "serve",
        "settings": "ServerSettings",
    })  # fmt: skip
