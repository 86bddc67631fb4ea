"""ScienceWorld's simulator itself, in Java: `make test-domains` builds its environment and runs this."""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence

import pytest

pytest.importorskip("scienceworld", reason="run by `make test-domains`")
if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
    pytest.skip("there is no Java; any from 8 on will do", allow_module_level=True)

from agentcl.envs.base import SPLITS, Task
from agentcl.envs.checking import check
from agentcl.envs.domains.scienceworld import (
    NAME,
    SIMPLIFICATIONS,
    VARIATIONS,
    ScienceWorldDomain,
    ScienceWorldEnvironment,
    ScienceWorldOracle,
    variations_of,
)
from agentcl.envs.domains.scienceworld_engine import ScienceWorldEngine
from agentcl.envs.policies import NullPolicy, OraclePolicy, RandomPolicy, ReplayPolicy, play
from agentcl.errors import EnvironmentFailed

SHORT = ("lifespan-longest-lived", "chemistry-mix-paint-secondary-color", "find-animal")


def first(family: str, *, max_steps: int = 100, simplifications: str = "") -> Task:
    domain = ScienceWorldDomain(simplifications, max_steps)
    return next(domain.tasks("test", family=family))


@pytest.fixture(scope="module")
def environment() -> Iterator[ScienceWorldEnvironment]:
    made = ScienceWorldDomain().make()
    yield made
    made.close()


@pytest.fixture(scope="module")
def oracle() -> Iterator[ScienceWorldOracle]:
    made = ScienceWorldOracle()
    yield made
    made.close()


@pytest.fixture
def engine() -> Iterator[ScienceWorldEngine]:
    made = ScienceWorldEngine()
    yield made
    made.close()


class FewFamilies(ScienceWorldDomain):
    families: Sequence[str] = SHORT


def test_it_keeps_the_contract() -> None:
    findings = check(FewFamilies(max_steps=20), tasks=3)
    assert [finding for finding in findings if not finding.is_kept] == []


def test_families_and_splits_are_the_simulators(engine: ScienceWorldEngine) -> None:
    for family in VARIATIONS:
        engine.load(family, 0, "")
        assert engine.variations() == {
            split: list(variations_of(family, split)) for split in SPLITS
        }


@pytest.mark.parametrize("family", SHORT)
def test_the_gold_path_scores_full(
    environment: ScienceWorldEnvironment, oracle: ScienceWorldOracle, family: str
) -> None:
    played = play(environment, OraclePolicy(oracle), first(family), seed=0)
    assert played.score is not None
    assert (played.score.value, played.score.raw, played.score.is_success) == (1, 100, True)
    assert played.end == "terminated"


def test_a_solved_task_begins_anew_at_nothing(
    environment: ScienceWorldEnvironment, oracle: ScienceWorldOracle
) -> None:
    """The simulator itself goes on showing the score of the episode before."""
    task = first(SHORT[0])
    play(environment, OraclePolicy(oracle), task, seed=0)
    for again in (task, first("find-plant")):
        environment.reset(again, seed=0)
        outcome = environment.step("task")
        assert not outcome.terminated
        assert environment.score().raw == 0


def test_a_wrong_choice_ends_it_and_the_raw_score_is_kept(
    environment: ScienceWorldEnvironment,
) -> None:
    environment.reset(first("boil"), seed=0)
    outcome = environment.step("focus on picture")
    assert outcome.terminated
    assert not outcome.truncated
    score = environment.score()
    assert (score.value, score.raw, score.is_success) == (0, -100, False)
    assert environment.admissible_actions() == ()


def test_two_processes_say_the_same(environment: ScienceWorldEnvironment) -> None:
    """Lists, names of like things and what random play comes to; without our option they differ."""
    other = ScienceWorldDomain().make()
    try:
        for family in SHORT:
            task = first(family, max_steps=15, simplifications="easy")
            here, there = environment.reset(task, seed=0), other.reset(task, seed=0)
            assert here == there
            assert environment.admissible_actions() == other.admissible_actions()
            played = [play(each, RandomPolicy(), task, seed=5) for each in (environment, other)]
            assert played[0] == played[1]
    finally:
        other.close()


def test_actions_are_computed_once_a_step_and_only_when_asked(
    environment: ScienceWorldEnvironment,
) -> None:
    environment.reset(first("melt"), seed=0)
    actions = environment.admissible_actions()
    assert actions is not None
    assert environment.admissible_actions() is actions
    assert len(actions) > 50
    assert list(actions) == sorted(set(actions))
    environment.step(next(action for action in actions if action.startswith("open door")))
    assert environment.admissible_actions() != actions


def test_simplifications_reach_the_simulator(environment: ScienceWorldEnvironment) -> None:
    plain = environment.reset(first("melt"), seed=0).text
    easier = environment.reset(first("melt", simplifications="openDoors"), seed=0).text
    assert "(that is closed)" in plain
    assert "(that is closed)" not in easier
    for name in SIMPLIFICATIONS:
        environment.reset(first("melt", simplifications=name), seed=0)


def test_a_java_that_dies_costs_one_episode_and_no_score() -> None:
    environment = ScienceWorldDomain().make()
    task = first("melt", max_steps=3)
    try:
        environment.reset(task, seed=0)
        os.kill(environment.process_id or 0, signal.SIGKILL)
        with pytest.raises(EnvironmentFailed, match="Java process"):
            environment.step("look around")
        assert play(environment, NullPolicy(), task, seed=0).end == "truncated"
    finally:
        environment.close()


def test_a_java_that_hangs_is_ended() -> None:
    engine = ScienceWorldEngine(call_timeout_s=30)  # starting it must fit in as well
    os.kill(engine.process_id, signal.SIGSTOP)
    with pytest.raises(EnvironmentFailed, match="did not answer for 30 s"):
        engine.goal()
    assert engine.is_closed
    assert not is_running(engine.process_id)


def test_closing_ends_java_and_twice_is_allowed() -> None:
    environment = ScienceWorldDomain().make()
    environment.reset(first("melt"), seed=0)
    process_id = environment.process_id
    assert process_id is not None
    assert is_running(process_id)
    environment.close()
    environment.close()
    assert not is_running(process_id)


def test_a_forgotten_engine_ends_its_java() -> None:
    engine = ScienceWorldEngine()
    process_id = engine.process_id
    del engine
    assert not is_running(process_id)


def test_odd_texts_reach_the_simulator_whole(environment: ScienceWorldEnvironment) -> None:
    task = Task(NAME, "melt", 21, "test", 4)
    odd = ["", "a\nb\r\tc", '"quoted" \\ 🦉', "look around"]
    played = play(environment, ReplayPolicy(odd), task, seed=0)
    assert [seen for _, seen in played.steps[:3]] == ["No known action matches that input."] * 3
    assert "This room is called" in played.steps[3][1]


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
