"""Every verb of the SDK over HTTP."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from agentcl import Memory
from agentcl.server import Keys, create_app
from agentcl.server.examples import EXAMPLES
from agentcl.wire import LEFT_OUT, ROOMS, VERBS
from tests.served import served

Ask = Callable[..., Any]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def address(memory: Memory) -> Iterator[str]:
    with served(memory) as address:
        yield address


@pytest.fixture
def ask(address: str) -> Ask:
    def ask(verb: str, status: int = 200, **sent: Any) -> Any:
        answer = httpx.post(f"{address}/v1/memory/{verb}", json=sent, timeout=60)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_each_verb_of_each_room_goes_over_http_or_is_left_out_with_a_reason() -> None:
    for room, kind in ROOMS.items():
        for name, verb in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith("_"):
                continue
            told = [f"{room}.{name}".lstrip(".") in VERBS, (room, name) in LEFT_OUT]
            assert told.count(True) == 1, (room, name, verb)


def test_what_is_added_is_found_changed_and_forgotten(ask: Ask) -> None:
    added = ask("add", text="The ferry to Tessary leaves at seven.", user="ada", metadata={"n": 1})
    assert (added["kind"], added["version"], added["scope"]["user"]) == ("document", 1, "ada")
    found = ask("search", query="ferry", user="ada", filters={"n": 1})
    assert [hit["document_id"] for hit in found["hits"]] == [added["id"]]
    updated = ask("update", id=added["id"], title="Ferry", user="ada", if_version=1)
    assert updated["version"] == 2
    again = ask("update", 409, id=added["id"], title="Boat", user="ada", if_version=1)
    assert again["title"] == "VersionConflict"
    assert ask("get", id=added["id"], user={"any": True}) == updated
    assert [one["version"] for one in ask("history", id=added["id"], user="ada")] == [1, 2]
    assert ask("delete", id=added["id"], user="ada") is None
    receipt = ask("forget", ids=[added["id"]], user="ada")
    assert receipt["removed"][0]["id"] == added["id"]
    assert ask("get", 404, id=added["id"], user="ada")["title"] == "NotFound"


def test_pages_go_on_after_a_record_that_changed_meanwhile(ask: Ask) -> None:
    ids = [one["id"] for one in ask("add_many", drafts=["one", {"text": "two"}, "three"])]
    first = ask("list", limit=1)
    ask("update", id=ids[0], title="changed")
    after = {"id": first[0]["id"], "version": first[0]["version"]}
    assert [one["id"] for one in ask("list", after=after)] == [ids[1], ids[2], ids[0]]
    assert ask("list", after=ids[0]) == []
    assert ask("list", 404, after={"id": ids[0], "version": 9})["title"] == "NotFound"


def test_an_episode_goes_on_over_requests(ask: Ask) -> None:
    ask("lessons/add", lesson="When a queue is slow, drain it.")
    begun = ask("episodes/begin", task="clear the alert", first="A queue is slow.")
    recalled = ask("episodes/recall", id=begun["id"], situation="A queue is slow.")
    offered = [*recalled["choice"]["shown"], *recalled["choice"]["withheld"]]
    assert [one["guidance"]["what"] for one in offered] == ["drain it"]
    lesson = offered[0]["guidance"]["id"]
    assert isinstance(ask("episodes/why_not", id=begun["id"], lesson=lesson), str)
    step = ask("episodes/step", id=begun["id"], seen="slow", action="drain it", outcome="gone")
    assert step["sources"] == [begun["id"]]
    assert ask("episodes/finish", id=begun["id"], score=1.0)["status"] == "finished"
    assert ask("episodes/finish", 404, id=begun["id"], score=1.0)["title"] == "NotFound"
    assert [one["score"] for one in ask("episodes/list")] == [1.0]
    frozen = ask("episodes/begin", task="again", is_frozen=True)["id"]
    assert ask("episodes/finish", id=frozen, score=0.5)["id"] == ""
    assert len(ask("episodes/list")) == 1


def test_an_episode_belongs_to_the_key_that_began_it(memory: Memory, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "m", file=tmp_path / "keys.db")
    ada, bob = (keys.add(scope={"user": user})[0] for user in ("ada", "bob"))
    with served(memory, keys=keys) as address:

        def ask(key: str, verb: str, **sent: Any) -> httpx.Response:
            ask = f"{address}/v1/memory/episodes/{verb}"
            return httpx.post(ask, json=sent, headers={"x-agentcl-key": key})

        begun = ask(ada, "begin", task="hers").json()["id"]
        assert ask(bob, "finish", id=begun, score=0.0).status_code == 404
        assert ask(ada, "finish", id=begun, score=1.0).status_code == 200


def test_what_is_under_way_when_the_server_ends_is_kept_as_interrupted(memory: Memory) -> None:
    with served(memory) as address:
        httpx.post(f"{address}/v1/memory/episodes/begin", json={"task": "long"})
    assert [one.status for one in memory.episodes.list()] == ["interrupted"]


def test_long_work_tells_how_far_it_is(address: str, ask: Ask) -> None:
    ask("remember", messages=["I moved to Oslo.", "I like tea."], user="ada", session="s")
    request = {"digester": "rules", "user": "ada"}
    with httpx.stream(
        "POST",
        f"{address}/v1/memory/statements/digest",
        json=request,
        headers={"accept": "text/event-stream"},
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    events = [(lines[n][7:], json.loads(lines[n + 1][6:])) for n in range(0, len(lines), 2)]
    assert {name for name, _ in events[:-1]} == {"progress"}
    assert events[-1][0] == "result"
    assert events[-1][1]["read"] == 2
    assert [one["value"] for one in ask("statements/list", user="ada", subject="user")]
    wrong = {"digester": "rule"}
    answer = httpx.post(
        f"{address}/v1/memory/statements/digest",
        json=wrong,
        headers={"accept": "text/event-stream"},
    )
    assert "event: problem" in answer.text
    assert "did you mean 'rules'" in answer.text


def test_nobody_names_an_encoder_or_a_model_that_would_be_asked_or_loaded(ask: Ask) -> None:
    name = "openai:m@http://169.254.169.254/v1"
    for told in (
        ask("store/reembed", 403, encoder=name),
        ask("jobs/enqueue", 403, kind="reembed", spec={"encoder": name}),
        ask("jobs/price", 403, kind="reembed", spec={"encoder": name}),
        ask("jobs/enqueue", 403, kind="consolidate", spec={"base": "/srv/model"}),
        ask("jobs/price", 403, kind="consolidate", spec={"base": "/srv/model"}),
    ):
        assert "only who runs this server" in told["detail"]
    assert ask("store/reembed", encoder="hashing:64") is True


def test_a_chain_is_told_of_what_the_key_sees_only(memory: Memory, tmp_path: Path) -> None:
    memory.add("Ada lives in Tessary.", user="ada")
    memory.add("Tessary lies on the Mire.", user="ada")
    found = memory.search("Where is Ada?", mode="graph", user="ada")
    keys = Keys(tmp_path / "m", file=tmp_path / "keys.db")
    ada, bob = (keys.add(scope={"user": user})[0] for user in ("ada", "bob"))
    with served(memory, keys=keys) as address:

        def ask(key: str, verb: str, sent: Any) -> httpx.Response:
            ask = f"{address}/v1/memory/{verb}"
            return httpx.post(ask, json=sent, headers={"x-agentcl-key": key}, timeout=60)

        recall = ask(ada, "search", {"query": "Where is Ada?", "mode": "graph"}).json()
        chains = ask(ada, "graph/explain", {"recall": recall})
        assert chains.status_code == 200, chains.text
        assert [one["hit"] for one in chains.json()] == [hit.id for hit in found]
        assert ask(bob, "graph/explain", {"recall": recall}).status_code == 404


@pytest.mark.parametrize("right", ["read", "write", "learn"])
def test_a_verb_needs_its_right(memory: Memory, tmp_path: Path, right: str) -> None:
    keys = Keys(tmp_path / "m", file=tmp_path / "keys.db")
    secret, _ = keys.add(rights=[right])
    with served(memory, keys=keys) as address, httpx.Client(base_url=address, timeout=60) as client:
        for verb in VERBS.values():
            answer = client.post(verb.path, json={"no": 1}, headers={"x-agentcl-key": secret})
            assert answer.status_code == (400 if verb.right == right else 403), verb


@pytest.mark.parametrize("verb", EXAMPLES)
def test_examples_are_answered_as_the_document_says(memory: Memory, verb: str) -> None:
    memory.remember("I live in Gent.", user="ada", session="chat-6")
    document = create_app(memory, keys=Keys(memory.path, file=memory.path / "none.db")).openapi()
    with served(memory) as address:
        answer = httpx.post(address + VERBS[verb].path, json=EXAMPLES[verb], timeout=60)
    assert answer.status_code == 200, answer.text
    told = document["paths"][VERBS[verb].path]["post"]
    for place, value in (
        (told["requestBody"], EXAMPLES[verb]),
        (told["responses"]["200"], answer.json()),
    ):
        schema = place["content"]["application/json"]["schema"]
        jsonschema.validate(value, {**schema, "components": document["components"]})


def test_the_document_names_every_verb_with_what_it_takes_and_gives(memory: Memory) -> None:
    document = create_app(memory, keys=Keys(memory.path, file=memory.path / "none.db")).openapi()
    for verb in VERBS.values():
        told = document["paths"][verb.path]["post"]
        takes = told["requestBody"]["content"]["application/json"]["schema"]
        assert set(verb.hints) == set(takes["properties"])
        assert told["summary"]
    takes = document["paths"]["/v1/memory/search"]["post"]["requestBody"]["content"]
    told = takes["application/json"]["schema"]["properties"]["limit"]
    assert told == {"type": "integer", "description": "how many hits at the most.", "default": 10}
    text = json.dumps(document)
    for name in set(text.split('"#/components/schemas/')[1:]):
        assert name.split('"')[0] in document["components"]["schemas"]


BAD: dict[str, tuple[str, bytes, int, str]] = {
    "no JSON": ("add", b"{", 400, "no JSON"),
    "no object": ("add", b"[1]", 400, "must be a JSON object"),
    "no UTF-8": ("add", b'{"text": "\xff"}', 400, "no JSON"),
    "nothing": ("add", b"", 400, "needs 'text'"),
    "a wrong type": ("add", b'{"text": 1}', 400, "text must be a string, not 1"),
    "NaN": ("add", b'{"text": "x", "metadata": {"n": NaN}}', 400, "NaN is no number"),
    "a number of many digits": ("search", b'{"query": "x", "limit": 1' + b"0" * 9_000 + b"}", 400, "no JSON"),
    "a float too large": ("episodes/step", b'{"id": "x", "seen": "", "action": "", "outcome": "", "reward": 1' + b"0" * 400 + b"}", 400, "fits 64 bits"),
    "an integer beyond 64 bits": ("add", b'{"text": "x", "metadata": {"n": 99999999999999999999}}', 400, "beyond 64 bits"),
    "half a surrogate pair": ("add", b'{"text": "\\ud800"}', 400, "lone surrogate"),
    "half a pair as a name": ("add", b'{"\\ud800": 1}', 400, "takes no"),
    "deep nesting": ("add", b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 400, "no JSON"),
    "deep metadata": ("add", b'{"text": "x", "metadata": ' + b'{"a":' * 60 + b"1" + b"}" * 61, 400, "nested more than"),
    "a moment without zone": ("search", b'{"query": "x", "as_of": "2026-01-01T00:00:00"}', 400, "no time zone"),
    "no moment": ("search", b'{"query": "x", "as_of": "soon"}', 400, "must be a moment"),
    "a wrong name": ("search", b'{"query": "x", "limt": 3}', 400, "did you mean 'limit'"),
    "a wrong choice": ("search", b'{"query": "x", "mode": "grap"}', 400, "did you mean 'graph'"),
    "a true number": ("search", b'{"query": "x", "limit": true}', 400, "whole number"),
    "nobody": ("search", b'{"query": "x", "user": null}', 400, "leave user out"),
    "everybody on a write": ("add", b'{"text": "x", "user": {"any": true}}', 400, "user must be a string"),
    "a draft that lacks its text": ("add_many", b'{"drafts": [{"title": "x"}]}', 400, "lacks 'text'"),
    "an unknown verb": ("serch", b"{}", 404, "did you mean 'search'"),
    "an unknown verb of a room": ("statements/lst", b"{}", 404, "did you mean 'statements.list'"),
    "a verb that is left out": ("store/export", b'{"path": "/etc/x"}', 404, "disk"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_problem_and_changes_nothing(
    address: str, memory: Memory, name: str
) -> None:
    kept = memory.add("It stays.")
    verb, body, status, told = BAD[name]
    answer = httpx.post(f"{address}/v1/memory/{verb}", content=body, timeout=60)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text
    assert [one.id for one in memory.list()] == [kept.id]


@pytest.mark.parametrize("verb", ["jobs/get", "jobs/run", "store/credit", "lessons/why", "get"])
def test_an_id_of_half_a_character_is_the_clients_fault(address: str, verb: str) -> None:
    answer = httpx.post(f"{address}/v1/memory/{verb}", content=rb'{"id": "\ud800"}')
    assert (answer.status_code, answer.json()["title"]) == (400, "InvalidInput")


def test_an_encoder_that_nobody_knows_is_the_clients_fault(ask: Ask) -> None:
    assert "unknown encoder 'x'" in ask("store/reembed", 400, encoder="x")["detail"]
