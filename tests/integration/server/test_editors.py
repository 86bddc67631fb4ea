"""A server's door for editors: the official client, with keys, in both ways of the protocol."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentcl import Memory
from agentcl.server import Keys
from tests.served import served

pytest.importorskip("mcp")

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

MODES = ["legacy", "2026-07-28", "auto"]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "m", file=tmp_path / "keys.db")


@asynccontextmanager
async def connected(
    address: str, key: str = "", mode: str = "auto", **headers: str
) -> AsyncIterator[Client]:
    if key:
        headers["authorization"] = f"Bearer {key}"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def call(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, given)
    assert not result.is_error, result.content
    read: dict[str, Any] = json.loads(result.content[0].text)  # type: ignore[union-attr]
    return read


async def refused(client: Client, tool: str, **given: Any) -> str:
    result = await client.call_tool(tool, given)
    assert result.is_error
    text: str = result.content[0].text  # type: ignore[union-attr]
    return text


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 120))


@pytest.mark.parametrize("mode", MODES)
def test_two_keys_open_two_memories_and_nothing_foreign_is_seen(
    memory: Memory, keys: Keys, mode: str
) -> None:
    ada_key, _ = keys.add(scope={"user": "ada"})
    bob_key, _ = keys.add(scope={"user": "bob"})
    memory.add("The office has a kitchen.")

    async def work(address: str) -> None:
        async with (
            connected(address, ada_key, mode) as ada,
            connected(address, bob_key, mode) as bob,
        ):
            mine = await call(ada, "remember", text="Ada's cat is called Mirzam.", uri="notes/cat")
            await call(bob, "remember", text="Bob's dog is called Adhara.", uri="notes/cat")
            assert "Mirzam" in (await call(ada, "recall", query="what is the cat called"))["memory"]
            found = (await call(bob, "recall", query="what is Ada's cat called Mirzam"))["memory"]
            assert "Mirzam" not in found
            assert "Adhara" in found
            assert "kitchen" in (await call(bob, "recall", query="office kitchen"))["memory"]
            assert "Adhara" in (await call(bob, "get", name="notes/cat"))["text"]
            for tool, given in {
                "get": {"name": mine["id"]},
                "explain": {"id": mine["id"]},
                "update": {"name": mine["id"], "text": "mine now"},
                "forget": {"ids": [mine["id"]]},
            }.items():
                told = await refused(bob, tool, **given)
                assert "NotFound" in told, tool
                assert "Mirzam" not in told
            assert "bound to user='bob'" in await refused(bob, "recall", query="x", user="ada")
            with pytest.raises(Exception, match="no record"):
                await bob.read_resource(f"agentcl://documents/{mine['id']}")
            task = (await call(ada, "start_task", task="feed the cat"))["task"]
            assert "NotFound" in await refused(bob, "report_outcome", task=task, score=0)
            assert "NotFound" in await refused(bob, "recall", query="cat", task=task)
            assert (await call(ada, "report_outcome", task=task, score=1))["score"] == 1

    with served(memory, keys=keys) as address:
        run(work(address))
    assert [one.score for one in memory.episodes.list(user="ada")] == [1.0]
    assert memory.get(uri="notes/cat", user="ada").text == "Ada's cat is called Mirzam."  # type: ignore[attr-defined]


def test_clients_that_ask_at_once_each_keep_to_their_key(memory: Memory, keys: Keys) -> None:
    made = {user: keys.add(scope={"user": user})[0] for user in map("user{}".format, range(6))}

    async def use(address: str, user: str, key: str, mode: str) -> None:
        async with connected(address, key, mode) as client:
            for turn in range(4):
                await call(client, "remember", text=f"secret {turn} of {user} is {user}-{turn}")
                found = (await call(client, "recall", query="secret of the user", limit=50))[
                    "memory"
                ]
                assert user in found
                assert not [other for other in made if other != user and other in found]

    async def work(address: str) -> None:
        users = enumerate(made.items())
        await asyncio.gather(*(use(address, *one, MODES[n % 3]) for n, one in users))

    with served(memory, keys=keys) as address:
        run(work(address))


@pytest.mark.parametrize("mode", MODES)
def test_each_tool_asks_for_its_right_and_says_so_to_the_model(
    memory: Memory, keys: Keys, mode: str
) -> None:
    reading, _ = keys.add(rights=["read"])
    writing, _ = keys.add(rights=["write"])
    learning, _ = keys.add(rights=["learn"])
    held = memory.add("The ferry leaves at seven.").id

    async def work(address: str) -> None:
        async with connected(address, reading, mode) as client:
            assert "seven" in (await call(client, "recall", query="ferry"))["memory"]
            read = await client.read_resource(f"agentcl://documents/{held}")
            assert read.contents[0].text == "The ferry leaves at seven."  # type: ignore[union-attr]
            changes: dict[str, dict[str, Any]] = {
                "remember": {"text": "x"},
                "update": {"name": held, "text": "x"},
                "forget": {"ids": [held]},
            }
            for tool, given in changes.items():
                assert "has not the right to write" in await refused(client, tool, **given), tool
            assert "right to learn" in await refused(client, "start_task", task="x")
        async with connected(address, writing, mode) as client:
            await call(client, "remember", text="The ferry leaves at eight.")
            assert "right to read" in await refused(client, "recall", query="ferry")
            assert "right to read" in await refused(client, "get", name=held)
            with pytest.raises(Exception, match="right to read"):
                await client.read_resource(f"agentcl://documents/{held}")
        async with connected(address, learning, mode) as client:
            task = (await call(client, "start_task", task="catch the ferry"))["task"]
            assert "right to read" in await refused(client, "recall", query="ferry", task=task)
            await call(client, "report_outcome", task=task, score=1)

    with served(memory, keys=keys) as address:
        run(work(address))
    assert [one.text for one in memory.list()] == [  # type: ignore[attr-defined]
        "The ferry leaves at seven.", "The ferry leaves at eight.",
    ]  # fmt: skip


def test_a_request_narrows_its_key_by_a_header(memory: Memory, keys: Keys) -> None:
    key, _ = keys.add(scope={"tenant": "acme"})

    async def work(address: str) -> None:
        async with connected(address, key, **{"x-agentcl-user": "ada"}) as client:
            await call(client, "remember", text="Only Ada knows.")
        async with connected(address, key, **{"x-agentcl-user": "bob"}) as client:
            assert "Ada" not in (await call(client, "recall", query="only Ada knows"))["memory"]

    with served(memory, keys=keys) as address:
        run(work(address))
    assert memory.list(tenant="acme", user="ada")


def test_without_a_key_nothing_is_told(memory: Memory, keys: Keys) -> None:
    keys.add()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    with served(memory, keys=keys) as address:
        answer = httpx.post(f"{address}/mcp", json=body)
        assert answer.status_code == 401
        assert answer.json()["title"] == "KeyNeeded"


def test_tasks_that_nobody_reported_are_kept_when_the_server_ends(memory: Memory) -> None:
    async def work(address: str) -> None:
        async with connected(address) as client:
            await call(client, "start_task", task="never reported")

    with served(memory) as address:
        run(work(address))
    assert [one.status for one in memory.episodes.list()] == ["interrupted"]


def test_no_session_is_held_that_a_restart_could_lose(memory: Memory) -> None:
    accept = {"accept": "application/json, text/event-stream"}
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"},
        },
    }  # fmt: skip
    with served(memory) as address:
        answer = httpx.post(f"{address}/mcp", json=hello, headers=accept)
        assert answer.json()["result"]["protocolVersion"] == "2025-11-25"
        assert "mcp-session-id" not in answer.headers
        # Nobody greeted this one: so it is for a client of a server that was restarted.
        asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        later = httpx.post(
            f"{address}/mcp", json=asked, headers={**accept, "mcp-session-id": "of another process"}
        )
        assert len(later.json()["result"]["tools"]) == 8


def test_a_body_that_is_no_message_is_refused(memory: Memory) -> None:
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    with served(memory) as address, httpx.Client(headers=accept) as client:
        for body in (b"", b"{", b"[]", b'"x"', b"\xff", b"null"):
            assert client.post(f"{address}/mcp", content=body).status_code == 400, body
        assert client.get(f"{address}/mcp").status_code == 405
        assert client.delete(f"{address}/mcp").status_code == 405
        assert client.get(f"{address}/health").status_code == 200


@pytest.mark.parametrize("id", ["null", "1.5", "{}", "[]", "true"])
def test_a_request_whose_id_is_none_is_refused_and_not_taken_for_a_notification(
    memory: Memory, id: str
) -> None:
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    said = f'{{"jsonrpc": "2.0", "id": {id}, "method": "ping"}}'
    with served(memory) as url:
        answer = httpx.post(f"{url}/mcp", content=said, headers=accept, timeout=60)
        notified = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        taken = httpx.post(f"{url}/mcp", json=notified, headers=accept, timeout=60)
    assert answer.status_code == 400
    told = answer.json()
    assert (told["id"], told["error"]["code"]) == (None, -32600)
    assert taken.status_code == 202


def test_what_editors_ask_is_counted_by_its_route(memory: Memory) -> None:
    async def work(address: str) -> None:
        async with connected(address) as client:
            await call(client, "recall", query="x")

    with served(memory) as address:
        run(work(address))
        counted = httpx.get(f"{address}/metrics").text
    assert 'method="POST",route="/mcp",status="200"' in counted
