"""A model whose answers are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema
from agentcl.store.usage import NO_USAGE


class MeteredModel:
    """A model whose answers are counted, those too that turn out to be of no use. For one thread."""

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self.usage = NO_USAGE  # of all answers so far
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
        self.usage += reply.usage
        return reply

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Ask the model. A stream says nothing of tokens, so it is not counted."""
        return self._model.stream(messages, sampling=sampling)

    def fingerprint(self) -> str:
        """Return the model's."""
        return self._model.fingerprint()
