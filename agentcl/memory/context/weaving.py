"""What is shown of a memory, put into messages: text, and soft tokens of passages, each in front of its question."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from agentcl.memory.conversations.messages import Messages, read_messages
from agentcl.models.base import Message, ToolCall
from agentcl.models.soft_tokens import Sending, inert, parts_of

if TYPE_CHECKING:
    from agentcl.compression.base import Vectors

T = TypeVar("T")
ONE: Final = "Passage: "  # as codecs were trained to be read
SEVERAL: Final = "Passages:"


@dataclass(frozen=True, slots=True)
class SoftMemory:
    """A passage that is shown as soft tokens."""

    id: str  # of the passage
    document_id: str  # of the document, or the turn, that it is a piece of
    title: str
    tokens: int  # as text
    slots: int  # as soft tokens
    width: int  # of one soft token
    digest: str = field(repr=False)  # of all that is stored of it, which may be more slots
    data: str = field(
        repr=False
    )  # base64 of its float16 numbers, little-endian, soft token by soft token

    def vectors(self) -> Vectors:
        """Return its soft tokens, of shape (slots, width)."""
        held = np.frombuffer(base64.b64decode(self.data), "<f2")
        return held.reshape(self.slots, self.width).astype(np.float32)

    @classmethod
    def encoded(cls, vectors: Vectors) -> str:
        """Return soft tokens as `data` holds them."""
        return base64.b64encode(vectors.astype("<f2").tobytes()).decode()


@dataclass(frozen=True, slots=True)
class Soft:
    """What a context shows as soft tokens, and why it does not show more so."""

    way: str  # in words: what is shown as soft tokens, or why all is text
    codec: str = ""  # its name
    base: str = ""  # the fingerprint of the model that reads them; no other one can
    salt: str = ""  # for `cache_salt` of vLLM: another one for each codec
    placed: tuple[
        tuple[str, tuple[SoftMemory, ...]], ...
    ] = ()  # by the user's message that they were found for

    @property
    def memories(self) -> tuple[SoftMemory, ...]:
        """The passages that are shown as soft tokens, in their order in the messages."""
        return tuple(one for _, own in self.placed for one in own)

    @property
    def tokens(self) -> int:
        """The soft tokens of them all."""
        return sum(one.slots for one in self.memories)

    @property
    def saved(self) -> int:
        """The tokens that the same passages would take more as text."""
        return sum(one.tokens - one.slots for one in self.memories)


def places_of(messages: Messages, placed: Sequence[tuple[str, T]]) -> list[tuple[int | None, T]]:
    """Return in front of which message each addition belongs, by its number from 0, the last addition first.

    It is the user's message that it was found for; if that is no longer there, his first one; None if there is none of
    his.
    """
    said = read_messages(messages)
    at = [number for number, one in enumerate(said) if one.role == "user"]
    found: list[tuple[int | None, T]] = []
    for text, block in reversed(placed):
        first = at[0] if at else None
        place = next((one for one in reversed(at) if said[one].text == text), first)
        at = [one for one in at if place is not None and one <= place]
        found.append((place, block))
    return found


def with_texts(
    messages: Iterable[Mapping[str, Any]], places: Sequence[tuple[int | None, str]]
) -> list[dict[str, Any]]:
    """Return messages with blocks of text in front of some; those that belong nowhere become messages themselves."""
    made = [dict(one) for one in messages]
    for place, block in places:
        if place is None:
            made.insert(0, {"role": "user", "content": block.rstrip("\n")})
        else:
            made[place]["content"] = _in_front(block, made[place].get("content"))
    return made


def _in_front(block: str, content: object) -> object:
    if isinstance(content, list):
        return [{"type": "text", "text": block}, *content]
    return f"{block}\n{content or ''}"


def with_soft_tokens(
    messages: Sequence[Mapping[str, Any]],
    texts: Sequence[tuple[int | None, str]],
    soft: Sequence[tuple[int | None, tuple[SoftMemory, ...]]],
    *,
    sending: Sending = "torch",
) -> list[dict[str, Any]]:
    """Return messages as vLLM's chat takes them: texts, and soft tokens in front of them.

    Raises:
        MissingExtra: if PyTorch is not installed.
        InvalidInput: if a message brings soft tokens of its own.
    """
    made = []
    for one, pieces in _woven(messages, texts, soft):
        content = one.get("content")
        rest = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        made.append(
            {**one, "content": [*parts_of(pieces, sending=sending), *rest]} if pieces else one
        )
    return made


def as_turns(
    messages: Sequence[Mapping[str, Any]],
    texts: Sequence[tuple[int | None, str]],
    soft: Sequence[tuple[int | None, tuple[SoftMemory, ...]]],
) -> list[Message]:
    """Return messages for a `ChatModel`: each with its text, and with soft tokens where some belong."""
    made: list[Message] = []
    for one, pieces in _woven(messages, texts, soft):
        (said,) = read_messages([one])
        calls = tuple(
            ToolCall(
                str(call.get("id", "")), call["function"]["name"], call["function"]["arguments"]
            )
            for call in one.get("tool_calls") or ()
        )
        content = one.get("content")
        text = content if isinstance(content, str) else said.text
        parts = (*pieces, text) if pieces else ()
        made.append(Message(one["role"], text, calls, str(one.get("tool_call_id", "")), parts))
    return made


def _woven(
    messages: Sequence[Mapping[str, Any]],
    texts: Sequence[tuple[int | None, str]],
    soft: Sequence[tuple[int | None, tuple[SoftMemory, ...]]],
) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return messages with their texts in front, each with the soft tokens that belong in front of these."""
    shift = sum(place is None for place, _ in texts)  # messages that were put in front of all
    made = [inert(one) for one in with_texts(messages, texts)]
    pieces: dict[int, list[Any]] = {}
    for place, memories in soft:
        if place is not None and memories:
            pieces[place + shift] = _framed(memories) + pieces.get(place + shift, [])
    return [(one, pieces.get(number, [])) for number, one in enumerate(made)]


def _framed(memories: Sequence[SoftMemory]) -> list[Any]:
    """Return soft tokens with the text around them that codecs are trained with."""
    if len(memories) == 1:
        return [ONE, memories[0].vectors(), "\n"]
    pieces: list[Any] = [SEVERAL]
    for number, one in enumerate(memories, start=1):
        pieces[-1] += f"\n[{number}] "
        pieces += [one.vectors(), ""]
    return [*pieces[:-1], "\n"]
