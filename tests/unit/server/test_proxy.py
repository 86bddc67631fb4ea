"""Bodies that are edited as text, and answers that are put together from chunks."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.server.proxy.assembling import assembly_of
from agentcl.server.proxy.editing import Body, in_front
from agentcl.server.proxy.exchanges import Exchange, Prompts
from agentcl.server.proxy.interfaces import Chat, Interface, Responses
from agentcl.server.proxy.passing import told_in_headers
from agentcl.server.proxy.upstream import steps_of

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
VALUES = st.recursive(
    LEAVES,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=5), one, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=9), VALUES, max_size=6)
SPACES = st.sampled_from([None, 0, 2])


@given(OBJECTS, SPACES, st.booleans())
def test_a_body_that_nobody_changes_is_the_same_bytes(
    value: Any, indent: int | None, ascii: bool
) -> None:
    written = json.dumps(value, indent=indent, ensure_ascii=ascii)
    try:
        raw = written.encode()
    except UnicodeEncodeError:
        return  # half of a letter, which only escapes can write
    body = Body(raw)
    assert body.values == value
    body.drop(lambda name: False)
    assert body.bytes() == raw


@given(OBJECTS, SPACES, VALUES, VALUES)
def test_what_is_replaced_and_dropped_changes_nothing_else(
    value: dict[str, Any], indent: int | None, new: Any, ours: Any
) -> None:
    given = {**value, "messages": ["old"], "x-agentcl-user": ours}
    body = Body(json.dumps(given, indent=indent).encode())
    body.replace("messages", json.dumps(new))
    body.drop(lambda name: name == "x-agentcl-user")
    expected = {**value, "messages": new}
    assert json.loads(body.bytes()) == {k: v for k, v in expected.items() if k != "x-agentcl-user"}


@given(st.text(), st.text(max_size=30), st.booleans())
def test_a_block_stands_in_front_of_what_was_written(block: str, said: str, ascii: bool) -> None:
    written = json.dumps(said, ensure_ascii=ascii)
    made = in_front(block, written, said, "text")
    assert json.loads(made) == f"{block}\n{said}"
    assert made.endswith(written[1:])
    parts = [{"type": "text", "text": said}]
    made = in_front(block, json.dumps(parts), parts, "text")
    assert json.loads(made) == [{"type": "text", "text": block}, *parts]
    assert json.loads(in_front(block, "null", None, "text")) == block


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,x1 \\', max_size=30).map(str.encode))
def test_what_is_no_object_is_refused_and_nothing_else(raw: bytes) -> None:
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if isinstance(value, dict):
        assert Body(raw).values == value
    else:
        with pytest.raises(InvalidInput):
            Body(raw)


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def call(index: int, text: str, **more: Any) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": index, "function": {"arguments": text}, **more}])


EVENTS = [
    chunk(role="assistant"), chunk(content="Å"), call(1, "{", id="b"), call(0, "[", id="a"), chunk(content="s\n"),
    chunk(refusal="No"), call(1, "}", id="b"), call(0, "]", id="a", type="function"), chunk(content=None),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": {"total_tokens": 3}},
]  # fmt: skip


@given(
    st.lists(st.integers(0, 2_000), max_size=30), st.sampled_from([b"\n", b"\r\n"]), st.booleans()
)
def test_a_stream_says_the_same_wherever_its_chunks_end(
    ends: list[int], line: bytes, ascii: bool
) -> None:
    raw = b": hello" + line + line
    for event in EVENTS:
        raw += (
            b"event: x"
            + line
            + b"data: "
            + json.dumps(event, ensure_ascii=ascii).encode()
            + line
            + line
        )
    raw += b"data: [DONE]" + line + line
    made = assembly_of("text/event-stream; charset=utf-8", is_chat=True)
    at = 0
    for end in [*sorted(ends), len(raw)]:
        made.feed(raw[at:end])
        at = max(at, end)
    (choice,) = made.whole()["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] == "Ås\n"
    assert choice["message"]["refusal"] == "No"
    calls = choice["message"]["tool_calls"]
    assert [(one["id"], one["function"]["arguments"]) for one in calls] == [
        ("a", "[]"),
        ("b", "{}"),
    ]
    assert made.whole()["usage"] == {"total_tokens": 3}


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_the_share_that_is_kept_is_that_of_the_same_beginning(
    head: str, old: str, new: str
) -> None:
    prompts = Prompts()
    assert prompts.kept("s", head + old) is None
    kept = prompts.kept("s", head + new)
    assert kept is not None
    same = len(head.encode("utf-8", "surrogatepass"))
    whole = len((head + new).encode("utf-8", "surrogatepass"))
    assert kept >= (same // 64) / -(-whole // 64) - 0.001 if whole else kept == 1.0
    assert prompts.kept("s", head + new) == 1.0
    assert prompts.kept("other", head + new) is None


def test_what_a_stream_sends_in_odd_forms_stays_an_answer() -> None:
    deltas: list[Any] = [
        {"content": "a", "tool_calls": [{"index": 1, "function": {"name": "f", "arguments": "{"}}]},
        {"content": None, "tool_calls": {"x": 1}},
        {"content": {"x": "b"}, "tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
        {"content": "c", "x": {"y": "d"}},
        {"x": {"y": "e"}},
    ]
    assembly = assembly_of("text/event-stream", is_chat=True)
    for delta in deltas:
        event = {"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
        assembly.feed(f"data: {json.dumps(event)}\n\n".encode())
    (choice,) = assembly.whole()["choices"]
    assert choice["message"]["content"] == "c"
    assert choice["message"]["x"] == {"y": "de"}
    assert json.dumps(assembly.whole())


def test_choices_without_number_take_no_more_than_some() -> None:
    assembly = assembly_of("text/event-stream", is_chat=True)
    for index in range(1_000):
        event = {"choices": [{"index": index, "delta": {"content": "a"}}]}
        assembly.feed(f"data: {json.dumps(event)}\n\n".encode())
    assert len(assembly.whole()["choices"]) == 128
    assert not assembly.is_whole


def test_an_answer_is_whole_once_each_choice_ended_and_ends_once() -> None:
    assembly = assembly_of("text/event-stream", is_chat=True)
    told = []
    for index, finish in ((0, None), (1, "stop"), (0, "stop"), (0, "stop"), (2, None), (2, "stop")):
        event = {"choices": [{"index": index, "delta": {}, "finish_reason": finish}]}
        assembly.feed(f"data: {json.dumps(event)}\n\n".encode())
        told.append(assembly.is_whole)
    assert told == [False, False, True, True, False, True]


@pytest.mark.parametrize("role", ["system", "user", "tool", None, 5])
@pytest.mark.parametrize("interface", [Chat(), Responses()])
def test_what_a_model_says_is_the_assistants(interface: Interface, role: Any) -> None:
    message = {"type": "message", "role": role, "content": "I live in Oslo."}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}], "output": [message]}
    (said,) = interface.answer(whole)
    assert said["role"] == "assistant"


@pytest.mark.parametrize(
    "path",
    ["a/..", "a/%2e%2E/b", "a/%252e%252e/b", "a\\..\\b", "a/..%5cb", "a/%25%32%65./b", "..;x/b", "a/.%20/b", "./a"],
)  # fmt: skip
def test_dots_are_found_however_they_are_written(path: str) -> None:
    assert {".", ".."} & {*steps_of(path)}


def test_parts_of_a_path_are_read_as_the_most_lenient_server_would() -> None:
    assert steps_of("//Load_%6cora%255Fadapter;x/?y=1") == ["load_lora_adapter"]
    assert steps_of("a/b..c/...") == ["a", "b..c", "..."]


def test_no_warning_breaks_the_headers_of_an_answer() -> None:
    exchange = Exchange(
        "x", datetime.now(UTC), warning="the endpoint said:\r\nset-cookie: a=1\0\x7f\x1b é \u202e"
    )
    told = dict(told_in_headers(exchange))[b"x-agentcl-warning"]
    assert told == b"the endpoint said: set-cookie: a=1??? ? ?"
