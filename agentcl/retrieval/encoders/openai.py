"""Encoders behind an OpenAI-compatible `/v1/embeddings`: vLLM, llama.cpp, hosted services."""

from __future__ import annotations

import base64
import re
import sys
import threading
from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any, Final

from agentcl.errors import EncoderUnavailable, InvalidInput
from agentcl.retrieval.encoders.base import Role
from agentcl.retrieval.encoders.naming import openai_name
from agentcl.store.vectors import pack
from agentcl.text.endpoint import OddAnswer, ask_endpoint, open_client, refusal_of, told_by

_BATCH: Final = 64
_TOO_MUCH: Final = (400, 413, 422)  # how servers refuse more texts at once than they take
_TOO_LONG: Final = re.compile(r"too (large|long)|context|token|length|exceed", re.IGNORECASE)
_BUSY: Final = (408, 409, 429)  # what the client tries again, beside 5xx and lost connections
_DOWN_S: Final = 10.0  # how long no question is sent to one that did not answer
_PROBE: Final = "dimension"  # a fixed text: its vector tells the length, and one model from another


class OpenAIEncoder:
    """Asks an endpoint for vectors; the client retries with back-off.

    An endpoint that takes fewer texts at once is found out, and asked with as many as it takes. One that did
    not answer is asked no question for some seconds: who searches meanwhile does not wait for it.

    Args:
        model: the model's name there.
        base_url: e.g. "http://localhost:8000/v1".
        api_key: default: the variable OPENAI_API_KEY, if set.
        dim: the length of its vectors; asked once when not given.
        timeout_s: of one request.
        retries: after the first attempt.
        batch: texts in one request, at the most.
        query_prefix: put before each query, as some models want it, e.g. "query: ".
        passage_prefix: likewise before each passage.
        headers: sent with each request.

    Raises:
        MissingExtra: if the `openai` client is not installed.
        ConfigError: if the key or a header cannot be sent.
    """

    is_lexical = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        dim: int | None = None,
        timeout_s: float = 60.0,
        retries: int = 3,
        batch: int = _BATCH,
        query_prefix: str = "",
        passage_prefix: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if batch < 1:
            raise InvalidInput(f"batch must be at least 1, and is {batch}")
        self._given: Mapping[str, Any] = {
            "base_url": base_url, "api_key": api_key, "dim": dim, "timeout_s": timeout_s, "retries": retries,
            "batch": batch, "query_prefix": query_prefix, "passage_prefix": passage_prefix, "headers": headers,
        }  # fmt: skip
        prefixes = {"query_prefix": query_prefix, "passage_prefix": passage_prefix}
        self.name = openai_name(model, prefixes)
        self.named = self.name.replace(f"openai:{model}", f"openai:{model}@{base_url}", 1)
        self.probe: bytes | None = None
        self._prefixes: Mapping[Role, str] = {"query": query_prefix, "passage": passage_prefix}
        self._model = model
        self._base_url = base_url
        self._dim = dim
        self._batch = batch
        self._form = {"encoding_format": "float"}
        # When it last did not answer, and what was said
        self._failure: tuple[float, str] | None = None
        self._lock = threading.Lock()
        self._client = open_client(
            base_url,
            feature=f"the encoder openai:{model}",
            api_key=api_key,
            timeout_s=timeout_s,
            retries=retries,
            headers=headers,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel to another process, which opens connections of its own."""
        return partial(type(self), self._model, **self._given), ()

    @property
    def dim(self) -> int:
        """The length of its vectors. Raises EncoderUnavailable when it must ask and cannot."""
        return self._length("passage")

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return one vector for each text.

        Raises:
            EncoderUnavailable: if the endpoint fails, or answers with something else than asked; for queries
                also if it failed just now.
        """
        dim = self._length(role)
        if role == "query":
            self._check_up()
        asked = [f"{self._prefixes[role]}{text}" for text in texts]
        packed: list[bytes] = []
        size = self._batch
        while len(packed) < len(asked):
            some = asked[len(packed) : len(packed) + size]
            try:
                packed += self._ask(some, dim=dim)
            except _TooMany as refused:
                size = refused.most
            else:
                self._batch = min(self._batch, size)
        return packed

    def _length(self, role: Role) -> int:
        with self._lock:
            if self._dim is None:
                if role == "query":
                    self._check_up()
                (self.probe,) = self._ask([_PROBE])
                self._dim = len(self.probe) // 4
            return self._dim

    def _check_up(self) -> None:
        """Ask nothing of an endpoint that did not answer just now. Raises EncoderUnavailable."""
        if self._failure is None:
            return
        at, said = self._failure
        left = at + _DOWN_S - monotonic()
        if left > 0:
            raise EncoderUnavailable(
                f"{said} (so it was {_DOWN_S - left:.0f} s ago; the next question in {left:.0f} s asks it again)"
            )

    def _ask(self, texts: Sequence[str], *, dim: int | None = None) -> list[bytes]:
        """Return the vectors of some texts. Raises _TooMany if fewer should be asked for at once."""
        from openai import APIStatusError, OpenAIError

        body = {"model": self._model, "input": list(texts), **self._form}
        try:
            found = _vectors(ask_endpoint(self._client, "/embeddings", body), len(texts), dim)
        except OddAnswer as error:
            raise EncoderUnavailable(
                f"{self._base_url} gave no embeddings of {self._model!r}: {error}; nothing was stored"
            ) from error
        except OpenAIError as error:
            status = error.status_code if isinstance(error, APIStatusError) else 0
            said = refusal_of(error) if isinstance(error, APIStatusError) else ""
            is_long = bool(_TOO_LONG.search(said))  # llama.cpp says so with status 500
            is_refused = status in _TOO_MUCH or (status == 500 and is_long)
            if is_refused and self._form and "encoding_format" in said:
                self._form = {}
                return self._ask(texts, dim=dim)
            if is_refused and len(texts) > 1:
                raise _TooMany(_most(said, len(texts))) from error
            advice = f"The text has {len(texts[0]):,} characters: store shorter passages (`passage_limit`)"
            if not (is_refused and is_long):
                advice = "Check that the server runs, serves this model for embeddings, and that OPENAI_API_KEY fits"
            said = f"{self._base_url} gave no embeddings of {self._model!r}: {told_by(error)}. {advice}; nothing was stored"
            if not is_refused and (status == 0 or status in _BUSY or status >= 500):
                self._failure = (monotonic(), said)
            raise EncoderUnavailable(said) from error
        self._failure = None
        return found


class _TooMany(Exception):  # a finding, not a failure
    """An endpoint refused so many texts at once."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most  # to try next


def _most(refusal: str, asked: int) -> int:
    """Return how many texts to ask for next: as many as the refusal allows, or half of them."""
    named = [int(number) for number in re.findall(r"\b\d{1,4}\b", refusal)]
    return max((number for number in named if 0 < number < asked), default=asked // 2)


def _vectors(answer: Mapping[str, Any], count: int, dim: int | None) -> list[bytes]:
    """Return the packed vectors of an answer, in the order of the texts. Raises OddAnswer."""
    found = answer.get("data")
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    if len(rows) != count:
        raise OddAnswer(f"it returned {len(rows)} embeddings for {count} texts")
    places = [row.get("index") for row in rows]
    if sorted(place for place in places if isinstance(place, int)) == list(range(count)):
        rows.sort(key=lambda row: int(row["index"]))  # else they stand in the order of the texts
    try:
        return [pack(_numbers(row.get("embedding")), dim=dim) for row in rows]
    except (InvalidInput, TypeError, ValueError) as error:
        raise OddAnswer(f"it returned what is no vector: {error}") from error


def _numbers(embedding: object) -> Sequence[float]:
    """Return the numbers of an embedding: a list, or float32 in base64, which some send unasked."""
    if isinstance(embedding, list):
        return embedding
    if not isinstance(embedding, str):
        raise TypeError(f"{embedding!r} in place of numbers")
    numbers = array("f", base64.b64decode(embedding, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
