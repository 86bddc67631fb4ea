"""Reading what `/v1/chat/completions` answers, whatever a server makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentcl.models.base import Finish, TokenLogprob, ToolCall
from agentcl.text.endpoint import OddAnswer, refuse_error
from agentcl.text.visible import paired

_SAID: Final = ("detail", "message")  # where frameworks say what is wrong
_SHOWN: Final = 300  # characters of that
_THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
_FINISHES: Final[Mapping[object, Finish]] = {"stop": "stop", "length": "length"}


@dataclass(frozen=True, slots=True)
class Completion:
    """What an answer holds."""

    text: str
    thought: str  # what the server tells apart as reasoning
    refusal: str  # why the model does not answer, in its words; empty if it does
    finish: Finish
    model: str  # empty where it is not said
    tokens: tuple[int, int] | None  # read and written; None where that is not said
    logprobs: tuple[TokenLogprob, ...] | None
    calls: tuple[ToolCall, ...]


def read_completion(answer: Mapping[str, Any]) -> Completion:
    """Return what an answer holds. Raises OddAnswer if there is no message in it."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        said = next((answer[name] for name in _SAID if isinstance(answer.get(name), str)), "")
        raise OddAnswer(f"it answered without any choice{said and f': {said[:_SHOWN]}'}")
    choice = choices[0]
    if isinstance(choice, Mapping):
        refuse_error(choice)
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise OddAnswer("it answered with a choice that holds no message")
    text, thought = _content(message.get("content"))
    apart = (_content(message.get(name))[0] for name in _THOUGHTS)
    model, refusal = answer.get("model"), message.get("refusal")
    return Completion(
        text=text,
        thought=thought or next(filter(None, apart), ""),
        refusal=paired(refusal) if isinstance(refusal, str) and not text else "",
        finish=_finish(choice),
        model=paired(model) if isinstance(model, str) else "",
        tokens=_tokens(answer.get("usage")),
        logprobs=_logprobs(choice.get("logprobs")),
        calls=tuple(_calls(message.get("tool_calls"))),
    )


def as_chat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer of `/v1/completions` as a chat would give it: its text as a message."""
    choices = answer.get("choices")
    found = choices if isinstance(choices, list) else []
    made = [
        {**one, "message": {"role": "assistant", "content": one.get("text")}, "logprobs": None}
        for one in found
        if isinstance(one, Mapping) and "text" in one
    ]
    return {**answer, "choices": made}


def piece_of(event: object) -> str:
    """Return what an event of a stream adds to the answer, perhaps half a character; empty for the many that add nothing.

    Raises OddAnswer if it tells an error.
    """
    choices = event.get("choices") if isinstance(event, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, Mapping):
        refuse_error(choice)
    delta = choice.get("delta") if isinstance(choice, Mapping) else None
    if not isinstance(delta, Mapping):
        return ""
    content = delta.get("content")
    return content if isinstance(content, str) else _content(content)[0]


def _content(content: object) -> tuple[str, str]:
    """Return the text and the thoughts of a message's content, which may come in parts."""
    if isinstance(content, str):
        return paired(content), ""
    parts = content if isinstance(content, list) else []
    said: list[str] = []
    thought: list[str] = []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, Mapping):
            is_thought = part.get("type") in _THOUGHTS
            words = "".join(_words(part, "thinking" if is_thought else "text"))
            (thought if is_thought else said).append(words)
    return paired("".join(said)), paired("".join(thought))


def _words(part: Mapping[str, Any], name: str) -> Iterator[str]:
    found = part.get(name, part.get("text"))
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        yield _content(found)[0]


def _calls(found: object) -> Iterator[ToolCall]:
    """Yield the calls that name a tool; some servers leave out ids, or send arguments as an object."""
    for number, one in enumerate(found if isinstance(found, list) else []):
        function = one.get("function") if isinstance(one, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str):
            continue
        id, arguments = one.get("id"), function.get("arguments") or {}
        yield ToolCall(
            paired(id) if isinstance(id, str) and id else f"call_{number}",
            paired(name),
            paired(arguments) if isinstance(arguments, str) else json.dumps(arguments),
        )


def _finish(choice: Mapping[str, Any]) -> Finish:
    reason = choice.get("finish_reason")
    return _FINISHES.get(reason, "other") if isinstance(reason, str) else "other"


def _tokens(usage: object) -> tuple[int, int] | None:
    if not isinstance(usage, Mapping):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(read) is int and type(written) is int and read >= 0 and written >= 0:
        return read, written
    return None


def _logprobs(found: object) -> tuple[TokenLogprob, ...] | None:
    content = found.get("content") if isinstance(found, Mapping) else None
    if not isinstance(content, list):
        return None
    try:
        return tuple(
            TokenLogprob(
                str(one["token"]),
                float(one["logprob"]),
                tuple(
                    (str(other["token"]), float(other["logprob"]))
                    for other in one.get("top_logprobs") or ()
                ),
            )
            for one in content
        )
    except (KeyError, TypeError, ValueError):
        return None
