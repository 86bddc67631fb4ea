"""The questions of one part of a run: documents arrive, and a reader answers from what is recalled."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from agentcl.agents.prompts import ask_answer
from agentcl.bench.baselines.base import Baseline, Item
from agentcl.bench.episode_log import FATAL
from agentcl.bench.leaks import CheckedMemory, told_answers
from agentcl.bench.rows import Part, ResultRow, StepRow
from agentcl.envs.questions.grading import (
    exact_match,
    ndcg_at,
    recall_at,
    reciprocal_rank,
    token_f1,
)
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.errors import NoAnswer
from agentcl.models.base import ChatModel, Sampling, conversation
from agentcl.models.structured import ask_text
from agentcl.store.usage import Usage
from agentcl.text.answers import final_answer, unwrapped
from agentcl.text.escaping import unescape
from agentcl.text.tokens import estimate_tokens

_DEPTHS: Final = (1, 2, 5, 10, 20)
RECALL: Final = "recall"  # at the depth that a prompt holds
View = Callable[[Sequence[str]], Sequence[str]]


class Reader:
    """A frozen model that answers questions from passages."""

    def __init__(self, model: ChatModel, *, instructions: str = "", max_tokens: int = 128) -> None:
        self.name, self.instructions = f"model {model.name}", instructions
        self._model = model
        self._sampling = Sampling(max_tokens=max_tokens)

    def answer(self, question: str, passages: Sequence[str]) -> tuple[str, str, Usage]:
        """Return the answer, all that was said, and what it cost.

        Raises:
            NoAnswer: if the model comes to none, asked twice.
        """
        prompt = ask_answer(passages=passages, question=question)
        asked = conversation(self.instructions, prompt)
        reply = ask_text(self._model, asked, sampling=self._sampling)
        said = f"{reply.thought}\n{reply.text}".strip()
        return unwrapped(unescape(final_answer(reply.text), seen_in=prompt)), said, reply.usage


def ask_questions(
    part: Part,
    streams: Sequence[QuestionStream],
    open_baseline: Callable[[int], Baseline],
    reader: Reader | None,
    *,
    limit: int,
    shown: int | None = None,
    view: View = lambda texts: texts,
    done: Sequence[ResultRow] = (),
) -> Iterator[ResultRow]:
    """Yield a row for each question that is not done, in order; each stream has a memory of its own.

    Args:
        part: of the run.
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
            memory = CheckedMemory(baseline, limit=shown or limit)
            arrived: list[Item] = []
            for event in stream.events:
                if isinstance(event, Arrival):
                    arrived.append(_item(event))
                    continue
                if number >= len(done):
                    memory.add(arrived)
                    arrived = []
                    row = _question(part, number, stream.name, event, memory, limit)
                    yield _answered(row, reader, event, view)
                number += 1
        finally:
            baseline.close()


def _question(
    part: Part, number: int, stream: str, question: Question, memory: CheckedMemory, limit: int
) -> ResultRow:
    started = time.perf_counter()
    row = ResultRow(number, part.baseline, part.seed, f"{stream}/{question.id}", question.category,
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
    except FATAL:
        raise
    except Exception:  # noqa: BLE001  # the one boundary: it is kept, and the run goes on
        row = replace(row, end="failed", error=traceback.format_exc())
    return replace(row, wall_s=round(time.perf_counter() - started, 6))


def _answered(row: ResultRow, reader: Reader | None, question: Question, view: View) -> ResultRow:
    """Return the row with what the reader made of it; without one, what was recalled is the score."""
    if row.end == "failed":
        return row
    if reader is None:
        found = row.measures.get(RECALL)
        return replace(row, score=found, is_success=None if found is None else found == 1)
    started = time.perf_counter()
    shown = tuple(view(row.shown))
    try:
        answer, thought, used = reader.answer(question.text, shown)
    except NoAnswer:
        wall_s = round(row.wall_s + time.perf_counter() - started, 6)
        return replace(row, shown=shown, end="failed", error=traceback.format_exc(), wall_s=wall_s)
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
