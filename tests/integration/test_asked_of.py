"""A question about one is not answered by what is so of another, or only supposed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.memory.context.asked_of import subject_asked, tells_of_others
from agentcl.statements import RuleDigester
from agentcl.statements.english.hearing import only_supposes

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
        ("If I were rich I'd live in Lisbon. How do I sharpen a knife?", True),
        ("In another life I'd live in Lisbon.", True),
        ("I would drink fennel tea, were it sweeter.", True),
        ("I'd like to move to Lisbon.", False),
        ("I'd live in Lisbon, but I work in Ghent.", False),
        ("I'd moved to Lisbon by then.", False),
        ("I'd never been to Lisbon.", False),
        ("I'd also like a flat in Lisbon.", False),
        ("I'd known Anna since 1999.", False),
        ("I'd only driven a van before.", False),
        ("I'd never live in Lisbon.", True),
        ("We'd go to Lisbon every summer.", False),
        ("As a child I would swim in the harbour.", False),
        ("If I were rich I'd go to Lisbon every summer.", True),
        ("Maybe. I want to be a baker, or a pirate if I turn out rich.", False),
        ("If I move, what does it cost?", False),
        ("I live in Ghent. If I were rich I'd move.", False),
        ("", False),
    ],
)
def test_a_text_that_only_supposes_says_nothing_that_is_so(text: str, supposes: bool) -> None:
    assert only_supposes(text) is supposes


UNCLE = "My uncle likes rooibos best."


def test_what_the_user_tells_of_others_is_no_answer_about_himself(memory: Memory) -> None:
    for day, text in enumerate(("I like sencha best of all.", UNCLE)):
        said = {"role": "user", "content": text, "time": MARCH + timedelta(days=day)}
        memory.remember(said, user="ada", session=f"s{day}")
    assert "rooibos" not in shown(memory, "Which tea do I like best?")
    assert "rooibos" in shown(memory, "Which tea does my uncle like best?")


def test_where_the_user_says_nothing_of_himself_what_he_tells_of_others_is_shown(
    memory: Memory,
) -> None:
    memory.remember({"role": "user", "content": UNCLE, "time": MARCH}, user="ada", session="s")
    assert "rooibos" in shown(memory, "Which tea do I like best?")


def test_a_question_for_a_name_of_the_users_own_is_about_the_user(memory: Memory) -> None:
    talk(memory, "My dentist is Dr Brask.", "My brother goes to Dr Quill as dentist.")
    for question in ("Who is my dentist?", "What is the name of the user's dentist?"):
        found = shown(memory, question)
        assert "Brask" in found
        assert "Quill" not in found
    assert "Quill" in shown(memory, "To which dentist does my brother go?")


def test_what_is_so_of_the_user_is_no_answer_to_what_is_so_of_another(memory: Memory) -> None:
    for subject, city in (("user", "Ghent"), ("brother", "Quill")):
        memory.statements.add(subject, "home", city, user="ada")
    found = shown(memory, "Where does my brother live?")
    assert "Quill" in found
    assert "Ghent" not in found
    assert "Ghent" in shown(memory, "What can I do today?")


def test_what_the_assistant_asks_is_nothing_that_is_so(memory: Memory) -> None:
    said = [
        {"role": "assistant", "content": "Is your phone a Corva?", "time": MARCH},
        {"role": "user", "content": "My phone is a Fernlite.", "time": MARCH},
    ]
    memory.remember(said, user="ada", session="s")
    assert "Corva" not in shown(memory, "Which phone do I have?")
    assert "Corva" in shown(memory, "What did you ask about my phone?")


def test_an_order_that_stands_is_shown_once(memory: Memory) -> None:
    order = "Please always answer in Celsius, you can drop Fahrenheit. What is 60 F?"
    stored = memory.remember({"role": "user", "content": order}, user="ada", session="s")
    memory.statements.add(
        "user", "instruction on temperatures", "answer in Celsius", sort="instruction", user="ada",
        sources=[stored.turns[0].id],
    )  # fmt: skip
    found = shown(memory, "Which scale should you answer in, Celsius?")
    assert "answer in Celsius" in found
    assert "drop" not in found
    more = "Please answer in Celsius. My oven is a Brask."
    stored = memory.remember({"role": "user", "content": more}, user="ada", session="t")
    memory.statements.add(
        "user", "instruction on temperatures", "answer in Celsius", sort="instruction", user="ada",
        sources=[stored.turns[0].id],
    )  # fmt: skip
    assert "Brask" in shown(memory, "Which oven do I have?"), "it says more than that"


def test_an_answer_that_says_again_what_the_user_said_is_left_out(memory: Memory) -> None:
    said = [
        {"role": "assistant", "content": "Then ask for 1,500 at the harbour.", "time": MARCH},
        {"role": "user", "content": "The release is on June 20, the party on the 27th.", "time": MARCH},
        {"role": "assistant", "content": "Release June 20, party 27th. Noted.", "time": MARCH},
        {"role": "user", "content": "They pay 1,800 now: the 1,500 to ask for at the harbour and 300.", "time": MARCH + timedelta(days=1)},
    ]  # fmt: skip
    memory.remember(said, user="ada", session="s")
    assert "Noted" not in shown(memory, "When is the release?")
    assert "Then ask" in shown(memory, "Who said 1,500 at the harbour?"), "it was said before"


def test_what_is_taken_back_in_one_breath_is_neither_shown_nor_stated(memory: Memory) -> None:
    talk(memory, "My locker number is QX-114, no wait, QX-141.")
    found = shown(memory, "What is my locker number?")
    assert "QX-141" in found
    assert "QX-114" not in found
    assert "The user has as locker number: QX-141." in found


@pytest.mark.parametrize(
    ("question", "tells"),
    [
        ("Which tea do I like best?", True),
        ("Who is my uncle?", False),
        ("Do I know when Quill opens?", False),
    ],
)
def test_who_is_asked_for_or_named_is_no_other(memory: Memory, question: str, tells: bool) -> None:
    memory.remember({"role": "user", "content": "My uncle runs Quill."}, user="ada", session="s")
    (hit,) = memory.search("Quill", user="ada", session="s")
    assert tells_of_others(hit, question) is tells
