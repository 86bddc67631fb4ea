"""What goes wrong between a client, the memory and the model, and what is kept of it."""

import asyncio
import json
import socket
import struct
import threading
from typing import Any

import httpx
import pytest

from agentcl import Memory
from tests.served import listening
from tests.upstreams import (
    Asked,
    Upstream,
    completion,
    delta,
    document,
    events,
    over,
    proxied,
    silence,
    start,
    stream,
)

SAID = "I moved to Oslo last week."
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": SAID}]}
HELLO = events([delta(role="assistant", content="Hel"), delta(content="lo."), delta("stop")])


def said(memory: Memory) -> list[str]:
    """Return what is remembered of everybody's conversations, in order."""
    found = memory.conversations.list(user="me")
    return [turn.text for one in found for turn in memory.conversations.turns(one.id, user="me")]


def test_a_model_that_is_down_is_told_and_what_was_said_is_kept(memory: Memory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with proxied(memory, nowhere) as client:
        answer = client.post("/v1/chat/completions", json=ASK)
        told = over(client, answer)
        assert client.get("/v1/models").status_code == 502
    assert (answer.status_code, answer.headers["content-type"]) == (502, "application/problem+json")
    problem = answer.json()
    assert problem["title"] == "ModelUnavailable"
    assert nowhere in problem["detail"]
    assert problem["error"]["message"] == problem["detail"]
    assert (told["state"], told["status"], len(told["remembered"])) == ("broken", 502, 1)
    assert said(memory) == [SAID]


def test_an_error_of_the_model_reaches_the_client_as_it_came(memory: Memory) -> None:
    raw = b'{"error":  {"message": "slow down", "code": 1.50}}'
    plays = [document(None, raw=raw, status=429, headers={"retry-after": "7"}), completion("Nice.")]
    with proxied(memory, Upstream(plays)) as client:
        answer = client.post("/v1/chat/completions", json=ASK)
        assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (
            429,
            raw,
            "7",
        )
        assert len(over(client, answer)["remembered"]) == 1
        again = over(client, client.post("/v1/chat/completions", json=ASK))
    assert (again["known"], len(again["remembered"])) == (1, 1)
    assert said(memory) == [SAID, "Nice."]


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>oops</html>",
        b"",
        b"null",
        b"[1]",
        b'{"choices": 3}',
        b'{"choices": [null, 5]}',
        b'{"choices": [{"finish_reason": "stop", "message": "text"}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": {"a": [1]}, "role": 5}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"content": "\\ud800"}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"tool_calls": 3}}]}',
        b'{"choices": [{"finish_reason": "stop", "message": {"tool_calls": [3]}}], "usage": 3, "id": 4}',
        b"\xff\xfe",
        b'{"a":' * 50_000,
    ],
    ids=range(13),
)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_garbage_passes_and_what_was_said_is_kept(memory: Memory, raw: bytes, kind: str) -> None:
    body = raw if kind == "application/json" else b"data: " + raw + b"\n\ndata: [DONE]\n\n"
    plays = [document(None, raw=body or b" ", headers={"content-type": kind})]
    with proxied(memory, Upstream(plays)) as client:
        answer = client.post("/v1/chat/completions", json=ASK)
        over(client, answer)
    assert (answer.status_code, answer.content) == (200, body or b" ")
    assert said(memory)[0] == SAID


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nab"]
)
def test_what_speaks_no_http_or_breaks_off_is_told(memory: Memory, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(65_536)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with proxied(memory, address) as client:
            if answer.startswith(b"HTTP"):
                with pytest.raises(httpx.RemoteProtocolError):
                    client.post("/v1/chat/completions", json=ASK)
            else:
                assert client.post("/v1/chat/completions", json=ASK).status_code == 502
        thread.join(10)
    assert said(memory) == [SAID]


def test_a_model_that_says_nothing_is_given_up(memory: Memory) -> None:
    upstream = Upstream([silence])
    with proxied(memory, upstream, upstream_seconds=0.3) as client:
        answer = client.post("/v1/chat/completions", json=ASK)
    assert answer.status_code == 502
    assert "--upstream-seconds" in answer.json()["detail"]
    assert upstream.last.was_left
    assert said(memory) == [SAID]


def test_a_stream_that_breaks_off_breaks_off_for_the_client_too(memory: Memory) -> None:
    got: list[bytes] = []
    with proxied(memory, Upstream([stream([HELLO[:60], HELLO[60:130]], breaks=True)])) as client:
        body = {**ASK, "stream": True}
        with (
            client.stream("POST", "/v1/chat/completions", json=body) as answer,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            got.extend(answer.iter_raw())
        told = over(client, answer)
    assert HELLO.startswith(b"".join(got))
    assert got
    assert told["state"] == "broken"
    assert said(memory) == [SAID]


@pytest.mark.parametrize("stage", ["before", "after the headers", "within a chunk", "at the end"])
def test_a_client_that_goes_away_cancels_the_models_work(memory: Memory, stage: str) -> None:
    plays = {
        "before": silence,
        "after the headers": stream([b"", b"x"], waits_at=1),
        "within a chunk": stream([HELLO[:20], b"x"], waits_at=1),
        "at the end": stream([HELLO, b"data: [DONE]\n\n"], waits_at=1),
    }
    upstream = Upstream([plays[stage]])

    async def leave(address: httpx.URL) -> str:
        async with httpx.AsyncClient(base_url=address) as client:
            ask = client.build_request("POST", "/v1/chat/completions", json={**ASK, "stream": True})
            sending = asyncio.ensure_future(client.send(ask, stream=True))
            if stage == "before":
                while not upstream.asked:
                    await asyncio.sleep(0.01)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                return ""
            answer = await sending
            if stage != "after the headers":
                await anext(answer.aiter_raw())
            await answer.aclose()
            return answer.headers["x-agentcl-exchange"]

    with proxied(memory, upstream) as client:
        id = asyncio.run(leave(client.base_url))
        if id:
            told = client.get(f"/v1/exchanges/{id}", params={"wait": 20}).json()
            assert told["state"] == "left"
        while not (upstream.last.was_left and said(memory)):
            client.get("/health")
    assert said(memory) == ([SAID, "Hello."] if stage == "at the end" else [SAID])


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"{}", b'{"messages": 3}', b'{"messages": [3, {"role": 5}]}', b'{"messages": []}',
     b'{"messages": [{"role": "user"}]}', b'{"messages": [{"role": "user", "content": "\\ud800"}]}', b"\xff",
     b'{"input": {"a": 1}}', b'{"messages":' * 50_000],
    ids=range(13),
)  # fmt: skip
@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_a_body_that_nobody_can_read_is_the_models_to_judge(
    memory: Memory, raw: bytes, path: str
) -> None:
    upstream = Upstream([document({"error": {"message": "bad"}}, status=400)])
    with proxied(memory, upstream) as client:
        answer = client.post(
            f"/v1/{path}", content=raw, headers={"content-type": "application/json"}
        )
        over(client, answer)
    assert (answer.status_code, answer.json()) == (400, {"error": {"message": "bad"}})
    assert upstream.last.body == raw
    assert said(memory) == []


def test_a_memory_that_cannot_serve_does_not_take_the_model_away(memory: Memory) -> None:
    with proxied(memory, Upstream([completion("Hello.")])) as client:
        memory.close()
        answer = client.post("/v1/chat/completions", json=ASK)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."
    assert "closed" in answer.headers["x-agentcl-warning"]


def test_a_stream_without_a_memory_behind_it_ends_all_the_same(memory: Memory) -> None:
    whole = events([{"type": "anything"}])
    with proxied(memory, Upstream([stream([whole])])) as client:
        assert client.post("/v1/completions", json={"prompt": "a", "stream": True}).content == whole


def test_headers_of_any_bytes_pass_both_ways(memory: Memory) -> None:
    odd = "Zoë ☃"

    async def play(asked: Asked, send: Any, receive: Any) -> None:
        await start(
            send,
            {
                "x-odd": odd,
                "set-cookie": "a=1",
                "access-control-allow-origin": "*",
                "content-length": "0",
            },
        )
        await send({"type": "http.response.body", "body": b""})

    upstream = Upstream([play])
    with proxied(memory, upstream) as client:
        headers = {
            b"x-odd": odd.encode(),
            b"cookie": b"session=1",
            b"connection": b"x-this-way, close",
            b"x-this-way": b"1",
        }
        answer = client.get("/v1/models", headers=headers)
    assert answer.headers["x-odd"] == odd
    assert not {"set-cookie", "access-control-allow-origin"} & set(answer.headers)
    assert upstream.last.header("x-odd") == odd
    assert upstream.last.header("cookie") is None
    assert upstream.last.header("x-this-way") is None


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../admin", "/v1/%2e%2e/admin", "/v1/a/..%2f..%2fadmin", "/v1/./x", "/v1/%252e%252e/admin", "/v1/a/..%5cadmin",
        "/v1/a/..;/admin", "/v1/a\\..\\admin",
    ],
)  # fmt: skip
def test_no_path_leads_beyond_the_upstreams_own(memory: Memory, path: str) -> None:
    upstream = Upstream([document({})])
    with proxied(memory, upstream) as client:
        host, port = str(client.base_url.host), client.base_url.port
        with socket.create_connection((host, port or 80), timeout=10) as link:
            link.sendall(
                f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
            )
            status = link.recv(12)
    assert status == b"HTTP/1.1 404"
    assert upstream.asked == []


def test_a_header_that_cannot_be_sent_on_is_the_clients_fault(memory: Memory) -> None:
    upstream = Upstream([document({})])
    with proxied(memory, upstream) as client:
        address = ("127.0.0.1", client.base_url.port or 80)
        with socket.create_connection(address, timeout=10) as link:
            link.sendall(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-odd: a\x0cb\r\n\r\n")
            status = link.recv(12)
    assert status == b"HTTP/1.1 400"
    assert upstream.asked == []


def test_a_redirection_is_not_followed_and_sends_no_client_elsewhere(memory: Memory) -> None:
    """A client that followed would send its key for this server along."""
    elsewhere = Upstream([document({})])
    with listening(elsewhere) as address:
        places = [
            f"{address}/v1/models", f"//{address[7:]}/v1", f"/\\{address[7:]}", f"\\\\{address[7:]}", f"/\t/{address[7:]}",
        ]  # fmt: skip
        plays = [document(None, raw=b" ", status=307, headers={"location": one}) for one in places]
        upstream = Upstream(
            [*plays, document(None, raw=b" ", status=307, headers={"location": "/v1/here"})]
        )
        with proxied(memory, upstream, upstream_key="sk-server") as client:
            answers = [client.post("/v1/chat/completions", json=ASK) for _ in places]
            within = client.post("/v1/chat/completions", json=ASK)
    assert [answer.status_code for answer in answers] == [502] * len(places)
    assert not any("location" in answer.headers for answer in answers)
    assert "sends this request on to" in answers[0].json()["detail"]
    assert (within.status_code, within.headers["location"]) == (307, "/v1/here")
    assert elsewhere.asked == []


def test_what_a_browser_is_told_is_not_left_to_the_models_server(memory: Memory) -> None:
    theirs = {
        "x-frame-options": "ALLOWALL", "x-content-type-options": "sniff", "cache-control": "public, max-age=9",
        "content-security-policy": "default-src *", "refresh": "0;url=http://evil.test", "service-worker-allowed": "/",
        "cross-origin-resource-policy": "cross-origin", "link": "<http://evil.test>; rel=preload", "x-request-id": "req_1",
    }  # fmt: skip
    with proxied(memory, Upstream([document({}, headers=theirs)])) as client:
        told = client.get("/v1/models/m").headers
    assert not {"refresh", "service-worker-allowed", "link"} & set(told)
    assert told.get_list("content-security-policy") == ["default-src 'none'; sandbox"]
    assert told.get_list("x-frame-options") == ["DENY"]
    assert told.get_list("x-content-type-options") == ["nosniff"]
    assert told.get_list("cache-control") == ["no-store"]
    assert told.get_list("cross-origin-resource-policy") == ["same-origin"]
    assert told.get_list("x-request-id") == ["req_1"]


def test_a_client_that_is_reset_in_mid_stream_leaves_the_server_well(memory: Memory) -> None:
    upstream = Upstream([stream([HELLO[:20], b"x"], waits_at=1), completion()])
    with proxied(memory, upstream) as client:
        with socket.create_connection(
            ("127.0.0.1", client.base_url.port or 80), timeout=10
        ) as link:
            body = json.dumps({**ASK, "stream": True}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            link.sendall(head.encode() + body)
            assert b"200" in link.recv(65_536)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while not upstream.last.was_left:
            client.get("/health")
        assert client.post("/v1/chat/completions", json=ASK).status_code == 200
