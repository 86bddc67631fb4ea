"""TextWorld: games made by seed, played to the character alike, with their solutions kept out of sight."""

import os
import random
import shutil
import statistics
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from agentcl import InvalidInput
from agentcl.envs.base import SPLITS, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.textworld import (
    LONGEST_ACTION,
    NO_SUCH,
    TextWorldDomain,
    clean,
    is_one_command,
)
from agentcl.envs.domains.textworld_games import FAMILIES, GameFolder, settings_of
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, ReplayPolicy, play
from agentcl.errors import EnvironmentFailed

pytest.importorskip("textworld", reason="pip install 'agentcl[textworld]' needs a C compiler")

TASKS = list(islice(TextWorldDomain().tasks("train"), len(FAMILIES)))  # one of each family
CHEST = next(task for task in TASKS if task.family == "treasure_hunter")
DINNER = next(task for task in TASKS if task.family == "simple")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where games are kept, the same for all workers of a parallel run: each takes seconds to make."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "textworld"


@pytest.fixture
def domain(folder: Path) -> TextWorldDomain:
    return TextWorldDomain(folder)


def test_it_keeps_the_contract(domain: TextWorldDomain) -> None:
    assert {task.family for task in TASKS} == set(FAMILIES)
    findings = check(domain, tasks=len(TASKS))
    assert len(findings) == 16
    assert [finding for finding in findings if not finding.is_kept] == []


def test_the_walkthrough_wins_and_chance_and_nothing_do_not(domain: TextWorldDomain) -> None:
    environment = domain.make()
    best = [play(environment, OraclePolicy(domain.oracle()), task, seed=0) for task in TASKS]
    assert [(one.score and one.score.value, one.end) for one in best] == [(1.0, "terminated")] * 4
    points = {one.task.family: one.score.raw for one in best if one.score}
    assert points["coin_collector"] == 1
    assert points["simple"] > 4  # points, not the share of them
    chance = [play(environment, RandomPolicy(), task, seed=n) for task in TASKS for n in range(3)]
    assert statistics.fmean(one.score.value for one in chance if one.score) < 0.7
    nothing = [play(environment, NullPolicy(), task, seed=0) for task in TASKS]
    assert [one.score and one.score.value for one in nothing] == [0.0] * 4
    environment.close()


def test_rewards_add_up_to_the_score_and_a_lost_game_is_over(domain: TextWorldDomain) -> None:
    environment = domain.make()
    environment.reset(DINNER, seed=0)
    way = domain.oracle().actions(DINNER, seed=0)
    taken = next(n for n, action in enumerate(way) if action.startswith("put"))
    outcomes = [environment.step(action) for action in way[:taken]]
    assert sum(outcome.reward for outcome in outcomes) == pytest.approx(environment.score().value)
    food = way[taken].removeprefix("put ").removesuffix(" on stove")
    eaten = environment.step(f"eat {food}")
    assert eaten.terminated
    assert not eaten.truncated
    assert 0 < environment.score().value < 1
    assert not environment.score().is_success


def test_actions_asked_for_late_change_nothing(domain: TextWorldDomain) -> None:
    """The engine is replaced by one that works them out; what is seen and scored stays the same."""
    asked, unasked = domain.make(), domain.make()
    way = domain.oracle().actions(DINNER, seed=0)
    assert asked.reset(DINNER, seed=0) == unasked.reset(DINNER, seed=0)
    for n, action in enumerate(way):
        if n == 3:
            assert action in (asked.admissible_actions() or ())
            assert not unasked._is_tracking
        assert asked.step(action) == unasked.step(action)
        assert asked.score() == unasked.score()
    assert asked.admissible_actions() == ()
    assert asked._is_tracking


def test_every_action_offered_is_one_command(domain: TextWorldDomain) -> None:
    environment = domain.make()
    for task in TASKS:
        rng = random.Random(task.id)
        environment.reset(task, seed=0)
        for _ in range(15):
            offered = environment.admissible_actions() or ()
            assert offered
            assert [action for action in offered if not is_one_command(action)] == []
            if environment.step(rng.choice(list(offered))).terminated:
                break


@pytest.mark.parametrize(
    "action",
    ["", " ", "quit", "QUIT", "undo", "save", "transcripts", "tw-print max_score", "look. wait",
     "look then wait", "look;look", "go nörth", "look\0", "x" * (LONGEST_ACTION + 1), "me,restart", '"quit"'],
)  # fmt: skip
def test_what_is_said_to_the_interpreter_never_reaches_it(action: str) -> None:
    assert not is_one_command(action)


def test_what_is_refused_takes_a_step_and_the_game_goes_on(domain: TextWorldDomain) -> None:
    environment = domain.make()
    task = Task(DINNER.env, DINNER.family, DINNER.variation, "train", 3, DINNER.parameters)
    environment.reset(task, seed=0)
    assert environment.step("quit").observation.text == NO_SUCH
    assert "carrying nothing" in environment.step("inventory").observation.text
    last = environment.step("look. look")
    assert last.truncated
    assert not last.terminated


def test_texts_are_clean_and_goals_tell_no_solution(domain: TextWorldDomain) -> None:
    environment = domain.make()
    for task in TASKS:
        begun = environment.reset(task, seed=0)
        assert begun.text.startswith("-= ")
        assert begun.goal not in begun.text
        assert begun.goal.count(".") + begun.goal.count("!") <= 4
        way = domain.oracle().actions(task, seed=0)
        assert not any(action in begun.goal for action in way[:-1])
        shown = [begun.text] + [
            text for _, text in play(environment, ReplayPolicy(way), task, seed=0).steps
        ]
        for text in shown:
            assert text == text.strip()
            for noise in ("$$", "\x1b", "RESTART", "\n\n\n", "=-0/", "[looking"):
                assert noise not in text


def test_noise_is_cleaned_and_words_stay() -> None:
    said = "\n\x1b[1mYou  are here.\x1b[0m  \n\n\n\nAn [odd] sign: 1/2.\n\n>      -= Bar =-0/12\n"
    assert clean(said) == "You  are here.\n\nAn [odd] sign: 1/2."
    assert clean("You win!\n\n*** The End ***\n\nWould you like to RESTART, or QUIT?") == (
        "You win!\n\n*** The End ***"
    )


def test_processes_share_a_folder_and_make_the_same_game(
    domain: TextWorldDomain, folder: Path, tmp_path: Path
) -> None:
    """Two at once, with other hashes, in a folder of their own: both play, and one game is kept."""
    code = (
        "import sys; from agentcl.envs.base import Task; from agentcl.envs.domains.textworld import *;"
        "domain = TextWorldDomain(sys.argv[1]); task = Task.from_json(sys.argv[2]);"
        "print(domain.make().reset(task, seed=0).text)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), CHEST.to_json()],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        )
        for seed in (1, 2)
    ]
    printed = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    expected = domain.make().reset(CHEST, seed=0).text
    assert [text.strip() for text in printed] == [expected] * 2
    (kept,) = tmp_path.iterdir()
    own = GameFolder(folder).game(CHEST)
    assert kept.name == own.parent.name
    assert (kept / "game.z8").read_bytes() == own.read_bytes()


def test_a_damaged_game_fails_the_episode_and_not_the_process(
    domain: TextWorldDomain, folder: Path, tmp_path: Path
) -> None:
    for name, words in (("game.z8", "is damaged; delete"), ("game.json", "broke at reset")):
        copied = tmp_path / name
        shutil.copytree(GameFolder(folder).game(CHEST).parent.parent, copied)
        damaged = GameFolder(copied).game(CHEST).with_name(name)
        damaged.write_bytes(damaged.read_bytes()[:1000])
        environment = TextWorldDomain(copied).make()
        with pytest.raises(EnvironmentFailed, match=words):
            environment.reset(CHEST, seed=0)
        played = play(environment, OraclePolicy(domain.oracle()), CHEST, seed=0)
        assert played.score is None
        environment.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(EnvironmentFailed, match=f"cannot be made in {taken}"):
        TextWorldDomain(taken).make().reset(CHEST, seed=0)


def test_an_engine_that_breaks_fails_the_episode_and_the_next_begins_with_another(
    domain: TextWorldDomain,
) -> None:
    environment = domain.make()
    begun = environment.reset(CHEST, seed=0)
    environment._engine.close()
    with pytest.raises(
        EnvironmentFailed, match=r"textworld broke at step 1 of .*Game is not running"
    ):
        environment.step("look")
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.step("look")
    assert environment.reset(CHEST, seed=0) == begun


def test_splits_use_other_seeds_of_the_generator() -> None:
    listed = {split: list(TextWorldDomain().tasks(split)) for split in SPLITS}
    assert [len(tasks) for tasks in listed.values()] == [400, 100, 100]
    seeds = [{task.variation for task in tasks} for tasks in listed.values()]
    assert len(set.union(*seeds)) == sum(map(len, seeds)) == 150
    for tasks in listed.values():
        assert all(settings_of(task) for task in tasks)


def test_settings_are_the_generators_own_or_refused() -> None:
    assert settings_of(Task("textworld", "cooking", 1, parameters={"cook": True})) == {
        "recipe": 1, "take": 1, "go": 1, "open": False, "cook": True, "cut": False, "drop": False,
    }  # fmt: skip
    for family, variation, parameters, words in (
        ("chess", 1, {}, "its families are coin_collector"),
        ("simple", -1, {}, "a variation is a seed"),
        ("simple", 1, {"level": 3}, "there is no 'level'; choose from rewards"),
        ("coin_collector", 1, {"level": 300}, "level is 300, but it can be one of 1, 2"),
        ("coin_collector", 1, {"level": True}, "level is True"),
        ("cooking", 1, {"recipe": 1, "take": 2}, "takes more ingredients"),
    ):
        task = Task("textworld", family, variation, parameters=parameters)
        with pytest.raises(InvalidInput, match=words):
            TextWorldDomain().make().reset(task, seed=0)
    with pytest.raises(InvalidInput, match="there is no family"):
        list(TextWorldDomain().tasks("train", family="chess"))
    with pytest.raises(InvalidInput, match="there is no split"):
        list(TextWorldDomain().tasks("exam"))  # type: ignore[arg-type]


def test_without_the_engine_tasks_are_listed_and_making_says_what_to_install() -> None:
    code = """
import sys
sys.modules["textworld"] = None
from agentcl.envs.registry import open_domain
from agentcl.errors import MissingExtra
domain = open_domain("textworld")
print(next(domain.tasks("test")).id)
try:
    domain.make()
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "textworld/coin_collector/2001,level=5",
        "TextWorld needs an optional part: pip install 'agentcl[textworld]'",
    ]
