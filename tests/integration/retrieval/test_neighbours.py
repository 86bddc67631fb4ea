"""Turns are found by the words that were said around them; nothing else is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import Memory

TALK = [
    "The weather is fine.",
    "Do you have any pets at home?",
    "Yes, somebody called Momo.",
    "She sleeps all day.",
    "I have to go.",
    "Goodbye then.",
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def say(memory: Memory, *texts: str, session: str = "s", user: str = "ada") -> None:
    messages = [
        {"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)
    ]
    memory.remember(messages, user=user, session=session)


def found(memory: Memory, query: str, limit: int = 3, **scope: str) -> list[str]:
    return [hit.text for hit in memory.search(query, limit=limit, **scope)]  # type: ignore[arg-type]


def test_an_answer_is_found_by_the_words_of_its_question(memory: Memory) -> None:
    say(memory, *TALK)
    assert found(memory, "pets", user="ada") == [TALK[1], *TALK[2:4]]


def test_documents_are_found_by_their_own_words_alone(memory: Memory) -> None:
    for text in TALK:
        memory.add(text, user="ada")
    before = [(hit.text, hit.score) for hit in memory.search("pets", limit=6, user="ada")]
    say(memory, "Something else.", session="other")
    after = [(hit.text, hit.score) for hit in memory.search("pets", limit=7, user="ada")]
    assert after[0] == before[0]
    assert [one for one in after if one[0] in TALK[2:4]] == [
        one for one in before if one[0] in TALK[2:4]
    ]


def test_a_conversation_gives_nothing_to_another_one(memory: Memory) -> None:
    say(memory, *TALK[:2], session="one")
    say(memory, "An opening.", "A reply.", "Yes, somebody called Momo.", session="two")
    hits = {hit.text: hit for hit in memory.search("pets", user="ada")}
    other = [
        hits[text].score for text in ("A reply.", "Yes, somebody called Momo.") if text in hits
    ]
    assert all(score < hits[TALK[1]].score / 4 for score in other)


def test_what_a_search_leaves_out_gains_nothing(memory: Memory) -> None:
    say(memory, *TALK)
    say(memory, "I said nothing of pets.", "Bob is the secret.", user="bob")
    assert "Bob is the secret." not in found(memory, "pets", 10, user="ada")
    hits = memory.search("pets", limit=10, user="ada", filters={"role": "user"})
    assert {hit.metadata["role"] for hit in hits} <= {"user"}
    turn = next(hit for hit in memory.search("Momo", user="ada") if "Momo" in hit.text)
    memory.forget(turn.document_id, user="ada")
    assert "Momo" not in " ".join(found(memory, "pets", 10, user="ada"))


def test_a_turn_of_several_passages_gains_once(memory: Memory) -> None:
    long = " ".join(f"Sentence {number} is about something else." for number in range(80))
    say(memory, "Do you have any pets at home?", long)
    hits = memory.search("pets home", limit=10, user="ada")
    gained = [hit for hit in hits if hit.metadata["turn"] == 1]
    best = max(gained, key=lambda hit: hit.score)
    assert best.text.startswith("Sentence 0 ")
    assert all(hit.score < best.score for hit in gained if hit.id != best.id)
