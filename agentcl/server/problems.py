"""What is answered when something is refused or fails: problem documents (RFC 9457) with the name of our error.

{"type": "urn:agentcl:error:NotFound", "title": "NotFound", "status": 404, "detail": "there is no ...",
"request": "5f0c2a9e"}
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from agentcl import errors
from agentcl.errors import AgentclError, needs
from agentcl.text.visible import shortened

with needs("the server", "serve"):
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

logger = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
_RETRY_S: Final = 1
_SHOWN: Final = 200  # characters of a path
PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "What was refused or failed, and what to do (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {
            "type": "string",
            "description": "The name of the error that Python would raise.",
        },
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request": {
            "type": "string",
            "description": "The id under which the server's log tells more.",
        },
    },
}

# The nearest class counts, so one line may stand for many.
_STATUS: Final[Mapping[type[AgentclError], int]] = {
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.VersionConflict: 409,
    errors.Duplicate: 409,
    errors.EncoderMismatch: 409,
    errors.NotEquipped: 409,
    errors.LoadError: 422,
    errors.TransferError: 422,
    errors.NotTrusted: 403,
    errors.MissingExtra: 501,
    errors.ModelUnavailable: 502,
    errors.RequestRefused: 502,
    errors.NoAnswer: 502,
    errors.SchemaViolation: 502,
    errors.StoreUnavailable: 503,
    errors.EncoderUnavailable: 503,
    errors.StoreBusy: 503,
    errors.StorageFull: 507,
    errors.MemoryClosed: 503,
}


class Refused(AgentclError):
    """A request that the server does not serve.

    Args:
        status: of HTTP.
        detail: what was wrong and what to do.
        headers: that go with it.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: Exception) -> int:
    """Return the status of HTTP that tells an error; 500 for one that nobody meant."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 422
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 500


def problem_of(error: Exception, *, request: str = "", path: str = "") -> Response:
    """Return the answer that tells an error.

    One of ours is told as it is. Of one that nobody meant only the request's id is told, and the rest is logged.

    Args:
        error: what happened.
        request: the id of the request.
        path: that was asked. A client of a language model gets the error as OpenAI's look, too.
    """
    status = status_of(error)
    body: dict[str, Any] = {"status": status}
    headers: dict[str, str] = {}
    if isinstance(error, Refused):
        title, detail, headers = _REFUSALS.get(status, "Refused"), str(error), dict(error.headers)
    elif isinstance(error, AgentclError):
        title, detail = type(error).__name__, str(error)
    elif isinstance(error, RequestValidationError):
        title, detail = "InvalidInput", _told(error)
        body["errors"] = [
            {"where": list(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()
        ]
    elif isinstance(error, HTTPException):
        title, detail = _REFUSALS.get(status, "Refused"), str(error.detail)
        headers = dict(error.headers or {})
        if status == 404:
            detail = (
                f"there is nothing at {shortened(path, _SHOWN)}; /openapi.json lists what there is"
            )
        elif status == 405:
            detail = f"{shortened(path, _SHOWN)} takes {headers.get('Allow', 'another method')}; see /openapi.json"
    else:
        logger.error("request %s failed", request, exc_info=error)
        title = "InternalError"
        detail = (
            "something failed that should not; the server's log tells more under this request's id"
        )
    if isinstance(error, errors.StoreBusy):
        headers["retry-after"] = str(_RETRY_S)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = {"type": f"urn:agentcl:error:{title}", "title": title, **body, "detail": detail}
    if request:
        body["request"] = request
    if path.startswith("/v1/") and not path.startswith("/v1/memory/"):
        body["error"] = {"message": detail, "type": title, "code": title}
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


_REFUSALS: Final = {
    401: "KeyNeeded",
    403: "NotAllowed",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "TooSlow",
    409: "NotAgain",
    410: "NotFound",
    412: "VersionConflict",
    413: "TooLarge",
    415: "NotJSON",
    421: "OtherHost",
    422: "InvalidInput",
    429: "TooMany",
}


def _told(error: RequestValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"] if step != "body")
    return f"{place}: {first['msg']}" if place else str(first["msg"])
