"""The server as an ASGI application: its rooms, behind the guards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from agentcl.errors import AgentclError, needs
from agentcl.memory.upkeep.following import Following
from agentcl.server import chat, documents, editors, health, page, verbs
from agentcl.server.guards import Guards
from agentcl.server.keys import Keys
from agentcl.server.parts import Parts
from agentcl.server.problems import problem_of
from agentcl.server.proxy import routes as proxy
from agentcl.server.settings import ServerSettings
from agentcl.server.shared import keys_of, rates_of

with needs("the server", "serve"):
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory

_ABOUT: Final = """\
One memory behind HTTP. Errors are problem documents (RFC 9457). Once a key was made (`agentcl key add`), every request
names one: `Authorization: Bearer KEY`. The headers `x-agentcl-tenant`, `-user`, `-agent` and `-session` say whose
memory is meant, within what the key opens."""


def create_app(
    memory: Memory, *, settings: ServerSettings | None = None, keys: Keys | None = None
) -> FastAPI:
    """Return the server of a memory, to be run by an ASGI server; `agentcl.server.serve` runs it.

    Args:
        memory: what is served; closed by who opened it. A scope that is bound to it cannot be left.
        settings: default: on this machine only, without a model behind it.
        keys: who gets in; default: those made for this memory by `agentcl key add`.

    Raises:
        InvalidInput: if everybody could get in.
    """
    settings = settings or ServerSettings()
    keys = keys if keys is not None else keys_of(memory)
    settings.check(has_keys=bool(keys))
    parts = Parts(memory, keys, settings)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        parts.warming.begin()
        following = Following(memory)
        following.begin()
        yield
        following.end()
        parts.underway.close("the server ended")

    app = FastAPI(
        title="agentcl",
        summary="A memory that learns, for language models that do not change.",
        description=_ABOUT,
        version=version("agentcl"),
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=living,
    )
    for kind in (AgentclError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _tell)
    for room in (health, documents, verbs, editors, chat, page):
        room.add_to(app, parts)
    proxy.add_to(app, parts)  # the last one: what nobody else takes is the upstream's
    app.add_middleware(Guards, parts=parts, rates=rates_of(memory, settings))
    return app


def _tell(request: Request, error: Exception) -> Response:
    scope = request.scope
    return problem_of(error, request=scope.get("agentcl.request", ""), path=scope["path"])
