"""Chat with a model in this process, through transformers."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentcl.errors import MissingExtra, ModelUnavailable
from agentcl.models.base import GREEDY, Message, Reply, Sampling, Schema, TokenLogprob
from agentcl.models.embedded import embedded_prompt
from agentcl.models.gguf import load
from agentcl.models.stopping import held_back, until
from agentcl.store.usage import Usage
from agentcl.text.bars import without_bars

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

_WAIT_S: Final = 600.0  # for the next piece of a stream


class LocalChat:
    """A causal language model and its tokenizer, from a folder or by name.

    One call runs at a time; the model is loaded by the first one. A schema is not enforced: say it in
    the prompt, and use `ask_object`, which checks. Soft tokens of messages (`Message.parts`) are read where they stand.

    Args:
        source: a folder with weights and a tokenizer that has a chat template, a GGUF file, which is unpacked in
            memory, or a name that transformers finds.
        device: "cpu", "cuda" ...; default: cuda where there is one.
        name: what it is called; default: after its source.

    Raises:
        MissingExtra: if transformers is not installed.
    """

    def __init__(self, source: str, *, device: str | None = None, name: str | None = None) -> None:
        if find_spec("transformers") is None or find_spec("torch") is None:
            raise MissingExtra(f"the model {source!r}", "local")
        self.name = name or f"local:{source}"
        self._source = source
        self._device = device
        self._lock = threading.RLock()
        self._loaded: tuple[Any, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it travel to another process, which loads the model where it computes."""
        return partial(type(self), self._source, device=self._device, name=self.name), ()

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: Sampling = GREEDY,
        schema: Schema | None = None,
    ) -> Reply:
        """Return the model's answer.

        Raises:
            ModelUnavailable: if it cannot be loaded.
            InvalidInput: if soft tokens have another shape than the model reads, or hold what is no number.
            RequestRefused: if the chat template leaves soft tokens out.
        """
        import torch

        with self._lock:
            model, tokenizer = self._load()
            prompt = self._encode(messages)
            started = time.perf_counter()
            with _seeded(sampling.seed), torch.inference_mode():
                output = model.generate(
                    **prompt,
                    **_options(sampling, tokenizer),
                    return_dict_in_generate=True,
                    output_logits=sampling.logprobs,
                )
            duration_s = time.perf_counter() - started
        new = output.sequences[0, prompt["input_ids"].shape[1] :]
        text, is_stopped = until(tokenizer.decode(new, skip_special_tokens=True), sampling.stop)
        is_ended = is_stopped or int(new[-1]) in _ends(model)
        return Reply(
            text=text,
            usage=Usage(1, int(prompt["input_ids"].shape[1]), len(new), duration_s),
            model=self._source,
            finish="stop" if is_ended else "length",
            logprobs=_logprobs(output.logits, new, tokenizer, sampling.top_logprobs)
            if sampling.logprobs
            else None,
        )

    def stream(self, messages: Sequence[Message], *, sampling: Sampling = GREEDY) -> Iterator[str]:
        """Yield the answer piece by piece; closing the iterator stops the model."""
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        cancelled = threading.Event()

        class Cancelled(StoppingCriteria):
            def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
                return torch.full((len(input_ids),), cancelled.is_set(), device=input_ids.device)

        with self._lock:
            model, tokenizer = self._load()
            pieces: Any = TextIteratorStreamer(
                tokenizer, skip_prompt=True, timeout=_WAIT_S, skip_special_tokens=True
            )
            options = {
                **self._encode(messages),
                **_options(sampling, tokenizer),
                "streamer": pieces,
                "stopping_criteria": StoppingCriteriaList([Cancelled()]),
            }

            def run() -> None:
                try:
                    with _seeded(sampling.seed), torch.inference_mode():
                        model.generate(**options)
                finally:
                    pieces.end()  # else a reader would wait for what never comes

            with ThreadPoolExecutor(1, thread_name_prefix="agentcl-generate") as worker:
                running = worker.submit(run)
                try:
                    yield from held_back(pieces, sampling.stop)
                finally:
                    cancelled.set()
                running.result()  # raises what went wrong there

    def fingerprint(self) -> str:
        """Return a hash of the weights in memory, the vocabulary and the chat template."""
        import torch

        with self._lock:
            model, tokenizer = self._load()
            digest = hashlib.blake2b(digest_size=16)
            for name, tensor in sorted(model.state_dict().items()):
                digest.update(name.encode())
                digest.update(
                    tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
                )
            about = [sorted(tokenizer.get_vocab().items()), tokenizer.chat_template]
            digest.update(json.dumps(about).encode())
            return digest.hexdigest()

    def embeddings(self, text: str) -> NDArray[np.float32]:
        """Return what the model reads where a text stands, (tokens, width). Raises ModelUnavailable."""
        import torch

        with self._lock, torch.inference_mode():
            model, tokenizer = self._load()
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            rows = model.get_input_embeddings()(ids.to(model.device).long())[0]
            found: NDArray[np.float32] = rows.float().cpu().numpy()
        return found

    def opened(self) -> tuple[Any, Any]:
        """Return the model and its tokenizer, loaded. Raises ModelUnavailable."""
        with self._lock:
            return self._load()

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch

            device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
            model, tokenizer = _loaded(self._source)
            if tokenizer.chat_template is None:
                raise ModelUnavailable(
                    f"the tokenizer of {self._source!r} has no chat template, so it cannot be spoken "
                    "to; use a model that was trained for chat"
                )
            self._loaded = (model.to(device).eval(), tokenizer)
        return self._loaded

    def _encode(self, messages: Sequence[Message]) -> dict[str, Any]:
        model, tokenizer = self._load()
        if any(message.parts for message in messages):
            return embedded_prompt(model, tokenizer, messages)
        turns = [{"role": message.role, "content": message.content} for message in messages]
        encoded = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        return {name: encoded[name].to(model.device) for name in ("input_ids", "attention_mask")}


def _loaded(source: str) -> tuple[Any, Any]:
    if source.endswith(".gguf"):
        return load(Path(source), "bfloat16")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    is_here = Path(source).is_dir()
    try:
        # What is fetched shows its progress; what lies here is loaded at once.
        with without_bars() if is_here else nullcontext():
            tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(
                source, dtype="auto", trust_remote_code=False
            )
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"cannot load the model {source!r}: {error}") from error
    return model, tokenizer


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draw from a seed of one's own, and leave the process's generator as it was."""
    import torch

    with torch.random.fork_rng():
        if seed is None:
            torch.seed()
        else:
            torch.manual_seed(seed)
        yield


def _options(sampling: Sampling, tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401  # transformers'
    options: dict[str, Any] = {
        "max_new_tokens": sampling.max_tokens,
        "do_sample": sampling.temperature > 0,
        "temperature": sampling.temperature if sampling.temperature > 0 else None,
        "top_p": sampling.top_p if sampling.temperature > 0 else None,
        "top_k": 0 if sampling.temperature > 0 else None,
        "pad_token_id": tokenizer.eos_token_id
        if tokenizer.pad_token_id is None
        else tokenizer.pad_token_id,
    }
    if sampling.stop:
        options["stop_strings"] = list(sampling.stop)
        options["tokenizer"] = tokenizer
    return options


def _ends(model: Any) -> set[int]:  # noqa: ANN401  # transformers'
    ends = model.generation_config.eos_token_id
    if ends is None:
        return set()
    return set(ends) if isinstance(ends, list) else {ends}


def _logprobs(
    logits: Sequence[Tensor],
    new: Tensor,
    tokenizer: Any,  # noqa: ANN401  # transformers'
    others: int,
) -> tuple[TokenLogprob, ...]:
    found = []
    for step, token in zip(logits, new, strict=True):
        scores = step[0].float().log_softmax(-1)
        likeliest = [
            (tokenizer.decode([int(place)]), float(score))
            for score, place in zip(*scores.topk(others), strict=True)
        ]
        found.append(
            TokenLogprob(
                tokenizer.decode([int(token)]), float(scores[int(token)]), tuple(likeliest)
            )
        )
    return tuple(found)
