"""What OpenAI's two interfaces put where: the messages of a request, the place of a block, the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from agentcl.memory.context.context import Context
from agentcl.memory.conversations.messages import read_messages
from agentcl.server.proxy.editing import (
    Body,
    Written,
    elements,
    in_front,
    list_of,
    members,
    object_of,
    rewritten,
)
from agentcl.text.visible import paired

Message = dict[str, Any]
_SYSTEM: Final = ("system", "developer")
CALLS: Final = frozenset(["function_call", "custom_tool_call"])  # items by which a model calls
_CALLS: Final = CALLS | {"function_call_output", "custom_tool_call_output"}
# What a model only thought, and what tells nothing. An id of its server may stand for two things, or be another one
# when it comes back: messages are known by their words.
_UNSAID: Final = frozenset(
    ["reasoning", "reasoning_content", "reasoning_details", "logprobs", "id"]
)


class Interface(Protocol):
    """An interface of OpenAI's."""

    is_chat: bool

    def said(self, body: Mapping[str, Any]) -> list[Message]:
        """Return the messages of a request, without those of the system."""
        ...

    def instructions(self, body: Mapping[str, Any]) -> str:
        """Return the system's prompt."""
        ...

    def prompt(self, body: Body) -> str:
        """Return what the model reads, as it is written, in the order in which most templates write it."""
        ...

    def insert(self, body: Body, found: Context) -> None:
        """Put what a memory shows into a request."""
        ...

    def answer(self, whole: Mapping[str, Any]) -> list[Message]:
        """Return what an answer says; nothing if it is none, or if there are several to choose from."""
        ...


class Chat:
    """`POST /v1/chat/completions`."""

    is_chat = True

    def said(self, body: Mapping[str, Any]) -> list[Message]:
        """Return the messages of a request, without those of the system."""
        return [_heard(one) for one in _listed(body, "messages") if one.get("role") not in _SYSTEM]

    def instructions(self, body: Mapping[str, Any]) -> str:
        """Return the system's prompt."""
        return _texts(one for one in _listed(body, "messages") if one.get("role") in _SYSTEM)

    def prompt(self, body: Body) -> str:
        """Return what the model reads, as it is written."""
        return body.text("tools") + body.text("messages")

    def insert(self, body: Body, found: Context) -> None:
        """Put what a memory shows into a request: behind the system's prompt, before what the user says."""
        _insert(body, "messages", found, kind="text")

    def answer(self, whole: Mapping[str, Any]) -> list[Message]:
        """Return what an answer says."""
        choices = _listed(whole, "choices")
        if len(choices) != 1 or not isinstance(message := choices[0].get("message"), Mapping):
            return []  # the one that was taken comes with the next request
        if choices[0].get("finish_reason") is None:
            return []
        return [_answered(message)]


class Responses:
    """`POST /v1/responses`."""

    is_chat = False

    def said(self, body: Mapping[str, Any]) -> list[Message]:
        """Return the messages of a request, without those of the system."""
        if isinstance(text := body.get("input"), str):
            return [{"role": "user", "content": text}]
        items = [one for one in _listed(body, "input") if one.get("role") not in _SYSTEM]
        return [_heard(one) for one in items if "role" in one or one.get("type") in _CALLS]

    def instructions(self, body: Mapping[str, Any]) -> str:
        """Return the system's prompt."""
        own = body.get("instructions")
        system = [one for one in _listed(body, "input") if one.get("role") in _SYSTEM]
        return (own if isinstance(own, str) else "") + _texts(system)

    def prompt(self, body: Body) -> str:
        """Return what the model reads, as it is written."""
        return body.text("tools") + body.text("instructions") + body.text("input")

    def insert(self, body: Body, found: Context) -> None:
        """Put what a memory shows into a request.

        Where the server keeps the conversation, what was shown before stands in it already.
        """
        value = body.values.get("input")
        if body.values.get("previous_response_id") or body.values.get("conversation"):
            found = _only_new(found, self.said(body.values))
        if isinstance(value, str):
            blocks = [block for _, block in found.placed]
            text = body.text("input")
            for block in reversed(blocks):
                text, value = in_front(block, text, value, "input_text"), f"{block}\n{value}"
            body.replace("input", text)
        else:
            _insert(body, "input", found, kind="input_text")

    def answer(self, whole: Mapping[str, Any]) -> list[Message]:
        """Return what an answer says."""
        if whole.get("status") not in ("completed", "incomplete", None):
            return []
        kept = ("message", *_CALLS)
        return [_answered(one) for one in _listed(whole, "output") if one.get("type") in kept]


def _listed(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = body.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _heard(message: Mapping[str, Any]) -> Message:
    """Return a message without what the model only thought."""
    kept = _told(message)
    if isinstance(parts := kept.get("content"), list):
        kept["content"] = [_told(part) if isinstance(part, Mapping) else part for part in parts]
    if kept.get("type") == "message":
        del kept["type"]
        kept.pop("status", None)
    return kept


def _answered(message: Mapping[str, Any]) -> Message:
    """Return a message of an answer: the model's, whomever it says that it is of."""
    heard: Message = _paired(_heard(message))
    return heard if heard.get("type") in CALLS else {**heard, "role": "assistant"}


def _paired(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return JSON in whole characters: some servers cut a stream in the midst of one."""
    if isinstance(value, str):
        return paired(value)
    if isinstance(value, list):
        return [_paired(one) for one in value]
    if isinstance(value, Mapping):
        return {paired(name): _paired(one) for name, one in value.items()}
    return value


def _told(message: Mapping[str, Any]) -> Message:
    return {name: value for name, value in message.items() if name not in _UNSAID}


def _texts(messages: Iterable[Message | Mapping[str, Any]]) -> str:
    return "\n".join(one.text for one in read_messages([*messages]))


def _only_new(found: Context, said: Sequence[Message]) -> Context:
    """Return what a memory shows with the addition of this request alone."""
    if not found.added:
        return replace(found, placed=())
    last = next((one.text for one in reversed(read_messages(said)) if one.role == "user"), "")
    return replace(found, placed=((last, found.added),))


def _insert(body: Body, name: str, found: Context, *, kind: str) -> None:
    parts = elements(body.text(name))
    texts = [part.text for part in parts]
    at = [number for number, part in enumerate(parts) if _can_be_read(part)]
    for place, block in found.places([parts[number].value for number in at]):
        if place is None:  # the user says nothing: behind the system's prompt
            system = [number for number in at if parts[number].value.get("role") in _SYSTEM]
            own = json.dumps({"role": "user", "content": block})
            texts.insert(system[-1] + 1 if system else 0, own)
        else:
            texts[at[place]] = _with_block(texts[at[place]], block, kind)
    body.replace(name, list_of(texts))


def _can_be_read(part: Written) -> bool:
    value = part.value
    return isinstance(value, Mapping) and ("role" in value or value.get("type") in _CALLS)


def _with_block(message: str, block: str, kind: str) -> str:
    parts = members(message)
    for number, part in enumerate(parts):
        if part.name == "content":
            parts[number] = rewritten(part, in_front(block, part.text, part.value, kind))
    return object_of(parts)
