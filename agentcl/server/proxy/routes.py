"""The routes of the proxy: what a client of OpenAI's asks, with a memory; and all else of the upstream's, as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal, cast

from agentcl.errors import InvalidInput, needs
from agentcl.server.access import Access
from agentcl.server.asked import json_response
from agentcl.server.parts import Learning, Parts, Reading
from agentcl.server.problems import MEDIA_TYPE, Refused
from agentcl.server.proxy.adapters import ADMIN, ServedModels, adapt, list_models
from agentcl.server.proxy.answers import ToldExchange, ToldOutcome
from agentcl.server.proxy.exchanges import Exchanges, told
from agentcl.server.proxy.interfaces import Chat, Interface, Responses
from agentcl.server.proxy.passing import Passing
from agentcl.server.proxy.preparing import Preparation, check_model, passed_on
from agentcl.server.proxy.upstream import Upstream, steps_of

with needs("the server", "serve"):
    from fastapi import APIRouter, FastAPI, Query, Request
    from pydantic import BaseModel, ConfigDict, Field
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_OWN: Final = ("memory", "exchanges")  # what stands under /v1 and is ours
_OF_MODELS: Final = (
    "chat", "completions", "embeddings", "exchanges", "messages", "models", "responses",
)  # fmt: skip
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The model's answer, as it came"},
    502: {"description": "The model gives no answer"},
}
_PROBLEM: Final = {
    "description": "A problem document (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# What a key that is bound to somebody reaches by the server's own key: what is computed from a request alone ...
_COMPUTED: Final = frozenset(
    [
        "audio",
        "chat",
        "classify",
        "completions",
        "conversations",
        "detokenize",
        "embeddings",
        "images",
        "messages",
        "moderations",
        "pooling",
        "rerank",
        "responses",
        "score",
        "tokenize",
    ]
)
_BY_ID: Final = frozenset(["conversations", "responses"])  # ... and what came of that, by its id
_WAIT_S: Final = 10.0  # for an exchange to be stored whose outcome is reported


class Reported(BaseModel):
    """How an exchange turned out: one of the two."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"thumb": "up"}, {"score": 0.8}]}
    )
    score: float | None = Field(None, ge=0, le=1, description="From 0, failed, to 1, solved.")
    thumb: Literal["up", "down"] | None = None

    def as_score(self) -> float:
        """Return it as a score. Raises InvalidInput if none or both are said."""
        if (self.score is None) == (self.thumb is None):
            raise InvalidInput('say either {"score": 0 to 1} or {"thumb": "up" or "down"}')
        return float(self.thumb == "up") if self.score is None else self.score


def _told_as(kind: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of an answer, which is sent as it is."""
    return {200: {"model": kind, "description": "What is told."}, "default": _PROBLEM}


def _nobody() -> None:
    raise Refused(
        404, "no model stands behind this server: start it with --upstream http://HOST:PORT/v1"
    )


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add what a client of a language model asks, if there is an upstream."""
    if not parts.settings.upstream:
        for name in _OF_MODELS:
            for path in (f"/v1/{name}", f"/v1/{name}/{{path:path}}"):
                app.add_api_route(path, _nobody, methods=["GET", "POST"], include_in_schema=False)
        return
    upstream = Upstream(parts.settings)
    served = ServedModels(upstream)
    exchanges = Exchanges()
    preparation = Preparation(parts, exchanges)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        upstream.begin()
        yield
        await upstream.close()
        await run_in_threadpool(preparation.advising.close, "the server ended")

    router = APIRouter(tags=["proxy"], lifespan=living)

    async def answer(request: Request, interface: Interface) -> Response:
        access: Access = request.scope["agentcl.access"]
        outgoing = await run_in_threadpool(
            preparation.prepare, await request.body(), dict(request.headers), access, interface
        )
        await adapt(outgoing, served, request.scope["headers"])
        return Passing(upstream, request, outgoing.sent, outgoing, preparation)

    @router.post(
        "/v1/chat/completions",
        summary="A chat with the model, with memory",
        response_class=Response,
        responses=_ANSWERS,
    )
    async def chat(request: Request) -> Response:
        return await answer(request, Chat())

    @router.post(
        "/v1/responses",
        summary="A response of the model, with memory",
        response_class=Response,
        responses=_ANSWERS,
    )
    async def responses(request: Request) -> Response:
        return await answer(request, Responses())

    @router.get(
        "/v1/exchanges/{id}",
        summary="What the memory did in an exchange",
        responses=_told_as(ToldExchange),
    )
    async def exchange(
        id: str, access: Reading, wait: Annotated[float, Query(ge=0, le=60)] = 0.0
    ) -> Response:
        """Tell what was shown to the model, and what was remembered.

        With `wait`, it is told once the exchange is over, or after so many seconds.
        """
        found = exchanges.get(id, access)
        if wait:
            await _over(found.ended, wait)
        memory = access.narrowed(cast("dict[str, str]", found.scope)).memory
        return json_response(await run_in_threadpool(told, found, memory))

    @router.post(
        "/v1/exchanges/{id}/outcome",
        summary="Report how an exchange turned out",
        responses=_told_as(ToldOutcome),
    )
    async def outcome(id: str, told: Reported, access: Learning) -> Response:
        """Credit the memories and lessons that an exchange was shown, by a score or a thumb.

        To report the same again changes nothing. What nobody reports stays unknown, and counts neither way.
        """
        found = exchanges.get(id, access)
        await _over(found.ended, _WAIT_S)
        score = told.as_score()
        return json_response(await run_in_threadpool(preparation.advising.report, found, score))

    app.include_router(router)
    app.router.routes.insert(0, app.router.routes.pop())  # asked most often, and looked at first
    rest = APIRouter()

    @rest.api_route("/v1/{path:path}", methods=_METHODS, include_in_schema=False)
    async def other(request: Request, path: str) -> Response:
        steps = steps_of(path)
        if steps[:1] and steps[0] in _OWN:
            by_post = "; verbs are asked by POST" if path.startswith("memory/") else ""
            raise Refused(404, f"there is no {request.method} /v1/{path} here{by_post}")
        if ADMIN & {*steps}:
            raise Refused(
                403, f"/v1/{path} is for who runs the model's server, and does not pass the proxy"
            )
        access: Access = request.scope["agentcl.access"]
        if access.key and access.scope and upstream.lends_key(request.scope["headers"]):
            _refuse_account(request.method, path, steps)
        if steps[:1] == ["models"] and len(steps) > 1:
            name = "/".join([*filter(None, path.split("/"))][1:])
            await run_in_threadpool(check_model, name, access)
        if request.method == "GET" and steps == ["models"]:
            return await list_models(
                upstream, access, request.scope["headers"], request.scope["query_string"]
            )
        body = await request.body()
        kind = request.headers.get("content-type", "")
        return Passing(upstream, request, await run_in_threadpool(passed_on, body, kind, access))

    app.include_router(rest)


def _refuse_account(method: str, path: str, steps: Sequence[str]) -> None:
    """Refuse what lies in the account of the server's own key: its files and lists are of all users. Raises Refused.

    Answers that a model's server keeps are asked for by ids that nobody guesses.
    """
    first = steps[0] if steps else ""
    is_known = method == "GET" if first == "models" else first in _BY_ID and len(steps) > 1
    if not is_known and not (method == "POST" and first in _COMPUTED):
        raise Refused(
            403,
            f"{method} /v1/{path} reaches what all users of this server have at the model's: send a key of your own for "
            "that as authorization, and the one for this server as x-agentcl-key",
        )


async def _over(ended: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return
