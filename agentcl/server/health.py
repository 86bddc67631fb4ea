"""Whether the server lives, whether it can serve, and what it counts."""

from __future__ import annotations

from agentcl.errors import needs
from agentcl.server.parts import Parts, Reading

with needs("the server", "serve"):
    from fastapi import APIRouter, FastAPI
    from starlette.responses import Response


def add_to(app: FastAPI, parts: Parts) -> None:
    """Add `/health`, `/ready` and `/metrics`."""
    router = APIRouter(tags=["server"])

    @router.get("/health", summary="The process answers")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready", summary="The memory can be read", responses={503: {}})
    def ready() -> dict[str, str]:
        """Tell of the encoder: "loading", "ready", or the error that keeps it from being so."""
        parts.memory.store.journal.last_seq()
        return {"status": "ready", "encoder": parts.warming.state}

    @router.get("/metrics", summary="Counters for Prometheus", response_class=Response)
    def metrics(access: Reading) -> Response:
        return Response(parts.meters.text(), media_type="text/plain; version=0.0.4")

    app.include_router(router)
