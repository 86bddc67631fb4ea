"""The reused-solutions stream: parts come before wholes, and what is held out is new only as a whole."""

from pathlib import Path

import pytest

from agentcl.envs.base import Task
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment, draw_incident
from agentcl.envs.streams.builders import pools_of
from agentcl.envs.streams.reuse import (
    LEARNABLE,
    reused_stream,
    sub_solutions,
    unmet,
    unrelated_stream,
)
from agentcl.envs.streams.stream import StreamItem, TaskStream, load_stream, save_stream
from agentcl.errors import InvalidInput

SEEDS = range(8)


def stream(seed: int = 0) -> TaskStream:
    return reused_stream(deployment=5, seed=seed)


def phase(found: TaskStream, name: str) -> list[StreamItem]:
    return [item for item in found if item.phase == name]


def test_its_tasks_are_those_of_the_domain_that_is_given() -> None:
    told = reused_stream(deployment=5, domain=IncidentDomain(voice="natural"))
    assert {item.task.parameters["voice"] for item in told} == {"natural"}
    assert [item.sub_solutions for item in told] == [item.sub_solutions for item in stream()]


def test_it_has_two_passes_of_the_same_tasks_and_then_what_was_held_out() -> None:
    found = stream()
    phases = [item.phase for item in found]
    assert phases == ["first"] * 18 + ["second"] * 18 + ["held-out"] * 3
    assert [i.task for i in phase(found, "first")] == [i.task for i in phase(found, "second")]
    assert len({item.task.id for item in phase(found, "first")}) == 18
    assert len({item.seed for item in found}) == len(found)
    assert found.order == "reuse, two passes"


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_are_met_before_they_come_again(seed: int) -> None:
    found = stream(seed)
    new = {number: missing for number, (_, missing) in enumerate(unmet(found))}
    assert all(not new[number] for number in range(18, 39))
    for number, item in enumerate(phase(found, "first")):
        if item.task.family == "remedy":
            assert len(new[number]) == 1
        if item.task.family == "diagnose":
            assert not any("remedy" in part for part in new[number])
    # of each kind of service the second diagnosis has no new part, though it is a new task
    diagnoses = [new[n] for n, i in enumerate(found.items[:18]) if i.task.family == "diagnose"]
    assert sorted(map(len, diagnoses)) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_held_out_is_new_only_as_a_whole(seed: int) -> None:
    found = stream(seed)
    learned = {item.task.id for item in found if item.is_learned_from}
    wholes = {item.sub_solutions for item in found if item.is_learned_from}
    held_out = phase(found, "held-out")
    assert not any(item.is_learned_from for item in held_out)
    for item in held_out:
        assert item.task.id not in learned
        assert item.sub_solutions not in wholes
        assert len(item.sub_solutions) == 2
    services = {draw_incident(item.task, item.seed).service for item in held_out}
    assert len(services) == 3


def test_labels_say_what_is_needed_and_never_the_answer() -> None:
    environment = IncidentEnvironment()
    for item in stream():
        incident = draw_incident(item.task, item.seed)
        text = " ".join(item.sub_solutions)
        assert incident.service in text
        answers = {incident.remedy, incident.before, incident.diagnostic} - {None}
        assert not answers & set(text.split())
        assert environment.reset(item.task, seed=item.seed).goal
        assert len(item.sub_solutions) == len(answers)


def test_knowing_the_parts_solves_every_task_at_once() -> None:
    """An agent that knows nothing but an answer for each label: the labels are complete."""
    known: dict[str, str | None] = {}
    found = stream()
    for item in found:
        incident = draw_incident(item.task, item.seed)
        for part in item.sub_solutions:
            kind = part.split(": ")[1]
            answer = getattr(incident, kind)
            assert known.setdefault(part, answer) == answer
    environment = IncidentEnvironment()
    for item in found:
        environment.reset(item.task, seed=item.seed)
        name = draw_incident(item.task, item.seed).name
        kinds = {part.split(": ")[1]: known[part] for part in item.sub_solutions}
        for kind in ("diagnostic", "before", "remedy"):
            if kind in kinds:
                environment.step(f"{kinds[kind]} {name}")
        assert environment.score().value == 1


def test_in_the_contrast_no_part_comes_again() -> None:
    found = unrelated_stream(split="test", seed=1)
    assert len(found) == 18
    assert all(missing == set(item.sub_solutions) for item, missing in unmet(found))
    assert len({item.task.parameters["deployment"] for item in found}) == 18
    count = {kind: sum(i.task.family == kind for i in found) for kind in LEARNABLE}
    reused = {
        kind: sum(i.task.family == kind for i in phase(stream(), "first")) for kind in LEARNABLE
    }
    assert count == reused


def test_it_is_the_same_each_time_and_can_be_saved(tmp_path: Path) -> None:
    assert stream(3) == stream(3)
    assert stream(3).items != stream(4).items
    assert unrelated_stream(seed=3) == unrelated_stream(seed=3)
    save_stream(stream(3), tmp_path / "reuse.jsonl")
    assert load_stream(tmp_path / "reuse.jsonl") == stream(3)


def test_every_deployment_of_a_split_has_a_stream() -> None:
    for deployment in range(80, 100):
        assert len(reused_stream(deployment=deployment, split="test")) == 39


def test_what_has_no_parts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="drawn anew for every seed"):
        sub_solutions(Task("incidents", "control", 0))
    with pytest.raises(InvalidInput, match="is no task of incidents"):
        sub_solutions(Task("cooking", "remedy", 0))
    with pytest.raises(InvalidInput, match="no task of family"):
        reused_stream(deployment=90)


def test_the_learnable_families_are_all_but_the_control() -> None:
    assert set(IncidentDomain().families) - set(LEARNABLE) == {"control"}
    assert [*pools_of(IncidentDomain(), "dev", LEARNABLE)] == [*LEARNABLE]
