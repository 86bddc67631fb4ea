"""The reference model as a `ChatModel` that needs numpy and nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agentcl.errors import InvalidInput, ModelUnavailable, RequestRefused
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema, TokenLogprob
from agentcl.models.reference.byte_pairs import BytePairs
from agentcl.models.reference.inference import PromptReading, Weights, read_tensors
from agentcl.models.stopping import held_back, until
from agentcl.store.usage import Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentcl.models.reference.inference import Floats, Token

# It was trained on 512 tokens and is told to read 1,024. More is read, ever worse; this is where it would only
# cost memory.
_LONGEST: Final = 8_192
_KEPT: Final = 2_048  # a longer one would hold much memory for what comes seldom


@dataclass(frozen=True, slots=True)
class _Token:
    id: int
    logprob: float


class ReferenceChat:
    """The reference model, or another checkpoint that `training.train` made, in this process.

    One call runs at a time. A schema is not enforced: say it in the prompt, and use `ask_object`, which checks.

    Args:
        folder: with weights and tokenizer.
        name: what it is called.

    Raises:
        ModelUnavailable: if the folder holds no such checkpoint.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._folder = folder
        try:
            self._weights, self._tokenizer = Weights(folder), BytePairs(folder)
            self._reading = PromptReading(self._weights)  # the last prompt's; it may begin the next
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"{folder} holds no checkpoint of the reference model: {error}; `LocalChat` opens others"
            ) from error

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer.

        Raises:
            RequestRefused: if the conversation is longer than 8,192 tokens.
        """
        return self.complete(_templated(messages), sampling=sampling)

    def complete(
        self, pieces: Sequence[str | NDArray[np.floating[Any]]], *, sampling: Sampling = GREEDY
    ) -> Reply:
        """Return what the model writes after texts and soft tokens in a row.

        Args:
            pieces: texts, in which marks like `<|user|>` are read as such, and soft tokens (tokens, width), which
                are read in place of the embeddings of text.
            sampling: how the answer is drawn.

        Raises:
            InvalidInput: if soft tokens have another shape, or hold what is no number.
            RequestRefused: if all of it is longer than 8,192 tokens.
        """
        prompt = self._prompt(pieces)
        written: list[_Token] = []
        text, is_stopped = "", False
        started = time.perf_counter()
        with self._lock:
            for token in self._tokens(prompt, sampling):
                written.append(token)
                text = self._tokenizer.decode(one.id for one in written)
                text, is_stopped = until(text, sampling.stop)
                if is_stopped:
                    break
        is_ended = is_stopped or (bool(written) and written[-1].id == self._weights.end)
        return Reply(
            text=text,
            usage=Usage(1, len(prompt), len(written), time.perf_counter() - started),
            model=self.name,
            finish="stop" if is_ended else "length",
            logprobs=self._logprobs(written) if sampling.logprobs else None,
        )

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator stops the model."""
        prompt = self._prompt(_templated(messages))
        with self._lock:
            yield from held_back(self._pieces(prompt, sampling), sampling.stop)

    def fingerprint(self) -> str:
        """Return a hash of weights, vocabulary and chat template; the one that transformers' copy has."""
        return fingerprint_of(self._folder)

    def embeddings(self, text: str) -> Floats:
        """Return what the model reads where a text stands, (tokens, width)."""
        return self._weights.embed(self._tokenizer.encode(text))

    def _prompt(self, pieces: Sequence[str | NDArray[np.floating[Any]]]) -> list[Token]:
        prompt: list[Token] = []
        for piece in pieces:
            prompt += self._tokenizer.encode(piece) if isinstance(piece, str) else self._soft(piece)
        if len(prompt) > _LONGEST:
            raise RequestRefused(
                f"{self.name} was asked with {len(prompt):,} tokens; it was made for 1,024 and reads "
                f"{_LONGEST:,} at the most. Ask it with less"
            )
        return prompt

    def _soft(self, vectors: NDArray[np.floating[Any]]) -> list[Token]:
        width = self._weights.embedding.shape[1]
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise InvalidInput(
                f"soft tokens of {self.name} have the shape (tokens, {width}), and these {vectors.shape}: "
                "encode the passage with a codec of this model"
            )
        if not np.isfinite(vectors).all():
            raise InvalidInput("soft tokens hold what is no number: encode the passage again")
        return [row.tobytes() for row in np.ascontiguousarray(vectors, np.float32)]

    def _tokens(self, prompt: Sequence[Token], sampling: Sampling) -> Iterator[_Token]:
        """Yield what the model writes, the token that ends it included."""
        rng = np.random.default_rng(sampling.seed)
        if self._reading.length > _KEPT:
            self._reading = PromptReading(self._weights)
        reading = self._reading
        logits = reading.begin(prompt)
        for _ in range(sampling.max_tokens):
            chosen = _drawn(logits, sampling, rng)
            yield _Token(chosen, float(logits[chosen] - _log_sum(logits)))
            if chosen == self._weights.end:
                return
            logits = reading.read([chosen])

    def _pieces(self, prompt: Sequence[Token], sampling: Sampling) -> Iterator[str]:
        """Yield what the model writes as text, whole characters only."""
        written: list[int] = []
        text, told = "", 0
        for token in self._tokens(prompt, sampling):
            written.append(token.id)
            text = self._tokenizer.decode(written)
            whole = len(text.rstrip("\ufffd"))  # half of a character may have been written so far
            if whole > told:
                yield text[told:whole]
                told = whole
        if len(text) > told:
            yield text[told:]

    def _logprobs(self, written: Sequence[_Token]) -> tuple[TokenLogprob, ...]:
        names = {id: text for text, id in self._tokenizer.special.items()}
        return tuple(
            TokenLogprob(names.get(one.id) or self._tokenizer.decode([one.id]), one.logprob)
            for one in written
        )


def fingerprint_of(folder: Path) -> str:
    """Return the fingerprint of a checkpoint without opening it for use.

    Raises:
        OSError: if a file is missing.
        ValueError: if one is damaged.
    """
    digest = hashlib.blake2b(digest_size=16)
    tensors = read_tensors(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]  # they are tied
    for name, (data, _) in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(data)
    template = (folder / "chat_template.jinja").read_text("utf-8")
    about = [sorted(BytePairs(folder).vocabulary.items()), template]
    digest.update(json.dumps(about).encode())
    return digest.hexdigest()


def _templated(messages: Sequence[Message]) -> list[str | NDArray[np.floating[Any]]]:
    """Return a conversation as the model reads it: texts, and soft tokens where messages have some."""
    text = ""
    pieces: list[str | NDArray[np.floating[Any]]] = []
    for message in messages:
        text += f"<|{message.role}|>"
        for part in message.parts or (message.content,):
            if isinstance(part, str):
                text += part  # joined, so that it is cut into tokens as the whole text would be
            else:
                pieces += [text, part]
                text = ""
        text += "<|end|>"
    return [*pieces, f"{text}<|assistant|>"]


def _drawn(logits: Floats, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return the next token: the likeliest, or one drawn from the likeliest that hold `top_p` together."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    scaled = logits.astype(np.float64) / sampling.temperature
    shares = np.exp(scaled - _log_sum(scaled))
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    kept = order[before < sampling.top_p]
    return int(rng.choice(kept, p=shares[kept] / shares[kept].sum()))


def _log_sum(logits: NDArray[np.floating[Any]]) -> float:
    most = float(logits.max())
    return most + float(np.log(np.exp(logits.astype(np.float64) - most).sum()))
