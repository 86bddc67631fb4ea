"""Models that call tools: how tools are offered, and how a conversation goes on after a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema, ToolCall
from agentcl.text.escaping import Prompt, escape
from agentcl.text.parsing import parsed_json


@runtime_checkable
class ToolModel(Protocol):
    """A chat model that can be offered tools."""

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Return the model's answer, or the calls that it wants made.

        Args:
            messages: the conversation so far.
            tools: each with "name", "description" and "parameters", a JSON Schema.
            sampling: how the answer is drawn.

        Raises:
            RequestRefused: if it takes no tools, or not this request.
            ModelUnavailable: if it cannot be asked.
        """
        ...


def after_calls(
    messages: Sequence[Message], reply: Reply, results: Sequence[Prompt]
) -> list[Message]:
    """Return the conversation after a reply's calls were made, one result for each."""
    said = Message("assistant", escape(reply.text), calls=tuple(map(_sent_back, reply.calls)))
    told = [
        Message("tool", result, call_id=call.id)
        for call, result in zip(reply.calls, results, strict=True)
    ]
    return [*messages, said, *told]


def after_words(messages: Sequence[Message], reply: Reply, prompt: Prompt) -> list[Message]:
    """Return the conversation after a reply in words, and what is said to it."""
    return [*messages, Message("assistant", escape(reply.text)), Message("user", prompt)]


def _sent_back(call: ToolCall) -> ToolCall:
    """Return a call as the model is shown it: templates read its arguments, and fail where they are no object."""
    try:
        is_object = isinstance(parsed_json(call.arguments), dict)
    except ValueError:
        is_object = False
    return replace(
        call, name=escape(call.name), arguments=escape(call.arguments) if is_object else "{}"
    )
