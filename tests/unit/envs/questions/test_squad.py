"""Articles that arrive, asked about early and late."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.envs.questions.records import Arrival, Question, QuestionStream
from agentcl.envs.questions.squad import SQUAD_LICENCE, squad_stream


# SQuAD 2.0 in small; the last question of each paragraph is impossible.
def squad(articles: int = 5, paragraphs: int = 2, questions: int = 4) -> dict[str, Any]:
    return {
        "version": "v2.0",
        "data": [
            {
                "title": f"Town_{a}",
                "paragraphs": [
                    {
                        "context": f"Town {a} has {p} towers.",
                        "qas": [
                            {
                                "id": f"{a}-{p}-{q}",
                                "question": f" How many towers has town {a} on day {p}{q}?",
                                "is_impossible": q == questions - 1,
                                "answers": []
                                if q == questions - 1
                                else [{"text": str(p), "answer_start": 11}] * 2,
                            }
                            for q in range(questions)
                        ],
                    }
                    for p in range(paragraphs)
                ],
            }
            for a in range(articles)
        ],
    }


def made(folder: Path, content: Any = None, **options: Any) -> QuestionStream:
    path = folder / "small-dev.json.gz"
    path.write_bytes(gzip.compress(json.dumps(squad() if content is None else content).encode()))
    return squad_stream(path, licence=SQUAD_LICENCE, **options)


def articles_between(stream: QuestionStream, question: Question) -> int:
    """Count the other articles that began to arrive between a question's evidence and it."""
    (evidence,) = question.evidence
    events = list(stream.events)
    at = next(
        i for i, event in enumerate(events) if isinstance(event, Arrival) and event.id == evidence
    )
    own = stream.arrivals[[a.id for a in stream.arrivals].index(evidence)].group
    between = events[at : events.index(question)]
    return len({event.group for event in between if isinstance(event, Arrival)} - {own})


@given(st.integers(1, 4), st.integers(0, 20))
def test_early_is_at_once_and_late_after_so_many_articles(
    tmp_path_factory: pytest.TempPathFactory, late_after: int, seed: int
) -> None:
    stream = made(tmp_path_factory.mktemp("s"), late_after=late_after, seed=seed)
    assert {question.delay for question in stream.questions} == {"early", "late"}
    for question in stream.questions:
        between = articles_between(stream, question)
        assert between == (0 if question.delay == "early" else late_after)
    # The articles that no longer find enough of others after them have no late questions.
    late = {min(q.evidence)[:6] for q in stream.questions if q.delay == "late"}
    assert len(late) == 5 - late_after


def test_an_early_question_follows_its_paragraph(tmp_path: Path) -> None:
    last = ""
    for event in made(tmp_path).events:
        if isinstance(event, Arrival):
            last = event.id
        elif event.delay == "early":
            assert event.evidence == {last}


def test_split_asks_once_and_both_asks_twice(tmp_path: Path) -> None:
    content = squad(articles=40)
    split, both = (made(tmp_path, content, timing=t, late_after=1) for t in ("split", "both"))
    counts = Counter(question.delay for question in split.questions)
    assert len({question.text for question in split.questions}) == len(split.questions)
    assert counts["early"] == pytest.approx(120, abs=30)
    assert counts["late"] == pytest.approx(117, abs=30)
    assert Counter(q.delay for q in both.questions) == {"early": 240, "late": 234}
    assert {q.id.rpartition("/")[2] for q in both.questions} == {"early", "late"}


def test_unanswerable_questions_come_when_asked_for(tmp_path: Path) -> None:
    assert all(question.answers for question in made(tmp_path).questions)
    stream = made(tmp_path, unanswerable=True, timing="both")
    kinds = Counter((q.category, bool(q.answers), bool(q.evidence)) for q in stream.questions)
    assert kinds == {("answerable", True, True): 30 + 12, ("unanswerable", False, False): 10 + 4}


def test_texts_and_answers_are_those_of_the_file(tmp_path: Path) -> None:
    stream = made(tmp_path, timing="both")
    assert stream.name == "small-dev"
    assert stream.licence == "CC BY-SA 4.0"
    assert stream.arrivals[3] == Arrival(
        "Town 1/2", "Town 1 has 1 towers.", "Town 1", group="Town 1"
    )
    asked = next(q for q in stream.questions if q.id == "1-1-0/early")
    assert asked.text == "How many towers has town 1 on day 10?"
    assert asked.answers == ("1",)


def test_few_questions_of_a_paragraph_are_drawn_by_the_seed(tmp_path: Path) -> None:
    streams = [made(tmp_path, per_paragraph=1, seed=seed) for seed in (0, 0, 1)]
    assert streams[0] == streams[1] != streams[2]
    assert len(streams[0].questions) <= len(streams[0].arrivals)


def test_squad_1_and_articles_of_one_title_are_read(tmp_path: Path) -> None:
    content = squad()
    for article in content["data"]:
        article["title"] = "Same"
        for paragraph in article["paragraphs"]:
            paragraph["qas"] = paragraph["qas"][:-1]
            for question in paragraph["qas"]:
                del question["is_impossible"]
    stream = made(tmp_path, content)
    assert [arrival.id for arrival in stream.arrivals[:3]] == ["Same/1", "Same/2", "Same (2)/1"]
    assert len({arrival.group for arrival in stream.arrivals}) == 5


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"rows": []}, r"small-dev\.json\.gz has no 'data', only rows; expected JSON of the SQuAD"),
        ([1], r"small-dev\.json\.gz is a list and not an object"),
        ({"data": {}}, "data is an object and not a list"),
        ({"data": [{"title": "t"}]}, r"data\[0\] has no 'paragraphs', only title"),
        ({"data": [{"paragraphs": [{"context": 1.5}]}]}, r"paragraphs\[0\] has no 'qas'"),
        ({"data": [{"paragraphs": [{"context": ["x"], "qas": []}]}]}, "context is a list and not"),
        (
            {"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "1", "question": "?",
             "answers": []}]}]}]},
            r"qas\[0\] has no answer and is not marked is_impossible",
        ),
    ],
)  # fmt: skip
def test_another_layout_is_refused_with_its_place(tmp_path: Path, content: Any, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        made(tmp_path, content)


def test_a_file_absent_cut_short_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(squad()).encode())
    for name, content, fault in [
        ("cut.json.gz", whole[:-20], r"cut\.json\.gz is cut short; copy it again"),
        ("damaged.json.gz", whole[:40] + b"xxxx" + whole[44:], "is damaged, or no gzip file"),
        ("plain.json.gz", b"{}", "is damaged, or no gzip file"),
        ("cut.json", json.dumps(squad()).encode()[:-20], r"cut\.json is not JSON .* cut short"),
        ("bytes.json", b"PAR1\xff\xfe", "is not UTF-8 text"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match=fault):
            squad_stream(tmp_path / name, licence="")
    with pytest.raises(InvalidInput, match=r"there is no file .*none\.json; give the path of your"):
        squad_stream(tmp_path / "none.json", licence="")
    with pytest.raises(InvalidInput, match="cannot be read"):
        squad_stream(tmp_path, licence="")


@pytest.mark.parametrize("options", [{"late_after": 0}, {"per_paragraph": 0}, {"timing": "never"}])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="must be"):
        made(tmp_path, **options)


def test_the_real_file(tmp_path: Path, real: Callable[[str], Path]) -> None:
    stream = squad_stream(
        real("squad/squad2-dev-A.json.gz"), licence=SQUAD_LICENCE, timing="both", unanswerable=True
    )
    assert len(stream.arrivals) == 296
    early = [question for question in stream.questions if question.delay == "early"]
    assert Counter(bool(q.answers) for q in early) == {True: 1327, False: 2943 - 1327}
    texts = {arrival.id: arrival.text for arrival in stream.arrivals}
    for question in stream.questions:
        for evidence in question.evidence:
            assert all(answer in texts[evidence] for answer in question.answers)
    stream.save(tmp_path / "s.jsonl")
    assert QuestionStream.load(tmp_path / "s.jsonl") == stream
