"""A memory served to editors: the official client, over standard streams and HTTP, in both ways of the protocol."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentcl import Memory
from agentcl.statements import RuleDigester

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

from agentcl.mcp.lines import LONGEST_LINE

ENVIRONMENT = {"AGENTCL_ENCODER": "hashing", "PATH": ""}
TOOLS = {
    "remember", "recall", "get", "update", "forget", "start_task", "report_outcome", "explain",
}  # fmt: skip


def started(folder: Path, *options: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=[
            "-c",
            "from agentcl.cli.main import main; main()",
            "mcp",
            "--path",
            str(folder),
            *options,
        ],
        env=ENVIRONMENT,
    )


def value(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    read: dict[str, Any] = json.loads(result.content[0].text)
    return read


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
def test_an_editor_remembers_recalls_and_learns(tmp_path: Path, mode: str) -> None:
    async def work() -> None:
        async with Client(started(tmp_path / "m"), mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == TOOLS
            hints = {name: tool.annotations for name, tool in tools.items()}
            assert {name for name, one in hints.items() if one and one.read_only_hint} == {
                "recall", "get", "explain",
            }  # fmt: skip
            assert [name for name, one in hints.items() if one and one.destructive_hint] == [
                "forget"
            ]
            assert all(tool.description for tool in tools.values())
            lines = [
                line for tool in tools.values() for line in (tool.description or "").splitlines()
            ]
            assert [line for line in lines if line != line.strip()] == []
            stored = value(
                await client.call_tool("remember", {"text": "The ferry leaves at seven."})
            )
            found = value(await client.call_tool("recall", {"query": "ferry"}))
            assert "at seven" in found["memory"]
            assert found["sources"][0]["id"] == stored["id"]
            task = value(await client.call_tool("start_task", {"task": "find the boat"}))
            done = value(
                await client.call_tool("report_outcome", {"task": task["task"], "score": 1})
            )
            assert done["score"] == 1
            read = await client.read_resource(f"agentcl://documents/{stored['id']}")
            assert read.contents[0].text == "The ferry leaves at seven."  # type: ignore[union-attr]
            asked = await client.get_prompt("what_do_you_remember", {"about": "ferries"})
            assert "ferries" in asked.messages[0].content.text  # type: ignore[union-attr]

    asyncio.run(asyncio.wait_for(work(), 120))
    with Memory(tmp_path / "m") as memory:
        assert [one.text for one in memory.list()] == ["The ferry leaves at seven."]  # type: ignore[attr-defined]
        assert [one.score for one in memory.episodes.list()] == [1.0]


@pytest.mark.parametrize(
    ("tool", "given", "told"),
    [
        ("get", {"name": "no such"}, "NotFound: no record"),
        ("recall", {"query": " "}, "InvalidInput: the query is empty"),
        ("recall", {"query": "x", "user": "bob"}, "bound to user='ada'"),
        ("recall", {"query": "x", "limit": "many"}, "limit"),
        ("report_outcome", {"task": "no such", "score": 1}, "NotFound"),
        ("report_outcome", {"task": "no such", "score": 7}, "score"),
        ("forget", {"ids": []}, "name the ids"),
        ("remember", {"text": ""}, "InvalidInput"),
        ("remember", {}, "InvalidInput: remember: text is missing"),
        ("recall", {"limit": "x"}, "query is missing; limit is 'x' and should be a valid integer"),
        (
            "remember",
            {"text": "PIN 1234", "user_id": "ada"},
            "remember takes no 'user_id'; did you mean 'user'? It takes text,",
        ),
        ("no_such_tool", {}, "there is no tool 'no_such_tool'"),
        ("recal", {}, "did you mean 'recall'?"),
    ],
)
def test_wrong_input_is_told_to_the_model_and_the_server_goes_on(
    tmp_path: Path, tool: str, given: dict[str, Any], told: str
) -> None:
    async def work() -> None:
        async with Client(started(tmp_path / "m", "--user", "ada")) as client:
            result = await client.call_tool(tool, given)
            assert result.is_error
            text = result.content[0].text  # type: ignore[union-attr]
            assert told in text
            assert "Traceback" not in text
            assert "pydantic" not in text
            assert value(await client.call_tool("remember", {"text": "still here"}))["id"]

    asyncio.run(asyncio.wait_for(work(), 120))


INITIALIZE = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"},
    },
}  # fmt: skip


def answers_to_lines(folder: Path, lines: list[bytes]) -> list[dict[str, Any]]:
    """Return what a server answers to lines, the last of which is a ping with the id "end"."""
    parameters = started(folder)
    process = subprocess.Popen(
        [parameters.command, *parameters.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    end = {"jsonrpc": "2.0", "id": "end", "method": "ping"}
    for line in (json.dumps(INITIALIZE).encode(), *lines, json.dumps(end).encode()):
        process.stdin.write(line + b"\n")
        process.stdin.flush()
    found = list[dict[str, Any]]()
    while not found or found[-1]["id"] != "end":
        line = process.stdout.readline()
        assert line, "the server ended"
        found.append(json.loads(line))
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    return found[1:-1]


UNREADABLE: list[tuple[bytes, int, int | str | None]] = [
    (b"this is no JSON", -32700, None),
    (b'{"jsonrpc": "2.0", "id": 3, "method": "pi', -32700, None),
    (b"\xff\xfe", -32700, None),
    (b"[" * 100_000, -32700, None),
    (b'{"jsonrpc": "2.0", "id": ' + b"9" * 5_000 + b', "method": "ping"}', -32700, None),
    (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', -32700, None),
    (b"[]", -32600, None),
    (b'[{"jsonrpc": "2.0", "id": 3, "method": "ping"}]', -32600, None),
    (b"null", -32600, None),
    (b'{"id": 7}', -32600, 7),
    (b'{"jsonrpc": "1.0", "id": "a", "method": "ping"}', -32600, "a"),
    (b'{"jsonrpc": "2.0", "id": 8, "method": 5}', -32600, 8),
    (b'{"jsonrpc": "2.0", "id": 9, "method": "ping", "params": [1]}', -32600, 9),
    (b'{"jsonrpc": "2.0", "id": true, "method": 5}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": [], "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": {}}', -32600, None),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * LONGEST_LINE + b'"}', -32600, None),
]


def test_a_line_that_is_no_message_is_answered_and_an_empty_one_is_none(tmp_path: Path) -> None:
    empty = [b"", b"  ", b"\r"]
    told = answers_to_lines(tmp_path / "m", [*empty, *(line for line, _, _ in UNREADABLE)])
    wanted = [(code, id) for _, code, id in UNREADABLE]
    assert [(one["error"]["code"], one["id"]) for one in told] == wanted
    messages = [one["error"]["message"] for one in told]
    assert all(0 < len(message) < 300 and "pydantic" not in message for message in messages)


def test_each_request_is_answered_before_the_input_ends(tmp_path: Path) -> None:
    """Also when the last line follows a broken one at once."""
    asked = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call",
         "params": {"name": "remember", "arguments": {"text": f"Note {number}"}}}
        for number in range(1, 9)
    ]  # fmt: skip
    lines = [json.dumps(one) for one in (INITIALIZE, *asked)]
    lines.insert(-1, "this is no JSON")
    parameters = started(tmp_path / "m")
    process = subprocess.run(
        [parameters.command, *parameters.args],
        input="\n".join(lines),  # the last one without its end
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0
    assert sorted(one["id"] for one in answers if one["id"] is not None) == list(range(9))
    assert all("result" in one for one in answers if one["id"] is not None)


def test_the_profile_is_a_resource_and_a_question(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        ada = memory.scoped(user="ada")
        ada.remember([{"role": "user", "content": "I live in Tessary."}], session="s1")
        ada.statements.digest(RuleDigester())

    async def work() -> None:
        async with Client(started(tmp_path / "m", "--user", "ada")) as client:
            listed = [str(one.uri) for one in (await client.list_resources()).resources]
            assert listed == ["agentcl://profile"]
            read = await client.read_resource("agentcl://profile")
            assert "Tessary" in read.contents[0].text  # type: ignore[union-attr]
            asked = await client.get_prompt("what_do_you_remember", {})
            assert "Tessary" in asked.messages[0].content.text  # type: ignore[union-attr]
        async with Client(started(tmp_path / "m", "--user", "bob")) as client:
            read = await client.read_resource("agentcl://profile")
            assert read.contents[0].text == "Nothing is known of the user."  # type: ignore[union-attr]

    asyncio.run(asyncio.wait_for(work(), 120))


def test_a_client_of_another_memory_server_finds_its_tools(tmp_path: Path) -> None:
    async def work() -> None:
        async with Client(started(tmp_path / "m", "--compat", "mem0")) as client:
            added = value(await client.call_tool("add_memories", {"text": "Ada drinks tea."}))
            assert added["results"][0]["event"] == "ADD"
        async with Client(started(tmp_path / "m", "--compat", "reference")) as client:
            found = value(await client.call_tool("search_nodes", {"query": "who drinks tea"}))
            assert found["entities"][0]["observations"] == ["Ada drinks tea."]

    asyncio.run(asyncio.wait_for(work(), 120))


def test_many_editors_share_one_folder(tmp_path: Path) -> None:
    texts = asyncio.run(asyncio.wait_for(_crowd(tmp_path / "m", 4), 240))
    with Memory(tmp_path / "m") as memory:
        assert {one.text for one in memory.list()} == texts  # type: ignore[attr-defined]
        assert memory.store.examine().is_healthy


async def _crowd(folder: Path, editors: int) -> set[str]:
    """Let several editors, each with a server of its own, write into one folder at once."""

    async def write(number: int) -> set[str]:
        texts = {f"note {number}-{turn}" for turn in range(3)}
        async with Client(started(folder)) as client:
            for text in sorted(texts):
                value(await client.call_tool("remember", {"text": text}))
        return texts

    return set[str]().union(*await asyncio.gather(*map(write, range(editors))))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["-c", "from agentcl.cli.main import main; main()", "mcp", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *arguments, "--path", str(folder), "--encoder", "hashing"],
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 1, 130, -signal.SIGINT)
        assert process.stderr is not None
        process.stderr.close()


def test_one_server_serves_many_clients_over_http(tmp_path: Path) -> None:
    with served(tmp_path / "m") as address:

        async def write(number: int, mode: str) -> None:
            async with Client(address, mode=mode) as client:
                text = f"note {number}"
                value(await client.call_tool("remember", {"text": text}))
                begun = value(await client.call_tool("start_task", {"task": text}))
            # Another connection goes on with the task: it is named by its id.
            async with Client(address, mode=mode) as client:
                given = {"task": begun["task"], "score": 0.5}
                assert value(await client.call_tool("report_outcome", given))["score"] == 0.5

        async def work() -> None:
            modes = ["legacy", "2026-07-28", "auto"]
            await asyncio.gather(*(write(n, modes[n % 3]) for n in range(6)))

        asyncio.run(asyncio.wait_for(work(), 240))
    with Memory(tmp_path / "m") as memory:
        assert len(memory.list()) == 6
        assert [one.score for one in memory.episodes.list()] == [0.5] * 6


def test_a_request_for_another_host_is_refused(tmp_path: Path) -> None:
    import http.client

    with served(tmp_path / "m") as address:
        port = int(address.split(":")[2].split("/")[0])
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"127.0.0.1:{port}", "Origin": "http://evil.example"},
        ):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
            connection.putrequest("POST", "/mcp", skip_host=True)
            for name, text in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body)),
                               "Accept": "application/json, text/event-stream"}.items():  # fmt: skip
                connection.putheader(name, text)
            connection.endheaders(body.encode())
            assert connection.getresponse().status in (403, 421)
            connection.close()


def test_over_http_a_request_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    import httpx

    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    with served(tmp_path / "m") as address:
        told = [
            httpx.post(address, content=b" " * size, headers=headers, timeout=60).status_code
            for size in (LONGEST_LINE, LONGEST_LINE + 1)
        ]
    assert told == [400, 413]


def test_a_header_that_says_whose_memory_is_meant_is_refused_where_none_is_read(
    tmp_path: Path,
) -> None:
    import httpx

    call = {"name": "remember", "arguments": {"text": "Ada lives in Oslo."}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    with served(tmp_path / "m") as address:
        answer = httpx.post(address, json=body, headers={"X-Agentcl-User": "ada"}, timeout=60)
    assert answer.status_code == 400
    assert "agentcl serve" in answer.text
    with Memory(tmp_path / "m") as memory:
        assert memory.list() == []


def test_a_second_server_on_a_port_is_told_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from agentcl.cli.main import main

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit) as ended:
            main(["mcp", "--path", str(tmp_path / "m"), "--encoder", "hashing", "--port", port])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert f"port {port} cannot be listened on" in said
    assert "Ctrl-C" not in said


def test_without_the_extra_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from agentcl.cli.main import main

    for name in [name for name in sys.modules if name.split(".")[0] in ("mcp",)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "agentcl.mcp.server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(SystemExit) as ended:
        main(["mcp", "--path", str(tmp_path / "m"), "--encoder", "hashing"])
    assert ended.value.code == 1
    assert "pip install 'agentcl[mcp]'" in capsys.readouterr().err
