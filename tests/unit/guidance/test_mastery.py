"""Mastery by kind of task: what episodes show by themselves, and how much of it is still known later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.progress.mastery import Skill, skills_of
from agentcl.store.episodes import Episode
from agentcl.store.records import Scope

START = datetime(2026, 3, 1, tzinfo=UTC)


def played(
    score: float | None,
    *,
    day: float = 0,
    family: str = "queue",
    world: str = "north",
    lane: str = "",
) -> Episode:
    return Episode(
        id="", scope=Scope(), created_at=START + timedelta(days=day), task="clear it", application="desk",
        family=family, world=world, status="finished", score=score, lane=lane,
        is_success=None if score is None else score >= 0.5,
    )  # fmt: skip


def one(*episodes: Episode, day: float = 0) -> Skill:
    (skill,) = skills_of(episodes, now=START + timedelta(days=day))
    return skill


def test_kinds_and_worlds_are_told_apart_and_the_weakest_comes_first() -> None:
    found = skills_of(
        [played(1.0), played(0.0, family="disk"), played(1.0, world="south"), played(1.0, world="south")],
        now=START,
    )  # fmt: skip
    assert [(one.cluster, one.world, one.attempts, one.succeeded) for one in found] == [
        ("desk/disk", "north", 1, 0),
        ("desk/queue", "north", 1, 1),
        ("desk/queue", "south", 2, 2),
    ]


def test_what_was_not_scored_or_was_done_by_an_expert_shows_no_mastery() -> None:
    assert skills_of([played(None), played(1.0, lane="taught")], now=START) == []
    assert one(played(0.0), played(1.0, lane="taught"), played(None)).attempts == 1


def test_what_was_long_ago_says_less() -> None:
    episodes = [played(1.0, day=n) for n in range(10)]
    soon, late = one(*episodes, day=10), one(*episodes, day=100)
    assert soon.last == late.last == START + timedelta(days=9)
    assert soon.mastery > 0.8 > late.mastery > 0.5
    assert late.high - late.low > soon.high - soon.low
    assert one(*episodes, day=100_000).mastery == 0.5


def test_the_newest_attempts_count_most_and_show_a_trend() -> None:
    rising = one(*map(played, [0.0] * 8 + [1.0] * 8))
    falling = one(*map(played, [1.0] * 8 + [0.0] * 8))
    assert rising.mastery > 0.5 > falling.mastery
    assert (rising.trend, falling.trend) == (1.0, -1.0)
    assert one(played(1.0), played(0.0), played(1.0)).trend is None


@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    days=st.floats(0, 1e5),
)
def test_the_estimate_lies_in_its_interval_and_on_the_scale(
    scores: list[float], days: float
) -> None:
    skill = one(*map(played, scores), day=days)
    assert 0 <= skill.low <= skill.mastery <= skill.high <= 1
    assert skill.low < skill.high


@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_one_more_success_never_lowers_the_estimate(scores: list[float]) -> None:
    before, after = one(*map(played, scores)), one(*map(played, [*scores, 1.0]))
    assert after.mastery >= before.mastery - 1e-9
