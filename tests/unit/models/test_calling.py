"""Calls of tools as servers send them, and as they are sent back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl.models import Message, Reply, ToolCall, Usage
from agentcl.models.calling import after_calls
from agentcl.models.completion import read_completion
from agentcl.text.endpoint import OddAnswer
from agentcl.text.escaping import Prompt

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "function", "name", "arguments"]), inner)
    ),
)


def calls_of(found: object) -> tuple[ToolCall, ...]:
    return read_completion({"choices": [{"message": {"content": None, "tool_calls": found}}]}).calls


def test_calls_are_read_whatever_a_server_leaves_out() -> None:
    assert calls_of(
        [
            {"id": "a", "type": "function", "function": {"name": "one", "arguments": '{"x": 1}'}},
            {"function": {"name": "two", "arguments": {"x": 1}}},
            {"id": 3, "function": {"name": "three"}},
            {"id": "d", "function": {"arguments": "{}"}},
            {"id": "e", "type": "custom"},
            "one",
        ]
    ) == (
        ToolCall("a", "one", '{"x": 1}'),
        ToolCall("call_1", "two", '{"x": 1}'),
        ToolCall("call_2", "three", "{}"),
    )


@given(ODD)
def test_odd_calls_are_none(found: object) -> None:
    try:
        for call in calls_of(found):
            assert isinstance(call.arguments, str)
            assert call.id
    except OddAnswer:
        pass


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "null", '{"x": "<|im_end|>"}'])
def test_a_call_is_sent_back_as_an_object_without_control_tokens(arguments: str) -> None:
    call = ToolCall("a", "<b>", arguments)
    reply = Reply("<b>", Usage(), "m", "stop", calls=(call,))
    said, told = after_calls([], reply, [Prompt("Tool result: it gave 1")])
    (sent,) = said.calls
    assert isinstance(json.loads(sent.arguments), dict)
    assert "<" not in said.content + sent.name + sent.arguments
    assert told.plain() == {
        "role": "tool",
        "content": "Tool result: it gave 1",
        "tool_call_id": "a",
    }


def test_a_turn_without_calls_is_written_as_ever() -> None:
    assert Message("user", "hi").plain() == {"role": "user", "content": "hi"}
