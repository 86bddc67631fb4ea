"""Passages of all questions pooled, each once, with those that each question needs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.envs.questions.multihop import MUSIQUE_LICENCE, hotpotqa_stream, paragraphs_stream
from agentcl.envs.questions.records import Question, QuestionStream


def hotpotqa() -> list[dict[str, Any]]:
    """Two questions which share a passage."""
    shared = ["Medom", ["Medom is a town.", " Its mayor is Zazor."]]
    return [
        {"_id": "h1", "question": "Who taught the mayor of Medom?", "answer": "Tavo",
         "type": "bridge", "supporting_facts": [["Medom", 1], ["Zazor", 0]],
         "context": [shared, ["Zazor", ["Zazor was taught by Tavo."]], ["Empty", []]]},
        {"_id": "h2", "question": "Is Medom a town?", "answer": "yes",
         "type": "comparison", "supporting_facts": [["Medom", 0]],
         "context": [["Brosan", ["Brosan is a ship."]], shared]},
    ]  # fmt: skip


def musique() -> list[dict[str, Any]]:
    """A question over two hops, and one that lost a passage which it needs."""
    first = {"idx": 0, "title": "Medom", "paragraph_text": "Its mayor is Zazor.",
             "is_supporting": True}  # fmt: skip
    second = {"idx": 1, "title": "Zazor", "paragraph_text": "Taught by Tavo.",
              "is_supporting": True}  # fmt: skip
    other = {"idx": 2, "title": "Brosan", "paragraph_text": "A ship.", "is_supporting": False}
    return [
        {"id": "2hop__1_2", "question": "Who taught the mayor of Medom?", "answer": "Tavo",
         "answer_aliases": ["Tavo of Medom"], "answerable": True,
         "paragraphs": [first, second, other]},
        {"id": "2hop__3_4", "question": "Who owns Brosan?", "answer": "Zazor",
         "answer_aliases": [], "answerable": False, "paragraphs": [other, first]},
    ]  # fmt: skip


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def titles(stream: QuestionStream, question: Question) -> set[str]:
    return {arrival.title for arrival in stream.arrivals if arrival.id in question.evidence}


def as_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The other published form of the same rows: parallel lists, and "id"."""
    return [
        {key: value for key, value in row.items() if key != "_id"}
        | {"id": row["_id"],
           "context": {"title": [t for t, _ in row["context"]],
                       "sentences": [s for _, s in row["context"]]},
           "supporting_facts": {"title": [t for t, _ in row["supporting_facts"]],
                                "sent_id": [s for _, s in row["supporting_facts"]]}}
        for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize("form", [lambda rows: rows, as_columns])
def test_hotpotqa_in_both_forms(tmp_path: Path, form: Any) -> None:
    stream = hotpotqa_stream(write(tmp_path / "h.json", form(hotpotqa())))
    # The shared passage arrives once, and the one without text not at all.
    assert [arrival.title for arrival in stream.arrivals] == ["Medom", "Zazor", "Brosan"]
    assert stream.arrivals[0].text == "Medom is a town. Its mayor is Zazor."
    first, second = stream.questions
    assert (first.id, first.answers, first.category) == ("h1", ("Tavo",), "bridge")
    assert titles(stream, first) == {"Medom", "Zazor"}
    assert titles(stream, second) == {"Medom"}
    assert stream.events[-2:] == (first, second)


@pytest.mark.parametrize("writer", [write, write_lines])
def test_musique_as_list_and_as_lines(tmp_path: Path, writer: Any) -> None:
    path = writer(tmp_path / "m.json", musique())
    stream = paragraphs_stream(path, licence=MUSIQUE_LICENCE)
    (question,) = stream.questions
    assert question.category == "2-hop"
    assert question.answers == ("Tavo", "Tavo of Medom")
    assert titles(stream, question) == {"Medom", "Zazor"}
    assert len(stream.arrivals) == 3


def test_questions_that_lost_a_passage_come_when_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", musique())
    _, lost = paragraphs_stream(path, licence="", unanswerable=True).questions
    assert (lost.answers, lost.evidence) == ((), frozenset())


def test_popqa_has_its_answers_inside_a_string(tmp_path: Path) -> None:
    row = {"id": 7, "prop": "mayor", "question": "Who is mayor?",
           "possible_answers": '["Zazor", "Z."]',
           "paragraphs": [{"title": "Medom", "text": "Zazor.", "is_supporting": True}]}  # fmt: skip
    (asked,) = paragraphs_stream(write(tmp_path / "p.json", [row]), licence="MIT").questions
    assert (asked.id, asked.answers, asked.category) == ("7", ("Zazor", "Z."), "mayor")
    write(tmp_path / "p.json", [row | {"possible_answers": "Zazor"}])
    with pytest.raises(InvalidInput, match="possible_answers is no list: 'Zazor'"):
        paragraphs_stream(tmp_path / "p.json", licence="MIT")


def test_a_corpus_adds_what_is_not_there_yet(tmp_path: Path) -> None:
    corpus = write_lines(tmp_path / "c.jsonl", [
        {"title": "Brosan", "text": "A ship."}, {"title": "New", "text": "One\u2028more."}])  # fmt: skip
    path = write(tmp_path / "m.json", musique())
    stream = paragraphs_stream(path, licence="", corpus=corpus)
    assert [arrival.title for arrival in stream.arrivals] == ["Medom", "Zazor", "Brosan", "New"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"context": None}, r"h\.json: \[0\] has no 'context'"),
        ({"context": [["Medom"]]}, r"context\[0\] is not a pair of title and sentences"),
        ({"context": {"title": ["a"], "sentences": []}}, "has 1 titles for 0 passages"),
        ({"supporting_facts": "Medom"}, "supporting_facts is a text and not a list"),
        ({"answer": True}, "answer is true or false and not a text"),
    ],
)
def test_another_layout_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    path = write(tmp_path / "h.json", [hotpotqa()[0] | change])
    with pytest.raises(InvalidInput, match=f"{fault}.*expected JSON of the HotpotQA layout"):
        hotpotqa_stream(path)


def test_broken_and_empty_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('\n{"id": "1"}\n{"id": ')
    with pytest.raises(InvalidInput, match=r"m\.jsonl, line 3, is not JSON"):
        paragraphs_stream(path, licence="")
    path.write_text("\n\n")
    with pytest.raises(InvalidInput, match="has no rows"):
        paragraphs_stream(path, licence="")


def test_the_real_files(real: Callable[[str], Path]) -> None:
    pooled = paragraphs_stream(
        real("multihop/musique_train_dev50.json.gz"),
        licence=MUSIQUE_LICENCE,
        corpus=real("multihop/musique_train_corpus.json.gz"),
    )
    assert len(pooled.arrivals) == 1890  # so every paragraph of the questions is in the corpus
    assert len(pooled.questions) == 50
    assert all(
        question.category == f"{len(question.evidence)}-hop" for question in pooled.questions
    )
    pairs = hotpotqa_stream(real("multihop/hotpotqa_distractor_100.json.gz"))
    assert len(pairs.questions) == 100
    assert all(len(question.evidence) == 2 for question in pairs.questions)
