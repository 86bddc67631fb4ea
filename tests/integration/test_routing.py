"""Who answers: by scope, by the coin of a session, at once in every process, and named as stale."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.memory.adapters.routing import coin_of
from agentcl.store import Scope
from tests.integration.test_adapters import said, train


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


def sessions(memory: Memory, count: int = 200) -> list[str]:
    """Return who answers in many sessions."""
    return [memory.adapters.answering(session=f"s{n}").name for n in range(count)]


def test_nobody_but_the_bare_model_answers_before_somebody_decided(memory: Memory) -> None:
    train(memory, said(memory))
    found = memory.adapters.answering(user="ada", session="s1")
    assert (found.name, found.id, found.coins) == ("", "", ())


def test_the_adapter_of_the_narrowest_scope_answers(memory: Memory) -> None:
    everybody = train(memory, said(memory))
    hers = memory.statements.add("user", "office", "room 1", user="ada")
    own = train(memory, hers, scope=Scope(user="ada"))
    memory.adapters.route(everybody.name, "stable")
    assert memory.adapters.answering(user="ada").name == everybody.name
    memory.adapters.route(own.name, "stable")
    assert memory.adapters.answering(user="ada", session="s").name == own.name
    assert memory.scoped(user="ada").adapters.answering().name == own.name
    assert memory.adapters.answering(user="bob").name == everybody.name
    assert memory.adapters.answering(tenant="acme").name == ""
    assert memory.context("Where is Orla?", user="ada").adapter == own.name
    assert memory.context("Where is Orla?", tenant="acme").adapter == ""


def test_a_canary_answers_its_share_of_sessions_and_each_wholly(memory: Memory) -> None:
    one = said(memory)
    stable, canary = train(memory, one), train(memory, one)
    memory.adapters.route(stable.name, "stable")
    memory.adapters.route(canary.name, "canary", share=0.3)
    first = sessions(memory)
    assert set(first) == {stable.name, canary.name}
    assert 30 <= first.count(canary.name) <= 90  # of 200; the coins are fixed by the names
    assert sessions(memory) == first
    assert memory.adapters.answering().name == stable.name  # no session, no coin


def test_a_larger_share_takes_no_session_away(memory: Memory) -> None:
    canary = train(memory, said(memory))
    memory.adapters.route(canary.name, "canary", share=0.2)
    few = sessions(memory)
    memory.adapters.route(canary.name, "canary", share=0.8)
    many = sessions(memory)
    assert many.count(canary.name) > few.count(canary.name)
    assert all(after == canary.name for before, after in zip(few, many, strict=True) if before)


def test_a_conversation_under_way_keeps_who_answers_it(memory: Memory) -> None:
    canary = train(memory, said(memory))
    inside = next(f"s{n}" for n in range(1_000) if 0.2 < coin_of(canary.id, f"s{n}") < 0.8)
    memory.remember(["hello"], session=inside)
    memory.adapters.route(canary.name, "canary", share=0.9)
    assert memory.adapters.answering(session=inside).name == ""  # it began without
    assert memory.adapters.answering(session=inside).coins == ()
    memory.adapters.route(canary.name, "off")
    other = next(f"t{n}" for n in range(1_000) if 0.2 < coin_of(canary.id, f"t{n}") < 0.8)
    memory.adapters.route(canary.name, "canary", share=0.9)
    memory.remember(["hello"], session=other)
    memory.adapters.route(canary.name, "canary", share=0.1)
    found = memory.adapters.answering(session=other)
    assert found.name == canary.name
    assert [coin.probability for coin in found.coins] == [0.9]


def test_a_decision_holds_at_once_in_another_memory_on_the_same_folder(
    memory: Memory, tmp_path: Path
) -> None:
    one = said(memory)
    first, second = train(memory, one), train(memory, one)
    with Memory(tmp_path / "m", encoder="hashing") as other:
        for name in (first.name, second.name):
            memory.adapters.route(name, "stable")
            assert other.adapters.answering().name == name
        memory.adapters.rollback()
        assert other.adapters.answering().name == first.name
        memory.forget(one.id)
        assert other.adapters.answering().name == ""


def test_an_answer_says_that_its_adapter_is_stale_and_a_search_finds_the_correction(
    memory: Memory,
) -> None:
    one, other = said(memory), said(memory, subject="Ilka")
    held = train(memory, one)
    memory.adapters.route(held.name, "stable")
    assert not memory.adapters.answering().is_stale
    memory.statements.add("Ilka", "office", "room 9")
    assert not memory.adapters.answering().is_stale  # it does not hold that
    assert other.id not in held.holds
    said(memory, "room 2")
    assert memory.adapters.answering().is_stale
    shown = memory.context("Where is Orla's office?").text
    assert "room 2" in shown
    assert memory.adapters.answering().name == held.name
