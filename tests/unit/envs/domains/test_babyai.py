"""BabyAI as text: what is said is what the engine shows, and the actions offered are those that act."""

import copy
import logging
import random
import subprocess
import sys
from itertools import islice
from typing import Any

import pytest

from agentcl import InvalidInput
from agentcl.envs.base import SPLITS, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.babyai import (
    ACTIONS,
    LEVELS,
    NO_SUCH,
    BabyAIDomain,
    admissible,
    describe,
    engine_seed,
    make_engine,
)
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, play
from agentcl.errors import EnvironmentFailed

DOMAIN = BabyAIDomain()
EMPTY, WALL, DOOR, KEY, BALL, BOX = 1, 2, 4, 5, 6, 7
RED, BLUE, GREY = 0, 2, 5


def view(cells: dict[tuple[int, int], tuple[int, int, int]]) -> list[list[list[int]]]:
    """A view that is empty but for some cells, named by steps forward and to the right."""
    seen = [[[EMPTY, 0, 0] for _ in range(7)] for _ in range(7)]
    for (ahead, aside), cell in cells.items():
        seen[3 + aside][6 - ahead] = list(cell)
    return seen


def first(level: str) -> Task:
    return next(DOMAIN.tasks("train", family=level))


def test_it_keeps_the_contract() -> None:
    findings = check(DOMAIN, tasks=4)
    assert len(findings) == 16
    assert [finding for finding in findings if not finding.is_kept] == []


def test_what_is_seen_is_said_nearest_first() -> None:
    assert describe(view({})) == "You see nothing but floor. You carry nothing."
    assert describe(
        view(
            {
                (3, 0): (WALL, GREY, 0),
                (4, 0): (WALL, GREY, 0),
                (0, -2): (WALL, GREY, 0),
                (2, -1): (BALL, RED, 0),
                (1, 0): (DOOR, BLUE, 2),
                (0, 3): (BOX, GREY, 0),
                (0, 0): (KEY, BLUE, 0),
            }
        )
    ) == (
        "You see a locked blue door 1 step forward, a red ball 2 steps forward and 1 step left, "
        "and a grey box 3 steps right. Walls: 3 steps forward; 2 steps left. You carry a blue key."
    )
    assert "an open red door 2 steps forward" in describe(view({(2, 0): (DOOR, RED, 0)}))


def test_a_key_opens_what_has_its_colour() -> None:
    locked = {(1, 0): (DOOR, BLUE, 2)}
    assert "toggle" not in admissible(view(locked))
    assert "toggle" not in admissible(view({**locked, (0, 0): (KEY, RED, 0)}))
    assert "toggle" in admissible(view({**locked, (0, 0): (KEY, BLUE, 0)}))


def state(engine: Any) -> tuple[object, ...]:
    carried = engine.carrying and engine.carrying.encode()
    return engine.grid.encode().tobytes(), tuple(engine.agent_pos), engine.agent_dir, carried


@pytest.mark.parametrize("level", ["UnlockLocal", "PutNextLocal", "BossLevel"])
def test_exactly_the_actions_that_change_something_are_offered(level: str) -> None:
    """Tried on copies of the engine, along a walk that takes what is rare where it can."""
    task, rng = first(level), random.Random(level)
    environment, engine = DOMAIN.make(), make_engine(level)
    environment.reset(task, seed=7)
    engine.reset(seed=engine_seed(task, 7))
    offered_once = set()
    for _ in range(60):
        offered = environment.admissible_actions()
        assert offered is not None
        before, changing = state(engine), []
        for number, action in enumerate(ACTIONS):
            tried = copy.deepcopy(engine)
            tried.step(number)
            if state(tried) != before:
                changing.append(action)
        assert list(offered) == changing
        offered_once |= set(offered)
        action = rng.choice([*offered, *offered[3:], *offered[2:]])
        engine.step(ACTIONS.index(action))
        if environment.step(action).terminated:
            break
    assert {"turn left", "go forward"} < offered_once


@pytest.mark.parametrize("level", LEVELS)
def test_the_bot_finishes_and_chance_mostly_does_not(level: str) -> None:
    environment = DOMAIN.make()
    oracle = OraclePolicy(DOMAIN.oracle())
    tasks = list(islice(DOMAIN.tasks("test", family=level), 3))
    assert all(task.max_steps == LEVELS[level] for task in tasks)
    for n, task in enumerate(tasks):
        best = play(environment, oracle, task, seed=n)
        assert best.score is not None
        assert best.score.value == 1.0
        assert best.score.is_success
        assert 0 < best.score.raw < 1  # the engine takes off for steps
        assert best.end == "terminated"
    short = [Task("babyai", level, task.variation, task.split, 20) for task in tasks]
    played = [
        play(environment, policy, task, seed=n)
        for policy in (NullPolicy(), RandomPolicy())
        for n, task in enumerate(short)
    ]
    assert all(one.score and one.score.value == 0 for one in played[:3])
    assert sum(one.score.value for one in played[3:] if one.score) < 3


def test_task_and_seed_draw_the_episode() -> None:
    environment, one, other = DOMAIN.make(), *islice(DOMAIN.tasks("dev", family="GoTo"), 2)
    begun = {
        (task.variation, seed): environment.reset(task, seed=seed)
        for task in (one, other)
        for seed in (0, 1, 10**12)
    }
    assert len({(seen.text, seen.goal) for seen in begun.values()}) == 6
    assert DOMAIN.make().reset(one, seed=1) == begun[one.variation, 1]


def test_splits_share_no_task() -> None:
    listed = [{task.id for task in DOMAIN.tasks(split)} for split in SPLITS]
    assert [len(ids) for ids in listed] == [1600, 400, 400]
    assert len(set.union(*listed)) == 2400


def test_an_unknown_action_takes_a_step_of_the_engine_too() -> None:
    environment, task = DOMAIN.make(), first("GoToLocal")
    before = environment.reset(task, seed=0)
    outcome = environment.step("fly")
    assert outcome.observation.text == f"{NO_SUCH} {before.text}"
    way = list(DOMAIN.oracle().actions(task, seed=0))
    raw = []
    for wasted in (0, 5):
        environment.reset(task, seed=0)
        for action in ["fly"] * wasted + way:
            environment.step(action)
        raw.append(environment.score().raw)
    assert raw[0] > raw[1] > 0


def test_what_the_engine_prints_goes_to_the_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="agentcl.envs.domains.babyai")
    environment = DOMAIN.make()
    task = first("GoToSeq")
    for seed in range(12):
        environment.reset(task, seed=seed)
    assert capsys.readouterr().out == ""
    assert "Sampling rejected" in caplog.text


def test_a_broken_engine_fails_the_episode_and_the_next_begins_with_another() -> None:
    environment, task = DOMAIN.make(), first("GoToLocal")
    begun = environment.reset(task, seed=0)
    environment._engine.grid = None
    with pytest.raises(EnvironmentFailed, match="babyai broke at step 1 of babyai/GoToLocal/0"):
        environment.step("go forward")
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.score()
    assert environment.reset(task, seed=0) == begun


def test_what_is_no_task_of_it_is_refused() -> None:
    for task in (
        Task("babyai", "Chess", 0),
        Task("incidents", "GoTo", 0),
        Task("babyai", "GoToLocal", 0, max_steps=65),
    ):
        with pytest.raises(InvalidInput, match=r"its families are GoToLocal|the engine allows 64"):
            DOMAIN.make().reset(task, seed=0)
        with pytest.raises(InvalidInput):
            DOMAIN.oracle().actions(task, seed=0)
    with pytest.raises(InvalidInput, match="there is no family"):
        list(DOMAIN.tasks("train", family="Chess"))
    with pytest.raises(InvalidInput, match="there is no split"):
        list(DOMAIN.tasks("exam"))  # type: ignore[arg-type]


def test_without_the_engine_tasks_are_listed_and_making_says_what_to_install() -> None:
    code = """
import sys
sys.modules["minigrid"] = None
from agentcl.envs.registry import open_domain
from agentcl.errors import MissingExtra
domain = open_domain("babyai")
print(next(domain.tasks("test")).id)
try:
    domain.make()
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "babyai/GoToLocal/250",
        "BabyAI needs an optional part: pip install 'agentcl[babyai]'",
    ]
