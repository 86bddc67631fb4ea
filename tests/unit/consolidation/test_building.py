"""Rows: made of what was chosen, split by wording, with the ids of what they hold."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcl import InvalidInput, Lesson, Memory
from agentcl.consolidation import TrainingRow, rows_of, select
from agentcl.consolidation.rows.building import load, save
from agentcl.consolidation.rows.exporting import export_episodes
from agentcl.consolidation.rows.phrasing import UNKNOWN, of_lesson, questions_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
Make = Callable[..., Any]


def test_each_record_is_asked_in_wordings_that_training_never_saw(
    memory: Memory, prove: Make, hold: Make
) -> None:
    lesson, said = prove(), hold()
    rows = rows_of(memory, select(memory, at=NOW))
    for id in (lesson, said.id):
        recalled = [row for row in rows if row.records == (id,) and row.part == "recall"]
        trained = {row.prompt for row in recalled if row.split == "train"}
        held = {row.prompt for row in recalled if row.split == "held"}
        assert len(trained) == 4
        assert len(held) == 2
        assert not trained & held
    assert not {row.prompt for row in rows if row.split == "train"} & {
        row.prompt for row in rows if row.split == "held"
    }


def test_an_adapter_learns_to_say_that_it_does_not_know_and_to_follow_what_is_newer(
    memory: Memory, hold: Make
) -> None:
    said, other = hold(), hold("Ilka Renn", value="room 9")
    rows = [row for row in rows_of(memory, select(memory, at=NOW)) if row.records == (said.id,)]
    unknown = [row for row in rows if row.part == "unknown"]
    assert {row.answer for row in unknown} == {UNKNOWN}
    assert not any(said.subject in row.prompt for row in unknown)
    newer = [row for row in rows if row.part == "context"]
    assert {row.split for row in newer} == {"train", "held"}
    assert all(row.answer in row.prompt and row.answer != said.value for row in newer)
    assert other.value in {row.answer for row in newer}


def test_a_solved_episode_is_a_row_an_action(memory: Memory) -> None:
    with memory.episode("sort it", goal="sort the heap") as one:
        one.step("a heap", "look", "it is mixed")
        one.step("a mixed heap", "sort", "sorted")
        played = one.finish(1.0)
    rows = rows_of(memory, select(memory, at=NOW))
    assert [(row.records, row.answer) for row in rows] == [
        ((played.id,), "look"),
        ((played.id,), "sort"),
    ]
    assert "sort the heap" in rows[1].prompt


def test_an_empty_selection_is_refused_with_what_was_looked_at(memory: Memory) -> None:
    memory.lessons.add("When a log is long, read its end.")
    with pytest.raises(InvalidInput, match=r"1 lessons.*--dry-run"):
        rows_of(memory, select(memory, at=NOW))


def test_a_manifest_names_what_rows_hold_and_quotes_nothing(
    memory: Memory, hold: Make, tmp_path: Path
) -> None:
    said = hold()
    selection = select(memory, at=NOW)
    rows = rows_of(memory, selection)
    manifest = save(tmp_path, rows, selection)
    text = (tmp_path / "rows.jsonl").read_bytes()
    assert manifest.rows_sha256 == hashlib.sha256(text).hexdigest()
    assert manifest.records == {said.id: said.version}
    assert sum(manifest.parts.values()) == len(rows)
    assert said.value not in (tmp_path / "manifest.json").read_text("utf-8")
    assert load(tmp_path / "rows.jsonl") == rows


def test_the_same_choice_makes_the_same_rows(memory: Memory, prove: Make, hold: Make) -> None:
    prove()
    hold()
    assert rows_of(memory, select(memory, at=NOW)) == rows_of(memory, select(memory, at=NOW))


words = st.text("abc xyz,.", min_size=1).filter(str.strip)


@given(words, words, words)
def test_no_two_wordings_are_the_same(subject: str, attribute: str, when: str) -> None:
    for questions in (
        questions_of(subject, attribute),
        of_lesson(Lesson(when, "do", "wait")).questions,
    ):
        assert len(set(questions)) == len(questions)


def test_a_row_is_a_chat(memory: Memory) -> None:
    assert TrainingRow((), "recall", "train", "Who?", "I.").messages() == [
        {"role": "user", "content": "Who?"}
    ]


def live(memory: Memory, action: str, score: float) -> str:
    with memory.episode("clear it", application="ops", world="north", seed=1) as one:
        one.recall("the queue is slow")
        one.step("the queue is slow", action, "so it went")
        return one.finish(score).id


def test_episodes_become_conversations_with_lessons_and_credit_as_labels(memory: Memory) -> None:
    told = memory.lessons.add("When the queue is slow, drain it.")
    won = live(memory, "drain it", 1.0)
    live(memory, "wait", 0.0)
    (row,) = export_episodes(memory, "sft")
    assert [one["role"] for one in row["messages"]] == ["user", "assistant"]
    assert row["messages"][1]["content"] == "drain it"
    assert (row["episode"], row["score"]) == (won, 1.0)
    assert [one["id"] for one in row["lessons"]] == [told.id]
    assert {"sentence", "uplift", "trust", "shown", "followed"} <= row["lessons"][0].keys()
    json.dumps(row)


def test_two_attempts_that_parted_ways_become_a_pair(memory: Memory) -> None:
    won, lost = live(memory, "drain it", 1.0), live(memory, "wait", 0.0)
    live(memory, "drain it", 0.0)
    (row,) = export_episodes(memory, "dpo")
    assert row["chosen"][0]["content"] == "drain it"
    assert row["rejected"][0]["content"] == "wait"
    assert (row["episode"], row["rejected_episode"]) == (won, lost)


def test_only_known_formats_are_written(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="sft"):
        export_episodes(memory, "xml")  # type: ignore[arg-type]
