"""Whose conversation a request is, and whose keys go where."""

import json
from typing import Any

import httpx
import pytest

from agentcl import Memory
from agentcl.server import Keys
from tests.upstreams import Upstream, completion, document, over, proxied

ASK = {"messages": [{"role": "user", "content": "I moved to Oslo."}]}


def scope_of(client: httpx.Client, **fields: Any) -> dict[str, str]:
    answer = client.post("/v1/chat/completions", json={**ASK, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = over(client, answer)["scope"]
    return found


@pytest.mark.parametrize(
    ("fields", "user", "session"),
    [
        ({}, "me", None),
        ({"user": "ada"}, "ada", None),
        ({"user": "ada", "safety_identifier": "a-1"}, "a-1", None),
        ({"metadata": {"user_id": "ada", "thread_id": "t-1"}}, "ada", "t-1"),
        ({"metadata": {"user_id": "bob"}, "user": "ada"}, "ada", None),
        ({"conversation": {"id": "conv_1"}}, "me", "conv_1"),
        ({"conversation": "conv_2"}, "me", "conv_2"),
        ({"x-agentcl-user": "ada", "user": "bob", "x-agentcl-session": "s"}, "ada", "s"),
        ({"user": "Zoë ☃"}, "Zoë ☃", None),
    ],
)
def test_a_request_tells_whose_it_is(
    memory: Memory, fields: dict[str, Any], user: str, session: str | None
) -> None:
    with proxied(memory, Upstream([completion()])) as client:
        scope = scope_of(client, **fields)
    assert scope["user"] == user
    assert scope["session"] == (session or scope["session"])
    assert memory.conversations.get(**scope)


def test_headers_go_before_fields_and_may_be_of_any_letters(memory: Memory) -> None:
    with proxied(memory, Upstream([completion()])) as client:
        headers = {b"x-agentcl-user": "Zoë ☃".encode(), b"x-agentcl-session": b"chat 1"}
        answer = client.post("/v1/chat/completions", json={**ASK, "user": "bob"}, headers=headers)
        told = over(client, answer)
        other = client.post(
            "/v1/chat/completions", json={**ASK, "x-agentcl-user": "bob"}, headers=headers
        )
    assert told["scope"] == {"user": "Zoë ☃", "session": "chat 1"}
    assert other.status_code == 403


def test_users_of_one_server_are_shown_nothing_of_each_other(memory: Memory) -> None:
    upstream = Upstream([completion()])
    with proxied(memory, upstream) as client:
        scope_of(client, user="ada")
        question = {"messages": [{"role": "user", "content": "Who moved to Oslo?"}]}
        for user, is_shown in (("bob", False), ("ada", True)):
            client.post("/v1/chat/completions", json={**question, "user": user}).raise_for_status()
            assert ("I moved" in upstream.last.body.decode()) is is_shown


def test_what_a_server_or_a_key_is_bound_to_goes_before_openais_fields(
    memory: Memory, keys: Keys
) -> None:
    secret, _ = keys.add(scope={"user": "ada"})
    upstream = Upstream([completion()])
    with proxied(memory.scoped(user="ada"), upstream) as client:
        assert scope_of(client, user="bob")["user"] == "ada"
    with proxied(memory, upstream, keys=keys) as client:
        client.headers["x-agentcl-key"] = secret
        assert scope_of(client, user="bob")["user"] == "ada"
        refused = client.post("/v1/chat/completions", json={**ASK, "x-agentcl-user": "bob"})
    assert refused.status_code == 403
    assert "user='ada' only" in refused.json()["detail"]


def test_with_a_key_for_many_who_is_not_named_stays_in_his_session(
    memory: Memory, keys: Keys
) -> None:
    secret, _ = keys.add()
    with proxied(memory, Upstream([completion()]), keys=keys) as client:
        client.headers["x-agentcl-key"] = secret
        assert list(scope_of(client)) == ["session"]


@pytest.mark.parametrize("user", ["x" * 2_000, "a\nb", 7, ["ada"]])
def test_a_name_that_cannot_be_kept_leaves_the_memory_out_and_never_mixes_people(
    memory: Memory, user: Any
) -> None:
    upstream = Upstream([completion()])
    with proxied(memory, upstream) as client:
        answer = client.post("/v1/chat/completions", json={**ASK, "user": user})
        assert answer.status_code == 200
        assert answer.headers["x-agentcl-warning"]
        assert not over(client, answer)["remembered"]
        refused = client.post("/v1/chat/completions", json={**ASK, "x-agentcl-user": user})
    assert refused.status_code == 400
    assert len(upstream.asked) == 1
    assert not memory.conversations.list(user="me")


@pytest.mark.parametrize("path", ["chat/completions", "responses", "completions"])
@pytest.mark.parametrize(
    ("headers", "fields", "told"),
    [
        ([("x-agentcl-user", "ada"), ("x-agentcl-user", "bob")], "", "stands twice"),
        ([("x-agentcl-memory", "on"), ("x-agentcl-memory", "off")], "", "stands twice"),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "", "stands twice"),
        ([("x-agentcl-usr", "ada")], "", "did you mean 'x-agentcl-user'"),
        ([("x-agentcl-user-id", "ada")], "", "did you mean 'x-agentcl-user'"),
        ([("x_agentcl_user", "ada")], "", "did you mean 'x-agentcl-user'"),
        ([], '"x-agentcl-user": "ada", "x-agentcl-user": "bob"', "stands twice"),
        ([], '"x-agentcl-usr": "ada"', "did you mean 'x-agentcl-user'"),
        ([], '"X-Agentcl-User": "ada"', "did you mean 'x-agentcl-user'"),
        ([], '"x-agentcl-user": null', "names nobody"),
        ([], '"x-agentcl-key": "k"', "reads no 'x-agentcl-key'"),
    ],
)
def test_what_is_said_to_us_and_not_clear_is_never_left_aside(
    memory: Memory, headers: list[tuple[str, str]], fields: str, told: str, path: str
) -> None:
    upstream = Upstream([completion()])
    body = (
        '{"messages": [{"role": "user", "content": "a"}], "input": "a"'
        + ", " * bool(fields)
        + fields
    )
    with proxied(memory, upstream) as client:
        answer = client.post(
            f"/v1/{path}",
            content=body + "}",
            headers=[("content-type", "application/json"), *headers],
        )
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    assert upstream.asked == []
    assert not memory.conversations.list(user="me")


def test_what_is_said_to_us_goes_to_no_server_of_models(memory: Memory) -> None:
    upstream = Upstream([document({})])
    with proxied(memory, upstream) as client:
        client.post("/v1/completions", json={"prompt": "a", "x-agentcl-user": "ada"})
    assert upstream.last.json == {"prompt": "a"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_a_body_in_another_encoding_is_remembered_too(memory: Memory, encoding: str) -> None:
    with proxied(memory, Upstream([completion()])) as client:
        raw = json.dumps(ASK, ensure_ascii=False).encode(encoding)
        answer = client.post("/v1/chat/completions", content=raw)
        assert over(client, answer)["scope"]["user"] == "me"
    (conversation,) = memory.conversations.list(user="me")
    assert len(memory.conversations.turns(conversation.id, user="me")) == 2


@pytest.mark.parametrize("place", ["headers", "json"])
def test_a_mode_that_is_none_is_refused(memory: Memory, place: str) -> None:
    with proxied(memory, Upstream([completion()])) as client:
        given: Any = {"json": dict(ASK), "headers": {}}
        given[place]["x-agentcl-memory"] = "maybe"
        answer = client.post("/v1/chat/completions", **given)
    assert answer.status_code == 400
    assert "on, off, read, write" in answer.json()["detail"]


def test_conversations_that_begin_alike_are_kept_apart_by_what_is_known_of_them(
    memory: Memory,
) -> None:
    with proxied(memory, Upstream([completion("Hello.")])) as client:
        first = scope_of(client)["session"]
        assert scope_of(client)["session"] == first  # sent again
        assert scope_of(client, prompt_cache_key="k")["session"] != first
        other = {"role": "system", "content": "You write titles."}
        assert scope_of(client, messages=[other, *ASK["messages"]])["session"] != first
        dated = [
            scope_of(client, messages=[{"role": "system", "content": day}, *ASK["messages"]])
            for day in ("It is 2026-11-28.", "It is 2026-11-29.")
        ]
        assert dated[0] == dated[1]


def test_a_window_that_lost_its_beginning_belongs_to_the_same_session(memory: Memory) -> None:
    with proxied(
        memory, Upstream([completion("One."), completion("Two."), completion("Three.")])
    ) as client:
        messages: list[Any] = []
        for text in ("a?", "b?", "c?"):
            messages += [{"role": "user", "content": text}]
            answer = client.post("/v1/chat/completions", json={"messages": messages[-3:]})
            told = over(client, answer)
            messages.append(answer.json()["choices"][0]["message"])
    assert len(told["remembered"]) == 2
    assert len(memory.conversations.turns(told["conversation"], user="me")) == 6


def test_a_key_of_ours_never_goes_upstream(memory: Memory, keys: Keys) -> None:
    secret, made = keys.add()
    upstream = Upstream([completion()])
    with proxied(memory, upstream, keys=keys, upstream_key="sk-server") as client:
        ways: list[tuple[dict[str, str], str]] = [
            ({"authorization": f"Bearer {secret}"}, "Bearer sk-server"),
            ({"x-agentcl-key": secret}, "Bearer sk-server"),
            ({"x-agentcl-key": secret, "authorization": "Bearer sk-mine"}, "Bearer sk-mine"),
            ({"x-agentcl-key": secret, "authorization": f"Bearer {secret}"}, "Bearer sk-server"),
            ({"x-agentcl-key": secret, "x-api-key": secret}, "Bearer sk-server"),
        ]
        for headers, sent in ways:
            for path in ("chat/completions", "responses", "embeddings"):
                client.post(f"/v1/{path}", json=ASK, headers=headers).raise_for_status()
                assert upstream.last.header("authorization") == sent
        asked = len(upstream.asked)
        in_address = client.get(f"/v1/models?key={secret}", headers={"x-agentcl-key": secret})
        assert (in_address.status_code, len(upstream.asked)) == (400, asked)
        for path in (
            f"responses/{secret}",
            f"responses/{secret.replace('-', '%2D')}",
            f"models?k={secret.replace('a', '%61')}",
        ):
            in_path = client.get(f"/v1/{path}", headers={"x-agentcl-key": secret})
            assert (in_path.status_code, len(upstream.asked)) == (400, asked)
        keys.add()
        keys.remove(made.id)
        refused = client.get("/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert (refused.status_code, len(upstream.asked)) == (401, asked)
    assert secret not in str(upstream.asked)


@pytest.mark.parametrize("own", ["", "sk-server"])
def test_a_key_for_others_does_not_go_to_the_models_server(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-encoder")
    upstream = Upstream([document({"data": [{"id": "m"}]}), completion()])
    with proxied(memory, upstream, upstream_key=own) as client:
        assert client.get("/v1/page/about").json()["models"] == ["m"]
        client.get("/v1/page/model?name=m")
        client.post("/v1/chat/completions", json=ASK)
    assert len(upstream.asked) > 2
    assert "sk-of-the-encoder" not in str(upstream.asked)
    sent = {asked.header("authorization") for asked in upstream.asked}
    assert sent == ({"Bearer sk-server"} if own else {"Bearer none", None})


LISTED = [
    ("GET", "files"), ("GET", "files/file-1/content"), ("POST", "files"), ("GET", "chat/completions"), ("GET", "batches"),
    ("POST", "batches"), ("GET", "fine_tuning/jobs"), ("DELETE", "models/ft-1"), ("GET", "vector_stores"), ("GET", "responses"),
    ("GET", "threads/1/messages"), ("POST", "realtime/client_secrets"), ("GET", "/files/"), ("GET", "%66iles"),
    ("GET", "responses/;x"), ("GET", "Files"), ("GET", "responses%2520"),
]  # fmt: skip
COMPUTED = [
    ("GET", "models"), ("GET", "models/scripted"), ("POST", "embeddings"), ("POST", "audio/transcriptions"),
    ("GET", "responses/resp_1"), ("POST", "responses/resp_1/cancel"), ("POST", "rerank"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), LISTED)
def test_a_bound_key_reaches_nothing_of_the_account_behind_the_servers_own(
    memory: Memory, keys: Keys, method: str, path: str
) -> None:
    """What lies there is of all users: their files, their stored chats."""
    bound, _ = keys.add(scope={"user": "ada"})
    free, _ = keys.add()
    upstream = Upstream([document({"data": []})])
    with proxied(memory, upstream, keys=keys, upstream_key="sk-server") as client:
        for headers in (
            {"x-agentcl-key": bound}, {"authorization": f"Bearer {bound}"},
            {"x-agentcl-key": bound, "authorization": "Bearer sk-mine", "connection": "authorization"},
        ):  # fmt: skip
            assert client.request(method, f"/v1/{path}", headers=headers).status_code == 403
        assert upstream.asked == []
        for headers in (
            {"x-agentcl-key": bound, "authorization": "Bearer sk-mine"}, {"x-agentcl-key": free},
        ):  # fmt: skip
            assert client.request(method, f"/v1/{path}", headers=headers).status_code == 200


@pytest.mark.parametrize(("method", "path"), COMPUTED)
def test_a_bound_key_has_all_that_is_computed_for_it(
    memory: Memory, keys: Keys, method: str, path: str
) -> None:
    bound, _ = keys.add(scope={"user": "ada"})
    upstream = Upstream([document({"data": []})])
    with proxied(memory, upstream, keys=keys, upstream_key="sk-server") as client:
        answer = client.request(method, f"/v1/{path}", headers={"x-agentcl-key": bound})
    assert answer.status_code == 200


def test_without_keys_the_authorization_is_the_models(memory: Memory) -> None:
    upstream = Upstream([document({})])
    with proxied(memory, upstream, upstream_key="sk-server") as client:
        client.get("/v1/models", headers={"authorization": "Bearer sk-mine"})
        assert upstream.last.header("authorization") == "Bearer sk-mine"
        client.get("/v1/models")
        assert upstream.last.header("authorization") == "Bearer sk-server"


def test_rights_of_a_key_bound_what_the_memory_does(memory: Memory, keys: Keys) -> None:
    memory.add("Oslo has a harbour.")
    upstream = Upstream([completion()])
    question = {"messages": [{"role": "user", "content": "What has Oslo?"}], "user": "ada"}
    with proxied(memory, upstream, keys=keys) as client:
        for right, is_shown in (("read", True), ("write", False)):
            secret, _ = keys.add(rights=[right])
            client.headers["x-agentcl-key"] = secret
            client.post("/v1/chat/completions", json=question).raise_for_status()
            assert ("harbour" in upstream.last.body.decode()) is is_shown
            forbidden = {"read": "write", "write": "read"}[right]
            asked = client.post(
                "/v1/chat/completions", json=question, headers={"x-agentcl-memory": forbidden}
            )
            assert asked.status_code == 403
    assert len(memory.conversations.list(user="ada")) == 1


def test_an_exchange_is_told_to_whom_it_belongs(memory: Memory, keys: Keys) -> None:
    ada, _ = keys.add(scope={"user": "ada"})
    bob, _ = keys.add(scope={"user": "bob"})
    memory.add("Oslo has a harbour.")
    with proxied(memory, Upstream([completion()]), keys=keys) as client:
        answer = client.post("/v1/chat/completions", json=ASK, headers={"x-agentcl-key": ada})
        address = f"/v1/exchanges/{answer.headers['x-agentcl-exchange']}"
        assert client.get(address, headers={"x-agentcl-key": bob}).status_code == 404
        assert client.get(address, headers={"x-agentcl-key": ada}).status_code == 200


def test_an_exchange_of_a_tenant_is_none_of_a_key_without_one(memory: Memory, keys: Keys) -> None:
    ada, _ = keys.add(scope={"user": "ada"})
    whole, _ = keys.add()
    with proxied(memory, Upstream([completion()]), keys=keys) as client:
        of_acme = {"x-agentcl-key": whole, "x-agentcl-tenant": "acme", "x-agentcl-user": "ada"}
        answer = client.post("/v1/chat/completions", json=ASK, headers=of_acme)
        address = f"/v1/exchanges/{answer.headers['x-agentcl-exchange']}"
        told = client.get(address, headers={"x-agentcl-key": ada})
        judged = client.post(
            f"{address}/outcome", json={"thumb": "up"}, headers={"x-agentcl-key": ada}
        )
        assert (told.status_code, judged.status_code) == (404, 404)
        assert client.get(address, headers=of_acme).status_code == 200


def test_what_was_forgotten_is_told_of_no_more(memory: Memory) -> None:
    held = memory.add("Oslo has a harbour.")
    with proxied(memory, Upstream([completion()])) as client:
        answer = client.post("/v1/chat/completions", json=ASK)
        assert over(client, answer)["shown"][0]["text"] == held.text
        memory.forget(held.id)
        (shown,) = over(client, answer)["shown"]
    assert shown == {"number": 1, "id": held.id, "kind": "document", "is_gone": True}
