"""A write with an idempotency key is done once, however often it is sent."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentcl import ANY, Memory
from agentcl.server import Keys
from agentcl.server.access import Access
from agentcl.server.keys import RIGHTS
from agentcl.server.once import Once
from agentcl.server.problems import Refused
from agentcl.wire import VERBS, to_json
from tests.served import served


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def post(address: str, verb: str, key: str, **sent: Any) -> httpx.Response:
    headers = {"idempotency-key": key}
    return httpx.post(f"{address}/v1/memory/{verb}", json=sent, headers=headers, timeout=60)


def test_the_same_request_is_done_once_also_by_another_server(memory: Memory) -> None:
    with served(memory) as address:
        first = post(address, "add", "k1", text="one", duplicates="keep")
        again = post(address, "add", "k1", text="one", duplicates="keep")
    assert first.json() == again.json()
    with served(memory) as address:
        assert post(address, "add", "k1", text="one", duplicates="keep").json() == first.json()
        other = post(address, "add", "k2", text="one", duplicates="keep")
        assert other.json()["id"] != first.json()["id"]
    assert len(memory.list()) == 2


def test_each_kind_of_answer_is_told_again(memory: Memory) -> None:
    kept = memory.add("one", uri="a")
    lesson = memory.lessons.add("When a queue is slow, drain it.")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("update", {"id": kept.id, "title": "t"}),
        ("move", {"uri": "a", "to": "b"}),
        ("remember", {"messages": ["I live in Gent.", "Oslo is far."], "session": "s"}),
        ("add_many", {"drafts": ["x", "y"], "duplicates": "keep"}),
        ("statements/add", {"subject": "user", "attribute": "home", "value": "Gent"}),
        ("store/credit", {"id": kept.id, "uses": 1}),
        ("jobs/enqueue", {"kind": "digest", "spec": {"digester": "rules"}}),
        ("episodes/begin", {"task": "t"}),
        ("lessons/report", {"id": lesson.id, "situation": "slow", "applies": True}),
        ("delete", {"id": kept.id}),
        ("forget", {"ids": [kept.id]}),
    ]
    with served(memory) as address:
        for number, (verb, sent) in enumerate(asked):
            first = post(address, verb, f"k{number}", **sent)
            assert first.status_code == 200, first.text
            before = memory.store.journal.last_seq()
            again = post(address, verb, f"k{number}", **sent)
            assert (again.status_code, again.json()) == (200, first.json()), verb
            assert memory.store.journal.last_seq() == before, verb


def test_another_body_under_the_same_key_is_refused(memory: Memory) -> None:
    with served(memory) as address:
        assert post(address, "add", "k", text="one").status_code == 200
        other = post(address, "add", "k", text="two")
        assert (other.status_code, other.json()["title"]) == (422, "InvalidInput")
        assert (
            post(address, "statements/add", "k", subject="a", attribute="b", value="c").status_code
            == 422
        )
        assert post(address, "add", "k" * 256, text="x").status_code == 400
    assert [one.text for one in memory.list()] == ["one"]  # type: ignore[attr-defined]


def test_what_was_refused_can_be_sent_again(memory: Memory) -> None:
    with served(memory) as address:
        assert post(address, "update", "k", uri="a", text="new").status_code == 404
        memory.add("old", uri="a")
        assert post(address, "update", "k", uri="a", text="new").json()["version"] == 2


def test_what_was_forgotten_does_not_live_on_in_an_answer(memory: Memory) -> None:
    with served(memory) as address:
        added = post(address, "add", "k", text="The secret of Tavon.").json()
        memory.forget(added["id"])
        again = post(address, "add", "k", text="The secret of Tavon.")
        assert (again.status_code, again.json()["title"]) == (410, "NotFound")
    assert memory.list() == []
    memory.close()
    for file in memory.path.rglob("*"):
        assert not file.is_file() or b"secret of Tavon" not in file.read_bytes(), file


def test_keys_of_one_client_are_nothing_to_another(memory: Memory, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "m", file=tmp_path / "keys.db")
    made = [keys.add(scope={"user": user})[0] for user in ("ada", "bob")]
    with served(memory, keys=keys) as address:
        for secret in made:
            headers = {"idempotency-key": "1", "x-agentcl-key": secret}
            answer = httpx.post(f"{address}/v1/memory/add", json={"text": "x"}, headers=headers)
            assert answer.status_code == 200
    assert len(memory.list(user=ANY)) == 2


def test_two_that_come_at_once_are_one(memory: Memory) -> None:
    answers: list[httpx.Response] = []
    with served(memory) as address:

        def send() -> None:
            answers.append(post(address, "add", "k", text="one", duplicates="keep"))

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(memory.list()) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1


class Killed(BaseException):
    """The process ends here."""


CUT_OFF: dict[str, tuple[str, dict[str, Any], Callable[[Memory], object]]] = {
    "a document": ("add", {"text": "x"}, lambda memory: memory.add("x", duplicates="keep")),
    "what was said": (
        "remember",
        {"messages": ["I live in Gent.", "Oslo is far."]},
        lambda memory: memory.remember(["I live in Gent.", "Oslo is far."], session="s"),
    ),
    "a deletion": ("delete", {"uri": "a"}, lambda memory: memory.delete(uri="a")),
    "a lesson": (
        "lessons.add",
        {"lesson": "When a, b."},
        lambda memory: memory.lessons.add("When a, b."),
    ),
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_server_that_is_killed_before_it_answers_has_done_it_once(
    tmp_path: Path, name: str
) -> None:
    verb, sent, act = CUT_OFF[name]
    answers: list[object] = []

    def killed(memory: Memory) -> object:
        answers.append(act(memory))
        raise Killed

    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add("here", uri="a")
        access = Access(memory, {}, frozenset(RIGHTS))
        with pytest.raises(Killed):
            Once(memory).run("k", access, VERBS[verb], sent, lambda: killed(memory))
    with Memory(tmp_path / "m") as memory:
        last = memory.store.journal.last_seq()
        access = Access(memory, {}, frozenset(RIGHTS))
        again = Once(memory).run("k", access, VERBS[verb], sent, lambda: act(memory))
        assert to_json(again) == to_json(answers[0])
        assert memory.store.journal.last_seq() == last


def test_what_cannot_be_told_again_is_not_done_again(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        id = memory.add("x").id
        access = Access(memory, {}, frozenset(RIGHTS))

        def killed() -> object:
            memory.store.credit(id, uses=1)
            raise Killed

        with pytest.raises(Killed):
            Once(memory).run("k", access, VERBS["store.credit"], {"id": id}, killed)
        with pytest.raises(Refused, match="not done again"):
            Once(memory).run("k", access, VERBS["store.credit"], {"id": id}, killed)
        assert memory.store.counters(id).uses == 1
