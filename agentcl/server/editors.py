"""`/mcp`: the tools for editors over HTTP, each request in the scope and with the rights of its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from agentcl.errors import needs
from agentcl.mcp.answering import Identified
from agentcl.mcp.server import memory_server, over_http
from agentcl.mcp.tools import Act, Tools
from agentcl.server.parts import Parts

with needs("the server", "serve"):
    from fastapi import APIRouter, FastAPI
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory
    from agentcl.server.access import Access

# What a tool is called with says nothing of HTTP. It runs in a copy of the context of its request.
_ACCESS: Final[ContextVar[Access]] = ContextVar("agentcl.access")


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add `/mcp`, which works while the application does."""
    tools = Tools(_memory_of_the_request, application=parts.settings.application)
    answering = over_http(memory_server(tools), most_body=parts.settings.most_body)

    @asynccontextmanager
    async def working(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with answering.run():
                yield
        finally:
            tools.close()

    # Only POST: nothing is announced, so there is no stream to GET, and no session to DELETE.
    app.router.routes.append(_Accessed("/mcp", Identified(answering.asgi_app), methods=["POST"]))
    app.include_router(APIRouter(lifespan=working))


class _Accessed(Route):
    """Lets what stands behind know what the request may reach."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # by which it is counted
        token = _ACCESS.set(scope["agentcl.access"])
        try:
            await super().handle(scope, receive, send)
        finally:
            _ACCESS.reset(token)


def _memory_of_the_request(act: Act) -> Memory:
    return _ACCESS.get().need(act).memory
