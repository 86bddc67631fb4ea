"""A model that says what it was told to say, for tests and examples."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from agentcl.errors import ModelUnavailable
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema
from agentcl.store.usage import Usage
from agentcl.text.tokens import estimate_tokens

Script = Callable[[Sequence[Message]], str]


class ScriptedModel:
    """Answers from a list, in order, or by a function of the messages.

    Args:
        script: answers, or what makes one.
        name: what it is called in replies and ledgers.
    """

    def __init__(self, script: Iterable[str] | Script, *, name: str = "scripted") -> None:
        self.name = name
        self.asked: list[tuple[Message, ...]] = []  # every conversation it was given, in order
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
            text = self._script(messages) if self._script else next(self._answers, None)
        if text is None:
            raise ModelUnavailable(
                f"the script of {self.name!r} ended after {len(self.asked) - 1} answers"
            )
        asked = sum(estimate_tokens(message.content) for message in messages)
        usage = Usage(1, asked, estimate_tokens(text), is_estimated=True)
        return Reply(text, usage, self.name, "stop")

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the next answer word by word."""
        for number, word in enumerate(self.chat(messages, sampling=sampling).text.split(" ")):
            yield word if number == 0 else f" {word}"

    def fingerprint(self) -> str:
        """Return a hash of its name: a script has no weights."""
        return hashlib.blake2b(self.name.encode(), digest_size=16).hexdigest()
