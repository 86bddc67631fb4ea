"""Clients of two other memory servers, on the same memory: what one wrote the others find."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.mcp import Tools, memory_server

pytest.importorskip("mcp")

from mcp import Client

Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def talk(memory: Memory, compat: Any, work: Callable[[Call, Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Client(memory_server(Tools(memory), compat=compat)) as client:

            async def call(tool: str, **given: Any) -> dict[str, Any]:
                result = await client.call_tool(tool, given)
                text: str = result.content[0].text  # type: ignore[union-attr]
                return {"error": text} if result.is_error else json.loads(text)

            await work(call, client)

    asyncio.run(asyncio.wait_for(run(), 120))


ADA = {
    "name": "Ada Lovelace",
    "entityType": "person",
    "observations": ["Writes programs.", "Lives in: London/UK"],
}
ENGINE = {"name": "the engine", "entityType": "", "observations": []}
USES = {"from": "Ada Lovelace", "to": "the engine", "relationType": "writes for"}


def test_the_reference_servers_tools_keep_a_graph(memory: Memory) -> None:
    async def work(call: Call, client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "create_entities", "create_relations", "add_observations", "delete_entities", "delete_observations",
            "delete_relations", "read_graph", "search_nodes", "open_nodes",
        }  # fmt: skip
        made = await call("create_entities", entities=[ADA, ENGINE, ADA])
        assert made == {"entities": [ADA, ENGINE]}
        assert await call("create_entities", entities=[ADA]) == {"entities": []}
        assert await call("create_relations", relations=[USES, USES]) == {"relations": [USES]}
        missing = await call("create_relations", relations=[{**USES, "to": "nobody"}])
        assert "there is no entity 'nobody'" in missing["error"]
        added = [
            {"entityName": "the engine", "contents": ["Is made of brass.", "Is made of brass."]}
        ]
        assert await call("add_observations", observations=added) == {
            "results": [{"entityName": "the engine", "addedObservations": ["Is made of brass."]}]
        }
        missing = await call(
            "add_observations", observations=[*added, {"entityName": "x", "contents": ["y"]}]
        )
        assert "there is no entity 'x'" in missing["error"]
        brass = {**ENGINE, "observations": ["Is made of brass."]}
        assert await call("read_graph") == {"entities": [ADA, brass], "relations": [USES]}
        assert await call("open_nodes", names=["the engine", "nobody"]) == {
            "entities": [brass], "relations": [USES],
        }  # fmt: skip
        found = await call("search_nodes", query="what is made of brass")
        assert found["entities"][0] == brass
        gone = await call("delete_observations", deletions=[{"entityName": "the engine", "observations": ["Is made of brass.", "x"]}])  # fmt: skip
        assert gone["message"] == "1 of 2 observations deleted; there are no others"
        gone = await call("delete_entities", entityNames=["the engine"])
        assert gone == {"success": True, "message": "Entities deleted successfully"}
        assert await call("read_graph") == {"entities": [ADA], "relations": []}
        gone = await call("delete_relations", relations=[USES])
        assert gone["message"].startswith("0 of 1")

    talk(memory, "reference", work)


def test_a_relation_is_a_fact_that_the_graph_goes_along(memory: Memory) -> None:
    async def work(call: Call, client: Client) -> None:
        await call("create_entities", entities=[ADA, ENGINE])
        await call("create_relations", relations=[USES])

    talk(memory, "reference", work)
    (fact,) = memory.list(kind="fact")
    assert (fact.subject, fact.predicate, fact.object) == (  # type: ignore[attr-defined]
        "Ada Lovelace", "writes for", "the engine",
    )  # fmt: skip


def test_mem0s_tools_add_search_list_change_and_delete(memory: Memory) -> None:
    async def work(call: Call, client: Client) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {
            "add_memory",
            "search_memories",
            "get_memories",
            "get_memory",
            "update_memory",
        } < names
        assert {"add_memories", "search_memory", "list_memories", "delete_memories"} < names
        (tea,) = (await call("add_memory", text="Ada drinks tea.", user_id="ada"))["results"]
        assert (tea["memory"], tea["event"]) == ("Ada drinks tea.", "ADD")
        (again,) = (await call("add_memory", text="Ada drinks tea.", user_id="ada"))["results"]
        assert again == {**tea, "event": "NONE"}
        await call(
            "add_memory", text="Bob drinks coffee.", user_id="bob", metadata={"kind": "drink"}
        )
        hers = {"AND": [{"user_id": "ada"}]}
        found = (await call("search_memories", query="what does Ada drink", filters=hers))[
            "results"
        ]
        assert [one["memory"] for one in found] == ["Ada drinks tea."]
        assert found[0]["id"] == tea["id"]
        drinks = {"AND": [{"user_id": "bob"}, {"metadata": {"kind": "drink"}}]}
        listed = (await call("get_memories", filters=drinks))["results"]
        assert [(one["memory"], one["user_id"]) for one in listed] == [
            ("Bob drinks coffee.", "bob")
        ]
        told = await call("get_memories", filters={"OR": [{"user_id": "ada"}]})
        assert "joined by AND" in told["error"]
        said = [{"role": "user", "content": "I play the lute."}]
        (turn,) = (await call("add_memory", text="", messages=said, user_id="ada", run_id="r1"))[
            "results"
        ]
        found = (await call("search_memories", query="lute", filters={"user_id": "ada"}))["results"]
        assert found[0]["id"] == turn["id"]

    talk(memory, "mem0", work)


def test_openmemorys_tools_work_in_the_scope_that_is_bound(memory: Memory) -> None:
    memory.add("The office has a kitchen.")

    async def work(call: Call, client: Client) -> None:
        (one,) = (await call("add_memories", text="Ada drinks tea."))["results"]
        (two,) = (await call("add_memories", text="Ada lives in Tessary."))["results"]
        found = (await call("search_memory", query="Tessary"))["results"]
        assert found[0]["memory"] == "Ada lives in Tessary."
        await call("update_memory", memory_id=two["id"], text="Ada lives in Oslo.")
        assert (await call("get_memory", memory_id=two["id"]))["memory"] == "Ada lives in Oslo."
        await call("delete_memory", memory_id=two["id"])
        assert "NotFound" in (await call("get_memory", memory_id=two["id"]))["error"]
        listed = (await call("list_memories"))["results"]
        assert [one["memory"] for one in listed] == ["The office has a kitchen.", "Ada drinks tea."]
        await call("delete_memories", memory_ids=[one["id"]])
        await call("add_memories", text="Ada plays the lute.")
        assert (await call("delete_all_memories"))["message"] == "1 memories deleted"
        page = (await call("get_memories", page=2, page_size=1))["results"]
        assert page == []

    talk(memory.scoped(user="ada"), "mem0", work)
    assert [one.text for one in memory.list()] == ["The office has a kitchen."]  # type: ignore[attr-defined]


def test_what_one_kind_of_client_wrote_the_others_find(memory: Memory) -> None:
    async def graph(call: Call, client: Client) -> None:
        await call("create_entities", entities=[ADA])

    async def mem0(call: Call, client: Client) -> None:
        found = (await call("search_memory", query="who writes programs"))["results"]
        assert any(one["memory"] == "Writes programs." for one in found)
        await call("add_memories", text="The lighthouse of Tessary is red.")

    async def ours(call: Call, client: Client) -> None:
        assert "lighthouse" in (await call("recall", query="lighthouse"))["memory"]
        found = await call("recall", query="who writes programs")
        assert {"Ada Lovelace"} <= {one["title"] for one in found["sources"]}
        await call("remember", text="The harbour opens at six.", title="Harbour")

    async def graph_again(call: Call, client: Client) -> None:
        found = await call("search_nodes", query="harbour opens")
        assert found["entities"][0] == {
            "name": "Harbour", "entityType": "document", "observations": ["The harbour opens at six."],
        }  # fmt: skip

    for compat, work in (
        ("reference", graph),
        ("mem0", mem0),
        (None, ours),
        ("reference", graph_again),
    ):
        talk(memory, compat, work)


def test_clients_that_write_at_once_lose_no_observation(memory: Memory) -> None:
    async def begin(call: Call, client: Client) -> None:
        await call("create_entities", entities=[ENGINE])
        texts = [f"part {number}" for number in range(8)]
        await asyncio.gather(
            *(call("add_observations", observations=[{"entityName": "the engine", "contents": [text]}]) for text in texts)
        )  # fmt: skip
        (engine,) = (await call("read_graph"))["entities"]
        assert sorted(engine["observations"]) == texts

    talk(memory, "reference", begin)
