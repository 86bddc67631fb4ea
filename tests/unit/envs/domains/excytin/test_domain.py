"""Investigations keep the contract, follow the protocol, and never tell the answer."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from agentcl.envs.base import Task
from agentcl.envs.checking import check
from agentcl.envs.domains.excytin.cases import Case
from agentcl.envs.domains.excytin.domain import (
    ExcytinDomain,
    IncidentLogsDomain,
    InvestigationDomain,
)
from agentcl.envs.domains.excytin.grading import Verdict
from agentcl.envs.domains.excytin.sql import QueryResult
from agentcl.envs.policies import NullPolicy, OraclePolicy, ReplayPolicy, play
from agentcl.envs.registry import domain_names, open_domain
from agentcl.errors import EnvironmentFailed, InvalidInput, LoadError


def first(domain: InvestigationDomain) -> Task:
    return next(iter(domain.tasks("test")))


def test_they_keep_the_contract(folder: Path) -> None:
    for domain in (IncidentLogsDomain(), ExcytinDomain(str(folder))):
        findings = check(domain, tasks=3)
        assert [finding for finding in findings if not finding.is_kept] == []


def test_they_are_registered_and_take_options_as_text(folder: Path) -> None:
    assert {"excytin-lite", "incident-logs"} <= set(domain_names())
    assert open_domain("excytin-lite", {"data": str(folder)}).families == ("incident_7",)
    task = next(open_domain("incident-logs", {"seed": "3"}).tasks("dev"))
    assert task.parameters["landscape"] == 3
    with pytest.raises(InvalidInput, match="whole number"):
        open_domain("incident-logs", {"seed": "three"})


def test_without_a_folder_it_is_listed_and_says_what_it_needs(tmp_path: Path) -> None:
    domain = ExcytinDomain()
    assert list(domain.tasks("test")) == []
    with pytest.raises(InvalidInput, match="data=FOLDER"):
        domain.make()
    with pytest.raises(LoadError, match="questions/test"):
        ExcytinDomain(str(tmp_path))


def test_the_observation_has_the_context_and_the_goal_the_question(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    seen = domain.make().reset(first(domain), seed=0)
    assert "The host `ws-1` raised an alert." in seen.text
    assert "execute[SQL]" in seen.text
    assert seen.goal == "What is the name of the tool that was run?"
    assert "tool.exe" not in seen.text + seen.goal
    assert seen.structured is None


def test_a_wrong_answer_ends_it_with_credit_for_the_way_and_tells_nothing(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    environment = domain.make()
    task = first(domain)
    environment.reset(task, seed=0)
    query = "SELECT ProcessId FROM AlertEvidence WHERE ProcessId <> ''"
    outcome = environment.step(f"Thought: look.\nAction: execute[{query};]")
    assert outcome.observation.text == "[('77',)]"
    assert (outcome.reward, outcome.terminated, outcome.truncated) == (0, False, False)
    outcome = environment.step("submit[other.exe]")
    assert outcome.terminated
    assert outcome.reward == pytest.approx(0.4)
    assert "tool.exe" not in outcome.observation.text
    assert environment.score().value == pytest.approx(0.4)
    assert not environment.score().is_success
    assert environment.verdict() == Verdict(False, (True,))
    with pytest.raises(InvalidInput, match="over"):
        environment.step("submit[tool.exe]")


def test_the_right_answer_succeeds_and_no_answer_earns_nothing(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    right = play(domain.make(), ReplayPolicy(["SUBMIT [ `Tool.exe` ]"]), first(domain), seed=0)
    assert right.score is not None
    assert right.score.is_success
    none = play(domain.make(), NullPolicy(), first(domain), seed=0)
    assert (none.end, len(none.steps)) == ("truncated", 25)
    assert none.score is not None
    assert none.score.value == 0
    assert {text for _, text in none.steps} == {
        "There is no such action. Write execute[SQL] or submit[answer]."
    }


def test_an_observation_is_as_long_as_the_option_allows(folder: Path) -> None:
    domain = ExcytinDomain(str(folder), shown="50")
    environment = domain.make()
    environment.reset(first(domain), seed=0)
    outcome = environment.step("execute[SELECT * FROM AlertEvidence]")
    assert len(outcome.observation.text) == 50


def test_a_judge_is_asked_beside_and_does_not_decide(folder: Path) -> None:
    asked: list[tuple[str, str | None, int]] = []

    def judge(question: Case, submitted: str | None, seen: Sequence[QueryResult]) -> Verdict:
        asked.append((question.answer, submitted, len(seen)))
        return Verdict(True, (True,))

    domain = ExcytinDomain(str(folder), judge=judge)
    environment = domain.make()
    environment.reset(first(domain), seed=0)
    environment.step("execute[SELECT 1]")
    environment.step("submit[the tool]")
    assert environment.score().value == 0
    assert environment.second_verdict() == Verdict(True, (True,))
    assert asked == [("tool.exe", "the tool", 1)]
    alone = ExcytinDomain(str(folder)).make()
    alone.reset(first(domain), seed=0)
    assert alone.second_verdict() is None


def test_a_task_of_another_domain_is_refused(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    environment = domain.make()
    of = {"questions": "test"}
    for task in (
        Task("incidents", "remedy", 0),
        Task("excytin-lite", "incident_8", 0, parameters=of),
        Task("excytin-lite", "incident_7", 2, parameters=of),
        Task("excytin-lite", "incident_7", -1, parameters=of),
        Task("excytin-lite", "incident_7", 0, parameters={"questions": "../x"}),
        Task("excytin-lite", "incident_7", 0),
    ):
        with pytest.raises(InvalidInput, match="incident"):
            environment.reset(task, seed=0)
    with pytest.raises(InvalidInput, match="split"):
        list(domain.tasks("all"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="family"):
        list(domain.tasks("test", family="incident_8"))


def test_the_oracle_shows_the_answer_before_it_gives_it(folder: Path) -> None:
    domain = ExcytinDomain(str(folder))
    task = first(domain)
    query, answer = domain.oracle().actions(task, seed=0)
    played = play(domain.make(), ReplayPolicy([query, answer]), task, seed=0)
    assert played.steps[0][1] == "[('tool.exe',)]"
    assert played.score is not None
    assert played.score.is_success
    assert domain.oracle().is_answerable(task)


def test_a_server_that_is_gone_fails_the_episode_and_scores_nothing(folder: Path) -> None:
    domain = ExcytinDomain(str(folder), server="mysql://ada@127.0.0.1:1/{incident}")
    assert (domain.name, domain.make().determinism) == ("excytin-server", "semantic")
    played = play(domain.make(), NullPolicy(), first(domain), seed=0)
    assert played.score is None
    assert "127.0.0.1/incident_7" in played.end
    with pytest.raises(EnvironmentFailed):
        domain.make().reset(first(domain), seed=0)


def test_the_real_questions_can_be_answered_as_often_as_is_written(real_folder: Path) -> None:
    domain = ExcytinDomain(str(real_folder))
    tasks = list(domain.tasks("test", family="incident_134"))
    oracle = domain.oracle()
    assert sum(map(oracle.is_answerable, tasks)) == 55
    for task in islice(domain.tasks("test"), 5):
        played = play(domain.make(), OraclePolicy(oracle), task, seed=0)
        assert played.score is not None
        assert played.score.is_success
