"""What stands before every request: whom it is for, who asks, how much, and how an error is told.

It is plain ASGI, so that a stream passes chunk by chunk, and a client that goes away is noticed at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agentcl.errors import AgentclError, needs
from agentcl.server.access import access_of, refuse_unclear_headers
from agentcl.server.logs import REQUEST
from agentcl.server.problems import Refused, problem_of
from agentcl.server.rates import Rates
from agentcl.server.settings import ServerSettings

with needs("the server", "serve"):
    from starlette.concurrency import run_in_threadpool
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from agentcl.server.parts import Parts

logger = logging.getLogger(__name__)
_OPEN: Final = frozenset(
    ["/", "/health", "/ready", "/favicon.ico"]
)  # to everybody: they tell nothing
_ASSETS: Final = "/page/"
_PLAIN: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
}


_ID: Final = b"x-request-id"


class Guards:
    """The outermost layer.

    Args:
        app: what is guarded.
        parts: of the server.
        rates: how many requests each caller makes.
    """

    def __init__(self, app: ASGIApp, parts: Parts, rates: Rates) -> None:
        self._app = app
        self._parts = parts
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on. A websocket is refused."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = _Request(scope, send)
        REQUEST.set(request.id)
        try:
            if self._parts.keys.is_far:  # others go on meanwhile
                await run_in_threadpool(self._admit, scope, request)
            else:
                self._admit(scope, request)
            body = await self._body(scope, receive)
            await self._app(scope, _replayed(body, receive), request.send)
        except Exception as error:  # whatever it is, it is told as a problem
            if not request.status:
                problem = problem_of(error, request=request.id, path=scope["path"])
                await problem(scope, receive, request.send)
            elif isinstance(error, AgentclError):
                logger.warning("request %s broke off: %s", request.id, type(error).__name__)
            else:
                logger.error("request %s broke off", request.id, exc_info=error)
        finally:
            self._parts.meters.observe(scope, request.status or 499, request.seconds)
            logger.info("request", extra={"fields": request.told(scope)})

    def _admit(self, scope: Scope, request: _Request) -> None:
        headers = _headers(scope)
        settings = self._parts.settings
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Refused(  # a server before this one may have cut it elsewhere (request smuggling)
                400,
                "a request tells its length by Content-Length or by Transfer-Encoding, not by both",
                headers={"connection": "close"},
            )
        if not settings.answers_to(headers.get("host", "")):
            raise Refused(
                421,
                f"this server does not go by the name {headers.get('host', '')!r}; if it should, start it with "
                "--allow-host",
            )
        _check_origin(headers, settings)
        scope["agentcl.request"] = request.id
        path = scope["path"]
        if path in _OPEN or path.startswith(_ASSETS):
            return
        _check_site(headers)
        refuse_unclear_headers(name.decode("latin-1") for name, _ in scope["headers"])
        access = access_of(
            self._parts.memory, self._parts.keys, headers, is_local=settings.is_local
        )
        self._rates.count(access.key or (scope.get("client") or ("",))[0])
        scope["agentcl.access"] = access

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return the whole body, which is small; so nothing behind this waits for a slow client."""
        most = self._parts.settings.most_body
        told = _headers(scope).get("content-length", "0")
        if told.isdecimal() and int(told) > most:
            raise _too_large(most)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._parts.settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(408, "the client went away before its request was whole")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise _too_large(most)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(
                408,
                f"the request was not whole after {self._parts.settings.body_seconds:g} s",
                headers={"connection": "close"},
            ) from None


class _Request:
    """What is noted of a request while it is answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.id = token_hex(8)
        self.status = 0  # before it is answered
        self._began = time.perf_counter()
        self._private = scope["path"] not in _OPEN and not scope["path"].startswith(_ASSETS)
        self._send = send

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self._began

    def told(self, scope: Scope) -> Mapping[str, object]:
        """Return what is written down of it: no path, which may name what is stored, but its route."""
        access = scope.get("agentcl.access")
        return {
            "request": self.id,
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", "none"),
            "status": self.status or 499,
            "ms": round(1_000 * self.seconds, 2),
            **({"key": access.key} if access is not None and access.key else {}),
        }

    async def send(self, message: Message) -> None:
        """Hand on a part of the answer, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            more = dict(_PLAIN)
            if self._private:
                more[b"cache-control"] = b"no-store"
            # What a browser is told is not left to the model's server; the id that it gave a request is.
            held = [one for one in message.get("headers", []) if one[0].lower() not in more]
            if all(name.lower() != _ID for name, _ in held):
                more[_ID] = self.id.encode()
            message = {**message, "headers": [*held, *more.items()]}
        await self._send(message)


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers by name; of one that stands twice, the first."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), _text(value))
    return found


def _text(value: bytes) -> str:
    """Return what a header says, which is UTF-8 with most clients and Latin-1 by the old rule."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _check_origin(headers: Mapping[str, str], settings: ServerSettings) -> None:
    """Refuse what another page asks in a browser (CSRF)."""
    origin = headers.get("origin")
    if origin is None or origin in settings.origins:
        return
    if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Refused(403, f"pages of {origin} may not ask this server; see --allow-origin")


def _check_site(headers: Mapping[str, str]) -> None:
    """Refuse what another page has a browser get: it names no origin then, as for an image, but where it comes from."""
    if "origin" not in headers and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Refused(
            403, "another page may not have a browser ask this; open the address by itself"
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body once, and then what comes: that the client went away."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


def _too_large(most: int) -> Refused:
    return Refused(
        413,
        f"a request has {most:,} bytes at the most; send less at a time",
        headers={"connection": "close"},
    )
