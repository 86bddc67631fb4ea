"""Documents as resources: by id under `/v1/memory/documents/{id}`, by uri under `/v1/memory/documents?uri=`.

The `ETag` is the version. With `If-Match` a change is made only if the document is still at that version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from agentcl.errors import InvalidInput, NotFound, VersionConflict, needs
from agentcl.server.access import Access
from agentcl.server.asked import Asked, arguments_of, json_response
from agentcl.server.parts import Parts
from agentcl.server.problems import MEDIA_TYPE, Refused
from agentcl.store.records import Document, Record
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.verbs import VERBS

with needs("the server", "serve"):
    from fastapi import APIRouter, Depends, FastAPI, Query, Request
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

_PATH: Final = "/v1/memory/documents"
_ONE: Final = f"{_PATH}/{{id}}"
_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,18})"')
_PAGE: Final = 100
_MOST: Final = 1_000  # documents on a page
_FRESH: Final[Mapping[str, Any]] = {
    "title": "",
    "metadata": {},
    "valid_from": None,
    "valid_to": None,
}
_CHANGED: Final = ("text", *_FRESH, "vector")
_REF: Final = {"$ref": "#/components/schemas/Document"}
_PROBLEM: Final = {
    "default": {
        "description": "A problem document (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "text": {"type": "string"},
                        "title": {"type": "string"},
                        "metadata": {"type": "object"},
                        "valid_from": {"type": ["string", "null"], "format": "date-time"},
                        "valid_to": {"type": ["string", "null"], "format": "date-time"},
                        "vector": {"type": "array", "items": {"type": "number"}},
                    },
                }
            }
        },
    }
}


def _scope(
    tenant: str | None = None,
    user: str | None = None,
    agent: str | None = None,
    session: str | None = None,
) -> Mapping[str, str]:
    named = {"tenant": tenant, "user": user, "agent": agent, "session": session}
    return {name: value for name, value in named.items() if value is not None}


Scoped = Annotated[Mapping[str, str], Depends(_scope)]


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add documents as resources."""
    router = APIRouter(tags=["documents"])
    answer: dict[str, Any] = {"responses": {"200": _told(_REF), **_PROBLEM}}

    async def run(request: Request, verb: str, sent: Mapping[str, Any]) -> Any:  # noqa: ANN401
        access: Access = request.scope["agentcl.access"].need(VERBS[verb].right)
        asked = Asked(VERBS[verb], access, parts, sent)
        return await run_in_threadpool(asked.once(request.headers.get("idempotency-key")))

    async def change(
        request: Request, named: Mapping[str, str], fresh: Mapping[str, Any], scope: Scoped
    ) -> Response:
        body = arguments_of(await request.body())
        for name in body:
            if name not in _CHANGED:
                meant = did_you_mean(name[:60], _CHANGED, f"it has {', '.join(_CHANGED)}")
                raise InvalidInput(f"a document that is written has no {name[:60]!r}{meant}")
        if fresh and "text" not in body:
            raise InvalidInput(
                "a document that is replaced needs 'text'; PATCH leaves out what stays"
            )
        sent = {**named, **fresh, **body, **_if_match(request), **scope}
        return _shown(await _matched(request, run(request, "update", sent)))

    @router.get(_PATH, summary="A page of documents, or the one with a uri", openapi_extra=_page())
    async def page(
        request: Request,
        scope: Scoped,
        uri: Annotated[str | None, Query(description="of the one document that is wanted")] = None,
        prefix: Annotated[str, Query(description="only documents whose uri begins so")] = "",
        limit: Annotated[int, Query(ge=1, le=_MOST)] = _PAGE,
        after: Annotated[str | None, Query(description="`next` of the page before")] = None,
        as_of: Annotated[
            str | None, Query(description="as recorded at this moment, ISO 8601")
        ] = None,
    ) -> Response:
        at = {} if as_of is None else {"as_of": as_of}
        if uri is not None:
            return _if_changed(request, await run(request, "get", {"uri": uri, **at, **scope}))
        sent = {"prefix": prefix, "limit": limit, **_after(after), **at, **scope}
        found = await run(request, "list", sent)
        last = f"{found[-1].id}:{found[-1].version}" if len(found) == limit else None
        return json_response({"documents": found, "next": last})

    @router.get(_ONE, summary="A document", openapi_extra=answer)
    async def get(request: Request, id: str, scope: Scoped, as_of: str | None = None) -> Response:
        at = {} if as_of is None else {"as_of": as_of}
        return _if_changed(request, await run(request, "get", {"id": id, **at, **scope}))

    @router.put(_ONE, summary="Replace what a document says", openapi_extra={**answer, **_BODY})
    async def put(request: Request, id: str, scope: Scoped) -> Response:
        return await change(request, {"id": id}, _FRESH, scope)

    @router.patch(_ONE, summary="Change parts of a document", openapi_extra={**answer, **_BODY})
    async def patch(request: Request, id: str, scope: Scoped) -> Response:
        return await change(request, {"id": id}, {}, scope)

    @router.delete(_ONE, summary="Delete a document; its history stays", status_code=204)
    async def delete(request: Request, id: str, scope: Scoped) -> Response:
        sent = {"id": id, **_if_match(request), **scope}
        await _matched(request, run(request, "delete", sent))
        return Response(status_code=204)

    @router.put(_PATH, summary="Replace the document with a uri", openapi_extra={**answer, **_BODY})
    async def put_at(request: Request, uri: str, scope: Scoped) -> Response:
        return await change(request, {"uri": uri}, _FRESH, scope)

    @router.patch(
        _PATH, summary="Change the document with a uri", openapi_extra={**answer, **_BODY}
    )
    async def patch_at(request: Request, uri: str, scope: Scoped) -> Response:
        return await change(request, {"uri": uri}, {}, scope)

    @router.delete(_PATH, summary="Delete the document with a uri", status_code=204)
    async def delete_at(request: Request, uri: str, scope: Scoped) -> Response:
        sent = {"uri": uri, **_if_match(request), **scope}
        await _matched(request, run(request, "delete", sent))
        return Response(status_code=204)

    app.include_router(router)


async def _matched(request: Request, running: Any) -> Any:  # noqa: ANN401  # of a document
    """Return what a change answers; what `If-Match` did not allow is its own status. Raises Refused."""
    try:
        return await running
    except VersionConflict as error:
        raise Refused(412, str(error)) from error


def _if_match(request: Request) -> dict[str, int]:
    """Return the version that a document must be at. Raises InvalidInput."""
    told = request.headers.get("if-match")
    if told is None or told.strip() == "*":
        return {}
    if not (found := _ETAG.fullmatch(told.strip())):
        raise InvalidInput(f'If-Match is the ETag of the document, e.g. "3", and not {told[:60]!r}')
    return {"if_version": int(found[1])}


def _if_changed(request: Request, record: Record) -> Response:
    """Return a document, or that it is as the client has it."""
    if not isinstance(record, Document):
        raise NotFound(
            f"{record.id!r} is a {record.kind}, and no document; POST /v1/memory/get returns it"
        )
    if request.headers.get("if-none-match", "").removeprefix("W/") == _etag(record.version):
        return Response(status_code=304, headers={"etag": _etag(record.version)})
    return _shown(record)


def _shown(answer: Document | Mapping[str, Any]) -> Response:
    """Return a document, or one that was told before, with its version."""
    version = answer.version if isinstance(answer, Document) else answer["version"]
    return json_response(answer, headers={"etag": _etag(version)})


def _etag(version: int) -> str:
    return f'"{version}"'


def _after(cursor: str | None) -> dict[str, Any]:
    """Return the argument of `list` that a cursor stands for. Raises InvalidInput."""
    if cursor is None:
        return {}
    id, _, version = cursor.partition(":")
    if not version.isdecimal() or len(version) > 18:
        raise InvalidInput("after is the `next` of the page before")
    return {"after": {"id": id, "version": int(version)}}


def _told(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": "What it is.", "content": {"application/json": {"schema": schema}}}


def _page() -> dict[str, Any]:
    page = {
        "type": "object",
        "properties": {
            "documents": {"type": "array", "items": _REF},
            "next": {"type": ["string", "null"], "description": "`after` of the page that follows"},
        },
        "required": ["documents", "next"],
    }
    return {"responses": {"200": _told({"anyOf": [page, _REF]}), **_PROBLEM}}
