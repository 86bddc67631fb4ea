"""A small model says turns again in plain sentences; what it makes up is left out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.models import ScriptedModel
from agentcl.models.base import Message
from agentcl.statements import SentenceDigester
from agentcl.store import Turn

FRIDAY = datetime(2025, 6, 20, 12, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as opened:
        yield opened


def turns(*texts: str) -> list[Turn]:
    return [
        Turn(
            id=str(place), sources=("c",), role="assistant" if place % 2 else "user", text=text,
            said_at=(FRIDAY + timedelta(minutes=place)).isoformat(), ordinal=place,
        )
        for place, text in enumerate(texts)
    ]  # fmt: skip


def read(answer: str, *texts: str) -> set[tuple[str, str, str]]:
    said = SentenceDigester(ScriptedModel(lambda _: answer)).digest(turns(*texts), ()).said
    return {(one.subject, one.attribute, one.value) for one in said}


def test_its_sentences_are_taken_apart_and_dated() -> None:
    model = ScriptedModel(["The user's gym is Hallow Court since 2025-06-13."])
    found = SentenceDigester(model).digest(
        turns("For the gym it's Hallow Court, since last Friday!"), ()
    )
    (one,) = found.said
    assert (one.subject, one.attribute, one.value) == ("user", "gym", "Hallow Court")
    assert (one.since, one.turns, found.dropped) == ("2025-06-13", (0,), 0)
    assert "last Friday [2025-06-13]" in model.asked[0][-1].content


@pytest.mark.parametrize(
    "answer",
    [
        "The user lives in Lisbon.",  # nobody said so
        "The user's gym is Hallow Court since 2019-01-01.",  # a made-up date
        "The user's gym is Hallow Court 7.",  # a made-up number
        "The user's name is Hallow Court.",  # no name was told
        "The user's cousin Jettra runs a smithy in Quill.",  # out of a demonstration
        "nothing",
        "%%%",
    ],
)
def test_what_the_turn_does_not_bear_out_is_left_out(answer: str) -> None:
    assert read(answer, "For the gym it's Hallow Court, since last Friday!") == set()


def test_what_another_does_is_not_said_of_the_user() -> None:
    said = ("Good for her, really.", "Who?", "She comes out of Quill with her brass band.")
    assert read("The user comes from Quill.", *said) == set()


def test_a_value_in_front_of_its_name_is_turned() -> None:
    found = read("KV-204 is the user's badge number.", "Here is the badge, KV-204, number and all.")
    assert ("user", "badge number", "KV-204") in found


def test_nothing_is_asked_of_what_states_nothing_or_is_read_already() -> None:
    model = ScriptedModel([])
    said = SentenceDigester(model).digest(
        turns("Where is Quill?", "Far.", "If I were rich I'd move.", "Ok.", "I live in Ghent."), ()
    ).said  # fmt: skip
    assert [one.value for one in said] == ["Ghent"]
    assert model.asked == []


def test_an_answer_that_repeats_itself_is_cut() -> None:
    line = "The user's boat is a Brask {}.\n"
    many = "".join(line.format(number) for number in range(40))
    text = "Boat news, a Brask: " + " ".join(map(str, range(40)))
    assert len(read(many, text)) <= 6


def gym(_: Sequence[Message]) -> str:
    return "The user's gym is Hallow Court."


def test_a_memory_digests_by_it_and_a_dry_run_says_what_it_takes(memory: Memory) -> None:
    texts: tuple[tuple[str, str], ...] = (
        ("user", "For the gym it's Hallow Court!"),
        ("assistant", "Noted."),
    )
    memory.remember([{"role": r, "content": t} for r, t in texts], user="ada", session="s")
    digester = SentenceDigester(ScriptedModel(gym, name="m"))
    dry = memory.statements.digest(digester, user="ada", dry_run=True)
    assert dry.tokens > 100
    report = memory.statements.digest(digester, user="ada", budget_tokens=dry.tokens)
    assert (report.read, report.statements) == (2, 1)
    (one,) = memory.statements.list(user="ada")
    assert one.text == "The user's gym is Hallow Court."
