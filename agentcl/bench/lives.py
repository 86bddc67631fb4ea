"""The life of one memory: episodes or questions one after the other, each recalled for and learned from."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentcl.bench.actors import Reader
from agentcl.bench.attempts import Attempt, WatchedEnvironment
from agentcl.bench.baselines.base import Baseline, Item
from agentcl.bench.leakage import WatchedMemory, told_answers
from agentcl.bench.players import Player
from agentcl.bench.rows import Row, StepRow
from agentcl.envs.base import Environment, Oracle
from agentcl.envs.questions.grading import (
    exact_match,
    ndcg_at,
    recall_at,
    reciprocal_rank,
    token_f1,
)
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.envs.streams.stream import StreamItem, TaskStream
from agentcl.errors import (
    BaselineFailed,
    EnvironmentFailed,
    MissingExtra,
    ModelUnavailable,
    StoreUnavailable,
)
from agentcl.text.tokens import estimate_tokens

# What no episode is to blame for: it ends the run, which can be resumed.
_FATAL: Final = (ModelUnavailable, MissingExtra, StoreUnavailable, BaselineFailed)
_DEPTHS: Final = (1, 2, 5, 10, 20)
RECALL: Final = "recall"  # at the depth that a prompt holds
View = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class About:
    """Whose life it is."""

    baseline: str
    seed: int


def live_tasks(
    about: About,
    stream: TaskStream,
    player: Player,
    make: Callable[[], Environment],
    *,
    oracle: Oracle | None = None,
    done: Sequence[Row] = (),
) -> Iterator[Row]:
    """Yield a row for each episode of a stream that is not done, in order.

    Args:
        about: whose life it is.
        stream: the episodes.
        player: who plays and learns; knows nothing yet, or what an earlier run left.
        make: returns a fresh environment; an environment that failed is replaced.
        oracle: what is looked for in what the player is told, if it is told anything.
        done: the rows that an earlier run left; what they learned is brought back first.

    Raises:
        ModelUnavailable: if the model cannot be asked; what is done stays done.
    """
    player.resume(stream, done)
    environment: Environment | None = None
    try:
        for number in range(len(done), len(stream.items)):
            item = stream.items[number]
            if environment is None:
                environment = make()
            row = _episode(about, number, item, player, environment)
            if row.end == "failed":
                environment.close()
                environment = None
            if oracle is not None and player.instructions:
                answers = oracle.actions(item.task, seed=item.seed)
                row = replace(row, leaks=(*row.leaks, *told_answers(player.instructions, answers)))
            yield row
    finally:
        if environment is not None:
            environment.close()


def _episode(
    about: About, number: int, item: StreamItem, player: Player, environment: Environment
) -> Row:
    started = time.perf_counter()
    attempt = Attempt()
    error = ""
    try:
        player.play(number, item, WatchedEnvironment(environment, attempt), attempt)
    except _FATAL:
        raise
    except Exception as raised:  # noqa: BLE001  # the one boundary: it is kept, and the run goes on
        error = str(raised) if isinstance(raised, EnvironmentFailed) else traceback.format_exc()
    score = None if error else attempt.score
    return Row(
        number,
        about.baseline,
        about.seed,
        item.task.id,
        item.task.family,
        item.phase,
        item.seed,
        score=score.value if score else None,
        raw=score.raw if score else None,
        is_success=score.is_success if score else None,
        goal=attempt.goal,
        first=attempt.first,
        steps=tuple(attempt.steps),
        end="failed" if error else attempt.end,
        error=error,
        episode=attempt.episode,
        recalled=tuple(attempt.recalled),
        shown=tuple(attempt.shown),
        learned=() if error else tuple(attempt.learned),
        leaks=tuple(attempt.leaks),
        usage=attempt.usage,
        memory_tokens=sum(map(estimate_tokens, attempt.shown)),
        wall_s=round(time.perf_counter() - started, 6),
    )


def live_questions(
    about: About,
    streams: Sequence[QuestionStream],
    open_baseline: Callable[[int], Baseline],
    reader: Reader | None,
    *,
    limit: int,
    shown: int | None = None,
    view: View = lambda texts: texts,
    done: Sequence[Row] = (),
) -> Iterator[Row]:
    """Yield a row for each question that is not done, in order; each stream has a memory of its own.

    Args:
        about: whose life it is.
        streams: documents and questions.
        open_baseline: returns an empty memory for the stream of that number.
        reader: who answers; None: only what was recalled is measured.
        limit: the depth at which recall is measured.
        shown: how many items are recalled for a question; default: as many.
        view: what the reader is shown of the recalled texts, the same for every baseline.
        done: the rows that an earlier run left.

    Raises:
        ModelUnavailable: if the reader cannot be asked; what is done stays done.
    """
    number = 0
    for place, stream in enumerate(streams):
        if number + len(stream.questions) <= len(done):
            number += len(stream.questions)
            continue
        baseline = open_baseline(place)
        try:
            memory = WatchedMemory(baseline, limit=shown or limit)
            arrived: list[Item] = []
            for event in stream.events:
                if isinstance(event, Arrival):
                    arrived.append(_item(event))
                    continue
                if number >= len(done):
                    memory.add(arrived)
                    arrived = []
                    row = _question(about, number, stream.name, event, memory, limit)
                    yield _answered(row, reader, event, view)
                number += 1
        finally:
            baseline.close()


def _question(
    about: About, number: int, stream: str, question: Question, memory: WatchedMemory, limit: int
) -> Row:
    started = time.perf_counter()
    row = Row(number, about.baseline, about.seed, f"{stream}/{question.id}", question.category,
              question.delay, goal=question.text)  # fmt: skip
    try:
        found, leaks = memory.recall(question.text)
        shown = tuple(item.text for item in found)
        row = replace(
            row,
            recalled=tuple(item.id for item in found),
            shown=shown,
            memory_tokens=sum(map(estimate_tokens, shown)),
            leaks=tuple(leaks),
            measures=_recalled_measures([item.id for item in found], question, limit),
            end="recalled",
        )
    except _FATAL:
        raise
    except Exception:  # noqa: BLE001  # the one boundary: it is kept, and the run goes on
        row = replace(row, end="failed", error=traceback.format_exc())
    return replace(row, wall_s=round(time.perf_counter() - started, 6))


def _answered(row: Row, reader: Reader | None, question: Question, view: View) -> Row:
    """Return the row with what the reader made of it; without one, what was recalled is the score."""
    if row.end == "failed":
        return row
    if reader is None:
        found = row.measures.get(RECALL)
        return replace(row, score=found, is_success=None if found is None else found == 1)
    started = time.perf_counter()
    shown = tuple(view(row.shown))
    answer, thought, used = reader.answer(question.text, shown)
    exact, f1 = exact_match(answer, question.answers), token_f1(answer, question.answers)
    return replace(
        row,
        shown=shown,
        steps=(StepRow(answer, "", thought),),
        score=f1,
        is_success=exact == 1,
        measures={**row.measures, "exact": exact, "f1": f1},
        usage={"read": used},
        memory_tokens=sum(map(estimate_tokens, shown)),
        leaks=(*row.leaks, *told_answers(reader.instructions, question.answers)),
        end="answered",
        wall_s=round(row.wall_s + time.perf_counter() - started, 6),
    )


def _recalled_measures(recalled: Sequence[str], question: Question, limit: int) -> dict[str, float]:
    if not question.evidence:
        return {}
    measures = {
        f"recall@{k}": recall_at(recalled, question.evidence, k)
        for k in sorted({*(k for k in _DEPTHS if k < limit), limit})
    }
    measures[RECALL] = measures[f"recall@{limit}"]
    measures["reciprocal rank"] = reciprocal_rank(recalled, question.evidence)
    measures[f"ndcg@{limit}"] = ndcg_at(recalled, question.evidence, limit)
    return measures


def _item(arrival: Arrival) -> Item:
    text = f"{arrival.speaker}: {arrival.text}" if arrival.speaker else arrival.text
    return Item(arrival.id, text, arrival.title, arrival.said_at)
