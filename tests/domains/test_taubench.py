"""tau-bench from a real checkout: `make test-domains TAU_BENCH=FOLDER`."""

import os
from itertools import islice

import pytest

from agentcl.envs.base import Split
from agentcl.envs.domains.taubench import TauBenchDomain
from agentcl.envs.policies import NullPolicy, OraclePolicy, play

CHECKOUT = os.environ.get("TAU_BENCH", "")
pytestmark = pytest.mark.skipif(not CHECKOUT, reason="TAU_BENCH names no checkout of tau-bench")


@pytest.fixture(scope="module")
def domain() -> TauBenchDomain:
    return TauBenchDomain(CHECKOUT)


@pytest.mark.parametrize(
    ("family", "split", "count"),
    [
        ("retail", "train", 500),
        ("retail", "dev", 20),
        ("retail", "test", 115),
        ("airline", "train", 0),
        ("airline", "test", 50),
    ],
)
def test_its_tasks_are_those_of_the_paper(
    domain: TauBenchDomain, family: str, split: Split, count: int
) -> None:
    assert len(list(domain.tasks(split, family=family))) == count


@pytest.mark.parametrize("family", ["retail", "airline"])
def test_the_right_calls_score_full_and_nothing_scores_little(
    domain: TauBenchDomain, family: str
) -> None:
    environment = domain.make()
    tasks = list(islice(domain.tasks("test", family=family), 5))
    oracle = domain.oracle()
    assert oracle is not None
    best = [play(environment, OraclePolicy(oracle), task, seed=0) for task in tasks]
    assert [one.score.value for one in best if one.score] == [1.0] * 5
    nothing = [play(environment, NullPolicy(), task, seed=0) for task in tasks]
    assert sum(one.score.value for one in nothing if one.score) < 5
