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
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from parts.results import machine, save

from agentcl import ANY, AsyncMemory, Memory
from agentcl.envs import holding_histories
from agentcl.errors import AgentclError, InvalidInput, ModelUnavailable, NoAnswer
from agentcl.models import ScriptedModel
from agentcl.retrieval.encoders import Role
from agentcl.statements import Assertion, Digested, ModelDigester, RuleDigester
from agentcl.store import Statement, Turn
from agentcl.store.conversations import SORTS
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
        memory.statements.digest(RuleDigester(), user="ada")
        asked: list[float] = []
        for number, question in enumerate(questions):
            message = [{"role": "user", "content": question}]
            began = time.process_time()
            memory.context(message, budget_tokens=BUDGET, user="ada", session=f"asked {number}")
            asked.append((time.process_time() - began) * 1e3)
        stated = len(memory.statements.list(user="ada", valid_at=ANY))
    return {
        "turns": turns, "statements": stated, "remember_ms": _quantiles(remembered[-500:]),
        "context_ms": _quantiles(asked[5:]),  # some load or compile when first asked
    }  # fmt: skip


def _quantiles(took: Sequence[float]) -> dict[str, float]:
    return {"p50": statistics.median(took), "p95": float(np.percentile(took, 95)), "n": len(took)}


def heads(folder: Path, *, people: int = 10) -> dict[str, Any]:
    """Return which share of each prompt over a session is, byte for byte, the head of the one before.

    A prompt is what a chat program sends: its messages, with each addition in front of the message it was found for.
    """
    shares: list[float] = []
    blocks: list[float] = []
    began_anew = 0
    with Memory(folder, encoder=ByHash()) as memory:
        for history in holding_histories(people, seed=2):
            for session in history.sessions:
                said = [{"role": t.role, "content": t.content} for t in session.turns]
                memory.remember(said, user=history.id, session=session.id)
            memory.statements.digest(RuleDigester(), user=history.id)
            asked = [q.q for q in history.questions] * TURNS
            messages: list[dict[str, str]] = []
            before = ""
            for question in asked[:TURNS]:
                messages.append({"role": "user", "content": question})
                context = memory.context(
                    messages, budget_tokens=BUDGET, user=history.id, session="now"
                )
                prompt = "".join(f"{m['role']}: {m['content']}\n" for m in context.into(messages))
                if before:
                    shares.append(_shared(before, prompt) / estimate_tokens(before))
                    blocks.append(context.kept)
                    began_anew += context.is_new
                before = prompt
                messages.append({"role": "assistant", "content": "I see."})
    return {
        "turns": TURNS, "people": people, "n": len(shares), "share": 100 * statistics.mean(shares),
        "of blocks": 100 * statistics.mean(blocks), "began anew": began_anew,
    }  # fmt: skip


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


class Broken:
    """A digester that says what no turn says, nothing, what cannot be kept, or dies."""

    name = "broken"

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return garbage, or raise."""
        rng = self._rng
        if rng.random() < 0.15:
            raise rng.choice(
                (
                    NoAnswer("no answer"),
                    InvalidInput("no"),
                    ModelUnavailable("gone"),
                    RuntimeError("dead"),
                )
            )
        made = rng.choice(((self._likely,), (self._likely,), (self._likely, self._said)))
        return Digested(tuple(rng.choice(made)(turns, known) for _ in range(rng.randint(0, 6))))

    def _likely(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Assertion:
        """Return what some turn bears out by its words, whatever it means."""
        rng = self._rng
        place = rng.randrange(len(turns))
        value = rng.choice([*turns[place].text.split(), *(one.value for one in known)])
        attribute = rng.choice(("home", "likes", "phone"))
        ended = rng.random() < 0.3
        text = f"The user, {attribute}{' no longer' * ended}: {value}."
        return Assertion(subject="user", attribute=attribute, value=value, text=text, turns=(place,),
                         polarity="ended" if ended else "holds", is_member=rng.random() < 0.2,
                         since=rng.choice(("", "", "2025-03-01", "2031")))  # fmt: skip

    def _said(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Assertion:
        rng = self._rng
        words = [
            *rng.choice(turns).text.split(),
            "",
            "\x00",
            "user",
            "ยินดี",
            "a" * 300,
            *(one.value for one in known),
        ]
        odd = (
            "",
            "soon",
            "2025-02-30",
            "2025",
            "9999-12",
            "2025-03-01",
            "1900-01-01",
            "2025-03-01T10:00:00+01:00",
        )
        return Assertion(
            subject=rng.choice(("user", "user", rng.choice(words))),
            attribute=rng.choice(("home", "likes", rng.choice(words))),
            value=rng.choice(words),
            text=" ".join(rng.choices(words, k=rng.randint(0, 5))),
            turns=tuple(rng.randint(-2, len(turns) + 1) for _ in range(rng.randint(0, 3))),
            sort=rng.choice(SORTS),
            polarity=rng.choice(("holds", "holds", "ended")),
            is_member=rng.random() < 0.3,
            since=rng.choice(odd),
            until=rng.choice(odd),
            confidence=rng.choice((1.0, 0.0, -1.0, float("nan"))),
        )


def fuzzed(folder: Path, runs: int, longest_s: float) -> dict[str, int]:
    """Let broken digesters, and models that answer with garbage, read conversations; count what they spoil."""
    found = {
        "runs": 0,
        "raised": 0,
        "statements": 0,
        "lost": 0,
        "closed for nothing": 0,
        "not ours": 0,
    }
    histories = holding_histories(50, seed=3)
    began = time.monotonic()
    for begin in range(0, runs, 50):
        if time.monotonic() - began > longest_s:
            break
        with Memory(folder / str(begin), encoder=ByHash(), durability="normal") as memory:
            for number in range(begin, min(runs, begin + 50)):
                rng = random.Random(number)
                user, session = f"u{number}", rng.choice(rng.choice(histories).sessions)
                said = [
                    {"role": t.role, "content": t.content, "time": t.time}
                    for t in session.turns[:8]
                ]
                for end in (2, 4, 6, 8):
                    memory.remember(said[:end], user=user, session="s")
                    digester = Broken(rng) if number % 2 else _garbled(rng)
                    try:
                        memory.statements.digest(digester, user=user, retry=True)
                    except Exception as error:  # noqa: BLE001  # counted, whatever it is
                        found["raised"] += 1
                        found["not ours"] += (
                            not isinstance(error, AgentclError) and str(error) != "dead"
                        )
                turns = memory.conversations.turns(user=user, session="s")
                found["lost"] += [t.text for t in turns] != [one["content"] for one in said]
                held = memory.statements.list(user=user, valid_at=ANY, all=True)
                found["statements"] += len(held)
                found["closed for nothing"] += sum(
                    _is_closed_for_nothing(one, held) for one in held
                )
                found["runs"] += 1
    return found


def _garbled(rng: random.Random) -> ModelDigester:
    """Return a digester whose model answers with something else than was asked for."""
    answers = ("", "{}", "[]", "null", "I moved.", '{"statements": [', '{"statements": [{}]}', "\x00", "}" * 50,
               json.dumps({"statements": [{"subject": "user", "attribute": "home", "value": "Oslo", "turn": 99}]}),
               json.dumps({"statements": 7}))  # fmt: skip
    return ModelDigester(ScriptedModel([rng.choice(answers) for _ in range(40)]))


def _is_closed_for_nothing(one: Statement, held: Sequence[Statement]) -> bool:
    """Whether a statement holds no longer, and nothing says why: no other, and not itself."""
    if one.valid_to is None or one.until or one.polarity == "ended":
        return False
    return not any(other.id == one.replaced_by and other.id != one.id for other in held)


def spent(folder: Path, people: int = 20) -> dict[str, float]:
    """Return how many tokens a model would take to read what was said, for each token of it, by a high estimate."""
    with Memory(folder, encoder=ByHash(), durability="normal") as memory:
        histories = holding_histories(people, seed=4)
        for history in histories:
            for session in history.sessions:
                said = [
                    {"role": t.role, "content": t.content, "time": t.time} for t in session.turns
                ]
                memory.remember(said, user=history.id, session=session.id)
        price = memory.statements.digest(ModelDigester(ScriptedModel([])), dry_run=True)
    read = sum(estimate_tokens(turn.content) for one in histories for turn in one.turns)
    return {"tokens remembered": read, "tokens": price.tokens, "for each": price.tokens / read}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument(
        "--longest", type=float, default=3_600, help="seconds after which no more runs begin"
    )
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        acts: dict[str, Callable[[], Any]] = {
            "spent": lambda: spent(folder / "spent"),
            "heads": lambda: heads(folder / "heads"),
            "leaks": lambda: asyncio.run(leaks(folder / "leaks")),
            "costs": lambda: costs(folder / "costs", arguments.turns),
            "fuzz": lambda: fuzzed(folder / "fuzz", arguments.runs, arguments.longest),
        }
        for name, act in acts.items():
            result[name] = act()
            print(name, result[name], flush=True)
    save("conversing", result)


if __name__ == "__main__":
    main()
