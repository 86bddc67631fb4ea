"""Household games as far as they need no engine: what is drawn, what stays, what changes with the seed."""

import sys
from importlib.util import find_spec

import pytest

from agentcl.envs.base import SPLITS, Task
from agentcl.envs.domains.household import NAME, HouseholdDomain, HouseholdEnvironment, household_of
from agentcl.envs.domains.household_games import FAMILIES, kind_of
from agentcl.errors import InvalidInput, MissingExtra

DOMAIN = HouseholdDomain()


def test_tasks_are_listed_without_the_engine_and_splits_share_no_house() -> None:
    tasks = {split: list(DOMAIN.tasks(split)) for split in SPLITS}
    assert {split: len(listed) for split, listed in tasks.items()} == {
        "train": 720, "dev": 240, "test": 240,
    }  # fmt: skip
    houses = [{task.variation // 4 for task in listed} for listed in tasks.values()]
    assert sum(map(len, houses)) == len(set.union(*houses)) == 50


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_wanted_and_where_it_is_stay_and_the_rest_changes_with_the_seed(
    family: str,
) -> None:
    changed = 0
    for task in DOMAIN.tasks("dev", family=family):
        one, other = household_of(task, 1), household_of(task, 2)
        assert one == household_of(task, 1)
        assert one.goal() == other.goal()
        assert one.solution() == other.solution()
        assert dict(one.things)[f"{one.kind}_1"] == dict(other.things)[f"{one.kind}_1"]
        changed += one.things != other.things
    assert changed > 30


@pytest.mark.parametrize("family", FAMILIES)
def test_no_game_is_solved_before_it_begins(family: str) -> None:
    for task in DOMAIN.tasks("train", family=family):
        game = household_of(task, 0)
        assert {kind_of(place) for thing, place in game.things if kind_of(thing) == game.kind} != {
            game.target
        }


def test_a_house_keeps_a_kind_of_thing_in_the_same_place_for_all_tasks() -> None:
    kept: dict[tuple[int, str], set[str]] = {}
    for task in DOMAIN.tasks("test"):
        for thing, place in household_of(task, 3).things:
            kept.setdefault((task.variation // 4, kind_of(thing)), set()).add(place)
    assert all(len(places) == 1 for places in kept.values())
    mugs = {places.copy().pop() for (_, kind), places in kept.items() if kind == "mug"}
    assert len(mugs) > 3, "houses have habits of their own"


def test_goals_are_said_in_plain_words() -> None:
    goals = {household_of(task, 0).goal() for task in DOMAIN.tasks("train")}
    assert "put a clean tomato in or on a drawer." in goals
    assert any(goal.startswith("put two potatoes in or on the same") for goal in goals)
    assert any(goal.startswith("put an apple") for goal in goals)
    assert any(goal.startswith("look at the") and "desklamp" in goal for goal in goals)


def test_a_task_of_another_domain_is_refused() -> None:
    for task in (Task("incidents", "place", 0), Task(NAME, "fly", 0), Task(NAME, "place", -1)):
        with pytest.raises(InvalidInput):
            HouseholdEnvironment().reset(task, seed=0)
    with pytest.raises(InvalidInput, match="no family 'fly'"):
        next(DOMAIN.tasks("test", family="fly"))
    with pytest.raises(InvalidInput, match="no split 'all'"):
        next(DOMAIN.tasks("all"))  # type: ignore[arg-type]  # it is what is tested


def test_a_missing_engine_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("fast_downward") is not None:
        monkeypatch.setitem(sys.modules, "fast_downward", None)
    with pytest.raises(MissingExtra, match=r"agentcl\[alfworld\]"):
        DOMAIN.make()
