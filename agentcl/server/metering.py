"""What the server counts of itself, for Prometheus. Nothing of what is stored, and no name, is told."""

from __future__ import annotations

from typing import Any, Final

from agentcl.errors import needs

with needs("the server", "serve"):
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)


class Meters:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "agentcl_requests", "Requests answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "agentcl_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def observe(self, scope: Any, status: int, seconds: float) -> None:  # noqa: ANN401  # ASGI's
        """Count a request that was answered. What no route takes is counted as one."""
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(scope["method"], route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)
