"""The client of a server: keys, and servers that fail."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import (
    AccessDenied,
    AgentclError,
    Client,
    ConfigError,
    InvalidInput,
    Memory,
    MissingExtra,
    NotFound,
    ServerUnavailable,
    errors,
)
from agentcl.server import Keys, ServerSettings
from agentcl.wire import VERBS
from tests.served import listening, served


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def test_a_key_opens_what_it_opens(memory: Memory, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "m", file=tmp_path / "keys.db")
    ada, _ = keys.add(scope={"user": "ada"}, rights=["read"])
    hers = memory.add("Ada is allergic to nuts.", user="ada")
    memory.add("Bob is not.", user="bob")
    with served(memory, keys=keys) as address:
        with Client(address) as nobody, pytest.raises(AccessDenied, match="asks for a key"):
            nobody.list()
        with Client(address, key=ada) as client:
            assert client.list(kind="document") == [hers]
            with pytest.raises(AccessDenied, match="right to write"):
                client.add("x")
            with pytest.raises(InvalidInput, match="bound to"):
                client.list(user="bob")
            with pytest.raises(AccessDenied, match="opens user='ada' only"):
                client.scoped(user="bob").jobs.get("x")


def test_what_is_too_large_says_so(memory: Memory) -> None:
    with (
        served(memory, settings=ServerSettings(most_body=1_000)) as address,
        Client(address) as client,
        pytest.raises(InvalidInput, match="1,000"),
    ):
        client.add("x" * 2_000)


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(address, tries=2) as client, pytest.raises(ServerUnavailable, match=address):
            client.list()


def test_a_server_without_a_model_says_so_of_all_that_only_one_with_a_model_has(
    memory: Memory,
) -> None:
    with served(memory) as url, Client(url) as client:
        with pytest.raises(NotFound, match="no model stands behind this server"):
            client.exchanges.get("x")
        with pytest.raises(NotFound, match="no model stands behind this server"):
            client.exchanges.report("x", score=1)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8321", "ftp://x", "http://", "http://:x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Client(url)


class Answering:
    """An ASGI application that answers what it is told, one after the other, and counts."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = [*answers]
        self.keys: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.keys.append(dict(scope["headers"]).get(b"idempotency-key", b"").decode())
        status, headers, body = self.answers.pop(0)
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})


def problem(status: int, title: str, detail: str = "why") -> tuple[int, dict[str, str], bytes]:
    told = {"title": title, "status": status, "detail": detail}
    return status, {"content-type": "application/problem+json"}, json.dumps(told).encode()


def test_a_busy_server_is_asked_again() -> None:
    busy = Answering(problem(503, "StoreBusy"), (429, {"retry-after": "0"}, b""), (200, {}, b"[]"))
    with listening(busy) as address, Client(address) as client:
        assert client.list() == []
    assert busy.answers == []


def test_each_error_of_ours_comes_back_as_itself() -> None:
    every = [one for one in vars(errors).values() if isinstance(one, type)]
    kinds = [one for one in every if issubclass(one, AgentclError)]
    assert len(kinds) > 30
    answering = Answering(*(problem(400, kind.__name__) for kind in kinds))
    with listening(answering) as address, Client(address, tries=1) as client:
        for kind in kinds:
            with pytest.raises(kind, match="why") as told:
                client.list()
            assert type(told.value) is kind


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"<html>"),
        (404, {}, b""),
        (418, {}, b"[]"),
        problem(500, "InternalError"),
        problem(405, "needs"),
        (200, {"content-type": "text/event-stream"}, b"event: progress\n\n"),
    ],
    ids=["a page", "nothing", "a list", "a failure", "no error of ours", "events that end"],
)
def test_what_no_server_of_ours_says_is_told_as_such(
    answer: tuple[int, dict[str, str], bytes],
) -> None:
    with (
        listening(Answering(answer)) as address,
        Client(address, tries=1) as client,
        pytest.raises(ServerUnavailable),
    ):
        client.list()


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "httpx", None)
    for name in [name for name in sys.modules if name.startswith("agentcl.client")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"agentcl\[client\]"):
        import agentcl.client.client  # noqa: F401


def test_the_client_has_each_verb_of_the_table() -> None:
    with Client("http://127.0.0.1:1") as client:
        for verb in VERBS.values():
            if not verb.is_under_way:
                room = getattr(client, verb.room) if verb.room else client
                assert callable(getattr(room, verb.name)), verb.key
