"""The model behind the proxy: where requests go, and which headers go with them and come back.

Where they go is settled when the server starts. Nothing that a request, an answer or a memory says changes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_to_bytes

from agentcl.errors import ConfigError, ModelUnavailable, needs
from agentcl.server.problems import Refused
from agentcl.text.endpoint import check_address, is_loopback
from agentcl.text.visible import shortened

with needs("the server", "serve"):
    import httpx

if TYPE_CHECKING:
    from agentcl.server.settings import ServerSettings

Headers = list[tuple[bytes, bytes]]
_CONNECT_S: Final = 10.0
_LOOK_S: Final = 2.0
# Less than servers keep a connection, so that none is used that they are closing
_IDLE_S: Final = 2.0
_KEY: Final = re.compile(rb"agentcl-[A-Za-z0-9_-]{43}")
_OF_THE_WAY: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
# What is said to this server and to no other: its name, a browser's cookies for it, the form of its answers.
_OURS: Final = frozenset(
    b"host content-length accept-encoding cookie origin referer expect forwarded x-forwarded-for "
    b"x-forwarded-host x-forwarded-proto x-real-ip".split()
)
# What only this server may say to its clients, above all to their browsers.
_THEIRS: Final = frozenset(
    b"date server set-cookie strict-transport-security clear-site-data alt-svc refresh link nel report-to "
    b"reporting-endpoints service-worker-allowed sourcemap x-sourcemap www-authenticate x-frame-options "
    b"x-content-type-options referrer-policy permissions-policy content-security-policy "
    b"content-security-policy-report-only cache-control".split()
)
_CROSS_ORIGIN: Final = (b"access-control-", b"cross-origin-")
_PREFIX: Final = b"x-agentcl-"
_SHOWN: Final = 200  # characters of an address
_ROUNDS: Final = 8  # in which a path is decoded
# A client that follows it sends the key for this server along, in a header that only this server knows.
_ELSEWHERE: Final = re.compile(r"(?!/[\w.~%-])")
_SHUT: Final = (b"content-security-policy", b"default-src 'none'; sandbox")  # if a browser shows it


def silence_of(address: str) -> str:
    """Return why nothing answers at an endpoint; empty if something does, whatever it says."""
    try:
        httpx.get(f"{address.rstrip('/')}/models", timeout=_LOOK_S)
    except httpx.HTTPError as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def steps_of(path: str) -> list[str]:
    """Return the parts of a path as a server might read it that decodes twice, or knows `;` and backslashes.

    Args:
        path: as it was written, or decoded.
    """
    for _ in range(_ROUNDS):
        path, before = unquote(path), path
        if path == before:
            break
    parts = re.split(r"[/\\]", re.split(r"[?#]", path, maxsplit=1)[0])
    found = [part.partition(";")[0].strip().lower() for part in parts]
    return [part for part in found if part]


class Upstream:
    """An OpenAI-compatible endpoint.

    Args:
        settings: of the server.

    Raises:
        ConfigError: if its address is none, or holds a password.
    """

    def __init__(self, settings: ServerSettings) -> None:
        if "@" in settings.upstream:
            raise ConfigError(
                "the address of --upstream holds a user or a password, which messages would show; name the variable "
                "that holds the key by --upstream-key-env"
            )
        check_address(settings.upstream, "the model behind the proxy (--upstream)")
        self.address = settings.upstream.rstrip("/")
        self._base = httpx.URL(self.address)
        self._key = settings.upstream_key
        self._seconds = settings.upstream_seconds
        self._open: httpx.AsyncClient | None = None

    def begin(self) -> None:
        """Open the client, in the loop that uses it."""
        self._open = httpx.AsyncClient(
            timeout=httpx.Timeout(self._seconds, connect=_CONNECT_S, pool=None),
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=200, keepalive_expiry=_IDLE_S
            ),
            trust_env=not is_loopback(self.address),
            follow_redirects=False,
        )

    def lends_key(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether a request with these headers goes on with the server's own key: it brings none for the model."""
        dropped = _named(headers)
        brought = any(
            name == b"authorization" and name not in dropped and not _KEY.search(value)
            for name, value in headers
        )
        return bool(self._key) and not brought

    async def close(self) -> None:
        """Close the client."""
        if self._open is not None:
            await self._open.aclose()

    async def ask(
        self,
        method: str,
        path: bytes,
        query: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> httpx.Response:
        """Send a request, and return its answer as soon as its headers are there; closed by the caller.

        Args:
            method: of HTTP.
            path: behind `/v1`, as it was written.
            query: as it was written.
            headers: of the request that came.
            body: to be sent.

        Raises:
            ModelUnavailable: if it gives no answer.
            Refused: if the path leads elsewhere, the address holds a key of ours, a header cannot be sent, or the answer
                sends the client elsewhere.
        """
        assert self._open is not None
        if any(part in (".", "..") for part in steps_of(path.decode("latin-1"))):
            raise Refused(404, "a path with dots leads nowhere")
        if any(_KEY.search(unquote_to_bytes(part)) for part in (path, query)):
            raise Refused(
                400, "a key stands in the address, where logs keep it; send it as x-agentcl-key"
            )
        target = self._base.raw_path.rstrip(b"/") + path + (b"?" + query if query else b"")
        try:
            request = self._open.build_request(
                method,
                self._base.copy_with(raw_path=target),
                headers=[*self._sent(headers)],
                content=body or None,
            )
            response = await self._open.send(request, stream=True)
        except (httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise Refused(400, f"this request cannot be sent on: {error}") from error
        except httpx.HTTPError as error:
            raise self._fault(error) from error
        if response.has_redirect_location and _ELSEWHERE.match(response.headers["location"]):
            await response.aclose()
            raise Refused(
                502,
                f"the model's server sends this request on to {shortened(response.headers['location'], _SHOWN)!r}, which "
                "nobody named; if it is right, start this server with that address (--upstream)",
            )
        return response

    def _fault(self, error: httpx.HTTPError) -> ModelUnavailable:
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                what = "cannot be reached; is it running, and is that its address?"
            case httpx.TimeoutException():
                what = f"said nothing for {self._seconds:g} s (--upstream-seconds)"
            case _:
                what = "broke off, or does not speak HTTP"
        told = " ".join(str(error).split())
        return ModelUnavailable(
            f"the model at {self.address} {what}" + (f" ({told})" if told else "")
        )

    def _sent(self, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the headers that go on. A key of ours never does; the server's own key may take its place."""
        dropped = _OF_THE_WAY | _OURS | _named(headers)
        for name, value in headers:
            if not (name in dropped or name.startswith(_PREFIX) or _KEY.search(value)):
                yield name, value
        yield b"accept-encoding", b"identity"  # so that what passes can be read
        if self.lends_key(headers):
            yield b"authorization", b"Bearer " + self._key.encode()


def passed_back(response: httpx.Response) -> Headers:
    """Return the headers of an answer that go to the client."""
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    dropped = _OF_THE_WAY | _THEIRS | _named(headers)
    return [
        *(
            (name, value)
            for name, value in headers
            if name not in dropped and not name.startswith((_PREFIX, *_CROSS_ORIGIN))
        ),
        _SHUT,
    ]


def _named(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the headers that `Connection` names as being of this way only."""
    told = (value for name, value in headers if name == b"connection")
    return frozenset(name.strip().lower() for value in told for name in value.split(b","))
