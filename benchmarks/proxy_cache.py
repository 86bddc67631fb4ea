"""Does a model's server go on finding a conversation in its cache when a memory writes into the prompt?

    VLLM_PYTHON=.venv/vllm/bin/python python benchmarks/proxy_cache.py --model smollm2-135m

A real vLLM with prefix caching stands behind `agentcl serve`. A user asks 20 questions in one conversation; each answer is written by
the model and sent back with the next question, as chat programs do. The memory holds 300 sentences, of which each question needs others;
with --long they are passages of some 120 tokens, so that the block's budget is spent sooner.
Three ways are compared, each with a system's prompt of its own, so that none finds the other's beginnings:

- off: no memory.
- on: the proxy's block, which stays where it was put.
- rewritten: the naive way. A block in front of the last question, searched anew for each, and gone from the history.

Told is the share of the prompts' tokens that vLLM found in its cache, over all 20 turns and over the last 10, and the tokens it had
to read. vLLM caches whole blocks of tokens; their size is told, too.

    python benchmarks/proxy_cache.py --model smollm2-135m --counted

needs no vLLM. Behind the same proxy the tokens of each prompt are counted by the model's own template and tokenizer, and blocks are kept
as vLLM keeps them as long as it has room: whole ones, each known by all that stands before it. Answers are made up, and alike in all
ways. Nothing is written.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import httpx
from parts.results import machine, save, table
from proxy import running

from agentcl import Memory
from agentcl.models import Message, ScriptedModel, VllmServer, kept_model, unpacked
from agentcl.models.vllm import SMALL_ENVIRONMENT
from agentcl.server.endpoint import listening

TURNS: Final = 20
BLOCK: Final = 128  # tokens, as vLLM has them on the CPU
BUDGET: Final = 800  # tokens of a block, the proxy's default
_CACHE: Final = re.compile(r"^vllm:prefix_cache_(hits|queries)_total\{.*\} ([\d.e+]+)$", re.M)
_BLOCK: Final = re.compile(r'block_size="(\d+)"')
ISLANDS: Final = ("Tessary", "Brannoch", "Ulva", "Corra", "Skerry")
INSIDE: Final = [
    "desk",
    "lamp",
    "stove",
    "chair",
    "rope",
    "bell",
    "map",
    "shelf",
    "stool",
    "clock",
    "carpet",
    "mirror",
    "ladder",
    "bench",
]
THINGS: Final = ("ferry", "bakery", "harbour master", "library", "doctor", "cinema")


def main() -> None:
    """Talk, show and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2-135m", help="kept by benchmarks/models.py")
    parser.add_argument("--long", action="store_true", help="passages of some 120 tokens")
    parser.add_argument("--context", type=int, default=8192, help="tokens that the server reads")
    parser.add_argument(
        "--counted", action="store_true", help="count the blocks here, without vLLM"
    )
    asked = parser.parse_args()
    kept = kept_model(asked.model)
    if kept is None:
        sys.exit(f"{asked.model} is not kept here; python benchmarks/models.py {asked.model}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = str(unpacked(kept))
        if asked.counted:
            counting = Counting(model)
            url = stack.enter_context(listening(ScriptedModel(counting.answer), kept.name))
            counts: Callable[[], tuple[int, int]] = counting.counts
            size: int | None = BLOCK
        else:
            url = stack.enter_context(vllm(model, kept.name, asked.context)).url
            metrics = url.removesuffix("/v1") + "/metrics"
            counts, size = partial(cache, metrics), block_size(metrics)
        memory = stack.enter_context(Memory(folder / "memory", encoder="hashing"))
        memory.add_many(list(sentences(is_long=asked.long)))
        proxy = stack.enter_context(proxied(folder / "memory", url))
        ways: dict[str, Callable[[list[Any]], tuple[list[Any], dict[str, str]]]] = {
            "off": lambda talk: (talk, {"x-agentcl-memory": "off"}),
            "on": lambda talk: (talk, {}),
            "rewritten": lambda talk: (rewritten(memory, talk), {"x-agentcl-memory": "off"}),
        }
        rows = {
            name: conversation(name, way, proxy, kept.name, counts) for name, way in ways.items()
        }
    result = {
        "model": asked.model,
        "turns": TURNS,
        "block_of_tokens": size,
        "machine": machine("httpx"),
        "ways": rows,
    }
    show(rows)
    if not asked.counted:
        save("proxy_cache_long" if asked.long else "proxy_cache", result)


class Counting:
    """What a server with vLLM's prefix cache, and room for all, would find there.

    Args:
        folder: of the model, whose template and tokenizer are used.
    """

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._kept: set[tuple[int, ...]] = set()  # beginnings of prompts that end with a block
        self._hits = self._asked = 0

    def answer(self, messages: Sequence[Message]) -> str:
        """Count what a prompt shares with earlier ones, and keep its blocks."""
        said = [{"role": one.role, "content": one.content} for one in messages]
        text = self._tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
        turn = len(said) // 2
        answer = f"It opens at {turn % 12 + 6}:{turn * 7 % 60:02} and is called number {turn * 13}. Is there more you want to know?"
        tokens, written = self._tokens(text), self._tokens(text + answer)
        # The last token is read in any case: the answer follows from it.
        found = (one in self._kept for one in _whole(tokens[:-1]))
        self._hits += BLOCK * sum(1 for _ in takewhile(bool, found))
        self._asked += len(tokens)
        self._kept.update(_whole(written))  # what is written is kept, too
        return answer

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return found

    def counts(self) -> tuple[int, int]:
        """Return how many tokens of prompts were found, and how many were asked."""
        return self._hits, self._asked


def _whole(tokens: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the beginnings of a text that end with a block."""
    return [tuple(tokens[:end]) for end in range(BLOCK, len(tokens) + 1, BLOCK)]


def vllm(folder: str, name: str, context: int) -> VllmServer:
    """Return a server of a model with prefix caching."""
    return VllmServer(
        folder,
        served_name=name,
        python=os.environ.get("VLLM_PYTHON", ""),
        arguments=("--dtype", "bfloat16", "--enforce-eager", "--max-model-len", str(context)),
        environment={**SMALL_ENVIRONMENT, "HF_HUB_OFFLINE": "1"},
    )


def block_size(metrics: str) -> int | None:
    """Return how many tokens a block of the server's cache has."""
    found = _BLOCK.search(urlopen(metrics).read().decode())
    return int(found[1]) if found else None


def sentences(*, is_long: bool) -> Iterator[str]:
    """Yield 300 sentences that questions need; long ones say more."""
    drawn = random.Random(1)
    for number in range(300):
        island, thing = ISLANDS[number % 5], THINGS[number // 5 % 6]
        yield (
            f"On {island} the {thing} of street {number // 30} opens at {number % 12 + 6}:{number % 60:02} "
            f"and is called number {number}."
            + (" Inside: " + ", ".join(drawn.choices(INSIDE, k=40)) + "." if is_long else "")
        )


def questions() -> Iterator[str]:
    """Yield what is asked."""
    for number in range(TURNS):
        island, thing = ISLANDS[number * 3 % 5], THINGS[number % 6]
        yield f"When does the {thing} of street {number % 10} on {island} open, and what is it called?"


@contextmanager
def proxied(folder: Path, upstream: str) -> Iterator[str]:
    """Yield the address of a proxy."""
    command = [
        sys.executable,
        "-c",
        "from agentcl.cli.main import main; main()",
        "serve",
        "--port",
        "0",
    ]
    options = ["--upstream", upstream, "--path", str(folder), "--encoder", "hashing"]
    with running([*command, *options]) as (_, address):
        yield address


def rewritten(memory: Memory, talk: list[Any]) -> list[Any]:
    """Return a conversation as the naive way sends it."""
    *before, last = talk
    block = memory.search(last["content"], limit=12).prompt(budget_tokens=BUDGET)
    return [*before, {"role": "user", "content": f"{block}\n{last['content']}"}]


def conversation(
    name: str,
    way: Callable[[list[Any]], tuple[list[Any], dict[str, str]]],
    proxy: str,
    model: str,
    told: Callable[[], tuple[int, int]],
) -> dict[str, Any]:
    """Talk in one way; return what the server found in its cache."""
    talk: list[Any] = [
        {
            "role": "system",
            "content": f"Way {name}. You are a guide to five islands. Answer in one short sentence.",
        }
    ]
    counts = [told()]
    with httpx.Client(base_url=proxy, timeout=1_800) as client:
        for question in questions():
            talk.append({"role": "user", "content": question})
            sent, headers = way(talk)
            body = {
                "model": model, "messages": sent, "max_tokens": 24, "temperature": 0,
                "user": "ada", "x-agentcl-session": name,
            }  # fmt: skip
            answer = client.post("/v1/chat/completions", json=body, headers=headers)
            answer.raise_for_status()
            talk.append(
                {"role": "assistant", "content": answer.json()["choices"][0]["message"]["content"]}
            )
            counts.append(told())
            print(f"{name}: turn {len(counts) - 1}", flush=True)
    half = counts[TURNS // 2]
    queries = counts[-1][1] - counts[0][1]
    return {
        "prompt_tokens": queries,
        "share": share(counts[0], counts[-1]),
        "share_of_last_half": share(half, counts[-1]),
        "read_tokens": queries - (counts[-1][0] - counts[0][0]),
    }


def cache(metrics: str) -> tuple[int, int]:
    """Return how many tokens of prompts the server found in its cache, and how many it was asked."""
    found = dict(_CACHE.findall(urlopen(metrics).read().decode()))
    return int(float(found.get("hits", 0))), int(float(found.get("queries", 0)))


def share(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return the share of tokens that were found between two counts."""
    return round((after[0] - before[0]) / max(1, after[1] - before[1]), 4)


def show(rows: dict[str, Any]) -> None:
    """Print the ways beside each other."""
    off = rows["off"]["share"]
    table(
        ["memory", "prompt tokens", "found in the cache", "of the last 10 turns", "had to be read", "of that without memory"],
        [
            [name, f"{row['prompt_tokens']:,}", f"{100 * row['share']:.1f} %", f"{100 * row['share_of_last_half']:.1f} %",
             f"{row['read_tokens']:,}", f"{100 * row['share'] / off:.1f} %" if off else "-"]
            for name, row in rows.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
