"""The same text found many times is one hit, and takes the place of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from agentcl import Memory

FERRY = "The ferry to Tessary leaves at seven."
OTHERS = [f"The ferry number {n} is painted in colour {n}." for n in range(20)]
MODES: tuple[Literal["hybrid", "dense", "text", "graph"], ...] = (
    "hybrid",
    "dense",
    "text",
    "graph",
)


@pytest.mark.parametrize("mode", MODES)
def test_copies_are_one_hit_with_the_newest_source(
    tmp_path: Path, mode: Literal["hybrid", "dense", "text", "graph"]
) -> None:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        memory.add_many(OTHERS)
        for number in range(12):
            last = memory.add(FERRY, uri=f"file{number}.txt", duplicates="keep")
        found = memory.search("ferry to Tessary", mode=mode, limit=10)
        assert len(found) == 10
        assert len({hit.text for hit in found}) == 10
        first = found.hits[0]
        assert (first.text, first.document_id, first.uri) == (FERRY, last.id, "file11.txt")
        assert first.copies == 12
        assert all(hit.copies == 1 for hit in found.hits[1:])
        assert "12 have this text" in first.why()
        prompt = found.prompt(budget_tokens=2_000)
        assert prompt.count(FERRY) == 1
        assert ", 12 copies" in prompt


@pytest.mark.parametrize("mode", MODES)
def test_more_copies_than_are_asked_of_an_index_leave_room_for_others(
    tmp_path: Path, mode: Literal["hybrid", "dense", "text", "graph"]
) -> None:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        memory.add_many([FERRY] * 450, duplicates="keep")
        memory.add_many(OTHERS[:4])
        found = memory.search("the ferry to Tessary leaves", mode=mode, limit=5)
        assert {hit.text for hit in found} == {FERRY, *OTHERS[:4]}
        assert found.hits[0].text == FERRY


def test_the_same_passage_under_other_titles_is_one_hit(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        memory.add(FERRY, title="Timetable")
        memory.add(f"{FERRY}\n", title="Old timetable")
        memory.add(FERRY, title="Copy of the plan", user="ada")
        newest = memory.add(FERRY, title="Timetable", uri="again", user="ada")
        memory.add("Rye bread is baked on Saturdays.", title="Timetable")
        (first, *others) = memory.search("ferry timetable", user="ada")
        assert (first.document_id, first.copies) == (newest.id, 4)
        assert FERRY not in {hit.text for hit in others}
        (first, *_) = memory.search("ferry timetable")
        assert first.copies == 2  # ada's is hers


def test_copies_that_were_deleted_or_do_not_hold_do_not_count(tmp_path: Path) -> None:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        one, other, third = memory.add_many([FERRY] * 3, duplicates="keep")
        memory.delete(other.id)
        memory.update(third.id, text="It has another text.")
        (first, *_) = memory.search("ferry to Tessary")
        assert (first.document_id, first.copies) == (one.id, 1)
