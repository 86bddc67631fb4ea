"""Models that ask another one, and one of them: a model whose answers are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentcl.errors import RequestRefused
from agentcl.models.base import GREEDY, ChatModel, Message, Reply, Sampling, Schema
from agentcl.models.calling import ToolModel
from agentcl.store.usage import NO_USAGE


class AskingModel:
    """Asks another model. What a subclass does not say is the other's."""

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self._model = model

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the other model's answer piece by piece."""
        return self._model.stream(messages, sampling=sampling)

    def fingerprint(self) -> str:
        """Return the other model's."""
        return self._model.fingerprint()

    def _call(
        self, messages: Sequence[Message], tools: Sequence[Schema], sampling: Sampling
    ) -> Reply:
        """Offer the other model tools. Raises RequestRefused if it takes none."""
        if not isinstance(self._model, ToolModel):
            raise RequestRefused(f"{self.name} takes no tools; describe them in the prompt")
        return self._model.chat_with_tools(messages, tools, sampling=sampling)


class MeteredModel(AskingModel):
    """A model whose answers are counted, those too that turn out to be of no use. For one thread.

    A stream says nothing of tokens, so it is not counted.
    """

    def __init__(self, model: ChatModel) -> None:
        super().__init__(model)
        self.usage = NO_USAGE  # of all answers so far

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

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Offer the model tools, and count."""
        reply = self._call(messages, tools, sampling)
        self.usage += reply.usage
        return reply
