"""Questions that need several passages, over the passages of all questions together.

Each published question comes with its own few passages, most of them distractors. Here they are pooled,
as HippoRAG (Gutiérrez et al., 2024) does: all passages arrive, each text once, and then all questions are
asked of one memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from agentcl.envs.questions.json_files import Json, read_rows
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.text.parsing import parsed_json
from agentcl.text.paths import check_path

HOTPOTQA_LICENCE: Final = "CC BY-SA 4.0"
MUSIQUE_LICENCE: Final = "CC BY 4.0"
_CONTEXT: Final = (
    "JSON of the HotpotQA layout: [{question, answer, context, supporting_facts}], as 2WikiMultihopQA has "
    "it too"
)
_PARAGRAPHS: Final = (
    "JSON or JSON lines of the MuSiQue layout: [{id, question, answer, paragraphs: [{title, paragraph_text "
    "or text, is_supporting}]}], as PopQA with paragraphs has it too"
)
_CORPUS: Final = "JSON or JSON lines of passages: [{title, text}]"


def hotpotqa_stream(
    path: str | os.PathLike[str],
    *,
    licence: str = HOTPOTQA_LICENCE,
    corpus: str | os.PathLike[str] | None = None,
) -> QuestionStream:
    """Return a file of the layout of HotpotQA's distractor setting as one stream.

    A passage is evidence if its title is among the question's supporting facts. Both published forms are
    read: lists of [title, sentences], and an object of parallel lists.

    Args:
        path: the questions with their passages.
        licence: of the texts.
        corpus: more passages that arrive with them, as distractors.

    Raises:
        InvalidInput: if a file is absent, cut short or of another layout.
    """
    path, more = check_path(path), None if corpus is None else check_path(corpus, "corpus")
    pool = _Pool()
    questions = []
    for number, row in enumerate(read_rows(path, layout=_CONTEXT), start=1):
        titles = set(_supporting_titles(row.at("supporting_facts")))
        evidence = set()
        for title, text in _contexts(row.at("context")):
            if not text:
                continue  # a few published passages are a title and nothing else
            passage = pool.add(title, text)
            if title in titles:
                evidence.add(passage)
        questions.append(_question(row, number, (row.text("answer"),), evidence, "type"))
    return _stream(path, licence, pool, more, questions)


def paragraphs_stream(
    path: str | os.PathLike[str],
    *,
    licence: str,
    corpus: str | os.PathLike[str] | None = None,
    unanswerable: bool = False,
) -> QuestionStream:
    """Return a file whose questions have marked paragraphs, as MuSiQue and PopQA, as one stream.

    The category is the number of hops where the id tells it ("2hop__…"), else the field `type` or `prop`.

    Args:
        path: the questions with their paragraphs.
        licence: of the texts; `MUSIQUE_LICENCE` for MuSiQue.
        corpus: more passages that arrive with them, as distractors.
        unanswerable: also ask the questions that are marked as not answerable. MuSiQue took away a passage
            that they need; pooling can bring it back with another question.

    Raises:
        InvalidInput: if a file is absent, cut short or of another layout.
    """
    path, more = check_path(path), None if corpus is None else check_path(corpus, "corpus")
    pool = _Pool()
    questions = []
    for number, row in enumerate(read_rows(path, layout=_PARAGRAPHS), start=1):
        is_answerable = row.object().get("answerable") is not False
        evidence = set()
        for paragraph in row.items("paragraphs"):
            field = "paragraph_text" if paragraph.has("paragraph_text") else "text"
            passage = pool.add(paragraph.text("title", ""), paragraph.text(field))
            if paragraph.object().get("is_supporting"):
                evidence.add(passage)
        if is_answerable:
            questions.append(_question(row, number, _answers(row), evidence, "type", "prop"))
        elif unanswerable:
            questions.append(_question(row, number, (), set(), "type", "prop"))
    return _stream(path, licence, pool, more, questions)


class _Pool:
    """Passages, each title and text once."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}

    def add(self, title: str, text: str) -> str:
        return self._ids.setdefault((title, text), f"p{len(self._ids) + 1}")

    def arrivals(self) -> Iterator[Arrival]:
        for (title, text), passage in self._ids.items():
            yield Arrival(id=passage, text=text, title=title, group=title)


def _stream(
    path: Path, licence: str, pool: _Pool, corpus: Path | None, questions: Sequence[Question]
) -> QuestionStream:
    if corpus is not None:
        for row in read_rows(corpus, layout=_CORPUS):
            pool.add(row.text("title", ""), row.text("text"))
    return QuestionStream(path.name.partition(".")[0], licence, (*pool.arrivals(), *questions))


def _question(
    row: Json, number: int, answers: Sequence[str], evidence: set[str], *category: str
) -> Question:
    fallback = next((row.text(name) for name in category if row.has(name)), "")
    name = row.text("_id", row.text("id", f"q{number}"))
    hops = name.partition("hop")[0]
    return Question(
        id=name,
        text=row.text("question"),
        answers=tuple(dict.fromkeys(answers)),
        evidence=frozenset(evidence),
        category=f"{hops[0]}-hop" if hops[:1].isdigit() and "hop" in name else fallback,
    )


def _answers(row: Json) -> list[str]:
    """MuSiQue has an answer and its aliases; PopQA a list inside a string."""
    if row.has("answer"):
        return [
            row.text("answer"),
            *(row.texts("answer_aliases") if row.has("answer_aliases") else ()),
        ]
    given = row.at("possible_answers")
    if isinstance(given.value, str):
        try:
            given = Json(parsed_json(given.value), given.place, given.layout)
        except ValueError as error:
            raise given.refuse(f"is no list: {given.value[:40]!r}") from error
    return given.texts()


def _supporting_titles(facts: Json) -> list[str]:
    if isinstance(facts.value, dict):
        return facts.texts("title")
    return [fact.items()[0].text() if fact.items() else "" for fact in facts.items()]


def _contexts(context: Json) -> Iterator[tuple[str, str]]:
    if isinstance(context.value, dict):
        titles, sentences = context.texts("title"), context.items("sentences")
        if len(titles) != len(sentences):
            raise context.refuse(f"has {len(titles)} titles for {len(sentences)} passages")
        yield from ((title, _joined(each)) for title, each in zip(titles, sentences, strict=True))
        return
    for passage in context.items():
        parts = passage.items()
        if len(parts) != 2:
            raise passage.refuse("is not a pair of title and sentences")
        yield parts[0].text(), _joined(parts[1])


def _joined(sentences: Json) -> str:
    """Published sentences begin with their space, or have none at all."""
    return " ".join(" ".join(sentences.texts()).split())
