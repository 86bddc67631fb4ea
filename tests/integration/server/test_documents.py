"""Documents as resources over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentcl import Memory, VersionConflict
from tests.served import served


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    with (
        served(memory) as address,
        httpx.Client(base_url=f"{address}/v1/memory", timeout=60) as client,
    ):
        yield client


def test_a_document_is_read_changed_replaced_and_deleted(
    memory: Memory, client: httpx.Client
) -> None:
    made = memory.add("old", title="Old", uri="notes/1", metadata={"n": 1}, user="ada")
    place = f"/documents/{made.id}?user=ada"
    read = client.get(place)
    assert (read.json()["text"], read.headers["etag"]) == ("old", '"1"')
    assert client.get("/documents", params={"uri": "notes/1", "user": "ada"}).json() == read.json()
    assert client.get(f"/documents/{made.id}").status_code == 404
    assert client.get(place, headers={"if-none-match": '"1"'}).status_code == 304
    patched = client.patch(place, json={"text": "new"}, headers={"if-match": '"1"'})
    assert (patched.json()["title"], patched.headers["etag"]) == ("Old", '"2"')
    late = client.patch(place, json={"text": "late"}, headers={"if-match": '"1"'})
    assert (late.status_code, late.json()["title"]) == (412, "VersionConflict")
    put = client.put("/documents?uri=notes/1&user=ada", json={"text": "whole"}).json()
    assert (put["text"], put["title"], put["metadata"], put["uri"]) == ("whole", "", {}, "notes/1")
    then = {"as_of": made.created_at.isoformat(), "user": "ada"}
    assert client.get(f"/documents/{made.id}", params=then).json()["text"] == "old"
    assert client.delete(place, headers={"if-match": '"2"'}).status_code == 412
    assert client.delete(place, headers={"if-match": '"3"'}).status_code == 204
    assert client.get(place).status_code == 404
    assert len(memory.history(made.id, user="ada")) == 4


def test_pages_lead_to_the_next_one(memory: Memory, client: httpx.Client) -> None:
    made = memory.add_many([f"text {n}" for n in range(5)])
    found, after = [], None
    while True:
        page = client.get("/documents", params={"limit": 2, **({"after": after} if after else {})})
        found += [one["id"] for one in page.json()["documents"]]
        after = page.json()["next"]
        if after is None:
            break
    assert found == [one.id for one in made]
    for wrong in ({"after": "x"}, {"limit": 0}, {"limit": 5_000}, {"as_of": "soon"}, {"user": ""}):
        assert client.get("/documents", params=wrong).status_code in (400, 422)


def test_a_change_is_made_once_for_its_key(memory: Memory, client: httpx.Client) -> None:
    made = memory.add("old")
    headers = {"idempotency-key": "k", "if-match": '"1"'}
    first = client.patch(f"/documents/{made.id}", json={"text": "new"}, headers=headers)
    again = client.patch(f"/documents/{made.id}", json={"text": "new"}, headers=headers)
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"] == '"2"'
    gone = [client.delete(f"/documents/{made.id}", headers={"idempotency-key": "d"}) for _ in "12"]
    assert [one.status_code for one in gone] == [204, 204]


def test_what_is_no_document_or_no_body_is_a_problem(memory: Memory, client: httpx.Client) -> None:
    made = memory.add("old")
    turn = memory.remember("I live in Gent.", user="ada").turns[0]
    assert "is a turn" in client.get(f"/documents/{turn.id}?user=ada").json()["detail"]
    for body, told in (
        ({"title": "x"}, "needs 'text'"),
        ({"text": "x", "uri": "b"}, "has no 'uri'"),
        ({"text": 1}, "must be a string"),
    ):
        answer = client.put(f"/documents/{made.id}", json=body)
        assert answer.status_code == 400
        assert told in answer.json()["detail"]
    wrong = client.patch(f"/documents/{made.id}", json={}, headers={"if-match": "one"})
    assert wrong.status_code == 400
    assert client.put("/documents", json={"text": "x"}).status_code == 422
    assert memory.get(made.id) == made


def test_a_deletion_may_name_the_version_that_it_means(memory: Memory) -> None:
    made = memory.add("x")
    memory.update(made.id, title="t")
    with pytest.raises(VersionConflict, match="at version 2, not 1"):
        memory.delete(made.id, if_version=1)
    memory.delete(made.id, if_version=2)
    assert memory.list() == []
