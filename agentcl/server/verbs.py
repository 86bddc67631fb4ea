"""Every verb of the memory and its rooms as `POST /v1/memory/...`: an object of its arguments, and its answer as JSON.

The table in `agentcl.wire.verbs` says which. A verb works on the handle of the request's key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentcl.errors import NotFound, needs
from agentcl.server.access import Access
from agentcl.server.asked import Asked, arguments_of, json_response
from agentcl.server.examples import EXAMPLES
from agentcl.server.parts import Parts
from agentcl.server.problems import MEDIA_TYPE, PROBLEM
from agentcl.server.streaming import streamed, wants_events
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.schema import Schemas
from agentcl.wire.verbs import LEFT_OUT, VERBS, Verb

with needs("the server", "serve"):
    from fastapi import APIRouter, FastAPI, Request
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add every verb of the table, and say for any other name which one was probably meant."""
    router, schemas = APIRouter(), Schemas()
    for verb in VERBS.values():
        router.add_api_route(
            verb.path,
            _endpoint(verb, parts),
            methods=["POST"],
            tags=[verb.room or "memory"],
            operation_id=verb.key.replace(".", "_"),
            summary=verb.about.splitlines()[0],
            description=verb.about,
            openapi_extra=_told(verb, schemas),
        )

    @router.post("/v1/memory/{name:path}", include_in_schema=False)
    def unknown(name: str) -> None:
        key = name.strip("/").replace("/", ".")
        room, _, verb = key.rpartition(".")
        if reason := LEFT_OUT.get((room, verb)):
            raise NotFound(f"{key} does not go over HTTP: {reason}")
        raise NotFound(
            f"there is no verb {key[:60]!r}{did_you_mean(key[:60], VERBS, 'see /openapi.json')}"
        )

    app.include_router(router)
    _describe(app, schemas)


def _endpoint(verb: Verb, parts: Parts) -> Callable[..., Any]:
    async def answer(request: Request) -> Response:
        access: Access = request.scope["agentcl.access"].need(verb.right)
        asked = Asked(verb, access, parts, arguments_of(await request.body())).bound()
        run = asked.once(request.headers.get("idempotency-key"))
        if verb.callbacks & {"progress"} and wants_events(request):
            return streamed(request, verb, run)
        return json_response(await run_in_threadpool(run))

    return answer


def _told(verb: Verb, schemas: Schemas) -> dict[str, Any]:
    """Return what the OpenAPI document says of a verb beside its words."""
    takes: dict[str, Any] = {"schema": schemas.request(verb)}
    if example := EXAMPLES.get(verb.key):
        takes["example"] = example
    gives: dict[str, Any] = {"application/json": {"schema": schemas.of(verb.answer)}}
    if "progress" in verb.callbacks:
        gives["text/event-stream"] = {"schema": {"type": "string"}}
    needed = any(one.is_needed for one in verb.parameters)
    return {
        "requestBody": {"required": needed, "content": {"application/json": takes}},
        "responses": {
            "200": {"description": "What it returns.", "content": gives},
            "default": {
                "description": "A problem document (RFC 9457).",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
        "x-agentcl-right": verb.right,
    }


def _describe(app: FastAPI, schemas: Schemas) -> None:
    """See to it that the OpenAPI document holds the schemas that its verbs name."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        document = written()
        held = document.setdefault("components", {}).setdefault("schemas", {})
        held.update({**schemas.components, "Problem": PROBLEM})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents
