"""Incidents that are made up: the same each time, solvable along the way that is told, alike in what there is to learn."""

from itertools import islice

import pytest

from agentcl.envs.base import Task
from agentcl.envs.domains.excytin.domain import IncidentLogsDomain
from agentcl.envs.domains.excytin.generator import (
    FAMILIES,
    KINDS,
    TABLES,
    Column,
    GeneratedIncidents,
    make_landscape,
    make_tenant,
)
from agentcl.errors import InvalidInput

DOMAIN = IncidentLogsDomain(5)
DATASET = GeneratedIncidents(5)


def tasks(family: str, count: int = 24) -> list[Task]:
    return list(islice(DOMAIN.tasks("train", family=family), count))


def test_the_same_seed_makes_the_same_and_another_one_another() -> None:
    make_tenant.cache_clear()
    once = make_tenant(1, 2)
    make_tenant.cache_clear()
    assert make_tenant(1, 2) == once
    assert make_tenant(1, 3) != once
    assert make_tenant(2, 2) != once


def test_a_tenant_has_four_tables_and_twelve_questions_of_one_to_three_hops() -> None:
    tenant = make_tenant(5, 0)
    assert [table.name for table in tenant.tables] == ["SecurityAlert", *TABLES]
    assert all(len(table.rows) == 12 for table in tenant.tables)
    assert len(tenant.questions) == 12
    hops = {family: {len(q.solution) for (f, _), q in tenant.questions.items() if f == family}
            for family in FAMILIES}  # fmt: skip
    assert hops == {"one-hop": {1}, "two-hops": {2}, "three-hops": {3}}


@pytest.mark.parametrize("seed", range(5))
def test_a_landscape_holds_each_kind_once_and_has_something_alike_for_each(seed: int) -> None:
    landscape = make_landscape(seed)
    assert set(landscape.true) == set(KINDS) == set(landscape.alike.values())
    assert not set(landscape.true.values()) & set(landscape.alike)
    assert len(landscape.true) + len(landscape.alike) == 15
    assert len(set(landscape.links)) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_the_way_that_the_landscape_tells_leads_to_the_answer(family: str) -> None:
    """From the told value along the links, and there to the column of what is asked for."""
    landscape = make_landscape(5)
    for task in tasks(family):
        question = DOMAIN.question(task)
        told = next(kind for kind in KINDS if f"the {kind} `" in question.context)
        value = question.context.split("`")[1]
        (alert,) = alerts_with(task, landscape.true[told], value)
        path = [alert]
        for link in landscape.links[: FAMILIES.index(family)]:
            shared = value_of(task, landscape.true[link], alert)
            (alert,) = set(alerts_with(task, landscape.true[link], shared)) - set(path)
            path.append(alert)
        asked = next(kind for kind in KINDS if f"its {kind}?" in question.question
                     or f"the {kind} of that" in question.question)  # fmt: skip
        assert value_of(task, landscape.true[asked], alert) == question.answer


def alerts_with(task: Task, place: Column, value: str) -> list[str]:
    """Return the alerts that have a value in a column."""
    table, column = place
    backend = DATASET.open(task)
    rows = backend.execute(f"SELECT SystemAlertId FROM {table} WHERE {column} = '{value}'").rows
    backend.close()
    return [str(identity) for (identity,) in rows]


def value_of(task: Task, place: Column, alert: str) -> str:
    """Return what a column has for an alert."""
    table, column = place
    backend = DATASET.open(task)
    ((value,),) = backend.execute(
        f"SELECT {column} FROM {table} WHERE SystemAlertId = '{alert}'"
    ).rows
    backend.close()
    return str(value)


def test_a_title_alone_does_not_tell_the_alert() -> None:
    for number in range(5):
        titles = [row[2] for row in make_tenant(5, number).tables[0].rows]
        assert {titles.count(title) for title in titles} == {2}


def test_no_question_tells_its_answer() -> None:
    for family in FAMILIES:
        for task in tasks(family):
            question = DOMAIN.question(task)
            assert question.answer not in question.shown()
            assert f"`{question.answer}`" in question.solution[-1]


def test_splits_share_no_tenant() -> None:
    seen = [{task.parameters["tenant"] for task in DOMAIN.tasks(split)}
            for split in ("train", "dev", "test")]  # fmt: skip
    assert sum(map(len, seen)) == len(set.union(*seen)) == 70


def test_a_task_of_another_landscape_is_refused() -> None:
    (task,) = tasks("one-hop", 1)
    with pytest.raises(InvalidInput, match="landscape 6"):
        IncidentLogsDomain(6).make().reset(task, seed=0)
    with pytest.raises(InvalidInput, match="4 attacks"):
        DOMAIN.make().reset(Task(task.env, task.family, 4, parameters=task.parameters), seed=0)
