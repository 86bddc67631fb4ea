"""Questions about articles that arrive one after the other, asked early and late.

The protocol follows StreamingQA (Liska et al., 2022) and ArchivalQA (Wang et al., 2022) in what it
compares: questions about what has just arrived, and about what arrived some time ago. Any file of the
layout of SQuAD 1.1 or 2.0 will do.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from agentcl.envs.questions.json_files import Json, read_json
from agentcl.envs.questions.records import Arrival, Delay, Question, QuestionStream
from agentcl.errors import InvalidInput
from agentcl.text.paths import check_path

SQUAD_LICENCE: Final = "CC BY-SA 4.0"  # of SQuAD 1.1 and 2.0 themselves
UNANSWERABLE: Final = "unanswerable"
_LAYOUT: Final = "JSON of the SQuAD layout: {data: [{title, paragraphs: [{context, qas: [...]}]}]}"

Timing = Literal["split", "both"]


_Article = Sequence[tuple[Arrival, Sequence[Question]]]  # paragraphs, and what is asked about them


def squad_stream(
    path: str | os.PathLike[str],
    *,
    licence: str,
    late_after: int = 3,
    timing: Timing = "split",
    unanswerable: bool = False,
    per_paragraph: int | None = None,
    seed: int = 0,
) -> QuestionStream:
    """Return the articles of a file as one stream, in the order of the file.

    Paragraphs arrive one after the other. Early questions follow their paragraph at once; late ones are
    asked when `late_after` more articles have arrived, so the last articles have none.

    Args:
        path: a file of SQuAD layout, `.json` or `.json.gz`.
        licence: of its texts; `SQUAD_LICENCE` for SQuAD itself. It stays with the stream.
        late_after: articles between a paragraph's own and its late questions.
        timing: "split" asks each question once, half of each paragraph's early and half late; "both" asks
            each of them twice, for a paired comparison. Late questions that no longer find enough
            articles after them are left out.
        unanswerable: also ask the questions that their paragraph does not answer (SQuAD 2.0). Nobody
            checked that no other paragraph answers them.
        per_paragraph: ask at most this many of a paragraph's questions, drawn by the seed.
        seed: decides which questions are asked, and which of them early.

    Raises:
        InvalidInput: if the file is absent, cut short or of another layout, or an option is out of range.
    """
    path = check_path(path)
    if late_after < 1 or (per_paragraph is not None and per_paragraph < 1):
        raise InvalidInput("late_after and per_paragraph must be at least 1")
    if timing not in ("split", "both"):
        raise InvalidInput(f"timing must be 'split' or 'both', not {timing!r}")
    articles = _articles(path, unanswerable=unanswerable)
    rng = random.Random(seed)
    events: list[Arrival | Question] = []
    waiting: list[list[Question]] = []  # late questions of the articles that have arrived
    for article in articles:
        late: list[Question] = []
        for arrival, questions in article:
            events.append(arrival)
            chosen = list(questions)
            rng.shuffle(chosen)
            chosen = chosen[:per_paragraph]
            half = len(chosen) if timing == "both" else _half(len(chosen), rng)
            events += [_asked(question, "early", timing) for question in chosen[:half]]
            rest = chosen if timing == "both" else chosen[half:]
            late += [_asked(question, "late", timing) for question in rest]
        waiting.append(late)
        if len(waiting) > late_after:
            events += waiting[-1 - late_after]
    return QuestionStream(path.name.partition(".")[0], licence, tuple(events))


def _half(count: int, rng: random.Random) -> int:
    """Half of an odd count is rounded by chance, so that early and late are as many in the long run."""
    return (count + rng.randrange(2)) // 2


def _asked(question: Question, delay: Delay, timing: Timing) -> Question:
    number = f"{question.id}/{delay}" if timing == "both" else question.id
    return replace(question, id=number, delay=delay)


def _articles(path: Path, *, unanswerable: bool) -> Sequence[_Article]:
    articles = []
    titles: set[str] = set()
    for number, article in enumerate(read_json(path, layout=_LAYOUT).items("data"), start=1):
        title = article.text("title", f"article {number}").replace("_", " ")
        group = f"{title} ({number})" if title in titles else title
        titles.add(title)
        paragraphs = []
        for place, paragraph in enumerate(article.items("paragraphs"), start=1):
            text = paragraph.text("context")
            arrival = Arrival(id=f"{group}/{place}", text=text, title=title, group=group)
            questions = [_question(item, arrival) for item in paragraph.items("qas")]
            paragraphs.append((arrival, [q for q in questions if q.answers or unanswerable]))
        articles.append(paragraphs)
    return articles


def _question(item: Json, arrival: Arrival) -> Question:
    is_impossible = item.has("is_impossible") and bool(item.object()["is_impossible"])
    answers = (
        () if is_impossible else tuple(dict.fromkeys(a.text("text") for a in item.items("answers")))
    )
    if not is_impossible and not answers:
        raise item.refuse("has no answer and is not marked is_impossible")
    return Question(
        id=item.text("id"),
        text=item.text("question").strip(),
        answers=answers,
        evidence=frozenset() if is_impossible else frozenset({arrival.id}),
        category=UNANSWERABLE if is_impossible else "answerable",
    )
