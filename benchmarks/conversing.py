"""What conversations cost: to remember a message, to put a context together, and whether anything leaks or is lost.

    python benchmarks/conversing.py [--turns 10000] [--runs 2000]

Vectors are drawn by the text's hash, so that nothing is encoded and only agentcl's own work is timed, in milliseconds of
the processor: the machine may be busy. *Remember* takes a pair of messages, *context* a question over all turns of one
user. The share of the last prompt is that of the characters at the head of each prompt which are those of the one
before: of all that is sent, the context, the messages and the new question. *Leaks* are words of one user in what
another is shown, while all write and ask at once. The fuzz lets digesters answer with garbage, with nothing, with
what does not belong there, or die in the middle.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from agentcl import ANY, AsyncMemory, Memory
from agentcl.envs.questions.holding import holding_histories
from agentcl.retrieval.encoders import Role
from agentcl.text import estimate_tokens

DIM: Final = 384
TURNS: Final = 20
USERS: Final = 20
BUDGET: Final = 800


class ByHash:
    """Vectors that are drawn by the text's hash; alike texts are not alike."""

    name = "by-hash"
    dim = DIM
    is_lexical = False

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        """Return the vectors of texts."""
        return [_vector(text) for text in texts]


def _vector(text: str) -> bytes:
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    drawn = np.random.Generator(np.random.SFC64(seed)).standard_normal(DIM, dtype=np.float32)
    return (drawn / np.linalg.norm(drawn)).astype("<f4").tobytes()


def messages_of(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Return so many messages of made-up people, one history after another."""
    found: list[dict[str, str]] = []
    people = 0
    while len(found) < count:
        people += 50
        histories = holding_histories(people, seed=seed)
        found = [
            {"role": turn.role, "content": turn.content} for one in histories for turn in one.turns
        ]
    return [
        {**one, "content": f"{one['content']} ({number})"}
        for number, one in enumerate(found[:count])
    ]


def costs(folder: Path, turns: int) -> dict[str, Any]:
    """Time `remember` and `context` while a user's turns grow to so many, in sessions of 50."""
    messages = messages_of(turns)
    questions = [q.q for one in holding_histories(10, seed=1) for q in one.questions][:100]
    remembered: list[float] = []
    with Memory(folder, encoder=ByHash()) as memory:
        for start in range(0, turns, 2):
            pair = messages[start : start + 2]
            began = time.process_time()
            memory.remember(pair, user="ada", session=f"s{start // 50}")
            remembered.append((time.process_time() - began) * 1e3)
        found: dict[str, Any] = {"turns": turns, "remember_ms": _quantiles(remembered[-500:])}
        if hasattr(memory, "context"):
            asked = []
            for number, question in enumerate(questions):
                message = [{"role": "user", "content": question}]
                began = time.process_time()
                memory.context(message, budget_tokens=BUDGET, user="ada", session=f"asked {number}")
                asked.append((time.process_time() - began) * 1e3)
            found["context_ms"] = _quantiles(asked[5:])  # some load or compile when first asked
        else:
            asked = []
            for question in questions:
                began = time.process_time()
                memory.search(question, user="ada", session=ANY, limit=8).prompt(
                    budget_tokens=BUDGET
                )
                asked.append((time.process_time() - began) * 1e3)
            found["search_ms"] = _quantiles(asked[5:])
    return found


def _quantiles(took: Sequence[float]) -> dict[str, float]:
    return {"p50": statistics.median(took), "p95": float(np.percentile(took, 95)), "n": len(took)}


def heads(folder: Path, *, people: int = 10) -> dict[str, Any]:
    """Return which share of each prompt over a session is, byte for byte, the head of the one before.

    A prompt is what a chat program sends: the context, then the messages so far. What is new stands at its end.
    """
    shares: list[float] = []
    reported: list[float] = []
    with Memory(folder, encoder=ByHash()) as memory:
        for history in holding_histories(people, seed=2):
            for session in history.sessions[:-1]:
                said = [{"role": t.role, "content": t.content} for t in session.turns]
                memory.remember(said, user=history.id, session=session.id)
            asked = [q.q for q in history.questions] * 2
            messages: list[dict[str, str]] = []
            before = ""
            for question in asked[:TURNS]:
                messages.append({"role": "user", "content": question})
                context = memory.context(
                    messages, budget_tokens=BUDGET, user=history.id, session="now"
                )
                prompt = context.prompt(messages)
                if before:
                    shares.append(_shared(before, prompt) / estimate_tokens(before))
                reported.append(context.kept)
                before = prompt
                messages.append({"role": "assistant", "content": "I see."})
    return {
        "turns": TURNS,
        "people": people,
        "share": 100 * statistics.mean(shares),
        "n": len(shares),
    }


def _shared(before: str, now: str) -> int:
    """Return how many tokens of the prompt before stand at the head of this one."""
    same = next(
        (place for place, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
        min(len(before), len(now)),
    )
    return estimate_tokens(before[:same])


async def leaks(folder: Path) -> dict[str, int]:
    """Let users write and ask at once, each with words of their own; count what one sees of another."""
    found = {"shown": 0, "leaked": 0}

    async def live(memory: AsyncMemory, number: int) -> None:
        own = f"u{number:02d}"
        rng = random.Random(number)
        for turn in range(25):
            said = f"My code for door {turn} is {own}-{rng.randint(1000, 9999)}."
            await memory.remember(
                [{"role": "user", "content": said}], user=own, session=f"s{turn % 3}"
            )
            await asyncio.sleep(0)
            recall = await memory.search("What is my code for the door?", user=own, session=ANY)
            context = await memory.context(
                [{"role": "user", "content": "What is my code?"}], user=own, session=f"s{turn % 3}",
                budget_tokens=BUDGET,
            )  # fmt: skip
            for text in (recall.prompt(), str(context)):
                found["shown"] += text.count(f"{own}-")
                found["leaked"] += sum(
                    text.count(f"u{n:02d}-") for n in range(USERS) if n != number
                )

    async with AsyncMemory(folder, encoder=ByHash()) as memory:
        await asyncio.gather(*(live(memory, number) for number in range(USERS)))
    return {"users": USERS, **found}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=2_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {"costs": costs(Path(scratch) / "costs", arguments.turns)}
    print(found)


if __name__ == "__main__":
    main()
