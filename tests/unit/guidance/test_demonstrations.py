"""Which past stretches stand in a prompt: few, within the budget, and by one coin for each way that they ended."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentcl.guidance.demonstrations import Demonstrated, demonstrate
from agentcl.guidance.evidence.belief import Belief
from agentcl.lessons import Stretch
from agentcl.store.episodes import Ended

HOPED = Belief("candidate", 1.0, 0.2, 0.2, 0, 0, 0, 0, "never tried")
ENDS: tuple[Ended, Ended] = ("success", "failure")


def stretch(id: str, *, is_success: bool = True, words: int = 5) -> Stretch:
    return Stretch("clear it", "it is slow", (("drain it", "so " * words),), is_success, id)


GOOD, BAD = stretch("good"), stretch("bad", is_success=False)


def shown(
    found: list[Stretch],
    before: Demonstrated = Demonstrated(),  # noqa: B008  # frozen
    *,
    belief: Belief = HOPED,
    seed: int = 0,
    **given: Any,
) -> Demonstrated:
    how: dict[str, Any] = {
        "limit": 2,
        "budget_tokens": 400,
        "count_tokens": len,
        "price": 0.0,
    } | given
    return demonstrate(found, before, lambda ended: belief, random.Random(seed), **how)


def test_both_kinds_are_shown_and_told_apart() -> None:
    chosen = shown([BAD, GOOD, stretch("other")], is_certain=True)
    assert chosen.shown == (GOOD, BAD)
    assert "succeeded" in GOOD.lines()[0]
    assert "failed" in BAD.lines()[0]
    assert {ended: one.episodes for ended, one in chosen.coins.items()} == {
        "success": ("good",),
        "failure": ("bad",),
    }


def test_a_coin_decides_once_an_episode() -> None:
    first = [shown([GOOD], seed=seed) for seed in range(60)]
    withheld = [one for one in first if one.withheld]
    assert 0 < len(withheld) < 30
    for one in first:
        for seed in range(5):
            later = shown([stretch("new")], one, seed=seed)
            assert later.coins["success"].is_shown == one.coins["success"].is_shown
            assert later.coins["success"].episodes == ("good", "new")
            assert (later.shown or later.withheld)[:1] == (GOOD,)


def test_what_is_not_expected_to_help_is_not_shown_and_no_evidence() -> None:
    useless = replace(HOPED, uplift=-0.1, shown=5, withheld=5)
    gone = replace(HOPED, stage="quarantined")
    for belief in (useless, gone):
        assert not any(shown([GOOD], belief=belief, seed=seed).coins for seed in range(30))
        assert not shown([GOOD], belief=belief, is_certain=True).coins
    assert not shown([GOOD], price=1.0, is_certain=True).shown  # it costs more than it gains


def test_the_coin_of_one_kind_does_not_change_how_many_of_the_other_there_are() -> None:
    many = [stretch(f"bad{n}", is_success=False) for n in range(3)]
    numbers = {
        (bool(one.withheld) and one.withheld[0].is_success, len(one.coins["failure"].episodes))
        for seed in range(60)
        for one in (shown([GOOD, *many], seed=seed),)
    }
    assert {number for _, number in numbers} == {1}
    assert len(numbers) == 2  # the success was withheld now and then


@given(
    found=st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=8),
    limit=st.integers(1, 5),
    budget=st.integers(0, 400),
    seed=st.integers(0, 99),
)
def test_no_more_than_were_asked_for_and_never_over_the_budget(
    found: list[tuple[bool, int]], limit: int, budget: int, seed: int
) -> None:
    some = [stretch(f"e{n}", is_success=good, words=words) for n, (good, words) in enumerate(found)]
    chosen = shown(some, limit=limit, budget_tokens=budget, seed=seed)
    assert len(chosen.shown) + len(chosen.withheld) <= limit
    assert chosen.tokens == sum(len("\n".join(one.lines())) + 1 for one in chosen.shown) <= budget
    again = shown(some, chosen, limit=limit, budget_tokens=budget - chosen.tokens, seed=seed)
    assert again.shown[: len(chosen.shown)] == chosen.shown  # what stands there stays
    assert not {one.episode for one in again.shown} & {one.episode for one in again.withheld}
