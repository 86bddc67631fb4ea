"""MemoryAgentBench's layout: one text in pieces, then the questions about it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput
from agentcl.envs.questions.memory_agent_bench import memory_agent_bench_streams
from agentcl.envs.questions.records import QuestionStream


def memory_agent_bench() -> list[dict[str, Any]]:
    """Facts with questions, and a row of another source with its fields outside metadata."""
    context = "Here is a list of facts:\n" + "\n".join(
        f"{n}. The mayor of town {n} is number {n}." for n in range(20)
    )
    return [
        {
            "context": context,
            "questions": ["Who is mayor of town 1?", "Who of town 2?"],
            "answers": [["number 1", "one"], ["number 2"]],
            "metadata": {"source": "factconsolidation_sh_6k", "qa_pair_ids": ["f_no0", "f_no1"],
                         "question_types": None, "demo": ""},
        },
        {
            "context": "word " * 50,
            "questions": ["What?"],
            "answers": ["word"],
            "source": "eventqa_64k",
            "qa_pair_ids": ["same", "same"],
            "question_types": ["order"],
        },
    ]  # fmt: skip


def read(folder: Path, content: Any = None, **options: Any) -> list[QuestionStream]:
    path = folder / "Conflict_Resolution.jsonl"
    rows = memory_agent_bench() if content is None else content
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(memory_agent_bench_streams(path, **options))


def test_the_text_arrives_in_pieces_of_whole_lines(tmp_path: Path) -> None:
    stream = read(tmp_path, chunk_characters=100)[0]
    assert stream.name == "memory_agent_bench/factconsolidation_sh_6k/1"
    assert max(len(arrival.text) for arrival in stream.arrivals) <= 100
    joined = "\n".join(arrival.text for arrival in stream.arrivals)
    assert joined == memory_agent_bench()[0]["context"]


def test_questions_follow_with_all_their_answers(tmp_path: Path) -> None:
    first, second = read(tmp_path)
    assert [(q.id, q.answers, q.category) for q in first.questions] == [
        ("f_no0", ("number 1", "one"), "factconsolidation_sh_6k"),
        ("f_no1", ("number 2",), "factconsolidation_sh_6k"),
    ]
    (question,) = second.questions  # two ids for one question are not used
    assert (question.id, question.answers, question.category) == ("q1", ("word",), "order")
    assert not any(q.evidence for stream in (first, second) for q in stream.questions)


def test_ids_that_come_twice_are_not_used(tmp_path: Path) -> None:
    row = memory_agent_bench()[0]
    row["metadata"]["qa_pair_ids"] = ["same", "same"]
    assert [question.id for question in read(tmp_path, [row])[0].questions] == ["q1", "q2"]


def test_rows_can_be_chosen_by_source(tmp_path: Path) -> None:
    (stream,) = read(tmp_path, source="eventqa")
    assert stream.name == "memory_agent_bench/eventqa_64k/1"
    with pytest.raises(InvalidInput, match="no row of source 'ruler'; it has eventqa_64k, factcon"):
        read(tmp_path, source="ruler")


@given(st.text(alphabet="ab .\n", max_size=80).filter(str.strip), st.integers(1, 20))
def test_pieces_are_short_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, context: str, size: int
) -> None:
    row = memory_agent_bench()[0] | {"context": context}
    (stream,) = read(tmp_path_factory.mktemp("m"), [row], chunk_characters=size)
    assert all(0 < len(arrival.text) <= size for arrival in stream.arrivals)
    kept = "".join("".join(arrival.text.split()) for arrival in stream.arrivals)
    assert kept == "".join(context.split())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"questions": ["one"]}, r"line 1 has 1 questions and 2 answers"),
        ({"answers": "none"}, r"line 1\.answers is a text and not a list"),
        ({"context": None}, r"line 1 has no 'context'"),
    ],
)
def test_another_layout_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read(tmp_path, [memory_agent_bench()[0] | change])


def test_a_parquet_file_is_refused_with_the_way_to_export_it(tmp_path: Path) -> None:
    path = tmp_path / "Conflict_Resolution-00000-of-00001.parquet"
    path.write_bytes(b"PAR1\x15\x04\xff\xfe")
    with pytest.raises(InvalidInput, match=r"is not UTF-8 text; .*export its parquet files"):
        memory_agent_bench_streams(path)
    with pytest.raises(InvalidInput, match="chunk_characters must be"):
        memory_agent_bench_streams(path, chunk_characters=0)
