"""What is said to hold: stated, replaced, asked for, taken back, forgotten, moved to another memory."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from agentcl import ANY, InvalidInput, Memory, NotFound
from agentcl.store import Scope, Statement, Turn

ADA = Scope(user="ada")
MARCH = datetime(2025, 3, 3, 18, 40, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


Talk = Callable[..., list[Turn]]


@pytest.fixture
def talk(memory: Memory) -> Talk:
    """Remember a conversation: `talk("hello", "hi")`, user and assistant in turns."""
    return lambda *texts, **more: talked(memory, *texts, **more)


def talked(
    memory: Memory, *texts: str, at: datetime = MARCH, name: str = "s", user: str = "ada"
) -> list[Turn]:
    messages = [
        {
            "role": "assistant" if place % 2 else "user",
            "content": text,
            "time": at + timedelta(minutes=place),
        }
        for place, text in enumerate(texts)
    ]
    return [*memory.remember(messages, user=user, session=name).turns]


def values(memory: Memory, **asked: object) -> list[str]:
    return [one.value for one in memory.statements.list(user="ada", **asked)]  # type: ignore[arg-type]


def test_what_was_said_last_holds_and_the_older_is_kept(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    gent = say.add("user", "lives in", "Gent", said_at=MARCH)
    leuven = say.add("user", "home city", "Leuven", said_at=MARCH + timedelta(days=40))
    assert values(memory) == ["Leuven"]
    assert values(memory, valid_at=MARCH + timedelta(days=1)) == ["Gent"]
    assert values(memory, valid_at=ANY) == ["Gent", "Leuven"]
    assert say.get(gent.id).replaced_by == leuven.id
    assert [one.value for one in say.history(leuven)] == ["Gent", "Leuven"]
    assert say.history("user / city") == say.history(gent.id) == say.history("me/lives in")


def test_the_same_again_adds_evidence_and_no_second_record(memory: Memory, talk: Talk) -> None:
    first, _, second = talk("I live in Gent.", "Nice.", "As I said, I live in Gent.")
    say = memory.scoped(user="ada").statements
    one = say.add("user", "home", "Gent", said_at=first.moment, sources=[first.id])
    same = say.add("user", "lives in", "gent", said_at=second.moment, sources=[second.id])
    assert same.id == one.id
    assert say.why(one.id) == [first, second]
    assert len(say.list(valid_at=ANY, all=True)) == 1
    again = say.add("user", "home", "Gent", said_at=first.moment, sources=[first.id])
    assert again == same


def test_whatever_order_statements_come_in_the_same_holds(tmp_path: Path) -> None:
    said = [("Gent", 1), ("Leuven", 20), ("Gent", 40), ("Gent", 10)]
    seen = set()
    for number, order in enumerate(permutations(said)):
        with Memory(tmp_path / f"m{number}", encoder="hashing") as memory:
            turns = {
                (value, day): talked(memory, value, at=MARCH + timedelta(days=day))[0]
                for value, day in said
            }
            for value, day in order:
                turn = turns[value, day]
                moment = turn.moment
                memory.statements.add(
                    "user", "home", value, said_at=moment, sources=[turn.id], user="ada"
                )
            held = memory.statements.list(user="ada", valid_at=ANY)
            names = {turn.id: text for text, turn in turns.items()}
            seen.add(
                tuple(
                    (o.value, o.valid_from, o.valid_to, tuple(names[s] for s in o.sources))
                    for o in held
                )
            )
            assert memory.store.examine().is_healthy
    assert len(seen) == 1
    assert [value for value, *_ in seen.pop()] == ["Gent", "Leuven", "Gent"]


def test_what_ended_is_closed_and_named(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    tea = say.add("user", "likes", "tea", said_at=MARCH)
    say.add("user", "likes", "coffee", said_at=MARCH)
    over = say.add("user", "loves", "tea", ended=True, said_at=MARCH + timedelta(days=3))
    assert values(memory) == ["coffee"]
    assert say.get(tea.id).replaced_by == over.id
    assert over.text == "No longer: The user loves tea."
    assert [one.id for one in say.list(all=True)][-1] == over.id


def test_what_is_to_come_is_listed_when_it_is_asked_for(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    say.add("user", "home", "Gent", said_at=MARCH)
    say.add("user", "home", "Leuven", since="2025-03-29", sort="plan", said_at=MARCH)
    at = MARCH + timedelta(days=1)
    assert values(memory, valid_at=at) == ["Gent"]
    assert values(memory, valid_at=at, coming=True) == ["Gent", "Leuven"]
    assert values(memory, valid_at=MARCH + timedelta(days=30)) == ["Leuven"]


def test_statements_are_found_by_words_as_long_as_they_hold(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    say.add("user", "lives in", "Gent", said_at=MARCH)
    say.add("user", "lives in", "Leuven", said_at=MARCH + timedelta(days=9))
    say.add("sister", "lives in", "Antwerp", said_at=MARCH)
    found = say.search("Where does the user live, Leuven or Gent?")
    assert found[0].statement.value == "Leuven"
    assert "Gent" not in [one.statement.value for one in found]
    past = say.search("Gent", valid_at=MARCH + timedelta(days=1))
    assert past[0].statement.value == "Gent"
    assert [one.statement.value for one in say.search("Antwerp", subject="my sister")] == [
        "Antwerp"
    ]
    assert say.search("Antwerp", subject="user", limit=3) == []
    with pytest.raises(InvalidInput, match="query is empty"):
        say.search(" ")


def test_two_values_at_once_are_shown_as_a_contradiction(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    one = say.add("user", "shoe size", "38", said_at=MARCH)
    other = say.add("user", "shoe size", "39", said_at=MARCH)
    (group,) = say.contradictions()
    assert {member.id for member in group} == {one.id, other.id}
    say.add("user", "shoe size", "39", said_at=MARCH + timedelta(days=1), since="2025-03-01")
    assert say.contradictions() == []


def test_a_statement_belongs_to_its_scope(memory: Memory) -> None:
    stated = memory.statements.add("user", "PIN", "4471", user="ada")
    bob = memory.scoped(user="bob").statements
    assert list(bob.list()) == []
    assert list(bob.search("PIN 4471")) == []
    for asked in (bob.get, bob.why, bob.history, bob.undo):
        with pytest.raises(NotFound):
            asked(stated.id)
    other = bob.add("user", "PIN", "1111")
    assert memory.statements.get(stated.id, user="ada").valid_to is None
    assert bob.get(other.id).valid_from is None


def test_a_statement_that_was_wrong_is_taken_back(memory: Memory) -> None:
    say = memory.scoped(user="ada").statements
    say.add("user", "home", "Gent", said_at=MARCH)
    wrong = say.add("user", "home", "Lisbon", said_at=MARCH + timedelta(days=1))
    say.undo(wrong.id)
    assert values(memory) == ["Gent"]
    assert memory.history(wrong.id, user="ada")[-1].op == "delete"
    other = say.add("user", "home", "Lisbon", said_at=MARCH + timedelta(days=1))
    memory.delete(other.id, user="ada")
    assert values(memory) == ["Gent"]
    assert memory.store.examine().is_healthy


def test_forgetting_a_turn_forgets_what_only_it_states(memory: Memory, talk: Talk) -> None:
    one, _, other = talk("I live in Gent, in Leuven soon.", "Fine.", "I live in Gent.")
    say = memory.scoped(user="ada").statements
    say.add("user", "home", "Gent", said_at=one.moment, sources=[one.id])
    say.add("user", "home", "Gent", said_at=other.moment, sources=[other.id])
    lost = say.add(
        "user", "home", "Leuven", since="2025-04-01", said_at=one.moment, sources=[one.id]
    )
    receipt = memory.forget(one.id, user="ada")
    assert lost.id in {removed.id for removed in receipt.removed}
    (left,) = say.list(valid_at=ANY)
    assert (left.value, left.valid_to, left.said_at) == ("Gent", None, other.said_at)
    assert say.why(left.id) == [other]
    assert memory.store.examine().is_healthy


def test_forgetting_needs_no_encoder(
    memory: Memory, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, other = talk("I live in Gent.", "Fine.", "I live in Gent.")
    say = memory.scoped(user="ada").statements
    for turn in (one, other):
        say.add("user", "home", "Gent", said_at=turn.moment, sources=[turn.id])
    monkeypatch.setattr(memory._opened.encoder, "encode", None)
    memory.forget(one.id, user="ada")
    assert [held.value for held in say.list()] == ["Gent"]
    assert memory.store.examine().is_healthy


def test_forgetting_a_conversation_forgets_all_of_it(memory: Memory, talk: Talk) -> None:
    (first,) = talk("I live in Gent.")
    (second,) = talk("I live in Leuven.", at=MARCH + timedelta(days=9), name="t")
    say = memory.scoped(user="ada").statements
    say.add("user", "home", "Gent", said_at=first.moment, sources=[first.id])
    say.add("user", "home", "Leuven", said_at=second.moment, sources=[second.id])
    memory.forget(second.conversation_id, user="ada")
    assert values(memory, valid_at=ANY) == ["Gent"]
    assert say.list()[0].valid_to is None
    assert memory.store.examine().is_healthy
    memory.forget(everything=True, user="ada")
    assert values(memory, valid_at=ANY) == []


def test_statements_move_with_an_export_and_what_holds_is_computed_there(
    memory: Memory, tmp_path: Path, talk: Talk
) -> None:
    (turn,) = talk("I live in Gent.")
    memory.statements.add("user", "home", "Gent", said_at=MARCH, sources=[turn.id], user="ada")
    memory.store.export(tmp_path / "x.jsonl")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.statements.add(
            "user", "home", "Leuven", said_at=MARCH + timedelta(days=9), user="ada"
        )
        other.store.import_(tmp_path / "x.jsonl")
        assert values(other) == ["Leuven"]
        assert values(other, valid_at=MARCH + timedelta(days=1)) == ["Gent"]
        assert other.store.examine().is_healthy


def test_the_doctor_finds_what_does_not_follow_from_what_was_said(memory: Memory) -> None:
    from dataclasses import replace

    stated = memory.statements.add("user", "home", "Gent", user="ada")
    memory._opened.revise(replace(stated, valid_to=MARCH))
    report = memory.store.examine()
    assert [problem.check for problem in report.problems] == [
        "what holds follows from what was said"
    ]
    assert memory.statements.settle() == 1
    assert memory.store.examine().is_healthy
    assert memory.statements.settle() == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attribute": " "}, "attribute is empty"),
        ({"value": ""}, "value is empty"),
        ({"since": "last Friday"}, "is no date"),
        ({"until": "2025-13"}, "is no date"),
        ({"sort": "rumour"}, "sort must be one of"),
        ({"said_at": datetime(2025, 1, 1)}, "time zone"),  # noqa: DTZ001  # that is the point
        ({"sources": ["nobody"]}, "no such record"),
        ({"sources": "01J"}, "sources must be a list"),
        ({"value": "x" * 20_000}, "characters"),
        ({"subject": "\ud800"}, "surrogate"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    memory: Memory, wrong: dict[str, object], message: str
) -> None:
    given = {"subject": "user", "attribute": "home", "value": "Gent", **wrong}
    with pytest.raises(InvalidInput, match=message):
        memory.statements.add(**given, user="ada")  # type: ignore[arg-type]
    assert values(memory, valid_at=ANY, all=True) == []


def test_nothing_said_is_said_so(memory: Memory) -> None:
    with pytest.raises(NotFound, match="nothing is said of"):
        memory.statements.history("user / home", user="ada")
    memory.statements.add("user", "home", "Gent", user="ada")
    for name in ("home", "user / hom", "User/hoome"):
        with pytest.raises(NotFound, match="did you mean 'user / home'"):
            memory.statements.history(name, user="ada")
    for name in ("nope", "nope / nope"):
        with pytest.raises(NotFound, match="shows what is said"):
            memory.statements.history(name, user="ada")
    document = memory.add("x", user="ada")
    with pytest.raises(InvalidInput, match="no statement"):
        memory.statements.get(document.id, user="ada")
    with pytest.raises(InvalidInput, match="nothing to be taken back"):
        memory.statements.undo(document.id, user="ada")


def test_stored_statements_are_found_as_records_too(memory: Memory) -> None:
    stated = memory.statements.add("user", "home", "Gent", user="ada")
    assert isinstance(memory.get(stated.id, user="ada"), Statement)
    assert memory.list(kind="statement", user="ada") == [stated]
