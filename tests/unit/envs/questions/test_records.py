"""Streams of questions as values: saved and loaded unchanged, and never with a question before its evidence."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.envs.questions import Arrival, Question, QuestionStream

SAID = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
FIRST = Arrival("d1", "Mira founded Tavo.", "Tavo", SAID, "Ada", "talk")
ASKED = Question("q1", "Who founded Tavo?", ("Mira",), frozenset({"d1"}), "single", SAID, "early")
STREAM = QuestionStream("small", "CC BY-NC 4.0", (FIRST, ASKED))


def saved(path: Path, stream: QuestionStream = STREAM) -> list[str]:
    stream.save(path)
    return path.read_text(encoding="utf-8").splitlines()


def test_a_stream_comes_back_as_it_was(tmp_path: Path) -> None:
    STREAM.save(tmp_path / "s.jsonl")
    assert QuestionStream.load(tmp_path / "s.jsonl") == STREAM
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]


def test_the_licence_stands_in_the_first_line(tmp_path: Path) -> None:
    assert json.loads(saved(tmp_path / "s.jsonl")[0])["licence"] == "CC BY-NC 4.0"


text = st.text(min_size=1).filter(str.strip)


@given(
    st.lists(st.tuples(text, st.text(), st.text(), st.text()), max_size=5),
    st.lists(st.tuples(text, st.lists(st.text()), st.text(), st.booleans()), max_size=5),
    st.text(),
)
def test_any_stream_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[tuple[str, str, str, str]],
    asked: list[tuple[str, list[str], str, bool]],
    name: str,
) -> None:
    arrivals = [Arrival(f"d{i}", d[0], d[1], None, d[2], d[3]) for i, d in enumerate(documents)]
    ids = frozenset(arrival.id for arrival in arrivals)
    questions = [
        Question(f"q{i}", q[0], tuple(q[1]), ids, q[2], SAID if q[3] else None)
        for i, q in enumerate(asked)
    ]
    stream = QuestionStream(name, "", (*arrivals, *questions))
    path = tmp_path_factory.mktemp("any") / "s.jsonl"
    stream.save(path)
    assert QuestionStream.load(path) == stream
    assert stream.arrivals == tuple(arrivals)
    assert stream.questions == tuple(questions)


def test_a_time_of_another_zone_is_the_same_moment(tmp_path: Path) -> None:
    said = SAID.astimezone(timezone(timedelta(hours=5)))
    QuestionStream("s", "", (Arrival("d", "x", said_at=said),)).save(tmp_path / "s.jsonl")
    assert QuestionStream.load(tmp_path / "s.jsonl").arrivals[0].said_at == SAID


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ((ASKED, FIRST), r"event 1: question 'q1' is asked before its evidence 'd1'"),
        ((FIRST, FIRST), r"event 2: there is a second arrival with the id 'd1'"),
        ((FIRST, ASKED, ASKED), r"event 3: there is a second question with the id 'q1'"),
        ((Arrival("", "x"),), "event 1: arrival '' has no id"),
        ((Arrival("d", " \n"),), "event 1: arrival 'd' has no text"),
        ((Question("q", "", ()),), "event 1: question 'q' has no text"),
        ((Arrival("d", "x", said_at=SAID.replace(tzinfo=None)),), "'d' has no time zone"),
        ((Question("q", "x", (), asked_at=SAID.replace(tzinfo=None)),), "'q' has no time zone"),
        ((Question("q", "x", (), delay="soon"),), "'soon' is no delay"),  # type: ignore[arg-type]
    ],
)
def test_an_impossible_stream_is_refused(
    events: tuple[Arrival | Question, ...], fault: str
) -> None:
    with pytest.raises(InvalidInput, match=fault):
        QuestionStream("s", "", events)


@pytest.mark.parametrize(
    ("line", "changes", "fault"),
    [
        (0, {"format": "other"}, "line 1: this is no question stream of version 1"),
        (0, {"version": 2}, "line 1: this is no question stream of version 1"),
        (1, {"event": "song"}, "line 2: an event is an arrival or a question, not 'song'"),
        (1, {"text": 7}, "line 2: text must be a string, not int"),
        (1, {"text": ""}, "line 2: arrival 'd1' has no text"),
        (1, {"said_at": "May"}, "line 2: said_at is no ISO 8601 time: 'May'"),
        (1, {"said_at": "2024-05-01T12:30:00"}, "line 2: the time of 'd1' has no time zone"),
        (2, {"answers": "Mira"}, "line 3: answers must be a list of strings"),
        (2, {"evidence": ["d2"]}, "line 3: question 'q1' is asked before its evidence 'd2'"),
        (2, {"delay": "soon"}, "line 3: 'soon' is no delay"),
    ],
)
def test_a_wrong_line_is_named(
    tmp_path: Path, line: int, changes: dict[str, object], fault: str
) -> None:
    path = tmp_path / "s.jsonl"
    lines = saved(path)
    lines[line] = json.dumps(json.loads(lines[line]) | changes)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput, match=fault):
        QuestionStream.load(path)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    lines = saved(path)
    path.write_text("\n".join(lines[:2]) + "\n")
    with pytest.raises(InvalidInput, match="promises 2 events and 1 are there"):
        QuestionStream.load(path)
    path.write_text("\n".join(lines)[:-5])
    with pytest.raises(InvalidInput, match="line 3: this is not JSON"):
        QuestionStream.load(path)
    path.write_text("[1]\n")
    with pytest.raises(InvalidInput, match="line 1: expected a JSON object, found list"):
        QuestionStream.load(path)


def test_half_a_character_survives(tmp_path: Path) -> None:
    stream = QuestionStream("s", "", (Arrival("d", "half \ud83d\u2028of a face"),))
    stream.save(tmp_path / "s.jsonl")
    assert QuestionStream.load(tmp_path / "s.jsonl") == stream


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be written to .*nowhere"):
        STREAM.save(tmp_path / "nowhere" / "s.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match=r"cannot be written to .*folder"):
        STREAM.save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.jsonl cannot be read"):
        QuestionStream.load(tmp_path / "none.jsonl")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="cannot be read"):
        QuestionStream.load(tmp_path / "bytes")
