"""A server that really listens, in a thread, for tests of what stands behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from agentcl import Memory
from agentcl.server import Keys, ServerSettings, create_app
from agentcl.server.patience import PatientProtocol
from agentcl.server.serving import _listening


@contextmanager
def served(
    memory: Memory, *, settings: ServerSettings | None = None, keys: Keys | None = None
) -> Iterator[str]:
    """Yield the address of a server of a memory. Its keys are its own, and none unless given."""
    settings = replace(settings or ServerSettings(), port=0)
    app = create_app(
        memory,
        settings=settings,
        keys=keys if keys is not None else Keys(memory.path, file=Path(memory.path) / "no-keys.db"),
    )
    with listening(app, settings) as address:
        yield address


@contextmanager
def listening(app: object, settings: ServerSettings | None = None) -> Iterator[str]:
    """Yield the address of an ASGI application that is served in a thread."""
    with _listening(replace(settings or ServerSettings(), port=0)) as listener:
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]  # any ASGI application
            http=PatientProtocol,
            log_config=None,
            ws="none",
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
        assert not thread.is_alive()
