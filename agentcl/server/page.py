"""The web page: static files that come with the package, and a browser that may load nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from agentcl.errors import needs
from agentcl.server.parts import Parts
from agentcl.server.problems import Refused

with needs("the server", "serve"):
    from fastapi import FastAPI, Request
    from starlette.responses import Response

FOLDER: Final = Path(__file__).with_name("page")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing of elsewhere, nothing written into the page, and stored text is never taken for a script.
_POLICY: Final = "; ".join([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
])  # fmt: skip
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
_FOREVER: Final = "public, max-age=31536000, immutable"  # an asset's name has its hash


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add `/`, `/favicon.ico` and `/page/…`. They are open to everybody: they hold nothing of a memory."""
    held = {path.relative_to(FOLDER).as_posix(): path for path in _files()}

    def answer(request: Request, name: str, keeping: str) -> Response:
        path = held.get(name)
        if path is None:
            raise Refused(404, "there is no such file of the page")
        headers = {**_HEADERS, "cache-control": keeping, "vary": "accept-encoding"}
        if not _takes_gzip(request):
            return Response(path.read_bytes(), 200, headers, _TYPES[path.suffix])
        headers["content-encoding"] = "gzip"
        return Response(_packed(path), 200, headers, _TYPES[path.suffix])

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        return answer(request, "index.html", "no-cache")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon(request: Request) -> Response:
        return answer(request, "icon.svg", "no-cache")

    @app.get("/page/{name:path}", include_in_schema=False)
    def asset(request: Request, name: str) -> Response:
        return answer(request, name, _FOREVER if name.startswith("assets/") else "no-cache")


def _takes_gzip(request: Request) -> bool:
    """Whether the browser reads gzip; `gzip;q=0` says that it does not."""
    named = request.headers.get("accept-encoding", "").lower().split(",")
    ways = {way.strip(): weight.strip() for way, _, weight in (one.partition(";") for one in named)}
    weight = ways.get("gzip")
    return weight is not None and (not weight or weight.strip("q=0.") != "")


@cache
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def _files() -> Iterable[Path]:
    return (path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
