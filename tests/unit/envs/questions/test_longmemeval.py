"""LongMemEval's layout: a history for each question, its sessions by date."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.envs.questions.longmemeval import longmemeval_streams
from agentcl.envs.questions.records import QuestionStream


def longmemeval() -> list[dict[str, Any]]:
    """A question with marked turns, one with a marked session only, and one without answer."""
    sessions = [
        [{"role": "user", "content": "I have a heron now."},
         {"role": "assistant", "content": "A fox was better."}],
        [{"role": "user", "content": "I have a fox.", "has_answer": True},
         {"role": "assistant", "content": ""},
         {"role": "assistant", "content": "Good.", "has_answer": False}],
    ]  # fmt: skip
    row = {
        "question_id": "m1", "question_type": "knowledge-update", "question": "What had I first?",
        "answer": "a fox", "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_session_ids": ["s2", "s1"],
        "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/04/10 (Mon) 17:50"],
        "haystack_sessions": sessions, "answer_session_ids": ["s1"],
    }  # fmt: skip
    unmarked = [sessions[0], [{"role": "user", "content": "I have 3."}], sessions[0]]
    return [
        row,
        row | {"question_id": "m2", "answer": 3, "haystack_sessions": unmarked,
               "haystack_session_ids": ["s2", "s1", "s2"],
               "haystack_dates": [*row["haystack_dates"], "2023/05/21 (Sun) 02:21"]},
        row | {"question_id": "m3_abs", "answer": "You did not say."},
    ]  # fmt: skip


def read(folder: Path, content: Any = None, **options: Any) -> list[QuestionStream]:
    path = folder / "longmemeval_s.json"
    path.write_text(json.dumps(longmemeval() if content is None else content))
    return list(longmemeval_streams(path, **options))


def test_sessions_arrive_by_date_and_the_question_comes_last(tmp_path: Path) -> None:
    stream = read(tmp_path)[0]
    assert stream.name == "longmemeval/m1"
    assert [(a.id, a.speaker, a.text) for a in stream.arrivals] == [
        ("s1/0", "user", "I have a fox."),
        ("s1/2", "assistant", "Good."),  # the turn between them is empty
        ("s2/0", "user", "I have a heron now."),
        ("s2/1", "assistant", "A fox was better."),
    ]
    assert stream.arrivals[0].said_at == datetime(2023, 4, 10, 17, 50, tzinfo=UTC)
    (question,) = stream.questions
    assert question == stream.events[-1]
    assert question.asked_at == datetime(2023, 5, 30, 23, 40, tzinfo=UTC)
    assert (question.answers, question.category) == (("a fox",), "knowledge-update")
    assert question.evidence == {"s1/0"}


def test_without_marked_turns_the_whole_session_is_evidence(tmp_path: Path) -> None:
    stream = read(tmp_path)[1]
    assert stream.questions[0].evidence == {"s1/0"}
    assert stream.questions[0].answers == ("3",)
    assert {arrival.group for arrival in stream.arrivals} == {"s1", "s2", "s2#2"}


def test_an_abstention_has_no_answer_and_no_evidence(tmp_path: Path) -> None:
    (question,) = read(tmp_path)[2].questions
    assert (question.answers, question.evidence) == ((), frozenset())
    assert question.category == "knowledge-update (abstention)"


def test_sessions_can_arrive_whole(tmp_path: Path) -> None:
    stream = read(tmp_path, unit="session")[0]
    assert [arrival.id for arrival in stream.arrivals] == ["s1", "s2"]
    assert stream.arrivals[0].text == "user: I have a fox.\nassistant: Good."
    assert stream.questions[0].evidence == {"s1"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"haystack_dates": ["2023/05/20 (Sat) 02:21"]}, "has 2 sessions, 2 ids and 1 dates"),
        ({"question_date": "30 May"}, 'question_date is no time like "2023/05/30'),
        ({"question_date": "2023/13/30 (Tue) 23:40"}, "question_date is no time: '2023/13"),
        ({"answer_session_ids": None}, "has no 'answer_session_ids'"),
        ({"haystack_sessions": [["hello"], []]}, r"\[0\]\[0\] is a text and not an object"),
    ],
)
def test_another_layout_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidInput, match=f"{fault}.*; expected LongMemEval's JSON"):
        read(tmp_path, [longmemeval()[0] | change])


def test_an_unknown_unit_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unit must be"):
        longmemeval_streams(tmp_path / "none.json", unit="word")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="there is no file"):
        longmemeval_streams(tmp_path / "none.json")
