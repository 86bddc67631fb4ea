"""Incident response: rules that can be learned, a control where they cannot, an optimum that is exact."""

import random
import statistics
import subprocess
import sys
from itertools import islice, permutations

import pytest

from agentcl import InvalidInput
from agentcl.envs.base import Task
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.bounds import expected_without_memory
from agentcl.envs.domains.incidents.deployments import DIAGNOSTICS
from agentcl.envs.domains.incidents.domain import (
    FAMILIES,
    IncidentDomain,
    IncidentEnvironment,
    draw_incident,
)
from agentcl.envs.policies import NullPolicy, RandomPolicy, ReplayPolicy, play

DOMAIN = IncidentDomain()


def tasks(family: str, count: int = 20) -> list[Task]:
    return list(islice(DOMAIN.tasks("train", family=family), count))


def test_it_keeps_the_contract() -> None:
    findings = check(DOMAIN, tasks=30)
    assert len(findings) == 16
    assert [finding for finding in findings if not finding.is_kept] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_rules_stay_and_names_change_with_the_seed(family: str) -> None:
    for task in tasks(family):
        one, other = draw_incident(task, 1), draw_incident(task, 2)
        assert draw_incident(task, 1) == one
        assert one.name != other.name or one.actions != other.actions
        if family != "control":
            hidden = [(i.service, i.sign, i.remedy, i.before, i.diagnostic) for i in (one, other)]
            assert hidden[0] == hidden[1]
    if family == "control":
        remedies = {draw_incident(tasks(family)[0], seed).remedy for seed in range(30)}
        assert len(remedies) > 5


def test_splits_share_no_deployment() -> None:
    seen = [{task.parameters["deployment"] for task in DOMAIN.tasks(split)}
            for split in ("train", "dev", "test")]  # fmt: skip
    assert sum(map(len, seen)) == len(set.union(*seen)) == 100


def test_what_an_action_does_is_said_and_counted() -> None:
    (task,) = tasks("needs", 1)
    incident = draw_incident(task, 5)
    environment = IncidentEnvironment()
    environment.reset(task, seed=5)
    name = incident.name
    said = [environment.step(f"{incident.remedy} {name}").observation.text]
    said.append(environment.step(f"{incident.harm} {name}").observation.text)
    said.append(environment.step(f"{incident.before} {name}").observation.text)
    last = environment.step(f"{incident.remedy}  {name}")
    assert [*said, last.observation.text] == [
        f"{incident.before} it before", "the alert gets worse", "done", "the alert is cleared",
    ]  # fmt: skip
    assert last.terminated
    assert not last.truncated
    assert environment.score().value == pytest.approx(1 - 3 * 0.2)
    assert environment.admissible_actions() == ()


def test_a_diagnostic_shows_the_sign() -> None:
    (task,) = tasks("diagnose", 1)
    incident = draw_incident(task, 0)
    environment = IncidentEnvironment()
    assert incident.sign not in environment.reset(task, seed=0).text
    found = [environment.step(f"{verb} {incident.name}").observation.text for verb in DIAGNOSTICS]
    assert sum(incident.sign in text for text in found) == 1


def test_the_best_without_memory_is_what_the_best_scores() -> None:
    """By brute force: without memory all orders of trying are alike, so their mean is the optimum."""
    scores = []
    for remedy, harm in ((0, 1),):
        for order in permutations(range(5)):
            wasted = sum(2 if verb == harm else 1 for verb in order[: order.index(remedy)])
            scores.append(max(0.0, 1 - 0.2 * wasted))
    assert expected_without_memory("remedy") == pytest.approx(statistics.fmean(scores))
    assert expected_without_memory("control") == expected_without_memory("diagnose")


def test_a_bound_is_the_same_to_the_digit_in_every_process() -> None:
    code = (
        "from agentcl.envs.domains.incidents.bounds import expected_without_memory as best\n"
        "print(best('remedy'), best('needs'))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            for _ in range(6)]  # fmt: skip
    assert {run.stdout for run in runs} == {"0.5 0.5000000000000001\n"}


@pytest.mark.parametrize("family", FAMILIES)
def test_chance_and_nothing_stay_below_the_optimum(family: str) -> None:
    environment = DOMAIN.make()
    chosen = tasks(family, 60)
    for policy, most in ((RandomPolicy(), expected_without_memory(family)), (NullPolicy(), 0.0)):
        played = [play(environment, policy, task, seed=n) for n, task in enumerate(chosen * 5)]
        assert statistics.fmean(p.score.value for p in played if p.score) <= most


def test_a_memory_of_the_rules_pays_and_in_the_control_it_cannot() -> None:
    environment = DOMAIN.make()

    def score(family: str) -> float:
        """Remember for each service and sign what helped once; try in turn what is not known yet."""
        known: dict[tuple[str, str], str] = {}
        scores = []
        for round_ in range(2):
            for n, task in enumerate(tasks(family, 18)):
                incident = draw_incident(task, 100 * round_ + n)
                order = list(incident.actions)
                random.Random(n).shuffle(order)
                first = known.get((incident.service, incident.sign))
                order.sort(key=lambda action: action.split()[0] != first)
                played = play(environment, ReplayPolicy(order), task, seed=100 * round_ + n)
                known[incident.service, incident.sign] = played.steps[-1][0].split()[0]
                if round_ and played.score:
                    scores.append(played.score.value)
        return statistics.fmean(scores)

    assert score("remedy") == 1.0
    assert score("control") < 0.8


def test_what_is_no_task_of_it_is_refused() -> None:
    environment = IncidentEnvironment()
    with pytest.raises(InvalidInput, match="its families are remedy"):
        environment.reset(Task("incidents", "cooking", 0), seed=0)
    with pytest.raises(InvalidInput, match="call reset first"):
        environment.step("drain it")
    with pytest.raises(InvalidInput, match="there is no family"):
        list(DOMAIN.tasks("train", family="cooking"))
    with pytest.raises(InvalidInput, match="is not a task"):
        Task.from_json('{"env": "incidents"}')
