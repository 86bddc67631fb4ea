"""What stands before every request of the server."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentcl import InvalidInput, Memory
from agentcl.server import Keys, ServerSettings, create_app
from agentcl.server.patience import PatientProtocol
from tests.served import served


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "m", file=tmp_path / "keys.db")


def test_it_lives_serves_and_counts(memory: Memory) -> None:
    with served(memory) as address:
        assert httpx.get(f"{address}/health").json() == {"status": "ok"}
        assert httpx.get(f"{address}/ready").json()["status"] == "ready"
        counted = httpx.get(f"{address}/metrics").text
    assert 'agentcl_requests_total{method="GET",route="/ready",status="200"} 1.0' in counted


def test_once_there_is_a_key_every_request_needs_one(memory: Memory, keys: Keys) -> None:
    secret, made = keys.add(rights=["write"])
    with served(memory, keys=keys) as address:
        ask = f"{address}/metrics"
        none = httpx.get(ask)
        assert none.status_code == 401
        assert none.headers["www-authenticate"] == "Bearer"
        assert none.headers["content-type"] == "application/problem+json"
        assert none.json()["title"] == "KeyNeeded"
        assert "asks for a key" in none.json()["detail"]
        wrong = httpx.get(ask, headers={"authorization": "Bearer agentcl-wrong"})
        assert wrong.status_code == 401
        assert "opens nothing" in wrong.json()["detail"]
        right = httpx.get(ask, headers={"authorization": f"Bearer {secret}"})
        assert right.status_code == 403  # it may write, and this is reading
        assert httpx.get(f"{address}/health").status_code == 200
        reading, _ = keys.add(rights=["read"])
        assert httpx.get(ask, headers={"x-agentcl-key": reading}).status_code == 200
        keys.remove(made.id)
        assert httpx.get(ask, headers={"authorization": f"Bearer {secret}"}).status_code == 401


def test_a_server_that_others_reach_needs_a_key_from_the_first_to_the_last(
    memory: Memory, keys: Keys
) -> None:
    settings = ServerSettings(host="0.0.0.0")
    with pytest.raises(InvalidInput, match="agentcl key add"):
        create_app(memory, settings=settings, keys=keys)
    _, made = keys.add()
    with served(memory, settings=settings, keys=keys) as address:
        keys.remove(made.id)
        assert httpx.get(f"{address}/metrics").status_code == 401


def test_a_request_can_narrow_what_its_key_opens_and_never_widen_it(
    memory: Memory, keys: Keys
) -> None:
    secret, _ = keys.add(scope={"user": "ada"})
    with served(memory, keys=keys) as address:

        def ask(**headers: str) -> httpx.Response:
            named = {f"x-agentcl-{name}": value for name, value in headers.items()}
            return httpx.get(f"{address}/metrics", headers={"x-agentcl-key": secret, **named})

        assert ask(session="chat-1").status_code == 200
        assert ask(user="ada").status_code == 200
        other = ask(user="bob")
        assert other.status_code == 403
        assert "user='ada' only" in other.json()["detail"]
        assert ask(user="").status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_name_of_this_machine_is_refused(memory: Memory, host: str) -> None:
    with served(memory) as address:
        answer = httpx.get(f"{address}/health", headers={"host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["detail"]


def test_another_page_may_not_ask(memory: Memory) -> None:
    settings = ServerSettings(origins=("https://notes.example",))
    with served(memory, settings=settings) as address:

        def ask(origin: str) -> int:
            return httpx.get(f"{address}/metrics", headers={"origin": origin}).status_code

        assert ask("https://evil.example") == 403
        assert ask("null") == 403
        assert ask(address) == 200
        assert ask("https://notes.example") == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(memory: Memory) -> None:
    with served(memory, settings=ServerSettings(most_body=1_000)) as address:
        host, port = address.removeprefix("http://").split(":")
        for head, body in (
            (b"content-length: 1000000000\r\n", b""),
            (b"transfer-encoding: chunked\r\n", b"7d0\r\n" + b"x" * 2_000 + b"\r\n"),
        ):
            with socket.create_connection((host, int(port)), timeout=10) as link:
                link.sendall(b"POST /ready HTTP/1.1\r\nhost: localhost\r\n" + head + b"\r\n" + body)
                answer = link.recv(10_000)
                assert b" 413 " in answer.splitlines()[0]
                assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["title"] == "TooLarge"
        assert httpx.get(f"{address}/health").status_code == 200


def test_a_body_that_never_comes_is_given_up(memory: Memory) -> None:
    with served(memory, settings=ServerSettings(body_seconds=0.2)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(b"POST /ready HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nab")
            assert b" 408 " in link.recv(10_000).splitlines()[0]


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nhost: loc"])
def test_a_head_that_never_comes_is_given_up(
    memory: Memory, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.2)
    with served(memory) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(sent)
            assert link.recv(1_000) == b""
        with httpx.Client(base_url=address) as client:  # one connection, many requests
            assert [client.get("/ready").status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length: +5\r\n",
        b"content-length : 5\r\n",
    ],
)
def test_a_request_that_two_servers_would_cut_differently_is_refused(
    memory: Memory, head: bytes
) -> None:
    smuggled = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with served(memory) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(
                b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + head + b"\r\n0\r\n\r\n" + smuggled
            )
            answer = b""
            while part := link.recv(10_000):
                answer += part
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"agentcl_requests" not in answer


def test_too_many_requests_of_one_caller_are_told_to_wait(memory: Memory) -> None:
    with served(memory, settings=ServerSettings(rate_per_second=0.01, burst=2)) as address:
        answers = [httpx.get(f"{address}/metrics") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 1


@pytest.mark.parametrize(
    ("site", "path", "status"),
    [
        ("cross-site", "/metrics", 403), ("same-site", "/metrics", 403), ("cross-site", "/v1/page/model", 403),
        ("same-origin", "/metrics", 200), ("none", "/metrics", 200), ("cross-site", "/", 200),
    ],
)  # fmt: skip
def test_what_another_page_has_a_browser_get_is_refused_without_an_origin_too(
    memory: Memory, site: str, path: str, status: int
) -> None:
    with served(memory) as address:
        answer = httpx.get(f"{address}{path}", headers={"sec-fetch-site": site})
    assert answer.status_code == status


def test_what_is_not_there_is_a_problem_too(memory: Memory) -> None:
    with served(memory) as address:
        missing = httpx.get(f"{address}/v1/nothing")
        wrong = httpx.put(f"{address}/health")
    assert (missing.status_code, missing.json()["title"]) == (404, "NotFound")
    assert missing.json()["detail"].startswith("there is nothing at /v1/nothing; /openapi.json")
    assert (wrong.status_code, wrong.json()["title"]) == (405, "MethodNotAllowed")
    assert wrong.json()["detail"].startswith("/health takes GET")
    assert missing.json()["request"] == missing.headers["x-request-id"]
    assert missing.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_a_server_without_a_model_says_what_it_lacks(memory: Memory, path: str) -> None:
    with served(memory) as address:
        answer = httpx.post(f"{address}/v1/{path}", json={"model": "m", "messages": []})
    assert answer.status_code == 404
    assert "--upstream" in answer.json()["detail"]


def test_a_key_of_a_user_opens_no_tenant(memory: Memory, keys: Keys) -> None:
    memory.add("what acme alone may know", tenant="acme")
    memory.add("Ada of acme", tenant="acme", user="ada")
    mine = memory.add("Ada's own", user="ada")
    secret, _ = keys.add(scope={"user": "ada"})
    of_acme, _ = keys.add(scope={"tenant": "acme", "user": "ada"})
    whole, _ = keys.add()
    with served(memory, keys=keys) as address, httpx.Client(base_url=address) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        found = client.post("/v1/memory/list", json={}).json()
        assert [one["id"] for one in found] == [mine.id]
        header = {"x-agentcl-tenant": "acme"}
        refused = [
            client.post("/v1/memory/list", json={"tenant": "acme"}),
            client.post("/v1/memory/list", json={"tenant": {"any": True}}),
            client.post("/v1/memory/list", json={}, headers=header),
            client.post("/v1/memory/add", json={"text": "x", "tenant": "acme"}),
            client.post("/v1/memory/forget", json={"everything": True, "tenant": "acme"}),
            client.post("/v1/memory/graph/stats", json={"tenant": "acme"}),
            client.get("/v1/memory/documents", params={"tenant": "acme"}),
        ]
        assert [one.status_code for one in refused] == [403] * 7
        for other in (of_acme, whole):
            found = client.post(
                "/v1/memory/list",
                json={"tenant": "acme"},
                headers={"authorization": f"Bearer {other}"},
            ).json()
            assert "what acme alone may know" in {one["text"] for one in found}
    assert len(memory.list(tenant="acme", user="ada")) == 2
