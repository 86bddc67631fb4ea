"""Estates: most rules are shared, the rest cannot be told beforehand, and what that is worth is exact."""

import os
import statistics
import subprocess
import sys
from collections import Counter
from itertools import combinations, islice

import pytest
from click.testing import CliRunner

from agentcl.cli.main import main
from agentcl.envs.base import Task
from agentcl.envs.checking import check
from agentcl.envs.domains.incidents.bounds import expected_from_estate, expected_without_memory
from agentcl.envs.domains.incidents.deployments import DIAGNOSTICS, Deployment
from agentcl.envs.domains.incidents.domain import FAMILIES, IncidentDomain, draw_incident
from agentcl.envs.domains.incidents.estates import (
    SHARED,
    alike,
    before_of,
    deployment_of,
    estate_rules,
)
from agentcl.envs.domains.incidents.incident import Incident
from agentcl.envs.policies import ReplayPolicy, play
from agentcl.errors import InvalidInput

ESTATES = range(6)
NUMBERS = range(25)
KNOWABLE = ("remedy", "needs", "diagnose")


def own_situations(estate: int, number: int) -> list[tuple[str, str]]:
    shared, deployment = estate_rules(estate), deployment_of(estate, number)
    return [s for s in shared.remedies if shared.remedies[s] != deployment.remedies[s]]


def incidents(family: str, *, seeds: int = 2) -> list[tuple[Task, int, Incident]]:
    tasks = [
        Task("incidents", family, variation, parameters={"deployment": number, "estate": estate})
        for estate in ESTATES
        for number in NUMBERS
        for variation in range(3 if family == "needs" else 9)
    ]
    return [(task, seed, draw_incident(task, seed)) for task in tasks for seed in range(seeds)]


def verbs(incident: Incident) -> set[str]:
    return {action.removesuffix(f" {incident.name}") for action in incident.actions} - {
        *DIAGNOSTICS
    }


@pytest.mark.parametrize("estate", ESTATES)
def test_three_of_four_situations_of_a_service_are_the_estates(estate: int) -> None:
    shared = estate_rules(estate)
    moved: Counter[tuple[str, str]] = Counter()
    for number in NUMBERS:
        own = own_situations(estate, number)
        assert len(own) == len({service for service, _ in own}) == 3
        assert 1 - len(own) / len(shared.remedies) == SHARED
        assert deployment_of(estate, number).harms == shared.harms
        moved.update(own)
    # which situations are a deployment's own is drawn for each: hardly one is always the estate's
    assert len(moved) >= 11


@pytest.mark.parametrize("estate", ESTATES)
def test_what_holds_in_every_deployment_holds_in_those_of_an_estate(estate: int) -> None:
    for number in NUMBERS:
        deployment = deployment_of(estate, number)
        assert not repeated(deployment)
        assert set(deployment.remedies) == set(estate_rules(estate).remedies)
        for situation, remedy in deployment.remedies.items():
            assert len({remedy, deployment.harms[situation], before_of(deployment, situation)}) == 3
        needing = {s for s in deployment.remedies if before_of(deployment, s)}
        assert needing == {s for s in deployment.remedies if before_of(estate_rules(estate), s)}
        assert len(needing) == len(deployment.needs) == 3


def repeated(deployment: Deployment) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return pairs of situations of one service or sign that have the same remedy."""
    return [
        (one, other)
        for one, other in combinations(deployment.remedies, 2)
        if (one[0] == other[0] or one[1] == other[1])
        and deployment.remedies[one] == deployment.remedies[other]
    ]


def test_estates_have_nothing_in_common_and_the_deployments_differ() -> None:
    assert len({str(estate_rules(estate)) for estate in ESTATES}) == len(ESTATES)
    rules = {str(deployment_of(estate, number)) for estate in ESTATES for number in NUMBERS}
    assert len(rules) == len(ESTATES) * len(NUMBERS)


@pytest.mark.parametrize("family", KNOWABLE)
def test_what_is_offered_does_not_tell_whose_rule_holds(family: str) -> None:
    """What the estate makes one expect is always offered, and the rest is drawn alike in both cases."""
    rest: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
    for task, _, incident in incidents(family):
        situation = incident.service, incident.sign
        known = alike(estate_rules(int(task.parameters["estate"])), situation)
        offered = verbs(incident)
        assert len(offered) == 5
        assert offered >= {incident.remedy, incident.harm, *known.expected}
        assert offered - {*known.expected} <= {*known.others}
        is_own = incident.remedy != known.expected[0]
        rest[is_own].update(known.others.index(verb) for verb in offered - {*known.expected})
        if is_own and incident.before:
            assert incident.before in known.others
    places = len(rest[True])
    for counts in rest.values():
        assert all(abs(counts[n] / counts.total() - 1 / places) < 0.06 for n in range(6))


@pytest.mark.parametrize("family", KNOWABLE)
def test_three_of_four_incidents_go_as_the_estate_says(family: str) -> None:
    found = incidents(family, seeds=1)
    as_expected = [
        incident.remedy == alike(estate_rules(int(task.parameters["estate"])),
                                 (incident.service, incident.sign)).expected[0]
        for task, _, incident in found
    ]  # fmt: skip
    assert statistics.fmean(as_expected) == pytest.approx(SHARED, abs=0.05)


@pytest.mark.parametrize("family", KNOWABLE)
def test_the_best_from_the_estate_is_what_knowing_the_estate_scores(family: str) -> None:
    """Do what the estate says; if that was wrong, try the rest, and never what makes it worse."""
    environment = IncidentDomain().make()
    scores = []
    for task, seed, incident in incidents(family):
        known = alike(
            estate_rules(int(task.parameters["estate"])), (incident.service, incident.sign)
        )
        remedy, harm, *before = known.expected
        rest = [
            verb for verb in sorted(verbs(incident)) if verb not in (*known.expected, *DIAGNOSTICS)
        ]
        order = [*before, remedy]
        if family == "needs":
            # Told what its remedy needs, it does that; a remedy tried too early is tried again.
            order += [rest[0], rest[1], rest[0]] if incident.remedy != remedy else []
        else:
            order += rest
        if family == "needs" and incident.before is not None and incident.before not in before:
            order.remove(remedy)  # what came first did nothing, so the rule is another
        if incident.diagnostic:
            order.insert(0, incident.diagnostic)
        played = play(environment, ReplayPolicy([f"{verb} {incident.name}" for verb in order]),
                      task, seed=seed)  # fmt: skip
        assert played.score is not None
        assert harm not in order
        scores.append(played.score.value)
    assert statistics.fmean(scores) == pytest.approx(expected_from_estate(family), abs=0.015)


def test_the_best_from_the_estate_by_hand() -> None:
    # Three of four at once; else the estate's remedy is one step lost, and each further try another.
    assert expected_from_estate("remedy") == pytest.approx(3 / 4 + (0.8 + 0.6 + 0.4) / 3 / 4)
    # What should come first does nothing: one step lost; of the two that are left, one is the remedy and
    # needs the other: begun with the right one nothing more is lost, else a step.
    assert expected_from_estate("needs") == pytest.approx(3 / 4 + (0.8 + 0.6) / 2 / 4)
    assert expected_from_estate("diagnose") == expected_from_estate("remedy")


def test_bounds_tell_what_others_of_the_estate_are_worth() -> None:
    domain = IncidentDomain(estates=10)
    for family in KNOWABLE:
        bounds = domain.bounds(family)
        assert bounds.from_others == expected_from_estate(family)
        assert bounds.without_memory == expected_without_memory(family)
        assert bounds.without_memory < bounds.from_others < bounds.with_knowledge
        assert IncidentDomain().bounds(family).from_others is None
    assert domain.bounds("control").from_others is None


def test_the_command_line_says_it() -> None:
    asked = ["envs", "play", "incidents", "--family", "needs", "-n", "3"]
    said = "on a first attempt, from others that share rules: 0.925"
    assert said in CliRunner().invoke(main, [*asked, "--option", "estates=10"]).output
    assert "on a first attempt" not in CliRunner().invoke(main, asked).output


def test_a_domain_of_estates_lists_each_in_every_split() -> None:
    domain = IncidentDomain(estates="20")
    for split in ("train", "dev", "test"):
        assert {task.parameters["estate"] for task in domain.tasks(split)} == {*range(20)}
    alone = [task.parameters for task in islice(IncidentDomain().tasks("train"), 60)]
    assert not any("estate" in parameters for parameters in alone)
    for wrong in ("many", -1, 21):
        with pytest.raises(InvalidInput, match="estates is a number from 0 to 20"):
            IncidentDomain(estates=wrong)


def test_it_keeps_the_contract() -> None:
    assert [finding for finding in check(IncidentDomain(estates=5)) if not finding.is_kept] == []


def test_the_seed_of_the_control_and_a_change_of_rules_go_beyond_an_estate() -> None:
    parameters = {"deployment": 7, "estate": 2}
    alone = Task("incidents", "control", 0, parameters={"deployment": 7})
    assert draw_incident(Task("incidents", "control", 0, parameters=parameters), 3) == (
        draw_incident(alone, 3)
    )
    for variation in range(9):
        task = Task("incidents", "remedy", variation, parameters=parameters)
        changed = Task("incidents", "remedy", variation, parameters={**parameters, "changes": 1})
        before, after = draw_incident(task, 0), draw_incident(changed, 0)
        assert (before.service, before.sign) == (after.service, after.sign)
        assert before.remedy != after.remedy


@pytest.mark.parametrize("parameters", [{"deployment": 7}, {"deployment": 7, "estate": 2}])
def test_an_incident_is_the_same_in_every_process(parameters: dict[str, int]) -> None:
    """To the order of its actions, whatever Python makes of the hashes of texts."""
    code = (
        "from agentcl.envs.base import Task\n"
        "from agentcl.envs.domains.incidents.domain import draw_incident\n"
        f"for family in {FAMILIES}:\n"
        "    for n in range(3):\n"
        f"        print(draw_incident(Task('incidents', family, n, parameters={parameters}), 1))\n"
    )
    told = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": str(seed)}).stdout
        for seed in (1, 3)
    }  # fmt: skip
    assert len(told) == 1
