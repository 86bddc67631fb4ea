"""What a newer turn has replaced is not shown to a question about what is so."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agentcl import Memory
from agentcl.memory.context.covering import asks_what_is_so
from agentcl.retrieval.encoders import Role
from agentcl.text.terms import terms

JANUARY, JUNE = (datetime(2025, month, 10, 12, tzinfo=UTC) for month in (1, 6))


class ByWords:
    """Vectors that are the alike the more words texts share; measured as MiniLM is."""

    name = "minilm"
    dim = 512
    is_lexical = False

    def encode(self, texts: Sequence[str], *, role: Role) -> list[bytes]:
        made = []
        for text in texts:
            vector = np.zeros(self.dim, dtype="<f4")
            for term in terms(text):
                vector[sum(map(ord, term)) % self.dim] += 1
            made.append((vector / (np.linalg.norm(vector) or 1)).tobytes())
        return made


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", encoder=ByWords()) as opened:
        yield opened


def told(memory: Memory, question: str, *said: tuple[datetime, str]) -> str:
    for number, (at, text) in enumerate(said):
        message = {"role": "user", "content": text, "time": at}
        memory.remember(message, user="ada", session=f"s{number} {at:%m}")
    return memory.context(question, user="ada", session="asked").text


PHONE = (JANUARY, "My phone is a Corva, it fits my pocket.")
NOW = (JUNE, "My phone is a Fernlite now.")


def test_what_has_changed_is_left_out_where_it_is_asked_what_is_so(memory: Memory) -> None:
    found = told(memory, "Which phone is mine?", PHONE, NOW)
    assert "Fernlite" in found
    assert "Corva" not in found


@pytest.mark.parametrize(
    "question",
    ["Which phone did I have first?", "Why is my phone new?", "What phones are mine?"],
)
def test_another_question_is_shown_both(memory: Memory, question: str) -> None:
    found = told(memory, question, PHONE, NOW)
    assert "Fernlite" in found
    assert "Corva" in found


def test_what_only_adds_replaces_nothing(memory: Memory) -> None:
    found = told(memory, "Which phone is mine?", PHONE, (JUNE, "My phone is with Fenwick."))
    assert "Corva" in found


def test_another_number_of_a_unit_replaces_the_older_one(memory: Memory) -> None:
    rate = "The water rate is {} pounds a plot."
    found = told(
        memory,
        "How much is the water rate?",
        (JANUARY, rate.format(18)),
        (JUNE, rate.format(20)),
    )
    assert "20 pounds" in found
    assert "18 pounds" not in found


def test_a_statement_gives_way_with_its_turn(memory: Memory) -> None:
    message = {"role": "user", "content": PHONE[1], "time": JANUARY}
    (turn,) = memory.remember(message, user="ada", session="old").turns
    memory.statements.add("user", "phone", "Corva", user="ada", said_at=JANUARY, sources=[turn.id])
    found = told(memory, "Which phone is mine?", NOW)
    assert "Fernlite" in found
    assert "Corva" not in found
    assert "Corva" in memory.context("Why is it so?", user="ada", session="other").text


def test_what_is_taken_back_at_once_is_left_out(memory: Memory) -> None:
    for text, second in (("My employee number is 83.", 0), ("Sorry, my number is 38.", 30)):
        message = {"role": "user", "content": text, "time": JANUARY.replace(second=second)}
        memory.remember(message, user="ada", session="one")
    found = memory.context("employee number", user="ada", session="asked").text
    assert "38." in found
    assert "83." not in found


@pytest.mark.parametrize(
    ("question", "is_so"),
    [
        ("Where do I live?", True),
        ("tell me where I live now", True),
        ("On which days do I swim now?", True),
        ("On which days do I swim?", False),
        ("Where was I born?", False),
        ("Have I ever been to Oslo?", False),
        ("How do I get there?", False),
        ("I live in Oslo now.", False),
        ("Since when is it so?", False),
    ],
)
def test_what_a_question_asks(question: str, is_so: bool) -> None:
    assert asks_what_is_so(question) is is_so
