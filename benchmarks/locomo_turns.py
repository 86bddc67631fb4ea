"""What a turn should be found by (LoCoMo): alone, with its time, with the turns before it, or through its neighbours.

    python benchmarks/locomo_turns.py --data ../shared/data/locomo

Recall of a question's evidence turns among the first ten, as in `locomo_recall.py`, categories 1 to 4. The vector is always
that of `{speaker}: {text}`, unless the row says otherwise; the words (BM25) are of that and what the row names. *Given
on*: each turn's score by words is given on to the two turns after it and the one before it, in shares that are
chosen on the other conversations (leave one out). *remember* is `Memory.remember` and `search` as they are.
LoCoMo's licence forbids commercial use.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from locomo_recall import FILE
from parts.kept_vectors import KeptVectors
from parts.recalls import interval
from parts.results import machine, save, table

from agentcl import ANY, Draft, Memory
from agentcl.envs import Arrival, Question, QuestionStream, read_locomo, recall_at
from agentcl.retrieval.encoders import Encoder
from agentcl.retrieval.fusion import Fusion
from agentcl.retrieval.index import Match
from agentcl.retrieval.modes import Mode

DEPTH: Final = 10
RANKED: Final = 200
SHARES: Final = [
    {1: one, 2: two, -1: before}
    for one, two, before in itertools.product((0.35, 0.5, 0.7), (0.25, 0.4, 0.55), (0.0, 0.25, 0.4))
]
Rankings = list[list[Match]]  # by question
Form = Callable[[Sequence[Arrival], int], str]


def plain(turns: Sequence[Arrival], at: int) -> str:
    """Return a turn with its speaker."""
    return f"{turns[at].speaker}: {turns[at].text}"


def dated(turns: Sequence[Arrival], at: int) -> str:
    """Return a turn with its speaker and day."""
    return f"{turns[at].speaker}, {turns[at].said_at:%d %B %Y}: {turns[at].text}"


def window(*places: int) -> Form:
    """Return a form with the turns at these places from a turn, as far as they are of its session."""

    def form(turns: Sequence[Arrival], at: int) -> str:
        near = [at + place for place in places if 0 <= at + place < len(turns)]
        own = turns[at].group
        return "\n".join(plain(turns, one) for one in near if turns[one].group == own)

    return form


FORMS: Final[Mapping[str, Form]] = {
    "the turn": plain,
    "its day": dated,
    "one turn before": window(-1, 0),
    "two turns before": window(-2, -1, 0),
    "one before, one after": window(-1, 0, 1),
}


def ranked(
    stream: QuestionStream,
    questions: Sequence[Question],
    form: Form,
    mode: Mode,
    encoder: Encoder | str,
    folder: Path,
) -> Rankings:
    """Return the turns that one index finds for each question, by their numbers."""
    turns = stream.arrivals
    with Memory(folder, encoder=encoder, durability="normal") as memory:
        memory.add_many(
            [Draft(text=form(turns, at), metadata={"at": at}) for at in range(len(turns))]
        )
        found: Rankings = []
        for question in questions:
            hits = memory.search(question.text, limit=RANKED, mode=mode)
            scores = [
                Match(int(str(hit.metadata["at"])), "", part.score)
                for hit in hits
                for part in hit.parts
                if part.source == mode
            ]
            found.append(sorted(scores, key=lambda match: -match.score))
    return found


def given_on(
    ranking: Sequence[Match], turns: Sequence[Arrival], shares: Mapping[int, float]
) -> list[Match]:
    """Give shares of each turn's score on to its neighbours in the session."""
    scores = {match.seq: max(match.score, 0.0) for match in ranking}
    spread = dict(scores)
    for at, score in scores.items():
        for step, share in shares.items():
            near = at + step
            if 0 <= near < len(turns) and turns[near].group == turns[at].group:
                spread[near] = spread.get(near, 0.0) + share * score
    return sorted((Match(at, "", score) for at, score in spread.items()), key=lambda m: -m.score)


def recalled(
    stream: QuestionStream, questions: Sequence[Question], dense: Rankings, text: Rankings
) -> np.ndarray[Any, Any]:
    """Return the recall of each question by both rankings joined."""
    ids = [turn.id for turn in stream.arrivals]
    return np.array(
        [
            recall_at(
                [ids[at] for at in Fusion({"dense": d, "text": t}).ordered()],
                question.evidence,
                DEPTH,
            )
            for question, d, t in zip(questions, dense, text, strict=True)
        ]
    )


def remembered(
    stream: QuestionStream, questions: Sequence[Question], encoder: Encoder | str, folder: Path
) -> np.ndarray[Any, Any]:
    """Return the recall of each question by a memory that remembered the conversation."""
    with Memory(folder, encoder=encoder, durability="normal") as memory:
        for group, turns in itertools.groupby(stream.arrivals, key=lambda turn: turn.group):
            messages = [
                {
                    "role": "user",
                    "name": t.speaker,
                    "content": t.text,
                    "time": t.said_at,
                    "id": t.id,
                }
                for t in turns
            ]
            memory.remember(messages, user="u", session=group)
        sessions = dict.fromkeys(turn.group for turn in stream.arrivals)
        ids = {
            turn.id: turn.message
            for session in sessions
            for turn in memory.conversations.turns(user="u", session=session)
        }
        return np.array(
            [
                recall_at(
                    [
                        ids[hit.document_id]
                        for hit in memory.search(
                            question.text, limit=2 * DEPTH, user="u", session=ANY
                        )
                    ],
                    question.evidence,
                    DEPTH,
                )
                for question in questions
            ]
        )


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/locomo"))
    arguments = parser.parse_args()
    encoder = KeptVectors("minilm")
    streams = read_locomo(arguments.data / FILE).streams
    asked = [[q for q in stream.questions if q.evidence] for stream in streams]
    rows: dict[str, list[np.ndarray[Any, Any]]] = {}
    by_shares: list[list[np.ndarray[Any, Any]]] = [[] for _ in SHARES]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number, (stream, questions) in enumerate(zip(streams, asked, strict=True)):
            dense = ranked(stream, questions, plain, "dense", encoder, folder / f"{number}-dense")
            for name, form in FORMS.items():
                text = ranked(
                    stream, questions, form, "text", "hashing", folder / f"{number}-{name}"
                )
                rows.setdefault(f"words of {name}", []).append(
                    recalled(stream, questions, dense, text)
                )
                if form is plain:
                    for place, shares in enumerate(SHARES):
                        spread = [given_on(one, stream.arrivals, shares) for one in text]
                        by_shares[place].append(recalled(stream, questions, dense, spread))
            near = ranked(
                stream, questions, window(-1, 0), "dense", encoder, folder / f"{number}-near"
            )
            text = ranked(
                stream, questions, window(-1, 0), "text", "hashing", folder / f"{number}-both"
            )
            rows.setdefault("words and vector of one turn before", []).append(
                recalled(stream, questions, near, text)
            )
            rows.setdefault("remember", []).append(
                remembered(stream, questions, encoder, folder / f"{number}-remember")
            )
    rows["words given on"] = left_out(by_shares)
    table(
        ["found by", "recall@10", *(stream.name for stream in streams)],
        [
            [
                name,
                _cell(interval(np.concatenate(found))),
                *(f"{100 * one.mean():.1f}" for one in found),
            ]
            for name, found in rows.items()
        ],
    )
    save("locomo_turns", {
        "machine": machine("sentence-transformers"), "depth": DEPTH, "questions": sum(map(len, asked)),
        "rows": {name: {"recall": interval(np.concatenate(found)), "by conversation": [100 * float(one.mean()) for one in found],
                        "against the turn": interval(np.concatenate(found) - np.concatenate(rows["words of the turn"]))}
                 for name, found in rows.items()},
    })  # fmt: skip


def left_out(by_shares: Sequence[Sequence[np.ndarray[Any, Any]]]) -> list[np.ndarray[Any, Any]]:
    """Return for each conversation the recalls of the shares that are best on the others."""
    places = range(len(by_shares[0]))
    return [
        max(
            by_shares,
            key=lambda one: np.concatenate(
                [one[other] for other in places if other != place]
            ).mean(),
        )[place]
        for place in places
    ]


def _cell(found: Sequence[float]) -> str:
    return f"{found[0]:.1f} [{found[1]:.1f}, {found[2]:.1f}]"


if __name__ == "__main__":
    main()
