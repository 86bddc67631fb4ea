"""From what chat programs have to what is remembered: messages of several interfaces, read one by one.

Nothing is interpreted. What can be read goes into a text, and what came is kept beside it; only the bytes of
images, audio and files give way to a placeholder that tells their type and size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agentcl.errors import InvalidInput
from agentcl.store.checks import (
    MAX_TEXT,
    canonical_json,
    check_json,
    check_label,
    check_time,
    check_unicode,
    check_writable,
)
from agentcl.store.records import EPOCH
from agentcl.text.answers import said_aloud
from agentcl.text.visible import shown

Message = Mapping[str, Any]
Messages = str | Message | Iterable[str | Message]

_TIMES: Final = ("time", "timestamp", "created_at")
_OWN: Final = frozenset({"role", "name", "id", "content", *_TIMES})
_MOST_ROLE: Final = 100  # characters
# A time since 1970 that is greater counts them: in seconds it is the year 5138
_MILLISECONDS: Final = 1e11
_MEDIA: Final = ("image", "audio", "video", "file", "document")
_PAYLOADS: Final = frozenset({"data", "file_data", "b64_json"})
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{100,}={0,2}\Z")  # a text has spaces, and is kept
# Items of OpenAI's Responses that have no role, and who it is that they come from.
_ITEMS: Final = {
    "function_call": "assistant",
    "custom_tool_call": "assistant",
    "reasoning": "assistant",
    "function_call_output": "tool",
    "custom_tool_call_output": "tool",
}
_MOST_ASKED: Final = 2_000  # characters of a question, from its end
_MODELS: Final = frozenset({"assistant", "ai", "model"})  # whose text may begin with a thought
_UNSAID: Final = frozenset({"thinking", "redacted_thinking", "reasoning"})  # kept, and not read out


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message as it was read."""

    role: str
    text: str
    name: str = ""
    message: str = ""  # its own id
    moment: datetime | None = None  # aware, with the offset that it came with; None: not told
    content: Any = None
    more: Mapping[str, Any] | None = None


def read_messages(messages: Messages) -> list[Said]:
    """Return messages as they are remembered.

    Raises:
        InvalidInput: naming the first one that cannot be kept, by its number from 1.
    """
    if isinstance(messages, str | Mapping) or hasattr(messages, "model_dump"):
        messages = [messages]  # type: ignore[list-item]  # one alone
    if isinstance(messages, bytes | bytearray) or not isinstance(messages, Iterable):
        raise InvalidInput(
            f"messages must be a list of {{'role': 'user', 'content': '...'}}, not a {type(messages).__name__}"
        )
    read: list[Said] = []
    for number, one in enumerate(messages, start=1):
        try:
            read.append(_read(one))
        except InvalidInput as error:
            raise InvalidInput(f"message {number}: {error}. Nothing was stored") from error
    return read


def asked(said: Sequence[Said]) -> str:
    """Return the last that the user said: all messages since somebody else spoke, or else his last one."""
    lines: list[str] = []
    for one in reversed(said):
        if one.role == "user" and one.text.strip():
            lines.append(one.text)
        elif lines:
            break
    return "\n".join(reversed(lines))[-_MOST_ASKED:]


def last_user(said: Sequence[Said]) -> str:
    """Return the last message of the user; empty if there is none."""
    return next((one.text for one in reversed(said) if one.role == "user"), "")


def heard(role: str, text: str) -> str:
    """Return what of a text was said to others: the thought that a model begins with is kept, and not read out."""
    return said_aloud(text) if role in _MODELS else text


def _read(one: object) -> Said:
    if isinstance(one, str):
        one = {"role": "user", "content": one}
    elif not isinstance(one, Mapping) and hasattr(one, "model_dump"):
        one = one.model_dump(mode="json", exclude_none=True)
    if not isinstance(one, Mapping):
        raise InvalidInput(
            f"{shown(one)} is no message; write {{'role': 'user', 'content': '...'}}"
        )
    if "role" not in one and one.get("type") in _ITEMS:
        return _item(one)
    more = _more({name: value for name, value in one.items() if name not in _OWN})
    if "content" not in one and not more:
        raise InvalidInput("it has no content; write what was said there, even if it is ''")
    content = _kept(one.get("content"))
    role = _role(one.get("role"))
    aloud = heard(role, _text(content))
    return Said(
        role=role,
        text=_whole([aloud, *_beside(more)]),
        name=check_label(one.get("name") or "", "its name"),
        message=_id(one.get("id")),
        moment=_moment(one),
        content=None if content is None or content == aloud else content,
        more=more or None,
    )


def _item(one: Message) -> Said:
    """Read an item that is no message: a call of a function, its output, a reasoning."""
    more = _more({name: value for name, value in one.items() if name not in ("id", *_TIMES)})
    match more:
        case {"output": output}:
            text = _text(output)
        case {"name": str(name)}:
            text = _call(name, more.get("arguments", more.get("input", "")))
        case _:
            text = ""
    return Said(
        role=_ITEMS[one["type"]],
        text=_whole([text]),
        message=_id(one.get("id")),
        moment=_moment(one),
        more=more,
    )


def _role(role: object) -> str:
    if role is None:
        raise InvalidInput(
            "it has no role; say who speaks, e.g. 'user', 'assistant', 'system' or 'tool'"
        )
    checked = check_label(role, "its role")
    if not checked.strip() or len(checked) > _MOST_ROLE or not checked.isprintable():
        raise InvalidInput(f"{checked[:_MOST_ROLE]!r} is no role; give one word, e.g. 'user'")
    return checked


def _id(id: object) -> str:
    if id is None:
        return ""
    if isinstance(id, int) and not isinstance(id, bool):
        return str(check_writable(id, "its id"))
    return check_label(id, "its id")


def _whole(texts: Sequence[str]) -> str:
    text = check_unicode("\n".join(filter(None, texts)), "its content")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"it has {len(text):,} characters; at most {MAX_TEXT:,} fit")
    return text


def _more(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the further fields of a message that say anything."""
    said = {
        name: _kept(value, name if name in _MEDIA else "")
        for name, value in fields.items()
        if value is not None
    }
    return dict(check_json(said, "the message", most=MAX_TEXT))


# When it was said


def _moment(one: Message) -> datetime | None:
    told = [(name, one[name]) for name in _TIMES if one.get(name) is not None]
    if not told:
        return None
    name, value = told[0]
    moment = _parsed(value)
    if moment is None:
        raise InvalidInput(
            f"{name} {value!r} is no time; give ISO 8601 with an offset, a datetime with a zone, or seconds since 1970"
        )
    if moment.utcoffset() is None:
        aware = moment.isoformat()
        raise InvalidInput(
            f"{name} {value!r} names no zone, so it is no moment; write {aware}Z for UTC, or e.g. {aware}+02:00"
        )
    check_time(moment, name)
    return moment


def _parsed(value: object) -> datetime | None:
    match value:
        case datetime():
            return value
        case bool():
            return None
        case int() | float() if not (isinstance(value, float) and not math.isfinite(value)):
            try:
                seconds = value / 1_000 if abs(value) >= _MILLISECONDS else value
                return EPOCH + timedelta(seconds=seconds)
            except OverflowError as error:
                raise InvalidInput(
                    f"the time {shown(value)} lies outside the years 1 to 9999"
                ) from error
        case str():
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                return None
    return None


# What it says


def _kept(value: Any, media: str = "", kind: str = "") -> Any:  # noqa: ANN401  # any JSON
    """Return JSON as it is kept: without the bytes of images, audio and files.

    Args:
        value: what came.
        media: what it is a part of, if that is an image and the like.
        kind: the type of its bytes, as far as what stands around it tells.
    """
    match value:
        case str() if value.startswith("data:") and (";base64," in value[:200] or media):
            head, _, encoded = value.partition(",")
            return _placeholder(head[5:].split(";")[0], _decoded(encoded))
        case bytes() | bytearray():
            return _placeholder(kind, len(value))
        case Mapping():
            of = str(value.get("type", ""))
            media = next((word for word in _MEDIA if word in of), media)
            told = (value.get(name) for name in ("media_type", "mime_type", "mimeType", "format"))
            kind = next((one for one in told if isinstance(one, str)), kind)
            return {
                name: _placeholder(kind, _decoded(one))
                if media and name in _PAYLOADS and isinstance(one, str) and _BASE64.match(one)
                else _kept(one, name if name in _MEDIA else media, kind)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_kept(one, media, kind) for one in value]
    return check_json(value, "its content", most=MAX_TEXT)


def _placeholder(kind: str, size: int) -> str:
    return f"[{kind}, {size:,} bytes]" if kind else f"[{size:,} bytes]"


def _decoded(encoded: str) -> int:
    """Return how many bytes base64 stands for."""
    return max(len(encoded) * 3 // 4 - encoded[-2:].count("="), 0)


def _text(content: Any) -> str:  # noqa: ANN401  # any JSON
    """Return what can be read of a message's content, or of a tool's result."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list() if all(isinstance(one, str | Mapping) for one in content):
            return "\n".join(filter(None, map(_part, content)))
        case Mapping() if "type" in content:
            return _part(content)
    return canonical_json(content)


def _part(part: Any) -> str:  # noqa: ANN401  # any JSON
    match part:
        case {"type": str(kind)} if kind in _UNSAID:
            return ""
        case {"type": "tool_use", "name": str(name)}:
            return _call(name, part.get("input", ""))
        case {"type": "tool_result"}:
            return _text(part.get("content"))
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return text
        case {"text": str(text)} | {"refusal": str(text)} | {"transcript": str(text)}:
            return text
        case {"type": str(kind)} if any(word in kind for word in _MEDIA):
            return _medium(kind, part)
        case str():
            return part
    return canonical_json(part)


def _medium(kind: str, part: Message) -> str:
    """Return in brackets what stands for an image and the like."""
    word = next(word for word in _MEDIA if word in kind)
    about = [text for text in _strings(part) if text.startswith(("[", "https:", "http:"))]
    within = [part, *(one for one in part.values() if isinstance(one, Mapping))]
    told = (one.get(name) for one in within for name in ("filename", "title"))
    names = [one for one in told if isinstance(one, str)]
    return " ".join([f"[{word}", *names, *(one.strip("[]") for one in about[:1])]) + "]"


def _strings(value: Any) -> list[str]:  # noqa: ANN401  # any JSON
    match value:
        case str():
            return [value]
        case Mapping():
            return [text for one in value.values() for text in _strings(one)]
        case list():
            return [text for one in value for text in _strings(one)]
    return []


def _beside(more: Mapping[str, Any]) -> list[str]:
    """Return what can be read of a message beside its content: calls of tools, a refusal, speech."""
    found: list[str] = []
    calls = more.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        match call:
            case {"function": {"name": str(name), **function}}:
                found.append(_call(name, function.get("arguments", "")))
            case {"name": str(name)}:
                found.append(_call(name, call.get("args", call.get("arguments", ""))))
    match more:
        case {"function_call": {"name": str(name), **function}}:
            found.append(_call(name, function.get("arguments", "")))
    match more:
        case {"refusal": str(text)} | {"audio": {"transcript": str(text)}}:
            found.append(text)
    return found


def _call(name: str, arguments: Any) -> str:  # noqa: ANN401  # any JSON
    told = arguments if isinstance(arguments, str) else canonical_json(arguments)
    return f"calls {name} {told}".strip()
