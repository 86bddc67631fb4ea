"""How fast does a server answer, for how many at once, and what is the cache of beginnings worth with lessons in the prompt?

    agentcl model serve qwen2.5-coder-0.5b -- --dtype bfloat16 --enforce-eager --max-model-len 4096 --max-num-seqs 32
    python benchmarks/serving.py --url URL --model NAME --server "vLLM 0.32 (CPU), bfloat16"

What is asked is what `Student` asks: an action, after its three examples, with five lessons of the probes of `agentcl model tune`.
No two questions are the same. There are two kinds of prompts:

- common: as they are. They begin with the same instructions and examples; situation and lessons differ.
- apart: the same with a number of their own before the first word, so that no beginning was read before.

Each row asks 1, 8 or 32 at once. Told are the time to the first token (median), tokens written a second by all streams together,
prompts answered a second, and the share of the prompts' tokens that the server had read before, where it says so (vLLM does, at
`/metrics`). Others may use the machine meanwhile: compare the rows of one run, and runs only with care.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from parts.results import machine, save, table, with_earlier

from agentcl import Student
from agentcl.agents.probes import following
from agentcl.errors import AgentclError
from agentcl.models import Message, OpenAIChat, Sampling, ScriptedModel

KINDS: Final = ("apart", "common")
STREAMS: Final = (1, 8, 32)
LEAST: Final = 4  # prompts of a row
WRITTEN: Final = Sampling(max_tokens=32)  # a thought and an action end before
_CACHE: Final = re.compile(r"^vllm:prefix_cache_(hits|queries)_total\{.*\} ([\d.e+]+)$", re.M)


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it came: seconds until its first piece, until its last, and how many pieces there were."""

    first_s: float
    whole_s: float
    pieces: int


def main() -> None:
    """Ask, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="of the endpoint")
    parser.add_argument("--model", required=True, help="as the endpoint names it")
    parser.add_argument("--server", required=True, help="in words: which, and in which precision")
    parser.add_argument("--name", default="vllm", help="of the result's file")
    parser.add_argument("--streams", type=int, nargs="+", default=STREAMS)
    asked = parser.parse_args()
    model = OpenAIChat(
        asked.model, base_url=asked.url, timeout_s=1800, concurrency=max(asked.streams)
    )
    numbers = itertools.count()
    rows: dict[str, Any] = {}
    try:
        for kind in KINDS:
            # What all of them begin with is read once before; this also tells how long they are.
            read = model.chat(prompt(next(numbers), kind), sampling=Sampling(max_tokens=1)).usage
            for streams in asked.streams:
                row = measured(model, asked.url, kind, streams, numbers)
                rows[f"{kind}, {streams}"] = {"tokens": read.prompt_tokens, **row}
                show(rows)
    except AgentclError as error:
        sys.exit(f"error: {error}")
    result = {
        "machine": machine("openai"),
        "model": asked.model,
        "server": asked.server,
        "rows": rows,
    }
    name = f"serving-{asked.name}-{asked.model}"
    save(name, with_earlier(name, result, "rows"))


def prompt(number: int, kind: str) -> Sequence[Message]:
    """Return what a student asks in a situation."""
    listener = ScriptedModel(["wait"])
    Student(listener, form="thought").act(following(number, "among four").situation)
    first, *others = listener.asked[0]
    return [
        replace(first, content=f"{number}. {first.content}") if kind == "apart" else first,
        *others,
    ]


def measured(
    model: OpenAIChat, url: str, kind: str, streams: int, numbers: Iterator[int]
) -> dict[str, Any]:
    """Return how prompts of a kind are answered, so many at once."""
    prompts = [prompt(next(numbers), kind) for _ in range(max(streams, LEAST))]
    before, started = cache_of(url), time.perf_counter()
    with ThreadPoolExecutor(streams) as pool:
        answers = list(pool.map(lambda messages: answer(model, messages), prompts))
    took_s = time.perf_counter() - started
    hits, queries = (now - then for now, then in zip(cache_of(url), before, strict=True))
    return {
        "kind": kind,
        "streams": streams,
        "prompts": len(prompts),
        "seconds": took_s,
        "first_s": statistics.median(one.first_s for one in answers),
        "written_per_s": sum(one.pieces for one in answers) / took_s,
        "prompts_per_s": len(prompts) / took_s,
        "cached": hits / queries if queries else None,
    }


def answer(model: OpenAIChat, messages: Sequence[Message]) -> Answered:
    """Return how one answer came; a piece of a stream is a token with the servers measured here."""
    started = time.perf_counter()
    came = [time.perf_counter() - started for _ in model.stream(messages, sampling=WRITTEN)]
    whole_s = time.perf_counter() - started
    return Answered(came[0] if came else whole_s, whole_s, len(came))


def cache_of(url: str) -> tuple[float, float]:
    """Return how many tokens of prompts a server had read before, and of how many; zeros where it does not say."""
    try:
        with urlopen(url.removesuffix("/v1") + "/metrics", timeout=60) as opened:
            told = dict(_CACHE.findall(opened.read().decode()))
    except (URLError, OSError):
        return 0.0, 0.0
    return float(told.get("hits", 0)), float(told.get("queries", 0))


def show(rows: dict[str, Any]) -> None:
    """Print what is known so far."""
    table(
        ["prompts", "at once", "tokens", "first token, s", "written a second", "read before"],
        [
            [
                one["kind"],
                str(one["streams"]),
                str(one["tokens"]),
                f"{one['first_s']:.2f}",
                f"{one['written_per_s']:.1f}",
                "" if one["cached"] is None else f"{one['cached']:.0%}",
            ]
            for one in rows.values()
        ],
    )
    print(flush=True)


if __name__ == "__main__":
    main()
