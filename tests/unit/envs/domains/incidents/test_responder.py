import statistics
from collections.abc import Iterable

import pytest

from agentcl.envs.acting import Situation, act_until_over
from agentcl.envs.base import Task
from agentcl.envs.domains.incidents.bounds import expected_without_memory
from agentcl.envs.domains.incidents.domain import IncidentDomain, IncidentEnvironment
from agentcl.envs.domains.incidents.responder import Responder
from agentcl.errors import InvalidInput
from agentcl.lessons import CLAIMS, Claim, Lesson, read_json, read_sentence


def played(
    environment: IncidentEnvironment, task: Task, told: Iterable[str], seed: int
) -> tuple[float, list[str]]:
    responder = Responder()
    seen = environment.reset(task, seed=seed)
    start = Situation(seen.goal, seen.text, guidance=tuple(told), task=task, seed=seed)
    told_last = [seen.text]
    act_until_over(
        environment,
        responder,
        start,
        on_step=lambda situation, act, outcome: told_last.append(outcome.observation.text),
    )
    return environment.score().value, responder.learn(told_last[-1])


@pytest.mark.parametrize("family", ["remedy", "needs", "diagnose"])
def test_with_the_lessons_of_a_task_it_is_solved_without_a_detour(family: str) -> None:
    domain, environment = IncidentDomain(), IncidentDomain().make()
    for task in list(domain.tasks("test", family=family))[:9]:
        told: dict[str, None] = {}
        for seed in range(3):  # a lesson may be followed by another that it led to
            _, learned = played(environment, task, told, seed)
            told |= dict.fromkeys(learned)
        assert played(environment, task, told, 7)[0] == 1.0


def test_without_lessons_it_is_no_better_than_can_be() -> None:
    domain, environment = IncidentDomain(), IncidentDomain().make()
    for family in ("remedy", "control"):
        tasks = list(domain.tasks("test", family=family))
        scores = [played(environment, task, (), seed)[0] for seed, task in enumerate(tasks)]
        assert statistics.fmean(scores) < expected_without_memory(family) + 0.05


def test_lessons_of_other_situations_are_not_followed() -> None:
    environment = IncidentDomain().make()
    task = next(IncidentDomain().tasks("test", family="remedy"))
    other = ["When a spoon is bent, restart it.", "no lesson at all", ""]
    assert played(environment, task, other, 1) == played(environment, task, (), 1)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_sentence_is_read_as_the_lesson_that_it_says(claim: Claim) -> None:
    lesson = Lesson(
        "you drain a queue" if claim == "needs" else "a queue is slow", claim, "drain it"
    )
    assert read_sentence(lesson.sentence()) == lesson
    assert read_json({"when": lesson.when, "claim": claim, "what": lesson.what}) == lesson


@pytest.mark.parametrize(
    "value", [{}, {"when": "a", "claim": "do"}, {"when": "a", "claim": "try", "what": "b"},
              {"when": 1, "claim": "do", "what": "b"}, {"when": " ", "claim": "do", "what": "b"}],
)  # fmt: skip
def test_what_is_no_lesson_is_refused(value: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="lesson"):
        read_json(value)
    assert read_sentence("Drain the queue.") is None


def test_what_is_not_told_in_controlled_english_is_refused_and_not_guessed_at() -> None:
    domain = IncidentDomain(voice="natural")
    with pytest.raises(InvalidInput, match="choose the voice controlled, or a model"):
        played(domain.make(), next(domain.tasks("test")), (), 0)
