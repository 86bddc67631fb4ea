"""Chat through any OpenAI-compatible endpoint: vLLM, llama.cpp server, Ollama, hosted services."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from agentcl.errors import ModelUnavailable, RequestRefused
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema
from agentcl.models.completion import Completion, as_chat, piece_of, read_completion
from agentcl.models.dialect import Body, Dialect
from agentcl.models.soft_tokens import encoded, in_a_row, parts_of
from agentcl.models.stopping import held_back, until
from agentcl.store.usage import Usage
from agentcl.text.endpoint import (
    OddAnswer,
    ask_endpoint,
    names_of_models,
    open_client,
    param_of,
    refusal_of,
    told_by,
)
from agentcl.text.tokens import estimate_tokens
from agentcl.text.visible import paired_pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
T = TypeVar("T")

# What `fingerprint` asks: words that tokenizers cut differently, answered greedily.
_PROBE: Final = "Repeat exactly: Größe 314159 ünïcode_snake the the end."
_PROBE_TOKENS: Final = 24
_PATH: Final = "/chat/completions"
_COMPLETIONS: Final = "/completions"
_REFUSED: Final = (400, 413, 422)  # the request is wrong or too large, not the server
# Some say so what they do not know of a request.
_UNSUPPORTED: Final = (*_REFUSED, 403, 404, 405, 415, 500, 501)
_WRONG: Final = (400, 415, 422)
_NO_SOFT: Final = "the endpoint takes no soft tokens, so it read text (vLLM takes them with --enable-prompt-embeds)"
# What a refusal speaks of where it means the soft tokens, and not, say, the length of all.
_ABOUT_PARTS: Final = re.compile(
    r"prompt.?embeds|content|\bparts?\b|\btype\b|message format", re.IGNORECASE
)
_MOST_TRIES: Final = 10  # of one request: what can be replaced or left out, and some


class OpenAIChat:
    """A model behind `/v1/chat/completions`. Safe to call from several threads.

    What the endpoint refuses of a request by its name (a seed, a temperature, `max_tokens`, a schema) is
    replaced or left out, and not sent again.

    Args:
        model: the model's name there.
        base_url: e.g. "http://localhost:8000/v1".
        api_key: default: the variable OPENAI_API_KEY, if set.
        timeout_s: of one attempt.
        retries: after the first attempt, with growing pauses; for lost connections, timeouts, and
            statuses 408, 409, 429 and 5xx.
        concurrency: calls under way at once; more wait their turn.
        reasoning_effort: how long a model that thinks may think, e.g. "low".
        extra_body: added to each request, e.g. {"chat_template_kwargs": {"enable_thinking": False}}.
        headers: sent with each request, e.g. {"OpenAI-Organization": "org-1"}.

    Raises:
        MissingExtra: if the `openai` client is not installed.
        ConfigError: if the key or a header cannot be sent.
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
        reasoning_effort: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._given: Mapping[str, Any] = {
            "base_url": base_url, "api_key": api_key, "timeout_s": timeout_s, "retries": retries,
            "concurrency": concurrency, "reasoning_effort": reasoning_effort, "extra_body": extra_body, "headers": headers,
        }  # fmt: skip
        self._extra = dict(extra_body or {})
        if reasoning_effort is not None:
            self._extra["reasoning_effort"] = reasoning_effort
        # Answers are cached by the name, so it says what else they depend on.
        asked = f" {json.dumps(self._extra, sort_keys=True, default=str)}" if self._extra else ""
        self.name = f"openai:{model}@{base_url}{asked}"
        self._model = model
        self._base_url = base_url
        self._turn = threading.BoundedSemaphore(concurrency)
        self._dialect = Dialect()
        # Whether it reads soft tokens; None: nobody sent any yet
        self.takes_soft: bool | None = None
        self._client = open_client(
            base_url,
            feature=f"the model openai:{model}",
            api_key=api_key,
            timeout_s=timeout_s,
            retries=retries,
            headers=headers,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel to another process, which opens connections of its own."""
        return partial(type(self), self._model, **self._given), ()

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
        """Return the model's answer.

        Raises:
            RequestRefused: if the endpoint refuses the request, or answers with something else.
            ModelUnavailable: if it cannot be asked.
        """
        return self._answered(messages, {}, sampling, schema)

    def chat_with_tools(
        self, messages: Sequence[Message], tools: Sequence[Schema], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Return the model's answer, or the calls that it wants made.

        Raises:
            RequestRefused: if the endpoint refuses the request, as one that takes no tools does.
            ModelUnavailable: if it cannot be asked.
        """
        more = {"tools": [{"type": "function", "function": dict(tool)} for tool in tools]}
        return self._answered(messages, more, sampling, None)

    def _answered(
        self, messages: Sequence[Message], more: Body, sampling: Sampling, schema: Schema | None
    ) -> Reply:
        def ask(body: Body) -> Completion:
            return read_completion(ask_endpoint(self._client, _PATH, body))

        with self._turn:
            started = time.perf_counter()
            found, why = self._asked(ask, messages, sampling, more, schema)
            duration_s = time.perf_counter() - started
        if found.refusal:
            raise RequestRefused(f"{self._model!r} at {self._base_url} refuses: {found.refusal}")
        text, is_stopped = until(found.text, sampling.stop)  # for those that refuse `stop`
        return Reply(
            text=text,
            usage=_usage(found, messages, duration_s),
            model=found.model or self._model,
            finish="stop" if is_stopped else found.finish,
            logprobs=found.logprobs,
            thought=found.thought,
            calls=found.calls,
            unread=why,
        )

    def complete(
        self,
        pieces: Sequence[str | NDArray[np.floating[Any]]],
        *,
        embed: Callable[[str], NDArray[np.floating[Any]]],
        sampling: Sampling = GREEDY,
    ) -> Reply:
        """Return what the model writes after texts and soft tokens in a row, by vLLM's completions (`prompt_embeds`).

        No chat template is applied: the texts hold its marks. All is sent as one matrix of what the first layer reads.
        Where the chat is served, `chat` does without the model's embeddings.

        Args:
            pieces: texts, and soft tokens of shape (tokens, width).
            embed: of the same model: returns what it reads where a text stands, of shape (tokens, width).
            sampling: how the answer is drawn.

        Raises:
            InvalidInput: if something has another shape, or there is nothing to read; nothing is sent then.
            MissingExtra: if PyTorch, in whose format it is sent, is not installed.
            RequestRefused: if the endpoint refuses the request, as one does that takes no soft tokens.
            ModelUnavailable: if it cannot be asked.
        """
        whole = in_a_row(pieces, embed)
        request = {
            **{k: v for k, v in self._request((), sampling).items() if k != "messages"},
            "prompt_embeds": encoded(whole),
        }

        def ask(body: Body) -> Completion:
            answer = ask_endpoint(self._client, _COMPLETIONS, body)
            return read_completion(as_chat(answer))

        with self._turn:
            started = time.perf_counter()
            try:
                found = self._adapting(ask, request, None)
            except RequestRefused as error:
                raise RequestRefused(
                    f"{error}. A prompt of soft tokens needs a vLLM that was started with --enable-prompt-embeds"
                ) from error
            duration_s = time.perf_counter() - started
        text, is_stopped = until(found.text, sampling.stop)
        read, written = found.tokens or (len(whole), estimate_tokens(found.text))
        return Reply(
            text=text,
            usage=Usage(1, read, written, duration_s, is_estimated=found.tokens is None),
            model=found.model or self._model,
            finish="stop" if is_stopped else found.finish,
        )

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator closes the connection."""
        from openai import OpenAIError, Stream

        def begin(body: Body) -> Stream[object]:
            return self._client.post(
                _PATH,
                body={**body, "stream": True},
                cast_to=object,
                stream=True,
                stream_cls=Stream[object],
            )

        with self._turn:
            answer, _ = self._asked(begin, messages, sampling, {}, None)
            with answer as events:
                try:
                    yield from held_back(paired_pieces(_pieces(events)), sampling.stop)
                except OpenAIError as error:
                    raise self._unavailable(error) from error
                except (ValueError, RecursionError) as error:
                    raise self._odd(f"its stream cannot be read: {error}") from error

    def fingerprint(self) -> str:
        """Return a hash of how the endpoint reads and continues a fixed text.

        An endpoint does not show its files. How many tokens the text is read as betrays tokenizer and
        chat template, and which tokens greedy decoding continues with betrays the weights.
        """
        probe = Sampling(max_tokens=_PROBE_TOKENS)
        reply = self.chat([Message("user", _PROBE)], sampling=probe)
        seen = [reply.model, reply.usage.prompt_tokens, reply.text or reply.thought]
        return hashlib.blake2b(json.dumps(seen).encode(), digest_size=16).hexdigest()

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        """Return a request; what any server does unasked is not asked for."""
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [self._said(message) for message in messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
        }
        if sampling.top_p < 1:
            request["top_p"] = sampling.top_p
        if sampling.stop:
            request["stop"] = list(sampling.stop)
        if sampling.seed is not None:
            request["seed"] = sampling.seed
        if sampling.logprobs:
            request["logprobs"] = True
        if sampling.top_logprobs:
            request["top_logprobs"] = sampling.top_logprobs
        return request

    def _said(self, message: Message) -> dict[str, Any]:
        """Return a message as the endpoint takes it: with soft tokens, unless it refused some."""
        said = message.plain()
        if message.parts and self.takes_soft is not False:
            said["content"] = parts_of(message.parts)
        return said

    def _asked(
        self,
        ask: Callable[[Body], T],
        messages: Sequence[Message],
        sampling: Sampling,
        more: Body,
        schema: Schema | None,
    ) -> tuple[T, str]:
        """Ask; where the endpoint takes no soft tokens, ask with the text alone, and say why."""
        has_soft = any(message.parts for message in messages)
        if not has_soft or self.takes_soft is False:
            answer = self._adapting(ask, {**self._request(messages, sampling), **more}, schema)
            return answer, _NO_SOFT if has_soft else ""
        try:
            answer = self._adapting(ask, {**self._request(messages, sampling), **more}, schema)
        except ModelUnavailable as error:
            if getattr(error.__cause__, "status_code", 0) not in _UNSUPPORTED:
                raise
            plain = [replace(message, parts=()) for message in messages]
            answer = self._adapting(ask, {**self._request(plain, sampling), **more}, schema)
            if _ABOUT_PARTS.search(str(error)):
                self.takes_soft = False
            logger.warning("%s takes no soft tokens, so text is sent: %s", self._base_url, error)
            return answer, f"{_NO_SOFT}: {error}"
        self.takes_soft = True
        return answer, ""

    def _adapting(
        self, ask: Callable[[Body], T], request: Mapping[str, Any], schema: Schema | None
    ) -> T:
        """Ask, and ask otherwise where the endpoint says what it does not take. Raises ModelUnavailable."""
        from openai import OpenAIError

        first: OpenAIError | None = None
        for _ in range(_MOST_TRIES):
            body = self._dialect.adapted(request, schema)
            try:
                answer = ask({**body, **self._extra})
            except OddAnswer as error:
                raise self._odd(str(error)) from error
            except OpenAIError as error:
                first = first or error
                if not self._is_learned_from(error, body):
                    self._dialect.forget_format()
                    break
            else:
                if schema is not None:
                    self._dialect.taken()
                return answer
        assert first is not None
        raise self._unavailable(first) from first

    def _is_learned_from(self, error: Exception, sent: Body) -> bool:
        """Return whether an error says what the endpoint takes instead of what was sent."""
        from openai import APIStatusError

        if not isinstance(error, APIStatusError) or error.status_code not in _UNSUPPORTED:
            return False
        return self._dialect.learn(
            sent,
            refusal_of(error),
            param=param_of(error),
            is_form_refused=error.status_code in _WRONG,
        )

    def _odd(self, what: str) -> RequestRefused:
        return RequestRefused(
            f"{self._base_url} gave no answer of {self._model!r}: {what}; check that the URL is that of an "
            "OpenAI-compatible endpoint, its /v1 included, and see the server's log"
        )

    def _unavailable(self, error: Exception) -> ModelUnavailable:
        from openai import (
            APIConnectionError,
            APIStatusError,
            APITimeoutError,
            AuthenticationError,
            NotFoundError,
            RateLimitError,
        )

        told = told_by(error)
        if isinstance(error, APIStatusError) and error.status_code in _REFUSED:
            return RequestRefused(
                f"{self._base_url} refused this request to {self._model!r}: {told}; the model may not "
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
        elif isinstance(error, RateLimitError):
            remedy = "its rate limit or quota is used up; ask again later, or with less concurrency"
        else:
            remedy = "see the server's log"
        return ModelUnavailable(
            f"{self._base_url} gave no answer of {self._model!r}: {told}; {remedy}"
        )

    def _served(self) -> list[str]:
        """Return the names that the endpoint lists, or what stands for not knowing them."""
        from openai import OpenAIError

        try:
            listed = names_of_models(self._client)
        except (OpenAIError, OddAnswer):
            return ["it does not list them"]
        return listed or ["it lists none"]


def _pieces(events: Iterator[object]) -> Iterator[str]:
    """Yield what is said in the events of a stream. Raises OddAnswer if it is none."""
    is_stream = False
    for event in events:
        is_stream = True
        if piece := piece_of(event):
            yield piece
    if not is_stream:
        raise OddAnswer("no event came")


def _usage(found: Completion, messages: Sequence[Message], duration_s: float) -> Usage:
    if found.tokens is not None:
        return Usage(1, *found.tokens, duration_s)
    asked = sum(estimate_tokens(message.content) for message in messages)
    called = "".join(call.name + call.arguments for call in found.calls)
    said = sum(map(estimate_tokens, (found.thought, found.text, called)))
    return Usage(1, asked, said, duration_s, is_estimated=True)
