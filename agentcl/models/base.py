"""What a chat model is asked and what it answers, whoever serves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from agentcl.errors import InvalidInput
from agentcl.store.usage import Usage
from agentcl.text.escaping import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "other"]
Schema = Mapping[str, Any]  # a JSON Schema


@dataclass(frozen=True, slots=True)
class ToolCall:
    """That a model wants a tool called."""

    id: str
    name: str
    arguments: str  # JSON, as the model wrote it: it may be broken


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()  # what the assistant called
    call_id: str = ""  # the call that a tool's turn answers
    # Texts and soft tokens, of shape (tokens, width), for a model that reads these; for others there is `content`.
    parts: tuple[str | NDArray[np.floating[Any]], ...] = field(
        default=(), repr=False, compare=False
    )

    def plain(self) -> dict[str, Any]:
        """Return the turn as OpenAI's API writes it."""
        said: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.calls:
            said["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.calls
            ]
        if self.call_id:
            said["tool_call_id"] = self.call_id
        return said


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. The default is greedy, so that a run repeats."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = 0
    logprobs: bool = False  # ask for the log-probability of each token of the answer
    top_logprobs: int = 0  # and for those of the tokens that were likeliest in its place

    def __post_init__(self) -> None:
        """Refuse what no backend can do. Raises InvalidInput."""
        if self.max_tokens < 1:
            raise InvalidInput(f"max_tokens must be at least 1, and is {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise InvalidInput(f"temperature must be 0 or more, and is {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InvalidInput(f"top_p must be above 0 and at most 1, and is {self.top_p}")
        if self.top_logprobs < 0 or (self.top_logprobs and not self.logprobs):
            raise InvalidInput(
                f"top_logprobs must be 0 or more, and needs logprobs; it is {self.top_logprobs}"
            )
        if not all(self.stop):
            raise InvalidInput("a stop string must not be empty: every answer would end at once")


def conversation(
    instructions: str, prompt: Prompt, demonstrations: Sequence[tuple[str, str]] = ()
) -> list[Message]:
    """Return a prompt with the instructions and demonstrations before it, where there are any."""
    said = [Message("system", instructions)] if instructions else []
    for asked, answered in demonstrations:
        said += [Message("user", asked), Message("assistant", answered)]
    return [*said, Message("user", prompt)]


GREEDY: Final = Sampling()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer, and the natural logarithm of its probability."""

    token: str
    logprob: float
    others: tuple[
        tuple[str, float], ...
    ] = ()  # the likeliest in its place, where they were asked for


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one call."""

    text: str
    usage: Usage  # of that call; of both where `ask_object` had to ask twice
    model: str  # as the endpoint calls it
    finish: Finish  # "length": it was cut off at `max_tokens`
    value: Any = None  # the parsed object, where one was asked for by `ask_object`
    logprobs: tuple[TokenLogprob, ...] | None = None  # None: not asked for, or not offered
    is_cached: bool = False  # taken from an answer cache; nothing was asked of the model
    thought: str = ""  # what was thought before it, where that is told apart from the answer
    dropped: int = 0  # parts of the value that did not fit the schema, and were left out
    calls: tuple[ToolCall, ...] = ()  # of the tools that it was offered
    unread: str = (
        ""  # why soft tokens of the messages were not read, and text was; empty if they were
    )


@runtime_checkable
class ChatModel(Protocol):
    """A frozen language model. Safe to call from several threads.

    Raises:
        ModelUnavailable: from every method, if the model cannot be asked.
    """

    name: str  # says which model, and where it is served

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer.

        Args:
            messages: the conversation so far; the last turn is the user's.
            sampling: how the answer is drawn.
            schema: constrain the answer to JSON of this schema, where the backend can; whoever needs
                an object calls `ask_object`, which checks it.
        """
        ...

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator cancels the rest."""
        ...

    def fingerprint(self) -> str:
        """Return what identifies weights, tokenizer and chat template.

        Equal before and after a run, it shows that the model was frozen.
        """
        ...
