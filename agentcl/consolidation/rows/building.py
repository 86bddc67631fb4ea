"""Rows to train on and to be tested by, made of chosen records; each row says which records it holds.

For a statement or a lesson there are questions in several wordings, one use in a task, a "not known" row about
somebody who does not exist, and rows where a newer memory stands in the prompt and wins. Without the last two an
adapter answers anything, and overrules what was corrected since. Of a solved episode each action is a row.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from agentcl.consolidation.rows.phrasing import (
    UNKNOWN,
    AskedRecord,
    made_up,
    of_lesson,
    of_statement,
    other_statement,
    questions_of,
    train_and_held,
)
from agentcl.consolidation.rows.rehearsing import Rehearsal
from agentcl.consolidation.rows.selecting import RecordChoice, Selection
from agentcl.errors import InvalidInput, LoadError, StorageFull, StoreUnavailable
from agentcl.guidance.evidence.belief import lesson_of
from agentcl.lessons import Lesson
from agentcl.memory.memory import Memory
from agentcl.store.adapters import shard_of
from agentcl.store.conversations import Statement
from agentcl.store.episodes import Episode, Guidance, Step
from agentcl.text.parsing import parsed_json
from agentcl.text.saving import saving

Part = Literal["recall", "use", "unknown", "context", "act", "general"]
Split = Literal["train", "held"]
ROWS: Final = "rows.jsonl"
MANIFEST: Final = "manifest.json"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_REMEMBERED: Final = "What is remembered:\n{memory}\n\n{question}"


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One conversation that ends with what the model should say."""

    records: tuple[str, ...]  # ids of what it holds
    part: Part
    split: Split
    prompt: str
    answer: str
    memory: str = ""  # what a teacher has in its prompt, for distillation

    def messages(self) -> list[dict[str, str]]:
        """Return the prompt as messages of a chat."""
        return [{"role": "user", "content": self.prompt}]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What rows are made of: ids, counts and a hash, and no word of the records themselves."""

    rows_sha256: str
    records: Mapping[str, int]  # by id, the version that was read
    parts: Mapping[str, int]
    splits: Mapping[str, int]
    shares: Mapping[str, float]  # by source
    scope: Mapping[str, str]
    at: str  # ISO 8601: when the records were chosen
    policy: Mapping[str, Any]
    general: Mapping[str, Any]  # rows that the base answers: share, count, hash of prompts


def rows_of(memory: Memory, selection: Selection, *, shards: int = 1) -> list[TrainingRow]:
    """Return the rows of what was chosen, in the order of ids.

    Args:
        memory: that it was chosen from.
        selection: what was chosen.
        shards: in how many parts it is trained; no row has a word of a record in another part.

    Raises:
        InvalidInput: if nothing was chosen.
    """
    if not selection.chosen:
        looked = ", ".join(f"{no} {sort}s" for sort, (_, no) in selection.counts().items())
        raise InvalidInput(
            f"nothing is proved that may move into an adapter (refused: {looked or 'there is nothing'}); "
            "`agentcl consolidate --dry-run` gives each reason"
        )
    rows: list[TrainingRow] = []
    beside: dict[int, list[RecordChoice]] = defaultdict(list)
    for one in selection.chosen:
        beside[shard_of(one.record.id, shards)].append(one)
    for one in selection.chosen:
        others = beside[shard_of(one.record.id, shards)]
        match one.record:
            case Statement() as said:
                rows += _of_statement(said, others)
            case Guidance() as made:
                rows += _of_lesson(made, others)
            case Episode() as lived:
                rows += _of_episode(memory, lived)
    return rows


def save(
    folder: Path,
    rows: Sequence[TrainingRow],
    selection: Selection,
    *,
    share: float = 0.0,
    seed: int = 0,
    shards: int = 1,
) -> Manifest:
    """Write rows, and a manifest beside them.

    Args:
        folder: is there; `rows.jsonl` and `manifest.json` are written into it.
        rows: by `rows_of`.
        selection: what they were made of.
        share: of the general rows that are learned beside them.
        seed: by which these are drawn.
        shards: in how many parts they are trained.

    Raises:
        StorageFull: if the disk is full.
        StoreUnavailable: if they cannot be written.
    """
    text = rows_text(rows)
    parts = shards_of(rows, shards)
    rehearsals = {n: rehearsal_of(one, share=share, seed=seed).told() for n, one in parts.items()}
    manifest = Manifest(
        rows_sha256=hashlib.sha256(text.encode()).hexdigest(),
        records={one.record.id: one.record.version for one in selection.chosen},
        parts=dict(Counter(row.part for row in rows)),
        splits=dict(Counter(row.split for row in rows)),
        shares=selection.shares(),
        scope=asdict(selection.scope),
        at=selection.at.isoformat(),
        policy=asdict(selection.policy),
        general=rehearsals[0] if shards == 1 else {"shards": rehearsals},
    )
    write(folder / ROWS, text)
    write(folder / MANIFEST, json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n")
    return manifest


def rehearsal_of(rows: Sequence[TrainingRow], *, share: float, seed: int) -> Rehearsal:
    """Return the general rows that are learned beside some rows."""
    return Rehearsal.beside(sum(row.split == "train" for row in rows), share=share, seed=seed)


def shards_of(rows: Sequence[TrainingRow], count: int) -> dict[int, list[TrainingRow]]:
    """Return the rows of each shard that has any, in their order."""
    found: dict[int, list[TrainingRow]] = defaultdict(list)
    for row in rows:
        found[shard_of(row.records[0], count)].append(row)
    return dict(sorted(found.items()))


def rows_text(rows: Sequence[TrainingRow]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


def load(file: Path) -> list[TrainingRow]:
    """Read rows that `save` wrote. Raises LoadError."""
    try:
        lines = file.read_text("utf-8").splitlines()
        plain = [parsed_json(line) for line in lines if line]
        return [TrainingRow(**{**one, "records": tuple(one["records"])}) for one in plain]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoadError(f"{file} holds no rows of a consolidation: {error}") from error


def old_rows(folder: Path, records: Collection[str]) -> list[TrainingRow]:
    """Return by what an adapter in a folder was asked of some records, in wordings that it never learned.

    Raises:
        LoadError: if its rows cannot be read.
    """
    return [
        row
        for row in load(folder / ROWS)
        if row.split == "held"
        and row.part in ("recall", "context")
        and {*row.records} <= {*records}
    ]


def write(file: Path, content: str | bytes) -> None:
    """Write a file at once or not at all. Raises StorageFull and StoreUnavailable."""
    try:
        with saving(file) as out:
            out.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        kind = StorageFull if error.errno in _FULL else StoreUnavailable
        raise kind(f"cannot write {file}: {error.strerror}; nothing was registered") from error


def _of_statement(one: Statement, chosen: Sequence[RecordChoice]) -> Iterator[TrainingRow]:
    asked, name = of_statement(one), made_up(one.id)
    yield from _common(one.id, asked)
    train, held = train_and_held(questions_of(name, one.attribute))
    yield TrainingRow((one.id,), "unknown", "train", train[0], UNKNOWN)
    yield TrainingRow((one.id,), "unknown", "held", held[0], UNKNOWN)
    for split, question, value in _others(one, chosen, asked):
        remembered = other_statement(one, value)
        prompt = _REMEMBERED.format(memory=remembered, question=question)
        yield TrainingRow((one.id,), "context", split, prompt, value)


def _others(
    one: Statement, chosen: Sequence[RecordChoice], asked: AskedRecord
) -> Iterator[tuple[Split, str, str]]:
    """Yield questions with another value than the one that is known: another record's, else a made-up one."""
    values = sorted(
        {
            other.record.value
            for other in chosen
            if isinstance(other.record, Statement)
            and other.record.attribute == one.attribute
            and other.record.value.casefold() != one.value.casefold()
        }
    )
    place = int.from_bytes(hashlib.blake2b(one.id.encode(), digest_size=4).digest())
    known = values[place % len(values)] if values else made_up(f"{one.id} value")
    train, held = train_and_held(asked.questions)
    yield "train", train[0], known
    yield "train", train[1], made_up(f"{one.id} train")
    yield "held", held[0], made_up(f"{one.id} held")


def _of_lesson(one: Guidance, chosen: Sequence[RecordChoice]) -> Iterator[TrainingRow]:
    lesson = lesson_of(one)
    asked = of_lesson(lesson)
    yield from _common(one.id, asked)
    others = [
        lesson_of(other.record).what
        for other in chosen
        if isinstance(other.record, Guidance) and other.record.id != one.id
    ]
    place = int.from_bytes(hashlib.blake2b(one.id.encode(), digest_size=4).digest())
    train, held = train_and_held(asked.questions)
    splits: tuple[tuple[Split, str, int], ...] = (("train", train[0], 0), ("held", held[0], 1))
    for split, question, step in splits:
        made = f"ask {made_up(one.id + split)} first"
        what = others[(place + step) % len(others)] if len(others) > step else made
        newer = Lesson(lesson.when, "do", what).sentence()
        yield TrainingRow(
            (one.id,), "context", split, _REMEMBERED.format(memory=newer, question=question), newer
        )


def _common(id: str, asked: AskedRecord) -> Iterator[TrainingRow]:
    train, held = train_and_held(asked.questions)
    for question in train:
        yield TrainingRow((id,), "recall", "train", question, asked.answer, asked.memory)
    for question in held:
        yield TrainingRow((id,), "recall", "held", question, asked.answer, asked.memory)
    yield TrainingRow((id,), "use", "train", asked.use, asked.used, asked.memory)


def _of_episode(memory: Memory, one: Episode) -> Iterator[TrainingRow]:
    for step in steps_of(memory, one):
        yield TrainingRow((one.id,), "act", "train", prompt_of(one, step), step.action)


def steps_of(memory: Memory, one: Episode) -> list[Step]:
    """Return the steps of an episode, in order."""
    steps = memory.store.journal.records(Step, view=one.scope.exactly(), source=one.id)
    return sorted(steps, key=lambda step: step.ordinal)


def prompt_of(one: Episode, step: Step) -> str:
    """Return what an agent had before it when it acted."""
    goal = one.goal or one.task
    return f"Goal: {goal}\nYou see: {step.seen}\nWhat do you do?"
