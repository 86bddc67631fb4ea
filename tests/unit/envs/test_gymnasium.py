"""Gymnasium's environments as ours, ours as Gymnasium's, and once there and back."""

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from agentcl import InvalidInput
from agentcl.envs.base import Oracle, Outcome, Split, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment
from agentcl.envs.gymnasium import NO_SUCH, AnyText, FromGymnasium, ToGymnasium
from agentcl.envs.policies import OraclePolicy, RandomPolicy, play
from agentcl.errors import EnvironmentFailed

LAKE = Task("lake", "still", 0, max_steps=30)
WORDS = {"left": 0, "down": 1, "right": 2, "up": 3}
WAY = ("down", "down", "right", "down", "right", "right")
INCIDENTS = IncidentDomain()


def where(cell: Any, told: Mapping[str, Any]) -> str:
    return f"You stand in row {cell // 4}, column {cell % 4} of a frozen lake."


def freeze(task: Task) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("FrozenLake-v1", is_slippery=False)


def lake(make: Any = freeze, actions: Any = WORDS) -> FromGymnasium:
    return FromGymnasium(
        "lake",
        make,
        families=["still"],
        describe=where,
        actions=actions,
        goal=lambda cell, told: "reach row 3, column 3.",
        determinism="bitwise",
    )


class Lake:
    name = "lake"
    families: Sequence[str] = ("still",)

    def make(self) -> FromGymnasium:
        return lake()

    def tasks(self, split: Split, *, family: str | None = None) -> Iterator[Task]:
        yield from [LAKE] if split == "train" else []

    def oracle(self) -> Oracle:
        return self

    def actions(self, task: Task, *, seed: int) -> Sequence[str]:
        return WAY


class Broken(gymnasium.Env[int, int]):
    """Ends with a reward that is no number, or with an error."""

    def __init__(self, reward: float | None) -> None:
        self.reward = reward

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if self.reward is None:
            raise RuntimeError("the ice is gone")
        return 0, self.reward, True, False, {}


def test_theirs_keeps_our_contract() -> None:
    findings = check(Lake())
    assert len(findings) == 16
    assert [finding for finding in findings if not finding.is_kept] == []


def test_theirs_is_described_played_and_scored() -> None:
    environment = lake()
    begun = environment.reset(LAKE, seed=0)
    assert begun.text == "You stand in row 0, column 0 of a frozen lake."
    assert begun.goal == "reach row 3, column 3."
    assert environment.admissible_actions() == tuple(WORDS)
    assert environment.step("  swim ").observation.text == f"{NO_SUCH} {begun.text}"
    assert [environment.step(action).reward for action in WAY] == [0, 0, 0, 0, 0, 1]
    assert environment.score().is_success
    assert environment.admissible_actions() == ()
    environment.reset(LAKE, seed=0)
    for action in ("right", "down"):
        fallen = environment.step(action)
    assert fallen.terminated
    assert environment.score().value == 0


class Bare:
    """Like Gymnasium's environments, and none of them: it has no `close`."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 1, 1.0, True, False, {}


def test_a_class_that_is_only_like_theirs_will_do() -> None:
    environment = lake(lambda task: Bare())
    environment.reset(LAKE, seed=0)
    assert environment.step("down").terminated
    assert environment.score().is_success
    environment.reset(Task("lake", "still", 1), seed=0)  # another task: the engine is let go
    environment.close()


def test_a_limit_of_theirs_truncates() -> None:
    environment = lake(lambda task: gymnasium.make("FrozenLake-v1", max_episode_steps=2))
    environment.reset(LAKE, seed=0)
    ended = [environment.step("up") for _ in range(2)]
    assert [outcome.truncated for outcome in ended] == [False, True]
    with pytest.raises(InvalidInput, match="the episode is over"):
        environment.step("up")


def test_a_parser_takes_the_place_of_words() -> None:
    environment = lake(actions=lambda text: WORDS.get(text.removeprefix("go ")))
    environment.reset(LAKE, seed=0)
    assert environment.admissible_actions() is None
    assert "row 1" in environment.step("go down").observation.text
    assert environment.step("dive").observation.text.startswith(NO_SUCH)


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        (None, "lake broke at step 1 of lake/still/0: RuntimeError: the ice is gone"),
        (math.nan, "lake gave a reward of nan"),
    ],
)
def test_theirs_that_breaks_fails_the_episode(reward: float | None, words: str) -> None:
    environment = lake(lambda task: Broken(reward))
    environment.reset(LAKE, seed=0)
    with pytest.raises(EnvironmentFailed, match=words):
        environment.step("down")
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.score()
    played = play(environment, RandomPolicy(), LAKE, seed=0)
    assert played.score is None
    assert played.end.startswith("failed: lake")


def test_what_is_no_task_of_theirs_is_refused() -> None:
    with pytest.raises(InvalidInput, match="its families are still"):
        lake().reset(Task("lake", "slippery", 0), seed=0)


def incidents(count: int = 5) -> list[Task]:
    return list(islice(INCIDENTS.tasks("train"), count))


def test_ours_keeps_their_contract() -> None:
    check_env(ToGymnasium(INCIDENTS.make(), incidents()), skip_render_check=True)


def test_ours_shows_the_goal_first_and_the_score_last() -> None:
    environment = ToGymnasium(INCIDENTS.make(), incidents())
    _, _, task = incidents(3)
    seen, told = environment.reset(seed=4, options={"task": task})
    begun = INCIDENTS.make().reset(task, seed=4)
    assert seen == f"Goal: {begun.goal}\n\n{begun.text}"
    assert told == {"goal": begun.goal, "task": task.id}
    way = INCIDENTS.oracle().actions(task, seed=4)
    *_, (_, reward, terminated, truncated, told) = [environment.step(action) for action in way]
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert told == {"score": 1.0, "raw_score": 1.0, "is_success": True}
    environment.close()


def test_ours_draws_tasks_by_seed_and_goes_on_without() -> None:
    first, second = (ToGymnasium(INCIDENTS.make(), incidents(9)) for _ in range(2))
    drawn = [[one.reset(seed=3), *(one.reset() for _ in range(8))] for one in (first, second)]
    assert drawn[0] == drawn[1]
    assert len({told["task"] for _, told in drawn[0]}) > 2
    assert len({seen for seen, _ in drawn[0]}) > 5


def test_ours_refuses_what_is_no_task_and_lets_failures_through() -> None:
    class Fails(IncidentEnvironment):
        def step(self, action: str) -> Outcome:
            raise EnvironmentFailed("the engine is gone")

    environment = ToGymnasium(Fails(), incidents())
    with pytest.raises(InvalidInput, match="is to be a Task, not str"):
        environment.reset(options={"task": "remedy"})
    with pytest.raises(InvalidInput, match="its families are"):
        environment.reset(options={"task": LAKE})
    environment.reset(seed=0)
    with pytest.raises(EnvironmentFailed, match="the engine is gone"):
        environment.step("drain it")
    with pytest.raises(InvalidInput, match="no tasks"):
        ToGymnasium(Fails(), [])


def test_texts_of_any_characters_belong_to_the_space() -> None:
    space = AnyText(50)
    space.seed(1)
    assert space.contains("")
    assert space.contains("🦉" * 50)
    assert not space.contains("x" * 51)
    assert not space.contains(5)
    drawn = [space.sample() for _ in range(20)]
    assert all(text in space for text in drawn)
    assert len(set(drawn)) == 20


def test_there_and_back_an_episode_is_the_same() -> None:
    for task in incidents():
        back = FromGymnasium(
            "incidents",
            lambda task: ToGymnasium(INCIDENTS.make(), [task]),
            families=INCIDENTS.families,
            describe=lambda seen, told: str(seen).rpartition("\n\n")[2],
            actions=lambda text: text,
            goal=lambda seen, told: str(told["goal"]),
            determinism="bitwise",
        )
        policy = OraclePolicy(INCIDENTS.oracle())
        there, again = (play(one, policy, task, seed=6) for one in (INCIDENTS.make(), back))
        assert there == again


def test_without_gymnasium_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["gymnasium"] = None
from agentcl.errors import MissingExtra
try:
    import agentcl.envs.gymnasium
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'agentcl[gymnasium]'" in done.stdout
