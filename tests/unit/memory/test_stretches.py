"""What of an episode is worth showing: its decisive step, and what led there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentcl.memory.episodes.stretches import cut
from agentcl.store.episodes import Step

NOTHING, WORSE = "nothing changes", "it gets worse"


def steps(*done: tuple[str, str, float]) -> list[Step]:
    made, seen = [], "it is slow"
    for n, (action, outcome, reward) in enumerate(done):
        made.append(
            Step(id=f"s{n}", ordinal=n, seen=seen, action=action, outcome=outcome, reward=reward)
        )
        seen = outcome
    return made


def actions(*done: tuple[str, str, float], is_success: bool) -> list[str]:
    return [one.action for one in cut(steps(*done), is_success=is_success)]


def test_a_success_is_told_by_what_changed_something_up_to_its_last_gain() -> None:
    done = (
        ("open", "it is open", 0.0), ("knock", NOTHING, 0.0), ("look", "a valve", 0.0), ("pause", "it is paused", 0.0),
        ("drain", "it is quick", 1.0), ("leave", "you are out", 0.0),
    )  # fmt: skip
    assert actions(*done, is_success=True) == ["look", "pause", "drain"]


def test_steps_that_a_world_rewarded_on_the_way_tell_a_success() -> None:
    done = (
        ("enter", "you are in", 0.2), ("look", "a box", 0.0), ("open", "it is open", 0.0), ("focus", "you do", 0.3),
        ("take", "you have it", 0.1), ("sing", "a song", 0.0), ("leave", "you are out", 0.1), ("give", "given", 0.3),
    )  # fmt: skip
    assert actions(*done, is_success=True) == ["enter", "focus", "take", "leave", "give"]


def test_without_rewards_the_last_change_decides() -> None:
    done = (("look", "a valve", 0.0), ("close", "it is shut", 0.0), ("wait", NOTHING, 0.0))
    assert actions(*done, is_success=True) == ["look", "close"]


def test_a_failure_is_told_by_what_was_done_in_vain_or_did_harm() -> None:
    vain = (("wait", NOTHING, 0.0), ("knock", NOTHING, 0.0), ("wait", NOTHING, 0.0))
    assert actions(*vain, is_success=False) == ["knock", "wait"]
    harm = (("knock", NOTHING, 0.0), ("kick", WORSE, 0.0), ("wait", NOTHING, 0.0))
    assert actions(*harm, is_success=False) == ["knock", "kick"]
    lost = (("knock", NOTHING, 0.0), ("sell", "it is sold", -1.0), ("kick", WORSE, 0.0))
    assert actions(*lost, is_success=False) == ["knock", "sell"]


@given(
    done=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from([NOTHING, WORSE, "x", "y"]),
            st.sampled_from([-1.0, 0.0, 1.0]),
        ),
        max_size=8,
    ),
    is_success=st.booleans(),
)
def test_a_stretch_is_a_few_steps_of_the_episode_in_their_order(
    done: list[tuple[str, str, float]], is_success: bool
) -> None:
    of = steps(*done)
    kept = cut(of, is_success=is_success)
    assert len(kept) <= (6 if is_success else 3)
    assert bool(kept) == bool(of)
    assert [one.ordinal for one in kept] == sorted({one.ordinal for one in kept})
