"""Who answers behind the proxy: the adapter that the memory's rows name, if the model's server has it.

A client names a model. Where an adapter answers in its scope, and the server serves that adapter on the very model,
the adapter's name goes in its place. What the server has is asked for now and then; what it lost meanwhile is answered
by the bare model.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import ModelUnavailable, needs
from agentcl.server.access import Access
from agentcl.server.problems import Refused
from agentcl.server.proxy.upstream import Headers, Upstream, passed_back
from agentcl.text.parsing import parsed_json

with needs("the server", "serve"):
    import httpx
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

if TYPE_CHECKING:
    from agentcl.server.proxy.preparing import Outgoing

# Behind /v1 of vLLM: who may ask the proxy must not change what the server serves.
ADMIN: Final = frozenset(["load_lora_adapter", "unload_lora_adapter"])
_MODELS: Final = b"/models"
_COMPLETIONS: Final = b"/completions"
_KEPT_S: Final = 5.0  # that a list of models is used again ...
_MISSED_S: Final = 1.0  # ... and one in which a name was missing
_TRIED_S: Final = 30.0  # before a server is asked again for an adapter that it did not load
_MOST: Final = 4 * 1024 * 1024  # bytes of a list of models


class ServedModels:
    """What the model's server serves, asked for now and then. In one event loop.

    Args:
        upstream: who is asked.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parents: Mapping[str, str] = {}
        self._at = float("-inf")
        self._loads = False  # perhaps: it is a vLLM
        self._tried: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def base_of(self, name: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the model that an adapter is served on; empty if it is not served.

        A vLLM that does not list it is asked for it once in a while: with the resolver of adapters it loads it then.

        Args:
            name: of the adapter.
            headers: of the request that came, for the server's key.
        """
        async with self._lock:
            age = time.monotonic() - self._at
            if age > (_KEPT_S if name in self._parents else _MISSED_S):
                await self._list(headers)
            if name not in self._parents and self._may_load(name):
                self._tried[name] = time.monotonic()
                if await self._loaded(name, headers):
                    await self._list(headers)
        return self._parents.get(name, "")

    def _may_load(self, name: str) -> bool:
        return self._loads and time.monotonic() - self._tried.get(name, float("-inf")) > _TRIED_S

    async def _loaded(self, name: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Ask for one token of an adapter; return whether the server answered."""
        body = json.dumps({"model": name, "prompt": "x", "max_tokens": 1}).encode()
        try:
            response = await self._upstream.ask("POST", _COMPLETIONS, b"", headers, body)
        except (ModelUnavailable, Refused):
            return False
        await response.aclose()
        return response.status_code == httpx.codes.OK

    async def _list(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._parents = await self._asked(headers)
        self._at = time.monotonic()

    async def _asked(self, headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
        try:
            listed = _listed(*await _models(self._upstream, headers))
        except (ModelUnavailable, Refused):
            return {}
        self._loads = any(one.get("owned_by") == "vllm" for one in listed)
        return {
            one["id"]: parent
            for one in listed
            if isinstance(one.get("id"), str) and isinstance(parent := one.get("parent"), str)
        }


async def adapt(
    outgoing: Outgoing, served: ServedModels, headers: Iterable[tuple[bytes, bytes]]
) -> None:
    """Let the adapter answer that is to, if the server has it on the model that was asked for."""
    route, exchange = outgoing.route, outgoing.exchange
    name = route.name or route.withheld
    if not name or not exchange.model or exchange.model == name:
        return
    base = await served.base_of(name, headers)
    if base == exchange.model:
        exchange.coins = route.coins  # where a canary was withheld, this is one of its controls
        if route.name:
            exchange.adapter = name + ("; stale" if route.is_stale else "")
    elif not base and route.name:
        outgoing.fall_back()


async def list_models(
    upstream: Upstream, access: Access, headers: Iterable[tuple[bytes, bytes]], query: bytes
) -> Response:
    """Return the server's list of models, without the adapters of others. Raises as `Upstream.ask` does."""
    response, content = await _models(upstream, headers, query)
    listed = _listed(response, content)
    if not listed:
        return _passed(response, content)

    def allowed() -> list[Mapping[str, Any]]:
        adapters = access.memory.adapters
        return [one for one in listed if adapters.allows(str(one.get("id", "")))]

    kept = await run_in_threadpool(allowed)
    if len(kept) == len(listed):
        return _passed(response, content)
    return _passed(response, json.dumps({**parsed_json(content), "data": kept}).encode())


async def _models(
    upstream: Upstream, headers: Iterable[tuple[bytes, bytes]], query: bytes = b""
) -> tuple[httpx.Response, bytes]:
    """Return the server's answer about its models, and all that it says."""
    response = await upstream.ask("GET", _MODELS, query, headers, b"")
    content = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > _MOST:
                raise ModelUnavailable(
                    f"the model at {upstream.address} lists its models in more than {_MOST:,} bytes"
                )
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"the model at {upstream.address} broke off: {error}") from error
    finally:
        await response.aclose()
    return response, bytes(content)


def _passed(response: httpx.Response, body: bytes) -> Response:
    headers: Headers = [one for one in passed_back(response) if one[0] != b"content-length"]
    passed = Response(body, response.status_code)
    passed.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return passed


def _listed(response: httpx.Response, content: bytes) -> list[Mapping[str, Any]]:
    """Return the models of an answer; none if it is no list of models."""
    if response.status_code != httpx.codes.OK:
        return []
    try:
        told = parsed_json(content)
    except ValueError:
        return []
    data = told.get("data") if isinstance(told, dict) else None
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
