"""Running the server until it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EACCES, EADDRNOTAVAIL
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    gaierror,
    socket,
)
from typing import TYPE_CHECKING, Any

from agentcl.errors import InvalidInput, needs
from agentcl.server.app import create_app
from agentcl.server.keys import Keys
from agentcl.server.patience import PatientProtocol
from agentcl.server.settings import ServerSettings

with needs("the server", "serve"):
    import uvicorn

if TYPE_CHECKING:
    from agentcl.memory.memory import Memory


def serve(
    memory: Memory,
    *,
    settings: ServerSettings | None = None,
    keys: Keys | None = None,
    began: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve a memory until SIGTERM or Ctrl-C; requests under way may end.

    Args:
        memory: what is served; closed by who opened it.
        settings: see `ServerSettings`.
        keys: see `create_app`.
        began: told the address once it is listened on.

    Raises:
        InvalidInput: if the address cannot be listened on, or if everybody could get in.
    """
    settings = settings or ServerSettings()
    app = create_app(memory, settings=settings, keys=keys)
    with _listening(settings) as listener, _ended_by_signals():
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        began(f"http://{host}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=settings.stop_seconds,
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket]:
    """Yield what listens; a port that is taken is told before anything is said to be served."""
    family = AF_INET6 if ":" in settings.host else AF_INET
    # Named, since asyncio turns off the delay of small packets only where it knows that they go by TCP.
    listener = socket(family, SOCK_STREAM, IPPROTO_TCP)
    try:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        raise InvalidInput(
            f"{settings.host} port {settings.port} cannot be listened on: {error.strerror or error}. {_remedy(error)}"
        ) from error
    with listener:
        yield listener


def _remedy(error: OSError) -> str:
    """Return what to do where an address cannot be listened on."""
    if isinstance(error, gaierror) or error.errno == EADDRNOTAVAIL:
        return "--host names an address of this machine; 0.0.0.0 is all of them"
    if error.errno == EACCES:
        return "Low ports belong to the system: name another --port"
    return "Another server may run there: use its address, or name another --port"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end this as Ctrl-C does, so that what is open is closed.

    The server takes both signals while it runs, ends what is under way, and then sends itself the signal again.
    """

    def end(number: int, frame: Any) -> None:  # noqa: ANN401  # of signal
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
