"""A canary is tried on sessions by coin, and outcomes decide: promoted where it is no worse, taken back where it harms."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcl import Memory
from agentcl.memory.adapters.routing import coin_of
from agentcl.store import Adapter, AdapterCoin, Scope
from tests.integration.test_adapters import said, train


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing", durability="normal") as memory:
        yield memory


@pytest.fixture
def canary(memory: Memory) -> Adapter:
    held = train(memory, said(memory))
    return memory.adapters.route(held.name, "canary", share=0.5)


def sessions(canary: Adapter, count: int) -> Iterator[str]:
    """Yield sessions whose coins fall the same in every run: one with the adapter, one without it."""
    for number in range(count):
        names = (f"s{number}.{tried}" for tried in range(1_000))
        yield next(name for name in names if (coin_of(canary.id, name) < 0.5) == (number % 2 == 0))


def live(memory: Memory, canary: Adapter, count: int, *, gain: float) -> None:
    """Play episodes in sessions of their own; the adapter adds to the share that succeeds."""
    rng = random.Random(1)
    for session in sessions(canary, count):
        with memory.episode("ask", application="chat", session=session) as episode:
            answers = bool(episode.answering().name)
            is_solved = rng.random() < 0.5 + (gain if answers else 0.0)
            episode.finish(float(is_solved))


def test_the_coin_of_an_episode_is_its_sessions_and_is_kept(
    memory: Memory, canary: Adapter
) -> None:
    shown = 0
    for number in range(20):
        where = f"s{number}"
        with memory.episode("ask", session=where) as episode:
            route = episode.answering()
            assert route == memory.adapters.answering(session=where)
            played = episode.finish(1.0)
        (coin,) = played.adapters
        assert coin == AdapterCoin(canary.id, 0.5, route.name == canary.name)
        assert coin.is_shown == (coin_of(canary.id, where) < 0.5)
        shown += coin.is_shown
    trial = memory.adapters.trial(canary.name)
    assert (trial.shown, trial.withheld) == (shown, 20 - shown)


def test_one_that_helps_becomes_stable_by_outcomes_alone(memory: Memory, canary: Adapter) -> None:
    before = memory.adapters.route(train(memory, said(memory)).name, "stable")
    live(memory, canary, 80, gain=0.5)
    held = memory.adapters.get(canary.name)
    assert held.state == "stable"
    assert "promoted by outcomes" in held.reason
    assert memory.adapters.get(before.name).state == "retired"
    assert memory.adapters.trial(canary.name).uplift > 0
    answering = memory.adapters.rollback()
    assert answering is not None
    assert answering.name == before.name


def test_one_that_harms_is_taken_back_by_outcomes_alone(memory: Memory, canary: Adapter) -> None:
    live(memory, canary, 80, gain=-0.5)
    held = memory.adapters.get(canary.name)
    assert held.state == "retired"
    assert "taken back by outcomes" in held.reason
    assert memory.adapters.answering(session="s1").name == ""


def test_few_outcomes_decide_nothing(memory: Memory, canary: Adapter) -> None:
    live(memory, canary, 12, gain=0.5)
    (trial,) = memory.adapters.settle()
    assert trial.verdict == "go on"
    assert "of at least 10" in trial.why
    assert memory.adapters.get(canary.name).state == "canary"


def test_a_score_that_comes_later_counts_as_well(memory: Memory, canary: Adapter) -> None:
    for session in sessions(canary, 60):
        with memory.episode("ask", session=session) as episode:
            is_shown = bool(episode.answering().name)
            episode.finish(None)
        if memory.adapters.get(canary.name).state == "canary":
            memory.episodes.score(episode.id, float(is_shown), session=session)
    assert memory.adapters.get(canary.name).state == "stable"


def test_one_whose_files_were_changed_is_not_promoted(memory: Memory, canary: Adapter) -> None:
    (memory.adapters.folder(canary.name) / "adapter_model.safetensors").write_bytes(b"other")
    live(memory, canary, 80, gain=0.5)
    held = memory.adapters.get(canary.name)
    assert held.state == "retired"
    assert "not what was trained" in held.reason


def test_what_a_frozen_episode_or_no_coin_says_is_no_evidence(
    memory: Memory, canary: Adapter
) -> None:
    with memory.episode("ask", session="s1", is_frozen=True) as episode:
        assert episode.answering().coins == ()
        episode.finish(1.0)
    with memory.episode("ask", session="s1") as episode:
        episode.answering()
        episode.answered_by(())  # its server did not have it
        assert episode.finish(1.0).adapters == ()
    stable = memory.adapters.route(train(memory, said(memory)).name, "stable")
    memory.adapters.route(canary.name, "off")
    for number in range(30):
        with memory.episode("ask", session=f"t{number}") as episode:
            episode.answering()
            assert episode.finish(1.0).adapters == (AdapterCoin(stable.id, 1.0, True),)
    trial = memory.adapters.trial(stable.name)
    assert (trial.shown, trial.withheld, trial.verdict) == (0, 0, "go on")


def test_an_episode_without_a_session_throws_a_coin_of_its_own(
    memory: Memory, canary: Adapter
) -> None:
    found = set()
    for _ in range(40):
        with memory.episode("ask") as episode:
            found.add(episode.answering().name)
            assert episode.answering().name in found
            episode.interrupt("only tried")
    assert found == {"", canary.name}


def test_outcomes_of_one_tenant_say_nothing_in_another(memory: Memory) -> None:
    ours = memory.statements.add("Orla", "office", "room 1", tenant="acme")
    held = train(memory, ours, scope=Scope(tenant="acme"))
    memory.adapters.route(held.name, "canary", share=0.5)
    live(memory, held, 40, gain=0.5)
    assert memory.adapters.trial(held.name).shown == 0
    assert memory.scoped(tenant="acme").adapters.answering(session="s").coins != ()
