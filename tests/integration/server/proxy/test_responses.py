"""The same through OpenAI's Responses."""

from typing import Any

import httpx
import pytest

from agentcl import Memory
from tests.upstreams import Play, Upstream, document, events, over, proxied, stream


def response(text: str, id: str = "resp_1", **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Of fjords."}],
            },
            {
                "type": "message",
                "id": f"msg_{id}",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
                ],
            },
        ],
        "usage": {"input_tokens": 5, "output_tokens": 2},
        **more,
    }


def ask(client: httpx.Client, input: Any, **fields: Any) -> httpx.Response:
    answer = client.post("/v1/responses", json={"model": "m", "input": input, **fields})
    assert answer.status_code == 200, answer.text
    return answer


def texts(memory: Memory, told: dict[str, Any]) -> list[str]:
    return [turn.text for turn in memory.conversations.turns(told["conversation"], user="me")]


@pytest.mark.parametrize("form", ["text", "message", "parts"])
def test_what_was_said_is_shown_in_front_of_what_is_asked(memory: Memory, form: str) -> None:
    memory.add("Oslo has a harbour.")
    upstream = Upstream([document(response("It has."))])
    asked = "What has Oslo?"
    part = {"type": "input_text", "text": asked}
    given: Any = {
        "text": asked,
        "message": [{"role": "user", "content": asked}],
        "parts": [{"type": "message", "role": "user", "content": [part]}],
    }[form]
    with proxied(memory, upstream) as client:
        told = over(client, ask(client, given, instructions="Be short."))
    sent = upstream.last.json
    assert sent["instructions"] == "Be short."
    if form == "parts":
        block, own = sent["input"][0]["content"]
        assert (own, block["type"]) == (part, "input_text")
        assert "harbour" in block["text"]
    else:
        text = sent["input"] if form == "text" else sent["input"][0]["content"]
        assert "harbour" in text
        assert text.endswith(f"\n{asked}")
    assert texts(memory, told) == [asked, "It has."]
    assert "fjords" not in str([memory.get(id, user="me") for id in told["remembered"]])
    assert told["usage"] == {"input_tokens": 5, "output_tokens": 2}


def test_a_chain_of_responses_is_one_conversation_and_each_block_is_sent_once(
    memory: Memory,
) -> None:
    memory.add("Oslo has a harbour.")
    plays: list[Play] = [document(response(f"Answer {n}.", id=f"resp_{n}")) for n in range(3)]
    upstream = Upstream(plays)
    with proxied(memory, upstream) as client:
        first = over(client, ask(client, "What has Oslo?"))
        second = ask(client, "And what more has Oslo?", previous_response_id="resp_0")
        assert "x-agentcl-prompt-kept" not in second.headers
        third = over(client, ask(client, "Fine.", previous_response_id="resp_1"))
    assert third["conversation"] == first["conversation"]
    assert texts(memory, third) == [
        "What has Oslo?", "Answer 0.", "And what more has Oslo?", "Answer 1.", "Fine.", "Answer 2.",
    ]  # fmt: skip
    assert "harbour" in upstream.asked[0].json["input"]
    assert "harbour" not in str([one.json["input"] for one in upstream.asked[1:]])


def test_a_history_that_is_sent_whole_with_items_of_all_kinds_is_stored_once(
    memory: Memory,
) -> None:
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "weather",
        "arguments": "{}",
        "status": "completed",
    }
    upstream = Upstream(
        [
            document({"id": "resp_1", "status": "completed", "output": [call]}),
            document(response("Rain.", id="resp_2")),
        ]
    )
    question = {"role": "user", "content": "How is the weather?"}
    with proxied(memory, upstream) as client:
        ask(client, [{"role": "developer", "content": "Be short."}, question])
        result = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
        odd = {"type": "item_reference", "id": "x"}
        reasoning = {"type": "reasoning", "id": "rs_0", "encrypted_content": "AAAA"}
        told = over(client, ask(client, [question, reasoning, call, odd, result]))
    assert upstream.last.json["input"] == [question, reasoning, call, odd, result]
    assert texts(memory, told) == ["How is the weather?", "calls weather {}", "rain", "Rain."]
    assert (told["known"], len(told["remembered"])) == (2, 2)


@pytest.mark.parametrize("has_output", [True, False])
def test_a_stream_of_events_is_remembered_by_its_last(memory: Memory, has_output: bool) -> None:
    whole = response("Ås is south.")
    told_last = whole if has_output else {**whole, "output": []}
    played = [
        {
            "type": "response.created",
            "response": {"id": "resp_1", "status": "in_progress", "output": []},
        },
        {"type": "response.output_text.delta", "delta": "Ås is ", "output_index": 1},
        {"type": "response.output_item.done", "output_index": 1, "item": whole["output"][1]},
        {"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]},
        {"type": "response.completed", "response": told_last},
    ]
    with proxied(
        memory, Upstream([stream([events(played)[:100], events(played)[100:]])])
    ) as client:
        answer = ask(client, "Where is Ås?", stream=True)
        told = over(client, answer)
    assert answer.content == events(played)
    assert texts(memory, told) == ["Where is Ås?", "Ås is south."]


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued"])
def test_an_answer_that_is_none_is_not_remembered(memory: Memory, status: str) -> None:
    with proxied(memory, Upstream([document(response("Half", status=status))])) as client:
        told = over(client, ask(client, "Where is Ås?"))
    assert texts(memory, told) == ["Where is Ås?"]
