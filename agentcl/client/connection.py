"""One connection to a server: requests, what is tried again, and problems as our errors."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

from agentcl import errors
from agentcl.errors import (
    AccessDenied,
    AgentclError,
    ConfigError,
    InvalidInput,
    MemoryClosed,
    ServerUnavailable,
    needs,
)
from agentcl.text.parsing import parsed_json
from agentcl.wire.verbs import Verb

with needs("the client of a server", "client"):
    import httpx

_EVENTS: Final = "text/event-stream"
_FIRST_WAIT_S: Final = 0.1  # before a second try; it doubles
_MOST_WAIT_S: Final = 5.0
# Who answers so has done nothing, or does the same once for one idempotency key.
_AGAIN: Final = frozenset({429, 502, 503, 504})
_TITLES: Final[Mapping[str, type[AgentclError]]] = {
    "KeyNeeded": AccessDenied,
    "NotAllowed": AccessDenied,
    "TooLarge": InvalidInput,
}


class Connection:
    """A connection that is kept open. Safe for threads.

    Args:
        url: of the server.
        key: that it asks for; None for none.
        timeout_s: how long it may say nothing.
        tries: how often a request is sent at the most.

    Raises:
        ConfigError: if the address is none.
        MissingExtra: if httpx is not installed.
    """

    def __init__(self, url: str, *, key: str | None, timeout_s: float, tries: int) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
            is_one = self._http.base_url.scheme in ("http", "https") and self._http.base_url.host
        except (httpx.InvalidURL, UnicodeEncodeError, TypeError) as error:
            raise ConfigError(f"{url!r} cannot be asked with this key: {error}") from error
        if not is_one:
            raise ConfigError(f"{url!r} is no address of a server; e.g. http://127.0.0.1:8321")
        self.url = url
        self._tries = tries

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(
        self, verb: Verb, sent: Mapping[str, Any], callbacks: Mapping[str, Callable[..., Any]]
    ) -> Any:  # noqa: ANN401  # any JSON
        """Return what a verb answers, as JSON.

        Args:
            verb: what is asked.
            sent: its arguments as JSON.
            callbacks: told how far it is.

        Raises:
            AgentclError: what the verb raised at the server; AccessDenied and ServerUnavailable beside it.
        """
        headers = {"content-type": "application/json"}
        if verb.right != "read":
            headers["idempotency-key"] = str(uuid4())
        if "progress" in verb.callbacks:
            headers["accept"] = _EVENTS
        # Half a surrogate pair goes as an escape, for the server to refuse.
        request = self._http.build_request(
            "POST", verb.path, content=json.dumps(sent).encode(), headers=headers
        )
        return self._tried(request, callbacks)

    def request(
        self,
        method: str,
        path: str,
        sent: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401  # any JSON
        """Return what an address answers that is no verb, as JSON.

        Args:
            method: of HTTP; sent again where the server does not answer, so it must do no harm twice.
            path: of the server.
            sent: as JSON; default: nothing.
            query: behind the path.
            headers: beside the key's; what is no ASCII goes as UTF-8.

        Raises:
            AgentclError: what was raised at the server; AccessDenied and ServerUnavailable beside it.
        """
        told = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        request = self._http.build_request(
            method, path, json=sent, params=query or None, headers=told
        )
        return self._tried(request, {})

    def _tried(self, request: httpx.Request, callbacks: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401  # any JSON
        for number in range(1, self._tries + 1):
            try:
                response = self._http.send(request, stream=True)
                try:
                    is_busy = response.status_code in _AGAIN or "retry-after" in response.headers
                    if not is_busy or number == self._tries:
                        return _answer(response, callbacks)
                    wait = _wait(response, number)
                finally:
                    response.close()
            except (httpx.TransportError, httpx.StreamError) as error:
                if number == self._tries:
                    raise ServerUnavailable(
                        f"{self.url} does not answer: {error or type(error).__name__}; is `agentcl serve` running?"
                    ) from error
                wait = _wait(None, number)
            except RuntimeError as error:  # as httpx has it
                if not self._http.is_closed:
                    raise
                raise MemoryClosed("this client is closed; make another one to go on") from error
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _wait(response: httpx.Response | None, number: int) -> float:
    """Return for how long to wait; a little by chance, so that many clients do not come back at once."""
    told = response.headers.get("retry-after", "") if response is not None else ""
    least = float(told) if told.isdecimal() else _FIRST_WAIT_S * 2 ** (number - 1)
    return min(least, _MOST_WAIT_S) * (1 + random.random() / 4)


def _answer(response: httpx.Response, callbacks: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401
    if response.headers.get("content-type", "").startswith(_EVENTS):
        for name, told in _events(response.iter_lines()):
            if name == "result":
                return told
            if name == "problem":
                raise _error(int(told["status"]), told)
            if name in callbacks:
                callbacks[name](*told.values())
        raise ServerUnavailable("the server ended before its work did; what was done is kept")
    body = response.read()
    try:
        answer = parsed_json(body)
    except ValueError:
        answer = None
    if not response.is_success:
        raise _error(response.status_code, answer)
    return answer


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, parsed_json(line.removeprefix("data: "))


def _error(status: int, told: object) -> AgentclError:
    """Return the error that a problem document names."""
    problem = told if isinstance(told, dict) else {}
    title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
    kind = _TITLES.get(title) or getattr(errors, title, None)
    if not isinstance(kind, type) or not issubclass(kind, AgentclError):
        return ServerUnavailable(f"the server answers {status}: {detail or 'and no more'}")
    error = kind.__new__(kind)  # some take more than a message
    error.args = (detail,)
    return error
