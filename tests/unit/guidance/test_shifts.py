"""Shifts that were noticed, and what is said of them."""

from collections.abc import Callable
from pathlib import Path

from agentcl import Episode, Memory
from agentcl.guidance import ScoreShift, SituationShift

Live = Callable[..., Episode]


def fall(live: Live, *, world: str = "north", **scope: str) -> None:
    """Live through success and then failure, as when the rules change."""
    for score in [1.0] * 30 + [0.0] * 12:
        live(score=score, world=world, **scope)


def test_a_fall_of_scores_is_told_with_its_kind_of_task_and_world(
    memory: Memory, live: Live
) -> None:
    fall(live)
    (change,) = memory.lessons.changes()
    assert isinstance(change, ScoreShift)
    assert (change.direction, change.application, change.family, change.world) == (
        "down", "desk", "queue", "north",
    )  # fmt: skip
    assert change.episode in {episode.id for episode in memory.episodes.list()}
    assert change.score == 0
    assert change.expected > 0.5
    told = "\n".join(change.lines())
    assert "scores of queue of desk in north fell: the rules seem to have changed" in told
    assert change.episode in told


def test_a_fall_is_told_with_the_episode_that_it_began_with_and_how_sure_it_is(
    memory: Memory, live: Live
) -> None:
    for _ in range(30):
        live(score=1.0)
    first, *later = [live(score=0.0) for _ in range(4)]
    (soon,) = memory.lessons.changes()
    assert soon.since == first.id
    assert soon.episode in {one.id for one in later}
    assert soon.began < soon.at
    for _ in range(6):
        live(score=0.0)
    assert memory.lessons.changes()[0].sureness > soon.sureness > 0.4
    told = "\n".join(soon.lines())
    assert f"since episode {first.id}" in told
    assert f"sure: {soon.sureness:.2f}" in told


def test_where_nothing_changed_nothing_is_told(memory: Memory, live: Live) -> None:
    assert memory.lessons.changes() == []
    for _ in range(20):
        live(score=1.0)
    assert memory.lessons.changes() == []


def test_a_rise_is_no_change_for_the_worse(memory: Memory, live: Live) -> None:
    for score in [0.0] * 30 + [1.0] * 12:
        live(score=score)
    changes = memory.lessons.changes()
    assert {isinstance(one, ScoreShift) and one.direction for one in changes} == {"up"}
    assert not any("counts less" in line for one in changes for line in one.lines())


def test_changes_are_told_only_of_episodes_that_the_scope_sees(memory: Memory, live: Live) -> None:
    fall(live, user="ada")
    assert memory.lessons.changes(user="ben") == []
    assert len(memory.lessons.changes(user="ada")) == 1


def test_a_change_of_a_time_that_was_rolled_back_is_told_no_more(
    memory: Memory, live: Live
) -> None:
    first = live(score=1.0)
    fall(live)
    decision = memory.lessons.rollback(first.created_at)
    assert memory.lessons.changes() == []
    memory.delete(decision.id)
    assert len(memory.lessons.changes()) == 1


def test_tenants_are_told_apart(memory: Memory, live: Live) -> None:
    fall(live, tenant="acme")
    assert memory.lessons.changes(tenant="other") == []
    (change,) = memory.lessons.changes(tenant="acme")
    assert change.kind == "scores"


def begin(memory: Memory, first: str, **scope: str) -> Episode:
    with memory.episode("help", application="desk", first=first, **scope) as episode:  # type: ignore[arg-type]
        return episode.finish(None)


def unlike(memory: Memory, **scope: str) -> tuple[list[Episode], list[Episode]]:
    """Meet customers, and then robots, without saying that these are two kinds of task."""
    wishes = ["refund", "parcel", "invoice", "courier", "voucher", "label"]
    parts = ["gripper", "joint", "torque", "sensor", "motor", "wheel"]
    old = [
        begin(memory, f"my {wishes[n % 6]} and the {wishes[n * n % 5]} of order {n}", **scope)
        for n in range(45)
    ]
    new = [
        begin(memory, f"{parts[n % 6]} at the {parts[n * n % 5]} {n} stalls", **scope)
        for n in range(8)
    ]
    return old, new


def test_unfamiliar_situations_are_told_with_their_kind_of_task_since_when_and_how_sure(
    memory: Memory,
) -> None:
    _, new = unlike(memory)
    (change,) = memory.lessons.changes()
    assert isinstance(change, SituationShift)
    assert (change.application, change.family) == ("desk", "")
    assert change.since == new[0].id
    assert change.episode in {one.id for one in new[1:]}
    assert change.familiar < change.usual
    told = "\n".join(change.lines())
    assert "situations of tasks of desk are unlike those before" in told
    assert f"since episode {new[0].id}" in told


def test_situations_are_told_only_to_who_sees_them_and_not_of_a_time_that_was_rolled_back(
    memory: Memory,
) -> None:
    old, new = unlike(memory, user="ada")
    assert memory.lessons.changes(user="ben") == []
    assert len(memory.lessons.changes(user="ada")) == 1
    decision = memory.lessons.rollback(new[0].created_at)
    assert memory.lessons.changes(user="ada") == []
    memory.delete(decision.id)
    assert len(memory.lessons.changes(user="ada")) == 1
    memory.forget(*[one.id for one in new], user="ada")
    assert memory.lessons.changes(user="ada") == []
    assert old


def test_who_opens_the_memory_again_is_told_the_same(memory: Memory, live: Live) -> None:
    fall(live)
    unlike(memory)
    told = memory.lessons.changes()
    path = Path(memory.path)
    with Memory(path, encoder="hashing", read_only=True) as again:
        assert again.lessons.changes() == told
    assert {one.kind for one in told} == {"scores", "situations"}
