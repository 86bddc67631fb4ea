"""What is asked of models, counted for the role that asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema


@dataclass(frozen=True, slots=True)
class Spent:
    """What one role asked of a model; several are added up with `+`."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Return what both asked."""
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.duration_s + other.duration_s,
        )

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens

    @classmethod
    def of(cls, reply: Reply) -> Spent:
        """Return what one reply cost, as one call."""
        usage = reply.usage
        return cls(1, usage.prompt_tokens, usage.completion_tokens, reply.duration_s)


NOTHING_SPENT: Final = Spent()


class Metered:
    """A model whose answers are counted, those too that turn out to be of no use. For one thread."""

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self.spent = NOTHING_SPENT
        self._model = model

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Ask the model, and count."""
        reply = self._model.chat(messages, sampling=sampling, schema=schema)
        self.spent += Spent.of(reply)
        return reply

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Ask the model. A stream says nothing of tokens, so it is not counted."""
        return self._model.stream(messages, sampling=sampling)

    def fingerprint(self) -> str:
        """Return the model's."""
        return self._model.fingerprint()
