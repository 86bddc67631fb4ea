"""Tools: what a model is told of a function, what is read of a call, and what comes of making it."""

import json
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.agents import Tool
from agentcl.agents.tools import read_call, shown
from agentcl.models import ToolCall

ANYTHING = {"type": "object"}


def look_up(order: str, since: int = 0, kind: Literal["paid", "sent"] | None = None) -> str:
    """Return what is known of an order.

    Args:
        order: its number.
        since: the year from which on it is looked for.
        kind: which part.
    """
    return f"{order} {since} {kind}"


def tool(run: Any, **options: Any) -> Tool:
    return Tool("it", "Do it.", ANYTHING, run, **options)


def test_a_function_is_told_by_its_name_docstring_and_hints() -> None:
    offer = Tool.of(look_up).offer
    assert offer["name"] == "look_up"
    assert offer["description"].startswith(
        "Return what is known of an order.\n\nArgs:\n    order: its"
    )
    properties = offer["parameters"]["properties"]
    assert properties["order"] == {"type": "string"}
    assert properties["since"] == {"type": "integer", "default": 0}
    assert {"enum": ["paid", "sent"], "type": "string"} in properties["kind"]["anyOf"]
    assert offer["parameters"]["required"] == ["order"]


def test_a_function_counts_as_one_that_changes_something_until_it_is_said_not_to() -> None:
    assert Tool.of(look_up).changes
    assert not Tool.of(look_up, changes=False).changes


def test_what_no_model_can_call_is_refused_at_once() -> None:
    class Foreign:
        pass

    def strange(thing: Foreign) -> None: ...
    def open_ended(*things: int, **more: int) -> None: ...
    async def later() -> None: ...

    for function in (strange, open_ended):
        with pytest.raises(InvalidInput, match=r"cannot be described.*give them as Tool"):
            Tool.of(function)
    with pytest.raises(InvalidInput, match="coroutine"):
        Tool.of(later)
    with pytest.raises(InvalidInput, match="take up to 64 letters"):
        Tool("send mail", "", ANYTHING, print)
    with pytest.raises(InvalidInput, match="timeout_s of 'it' must be above 0"):
        tool(print, timeout_s=0)
    with pytest.raises(InvalidInput, match="no JSON Schema: at"):
        Tool("it", "", {"type": "objekt"}, print).check()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"order": "A17"', "no JSON"),
        ('["A17"]', "one JSON object"),
        ("{}", "'order' is a required property"),
        ('{"order": 17}', r"at \$.order: 17 is not of type 'string'"),
        ('{"order": "A17", "colour": "red"}', "'colour' was unexpected"),
        ("[" * 100_000, "no JSON"),
        ('{"order": "\\ud800"', "no JSON"),
    ],
)
def test_what_is_wrong_with_arguments_is_said(arguments: str, words: str) -> None:
    call = read_call(ToolCall("1", "look_up", arguments), {"look_up": Tool.of(look_up)}, seen_in="")
    assert call.arguments == {}
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(call.problem)


def test_a_tool_that_there_is_not_is_said_with_those_that_there_are() -> None:
    call = read_call(ToolCall("1", "fly", "{}"), {"look_up": Tool.of(look_up)}, seen_in="")
    assert call.problem == "error: there is no tool 'fly'; there are: look_up"
    assert call.tool is None


def test_a_reference_that_the_model_repeats_is_read_as_its_character() -> None:
    call = ToolCall("1", "look_up", '{"order": "&lt;b> &amp;amp;"}')
    read = read_call(call, {"look_up": Tool.of(look_up)}, seen_in="Task: &lt;b> is late")
    assert read.arguments == {"order": "<b> &amp;amp;"}


def test_what_a_tool_raises_is_told_and_cut() -> None:
    def breaks() -> None:
        raise KeyError("x" * 10_000)

    def ends() -> None:
        raise SystemExit(3)

    fate, told = tool(breaks).call({})
    assert fate == "raised"
    assert told.startswith("error: KeyError: 'xxx")
    assert len(told) < 600
    assert tool(ends, timeout_s=None).call({}) == ("raised", "error: SystemExit: 3")


def test_a_tool_that_hangs_is_given_up_and_what_it_returns_later_is_dropped() -> None:
    going_on, ended = threading.Event(), threading.Event()

    def hangs() -> str:
        going_on.wait(60)
        ended.set()
        return "too late"

    fate, told = tool(hangs, timeout_s=0.05).call({})
    going_on.set()
    assert fate == "timed out"
    assert "no answer within 0.05 s" in told
    assert "may still take effect" in told
    assert ended.wait(60)  # the thread goes on: Python cannot end it


def test_a_tool_without_a_timeout_runs_in_the_thread_of_the_caller() -> None:
    names = [
        tool(lambda: threading.current_thread().name, timeout_s=timeout).call({})[1]
        for timeout in (None, 60.0)
    ]
    assert names == [threading.current_thread().name, "agentcl-tool-it"]


def test_context_variables_reach_a_tool() -> None:
    user: ContextVar[str] = ContextVar("user", default="nobody")
    user.set("ada")
    assert tool(user.get).call({}) == ("done", "ada")


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("words\nstay", "words\nstay"),
        ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
        (None, "null"),
        (b"\xff", "\"b'\\\\xff'\""),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        ("\ud800", "\\ud800"),
        (Unprintable(), '"<Unprintable that cannot be printed>"'),
        (circle(), "[[...]]"),
    ],
)
def test_anything_can_be_returned(value: object, text: str) -> None:
    assert shown(value) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_whatever_is_returned_becomes_text_that_can_be_stored(value: object) -> None:
    shown(value).encode("utf-8")


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_arguments_in_json_are_read_as_they_are(arguments: dict[str, Any]) -> None:
    call = read_call(ToolCall("1", "it", json.dumps(arguments)), {"it": tool(print)}, seen_in="")
    assert (call.arguments, call.problem) == (arguments, "")


def test_an_iterator_is_told_as_what_it_is() -> None:
    def found() -> Iterator[int]:
        yield 1

    assert "generator" in tool(found).call({})[1]
