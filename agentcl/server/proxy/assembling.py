"""Making an answer whole that passes in chunks, without holding it up: JSON, or server-sent events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from agentcl.text.parsing import parsed_json

MOST: Final = (
    16 * 1024 * 1024
)  # bytes of an answer that are kept; a longer one passes and is not remembered
_MOST_CHOICES: Final = 128  # that are put together; no server takes more to choose from


class Assembly(Protocol):
    """An answer that is made whole while it passes.

    `is_whole` tells that no more of it is to come. Where `ends_late`, only its last byte shows that.
    """

    ends_late: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        ...

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        ...

    def whole(self) -> Mapping[str, Any]:
        """Return the answer as if it had come at once; empty if it never became whole."""
        ...


def assembly_of(kind: str, *, is_chat: bool) -> Assembly:
    """Return what makes an answer whole.

    Args:
        kind: its content type.
        is_chat: whether it is one of `chat/completions`.
    """
    name = kind.partition(";")[0].strip().lower()
    if name == "text/event-stream":
        return ChatStream() if is_chat else ResponsesStream()
    return AtOnce() if name == "application/json" else Nothing()


class Nothing:
    """An answer of a kind that is not read."""

    ends_late = is_whole = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def whole(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}


class AtOnce:
    """An answer in one piece of JSON."""

    ends_late, is_whole = True, False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size += len(chunk)
        if self._size <= MOST:
            self._chunks.append(chunk)

    def whole(self) -> Mapping[str, Any]:
        """Return the answer."""
        return _object(b"".join(self._chunks)) if self._size <= MOST else {}


class _Events:
    """Server-sent events out of chunks that may end anywhere. Each byte is looked at once, however small they are."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of each event that is whole now."""
        self._size += len(chunk)
        if self._size > MOST:
            self._held.clear()
            return
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._held += chunk
            return
        lines = bytes(self._held + chunk[:end]).split(b"\n")[:-1]
        self._held = bytearray(chunk[end:])
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []


class _Text:
    """A text that grows by pieces, and is joined once."""

    def __init__(self) -> None:
        self.pieces: list[str] = []


class ChatStream:
    """Chunks of `chat/completions`, put together as the answer that would have come without streaming."""

    ends_late = False

    def __init__(self) -> None:
        self._events = _Events()
        self._choices: dict[int, dict[str, Any]] = {}
        self._open = 0  # of them
        self._rest: dict[str, Any] = {}

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for data in self._events.feed(chunk):
            event = _object(data)
            self._rest |= {
                name: value
                for name, value in event.items()
                if name in ("id", "model", "usage") and value
            }
            choices = event.get("choices")
            for choice in choices if isinstance(choices, list) else ():
                if isinstance(choice, Mapping):
                    self._take(choice)

    @property
    def is_whole(self) -> bool:
        """Whether every choice has come to its end."""
        return bool(self._choices) and not self._open

    def _take(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index") or 0
        if not isinstance(index, int):
            return
        if index not in self._choices:
            if len(self._choices) == _MOST_CHOICES:
                return
            self._choices[index] = {"index": index, "message": {"role": "assistant"}}
            self._open += 1
        held = self._choices[index]
        if isinstance(delta := choice.get("delta"), Mapping):
            _add(held["message"], delta)
        if reason := choice.get("finish_reason"):
            self._open -= "finish_reason" not in held
            held["finish_reason"] = reason

    def whole(self) -> Mapping[str, Any]:
        """Return the answer."""
        if not self._choices:
            return self._rest
        return {
            **self._rest,
            "choices": [_joined(self._choices[at]) for at in sorted(self._choices)],
        }


def _joined(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return what was put together with its texts joined, and its calls of tools as a list."""
    if isinstance(value, _Text):
        return "".join(value.pieces)
    if isinstance(value, _Calls):
        return [_joined(value[index]) for index in sorted(value)]
    if isinstance(value, dict):
        return {name: _joined(one) for name, one in value.items()}
    return value


class _Calls(dict[int, dict[str, Any]]):
    """Calls of tools by their numbers."""


class ResponsesStream:
    """Events of `responses`: the last one brings the whole answer, and each item comes whole before."""

    ends_late = is_whole = False

    def __init__(self) -> None:
        self._events = _Events()
        self._items: dict[int, Any] = {}
        self._response: Mapping[str, Any] = {}

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for data in self._events.feed(chunk):
            event = _object(data)
            kind, response = event.get("type"), event.get("response")
            if kind == "response.output_item.done" and isinstance(event.get("output_index"), int):
                self._items[event["output_index"]] = event.get("item")
            if isinstance(response, Mapping):
                self._response = response
                self.is_whole = kind in ("response.completed", "response.incomplete")

    def whole(self) -> Mapping[str, Any]:
        """Return the answer; of one that broke off only its id and status."""
        told = dict(self._response)
        if not self.is_whole:
            return {name: told[name] for name in ("id", "usage") if name in told}
        if not told.get("output"):
            told["output"] = [self._items[index] for index in sorted(self._items)]
        return told


def _add(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a piece to a message: texts grow, calls of tools grow by their number, the rest is set."""
    for name, value in delta.items():
        held = message.get(name)
        match name, value:
            case _, None:
                message.setdefault(name, None)
            case "tool_calls", list():
                message[name] = held if isinstance(held, _Calls) else _Calls()
                _add_calls(message[name], value)
            case "role", _:
                message[name] = value
            case _, str():
                message[name] = held if isinstance(held, _Text) else _Text()
                message[name].pieces.append(value)
            case _, Mapping():
                message[name] = held if type(held) is dict else {}
                _add(message[name], value)
            case _:
                message[name] = value


def _add_calls(held: _Calls, calls: list[Any]) -> None:
    for number, call in enumerate(calls):
        if not isinstance(call, Mapping):
            continue
        index = call.get("index")
        one = held.setdefault(index if isinstance(index, int) else number, {})
        for name in ("id", "type"):  # some servers repeat them in each piece
            if call.get(name):
                one[name] = call[name]
        if isinstance(function := call.get("function"), Mapping):
            mine = one.setdefault("function", {"name": "", "arguments": _Text()})
            mine["name"] = mine["name"] or function.get("name") or ""
            if isinstance(piece := function.get("arguments"), str):
                mine["arguments"].pieces.append(piece)


def _object(data: bytes) -> dict[str, Any]:
    """Return a JSON object; empty if it is none."""
    try:
        found = parsed_json(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
