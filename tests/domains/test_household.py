"""Household games in ALFWorld's engine: `make test-domains` builds its environment and runs this."""

import os
import subprocess
import sys
from itertools import islice

import pytest

pytest.importorskip("fast_downward", reason="run by `make test-domains`")
pytest.importorskip("alfworld", reason="run by `make test-domains`")

from agentcl.envs.checking import check
from agentcl.envs.domains.household import HouseholdDomain
from agentcl.envs.domains.household_games import FAMILIES
from agentcl.envs.policies import NullPolicy, OraclePolicy, play

DOMAIN = HouseholdDomain()
TRANSCRIPT = """
from itertools import islice
from agentcl.envs.domains.household import HouseholdDomain
from agentcl.envs.policies import RandomPolicy, play
domain = HouseholdDomain()
environment = domain.make()
print([play(environment, RandomPolicy(), task, seed=1) for task in islice(domain.tasks("dev"), 2)])
"""


def test_it_keeps_the_contract() -> None:
    findings = check(DOMAIN, tasks=2)
    assert [finding for finding in findings if not finding.is_kept] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_every_game_begins_unsolved_and_its_plan_solves_it(family: str) -> None:
    environment = DOMAIN.make()
    for seed, task in enumerate(islice(DOMAIN.tasks("test", family=family), 4)):
        played = play(environment, OraclePolicy(DOMAIN.oracle()), task, seed=seed)
        assert played.score is not None, played.end
        assert played.score.is_success
        assert played.end == "terminated"
        assert "Nothing happens." not in [seen for _, seen in played.steps]


def test_doing_nothing_scores_nothing() -> None:
    environment = DOMAIN.make()
    for task in islice(DOMAIN.tasks("test"), 3):
        played = play(environment, NullPolicy(), task, seed=0)
        assert played.score is not None
        assert played.score.value == 0


def test_two_houses_can_be_open_at_once() -> None:
    one, other = DOMAIN.make(), DOMAIN.make()
    (first, *_, last) = DOMAIN.tasks("test", family="cool")
    one.reset(first, seed=0)
    other.reset(last, seed=0)
    assert "desk 1" in one.step("go to desk 1").observation.text
    assert other.step("look").observation.text.startswith("You are in the middle of a room.")
    assert one.step("look").observation.text.startswith("You are facing the desk 1.")


def test_the_engine_leaves_the_arguments_of_the_process_alone() -> None:
    before = list(sys.argv)
    DOMAIN.make().reset(next(DOMAIN.tasks("test")), seed=0)
    assert sys.argv == before


def test_two_processes_say_the_same() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", TRANSCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(said) == 1
    assert "You arrive at" in said.pop()
