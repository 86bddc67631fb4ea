"""A question about one is not answered by what is so of another, or only supposed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.memory.asked_of import subject_asked
from agentcl.statements import RuleDigester
from agentcl.statements.hearing import only_supposes

MARCH = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as opened:
        yield opened


def talk(memory: Memory, *texts: str) -> None:
    for day, text in enumerate(texts):
        message = {"role": "user", "content": text, "time": MARCH + timedelta(days=day)}
        memory.remember(message, user="ada", session=f"s{day}")
    memory.statements.digest(RuleDigester(), user="ada")


def shown(memory: Memory, question: str) -> str:
    return memory.context(question, user="ada", session=question).text


HOMES = ("I live in Ghent.", "My sister Jettra lives in Quill.")


def test_where_another_lives_is_no_answer_to_where_the_user_does(memory: Memory) -> None:
    talk(memory, *HOMES)
    found = shown(memory, "In which city do I live?")
    assert "Ghent" in found
    assert "Quill" not in found


def test_where_nothing_is_known_of_who_is_asked_of_all_is_shown(memory: Memory) -> None:
    talk(memory, HOMES[1])
    assert "Quill" in shown(memory, "In which city do I live?")


def test_a_question_about_another_finds_what_is_so_of_him(memory: Memory) -> None:
    talk(memory, *HOMES)
    assert "Quill" in shown(memory, "Who lives in Quill?")
    assert "Quill" in shown(memory, "Where does my sister Jettra live?")


def test_what_is_only_supposed_is_no_answer_to_what_is_so(memory: Memory) -> None:
    talk(memory, HOMES[0], "If I were rich I'd live in Lisbon.")
    assert "Lisbon" not in shown(memory, "In which city do I live?")
    assert "Lisbon" in shown(memory, "What did I say about Lisbon?")


def test_whom_the_user_knows_is_shown_where_it_is_asked_for(memory: Memory) -> None:
    talk(memory, "My dentist is called Orlo Brask.", "I'm allergic to nuts.")
    assert "Brask" not in shown(memory, "What can I cook?")
    assert "nuts" in shown(memory, "What can I cook?")
    assert "Brask" in shown(memory, "Who is my dentist?")
    assert "Brask" in memory.profile(user="ada").text


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Where do I live?", "user"),
        ("What is the user's job?", "user"),
        ("Where does my sister live?", "sister"),
        ("Who lives in Quill?", ""),
        ("When is the regatta?", ""),
    ],
)
def test_a_question_says_of_whom_it_asks(question: str, asked: str) -> None:
    assert subject_asked(question) == asked


@pytest.mark.parametrize(
    ("text", "supposes"),
    [
        ("Ha. If I were rich I'd live in Lisbon.", True),
        ("Maybe. I want to be a baker, or a pirate if I turn out rich.", False),
        ("If I move, what does it cost?", False),
        ("I live in Ghent. If I were rich I'd move.", False),
        ("", False),
    ],
)
def test_a_text_that_only_supposes_says_nothing_that_is_so(text: str, supposes: bool) -> None:
    assert only_supposes(text) is supposes
