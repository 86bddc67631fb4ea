"""A model that says what it was told to say, for tests and examples."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from agentcl.errors import ModelUnavailable
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema, ToolCall
from agentcl.store.usage import Usage
from agentcl.text.tokens import estimate_tokens

Answer = str | Sequence[ToolCall]  # words, or calls of the tools that were offered
Script = Callable[[Sequence[Message]], Answer]


class ScriptedModel:
    """Answers from a list, in order, or by a function of the messages.

    Args:
        script: answers, or what makes one.
        name: what it is called in replies and ledgers.
    """

    def __init__(self, script: Iterable[Answer] | Script, *, name: str = "scripted") -> None:
        self.name = name
        self.asked: list[tuple[Message, ...]] = []  # every conversation it was given, in order
        self.offered: Sequence[Schema] = ()  # the tools that it was offered last
        self._script = script if callable(script) else None
        self._answers = iter(()) if callable(script) else iter(script)
        self._lock = threading.Lock()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the next answer. Raises ModelUnavailable when the script is at its end."""
        with self._lock:
            self.asked.append(tuple(messages))
            answer = self._script(messages) if self._script else next(self._answers, None)
        if answer is None:
            raise ModelUnavailable(
                f"the script of {self.name!r} ended after {len(self.asked) - 1} answers"
            )
        text, calls = (answer, ()) if isinstance(answer, str) else ("", tuple(answer))
        asked = sum(estimate_tokens(message.content) for message in messages)
        said = estimate_tokens(text) + sum(estimate_tokens(call.arguments) for call in calls)
        usage = Usage(1, asked, said, is_estimated=True)
        return Reply(text, usage, self.name, "stop", calls=calls)

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Return the next answer. Raises ModelUnavailable when the script is at its end."""
        self.offered = tuple(tools)
        return self.chat(messages, sampling=sampling)

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the next answer word by word."""
        for number, word in enumerate(self.chat(messages, sampling=sampling).text.split(" ")):
            yield word if number == 0 else f" {word}"

    def fingerprint(self) -> str:
        """Return a hash of its name: a script has no weights."""
        return hashlib.blake2b(self.name.encode(), digest_size=16).hexdigest()
