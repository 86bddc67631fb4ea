"""Passing a request on and its answer back, chunk by chunk, until one side goes away."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import AgentclError, ModelUnavailable, needs
from agentcl.server.problems import Refused, problem_of
from agentcl.server.proxy.assembling import Assembly, Nothing, assembly_of
from agentcl.server.proxy.exchanges import Exchange
from agentcl.server.proxy.softening import REFUSED
from agentcl.server.proxy.upstream import Headers, Upstream, passed_back
from agentcl.text.visible import visible

with needs("the server", "serve"):
    import httpx
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from agentcl.server.proxy.preparing import Outgoing, Preparation

logger = logging.getLogger(__name__)
_MOST_NAMED: Final = 100  # memories, or lessons, in a header
_NOT_FOUND: Final = 404


class Passing(Response):
    """An answer that is the upstream's.

    Args:
        upstream: who is asked.
        request: that came.
        body: that is sent.
        outgoing: of an exchange; None where no memory takes part.
        preparation: that made it.
    """

    def __init__(
        self,
        upstream: Upstream,
        request: Request,
        body: bytes,
        outgoing: Outgoing | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        super().__init__()
        self._upstream = upstream
        self._request = request
        self._body = body
        self._outgoing = outgoing
        self._exchange = outgoing.exchange if outgoing else None
        self._preparation = preparation
        self._assembly: Assembly = Nothing()
        self._began = time.perf_counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the answer. If the client goes away, the upstream's work is cancelled at once."""
        relay = asyncio.ensure_future(self._relay(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((relay, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_gone = not relay.done()
            relay.cancel()
            gone.cancel()
            await asyncio.gather(relay, gone, return_exceptions=True)
            await asyncio.shield(self._end("left" if is_gone else ""))
        if not is_gone and relay.result():
            await send({"type": "http.response.body", "body": b""})

    async def _relay(self, send: Send) -> bool:
        """Pass the answer; return whether it came to its end."""
        try:
            response = await self._asked()
        except (ModelUnavailable, Refused) as error:
            await self._refuse(error, send)
            return False
        try:
            await self._start(response, send)
            held, was_whole = b"", False
            async for chunk in response.aiter_raw():
                self._assembly.feed(chunk)
                if self._assembly.is_whole and not was_whole:
                    self._hear()
                was_whole = self._assembly.is_whole
                ready, held = (held, chunk) if self._assembly.ends_late else (chunk, b"")
                if ready:
                    await send({"type": "http.response.body", "body": ready, "more_body": True})
            self._hear()
            if held:
                await send({"type": "http.response.body", "body": held, "more_body": True})
        except httpx.HTTPError as error:
            # The client sees an answer that breaks off, as the upstream's did.
            logger.warning("the model at %s broke off: %s", self._upstream.address, error)
            self._note("broken")
            return False
        finally:
            await response.aclose()
        self._note("done")
        return True

    async def _asked(self) -> httpx.Response:
        """Ask the upstream; once more where it has no such adapter, or refuses soft tokens."""
        response = await self._ask(self._body)
        outgoing, preparation = self._outgoing, self._preparation
        if response.status_code == _NOT_FOUND and self._fell_back():
            await response.aclose()
            return await self._ask(self._body)
        is_soft = outgoing is not None and outgoing.has_soft
        if not is_soft or response.status_code not in REFUSED:
            return response
        assert outgoing is not None
        assert preparation is not None
        await response.aclose()
        body = await run_in_threadpool(preparation.without_soft, outgoing, response.status_code)
        again = await self._ask(body)
        if again.status_code not in REFUSED:
            preparation.softening.refuse(response.status_code)
        return again

    async def _ask(self, body: bytes) -> httpx.Response:
        return await self._upstream.ask(
            self._request.method,
            _path(self._request),
            self._request.scope["query_string"],
            self._request.scope["headers"],
            body,
        )

    def _fell_back(self) -> bool:
        """Take the bare model in the place of an adapter that was unloaded meanwhile; return whether one was asked."""
        if self._outgoing is None or self._body is not self._outgoing.adapted:
            return False
        self._outgoing.fall_back()
        self._body = self._outgoing.body
        return True

    async def _start(self, response: httpx.Response, send: Send) -> None:
        if self._exchange is not None and self._outgoing is not None:
            kind = response.headers.get("content-type", "")
            self._assembly = assembly_of(kind, is_chat=self._outgoing.interface.is_chat)
            self._exchange.status = response.status_code
            self._exchange.first_s = time.perf_counter() - self._began
        headers = [*passed_back(response), *self._told()]
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )

    async def _refuse(self, error: AgentclError, send: Send) -> None:
        """Tell that there is no answer."""
        scope = self._request.scope
        problem = problem_of(error, request=scope.get("agentcl.request", ""), path=scope["path"])
        problem.raw_headers += self._told()
        self._note("broken")
        if self._exchange is not None:
            self._exchange.status = problem.status_code
        await problem(scope, self._request.receive, send)

    def _hear(self) -> None:
        if self._preparation is not None and self._outgoing is not None:
            self._preparation.hear(self._outgoing, self._assembly.whole())

    async def _end(self, state: str) -> None:
        """Remember what was said, and note that it is over."""
        if state:
            self._note("left")
        if self._exchange is None or self._outgoing is None or self._preparation is None:
            return
        self._exchange.whole_s = time.perf_counter() - self._began
        try:
            if self._outgoing.access is not None:
                await run_in_threadpool(self._preparation.remember, self._outgoing)
        finally:
            self._exchange.ended.set()

    def _note(self, state: Any) -> None:  # noqa: ANN401  # a State
        if self._exchange is not None:
            self._exchange.state = state

    def _told(self) -> Headers:
        """Return the headers that tell what the memory did."""
        return [] if self._exchange is None else told_in_headers(self._exchange)


def told_in_headers(exchange: Exchange) -> Headers:
    """Return what an answer's headers tell of an exchange."""
    told = {"exchange": exchange.id, "memory-tokens": str(exchange.tokens)}
    if exchange.shown:
        told["memories"] = ",".join(one.id for one in exchange.shown[:_MOST_NAMED])
    if exchange.soft is not None:
        told["soft-tokens"] = str(exchange.soft.tokens)
        told["tokens-saved"] = str(exchange.soft.saved)
    if exchange.lessons:
        told["lessons"] = ",".join(id for id, _ in exchange.lessons[:_MOST_NAMED])
    if exchange.episode:
        told["episode"] = exchange.episode
    if exchange.kept is not None:
        told["prompt-kept"] = f"{exchange.kept:.4f}"
    if exchange.adapter:
        told["adapter"] = exchange.adapter
    if exchange.warning:
        warning = visible(" ".join(exchange.warning.split()))  # it may quote what an endpoint said
        told["warning"] = warning.encode("ascii", "replace").decode()[:500]
    return [(f"x-agentcl-{name}".encode(), value.encode()) for name, value in told.items()]


def _path(request: Request) -> bytes:
    """Return what stands behind `/v1`, as it was written."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.removeprefix(b"/v1")


async def _gone(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
