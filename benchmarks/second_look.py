"""Facts that override each other, told as turns: does the newest hold, and does a second look find the other half?

    python benchmarks/second_look.py [--facts 200] [--questions 25] [--seeds 2]

The facts of `fact_consolidation_stream` are remembered one a turn, and read by a digester that knows their
phrasings, so that only currency and looking are measured. An arm finds what it shows for a question: eight turns by search,
or `memory.context` with one look or two, with or without statements. *Found* is the share of questions all of whose facts
that hold are shown; *stale*, with a fact of the way shown too that another one overrides; *exact*, that the
reference model answers rightly from what is shown, newest facts of `read_facts` alone where there are no statements.
Intervals are 95% by bootstrap over questions.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from parts.kept_vectors import KeptVectors
from parts.recalls import interval
from parts.results import machine, save, table

from agentcl import ANY, Memory
from agentcl.bench.questions import Reader
from agentcl.envs import (
    Question,
    QuestionStream,
    exact_match,
    fact_consolidation_stream,
    newest,
    read_facts,
)
from agentcl.models import open_reference
from agentcl.statements import Assertion, Digested
from agentcl.store import Statement, Turn

BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
CATEGORIES: Final = ("unchanged", "single-hop", "two-hop")
BUDGET: Final = 800
USER: Final = "u"


class FactDigester:
    """Reads numbered facts by the forms they are told in."""

    name = "numbered facts"

    def digest(self, turns: Sequence[Turn], known: Sequence[Statement]) -> Digested:
        """Return the facts of turns."""
        return Digested(
            tuple(
                Assertion(
                    subject=fact.subject, attribute=fact.noun, value=fact.value, text=fact.sentence,
                    turns=(place,),
                )
                for place, turn in enumerate(turns)
                for fact in read_facts(turn.text)
            )
        )  # fmt: skip


def told(memory: Memory, stream: QuestionStream, *, is_read: bool) -> None:
    """Remember facts in sessions of fifty, one a minute, and let them be read."""
    messages = [
        {
            "role": "user",
            "content": arrival.text,
            "time": (BEGAN + timedelta(minutes=n)).isoformat(),
        }
        for n, arrival in enumerate(stream.arrivals)
    ]
    for start in range(0, len(messages), 50):
        memory.remember(messages[start : start + 50], user=USER, session=f"s{start}")
    if is_read:
        memory.statements.digest(FactDigester(), user=USER)


def searched(memory: Memory, question: Question) -> list[str]:
    """Return what a search shows, of which the newest facts alone."""
    hits = memory.search(question.text, user=USER, session=ANY, limit=8)
    return [fact.text() for hit in hits for fact in read_facts(hit.text)]


def in_context(hops: int) -> Callable[[Memory, Question], list[str]]:
    """Return how a context with so many looks shows."""

    def shown(memory: Memory, question: Question) -> list[str]:
        message = [{"role": "user", "content": question.text}]
        found = memory.context(
            message, user=USER, session=question.id, hops=hops, budget_tokens=BUDGET
        )
        return [one.text for one in found.shown if not one.is_past]

    return shown


ARMS: Final[dict[str, tuple[bool, Callable[[Memory, Question], list[str]]]]] = {
    "search": (False, searched),
    "context": (False, in_context(1)),
    "context, second look": (False, in_context(2)),
    "context, statements": (True, in_context(1)),
    "context, statements, second look": (True, in_context(2)),
}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=int, default=200)
    parser.add_argument("--questions", type=int, default=25, help="of each kind")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    encoder = KeptVectors("minilm")
    reader = Reader(open_reference())
    found: dict[str, dict[str, list[tuple[bool, bool, float]]]] = {
        arm: {category: [] for category in CATEGORIES} for arm in ARMS
    }
    for seed in range(arguments.seeds):
        stream = fact_consolidation_stream(
            arguments.facts, seed=seed, questions=arguments.questions
        )
        for arm, (is_read, show) in ARMS.items():
            with (
                tempfile.TemporaryDirectory() as folder,
                Memory(Path(folder) / "m", encoder=encoder) as memory,
            ):
                told(memory, stream, is_read=is_read)
                for question in stream.questions:
                    if question.category in CATEGORIES:
                        shown = show(memory, question)
                        found[arm][question.category].append(
                            _scored(stream, question, shown, reader)
                        )
    rows = {
        arm: {c: _summary(asked) for c, asked in of_arm.items()} for arm, of_arm in found.items()
    }
    for measure in ("found", "stale", "exact"):
        print(f"\n{measure}, %")
        table(
            ["arm", *CATEGORIES],
            [[arm, *(_cell(one[c][measure]) for c in CATEGORIES)] for arm, one in rows.items()],
        )
    settings = {
        "facts": arguments.facts,
        "questions": arguments.questions,
        "seeds": arguments.seeds,
    }
    save("second_look", {"machine": machine(), "settings": settings, "arms": rows})


def _scored(
    stream: QuestionStream, question: Question, shown: Sequence[str], reader: Reader
) -> tuple[bool, bool, float]:
    """Return whether all facts that hold are shown, whether one that they override is, and the answer's score."""
    facts = [fact for arrival in stream.arrivals for fact in read_facts(arrival.text)]
    way = [
        fact
        for arrival in stream.arrivals
        if arrival.id in question.evidence
        for fact in read_facts(arrival.text)
    ]
    slots = {(fact.subject, fact.noun) for fact in way}
    over = [fact for fact in facts if (fact.subject, fact.noun) in slots and fact not in way]
    text = "\n".join(shown)
    plain = newest([fact for one in shown for fact in read_facts(one)])
    passages = [fact.text() for fact in plain] or list(shown)
    answer = reader.answer(question.text, passages)[0]
    return (
        all(fact.sentence in text for fact in way),
        any(fact.sentence in text for fact in over),
        exact_match(answer, question.answers),
    )


def _summary(asked: Sequence[tuple[bool, bool, float]]) -> dict[str, Any]:
    columns = np.array(asked, dtype=float)
    names = ("found", "stale", "exact")
    return {"n": len(asked), **{name: interval(columns[:, n]) for n, name in enumerate(names)}}


def _cell(found: Sequence[float]) -> str:
    return f"{found[0]:.0f} [{found[1]:.0f}, {found[2]:.0f}]"


if __name__ == "__main__":
    main()
