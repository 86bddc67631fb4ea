"""Conversations: turns in their sessions with times, categories by number and name, known faults."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.envs.questions.locomo import CATEGORIES, Locomo, read_locomo
from agentcl.envs.questions.records import Question


def locomo() -> list[dict[str, Any]]:
    """A conversation of two sessions with all that is odd in the published ones."""
    return [
        {
            "sample_id": "conv-1",
            "conversation": {
                "speaker_a": "Ada",
                "speaker_b": "Ben",
                "session_2_date_time": "12:05 am on 1 June, 2023",
                "session_2": [
                    {"speaker": "Ben", "dia_id": "D2:1", "text": "Look!", "blip_caption": "a kite"},
                    {"speaker": "Ada", "dia_id": "D2:2", "text": " "},
                ],
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [
                    {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved to Medom in 2020."},
                    {"speaker": "Ben", "dia_id": "D1:2", "text": "I sail."},
                ],
                "session_3_date_time": "9:00 am on 2 June, 2023",
            },
            "qa": [
                {"question": "When did Ada move?", "answer": 2020, "evidence": ["D1:1"], "category": 2},
                {"question": "What do both do?", "answer": "fly and sail",
                 "evidence": ["D:1:2; D2:1", "D4:36", "D"], "category": 1},
                {"question": "Would Ada like salt?", "answer": "yes", "evidence": [], "category": 3},
                {"question": "What does Ben do?", "answer": "sail", "evidence": ["D1:1"], "category": 4},
                {"question": "What does Ada sail?", "adversarial_answer": "a kite",
                 "evidence": ["D1:2"], "category": 5},
                {"question": "Is the kite Ada's?", "answer": "No", "adversarial_answer": "Yes",
                 "evidence": ["D2:1"], "category": 5},
            ],
        }
    ]  # fmt: skip


def locomo_faults() -> list[dict[str, str]]:
    """Two known faults of that conversation, and one of another."""
    return [
        {"sample_id": "conv-1", "question": "What does Ben do?", "error_type": "WRONG_CITATION"},
        {"sample_id": "conv-1", "question": "Would Ada like salt?", "error_type": "HALLUCINATION"},
        {"sample_id": "conv-9", "question": "When did Ada move?", "error_type": "TEMPORAL_ERROR"},
    ]


def read(folder: Path, content: Any = None, **options: Any) -> Locomo:
    path = folder / "locomo10.json"
    path.write_text(json.dumps(locomo() if content is None else content))
    return read_locomo(path, **options)


def asked(read: Locomo) -> dict[str, Question]:
    (stream,) = read.streams
    return {question.text: question for question in stream.questions}


def test_turns_arrive_by_session_with_its_time(tmp_path: Path) -> None:
    (stream,) = read(tmp_path).streams
    assert [arrival.id for arrival in stream.arrivals] == [
        "conv-1/D1:1",
        "conv-1/D1:2",
        "conv-1/D2:1",  # the turn after it has neither text nor picture
    ]
    first, _, last = stream.arrivals
    assert (first.speaker, first.group) == ("Ada", "conv-1/session_1")
    assert first.said_at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    assert last.said_at == datetime(2023, 6, 1, 0, 5, tzinfo=UTC)
    assert last.text == "Look! [shares a picture: a kite]"
    assert {question.asked_at for question in stream.questions} == {last.said_at}


def test_the_licence_is_kept(tmp_path: Path) -> None:
    (stream,) = read(tmp_path).streams
    assert stream.licence.startswith("CC BY-NC 4.0")


def test_categories_have_their_number_and_the_name_by_count(tmp_path: Path) -> None:
    assert CATEGORIES[1] == "1 multi-hop"
    assert CATEGORIES[4] == "4 single-hop"  # 841 of the ten conversations; some harnesses swap them
    questions = asked(read(tmp_path))
    assert {q.text: q.category for q in questions.values()} == {
        "When did Ada move?": "2 temporal",
        "What do both do?": "1 multi-hop",
        "Would Ada like salt?": "3 open-domain",
        "What does Ben do?": "4 single-hop",
    }
    assert questions["When did Ada move?"].answers == ("2020",)


def test_adversarial_questions_are_apart(tmp_path: Path) -> None:
    questions = asked(read(tmp_path, adversarial=True))
    assert {q.category for q in questions.values()} == {"5 adversarial"}
    assert questions["What does Ada sail?"].answers == ()
    assert questions["Is the kite Ada's?"].answers == ("No",)
    assert not set(questions) & set(asked(read(tmp_path)))


def test_citations_are_read_leniently_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    conversation = read(tmp_path)
    question = asked(conversation)["What do both do?"]
    assert question.evidence == {"conv-1/D1:2", "conv-1/D2:1"}
    assert conversation.dropped_evidence == {question.id: ("conv-1/D4:36", "D")}


@pytest.mark.parametrize(
    ("faulty", "categories"),
    [
        ("keep", {"1 multi-hop", "2 temporal", "3 open-domain", "4 single-hop"}),
        ("mark", {"1 multi-hop", "2 temporal", "3 open-domain (wrong key)",
                  "4 single-hop (wrong citation)"}),
        ("leave out", {"1 multi-hop", "2 temporal"}),
    ],
)  # fmt: skip
def test_known_faults_are_kept_marked_or_left_out(
    tmp_path: Path, faulty: str, categories: set[str]
) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(locomo_faults()))
    conversation = read(tmp_path, faults=path, faulty=faulty)
    assert {q.category for q in asked(conversation).values()} == categories
    assert sorted(conversation.faults.values()) == ["HALLUCINATION", "WRONG_CITATION"]
    assert read(tmp_path, faulty=faulty).faults == {}


def changed(**changes: Any) -> list[dict[str, Any]]:
    (sample,) = locomo()
    return [sample | changes]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"a": 1}, "is an object and not a list"),
        (changed(conversation={"session_one": []}), "conversation has no session_1"),
        (changed(conversation={"session_1": [{"text": "x"}]}), "has no 'dia_id'"),
        (
            changed(conversation={"session_1": [], "session_1_date_time": "in May"}),
            "has a session_1_date_time that is no time: 'in May'",
        ),
        (
            changed(qa=[{"question": "?", "category": 6}]),
            "has the category 6, and LoCoMo has 1 to 5",
        ),
        (
            changed(qa=[{"question": "?", "category": 1}]),
            r"\[0\]\.qa\[0\] has no answer; expected LoCoMo",
        ),
    ],
)
def test_another_layout_is_refused_with_its_place(tmp_path: Path, content: Any, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read(tmp_path, content)


def test_an_unknown_way_with_faults_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="faulty must be"):
        read(tmp_path, faulty="repair")


def test_the_real_file(real: Callable[[str], Path]) -> None:
    path, faults = (
        real(f"locomo/{name}")
        for name in ("locomo10-dev5.json.gz", "answer-key-errors-dev5.json.gz")
    )
    known = read_locomo(path, faults=faults, faulty="keep")
    questions = [question for stream in known.streams for question in stream.questions]
    assert Counter(question.category for question in questions) == {
        "1 multi-hop": 151, "2 temporal": 157, "3 open-domain": 61, "4 single-hop": 419
    }  # fmt: skip
    assert len(known.faults) == 87
    assert sum(map(len, known.dropped_evidence.values())) == 1
    assert sum(bool(question.evidence) for question in questions) == 786
    apart = read_locomo(path, adversarial=True)
    assert sum(len(stream.questions) for stream in apart.streams) == 232
    assert len(apart.streams) == 5
