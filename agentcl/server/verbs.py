"""Every verb of the memory and its rooms as `POST /v1/memory/...`: an object of its arguments, and its answer as JSON.

The table in `agentcl.wire.verbs` says which. A verb works on the handle of the request's key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentcl.errors import InvalidInput, NotFound, needs
from agentcl.server.access import Access
from agentcl.server.examples import EXAMPLES
from agentcl.server.parts import Parts
from agentcl.server.problems import MEDIA_TYPE, PROBLEM
from agentcl.server.resolving import check_encoder, resolved
from agentcl.server.streaming import streamed, wants_events
from agentcl.text.suggesting import did_you_mean
from agentcl.wire.codec import from_json, to_json
from agentcl.wire.schema import Schemas
from agentcl.wire.verbs import LEFT_OUT, VERBS, Begun, Verb

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
        asked = _Asked(verb, access, parts, arguments_of(await request.body())).bound()
        if verb.callbacks & {"progress"} and wants_events(request):
            return streamed(request, verb, asked.run)
        return json_response(await run_in_threadpool(asked.run))

    return answer


def arguments_of(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty one holds no argument. Raises InvalidInput."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is no JSON: {error or 'it is nested too deeply'}") from error
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object: the verb's arguments by name")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer as JSON."""
    # Half a surrogate pair, which UTF-8 cannot hold, becomes the escape that JSON has for it.
    text = json.dumps(to_json(value), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(text, status, dict(headers or {}), "application/json")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A verb with what was sent for it."""

    verb: Verb
    access: Access
    parts: Parts
    sent: Mapping[str, Any]

    def bound(self) -> _Asked:
        """Return this with the scope that was sent for a verb that takes none bound to its handle."""
        named = {name: self.sent[name] for name in self.verb.binds if name in self.sent}
        if not named:
            return self
        fields = {name: from_json(str, value, name) for name, value in named.items()}
        sent = {name: value for name, value in self.sent.items() if name not in named}
        return replace(self, access=self.access.narrowed(fields), sent=sent)

    def run(self, **callbacks: Callable[..., Any]) -> object:
        """Run it. Raises what the verb raises, and InvalidInput for an argument that it cannot take."""
        verb, given = self.verb, self._given()
        if verb.is_under_way:
            return self._step(given)
        each = [
            value for one in verb.parameters if one.is_each for value in given.pop(one.name, ())
        ]
        memory = self.access.memory
        room = getattr(memory, verb.room) if verb.room else memory
        answer = getattr(room, verb.name)(*each, **given, **callbacks)
        if verb.key == "episodes.begin":
            return Begun(self.parts.underway.keep(answer), answer.record)
        return answer

    def _step(self, given: dict[str, Any]) -> object:
        """Go on with an episode under way: one that this key's scope has."""
        id = given.pop("id")
        with self.parts.underway.at(id) as held:
            own = held.recorder.scope
            if any(getattr(own, name) != value for name, value in self.access.scope.items()):
                raise NotFound(f"no episode {id!r} is under way here")
            if self.verb.name == "why_not":
                if held.recalled is None:
                    raise InvalidInput(
                        "nothing was recalled for this episode yet; call recall first"
                    )
                return held.recalled.why_not(**given)
            answer = self.verb.call(held.recorder, **given)
            if self.verb.name == "recall":
                held.recalled = answer
            return answer

    def _given(self) -> dict[str, Any]:
        verb, hints = self.verb, self.verb.hints
        for name in self.sent:
            if name not in hints:
                meant = did_you_mean(name[:60], hints, f"it takes {', '.join(hints) or 'nothing'}")
                raise InvalidInput(f"{verb.key} takes no {name[:60]!r}{meant}")
        missing = [
            one.name for one in verb.parameters if one.is_needed and one.name not in self.sent
        ]
        if missing:
            raise InvalidInput(f"{verb.key} needs {', '.join(map(repr, missing))}")
        given = {name: from_json(hints[name], value, name) for name, value in self.sent.items()}
        if verb.key in ("store.reembed", "jobs.enqueue", "jobs.price"):
            check_encoder(given)
        for one in verb.parameters:
            if one.stands_for and given.get(one.name) is not None:
                given[one.name] = resolved(self.access.memory, one.stands_for, given[one.name])
        return given


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
