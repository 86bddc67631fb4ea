"""MemoryAgentBench (Hu et al., 2025) from a user's own copy: one long text, many questions about it.

Read as its authors publish the rows: `context`, `questions`, `answers`, and `metadata` with `source`,
`qa_pair_ids` and `question_types`. Tested on files of that schema which the tests write, not on the data
itself. The published files are parquet; `pandas.read_parquet(path).to_json(new, orient="records",
lines=True)` turns one into what is read here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from agentcl.envs.questions.json_files import Json, read_rows
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.errors import InvalidInput
from agentcl.text.paths import check_path

MEMORY_AGENT_BENCH_LICENCE: Final = "MIT"
_LAYOUT: Final = (
    "JSON or JSON lines of MemoryAgentBench's rows: {context, questions, answers, metadata: {source, "
    "qa_pair_ids}}; export its parquet files with pandas' to_json(orient='records', lines=True)"
)
# The ends of lines and sentences; a number and its dot begin something.
_BREAKS: Final = re.compile(r"(?<=\n)|(?<=[.!?] )(?<!\d\. )")


def memory_agent_bench_streams(
    path: str | os.PathLike[str],
    *,
    source: str = "",
    chunk_characters: int = 2_000,
    licence: str = MEMORY_AGENT_BENCH_LICENCE,
) -> Iterator[QuestionStream]:
    """Yield one stream for each row of a file: its context in pieces, then its questions.

    Its authors publish no evidence, so there is none: only answers can be graded.

    Args:
        path: rows of one of the four skills.
        source: keep only the rows whose source begins so, such as "factconsolidation_mh".
        chunk_characters: the longest piece that arrives; cut at the end of a line or sentence, or at a
            space in those that are longer. The default is about the 512 tokens of its authors.
        licence: of the texts.

    Raises:
        InvalidInput: if the file is absent, cut short or of another layout, or holds no such source.
    """
    if chunk_characters < 1:
        raise InvalidInput(f"chunk_characters must be at least 1, and is {chunk_characters}")
    path = check_path(path)
    rows = read_rows(path, layout=_LAYOUT)
    sources = [_metadata(row).text("source", f"row {number}") for number, row in enumerate(rows, 1)]
    chosen = [
        (row, name) for row, name in zip(rows, sources, strict=True) if name.startswith(source)
    ]
    if not chosen:
        raise InvalidInput(
            f"{path} has no row of source {source!r}; it has {', '.join(sorted(set(sources))[:8])}"
        )
    return (
        _stream(row, name, number, chunk_characters, licence)
        for number, (row, name) in enumerate(chosen, 1)
    )


def _metadata(row: Json) -> Json:
    """Some exports leave these fields in the row itself."""
    return row.at("metadata") if row.has("metadata") else row


def _stream(row: Json, source: str, number: int, size: int, licence: str) -> QuestionStream:
    metadata = _metadata(row)
    texts, answers = row.texts("questions"), row.items("answers")
    if len(texts) != len(answers):
        raise row.refuse(f"has {len(texts)} questions and {len(answers)} answers")
    ids = _aligned(metadata, "qa_pair_ids", len(texts))
    if len(set(ids)) < len(ids):
        ids = []
    types = _aligned(metadata, "question_types", len(texts))
    name = f"{source}/{number}"
    arrivals = tuple(
        Arrival(id=f"chunk {place}", text=chunk, group=name)
        for place, chunk in enumerate(_chunks(row.text("context"), size), start=1)
    )
    questions = tuple(
        Question(
            id=ids[place] if ids else f"q{place + 1}",
            text=text,
            answers=tuple(answers[place].texts())
            if isinstance(answers[place].value, list)
            else (answers[place].text(),),
            category=types[place] if types else source,
        )
        for place, text in enumerate(texts)
    )
    return QuestionStream(f"memory_agent_bench/{name}", licence, (*arrivals, *questions))


def _aligned(metadata: Json, name: str, count: int) -> list[str]:
    """Return a field with one value for each question; nothing where it has another number of them."""
    values = metadata.texts(name) if metadata.has(name) else []
    return values if len(values) == count else []


def _chunks(text: str, size: int) -> Iterator[str]:
    chunk = ""
    for piece in _pieces(text, size):
        if len((chunk + piece).strip()) > size:
            if chunk.strip():
                yield chunk.strip()
            chunk = ""
        chunk += piece
    if chunk.strip():
        yield chunk.strip()


def _pieces(text: str, size: int) -> Iterator[str]:
    """Yield the text in consecutive slices, none longer than `size` but for space around it."""
    for part in _BREAKS.split(text):
        rest = part
        while len(rest.strip()) > size:
            start = len(rest) - len(rest.lstrip())
            space = rest.rfind(" ", start + 1, start + size + 1)
            cut = start + size if space < 0 else space + 1
            yield rest[:cut]
            rest = rest[cut:]
        yield rest
