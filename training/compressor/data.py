"""What a codec is trained on: documents, questions that each alone answers, and the whole of each written out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentcl.errors import InvalidInput
from training.reading import LIST_FACTS, read_passage

REPEAT: Final = "Repeat the passage."


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer, as the base says it."""

    ask: str
    answer: str


@dataclass(frozen=True, slots=True)
class Document:
    """A passage, questions about it, and what asks for all of it (auto-encoding)."""

    text: str
    asked: tuple[Asked, ...]
    whole: Asked


@dataclass(frozen=True, slots=True)
class Size:
    """How much a document holds, in facts from and to; bases that read corpora know no other measure."""

    least: int
    most: int


Source = Callable[[random.Random, Size], Document]


def made_up(*, questions: int = 8, held_out: bool = False) -> Source:
    """Return made-up passages in the reference model's English.

    No fact is asked for twice: the second time it could be read from the first answer.

    Args:
        questions: how many are drawn for each; those about the same fact are left out.
        held_out: with names, sets of facts and phrasings that training never draws.
    """

    def draw(rng: random.Random, size: Size) -> Document:
        facts = rng.randint(size.least, size.most)
        example = read_passage(rng, size=facts, questions=questions, held_out=held_out)
        asked: dict[str, Asked] = {}
        whole = Asked("", "")
        for turn in example.turns:
            if turn.skill in ("answer", "absent"):
                thought = turn.answer.partition(" Answer: ")[0]
                asked.setdefault(thought, Asked(turn.ask, turn.answer))
            elif turn.ask == LIST_FACTS:
                whole = Asked(turn.ask, turn.answer)
        text = example.context.removeprefix("Passage: ")
        return Document(text, tuple(asked.values()), whole)

    return draw


def from_rows(paths: Sequence[Path], *, share: tuple[float, float] = (0.0, 1.0)) -> Source:
    """Return passages of files of rows with `passage`, `question` and `answer`, one JSON object a line.

    Rows of one passage become one document. Passages stand in one order for all; `share` takes a part of it,
    so that training and gates never meet.

    Raises:
        InvalidInput: if a file has no such rows.
    """
    asked: dict[str, list[Asked]] = {}
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            try:
                row = json.loads(line)
                said = Asked(f"Question: {row['question'].strip()}", row["answer"].strip())
                asked.setdefault(row["passage"].strip(), []).append(said)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InvalidInput(
                    f"{path}, line {number}, is no object with passage, question and answer: {error!r}"
                ) from error
    passages = sorted(asked)
    random.Random(0).shuffle(passages)
    passages = passages[round(share[0] * len(passages)) : round(share[1] * len(passages))]
    if not passages:
        raise InvalidInput(
            f"{', '.join(map(str, paths)) or 'no file'} holds no passage to train on"
        )

    def draw(rng: random.Random, size: Size) -> Document:
        del size  # a corpus is as it is
        passage = rng.choice(passages)
        chosen = rng.sample(asked[passage], min(4, len(asked[passage])))
        return Document(passage, tuple(chosen), Asked(REPEAT, passage))

    return draw


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    return (line for line in text.splitlines() if line.strip())
