"""Changes of the rules that were noticed, and what is said of them."""

from collections.abc import Callable

from agentcl import Episode, Memory

Live = Callable[..., Episode]


def fall(live: Live, *, world: str = "north", **scope: str) -> None:
    """Live through success and then failure, as when the rules change."""
    for score in [1.0] * 30 + [0.0] * 12:
        live(score=score, world=world, **scope)


def test_a_fall_of_scores_is_told_with_its_kind_of_task_and_world(
    memory: Memory, live: Live
) -> None:
    fall(live)
    (change,) = memory.lessons.rule_changes()
    assert (change.direction, change.application, change.family, change.world) == (
        "down", "desk", "queue", "north",
    )  # fmt: skip
    assert change.episode in {episode.id for episode in memory.episodes.list()}
    assert change.score == 0
    assert change.expected > 0.5
    told = "\n".join(change.lines())
    assert "scores of queue of desk in north fell: the rules seem to have changed" in told
    assert change.episode in told


def test_where_nothing_changed_nothing_is_told(memory: Memory, live: Live) -> None:
    assert memory.lessons.rule_changes() == []
    for _ in range(20):
        live(score=1.0)
    assert memory.lessons.rule_changes() == []


def test_a_rise_is_no_change_for_the_worse(memory: Memory, live: Live) -> None:
    for score in [0.0] * 30 + [1.0] * 12:
        live(score=score)
    changes = memory.lessons.rule_changes()
    assert {one.direction for one in changes} == {"up"}
    assert not any("counts less" in line for one in changes for line in one.lines())


def test_changes_are_told_only_of_episodes_that_the_scope_sees(memory: Memory, live: Live) -> None:
    fall(live, user="ada")
    assert memory.lessons.rule_changes(user="ben") == []
    assert len(memory.lessons.rule_changes(user="ada")) == 1


def test_a_change_of_a_time_that_was_rolled_back_is_told_no_more(
    memory: Memory, live: Live
) -> None:
    first = live(score=1.0)
    fall(live)
    decision = memory.lessons.rollback(first.created_at)
    assert memory.lessons.rule_changes() == []
    memory.delete(decision.id)
    assert len(memory.lessons.rule_changes()) == 1


def test_tenants_are_told_apart(memory: Memory, live: Live) -> None:
    fall(live, tenant="acme")
    assert memory.lessons.rule_changes(tenant="other") == []
    (change,) = memory.lessons.rule_changes(tenant="acme")
    assert change.direction == "down"
