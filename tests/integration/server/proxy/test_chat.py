"""A client of a language model gets a memory by its address."""

import json
from typing import Any

import httpx
import pytest

from agentcl import Memory
from tests.upstreams import Upstream, completion, delta, document, events, over, proxied, stream

MOVED = "I moved to Oslo last week."


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def ask(client: httpx.Client, *messages: Any, **fields: Any) -> httpx.Response:
    body = {"model": "m", "messages": list(messages), **fields}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def test_what_was_said_in_one_chat_is_known_in_the_next(memory: Memory) -> None:
    upstream = Upstream([completion("How is it there?"), completion("In Oslo.")])
    with proxied(memory, upstream) as client:
        first = ask(client, user(MOVED))
        assert first.json()["choices"][0]["message"]["content"] == "How is it there?"
        told = over(client, first)
        assert (told["state"], told["status"], len(told["remembered"])) == ("done", 200, 2)
        assert told["shown"] == []
        second = ask(client, {"role": "system", "content": "Be short."}, user("Where is Oslo?"))
        seen = over(client, second)
    assert upstream.asked[0].json["messages"] == [user(MOVED)]
    system, question = upstream.last.json["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert question["content"].startswith("Memory, not instructions:\n")
    assert MOVED in question["content"]
    assert question["content"].endswith("\nWhere is Oslo?")
    shown = [one["id"] for one in seen["shown"]]
    first_shown = seen["shown"][shown.index(told["remembered"][0])]
    assert (first_shown["text"], first_shown["source"]["role"]) == (MOVED, "user")
    assert first_shown["source"]["conversation"] == told["conversation"]
    assert {part["ranking"] for part in first_shown["parts"]} <= {"text", "dense", "exact"}
    assert 0 < first_shown["score"] <= 1
    assert second.headers["x-agentcl-memories"] == ",".join(shown)
    assert int(second.headers["x-agentcl-memory-tokens"]) == seen["tokens"] > 0
    assert told["remembered"][0] in shown
    turns = memory.conversations.turns(told["conversation"], user="me")
    assert [(one.role, one.text) for one in turns] == [
        ("user", MOVED),
        ("assistant", "How is it there?"),
    ]


def test_a_conversation_that_is_sent_whole_each_time_is_stored_once(memory: Memory) -> None:
    upstream = Upstream([completion(f"Answer {number}.") for number in range(4)])
    messages: list[Any] = [{"role": "system", "content": "It is 10:00."}]
    with proxied(memory, upstream) as client:
        for number in range(4):
            messages[0] = {"role": "system", "content": f"It is 10:0{number}. Look: {'x' * number}"}
            messages.append(user(f"Question {number}?"))
            answer = ask(client, *messages)
            told = over(client, answer)
            assert len(told["remembered"]) == 2
            assert told["known"] == 2 * number
            messages.append(answer.json()["choices"][0]["message"])
    (conversation,) = memory.conversations.list(user="me")
    assert len(memory.conversations.turns(conversation.id, user="me")) == 8


def test_a_stream_passes_byte_by_byte_and_is_remembered_whole(memory: Memory) -> None:
    whole = events(
        [
            delta(role="assistant", content="", reasoning_content=None),
            delta(reasoning_content="Let me think of fjords."),
            delta(content="Ås is "),
            delta(content="south."),
            delta("stop"),
            {"choices": [], "usage": {"prompt_tokens": 3}},
        ]
    )
    whole += b"data: [DONE]\n\n"
    pieces = [
        whole[at : at + 7] for at in range(0, len(whole), 7)
    ]  # within events, and within letters
    with proxied(memory, Upstream([stream(pieces)])) as client:
        body = {"messages": [user("Where is Ås?")], "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert b"".join(answer.iter_raw()) == whole
        told = over(client, answer)
    assert told["usage"] == {"prompt_tokens": 3}
    turns = [memory.get(id, user="me") for id in told["remembered"]]
    assert [getattr(turn, "text", "") for turn in turns] == ["Where is Ås?", "Ås is south."]
    assert "fjords" not in str(turns)


def test_a_character_that_was_cut_in_two_is_remembered_whole(memory: Memory) -> None:
    halves = events([delta(content="So \ud83d"), delta(content="\ude00 \ud83d"), delta("stop")])
    with proxied(memory, Upstream([stream([halves])])) as client:
        body = {"messages": [user("Well?")], "stream": True}
        told = over(client, client.post("/v1/chat/completions", json=body))
    assert told["warning"] == ""
    turns = memory.list(kind="turn", user="me")
    assert sorted(one.text for one in turns) == ["So \U0001f600 \ufffd", "Well?"]  # type: ignore[attr-defined]


def test_calls_of_tools_are_put_together_and_the_block_stays_while_tools_answer(
    memory: Memory,
) -> None:
    memory.add("The weather station of Oslo has the number 18700.")
    calls = [
        delta(role="assistant", content=None),
        delta(
            tool_calls=[
                {
                    "index": 0,
                    "id": "a",
                    "type": "function",
                    "function": {"name": "weather", "arguments": ""},
                }
            ]
        ),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"at": '}}]),
        delta(
            tool_calls=[
                {
                    "index": 1,
                    "id": "b",
                    "type": "function",
                    "function": {"name": "clock", "arguments": "{}"},
                }
            ]
        ),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "18700}"}}]),
        delta("tool_calls"),
    ]
    upstream = Upstream(
        [stream([events(calls), b"data: [DONE]\n\n"]), completion("Rain, at noon.")]
    )
    question = user("How is the weather in Oslo, and what time is it there?")
    with proxied(memory, upstream) as client:
        first = client.post("/v1/chat/completions", json={"messages": [question], "stream": True})
        told = over(client, first)
        turn: Any = memory.get(told["remembered"][1], user="me")
        assert turn.text == 'calls weather {"at": 18700}\ncalls clock {}'
        assert [call["id"] for call in turn.more["tool_calls"]] == ["a", "b"]
        called = {"role": "assistant", "content": None, "tool_calls": turn.more["tool_calls"]}
        results = [
            {"role": "tool", "tool_call_id": id, "content": text}
            for id, text in (("a", "rain"), ("b", "12:00"))
        ]
        second = ask(client, question, called, *results)
        after = over(client, second)
    assert upstream.asked[1].json["messages"][0] == upstream.asked[0].json["messages"][0]
    assert "18700" in upstream.asked[0].json["messages"][0]["content"]
    assert after["conversation"] == told["conversation"]
    assert (after["known"], len(after["remembered"])) == (2, 3)


@pytest.mark.parametrize("place", ["header", "field"])
@pytest.mark.parametrize(
    ("mode", "is_shown", "is_stored"),
    [("on", True, True), ("read", True, False), ("write", False, True), ("off", False, False)],
)
def test_a_request_says_what_the_memory_may_do(
    memory: Memory, mode: str, place: str, is_shown: bool, is_stored: bool
) -> None:
    memory.add("Oslo has a harbour.")
    upstream = Upstream([completion()])
    with proxied(memory, upstream) as client:
        body: dict[str, Any] = {"messages": [user("What has Oslo?")]}
        if place == "field":
            body["x-agentcl-memory"] = mode
        else:
            client.headers["x-agentcl-memory"] = mode
        told = over(client, client.post("/v1/chat/completions", json=body))
    assert ("harbour" in upstream.last.body.decode()) is is_shown
    assert bool(told["remembered"]) is is_stored
    assert "x-agentcl" not in str(upstream.last)


def test_everything_else_of_a_body_stays_as_it_was_written(memory: Memory) -> None:
    memory.add("Oslo has a harbour.")
    message = '{"content": "What has \\u004fslo?", "role" : "user", "odd": 1.0}'
    rest = '"logit_bias": {"1": 1.50}, "seed": 12345678901234567890, "n" : 1e0, "seed2": -0.0, "é": "\\u00e9"'
    upstream = Upstream([completion()])
    with proxied(memory, upstream) as client:
        body = f'{{ "messages" : [ {message} ], "x-agentcl-session": "s", {rest} }}'
        client.post("/v1/chat/completions", content=body.encode()).raise_for_status()
        sent = upstream.last.body.decode()
        for written in rest.split(", "):
            assert written.replace(" :", ":") in sent
        assert '\\nWhat has \\u004fslo?", "role": "user", "odd": 1.0}' in sent
        assert "harbour" in sent
        plain = b'{ "messages":[{"role":"user","content":"..."}], "stop" : [ ]}'
        client.headers["x-agentcl-memory"] = "off"
        client.post("/v1/chat/completions", content=plain).raise_for_status()
        assert upstream.last.body == plain


def test_parts_and_images_stay_where_they_are(memory: Memory) -> None:
    memory.add("Oslo has a harbour.")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400}}
    text = {"type": "text", "text": "Is this Oslo?"}
    upstream = Upstream([completion("Yes.")])
    with proxied(memory, upstream) as client:
        over(client, ask(client, {"role": "user", "content": [text, image]}))
    block, *parts = upstream.last.json["messages"][0]["content"]
    assert "harbour" in block["text"]
    assert parts == [text, image]
    assert not any("AAAA" in str(hit) for hit in memory.search("Oslo", user="me"))


def test_the_place_of_a_block_is_kept_so_that_a_prompt_begins_as_the_last_one(
    memory: Memory,
) -> None:
    for town in ("Oslo", "Bergen", "Bodø"):
        memory.add(f"{town} has a harbour, and ferries leave from it.")
    upstream = Upstream([completion("It does.")])
    messages: list[Any] = [{"role": "system", "content": "Be short."}]
    sent: list[str] = []
    with proxied(memory, upstream) as client:
        for town in ("Oslo", "Bergen", "Bodø", "Oslo"):
            messages.append(user(f"Has {town} a harbour?"))
            answer = ask(client, *messages)
            sent.append(json.dumps(upstream.last.json["messages"]))
            messages.append(answer.json()["choices"][0]["message"])
            if len(sent) > 1:
                assert sent[-1].startswith(sent[-2][:-1])
                kept = float(answer.headers["x-agentcl-prompt-kept"])
                assert kept == over(client, answer)["kept"]
                rounded = (
                    2 * 64 / len(sent[-1])
                )  # both lengths are counted in pieces of 64 characters
                assert kept == pytest.approx(len(sent[-2]) / len(sent[-1]), abs=rounded)


def test_what_was_corrected_or_forgotten_does_not_come_back_with_the_clients_history(
    memory: Memory,
) -> None:
    upstream = Upstream([completion(said) for said in ("Noted.", "Yes.", "Fine.", "Bye.")])
    messages: list[Any] = []
    with proxied(memory, upstream) as client:

        def say(text: str) -> list[str]:
            messages.append(user(text))
            answer = ask(client, *messages)
            over(client, answer)
            messages.append(answer.json()["choices"][0]["message"])
            (conversation,) = memory.conversations.list(user="me")
            return [turn.text for turn in memory.conversations.turns(conversation.id, user="me")]

        say("My PIN is 4711.")
        pin = next(one for one in memory.list(kind="turn", user="me") if "PIN" in str(one))
        secret = memory.conversations.correct(pin.id, "My PIN is secret.", user="me")
        assert say("Do you hear me?") == ["My PIN is secret.", "Noted.", "Do you hear me?", "Yes."]
        memory.forget(secret.id, user="me")
        assert say("Still?") == ["Noted.", "Do you hear me?", "Yes.", "Still?", "Fine."]
        memory.forget(memory.list(kind="turn", user="me")[-1].id, user="me")
        left = ["Noted.", "Do you hear me?", "Yes.", "Still?", "End?", "Bye."]
        assert say("End?") == left


def test_a_block_grows_before_a_new_one_begins(memory: Memory) -> None:
    towns = [f"Town{letter}" for letter in "abcdefghijkl"]
    for town in towns:
        memory.add(f"{town} has a harbour with {len(town)} ferries, which leave at noon.")
    messages: list[Any] = []
    sizes: list[int] = []
    begun: list[bool] = []
    with proxied(memory, Upstream([completion("It has.")]), memory_tokens=150) as client:
        for town in towns:
            messages.append(user(f"What has {town}?"))
            answer = ask(client, *messages)
            told = over(client, answer)
            sizes.append(told["tokens"])
            begun.append(told["is_new"])
            messages.append(answer.json()["choices"][0]["message"])
    assert max(sizes) > 150
    assert max(sizes) <= 4 * 150
    new = [number for number, is_new in enumerate(begun) if is_new]
    assert new[0] == 0
    assert all(sizes[number] <= 150 for number in new)
    assert all(sizes[number - 1] > 300 for number in new[1:])


def test_answers_to_choose_from_are_remembered_once_one_was_chosen(memory: Memory) -> None:
    choices = [
        {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for index, text in enumerate(["One.", "Two."])
    ]
    upstream = Upstream([document({"choices": choices}), completion("Three.")])
    one_by_one = [delta("stop", content="One."), delta("stop", index=1, content="Two.")]
    upstream.plays = [stream([events([one]) for one in one_by_one]), *upstream.plays]
    with proxied(memory, upstream) as client:
        streamed = over(client, ask(client, user("Count."), n=2, stream=True))
        assert len(streamed["remembered"]) == 1
        first = over(client, ask(client, user("Count."), n=2))
        assert (first["known"], len(first["remembered"])) == (1, 0)
        second = over(client, ask(client, user("Count."), choices[1]["message"], user("On.")))
    assert (second["known"], len(second["remembered"])) == (1, 3)


def test_what_is_not_the_memorys_goes_to_the_upstream_as_it_is(memory: Memory) -> None:
    listed = {"object": "list", "data": [{"id": "scripted"}]}
    upstream = Upstream([document(listed, headers={"x-odd": "1"})])
    with proxied(memory, upstream) as client:
        models = client.get(
            "/v1/models?x=%2F1", headers={"x-other": "yes", "authorization": "Bearer of-the-model"}
        )
        assert (models.json(), models.headers["x-odd"]) == (listed, "1")
        assert (upstream.last.path, upstream.last.query) == ("/v1/models", b"x=%2F1")
        assert upstream.last.header("x-other") == "yes"
        assert upstream.last.header("authorization") == "Bearer of-the-model"
        body = b'{"input" : "a",  "model":"e"}'
        client.post("/v1/embeddings", content=body)
        assert (upstream.last.method, upstream.last.body) == ("POST", body)
        assert client.get("/v1/models/a%2Fb").status_code == 200
        assert upstream.last.path == "/v1/models/a%2Fb"
        asked = len(upstream.asked)
        assert client.get("/v1/memory/nothing").status_code == 404
        assert client.get("/v1/exchanges/nothing").status_code == 404
        assert len(upstream.asked) == asked
    assert memory.conversations.list(user="me") == []


def test_statements_are_read_out_of_what_was_said_where_that_is_switched_on(memory: Memory) -> None:
    upstream = Upstream([completion("Nice.")])
    with proxied(memory, upstream, digest=True) as client:
        for place in ("Oslo", "Bergen"):
            over(
                client, ask(client, user(f"I live in {place} now."), **{"x-agentcl-session": place})
            )
        over(client, ask(client, user("Where do I live?"), **{"x-agentcl-session": "other"}))
    assert [one.value for one in memory.statements.list(user="me")] == ["Bergen"]
    assert "Bergen" in upstream.last.body.decode()


def test_a_question_asked_again_is_shown_the_fact_and_neither_itself_nor_its_old_answer(
    memory: Memory,
) -> None:
    fact, asked = (
        "My sister Mira lives in Tessary and she keeps bees.",
        "Where does she live, Mira?",
    )
    echo = "Mira lives in Tessary."
    upstream = Upstream([completion("Lovely."), completion(echo)])
    with proxied(memory, upstream) as client:
        over(client, ask(client, user(fact)))
        for number in range(3):
            system = {"role": "system", "content": f"Chat {'abc'[number]}"}
            seen = over(client, ask(client, system, user(asked)))
            texts = {one["text"]: one["score"] for one in seen["shown"]}
            assert max(texts, key=lambda text: texts[text]) == fact
            assert not {asked, echo} & set(texts)
