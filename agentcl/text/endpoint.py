"""An OpenAI-compatible endpoint: a client that takes nothing from the environment but a key, and what comes back.

Needs the `openai` client, which is imported when one is opened.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from agentcl.errors import ConfigError, needs
from agentcl.text.parsing import parsed_json

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

NO_KEY: Final = "none"  # local servers ask for no key, the client insists on one
_SHOWN: Final = 300  # characters of what an endpoint says that an error repeats
_ECHOES: Final = ("input", "ctx", "url")  # of a refusal: what was asked, not why it is refused
_OF_A_KEY: Final = re.compile(r"(?i)auth|key|token|secret|cookie")  # in the name of a header
_LEAST_KEY: Final = 8  # characters; "Bearer" is none
_ONE_LINE: Final = re.compile(r"[\x20-\x7e\t]*")


class OddAnswer(ValueError):
    """An endpoint answered with success, but not with what was asked for."""


def open_client(
    base_url: str,
    *,
    feature: str,
    api_key: str | None = None,
    timeout_s: float,
    retries: int,
    headers: Mapping[str, str] | None = None,
) -> OpenAI:
    """Return a client of an endpoint.

    A loopback address is never asked through a proxy, and no organisation or project of the environment
    is sent; whoever needs one says so in `headers`. It does not follow an endpoint to another host.

    Args:
        base_url: e.g. "http://localhost:8000/v1".
        feature: what it is for, in the words of an error.
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one attempt.
        retries: after the first one.
        headers: sent with each request.

    Raises:
        MissingExtra: if the `openai` client is not installed.
        ConfigError: if the address is none or holds a password, or if the key or a header cannot be sent.
    """
    check_address(base_url, feature)
    with needs(feature, "openai"):
        from openai import DefaultHttpxClient, OpenAI
    key = (api_key or os.environ.get("OPENAI_API_KEY") or "").strip() or NO_KEY
    for name, value in {"the API key": key, **(headers or {})}.items():
        if not _ONE_LINE.fullmatch(name + value):
            raise ConfigError(
                f"{feature}: {name!r} holds a character that no header can carry; write it in ASCII, on one line"
            )
    client = OpenAI(
        base_url=base_url,
        api_key=key,
        timeout=timeout_s,
        max_retries=retries,
        default_headers=dict(headers or {}),
        http_client=DefaultHttpxClient(
            trust_env=not is_loopback(base_url), event_hooks={"request": [_staying_at(base_url)]}
        ),
    )
    client.organization = client.project = None
    client._custom_headers = dict(headers or {})  # without those of OPENAI_CUSTOM_HEADERS
    return client


def check_address(url: str, feature: str) -> None:
    """Refuse what is no address of an endpoint. Raises ConfigError, which repeats no password."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        has_password = "@" in parts.netloc
        _ = parts.port
    except ValueError:
        is_address = has_password = False
    if has_password:
        raise ConfigError(
            f"{feature}: an address with a user or password in it would be shown in messages; pass the key in "
            "OPENAI_API_KEY or as api_key, or what else is to be sent in headers"
        )
    if not is_address:
        raise ConfigError(
            f"{feature}: {url!r} is no address; write it like http://localhost:8000/v1"
        )


def _staying_at(base_url: str) -> Callable[[Any], None]:
    """Return what refuses a request that a redirection sends elsewhere: nobody named that host."""
    named = urlsplit(base_url)
    default = {"http": 80, "https": 443}
    port = named.port or default[named.scheme]
    allowed = {(named.scheme, port), ("https", 443 if port == 80 else port)}

    def check(request: Any) -> None:  # noqa: ANN401  # of httpx, which comes with the client
        url = request.url
        asked = (url.scheme, url.port or default.get(url.scheme))
        if url.host != named.hostname or asked not in allowed:
            raise OddAnswer(
                f"it sends requests on to {url.scheme}://{url.host}, which nobody named"
            )

    return check


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine."""
    host = ""
    with suppress(ValueError):
        host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(OSError, ValueError):  # "127.1" is an address too
        host = socket.inet_ntoa(socket.inet_aton(host))
    with suppress(ValueError):
        address = ip_address(host)
        address = getattr(address, "ipv4_mapped", None) or address
        return bool(address.is_loopback or address.is_unspecified)
    return False


def ask_endpoint(client: OpenAI, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object that an endpoint answers.

    Raises:
        OpenAIError: if it cannot be reached, or refuses.
        OddAnswer: if it answers with success and something else.
    """
    return _object(client, client.post(path, body=dict(body), cast_to=str))


def names_of_models(client: OpenAI) -> list[str]:
    """Return the names that an endpoint lists. Raises what `ask_endpoint` raises."""
    return [row["id"] for row in listed_models(client)]


def listed_models(client: OpenAI) -> list[dict[str, Any]]:
    """Return what an endpoint says of its models, each with its `id`. Raises what `ask_endpoint` raises."""
    listed = _object(client, client.get("/models", cast_to=str)).get("data")
    rows = listed if isinstance(listed, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _object(client: OpenAI, text: str) -> dict[str, Any]:
    sent = {**client._custom_headers, "authorization": client.api_key}
    text = _without_keys(text, {name: str(value) for name, value in sent.items()})
    try:
        answer = parsed_json(text.lstrip("\ufeff"))
    except ValueError as error:
        raise OddAnswer(f"it answered with {_shown(text)} in place of JSON") from error
    if not isinstance(answer, dict):
        raise OddAnswer(f"it answered with {_shown(text)} in place of an object")
    refuse_error(answer)
    return answer


def refuse_error(part: Mapping[str, Any]) -> None:
    """Refuse an answer, or a choice of one, that tells an error though its status is 200. Raises OddAnswer."""
    if problem := part.get("error"):
        said = problem.get("message") if isinstance(problem, dict) else problem
        raise OddAnswer(f"it answered with an error: {_shown(str(said or problem))}")


def refusal_of(error: APIStatusError) -> str:
    """Return all words of a refusal, without what it repeats of the request."""
    try:
        body = parsed_json(error.response.text)
    except ValueError:
        body = error.response.text
    return " ".join(_words(body))


def param_of(error: APIStatusError) -> str:
    """Return the part of the request that a refusal is about; empty if it does not say."""
    found = getattr(error, "param", None)
    return found if isinstance(found, str) else ""


def told_by(error: Exception) -> str:
    """Return what an error of the client says, in one line, with when to come back where that was said."""
    from openai import APIStatusError, OpenAIError

    told = str(error)
    if not isinstance(error, APIStatusError):
        cause = str(error.__cause__ or "") if isinstance(error, OpenAIError) else ""
        return _cut(told if cause in told else f"{told.removesuffix('.')} ({cause})")
    said = refusal_of(error)
    if " - " not in told and said and not said.lstrip().startswith("<"):  # not a page of HTML
        told = f"{told} - {said}"
    told = _without_keys(told, error.request.headers)
    wait = error.response.headers.get("retry-after", "").strip()[:60]
    if not wait:
        return _cut(told)
    when = f"in {wait} s" if wait.replace(".", "", 1).isdigit() else f"at {wait}"
    return f"{_cut(told)} (Retry-After: it is to be asked again {when})"


def _without_keys(text: str, sent: Mapping[str, str]) -> str:
    """Return what an endpoint says, without keys that were sent to it: errors are shown, and kept in logs."""
    for name, value in sent.items():
        if _OF_A_KEY.search(name):
            for key in value.split():
                text = text.replace(key, "…") if len(key) >= _LEAST_KEY else text
    return text


def _words(found: object) -> Iterator[str]:
    if isinstance(found, Mapping):
        for key, value in found.items():
            if key not in _ECHOES:
                yield from _words(value)
    elif isinstance(found, list):
        for value in found:
            yield from _words(value)
    elif isinstance(found, str):
        yield found


def _cut(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"


def _shown(text: str) -> str:
    return repr(_cut(text)) if text.strip() else "nothing"
