"""What stands in for the endpoint of a model: it answers in JSON, in threads of the test's own process."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Reads what is asked, answers in JSON, and prints nothing."""

    def asked(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(
        self, body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):  # who asked may have gone
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def completion(content: str) -> dict[str, object]:
    """Return what an endpoint answers to a chat."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": "served",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }  # fmt: skip


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Yield the address of an endpoint that answers so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, in_thread(server):
        yield f"http://127.0.0.1:{server.server_port}/v1"


@contextmanager
def in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer meanwhile."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
