"""Who answers behind the proxy: the adapter that the journal names, where the model's server has it."""

import json
import threading
from typing import Any

import httpx
import pytest

from agentcl import Memory
from agentcl.server import Keys
from agentcl.store import Adapter, Scope
from tests.integration.test_adapters import said, train
from tests.integration.test_canary import sessions
from tests.upstreams import Asked, Upstream, completion, document, over, proxied

BASE = "tiny"


class Serving:
    """A model's server that has some adapters, and answers in the name of who was asked."""

    def __init__(self, *loaded: str) -> None:
        self.loaded, self.asked, self.lists = [*loaded], list[str](), 0
        self.resolves, self.is_vllm = list[str](), False  # what it loads when it is asked for it
        self.upstream = Upstream([self.play])

    async def play(self, asked: Asked, send: Any, receive: Any) -> None:
        if asked.path.endswith("/models"):
            self.lists += 1
            models: list[dict[str, Any]] = [{"id": BASE, "root": "/models/tiny", "parent": None}]
            models.append({"id": "other"})
            models += [{"id": one, "root": "/a/" + one, "parent": BASE} for one in self.loaded]
            models = [{**one, "owned_by": "vllm" if self.is_vllm else "me"} for one in models]
            await document({"object": "list", "data": models})(asked, send, receive)
            return
        model = asked.json["model"]
        self.asked.append(model)
        self.loaded += [one for one in self.resolves if one == model and one not in self.loaded]
        is_there = model in (BASE, "other", *self.loaded)
        play = completion(f"I am {model}.") if is_there else document({}, status=404)
        await play(asked, send, receive)


def stable(memory: Memory, **scope: str) -> Adapter:
    held = train(memory, said(memory), scope=Scope(**scope))
    return memory.adapters.route(held.name, "stable")


def ask(client: httpx.Client, model: str = BASE, **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Where is Orla?"}]}
    told = {f"x-agentcl-{name}": value for name, value in headers.items()}
    return client.post("/v1/chat/completions", json=body, headers=told)


def test_the_adapter_of_a_scope_answers_in_the_place_of_its_model(memory: Memory) -> None:
    held = stable(memory)
    serving = Serving(held.name)
    with proxied(memory, serving.upstream) as client:
        answer = ask(client)
        assert answer.headers["x-agentcl-adapter"] == held.name
        assert answer.json()["choices"][0]["message"]["content"] == f"I am {held.name}."
        assert over(client, answer)["adapter"] == held.name
        other = ask(client, "other")  # another model than the adapter's base
        assert "x-agentcl-adapter" not in other.headers
        alone = ask(client, memory="off")
        assert "x-agentcl-adapter" not in alone.headers
    assert serving.asked == [held.name, "other", BASE]
    assert serving.lists <= 3


def test_a_rollback_holds_at_the_next_answer_of_a_proxy_that_runs(memory: Memory) -> None:
    one = said(memory)
    first, second = train(memory, one), train(memory, one)
    memory.adapters.route(first.name, "stable")
    memory.adapters.route(second.name, "stable")
    serving = Serving(first.name, second.name)
    with proxied(memory, serving.upstream) as client:
        ask(client)
        memory.adapters.rollback()
        ask(client)
        memory.forget(one.id)
        ask(client)
    assert serving.asked == [second.name, first.name, BASE]


def test_the_bare_model_answers_where_its_server_has_no_such_adapter(memory: Memory) -> None:
    held = stable(memory)
    serving = Serving()
    with proxied(memory, serving.upstream) as client:
        answer = ask(client)
        assert answer.status_code == 200
        assert answer.headers["x-agentcl-adapter"] == "none"
        assert held.name in answer.headers["x-agentcl-warning"]
        assert "agentcl adapters load" in answer.headers["x-agentcl-warning"]
    assert serving.asked == [BASE]


def test_a_vllm_that_loads_adapters_by_itself_is_asked_for_it_first(memory: Memory) -> None:
    held = stable(memory)
    serving = Serving()
    serving.resolves, serving.is_vllm = [held.name], True
    with proxied(memory, serving.upstream) as client:
        for _ in range(2):
            answer = ask(client)
            assert answer.headers["x-agentcl-adapter"] == held.name
            assert answer.json()["choices"][0]["message"]["content"] == f"I am {held.name}."
    assert serving.asked == [held.name] * 3  # one of them for a token, which loads it
    tried = serving.upstream.asked[1]
    assert (tried.path, tried.json["max_tokens"]) == ("/v1/completions", 1)


def test_a_vllm_that_loads_nothing_by_itself_is_not_asked_again_and_again(memory: Memory) -> None:
    held = stable(memory)
    serving = Serving()
    serving.is_vllm = True
    with proxied(memory, serving.upstream) as client:
        for _ in range(3):
            assert ask(client).headers["x-agentcl-adapter"] == "none"
    assert serving.asked == [held.name, BASE, BASE, BASE]


def test_one_that_was_unloaded_a_moment_ago_costs_no_answer(memory: Memory) -> None:
    held = stable(memory)
    serving = Serving(held.name)
    with proxied(memory, serving.upstream) as client:
        ask(client)
        serving.loaded.clear()  # what it serves is known from before
        answer = ask(client)
        assert answer.status_code == 200
        assert answer.headers["x-agentcl-adapter"] == "none"
        assert answer.json()["choices"][0]["message"]["content"] == f"I am {BASE}."
    assert serving.asked == [held.name, held.name, BASE]


def test_a_stale_adapter_is_named_as_one_and_the_correction_is_in_the_prompt(
    memory: Memory,
) -> None:
    first = memory.statements.add("Orla", "office", "room 1", user="me")
    held = train(memory, first, scope=Scope(user="me"))
    memory.adapters.route(held.name, "stable")
    memory.statements.add("Orla", "office", "room 2", user="me")
    serving = Serving(held.name)
    with proxied(memory, serving.upstream) as client:
        answer = ask(client)
    assert answer.headers["x-agentcl-adapter"] == f"{held.name}; stale"
    (prompt,) = serving.upstream.last.json["messages"]
    assert "room 2" in prompt["content"]
    assert "room 1" not in prompt["content"].split("room 2")[0]


def test_a_canary_answers_some_sessions_and_each_wholly(memory: Memory) -> None:
    held = train(memory, said(memory))
    memory.adapters.route(held.name, "canary", share=0.5)
    serving = Serving(held.name)
    with proxied(memory, serving.upstream) as client:
        first = [ask(client, session=f"s{n}") for n in range(20)]
        again = [ask(client, session=f"s{n}") for n in range(20)]
    who = [answer.json()["choices"][0]["message"]["content"] for answer in first]
    assert len(set(who)) == 2
    assert [answer.json()["choices"][0]["message"]["content"] for answer in again] == who


def test_nobody_names_the_adapter_of_others_or_sees_it(memory: Memory, keys: Keys) -> None:
    hers = stable(memory, user="ada")
    serving = Serving(hers.name)
    ada, _ = keys.add(name="ada", scope={"user": "ada"})
    bob, _ = keys.add(name="bob", scope={"user": "bob"})
    with proxied(memory, serving.upstream, keys=keys) as client:
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/completions"):
            body = {"model": hers.name, "messages": [], "input": "x", "prompt": "x"}
            refused = client.post(path, json=body, headers={"x-agentcl-key": bob})
            assert refused.status_code == 404
            assert "does not exist" in refused.text
        seen = {
            name: [one["id"] for one in client.get("/v1/models", headers={"x-agentcl-key": key}).json()["data"]]
            for name, key in (("ada", ada), ("bob", bob))
        }  # fmt: skip
        assert seen == {"ada": [BASE, "other", hers.name], "bob": [BASE, "other"]}
        for path in (
            f"models/{hers.name}",
            f"/models//{hers.name}",
            f"models/{hers.name.replace('-', '%2d')}",
        ):
            assert client.get(f"/v1/{path}", headers={"x-agentcl-key": bob}).status_code == 404
        measured = client.get(f"/v1/page/model?name={hers.name}", headers={"x-agentcl-key": bob})
        assert measured.status_code == 404
        about = client.get("/v1/page/about", headers={"x-agentcl-key": bob}).json()
        assert about["models"] == [BASE, "other"]
        with_slash = client.get("/v1/models/", headers={"x-agentcl-key": bob})
        assert hers.name not in with_slash.text
        assert ask(client, hers.name, key=ada).status_code == 200
        memory.adapters.revoke(hers.name)
        assert ask(client, hers.name, key=ada).status_code == 404
    assert serving.asked == [hers.name]


@pytest.mark.parametrize("form", ["object", "spaces"])
def test_a_list_of_models_without_end_is_refused(memory: Memory, keys: Keys, form: str) -> None:
    """One that is too long to be read would name the adapters of others."""
    hers = stable(memory, user="ada")
    listed = json.dumps(
        {"data": [{"id": hers.name}], "x": "y" * 5_000_000 if form == "object" else ""}
    )
    raw = listed.encode() + b" " * 5_000_000
    bob, _ = keys.add(scope={"user": "bob"})
    with proxied(memory, Upstream([document(None, raw=raw)]), keys=keys) as client:
        answer = client.get("/v1/models", headers={"x-agentcl-key": bob})
    assert answer.status_code == 502
    assert hers.name not in answer.text


def test_no_spelling_of_a_body_hides_the_adapter_of_others(memory: Memory, keys: Keys) -> None:
    hers = stable(memory, user="ada")
    upstream = Upstream([document({})])
    bob, _ = keys.add(name="bob", scope={"user": "bob"})
    written = json.dumps({"model": hers.name, "messages": [], "input": "x", "prompt": "x"})
    twice = written[:-1] + f', "model": "{BASE}"}}'
    spelled = [
        written.encode("utf-8-sig"), written.encode("utf-16"), written.encode("utf-32-le"), twice.encode(),
        f'{written[:-1]}, "n": {"9" * 5_000}}}'.encode(), f'{written[:-1]}, "n": {"[" * 9_000}'.encode(),
    ]  # fmt: skip
    with proxied(memory, upstream, keys=keys) as client:
        headers = {"x-agentcl-key": bob, "content-type": "application/json"}
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/completions"):
            for raw in spelled:
                assert client.post(path, content=raw, headers=headers).status_code in (400, 404)
        form = client.post(
            "/v1/audio/transcriptions", files={"file": b"sound"}, headers={"x-agentcl-key": bob}
        )
    assert form.status_code == 200
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("path", ["load_lora_adapter", "unload_lora_adapter"])
def test_what_changes_the_models_server_does_not_pass(memory: Memory, path: str) -> None:
    upstream = Upstream([document({})])
    with proxied(memory, upstream) as client:
        assert client.post(f"/v1/{path}", json={"lora_name": "x"}).status_code == 403
        assert client.post(f"/v1//{path}", json={"lora_name": "x"}).status_code == 403
        assert client.post(f"/v1/{path}/", json={"lora_name": "x"}).status_code == 403
        for spelled in (
            f"{path};x",
            path.upper(),
            path.replace("_", "%255f"),
            f"{path}%20",
            f"{path}%23x",
            f"x%5c{path}",
        ):
            assert client.post(f"/v1/{spelled}", json={"lora_name": "x"}).status_code == 403
    assert upstream.asked == []


def test_sixteen_at_once_are_answered_while_who_answers_changes(memory: Memory) -> None:
    one = said(memory)
    first, second = train(memory, one), train(memory, one)
    memory.adapters.route(first.name, "stable")
    serving = Serving(first.name, second.name)
    statuses: list[int] = []
    with proxied(memory, serving.upstream) as client:

        def talk(number: int) -> None:
            for _ in range(4):
                statuses.append(ask(client, session=f"s{number}").status_code)

        threads = [threading.Thread(target=talk, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        memory.adapters.route(second.name, "stable")
        memory.adapters.rollback()
        for thread in threads:
            thread.join()
        last = ask(client)
    assert statuses == [200] * 64
    assert set(serving.asked) <= {first.name, second.name}
    assert last.headers["x-agentcl-adapter"] == first.name


def test_what_a_user_reports_credits_the_canary_of_his_session(memory: Memory) -> None:
    held = train(memory, said(memory))
    memory.adapters.route(held.name, "canary", share=0.5)
    serving = Serving(held.name)
    with proxied(memory, serving.upstream) as client:
        for session in sessions(held, 40):
            answer = ask(client, session=session)
            id = answer.headers["x-agentcl-exchange"]
            thumb = {"thumb": "up" if "x-agentcl-adapter" in answer.headers else "down"}
            assert client.post(f"/v1/exchanges/{id}/outcome", json=thumb).status_code == 200
            if memory.adapters.get(held.name).state != "canary":
                break
        assert memory.adapters.get(held.name).state == "stable"
        assert ask(client, session="new").headers["x-agentcl-adapter"] == held.name


def test_a_canary_that_no_server_has_is_credited_with_nothing(memory: Memory) -> None:
    held = train(memory, said(memory))
    memory.adapters.route(held.name, "canary", share=0.5)
    with proxied(memory, Serving().upstream) as client:
        for number in range(6):
            id = ask(client, session=f"s{number}").headers["x-agentcl-exchange"]
            client.post(f"/v1/exchanges/{id}/outcome", json={"thumb": "up"})
    trial = memory.adapters.trial(held.name)
    assert (trial.shown, trial.withheld) == (0, 0)
