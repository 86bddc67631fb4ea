"""Whether tidying loses anything, and what it costs: statements merged, archived and summed up, however badly models answer.

    python benchmarks/tidying.py [--runs 2000] [--people 100]

The fuzz lets summarisers answer with garbage, with nothing, with what nobody said, or die in the middle, over statements by
rules of made people, some said again in other words. Nothing may be *lost*: no turn, no statement. No statement may be
*closed for nothing*: without another one that holds and says the same. What was undone has to be *as before*.

*Cost* is the tokens that a model would take for the summaries of sessions of 100 turns, for each token remembered, by a high estimate; and seconds of
the processor for tidying without a model.

*Harm* asks the made people of `holding.py` their questions, with statements by rules: as they were read, ranked without
strength; ranked by it; and after tidying, too.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from conversing import ByHash, messages_of
from holding import InContext, measure, summary
from parts.kept_vectors import KeptVectors
from parts.results import machine, save

from agentcl import ANY, Memory
from agentcl.envs import holding_histories
from agentcl.envs.questions.histories import History
from agentcl.errors import InvalidInput, ModelUnavailable, NoAnswer, NotFound
from agentcl.memory.statements import search as statement_search
from agentcl.models import ScriptedModel
from agentcl.statements import Gist, ModelSummariser, RuleDigester
from agentcl.text import estimate_tokens

SESSION: Final = 100  # turns


class Broken:
    """A summariser that says what nobody said, nothing, or what is none, or dies."""

    name = "broken"

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def summarise(self, lines: Sequence[str], *, about: str) -> Sequence[Gist]:
        """Return garbage, or raise."""
        rng = self._rng
        if rng.random() < 0.2:
            raise rng.choice(
                (NoAnswer("no"), InvalidInput("no"), ModelUnavailable("gone"), RuntimeError("dead"))
            )
        words = [*" ".join(lines).split(), "", "\x00", "user", "ยินดี", "a" * 400]
        made: list[Any] = [
            Gist(
                " ".join(rng.choices(words, k=rng.randint(0, 7))),
                tuple(rng.randint(-2, len(lines) + 1) for _ in range(rng.randint(0, 2))),
            )
            for _ in range(rng.randint(0, 5))
        ]
        return made + rng.choices([None, "text", Gist("x", ("a",))], k=rng.randint(0, 2))  # type: ignore[arg-type]


def garbled(rng: random.Random) -> ModelSummariser:
    """Return a summariser whose model answers with something else than was asked for."""
    answers = (
        "",
        "[1]",
        "{}",
        "The user moved. [99]",
        "The user lives in Oslo. [1]",
        "\x00 [1]",
        "}" * 200,
        "1. 2. 3.",
    )
    return ModelSummariser(ScriptedModel([rng.choice(answers) for _ in range(200)]))


def reworded(rng: random.Random, value: str) -> str:
    """Return a value in other words that mean the same, or do not."""
    words = value.split()
    rng.shuffle(words)
    return rng.choice(
        (f"the {value}", " ".join(words), f"{value} of the year", f"not {value}", value.upper())
    )


def state(memory: Memory, user: str) -> dict[str, Any]:
    """Return all that a memory says of what was said to hold."""
    held = memory.statements.list(user=user, valid_at=ANY, all=True, archived=True)
    return {
        "statements": {
            one.id: (
                one.value,
                one.text,
                one.valid_from,
                one.valid_to,
                one.replaced_by,
                one.sources,
            )
            for one in held
        },
        "summaries": [one.sentences for one in memory.statements.summaries(user=user)],
        "in sight": [one.id for one in memory.statements.list(user=user)],
    }


def fuzzed(folder: Path, runs: int) -> dict[str, int]:
    """Tidy with broken summarisers; count what is spoilt."""
    counts = ("runs", "statements", "merged", "archived", "summaries", "raised", "lost", "closed for nothing",
              "not as before")  # fmt: skip
    found = dict.fromkeys(counts, 0)
    histories = holding_histories(50, seed=5)
    for begin in range(0, runs, 50):
        with Memory(folder / str(begin), encoder=ByHash(), durability="normal") as memory:
            for number in range(begin, min(runs, begin + 50)):
                run(memory, random.Random(number), f"u{number}", histories, found)
    return found


def run(
    memory: Memory, rng: random.Random, user: str, histories: Sequence[Any], found: dict[str, int]
) -> None:
    """Let one user's statements be tidied some times, and all of it be undone."""
    session = rng.choice(rng.choice(histories).sessions)
    said = [{"role": t.role, "content": t.content, "time": t.time} for t in session.turns[:12]]
    memory.remember(said, user=user, session="s")
    memory.statements.digest(RuleDigester(), user=user)
    for one in memory.statements.list(user=user):
        if rng.random() < 0.7:
            memory.statements.add(
                one.subject, one.attribute, reworded(rng, one.value), user=user,
                sort=one.sort, several=one.is_member, sources=one.sources[:1],
            )  # fmt: skip
    told = " ".join(turn.content for turn in session.turns) * 3
    memory.remember([{"role": "user", "content": told}], user=user, session="long")
    before = state(memory, user)
    for _ in range(rng.randint(1, 3)):
        summariser = rng.choice((None, Broken(rng), garbled(rng)))
        try:
            report = memory.statements.tidy(
                summariser, keep=rng.choice((None, 0, 3)), near=rng.choice((None, 0.0)), user=user
            )
        except (ModelUnavailable, RuntimeError):
            found["raised"] += 1
            continue
        found["merged"] += report.count("merged")
        found["archived"] += report.count("archived")
        found["summaries"] += report.count("summary") + report.count("profile")
    turns = [turn.text for turn in memory.conversations.turns(user=user, session="s")]
    after = state(memory, user)["statements"]
    found["lost"] += (turns != [one["content"] for one in said]) + (
        {id: (one[0], one[1], one[5]) for id, one in after.items()}
        != {id: (one[0], one[1], one[5]) for id, one in before["statements"].items()}
    )
    for id, one in before["statements"].items():
        if one[3] is None and after[id][3] is not None:
            by = after.get(after[id][4])
            found["closed for nothing"] += by is None or by[3] is not None
    jobs = [job.id for job in reversed(memory.jobs.list(user=user)) if job.kind == "tidy"]
    for job in jobs * 2:  # one that failed, and was gone on with, may have written last
        with suppress(NotFound):
            memory.statements.undo(job, user=user)
    found["not as before"] += state(memory, user) != before
    found["statements"] += len(after)
    found["runs"] += 1


def spent(folder: Path, turns: int) -> dict[str, float]:
    """Return how many tokens a model would take for summaries, for each token that was remembered."""
    messages = messages_of(turns)
    with Memory(folder, encoder=ByHash(), durability="normal") as memory:
        for start in range(0, turns, SESSION):
            memory.remember(messages[start : start + SESSION], user="ada", session=f"s{start}")
        memory.statements.digest(RuleDigester())
        price = memory.statements.tidy(ModelSummariser(ScriptedModel([])), dry_run=True).tokens
    read = sum(estimate_tokens(one["content"]) for one in messages)
    return {"tokens remembered": read, "tokens": price, "for each": price / read}


def took(folder: Path, turns: int) -> dict[str, float]:
    """Time the reading by rules and the tidying of one user's turns, in seconds of the processor."""
    messages = messages_of(turns)
    with Memory(folder, encoder=ByHash(), durability="normal") as memory:
        for start in range(0, turns, SESSION):
            memory.remember(messages[start : start + SESSION], user="ada", session=f"s{start}")
        began = time.process_time()
        stated = memory.statements.digest(RuleDigester(), user="ada").statements
        read = time.process_time()
        memory.statements.tidy(keep=500, user="ada")
        tidied = time.process_time()
        memory.statements.tidy(keep=500, user="ada")
    return {
        "turns": turns, "statements": stated, "digest_s": read - began, "tidy_s": tidied - read,
        "again_s": time.process_time() - tidied,
    }  # fmt: skip


class ByRules(InContext):
    """Statements that rules read."""

    digester = RuleDigester()


class Tidied(ByRules):
    """Statements that rules read, put in order."""

    def read(self, history: History) -> None:
        """Read, and put in order."""
        super().read(history)
        self.memory.statements.tidy(user=history.id)


def harm(folder: Path, people: int) -> list[dict[str, Any]]:
    """Return what contexts show of made people, ranked without strength and with it, and tidied."""
    histories = sorted(holding_histories(people, seed=0), key=lambda one: one.turns[-1].time)
    encoder = KeptVectors("minilm")
    weight = statement_search.BY_STRENGTH
    rows = []
    for name, arm, own in (
        ("as read", ByRules, 0.0), ("ranked by strength", ByRules, weight), ("tidied", Tidied, weight),
    ):  # fmt: skip
        statement_search.BY_STRENGTH = own  # type: ignore[misc]  # what is measured
        told = summary(measure(arm(folder / name, encoder), histories, None, None))
        rows.append(
            {"what": name, **{one: told["all"][one] for one in ("right", "stale", "wrong")}}
        )
    return rows


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--turns", type=int, nargs="+", default=[2_500, 10_000])
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        result["spent"] = spent(folder / "spent", min(arguments.turns))
        print("spent", result["spent"], flush=True)
        result["took"] = [took(folder / f"t{turns}", turns) for turns in arguments.turns]
        print("took", result["took"], flush=True)
        result["harm"] = harm(folder / "harm", arguments.people)
        print("harm", result["harm"], flush=True)
        result["fuzz"] = fuzzed(folder / "fuzz", arguments.runs)
        print("fuzz", result["fuzz"], flush=True)
    save("tidying", result)


if __name__ == "__main__":
    main()
