"""Chat through any OpenAI-compatible endpoint: vLLM, llama.cpp server, Ollama, hosted services."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from agentcl.errors import ModelUnavailable, RequestRefused, needs
from agentcl.models.base import (
    GREEDY,
    Finish,
    Message,
    Reply,
    Sampling,
    Schema,
    TokenLogprob,
)
from agentcl.store.usage import Usage
from agentcl.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

_NO_KEY: Final = "none"  # local servers ask for no key, the client insists on one
# What `fingerprint` asks: words that tokenizers cut differently, answered greedily.
_PROBE: Final = "Repeat exactly: Größe 314159 ünïcode_snake the the end."
_PROBE_TOKENS: Final = 24
_REFUSED: Final = (400, 413, 422)  # the request is wrong or too large, not the server


class OpenAIChat:
    """A model behind `/v1/chat/completions`. Safe to call from several threads.

    Args:
        model: the model's name there.
        base_url: e.g. "http://localhost:8000/v1".
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one attempt.
        retries: after the first attempt, with growing pauses; for lost connections, timeouts, and
            statuses 408, 409, 429 and 5xx.
        concurrency: calls under way at once; more wait their turn.

    Raises:
        MissingExtra: if the `openai` client is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        timeout_s: float = 120.0,
        retries: int = 3,
        concurrency: int = 16,
    ) -> None:
        with needs(f"the model openai:{model}", "openai"):
            from openai import OpenAI
        self.name = f"openai:{model}@{base_url}"
        self._model = model
        self._base_url = base_url
        self._turn = threading.BoundedSemaphore(concurrency)
        self._client: OpenAI = OpenAI(
            base_url=base_url,
            api_key=api_key or os.environ.get("OPENAI_API_KEY") or _NO_KEY,
            timeout=timeout_s,
            max_retries=retries,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the endpoint; the model cannot be asked again."""
        self._client.close()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer. Raises ModelUnavailable."""
        request = self._request(messages, sampling)
        if sampling.logprobs:
            request["logprobs"] = True
        if schema is not None:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
            }
        from openai import OpenAIError

        with self._turn:
            started = time.perf_counter()
            try:
                answer: ChatCompletion = self._client.chat.completions.create(**request)
            except OpenAIError as error:
                raise self._unavailable(error) from error
            duration_s = time.perf_counter() - started
        if not answer.choices:
            raise ModelUnavailable(f"{self._base_url} answered {self._model!r} without any choice")
        choice = answer.choices[0]
        text = choice.message.content or ""
        return Reply(
            text=text,
            usage=_usage(answer, messages, text, duration_s),
            model=answer.model or self._model,
            finish=_finish(choice.finish_reason),
            logprobs=None
            if choice.logprobs is None or choice.logprobs.content is None
            else tuple(TokenLogprob(t.token, t.logprob) for t in choice.logprobs.content),
        )

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator closes the connection."""
        from openai import OpenAIError

        with self._turn:
            try:
                with self._client.chat.completions.create(
                    **self._request(messages, sampling), stream=True
                ) as pieces:
                    for piece in pieces:
                        if piece.choices and piece.choices[0].delta.content:
                            yield piece.choices[0].delta.content
            except OpenAIError as error:
                raise self._unavailable(error) from error

    def fingerprint(self) -> str:
        """Return a hash of how the endpoint reads and continues a fixed text.

        An endpoint does not show its files. How many tokens the text is read as betrays tokenizer and
        chat template, and which tokens greedy decoding continues with betrays the weights.
        """
        probe = Sampling(max_tokens=_PROBE_TOKENS)
        reply = self.chat([Message("user", _PROBE)], sampling=probe)
        seen = [reply.model, reply.usage.prompt_tokens, reply.text]
        return hashlib.blake2b(json.dumps(seen).encode(), digest_size=16).hexdigest()

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if sampling.stop:
            request["stop"] = list(sampling.stop)
        if sampling.seed is not None:
            request["seed"] = sampling.seed
        return request

    def _unavailable(self, error: Exception) -> ModelUnavailable:
        from openai import (
            APIConnectionError,
            APIStatusError,
            APITimeoutError,
            AuthenticationError,
            NotFoundError,
        )

        if isinstance(error, APIStatusError) and error.status_code in _REFUSED:
            return RequestRefused(
                f"{self._base_url} refused this request to {self._model!r}: {error}; the model may not "
                "be able to read so much, or to do what was asked (see `agentcl model check`)"
            )
        if isinstance(error, APITimeoutError):
            remedy = "it took longer than timeout_s; raise that, or ask for fewer tokens"
        elif isinstance(error, APIConnectionError):
            remedy = "check that the server runs and that the URL is right, its /v1 included"
        elif isinstance(error, AuthenticationError):
            remedy = "check OPENAI_API_KEY"
        elif isinstance(error, NotFoundError):
            remedy = f"check that it serves a model of this name: {', '.join(self._served())}"
        else:
            remedy = "see the server's log"
        return ModelUnavailable(
            f"{self._base_url} gave no answer of {self._model!r}: {error}; {remedy}"
        )

    def _served(self) -> list[str]:
        """Return the names that the endpoint lists, or what stands for not knowing them."""
        from openai import OpenAIError

        try:
            return [model.id for model in self._client.models.list()] or ["it lists none"]
        except OpenAIError:
            return ["it does not list them"]


def _finish(reason: str | None) -> Finish:
    if reason == "stop":
        return "stop"
    return "length" if reason == "length" else "other"


def _usage(
    answer: ChatCompletion, messages: Sequence[Message], text: str, duration_s: float
) -> Usage:
    if answer.usage is not None:
        return Usage(1, answer.usage.prompt_tokens, answer.usage.completion_tokens, duration_s)
    asked = sum(estimate_tokens(message.content) for message in messages)
    return Usage(1, asked, estimate_tokens(text), duration_s, is_estimated=True)
