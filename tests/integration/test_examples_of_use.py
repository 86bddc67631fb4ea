"""What was found of a lesson in a situation holds where the very same is seen again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcl import Lesson, Memory
from agentcl.errors import InvalidInput, NotFound
from agentcl.guidance.evidence.examples import MOST
from agentcl.retrieval.conditions import is_installed
from agentcl.store.episodes import Decision, Episode

WHEN = "a customer asks for a refund"
REFUND = Lesson(WHEN, "do", "check the purchase date")
ASKED = "A customer asks for a refund of his own jokes."
OTHER = "The parcel arrived with a scratched lid, what can you do for me?"


@pytest.fixture(
    params=[
        "hashing",
        pytest.param(
            "minilm", marks=pytest.mark.skipif(not is_installed(), reason="needs agentcl[local]")
        ),
    ]
)
def anyhow(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder=request.param) as memory:
        yield memory


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "m", encoder="hashing") as memory:
        yield memory


def is_matched(memory: Memory, situation: str, **scope: Any) -> bool:
    found = memory.lessons.matching(situation, **scope)
    return any(one.lesson.when == WHEN for one in found)


def play(memory: Memory, seen: str, action: str, **scope: Any) -> Episode:
    with memory.episode("ticket", application="desk", first=seen, **scope) as episode:
        episode.step(seen, action, "it is settled", reward=1)
        return episode.finish(1.0)


def test_what_somebody_says_of_a_lesson_holds_where_the_same_is_seen(anyhow: Memory) -> None:
    id = anyhow.lessons.add(REFUND).id
    anyhow.lessons.report(id, ASKED, applies=False)
    said = anyhow.lessons.report(id, OTHER, applies=True)
    assert not is_matched(anyhow, ASKED)
    assert is_matched(anyhow, OTHER)
    assert is_matched(anyhow, "the parcels arrived with a scratched lid; WHAT can you do for me")
    assert f"it applied when the same was seen before ({said.id})" in anyhow.lessons.why_not(
        id, OTHER
    )
    with anyhow.episode("t") as episode:
        recalled = episode.recall(ASKED)
        assert not recalled.lessons
        assert "it did not apply when the same was seen before" in recalled.why_not(id)


def test_what_is_merely_alike_is_decided_as_before(anyhow: Memory) -> None:
    id = anyhow.lessons.add(REFUND).id
    anyhow.lessons.report(id, ASKED, applies=False)
    anyhow.lessons.report(id, OTHER, applies=True)
    assert is_matched(anyhow, "A customer asks for a refund.")
    assert not is_matched(anyhow, "The parcel did not arrive with a scratched lid.")


def test_a_situation_that_says_nothing_is_no_example(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    memory.lessons.report(id, "Done.", applies=True)
    assert not is_matched(memory, "Done.")


def test_the_newest_report_counts_and_can_be_taken_back(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    for applies in (True, False, True):
        report = memory.lessons.report(id, OTHER, applies=applies)
        assert is_matched(memory, OTHER) is applies
    memory.delete(report.id)
    assert not is_matched(memory, OTHER)


def test_an_episode_that_taught_a_lesson_again_is_an_example_until_it_is_forgotten(
    memory: Memory,
) -> None:
    memory.lessons.add(REFUND, application="desk")
    assert not is_matched(memory, OTHER)
    played = play(memory, OTHER, "check the purchase date", goal="settle it")
    memory.lessons.reflect([REFUND], episode=played)
    assert is_matched(memory, OTHER)
    assert is_matched(memory, f"settle it\n{OTHER}")
    memory.forget(played.id)
    assert not is_matched(memory, OTHER)


def test_an_episode_that_refutes_a_lesson_says_nothing_of_where_it_applies(memory: Memory) -> None:
    memory.lessons.add(REFUND, application="desk")
    played = play(memory, ASKED, "wait")
    against = Lesson(WHEN, "useless", "check the purchase date")
    memory.lessons.reflect([against], episode=played)
    assert is_matched(memory, ASKED)


def test_another_users_situation_is_no_example(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    memory.lessons.report(id, ASKED, applies=False, user="bob", session="s1")
    assert is_matched(memory, ASKED, user="ada")
    assert is_matched(memory, ASKED)
    assert not is_matched(memory, ASKED, user="bob", session="s2")


def test_what_was_rolled_back_is_no_example(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    report = memory.lessons.report(id, ASKED, applies=False)
    memory.lessons.rollback(report.created_at)
    assert is_matched(memory, ASKED)


def test_the_same_records_give_the_same_after_a_restart(memory: Memory, tmp_path: Path) -> None:
    id = memory.lessons.add(REFUND).id
    for n in range(3 * MOST):
        memory.lessons.report(id, f"Ticket {n}: {OTHER}", applies=n % 3 > 0, user="ada")
    before = memory.lessons.state()
    memory.close()
    with Memory(tmp_path / "m") as again:
        assert again.lessons.state().digest() == before.digest()
        assert is_matched(again, f"Ticket 46: {OTHER}", user="ada")
        assert not is_matched(again, f"Ticket 45: {OTHER}", user="ada")


def test_only_the_newest_examples_are_kept(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    for n in range(MOST + 4):
        memory.lessons.report(id, f"Ticket {n}: {OTHER}", applies=True)
    assert len(memory.lessons.state().lessons[id].examples) == MOST
    assert not is_matched(memory, f"Ticket 3: {OTHER}")
    assert is_matched(memory, f"Ticket 4: {OTHER}")


def test_a_report_changes_nothing_that_is_believed(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    before = memory.lessons.get(id)
    memory.lessons.report(id, ASKED, applies=False, reason="a joke")
    assert memory.lessons.get(id) == before
    assert "does not apply: a joke" in "\n".join(memory.lessons.why(id).lines())


def test_a_report_goes_with_its_lesson_and_with_its_episode(memory: Memory) -> None:
    id = memory.lessons.add(REFUND).id
    played = play(memory, ASKED, "check the purchase date")
    memory.lessons.report(id, ASKED, applies=False, episode=played.id)
    memory.lessons.report(id, OTHER, applies=False)
    memory.forget(played.id)
    left = [one for one in memory.list(kind="decision") if isinstance(one, Decision)]
    assert [one.situation for one in left] == [OTHER]
    memory.forget(id)
    assert not list(memory.list(kind="decision"))


def test_a_report_names_a_lesson_that_its_scope_sees_and_a_situation(memory: Memory) -> None:
    id = memory.lessons.add(REFUND, user="ada").id
    played = play(memory, ASKED, "wait", user="ada")
    with pytest.raises(NotFound):
        memory.lessons.report(id, ASKED, applies=False, user="bob")
    with pytest.raises(InvalidInput, match="is a episode, and no lesson"):
        memory.lessons.report(played.id, ASKED, applies=False, user="ada")
    with pytest.raises(InvalidInput, match="is a guidance, and no episode"):
        memory.lessons.report(id, ASKED, applies=False, episode=id, user="ada")
    with pytest.raises(InvalidInput, match="the situation is empty"):
        memory.lessons.report(id, " ", applies=False, user="ada")


def test_reports_travel_with_an_export(memory: Memory, tmp_path: Path) -> None:
    id = memory.lessons.add(REFUND).id
    memory.lessons.report(id, OTHER, applies=True)
    memory.store.export(tmp_path / "all.jsonl")
    with Memory(tmp_path / "other", encoder="hashing") as other:
        other.store.import_(tmp_path / "all.jsonl", trusted=True)
        assert is_matched(other, OTHER)
